"""What the tests of a dynamic panel say where little can be computed."""

import numpy as np

import bayes_npp as bn
from tests.frequentist.dynamic.panels import balanced


def test_too_many_instruments_are_said():
    frame = balanced(6, 20, 8)
    table = bn.system_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y", "x"],
        gmm=[("y", 2, None), ("x", 1, None)],
    )
    n = table.diagnostics["n_instruments"]
    assert n > 20
    assert f"{n} instruments exceed 20 units" in table.frame["note"][0]
    assert any("Moore-Penrose" in warning for warning in table.diagnostics["warnings"])


def test_a_variance_that_is_not_positive_is_said():
    """Windmeijer's correction with a singular weighting matrix need not give a covariance: no number is made of it."""
    found = 0
    for seed in range(12):
        panel = bn.read_panel(bn.simulate_dynamic(12, 8, 0.3, seed=seed).frame, unit="unit", time="time")
        table = bn.system_gmm(
            panel,
            outcome="outcome",
            regressors=["L1.outcome", "exposure"],
            gmm=[("outcome", 2, None), ("exposure", 1, None)],
            time_dummies="level",
        )
        blank = table.frame[table.frame["spread"].isna() & table.frame["estimate"].notna()]
        assert blank["note"].str.contains("no standard error: the estimated variance is not positive").all()
        assert blank[["lo", "hi", "p_value"]].isna().all(axis=None)
        found += len(blank)
    assert found


def test_short_panels_say_what_cannot_be_computed():
    frame = balanced(7, 80, 4)
    table = bn.difference_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y"],
        gmm=[("y", 2, None)],
    )
    assert np.isfinite(table.diagnostics["ar1"])
    assert np.isnan(table.diagnostics["ar2"])
    assert "2 periods apart" in table.diagnostics["not_computable"]["ar2"]
    exact = bn.difference_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y"],
        gmm=[("y", 2, 2)],
        collapse=True,
    )
    assert np.isnan(exact.diagnostics["hansen"])
    assert "no over-identifying restriction" in exact.diagnostics["not_computable"]["hansen"]
