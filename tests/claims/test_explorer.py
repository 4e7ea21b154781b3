"""What a page stores of a fit answers other priors as a refit does, and some models have nothing to store."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting.refit import refit
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.claims.explorer import DRAWS, stored, why_not_explored
from tests.claims.dense_explorer import dense, differences


def spec_with(grouped_spec, **more):
    return bn.Spec(
        outcome=grouped_spec.outcome,
        exposure=grouped_spec.exposure,
        controls=grouped_spec.controls,
        slopes=grouped_spec.slopes,
        **more,
    )


@pytest.mark.parametrize(
    "errors",
    ["iid", pytest.param("period_scale", marks=pytest.mark.slow), pytest.param("factor", marks=pytest.mark.slow)],
)
def test_other_priors_are_answered_as_by_a_refit(errors, unbalanced, grouped_spec):
    """With scales of periods and with factors too: given them the slopes are normal."""
    fit = bn.fit(unbalanced, spec_with(grouped_spec, errors=errors), draws=500, chains=4, seed=3)
    assert why_not_explored(fit) == ""
    own = stored(errors, fit, errors_fit=True)
    assert len(own.own) == DRAWS
    weights = np.array([1.0, *np.array([1.0, 0.0, 0.0]) @ fit.data.slope_basis])
    for centre, scale, family, spread in ((0.0, 0.3, "half_normal", 0.3), (0.2, 0.5, "exponential", 0.2)):
        probability, mean, k_hat = dense(own, weights, 0.4, 1, (centre, scale, family, spread))
        priors = fit.priors.replaced(
            exposure=PriorSpec(family="normal", mu=centre, sigma=scale, reason="A reader's."),
            slope_sd=differences(family, spread),
        )
        (one,) = refit(fit.collapsed, [priors], Sampler(draws=1000, tune=500, chains=4, target_accept=0.9, seed=5))
        unit = fit.design.scales.outcome_sd / fit.design.scales.divisors["exposure"]
        slope = one.slopes[:, 0] / unit
        error = np.sqrt(0.25 / one.diagnostics.effective + 0.25 / DRAWS)
        assert k_hat < 0.7
        assert probability == pytest.approx((slope > 0.4).mean(), abs=2 * error + 0.01)
        assert mean == pytest.approx(slope.mean(), abs=0.1 * slope.std())


def test_models_whose_slopes_do_not_integrate_out_say_so(unbalanced, grouped_spec):
    fit = bn.fit(unbalanced, spec_with(grouped_spec, slope_pooling="none"), draws=100, chains=2, seed=1)
    assert "not pooled" in why_not_explored(fit)
    fit = bn.fit(
        unbalanced,
        grouped_spec,
        priors={"exposure": {"family": "student_t", "nu": 3, "mu": 0, "sigma": 1}},
        draws=100,
        chains=2,
        seed=1,
    )
    assert "not normal" in why_not_explored(fit)
