"""Student-t errors, sampled: against the collapsed normal model and integration on a grid, and for what they are for.

The full model's density with t errors is checked row by row in test_full_equals_collapsed; here the posterior is.
"""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from numpy.polynomial.legendre import leggauss
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from tests.bands import normal_band

FACTOR = 4.0  # Monte Carlo standard errors


def prior(family, **parameters):
    return PriorSpec(family=family, **parameters, reason="a test")


def standard_errors(draws):
    """Monte Carlo standard errors of the mean and of the SD of draws (chain, draw)."""
    return np.array(
        [float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=method)) for method in ("mean", "sd")]
    )


def moments(draws):
    return np.array([draws.mean(), draws.std(ddof=1)])


@pytest.mark.slow
def test_many_degrees_of_freedom_are_normal_errors(unbalanced, grouped_spec, seed):
    """With the degrees at a million, every slope and scale has the posterior of the collapsed normal model."""
    design = {
        errors: build_design(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "errors": errors}))
        for errors in ("iid", "student_t")
    }
    priors = load_priors("weakly_informative").replaced(degrees=prior("log_normal", mu=np.log(1e6), sigma=0.1))
    normal = fit_design(design["iid"], priors, make_sampler("collapsed", 2000, 4, seed + 17), "collapsed")
    student = fit_design(design["student_t"], priors, make_sampler("nuts", 1500, 4, seed + 18), "nuts")
    assert normal.diagnostics.passed
    assert student.diagnostics.divergences == 0
    assert student.values("degrees").min() > 1e5
    compared, far = 0, []
    names = ("group_slope", "exposure_slope", "control_slope", "slope_sd", "unit_sd", "time_sd", "error_sd")
    for name in names:
        ours, theirs = (fit.tree["posterior"][name].to_numpy() for fit in (normal, student))
        columns = zip(*(a.reshape(*a.shape[:2], -1).transpose(2, 0, 1) for a in (ours, theirs)), strict=True)
        for j, (one, other) in enumerate(columns):
            ratio = abs(moments(one) - moments(other)) / np.hypot(standard_errors(one), standard_errors(other))
            far += [(name, j, ratio)] if (ratio > normal_band(20)).any() else []
            compared += 1
    assert compared == 10
    assert not far, far


TAILS = {"degrees": (2.0, 0.5), "exposure": (0.2, 0.7), "intercept": (0.1, 0.9), "error_sd": 0.8}


def on_a_grid(y, x, nodes):
    """Posterior mean and SD of (intercept, slope, error SD, degrees) by Gauss-Legendre integration over all four.

    Priors and likelihood are scipy's; the error SD and the degrees are integrated on the log scale.
    """
    bounds = [(-0.42, 0.46), (-0.3, 0.62), (np.log(0.05), np.log(1.3)), (np.log(0.3), np.log(20.0))]
    points, weights = leggauss(nodes)
    axes = [0.5 * (hi - lo) * points + 0.5 * (hi + lo) for lo, hi in bounds]
    intercept, slope = axes[0], axes[1]
    sd, degrees = np.exp(axes[2]), np.exp(axes[3])
    residual = y - intercept[:, None, None] - slope[None, :, None] * x
    log_prior = (
        stats.norm.logpdf(intercept, *TAILS["intercept"])[:, None]
        + stats.norm.logpdf(slope, *TAILS["exposure"])[None, :]
    )
    log = np.empty((nodes,) * 4)
    for k in range(nodes):
        own = stats.halfnorm.logpdf(sd[k], scale=TAILS["error_sd"]) + axes[2][k]
        for m in range(nodes):
            shape = stats.gamma.logpdf(degrees[m], TAILS["degrees"][0], scale=1 / TAILS["degrees"][1]) + axes[3][m]
            rows = stats.t.logpdf(residual / sd[k], degrees[m]) - np.log(sd[k])
            log[:, :, k, m] = log_prior + own + shape + rows.sum(axis=-1)
    mass = np.exp(log - log.max())
    for axis in range(4):
        mass *= weights.reshape([-1 if a == axis else 1 for a in range(4)])
    mass /= mass.sum()
    for axis in range(4):  # the box holds the posterior
        edges = np.moveaxis(mass, axis, 0)[[0, -1]]
        assert edges.sum() < 1e-4
    out = {}
    for name, axis, values in zip(
        ("intercept", "slope", "sd", "degrees"), range(4), (*axes[:2], sd, degrees), strict=True
    ):
        marginal = mass.sum(axis=tuple(a for a in range(4) if a != axis))
        mean = marginal @ values
        out[name] = np.array([mean, np.sqrt(marginal @ (values - mean) ** 2)])
    return out


@pytest.mark.slow(minutes=1)
def test_few_degrees_of_freedom_against_integration_on_a_grid():
    """One slope, no effects, two dozen rows with heavy tails: every parameter's mean and SD."""
    frame = bn.simulate(4, 6, controls=(), confounding=0.0, unit_sd=0.0, time_sd=0.0, seed=3).frame
    frame.loc[[3, 17], "outcome"] += [6.0, -4.0]
    spec = bn.Spec(
        outcome="outcome",
        exposure="exposure",
        unit_effects="none",
        time_effects="none",
        correlated_means=False,
        errors="student_t",
    )
    design = build_design(bn.read_panel(frame, unit="unit", time="time"), spec)
    priors = load_priors("weakly_informative").replaced(
        degrees=prior("gamma", alpha=TAILS["degrees"][0], beta=TAILS["degrees"][1]),
        exposure=prior("normal", mu=TAILS["exposure"][0], sigma=TAILS["exposure"][1]),
        intercept=prior("normal", mu=TAILS["intercept"][0], sigma=TAILS["intercept"][1]),
        error_sd=prior("half_normal", sigma=TAILS["error_sd"]),
    )
    fit = fit_design(design, priors, make_sampler("nuts", 2500, 4, 5), "nuts")
    assert fit.diagnostics.passed, fit.diagnostics.verdict
    y = (frame["outcome"].to_numpy() - design.scales.outcome_mean) / design.scales.outcome_sd
    x = frame["exposure"].to_numpy() / design.scales.divisors["exposure"]
    exact, coarser = (on_a_grid(y, x - x.mean(), nodes) for nodes in (30, 24))
    variables = {"intercept": "intercept", "slope": "exposure_slope", "sd": "error_sd", "degrees": "degrees"}
    for name, variable in variables.items():
        np.testing.assert_allclose(coarser[name], exact[name], rtol=2e-3, atol=1e-4)  # the integral has converged
        draws = fit.tree["posterior"][variable].to_numpy()
        ratio = abs(moments(draws) - exact[name]) / standard_errors(draws)
        assert (ratio < FACTOR).all(), (name, ratio, moments(draws), exact[name])
    # The normal model is elsewhere: were the tails ignored, the comparison above would fail.
    normal = bn.fit(bn.read_panel(frame, unit="unit", time="time"), spec.model_copy(update={"errors": "iid"}), priors)
    assert (
        abs(normal.values("error_sd").mean() - exact["sd"][0])
        > 20 * standard_errors(fit.tree["posterior"]["error_sd"].to_numpy())[0]
    )


@pytest.mark.slow
def test_one_wild_unit_moves_the_slope_less(seed):
    """Errors with four degrees of freedom, and in one unit of twenty-four the slope is -4 in place of 0.3."""
    frame = bn.simulate(24, 8, controls=(), degrees=4.0, seed=seed + 11).frame
    wild = frame["unit"] == frame["unit"].iloc[0]
    frame.loc[wild, "outcome"] -= 4.3 * frame.loc[wild, "exposure"]
    panel = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="outcome", exposure="exposure")
    normal = bn.fit(panel, spec, seed=seed + 3)
    student = bn.fit(panel, spec.model_copy(update={"errors": "student_t"}), seed=seed + 3)
    assert (normal.engine, student.engine) == ("importance", "nuts")
    assert student.diagnostics.passed, student.diagnostics.verdict
    gaps = [abs(fit.values("slope").mean() - 0.3) for fit in (normal, student)]
    assert gaps[1] < 0.5 * gaps[0], gaps
    assert gaps[1] < 3 * student.values("slope").std()
    assert student.values("degrees").mean() < 6
