"""Held-out densities of models in which units load on columns of time, against dense conditional normals."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.restrict import carry, restrict
from bayes_npp.bayesian.comparison.accuracy import leave_future_out, on_all_rows
from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.fitting.psis import importance
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from tests.bayesian import dense
from tests.bayesian.fitting.test_loadings_fit import shared_world, spec_of


@pytest.mark.parametrize(
    ("errors", "changes"),
    [("ar1+factor", {}), ("unit_scale+period_scale", {}), ("factor2", {"exposure_factor": "partial"})],
)
def test_held_out_rows_of_units_that_load_are_the_dense_normal_s(errors, changes):
    """log p(y_row | the others) = log p(y) - log p(y without the row), the columns those of all rows."""
    frame = bn.simulate(9, 9, {"a": 0.6, "b": 0.1}, missing=0.2, seed=8).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", errors=errors, **changes)
    priors = load_priors("weakly_informative")
    collapsed = collapse(prepare(build_design(panel, spec)), priors)
    theta = 0.4 * np.random.default_rng(2).standard_normal(collapsed.size)
    values = {name: draws[0] for name, draws in collapsed.constrained(theta[None]).items()}
    covariance, mean = dense.covariance_and_mean(collapsed.data, priors, values)
    precision = np.linalg.inv(covariance)
    weighted = precision @ (collapsed.data.outcome - mean)
    held_out = HeldOut(collapsed, priors)
    known = np.diagonal(precision)
    expected = 0.5 * (np.log(known) - weighted**2 / known - np.log(2 * np.pi))
    np.testing.assert_allclose(held_out.rows(theta[None])[0], expected, rtol=1e-7, atol=1e-7)
    if "unit_scale" in errors:
        left = collapsed.data.design.unit != 2  # without a unit, whose part of the columns by unit goes with it
        train = collapse(restrict(collapsed.data, np.flatnonzero(left)), priors)
        carried = carry(theta[None], collapsed, train, np.random.default_rng(1))
        marginal = stats.multivariate_normal(mean[left], covariance[np.ix_(left, left)])
        found = train.coefficients(carried, 1, with_units=False)["collapsed_log_likelihood"][0]
        assert found == pytest.approx(marginal.logpdf(collapsed.data.outcome[left]), abs=1e-6)
        return
    for i, label in enumerate(np.unique(collapsed.data.design.unit)):
        own = collapsed.data.design.unit == label
        block = precision[np.ix_(own, own)]
        deviation = np.linalg.solve(block, weighted[own])
        density = stats.multivariate_normal(np.zeros(own.sum()), np.linalg.inv(block)).logpdf(deviation)
        assert held_out.units(theta[None])[0, i] == pytest.approx(density, abs=1e-7)


@pytest.mark.parametrize("errors", ["factor", "ar1+unit_scale+factor"])
def test_draws_of_a_refit_without_a_unit_are_weighted_to_the_model_s_own_rows(errors):
    """The refit projects columns on the rows left; weights are dense densities of these rows, columns those of all."""
    frame = bn.simulate(9, 9, {"a": 0.6, "b": 0.1}, missing=0.2, seed=8).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", errors=errors)
    fit = bn.fit(panel, spec, draws=50, chains=2, seed=1)
    data, priors = fit.data, fit.priors
    rest = np.flatnonzero(data.design.unit != 2)
    train = collapse(restrict(data, rest), priors)
    thetas = fit.thetas[::2]
    refit = train.log_likelihoods(carry(thetas, fit.collapsed, train, np.random.default_rng(1)))
    left, given = np.empty(len(thetas)), np.empty(len(thetas))
    for s, theta in enumerate(thetas):
        values = {name: draws[0] for name, draws in fit.collapsed.constrained(theta[None]).items()}
        covariance, mean = dense.covariance_and_mean(data, priors, values)
        left[s] = stats.multivariate_normal(mean[rest], covariance[np.ix_(rest, rest)]).logpdf(data.outcome[rest])
        given[s] = stats.multivariate_normal(mean, covariance).logpdf(data.outcome) - left[s]
    assert np.ptp(left - refit) > 0.01  # another model's rows, were it not for the weights
    log_weights, k = importance((refit - left)[:, None])
    found = on_all_rows(fit, 2, thetas, refit)
    assert found == pytest.approx((logsumexp(log_weights[:, 0] + given), k[0]), abs=1e-6)


def test_the_future_is_not_scored_where_units_load():
    fit = bn.fit(shared_world(3, n_units=8), spec_of("factor"), draws=50, chains=2, seed=1)
    with pytest.raises(SpecError, match="projected on the periods to be predicted"):
        leave_future_out(fit)
