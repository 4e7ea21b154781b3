"""Convergence of chains: the numbers are ArviZ's, of all scalars at once."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayes_npp.bayesian.fitting.diagnostics import TAILS, ranked

AXES = {"chain_axis": 0, "draw_axis": 1}


@pytest.mark.parametrize("shape", [(4, 200, 6), (2, 101, 3), (3, 51, 1), (1, 80, 2)])
def test_effective_sizes_and_r_hat_are_those_of_arviz(shape):
    draws = np.random.default_rng(20).standard_normal(shape)
    for t in range(1, shape[1]):
        draws[:, t] += 0.7 * draws[:, t - 1]
    draws[0] += 0.3  # chains that do not agree
    draws[..., 0] = np.round(draws[..., 0], 1)  # ties
    bulk, tail, r_hat = ranked(draws)
    np.testing.assert_array_equal(bulk, array_stats.ess(draws, **AXES, method="bulk"))
    np.testing.assert_array_equal(tail, array_stats.ess(draws, **AXES, method="tail", prob=TAILS))
    np.testing.assert_array_equal(r_hat, array_stats.rhat(draws, **AXES))
