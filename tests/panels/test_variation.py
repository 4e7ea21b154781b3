"""What is constant up to rounding is constant, wherever a column is asked to vary."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit
from bayes_npp.design.projection import check_identified
from bayes_npp.errors import DesignError, VariableError
from bayes_npp.panels import indices
from bayes_npp.panels.variation import constant


def proportional(n_units=8, n_times=6, seed=3):
    """A panel with `ratio`, the ratio of two proportional columns: 0.3 but for the last digit."""
    random = np.random.default_rng(seed)
    size = n_units * n_times
    base = random.uniform(1, 1000, size)
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"u{i}" for i in range(n_units)], n_times),
            "time": np.tile(np.arange(n_times) + 2000, n_units),
            "part": 0.1 * base * 3,
            "whole": base,
            **{name: random.standard_normal(size) for name in ("y", "x", "m")},
        }
    )
    panel = bn.derive(bn.read_panel(frame, unit="unit", time="time"), [{"name": "ratio", "ratio": ["part", "whole"]}])
    assert 0 < np.ptp(panel.numbers("ratio")) < 1e-15  # np.ptp(...) == 0 does not see it
    return panel


def test_constant_looks_at_the_range_beside_the_magnitude():
    assert constant(np.full(5, 3.7))
    assert constant(np.zeros(3))
    assert constant(np.array([0.3, 0.3 + 5e-17, 0.30000000000000004]))
    assert constant(np.array([1e9, 1e9 + 1e-6]))
    assert not constant(np.array([1e9, 1e9 + 1]))
    assert not constant(np.array([0.0, 1e-17]))  # small, and all there is
    assert constant(np.array([0.0, 1e-17]), beside=np.array([0.3, 0.3]))
    np.testing.assert_array_equal(constant(np.array([[1.0, 2.0], [1.0, 3.0]])), [True, False])


@pytest.mark.parametrize(
    "roles",
    [
        {"outcome": "y", "exposure": "x", "controls": ("ratio",)},  # before: a coefficient of -1.5e16
        {"outcome": "y", "exposure": "ratio"},  # before: 2e16
        {"outcome": "ratio", "exposure": "x"},
        {"outcome": "y", "exposure": "ratio", "transform": "first_difference"},
    ],
)
def test_no_estimator_takes_it(roles):
    panel = proportional()
    for estimator in (bn.twfe, bn.pooled_ols, bn.fixed_effects, fit):
        with pytest.raises(DesignError, match="'ratio' is constant over the estimation rows"):
            estimator(panel, bn.Spec(**roles))


def test_nor_as_a_mediator():
    with pytest.raises(DesignError, match="'ratio' is constant over the estimation rows"):
        bn.mediation_paths(proportional(), bn.Spec(outcome="y", exposure="x"), ("ratio",))


def test_nor_standardise_nor_an_index():
    """As an indicator of an entropy index its weight was 0.31."""
    panel = proportional()
    with pytest.raises(VariableError, match="'ratio' is constant"):
        bn.derive(panel, [{"name": "z", "standardise": "ratio"}])
    with pytest.raises(VariableError, match="indicator 'ratio' is constant"):
        bn.derive(panel, [{"name": "z", "index": "entropy", "positive": ["whole", "ratio"], "shift": 1e-4}])
    columns = np.column_stack([panel.numbers("whole"), panel.numbers("ratio")])
    with pytest.raises(VariableError, match="indicator 'ratio' is constant"):
        indices.min_max(columns, np.ones(2), ["whole", "ratio"])


def test_what_effects_leave_of_a_large_column_may_be_rounding():
    """A billion plus a unit's number, rounded by row: before, its slope within units was 1e6 and had a p-value."""
    panel = proportional()
    unit = panel.frame["unit"].factorize()[0]
    random = np.random.default_rng(1)
    column = 1e9 + unit + random.choice([-1, 1], len(unit)) * 2e-7
    large = panel.with_column("large", column)
    assert len(np.unique(column - 1e9 - unit)) > 1
    with pytest.raises(DesignError, match="'large' does not vary once the effects are removed"):
        bn.fixed_effects(large, bn.Spec(outcome="y", exposure="large"))


def test_columns_that_are_nearly_a_linear_relation_are_named():
    """Kahan's (1966) matrix: each column is far from those before it, all of them have condition number 1e12."""
    panel, size, angle = proportional(n_units=40), 25, 0.6
    sine, cosine = np.sin(angle), np.cos(angle)
    triangle = sine ** np.arange(size)[:, None] * (np.eye(size) - cosine * np.triu(np.ones((size, size)), 1))
    random = np.random.default_rng(2)
    raw = random.standard_normal((len(panel.frame), size + 1))
    raw -= raw.mean(axis=0)
    basis = np.linalg.qr(raw)[0]
    columns = basis[:, :size] @ triangle
    assert np.linalg.cond(columns) > 1e10
    names = tuple(f"k{j}" for j in range(size))
    with pytest.raises(DesignError, match=r"'k\d+', .* are nearly collinear .*condition number \d+e\+1") as found:
        check_identified(
            np.column_stack([basis[:, -1], columns]), np.column_stack([basis[:, -1], columns]), ("apart", *names), ""
        )
    assert "'apart'" not in str(found.value)
    for name, column in zip(names, columns.T, strict=True):
        panel = panel.with_column(name, column)
    for estimator in (bn.pooled_ols, bn.fixed_effects):
        with pytest.raises(DesignError, match="nearly collinear"):
            estimator(panel, bn.Spec(outcome="y", exposure="x", controls=names))
