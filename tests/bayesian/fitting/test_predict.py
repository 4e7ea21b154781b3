"""Prediction of blank outcomes: against the dense conditional normal's behaviour and against what was deleted."""

import numpy as np
import pytest

import bayes_npp as bn

SPEC = {"outcome": "outcome", "exposure": "exposure", "controls": ("control_1",), "slopes": "group"}


def blanked(options, rows):
    simulated = bn.simulate(40, 8, {"a": 0.5, "b": 0.1}, error_sd=0.3, seed=31, **options).frame
    where = rows(simulated)
    truth = simulated.loc[where, "outcome"].to_numpy()
    simulated.loc[where, "outcome"] = np.nan
    return bn.read_panel(simulated, unit="unit", time="time", group="group"), truth


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        ({}, {}),
        ({"autocorrelation": 0.8}, {"errors": "ar1"}),
        ({"unit_scale_sd": 0.6}, {"errors": "unit_scale"}),
        ({"unit_slope_sd": 0.3}, {"slopes": "unit", "slope_correlation": True}),
    ],
    ids=["iid", "ar1", "unit scale", "unit slopes"],
)
def test_a_new_year_and_a_new_unit(options, spec):
    panel, truth = blanked(options, lambda f: (f["time"] == 8) | f["unit"].isin(["unit 07", "unit 20"]))
    found = bn.predict(panel, bn.Spec(**{**SPEC, **spec}), seed=2)
    assert found.diagnostics.passed
    assert len(found.frame) == len(truth) == 40 + 2 * 7
    assert found.draws.shape == (4000, 54)
    covered = ((found.frame["lo"] <= truth) & (truth <= found.frame["hi"])).mean()
    assert covered > 0.85  # 54 dependent rows at 95 %
    new_unit = found.frame["unit"].isin(["unit 07", "unit 20"]) & (found.frame["time"] < 8)
    assert found.frame.loc[new_unit, "sd"].mean() > 1.3 * 0.3  # more than the errors alone: its effect is not known
    again = bn.predict(panel, bn.Spec(**{**SPEC, **spec}), seed=2)
    np.testing.assert_array_equal(found.draws, again.draws)


def test_autocorrelation_makes_the_last_error_matter():
    panel, truth = blanked({"autocorrelation": 0.9}, lambda f: f["time"] == 8)
    with_ar = bn.predict(panel, bn.Spec(**SPEC, errors="ar1"), seed=2).frame
    without = bn.predict(panel, bn.Spec(**SPEC), seed=2).frame
    assert np.sqrt(((with_ar["mean"] - truth) ** 2).mean()) < np.sqrt(((without["mean"] - truth) ** 2).mean())


def test_what_cannot_be_predicted_is_named():
    panel, _ = blanked({}, lambda f: f["time"] == 8)
    with pytest.raises(bn.BayesNppError, match="'8' has a fixed effect and no observed row"):
        bn.predict(panel, bn.Spec(**SPEC, time_effects="fixed"))
    whole = bn.read_panel(bn.simulate(10, 5, seed=1).frame, unit="unit", time="time")
    with pytest.raises(bn.BayesNppError, match="no row to predict"):
        bn.predict(whole, bn.Spec(outcome="outcome", exposure="exposure"))
    with pytest.raises(bn.BayesNppError, match="Student-t"):
        bn.predict(panel, bn.Spec(**SPEC, errors="student_t"))
