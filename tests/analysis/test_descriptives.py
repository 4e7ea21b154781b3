"""Descriptive statistics: by hand on a small unbalanced panel, by a plain groupby, and for a cross-section."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.descriptives import COLUMNS, describe
from bayes_npp.errors import PanelError
from bayes_npp.panels.simulation import simulate
from bayes_npp.study.models import Roles

BLANK = np.nan
# Unit a has two years of y, b three of which one is blank, c one; year 0 lies before the window.
ROWS = [
    ("a", 0, 90.0, 1.0),
    ("a", 1, 1.0, 2.0),
    ("a", 2, 3.0, 4.0),
    ("b", 1, 4.0, 6.0),
    ("b", 2, BLANK, 6.0),
    ("b", 3, 8.0, 6.0),
    ("c", 2, 9.0, BLANK),
]


@pytest.fixture
def small():
    frame = pd.DataFrame(ROWS, columns=["unit", "time", "y", "x"])
    return bn.read_panel(frame, unit="unit", time="time", window=(1, 3))


def test_by_hand(small):
    """y: 1, 3 | 4, 8 | 9, mean 5, unit means 2, 6, 9; within deviations -1, 1 | -2, 2 | 0."""
    y, x = describe(small, Roles(outcome="y", exposure="x")).to_dict("records")
    assert (y["role"], y["variable"], y["n"], y["missing"]) == ("outcome", "y", 5, 1)
    assert (y["mean"], y["min"], y["max"]) == (5, 1, 9)
    assert y["sd"] == pytest.approx(np.sqrt((16 + 4 + 1 + 9 + 16) / 4))
    assert y["sd_between"] == pytest.approx(np.sqrt(((2 - 17 / 3) ** 2 + (6 - 17 / 3) ** 2 + (9 - 17 / 3) ** 2) / 2))
    assert y["sd_within"] == pytest.approx(np.sqrt((1 + 1 + 4 + 4) / 4))
    # x: 2, 4 | 6, 6, 6 | none: unit c has no mean to count.
    assert (x["n"], x["missing"], x["mean"]) == (5, 1, 24 / 5)
    assert x["sd_between"] == pytest.approx(np.sqrt((1.5**2 + 1.5**2) / 1))
    assert x["sd_within"] == pytest.approx(np.sqrt(2 / 4))


def test_a_published_handout_of_xtsum():
    """Three students with two test scores each: Stata prints overall 14.14214, between 0, within 14.14214."""
    frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3], "test": [1, 2] * 3, "score": [70, 70, 60, 80, 90, 50]})
    panel = bn.read_panel(frame.assign(other=frame["score"]), unit="id", time="test")
    row = describe(panel, Roles(outcome="score", exposure="other")).iloc[0]
    assert row[["mean", "sd", "sd_between", "sd_within"]].tolist() == pytest.approx([70, 14.14214, 0, 14.14214])


def test_by_a_plain_groupby():
    frame = simulate(24, 7, {"north": 0.8, "south": 0.2}, controls=(0.5,), missing=0.25, seed=4).frame
    frame.loc[::5, "exposure"] = np.nan
    panel = bn.read_panel(frame, unit="unit", time="time")
    roles = Roles(outcome="outcome", exposure="exposure", controls=("control_1",))
    found = describe(panel, roles).set_index("variable")
    for name in ("outcome", "exposure", "control_1"):
        own = frame[["unit", name]].dropna()
        means = own.groupby("unit")[name].mean()
        within = own[name] - own["unit"].map(means) + own[name].mean()
        expected = [len(own), own[name].mean(), own[name].std(), means.std(), within.std()]
        expected += [own[name].min(), own[name].max(), frame[name].isna().sum()]
        assert found.loc[name, list(COLUMNS[2:])].tolist() == pytest.approx(expected)


def test_a_cross_section_has_no_within():
    frame = pd.DataFrame({"unit": list("abcd"), "y": [1.0, 2.0, BLANK, 6.0], "x": [0.0, 1.0, 2.0, 3.0]})
    row = describe(bn.read_panel(frame, unit="unit", time=None), Roles(outcome="y", exposure="x")).iloc[0]
    assert row["sd_between"] == pytest.approx(row["sd"])
    assert np.isnan(row["sd_within"])
    assert (row["n"], row["missing"]) == (3, 1)


def test_one_value_has_no_spread(small):
    """And roles stand in reading order: outcome, exposure, mediators, controls."""
    panel = small.with_column("z", np.where(small.frame["y"] == 9, 9.0, BLANK))
    found = describe(panel, Roles(outcome="y", exposure="x", mediators=("z",), controls=("x",)))
    assert found["role"].tolist() == ["outcome", "exposure", "mediator", "control"]
    row = found.iloc[2]
    assert (row["n"], row["missing"], row["mean"]) == (1, 5, 9)
    assert row[["sd", "sd_between"]].isna().all()


def test_a_column_of_words_is_refused(small):
    with pytest.raises(PanelError, match="not a number"):
        describe(small.with_column("w", pd.Series(["a"] * 7)), Roles(outcome="y", exposure="x", controls=("w",)))
