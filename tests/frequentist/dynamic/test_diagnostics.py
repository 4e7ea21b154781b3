"""What the tests of a dynamic panel say, also where little can be computed."""

import numpy as np
import pytest

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


def two_errors(seed):
    """A panel on which lags of the outcome are no instruments: errors with a moving average of one period."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(300, 9))
    frame = balanced(seed, 300, 8)
    frame["y"] += (noise[:, 1:] + 0.9 * noise[:, :-1]).ravel()
    return bn.read_panel(frame, unit="id", time="year")


DECLARED = {"outcome": "y", "regressors": ["L1.y", "x"], "gmm": [("y", 2, 4), ("x", 1, 3)], "collapse": True}


def test_rejections_are_warnings_beside_the_coefficient():
    table = bn.system_gmm(two_errors(8), **DECLARED, time_dummies="level")
    d, note = table.diagnostics, table.frame["note"][0]
    assert max(d["hansen_p"], d["ar2_p"]) < 0.05
    assert len(d["warnings"]) == 2
    assert f"Hansen's test rejects the instruments ({d['hansen']:.2f}, {d['hansen_df']} degrees of freedom" in note
    assert f"errors are serially correlated (order two of the differences: z = {d['ar2']:.2f}" in note


def test_nothing_is_said_where_nothing_is_wrong():
    panel = bn.read_panel(balanced(10, 300, 8), unit="id", time="year")
    table = bn.system_gmm(panel, **DECLARED, time_dummies="level")
    assert min(table.diagnostics["hansen_p"], table.diagnostics["ar2_p"]) > 0.05
    assert table.diagnostics["warnings"] == []


@pytest.mark.parametrize("estimator", [bn.difference_gmm, bn.system_gmm])
@pytest.mark.parametrize("transform", ["fd", "fod"])
def test_missing_time_dummies_are_said(estimator, transform):
    """Declared dummies of the periods count; a trend does not stand for them."""
    frame = balanced(10, 100, 8)
    years = [f"y{year}" for year in sorted(frame["year"].unique())[2:]]
    for year in years:
        frame[year] = 1.0 * (frame["year"] == int(year[1:]))
    frame["trend"] = frame["year"] - 2000.0
    panel = bn.read_panel(frame, unit="id", time="year")

    def missing(more=(), **options):
        declared = DECLARED | {"regressors": ["L1.y", "x", *more]}
        table = estimator(panel, **declared, iv=list(more), transform=transform, **options)
        return any("no time dummies" in warning for warning in table.diagnostics["warnings"])

    assert missing()
    assert missing(["trend"])
    assert not missing(years)
    assert not missing(time_dummies="differenced" if estimator is bn.difference_gmm else "level")


def test_the_error_variance_of_sargan_is_said(abdata):
    options = {"outcome": "n", "regressors": ["L1.n", "w"], "gmm": [("n", 2, 3), ("w", 1, 2)], "steps": 1}
    difference, system = bn.difference_gmm(abdata, **options), bn.system_gmm(abdata, **options)
    assert f"over {difference.frame['n_obs'][0]} equations" in difference.diagnostics["sargan_note"]
    assert f"over {system.frame['n_obs'][0]} level equations" in system.diagnostics["sargan_note"]
