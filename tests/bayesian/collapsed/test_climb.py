"""Compiled climbs: where they end against scipy's BFGS, and what they say where there is no density."""

import numpy as np
import pytest
from numba import carray, cfunc, types
from scipy import optimize

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.climb import FLAT, climb
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.kernel import REALS
from bayes_npp.bayesian.fitting.modes import dispersed
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design


@cfunc(types.int64(types.uint64, REALS, REALS, REALS, REALS))
def valley(size, z, gradient, value, packed):
    """Less Rosenbrock's function; no density beyond a first element of three."""
    x, g, out = carray(z, (size,)), carray(gradient, (size,)), carray(value, (1,))
    if x[0] > 3.0:
        out[0] = np.nan
        return 4
    out[0] = -((1.0 - x[0]) ** 2) - 100.0 * (x[1] - x[0] ** 2) ** 2
    g[0] = 2.0 * (1.0 - x[0]) + 400.0 * x[0] * (x[1] - x[0] ** 2)
    g[1] = -200.0 * (x[1] - x[0] ** 2)
    return 0


@pytest.mark.parametrize("start", [(-1.2, 1.0), (2.9, -40.0), (0.0, 0.0)])
def test_a_curved_valley(start):
    theta, gradient = np.array(start), np.empty(2)
    value = climb(valley, theta, np.zeros(1), gradient)
    np.testing.assert_allclose(theta, 1.0, atol=1e-3)
    assert value == pytest.approx(0.0, abs=1e-6)
    assert np.abs(gradient).max() <= FLAT


def test_no_density_at_the_start():
    theta = np.array([4.0, 0.0])
    assert np.isnan(climb(valley, theta, np.zeros(1), np.empty(2)))
    np.testing.assert_array_equal(theta, [4.0, 0.0])


@pytest.mark.parametrize("errors", ["iid", "ar1", "factor"])
def test_climbs_of_a_posterior_end_where_those_of_scipy_do(errors, unbalanced, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": errors})
    collapsed = collapse(prepare(build_design(unbalanced, spec)), load_priors("weakly_informative"))

    def downhill(theta):
        value, gradient = collapsed.log_density(theta)
        return -value, -gradient

    ends = []
    for start in dispersed(collapsed):
        theta, value, slope = collapsed.climb(start)
        own, gradient = collapsed.log_density(theta)
        assert value == pytest.approx(own, abs=1e-9)
        assert slope == pytest.approx(np.abs(gradient).max(), abs=1e-9)
        found = optimize.minimize(downhill, start, jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 500})
        ends.append((value, -found.fun))
    ours, theirs = np.array(ends).T
    assert ours.max() == pytest.approx(theirs.max(), abs=1e-6)
    if errors != "factor":  # a factor's density has more than one peak
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
