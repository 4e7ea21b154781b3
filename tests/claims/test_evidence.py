"""Reverse Bayes, sceptical posteriors, type S and M, differences: closed forms by independent routes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bayes_npp.claims.evidence import (
    MATTHEWS,
    ONE_SIDED,
    difference_evidence,
    normal_posterior,
    reverse_bayes,
    tail_prior_sd,
    type_s_m,
)
from bayes_npp.errors import SpecError
from bayes_npp.estimates import SMALLEST

checked = settings(max_examples=100, deadline=None, derandomize=True)
estimates = st.floats(-50, 50).filter(lambda x: abs(x) > 1e-3)
errors = st.floats(1e-3, 50)


def test_constants_are_the_normal_quantiles():
    assert stats.norm.isf(0.05) == pytest.approx(ONE_SIDED, rel=1e-14)
    assert stats.norm.isf(0.025) == pytest.approx(MATTHEWS, rel=1e-14)


@checked
@given(estimates, errors)
def test_at_the_reverse_bayes_prior_the_posterior_is_just_credible(estimate, se):
    for quantile, level in ((ONE_SIDED, 0.95), (MATTHEWS, 0.975)):
        found = reverse_bayes(estimate, se, quantile)
        assert found.credible == (abs(estimate) / se > quantile * (1 + 1e-9))
        if found.credible:
            at = normal_posterior(abs(estimate), se, found.prior_sd)
            assert at.prob_positive == pytest.approx(level, abs=1e-9)
            assert found.limit == pytest.approx(1.96 * found.prior_sd, rel=2e-5)
        else:
            assert math.isnan(found.prior_sd)
            assert normal_posterior(abs(estimate), se).prob_positive <= level + 1e-9


def test_the_scepticism_limit_is_matthews_own_formula():
    """(U - L)^2 / (4 sqrt(U L)) of the 95 % interval: Matthews (2001), equation 3 on the log odds scale."""
    estimate, se = 0.92, 0.31
    lo, hi = stats.norm.interval(0.95, estimate, se)
    assert reverse_bayes(estimate, se, MATTHEWS).limit == pytest.approx((hi - lo) ** 2 / (4 * math.sqrt(lo * hi)))


@checked
@given(estimates, errors, st.floats(1.001, 3))
def test_a_larger_standard_error_asks_for_a_wider_prior(estimate, se, factor):
    narrow, wide = reverse_bayes(estimate, se), reverse_bayes(estimate, se * factor)
    assert narrow.credible or not wide.credible
    if wide.credible:
        assert wide.prior_sd > narrow.prior_sd
    for sd in (0.5, math.inf):
        near, far = (normal_posterior(abs(estimate), s, sd).prob_positive for s in (se, se * factor))
        assert far <= near


def test_the_limits_of_the_standard_error():
    assert reverse_bayes(0.3, 0.0).prior_sd == 0
    assert not reverse_bayes(0.3, math.inf).credible
    assert not reverse_bayes(0.0, 0.1).credible
    assert not reverse_bayes(0.043, 0.043 / ONE_SIDED).credible  # the very threshold
    assert (normal_posterior(0.3, 0.0, 0.1).mean, normal_posterior(0.3, 0.0, 0.1).prob_positive) == (0.3, 1 - SMALLEST)
    assert (normal_posterior(0.3, math.inf, 0.1).mean, normal_posterior(0.3, math.inf, 0.1).sd) == (0.0, 0.1)
    assert normal_posterior(0.3, math.inf).prob_positive == 0.5


def test_the_posterior_is_bayes_rule_on_a_grid():
    estimate, se, prior_sd = 0.21, 0.08, 0.13
    grid = np.linspace(-3, 3, 200_001)
    density = stats.norm.pdf(grid, 0, prior_sd) * stats.norm.pdf(estimate, grid, se)
    density /= integrate.trapezoid(density, grid)
    found = normal_posterior(estimate, se, prior_sd)
    assert found.mean == pytest.approx(integrate.trapezoid(grid * density, grid), abs=1e-8)
    assert found.prob_positive == pytest.approx(integrate.trapezoid(density[grid >= 0], grid[grid >= 0]), abs=1e-4)
    assert stats.norm(found.mean, found.sd).interval(0.95) == pytest.approx((found.lo, found.hi))


def test_a_sceptic_gives_the_printed_effect_its_probability():
    for tail in (0.16, 0.05, 0.01):
        assert stats.norm.sf(0.3, 0, tail_prior_sd(-0.3, tail)) == pytest.approx(tail)


# Gelman and Carlin (2014): printed by their retrodesign() for the two examples of the paper; their exaggeration is
# simulated from 10,000 draws (76.8 and 9.57), the rest exact.
@pytest.mark.parametrize(
    ("effect", "se", "power", "type_s", "type_m", "error"),
    [(0.1, 3.28, 0.05010648, 0.4644228, 76.83, 1.5), (2, 8.1, 0.05701294, 0.2396177, 9.57, 0.15)],
)
def test_type_s_and_m_of_gelman_and_carlin(effect, se, power, type_s, type_m, error):
    found = type_s_m(effect, se)
    assert found.power == pytest.approx(power, abs=1e-7)
    assert found.type_s == pytest.approx(type_s, abs=1e-6)
    assert found.type_m == pytest.approx(type_m, abs=error)


def test_a_power_of_six_percent():
    """An effect of 0.3 standard errors: one significant sign in five is wrong, the effect looks 8 times as large."""
    found = type_s_m(0.3, 1.0)
    assert (round(found.power, 2), round(found.type_s, 2), round(found.type_m)) == (0.06, 0.2, 8)


@pytest.mark.parametrize(("size", "alpha"), [(0.25, 0.05), (1.0, 0.05), (2.8, 0.01)])
def test_type_s_and_m_by_simulation(size, alpha):
    draws = np.random.default_rng(5).normal(-size, 1, 2_000_000)
    significant = draws[np.abs(draws) > stats.norm.isf(alpha / 2)]
    found = type_s_m(-size * 0.1, 0.1, alpha)
    assert found.power == pytest.approx(len(significant) / len(draws), abs=2e-3)
    assert found.type_s == pytest.approx(np.mean(significant > 0), abs=5e-3)
    assert found.type_m == pytest.approx(np.abs(significant).mean() / size, rel=5e-3)


@checked
@given(errors, st.floats(1.001, 5))
def test_noise_raises_every_risk(se, factor):
    good, bad = type_s_m(1.0, se), type_s_m(1.0, se * factor)
    assert bad.power <= good.power + 1e-12
    assert bad.type_s >= good.type_s - 1e-12
    assert bad.type_m >= good.type_m - 1e-9
    assert good.type_m >= 1


def test_no_effect_and_no_noise():
    for found in (type_s_m(0.0, 1.0, 0.05), type_s_m(1.0, math.inf, 0.05)):
        assert (found.power, found.type_s, found.type_m) == (0.05, 0.5, math.inf)
    assert type_s_m(1.0, 0.0) == type_s_m(-1.0, 0.0)
    certain = type_s_m(1.0, 0.0)
    assert (certain.power, certain.type_s, certain.type_m) == (1 - SMALLEST, SMALLEST, 1.0)


def test_a_difference_by_simulation_and_its_p_value():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.2, 0.08, 1_000_000), rng.normal(0.05, 0.06, 1_000_000)
    found = difference_evidence(0.2, 0.05, 0.08, 0.06)
    assert found.probability == pytest.approx(np.mean(first > second), abs=2e-3)
    assert found.se == pytest.approx(0.1)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(1.5))
    assert difference_evidence(0.1, 0.2, 0, 0).probability == SMALLEST
    assert difference_evidence(0.1, 0.2, 0, math.inf).probability == 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: reverse_bayes(0.1, -0.1),
        lambda: reverse_bayes(math.nan, 0.1),
        lambda: reverse_bayes(0.1, 0.1, 0.0),
        lambda: normal_posterior(0.1, 0.1, 0.0),
        lambda: type_s_m(0.1, 0.1, 1.0),
        lambda: type_s_m(0.1, math.nan),
        lambda: difference_evidence(0.1, 0.1, 0.1, -1),
        lambda: tail_prior_sd(0.1, 0.5),
    ],
)
def test_impossible_numbers_are_one_clear_error(call):
    with pytest.raises(SpecError):
        call()
