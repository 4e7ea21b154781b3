"""Effects of units and periods at other rows, from their sums at the rows of a design."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.new_rows import NewRows, additive, new_rows, own_rows


@pytest.fixture(scope="module")
def design():
    random = np.random.default_rng(2)
    rows = [(f"u{i}", 2010 + t) for i in range(7) for t in range(5) if random.random() < 0.7]
    frame = pd.DataFrame(rows, columns=["u", "t"])
    frame["x"], frame["y"] = random.normal(size=(2, len(frame)))
    return build_design(bn.read_panel(frame, unit="u", time="t"), bn.Spec(outcome="y", exposure="x"))


def test_sums_are_known_wherever_rows_connect(design):
    random = np.random.default_rng(3)
    unit, time = random.normal(size=(2, len(design.units))), random.normal(size=(2, len(design.times)))
    sums = unit[:, design.unit] + time[:, design.time]
    u, t = (grid.ravel() for grid in np.meshgrid(np.arange(len(design.units)), np.arange(len(design.times))))
    index = pd.MultiIndex.from_arrays([u, t], names=["unit", "time"])
    every = NewRows(index, None, np.empty((len(u), 0)), u, t)
    np.testing.assert_allclose(additive(sums, design, every), unit[:, u] + time[:, t], atol=1e-12)
    np.testing.assert_array_equal(additive(unit[:, design.unit], design, every, "unit"), unit[:, u])
    np.testing.assert_array_equal(additive(time[:, design.time], design, every, "time"), time[:, t])
    np.testing.assert_array_equal(additive(sums, design, own_rows(design)).round(12), sums.round(12))


def test_rows_are_placed_by_label(design):
    frame = pd.DataFrame({"u": ["u3", "u0"], "t": [2013, 2010], "x": [1.0, 2.0]}).set_index(["u", "t"])
    found = new_rows(design, frame)
    assert [design.units[u] for u in found.unit] == ["u3", "u0"]
    assert [design.times[t] for t in found.time] == [2013, 2010]
    with pytest.raises(bn.BayesNppError, match="2031"):
        new_rows(design, frame.rename(index={2013: 2031}))
