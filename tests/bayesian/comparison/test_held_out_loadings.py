"""Held-out densities of models in which units load on columns of time, against dense conditional normals."""

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.restrict import carry, restrict
from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from tests.bayesian import dense


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
