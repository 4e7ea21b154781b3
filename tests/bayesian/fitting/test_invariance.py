"""Functions of unit plus functions of period, added to outcome, exposure and controls: what they move, and what not.

With slopes by group the exposure gets functions of unit alone: times a group, a function of period is no period effect,
and least squares sees it too.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

COLUMNS = ("outcome", "exposure", "control_1", "control_2")
ROUNDING = 1e-8  # relative: what constants 40 times as large as the variation leave of 16 digits, with room
FAR_IN_A_TAIL = 0.05  # of the log of a Bayes factor: a density at zero, many SDs from the estimate
BESIDE_PRIORS = 0.06  # posterior SDs: partially pooled effects have priors, and these see the constants


@pytest.fixture
def shifted(simulated):
    return with_constants(simulated, COLUMNS)


def with_constants(panel, columns, by_group=True, seed=1):
    """The panel with constants of units and of periods added to columns."""
    frame, random = panel.frame.copy(), np.random.default_rng(seed)
    for name in columns:
        for key, size in (("unit", 20.0), ("time", 5.0)):
            if (name, key) == ("exposure", "time") and by_group:
                continue
            labels = frame[key].unique()
            frame[name] += frame[key].map(dict(zip(labels, size * random.standard_normal(len(labels)), strict=True)))
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.mark.parametrize("slopes", [None, "group"])
@pytest.mark.parametrize("errors", ["classical", "clustered"])
def test_least_squares_does_not_see_them(simulated, grouped_spec, slopes, errors):
    shifted = with_constants(simulated, COLUMNS, by_group=slopes is not None)
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": slopes})
    own, moved = (bn.twfe(panel, spec, errors).frame for panel in (simulated, shifted))
    numbers = ["estimate", "spread", "lo", "hi", "p_value"]
    np.testing.assert_allclose(moved[numbers].to_numpy(float), own[numbers].to_numpy(float), rtol=1e-7, atol=ROUNDING)


@pytest.mark.parametrize(
    "errors", ["iid", "ar1", "unit_scale", "ar1+unit_scale", "period_scale", "factor", "ar1+unit_scale+factor"]
)
def test_with_fixed_effects_the_posterior_does_not_see_them(simulated, shifted, grouped_spec, errors):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": errors, "unit_effects": "fixed", "time_effects": "fixed"})
    priors = load_priors("weakly_informative")
    own, moved = (collapse(prepare(build_design(panel, spec)), priors) for panel in (simulated, shifted))
    thetas = np.random.default_rng(2).normal(0.0, 0.5, (4, own.size))
    level = [one.log_density(thetas[0])[0] for one in (own, moved)]
    for theta in thetas:  # densities up to a constant
        (first, slope), (second, moved_slope) = (one.log_density(theta) for one in (own, moved))
        assert second - level[1] == pytest.approx(first - level[0], rel=ROUNDING, abs=1e-7)
        np.testing.assert_allclose(moved_slope, slope, rtol=1e-6, atol=1e-6)
    slopes = [
        np.column_stack([draws["exposure_slope"], draws["slope_offset"], draws["control_slope"]])
        * (one.data.design.scales.outcome_sd / one.data.design.scales.divisors["exposure"])
        for one in (own, moved)
        for draws in [one.coefficients(thetas, 1, with_units=True)]
    ]
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-7, atol=ROUNDING)


@pytest.mark.parametrize("columns", [COLUMNS, *((name,) for name in COLUMNS[:3])], ids=lambda names: "+".join(names))
@pytest.mark.parametrize("errors", ["iid", "ar1"])
def test_with_partial_effects_the_posterior_hardly_sees_them(unbalanced, grouped_spec, errors, columns):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": errors})
    panels = unbalanced, with_constants(unbalanced, columns)
    own, moved = (bn.fit(panel, spec, engine="importance", seed=1) for panel in panels)
    rows, other = (fit.estimates().frame for fit in (own, moved))
    of_slopes = (rows["term"] == "exposure") & (rows["estimand"] != "coefficient")
    assert of_slopes.sum() > 5
    gap = (other["estimate"] - rows["estimate"]).abs() / rows["spread"]
    assert gap[of_slopes].max() < BESIDE_PRIORS
    ratio = (other["spread"] / rows["spread"])[of_slopes]
    assert ratio.between(0.95, 1.05).all()
    one, other = (homogeneity(fit) for fit in (own, moved))
    assert one.reading == other.reading
    assert np.log(other.factor) == pytest.approx(np.log(one.factor), rel=FAR_IN_A_TAIL, abs=0.1)
