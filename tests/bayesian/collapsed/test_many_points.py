"""Points side by side against the same points one by one, and against dense algebra through the log density."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.many_points import LANES, fill_points
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

PRIORS = load_priors("weakly_informative")
KEPT = PriorSpec(family="student_t", nu=3.0, mu=0.0, sigma=1.0, reason="Has no closed form: stays in theta.")
MODELS = {
    "one scale": ({}, {}),
    "no effects of units": ({"unit_effects": "none"}, {}),
    "fixed effects of units": ({"unit_effects": "fixed"}, {}),
    "fixed effects of both": ({"unit_effects": "fixed", "time_effects": "fixed"}, {}),
    "slopes of units": ({"slopes": "unit"}, {}),
    "AR(1)": ({"errors": "ar1"}, {}),
    "scales of units": ({"errors": "ar1+unit_scale"}, {}),
    "controls in theta": ({}, {"controls": KEPT}),
    "controls in theta, AR(1)": ({"errors": "ar1"}, {"controls": KEPT}),
}


def posterior(panel, spec, options, priors):
    own = bn.Spec(**{**spec.model_dump(), **options})
    return collapse(prepare(build_design(panel, own)), PRIORS.replaced(**priors))


def some_thetas(collapsed, count):
    return collapsed.start + 0.5 * np.random.default_rng(3).standard_normal((count, collapsed.size))


@pytest.mark.parametrize("count", [1, LANES, 3 * LANES + 2])
@pytest.mark.parametrize("model", MODELS)
def test_points_side_by_side_are_those_one_by_one(model, count, unbalanced, grouped_spec):
    collapsed = posterior(unbalanced, grouped_spec, *MODELS[model])
    thetas = some_thetas(collapsed, count)
    shape = (count, len(collapsed.prior_means))
    means, alone = np.full(shape, np.nan), np.empty(shape)
    log_likelihood, likelihood_alone = np.full(count, np.nan), np.empty(count)
    fill_points(thetas, collapsed.packed, means, log_likelihood)
    kernel.draw_coefficients(thetas, np.zeros(shape), collapsed.packed, alone, likelihood_alone)
    np.testing.assert_allclose(means, alone, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(log_likelihood, likelihood_alone, rtol=1e-11)
    by_gradient = [collapsed.log_density(theta, likelihood_only=True)[0] for theta in thetas]
    np.testing.assert_allclose(log_likelihood + collapsed.constant, by_gradient, rtol=1e-11)


def test_a_point_without_a_density_spoils_no_other(unbalanced, grouped_spec):
    collapsed = posterior(unbalanced, grouped_spec, {}, {})
    thetas = some_thetas(collapsed, 2 * LANES)
    before = collapsed.log_likelihoods(thetas)
    thetas[1] = np.nan
    after = collapsed.log_likelihoods(thetas)
    assert np.isnan(after[1])
    np.testing.assert_array_equal(np.delete(after, 1), np.delete(before, 1))
