"""The slopes' exact likelihood against the collapsed one, and sweeps over priors against sampling."""

from dataclasses import replace

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.slope_likelihood import (
    TAU,
    log_tau_weights,
    slope_likelihood,
    slope_marginal,
    slope_table,
)
from bayes_npp.bayesian.comparison.homogeneity import homogeneity, likelihood_over_grid
from bayes_npp.bayesian.fitting.refit import SHORT, refit
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.sensitivity.sweep import sweep
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import contrasts
from bayes_npp.panels.simulation import simulate

ASKED = [parse_proposition(text) for text in ("average_slope > 0.1", "slope[north] > slope[south]", "slope[mid] < 0.1")]


def fitted(priors="weakly_informative", draws=500, **options):
    frame = simulate(18, 7, {"north": 0.4, "south": 0.1, "mid": 0.15}, seed=5, missing=0.1).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group", **options)
    return bn.fit(panel, spec, priors=priors, draws=draws, seed=1)


@pytest.fixture(scope="module")
def fit():
    return fitted()


@pytest.mark.parametrize("pooling", ["sum_to_zero", "exchangeable"])
@pytest.mark.parametrize(
    "errors",
    ["iid", "ar1", "unit_scale", "ar1+unit_scale", "ar1+period_scale", pytest.param("factor", marks=pytest.mark.slow)],
)
def test_marginal_equals_the_collapsed_likelihood(errors, pooling):
    """At every draw and every SD of the slopes, up to one constant; the prior of the exposure has a mean."""
    fit = fitted("enthusiastic", errors=errors, slope_pooling=pooling)
    thetas = np.ascontiguousarray(fit.thetas[::250])
    at = [element.variable for element in fit.collapsed.elements].index("slope_sd")
    own = slope_marginal(slope_likelihood(fit.collapsed, thetas), fit.priors["exposure"])
    difference = likelihood_over_grid(fit.collapsed, thetas, at) - own
    assert own.shape == (len(thetas), len(TAU))
    assert np.ptp(difference) < 1e-8


def test_drawn_slopes_are_those_of_the_posterior(fit):
    table = slope_table(slope_likelihood(fit.collapsed, fit.thetas), fit.priors["exposure"], seed=3)
    joint = table.log_marginal + log_tau_weights(fit.priors["slope_sd"])
    shares = np.exp(joint - joint.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    common, own = table.drawn[..., 0], fit.values("exposure_slope")
    mean = (shares * common).sum(axis=1).mean()
    error = own.std() / np.sqrt(fit.diagnostics.effective)
    assert mean == pytest.approx(own.mean(), abs=5 * error)
    spread = np.sqrt((shares * (common - mean) ** 2).sum(axis=1).mean())
    assert spread == pytest.approx(own.std(), rel=0.15)


@pytest.mark.parametrize(
    "prior",
    [
        PriorSpec(family="half_normal", sigma=0.5, reason="r"),
        PriorSpec(family="half_normal", sigma=5e-4, reason="r"),
        PriorSpec(family="half_student_t", nu=3.0, sigma=2.5, reason="r"),
        PriorSpec(family="exponential", scale=0.3, reason="r"),
        PriorSpec(family="gamma", alpha=2.0, beta=4.0, reason="r"),
        PriorSpec(family="log_normal", mu=-1.0, sigma=0.5, reason="r"),
    ],
    ids=str,
)
def test_shares_of_the_slopes_sd_are_its_prior(prior):
    shares = np.exp(log_tau_weights(prior))
    assert shares.sum() == pytest.approx(1, abs=2e-3)
    draws = prior.draw(np.random.default_rng(1), (400_000,))
    # Means of a bounded function, so that heavy tails do not matter.
    scale = np.median(draws)
    assert shares @ (TAU / (TAU + scale)) == pytest.approx((draws / (draws + scale)).mean(), abs=3e-3)


def test_a_sweep_equals_sampling(fit):
    """Far from the fit's priors on every axis, and with families that do not integrate out."""
    wide = PriorSpec(family="half_student_t", nu=3.0, sigma=2.0, reason="r")
    tight = PriorSpec(family="half_normal", sigma=0.05, reason="r")
    heavy = PriorSpec(family="student_t", nu=3.0, mu=0.0, sigma=0.2, reason="r")
    box = PriorSpec(family="uniform", lower=-0.5, upper=0.2, reason="r")
    sets = [
        fit.priors,
        fit.priors.replaced(slope_sd=tight, exposure=PriorSpec(family="normal", mu=0.0, sigma=0.1, reason="r")),
        fit.priors.replaced(slope_sd=wide, exposure=PriorSpec(family="flat", reason="r")),
        fit.priors.replaced(exposure=heavy, error_sd=tight),
        load_priors("enthusiastic"),
        load_priors("diffuse"),
        fit.priors.replaced(exposure=box),  # no mixture of normals: sampled with the slope in theta
    ]
    asked = contrasts(ASKED, fit.design)
    found = sweep(fit, sets, asked)
    sampled = refit(fit.collapsed, sets, replace(SHORT, draws=2000, seed=77))
    assert all(one.passed for one in found)
    assert not np.isnan(found[1].k_hat)  # weighted, not sampled
    for own, other in zip(found, sampled, strict=True):
        values = asked.values(other.slopes)
        share = asked.holds(values).mean(axis=1)
        effective = min(other.diagnostics.effective, values.shape[1])
        error = np.hypot(own.mcse, np.sqrt(share * (1 - share) / effective))
        np.testing.assert_array_less(np.abs(own.probability - share), 5 * error + 1e-3)
        np.testing.assert_array_less(np.abs(own.mean - values.mean(axis=1)), 0.2 * values.std(axis=1))
        width = np.ptp(np.quantile(values, [0.025, 0.975], axis=1), axis=0)
        np.testing.assert_allclose(own.hi - own.lo, width, rtol=0.15)


@pytest.mark.parametrize(
    "errors", [pytest.param("unit_scale+factor", marks=pytest.mark.slow(minutes=1)), "period_scale"]
)
def test_a_sweep_where_units_load_on_columns_of_time_equals_sampling(errors):
    """Weighted from one posterior, as of every collapsed model."""
    fit = fitted(errors=errors, draws=1000)
    tight = PriorSpec(family="half_normal", sigma=0.2, reason="r")
    near = PriorSpec(family="normal", mu=0.0, sigma=0.2, reason="r")
    sets = [fit.priors, fit.priors.replaced(slope_sd=tight, exposure=near)]
    asked = contrasts(ASKED, fit.design)
    found = sweep(fit, sets, asked)
    assert not np.isnan(found[1].k_hat)
    for own, other in zip(found, refit(fit.collapsed, sets, replace(SHORT, seed=77)), strict=True):
        assert own.passed
        assert other.diagnostics.passed
        values = asked.values(other.slopes)
        share = asked.holds(values).mean(axis=1)
        error = np.hypot(own.mcse, np.sqrt(share * (1 - share) / other.diagnostics.effective))
        np.testing.assert_array_less(np.abs(own.probability - share), 5 * error + 1e-3)
        np.testing.assert_array_less(np.abs(own.mean - values.mean(axis=1)), 0.2 * values.std(axis=1))


def test_a_sweep_without_pooling_samples():
    fit = fitted(slope_pooling="none")
    asked = contrasts(ASKED, fit.design)
    (found,) = sweep(fit, [fit.priors], asked)
    np.testing.assert_allclose(found.mean, asked.values(fit.slopes).mean(axis=1), atol=0.02)


def test_the_two_routes_of_the_bayes_factor_agree(fit):
    """A prior outside the mixtures takes the route over the grid."""
    near = PriorSpec(family="truncated_normal", mu=0.0, sigma=1.0, lower=-50.0, upper=50.0, reason="r")
    other = fitted(load_priors("weakly_informative").replaced(exposure=near))
    assert np.log(homogeneity(other).factor) == pytest.approx(np.log(homogeneity(fit).factor), abs=0.1)
