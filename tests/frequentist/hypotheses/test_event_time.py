"""Leads and lags: dense dummies, the joint test, an exposure that follows.

Tolerances: the same algebra 1e-8 relative.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.event_time import event_columns
from bayes_npp.errors import BayesNppError


@pytest.fixture(scope="module")
def plain(simulated, grouped_spec):
    return simulated, bn.Spec(**{**grouped_spec.model_dump(), "slopes": None})


def test_leads_and_lags_are_columns_of_a_dense_regression(plain):
    panel, spec = plain
    found = bn.event_time(panel, spec, leads=2, lags=1)
    terms = ["F2.exposure", "F1.exposure", "L1.exposure"]
    assert found.frame["term"].tolist() == ["exposure", *terms, "control_1", "control_2"]
    frame = event_columns(panel, "exposure", 2, 1)[0].frame.dropna(
        subset=[*terms, "exposure", "control_1", "control_2"]
    )
    x = frame[["exposure", *terms, "control_1", "control_2"]].to_numpy()
    dummies = np.column_stack([pd.get_dummies(frame["unit"]), pd.get_dummies(frame["time"])]).astype(float)
    both = np.column_stack([frame["outcome"], x])
    left = both - dummies @ np.linalg.lstsq(dummies, both, rcond=1e-10)[0]
    beta = np.linalg.lstsq(left[:, 1:], left[:, 0], rcond=None)[0]
    assert found.frame["estimate"].to_numpy() == pytest.approx(beta, rel=1e-7)
    assert found.frame["n_obs"].iloc[0] == len(frame)
    one = bn.event_time(panel, spec, leads=1, lags=0)
    row = one.frame.set_index("term").loc["F1.exposure"]
    assert one.diagnostics["leads_p"] == pytest.approx(row["p_value"], rel=1e-8)
    assert one.diagnostics["leads_f"] == pytest.approx((row["estimate"] / row["spread"]) ** 2, rel=1e-8)


def test_an_exposure_that_follows_the_outcome_is_found_out():
    rng = np.random.default_rng(1)
    y = rng.standard_normal((40, 10))
    x = rng.standard_normal((40, 10))
    x[:, 1:] += y[:, :-1]
    frame = pd.DataFrame({"unit": np.repeat(np.arange(40), 10), "time": np.tile(np.arange(10), 40)})
    frame = frame.assign(y=y.ravel(), x=x.ravel())
    panel = bn.read_panel(frame, unit="unit", time="time")
    found = bn.event_time(panel, bn.Spec(outcome="y", exposure="x"), leads=1, lags=1)
    assert found.diagnostics["leads_p"] < 1e-6
    rows = found.frame.set_index("term")
    assert rows.loc["F1.x", "estimate"] == pytest.approx(0.5, abs=0.1)
    assert abs(rows.loc["x", "estimate"]) < 0.15


@pytest.mark.parametrize("options", [{"leads": 0}, {"lags": -1}, {"leads": 40}])
def test_bad_input(plain, options):
    with pytest.raises(BayesNppError):
        bn.event_time(*plain, **options)


def test_slopes_are_refused(simulated, grouped_spec):
    with pytest.raises(BayesNppError, match="one slope"):
        bn.event_time(simulated, grouped_spec)
