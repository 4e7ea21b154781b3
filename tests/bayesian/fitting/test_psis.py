"""Smoothed importance weights: a density that the draws have not, held-out parts in closed form."""

import numpy as np
import pytest
from scipy import stats

from bayes_npp.bayesian.fitting.psis import BAD_K, expected, importance, normalised, smoothed


def test_draws_of_one_normal_stand_for_another():
    draws = np.random.default_rng(1).standard_normal(40_000)
    log_weights, k_hat = smoothed(stats.norm.logpdf(draws, 0.5, 0.9) - stats.norm.logpdf(draws))
    weights = normalised(log_weights)
    assert weights.sum() == pytest.approx(1)
    assert k_hat < 0.5
    assert weights @ draws == pytest.approx(0.5, abs=0.02)
    assert weights @ draws**2 == pytest.approx(0.25 + 0.81, abs=0.05)
    assert smoothed(stats.norm.logpdf(draws, 0, 3.0) - stats.norm.logpdf(draws))[1] > BAD_K


def test_a_row_held_out_has_the_density_given_the_others():
    """Normal rows of known SD, flat prior of their mean: the others' predictive density is normal."""
    random = np.random.default_rng(2)
    rows = random.standard_normal(12)
    draws = rows.mean() + random.standard_normal(40_000) / np.sqrt(12)
    log_density = stats.norm.logpdf(rows, draws[:, None])
    others = (rows.sum() - rows) / 11
    found, k_hat = expected(log_density)
    np.testing.assert_allclose(found, stats.norm.logpdf(rows, others, np.sqrt(1 + 1 / 11)), atol=0.02)
    assert (k_hat < BAD_K).all()
    log_weights, _ = importance(log_density)
    assert log_weights.shape == log_density.shape
    np.testing.assert_allclose(np.exp(log_weights).sum(axis=0), 1)


def test_equal_densities_are_equal_weights_without_a_tail():
    """A model without scales has the same density at every draw; beside it the others are smoothed as before."""
    varied = np.random.default_rng(3).standard_normal(500)
    both = np.column_stack([np.full(500, -2.0), varied])
    log_weights, k_hat = importance(both)
    np.testing.assert_allclose(np.exp(log_weights[:, 0]), 1 / 500)
    assert k_hat[0] == 0
    alone, k_alone = importance(varied[:, None])
    np.testing.assert_array_equal(log_weights[:, 1], alone[:, 0])
    assert k_hat[1] == k_alone[0]
    assert smoothed(np.full(500, 7.0))[1] == 0
    unknown = np.full((500, 1), np.nan)
    assert not np.isfinite(importance(unknown)[0]).any()  # never uniform weights of no number


@pytest.mark.parametrize(("seed", "draws"), [(8, 400), (31, 200)])
def test_a_tail_too_heavy_to_smooth_keeps_its_raw_weights_and_says_so(seed, draws):
    """Ratios that fall faster and faster: their differences are below what floating point divides by."""
    log_density = -np.random.default_rng(seed).exponential(1, draws) * np.arange(draws)
    log_weights, k_hat = importance(log_density[:, None])
    assert np.isfinite(log_weights).all()
    np.testing.assert_allclose(np.exp(log_weights).sum(), 1)
    assert np.argmax(log_weights) == np.argmin(log_density)
    assert k_hat[0] == np.inf
