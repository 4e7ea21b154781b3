"""Missing cells of mediators: filled by hand-computed rules, imputed exactly, against an independent joint model."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.confounding import sensitivity
from bayes_npp.bayesian.mediation.missing import fill
from bayes_npp.errors import DesignError, SpecError
from tests.bayesian.mediation.late_panels import late, panel_of
from tests.bayesian.mediation.panels import GROUPED, SPEC, TWO


def test_filling_is_by_time_within_units():
    """Hand-computed: a gap in time inside, both ends, a unit with one observed year, a unit that is complete."""
    frame = pd.DataFrame(
        {
            "unit": ["a"] * 6 + ["b"] * 3 + ["c"] * 2,
            "time": [2010, 2011, 2013, 2016, 2017, 2019, 2010, 2011, 2012, 2010, 2011],
            "m": [np.nan, 2.0, np.nan, 7.0, np.nan, np.nan, np.nan, 5.0, np.nan, 1.0, 9.0],
        }
    )
    panel = bn.read_panel(frame, unit="unit", time="time")
    values = panel.numbers("m")
    inside = fill(panel, values, "none")
    # Unit a: slope 1 a year between 2011 and 2016.
    np.testing.assert_allclose(inside[:6], [np.nan, 2, 4, 7, np.nan, np.nan])
    np.testing.assert_allclose(inside[6:9], [np.nan, 5, np.nan])
    np.testing.assert_allclose(fill(panel, values, "linear")[:6], [1, 2, 4, 7, 8, 10])
    np.testing.assert_allclose(fill(panel, values, "linear")[6:9], [np.nan, 5, np.nan])
    np.testing.assert_allclose(fill(panel, values, "carry"), [2, 2, 4, 7, 7, 7, 5, 5, 5, 1, 9])


def test_filled_cells_are_said_to_be_data():
    frame = late(20, 6)
    frame.loc[1, "mediator_1"] = np.nan
    frame.loc[5, "outcome"] = np.nan  # its missing mediator is not filled
    panel = panel_of(frame)
    fit = bn.mediate(panel, SPEC, ["mediator_1"], missing="extrapolate", draws=200, seed=1)
    assert fit.missing.filled == {"mediator_1": 40}
    assert (fit.design.n_obs, fit.n_dropped) == (119, 1)
    notes = fit.estimates().frame["note"]
    assert notes.str.contains("WARNING: 40 of 119 cells of 'mediator_1' interpolated, or extrapolated along").all()
    assert notes.str.contains("treated as data").all()
    assert notes.str.contains("1 of 120 rows left out: 1 with blank cells").all()
    inside = bn.mediate(panel, SPEC, ["mediator_1"], missing="interpolate", draws=200, seed=1)
    assert inside.missing.filled == {"mediator_1": 1}
    assert inside.design.n_obs == 80
    # Filled cells are data for what follows too.
    assert not sensitivity(fit, (0.1,)).empty


def test_filling_equals_a_panel_filled_by_hand():
    frame = late(15, 6)
    filled = frame.copy()
    for _, own in filled.groupby("unit"):
        value = own.set_index("time")["mediator_1"]
        for t in (5, 6):
            filled.loc[own.index[own["time"] == t], "mediator_1"] = value[4] + (value[4] - value[3]) * (t - 4)
    by_us = bn.mediate(panel_of(frame), SPEC, ["mediator_1"], missing="extrapolate", draws=200, seed=1)
    by_hand = bn.mediate(panel_of(filled), SPEC, ["mediator_1"], draws=200, seed=1)
    np.testing.assert_allclose(by_us.indirect, by_hand.indirect, rtol=1e-6)


def blank(frame, where):
    frame.loc[where(frame), "mediator_1"] = np.nan
    return frame


@pytest.mark.parametrize(
    ("where", "changes", "message"),
    [
        (lambda f: f["time"] > 4, {"missing": "guess"}, "unknown missing = 'guess'"),
        (lambda f: f["time"] > 4, {"missing": "extrapolate", "extrapolation": "spline"}, "unknown extrapolation"),
        (
            lambda f: f["time"] > 4,
            {"missing": "impute", "extrapolation": "carry"},
            "belongs to missing = 'extrapolate'",
        ),
        (lambda f: f["time"] > 4, {"missing": "impute", "lags": (1, 0)}, "does not combine with lags"),
        (lambda f: f["unit"] == "unit 03", {"missing": "impute"}, "missing in every year of unit 'unit 03'"),
        (lambda f: f["unit"] == "unit 03", {"missing": "interpolate"}, "missing in every year of unit 'unit 03'"),
        (lambda f: f["time"] > 0, {"missing": "impute"}, "missing in every row"),
        (lambda f: f["time"] > 4, {"missing": "error"}, "'mediator_1' is missing"),
        (lambda f: f["time"] > 4, {"missing": "impute", "mediator_errors": "student_t"}, "student_t"),
        (lambda f: f["time"] > 4, {"missing": "impute", "mediator_errors": "ar2"}, "unknown error model"),
    ],
)
def test_bad_input(where, changes, message):
    frame = blank(bn.simulate_mediation(12, 5, seed=1).frame, where)
    with pytest.raises(bn.BayesNppError, match=message):
        bn.mediate(panel_of(frame), SPEC, ["mediator_1"], **changes)


def test_more_bad_input():
    frame = bn.simulate_mediation(12, 5, seed=1).frame
    frame["mediator_1"] = frame["unit"].astype("category").cat.codes * 1.0
    frame.loc[frame["time"] > 4, "mediator_1"] = np.nan
    with pytest.raises(DesignError, match="constant within every unit"):
        bn.mediate(panel_of(frame), SPEC, ["mediator_1"], missing="impute")
    fixed = bn.Spec(outcome="outcome", exposure="exposure", time_effects="fixed")
    with pytest.raises(DesignError, match="period effects are fixed"):
        bn.mediate(panel_of(late()), fixed, ["mediator_1"], missing="impute")
    with pytest.raises(SpecError, match="path_correlation"):
        bn.mediate(panel_of(late(**TWO)), GROUPED, ["mediator_1"], missing="impute", path_correlation=True)
