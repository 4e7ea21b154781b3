"""The collapsed density of both equations against a dense multivariate normal, and its draws against its moments.

The oracle has the covariance of the errors (v, u) themselves and adds every block of coefficients to it; nothing is
subtracted, whitened or eliminated there. `instruments.equations` is tested here too. Tolerance: the same algebra in
another order, 1e-9 relative.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg

from bayes_npp.bayesian.instruments.density import collapse_instruments
from bayes_npp.bayesian.instruments.equations import build_equations, n_scales
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from tests.bayesian import dense
from tests.bayesian.instruments.panels import changed, panel_of, world

CASES = {
    "one slope": ({}, 1, 0.0),
    "groups": ({"slopes": "group"}, 1, 0.0),
    "several instruments": ({"slopes": "group"}, 3, 0.0),
    "exclusion": ({}, 2, 0.3),
    "partial effects": ({"slopes": "group", "unit_effects": "partial", "time_effects": "partial"}, 1, 0.2),
    "mixed effects": ({"unit_effects": "partial"}, 1, 0.0),
    "no effects": ({"unit_effects": "none", "time_effects": "none", "correlated_means": False}, 2, 0.1),
    "no controls": ({"controls": ()}, 1, 0.0),
}


@pytest.fixture(scope="module")
def priors():
    """Means off zero and SDs that differ, so that a prior taken for another shows."""
    normal = {"family": "normal", "reason": "a test"}
    return load_priors("weakly_informative").replaced(
        exposure=PriorSpec(mu=0.4, sigma=0.7, **normal),
        controls=PriorSpec(mu=-0.3, sigma=1.3, **normal),
        intercept=PriorSpec(mu=0.2, sigma=0.8, **normal),
        between=PriorSpec(mu=0.0, sigma=1.7, **normal),
    )


def values_at(collapsed, theta):
    return {name: float(values[0]) for name, values in collapsed.constrained(theta[None]).items()}


def both_blocks(equations, priors, values):
    """Blocks of the first stage and of the outcome's equation."""
    n_instruments, n_controls = len(equations.instruments), len(equations.spec.controls)
    mine = {name.removeprefix("exposure_"): v for name, v in values.items() if name.startswith("exposure_")}
    x, y = equations.exposure, equations.outcome
    if n_instruments > 1:
        first = dense.blocks(replace(x, control_columns=x.control_columns[:, n_instruments:]), priors, mine)
        own = np.eye(n_instruments) * values["first_stage_sd"] ** 2
        first.append(dense.Block({}, x.control_columns[:, :n_instruments], own, np.zeros(n_instruments)))
    else:
        first = dense.blocks(x, priors, mine)
    second = dense.blocks(replace(y, control_columns=y.control_columns[:, :n_controls]), priors, values)
    if equations.exclusion:
        own = np.eye(n_instruments) * equations.exclusion**2
        second.append(dense.Block({}, y.control_columns[:, n_controls:], own, np.zeros(n_instruments)))
    return first, second


def error_covariances(equations, values):
    """Of v, of u, and of v with u, from scales, correlation and each part's own serial correlation."""
    sd_v, sd_u, r = values["exposure_error_sd"], values["error_sd"], values["error_correlation"]
    serial = {"v": values.get("exposure_autocorrelation", 0.0), "e": values.get("autocorrelation", 0.0)}
    one = {
        name: dense.error_covariance(equations.outcome, {"error_sd": 1.0, "autocorrelation": rho})
        for name, rho in serial.items()
    }
    v = sd_v**2 * one["v"]
    u = sd_u**2 * (r**2 * one["v"] + (1 - r**2) * one["e"])
    return v, u, r * sd_v * sd_u * one["v"]


def dense_parts(equations, priors, values):
    """Stacked outcomes, covariance without flat coefficients, flat columns, of (x, y)."""
    v, u, vu = error_covariances(equations, values)
    covariance = np.block([[v, vu], [vu.T, u]])
    n = len(v)
    target = np.concatenate([equations.exposure.outcome, equations.outcome.outcome])
    flat = [np.empty((2 * n, 0))]
    for number, some in enumerate(both_blocks(equations, priors, values)):
        for block in some:
            columns = np.zeros((2 * n, block.columns.shape[1]))
            columns[number * n : (number + 1) * n] = block.columns
            if block.covariance is None:
                flat.append(columns)
            else:
                covariance = covariance + columns @ block.covariance @ columns.T
                target = target - columns @ block.mean
    return target, covariance, np.hstack(flat)


def dense_log_likelihood(equations, priors, values):
    target, covariance, flat = dense_parts(equations, priors, values)
    factor = linalg.cholesky(covariance, lower=True)
    columns, white = (linalg.solve_triangular(factor, part, lower=True) for part in (flat, target))
    gram = columns.T @ columns
    log_gram = np.linalg.slogdet(gram)[1] if len(gram) else 0.0
    if len(gram):
        white = white - columns @ linalg.solve(gram, columns.T @ white, assume_a="pos")
    n = len(target) - len(gram)
    return -np.log(np.diag(factor)).sum() - 0.5 * log_gram - 0.5 * white @ white - 0.5 * n * np.log(2 * np.pi)


def made(case, errors, priors):
    changes, instruments, exclusion = CASES[case]
    frame = world(4, units=9, periods=7, slopes=(0.6, 0.1, -0.2), instruments=instruments, missing=0.25)
    names = tuple(f"z{k + 1}" for k in range(instruments))
    equations = build_equations(panel_of(frame), changed(**changes, errors=errors), names, exclusion)
    return equations, collapse_instruments(equations, priors)


@pytest.mark.parametrize("errors", ["iid", "ar1"])
@pytest.mark.parametrize("case", CASES)
def test_density_is_a_dense_multivariate_normal(case, errors, priors):
    equations, collapsed = made(case, errors, priors)
    assert collapsed.size == n_scales(equations.spec, len(equations.instruments))
    thetas = 0.7 * np.random.default_rng(2).standard_normal((3, collapsed.size))
    found = collapsed.log_likelihoods(thetas)
    for theta, value in zip(thetas, found, strict=True):
        expected = dense_log_likelihood(equations, priors, values_at(collapsed, theta))
        assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("errors", ["iid", "ar1"])
def test_many_units_are_compressed_and_nothing_changes(errors, priors):
    """Balanced panels with more units than their cross-products need."""
    frame = world(4, units=160, periods=3, slopes=(0.6, 0.1))
    spec = changed(slopes="group", errors=errors, unit_effects="partial", time_effects="none", controls=())
    equations = build_equations(panel_of(frame), spec, ("z1",))
    collapsed = collapse_instruments(equations, priors)
    assert len(collapsed.products.unit_cross) < 160
    theta = 0.5 * np.random.default_rng(2).standard_normal((1, collapsed.size))
    expected = dense_log_likelihood(equations, priors, values_at(collapsed, theta[0]))
    assert collapsed.log_likelihoods(theta)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", ["groups", "partial effects"])
def test_slopes_given_theta_are_generalised_least_squares(case, priors):
    """Mean and covariance of the slopes from the dense precision of every coefficient; exact draws have both."""
    equations, collapsed = made(case, "ar1", priors)
    theta = 0.5 * np.random.default_rng(5).standard_normal((1, collapsed.size))
    values = values_at(collapsed, theta[0])
    v, u, vu = error_covariances(equations, values)
    precision = np.linalg.inv(np.block([[v, vu], [vu.T, u]]))
    n, first, second = len(v), *both_blocks(equations, priors, values)
    columns = linalg.block_diag(*(np.hstack([block.columns for block in some]) for some in (first, second)))
    blocks = [*first, *second]
    prior = linalg.block_diag(
        *(np.zeros((b.columns.shape[1],) * 2) if b.covariance is None else np.linalg.inv(b.covariance) for b in blocks)
    )
    means = np.concatenate([block.mean for block in blocks])
    target = np.concatenate([equations.exposure.outcome, equations.outcome.outcome])
    covariance = np.linalg.inv(columns.T @ precision @ columns + prior)
    centre = covariance @ (columns.T @ precision @ target + prior @ means)
    pick, at = np.zeros((3, len(centre))), 0
    for block in blocks:
        if "exposure_slope" in block.variables:
            pick[:, at] = 1.0
        if "slope_offset" in block.variables:
            pick[:, at : at + block.columns.shape[1]] = block.variables["slope_offset"]
        at += block.columns.shape[1]
    mean, spread = collapsed.slopes(theta)
    assert n == equations.design.n_obs
    assert mean[0] == pytest.approx(pick @ centre, rel=1e-8)
    assert spread[0] == pytest.approx(pick @ covariance @ pick.T, rel=1e-7)
    drawn = collapsed.coefficients(np.repeat(theta, 20_000, axis=0), seed=3)
    slopes = drawn["exposure_slope"][:, None] + drawn["slope_offset"]
    assert slopes.mean(axis=0) == pytest.approx(mean[0], abs=5 * np.sqrt(spread[0].diagonal().max() / 20_000))
    assert np.cov(slopes.T) == pytest.approx(spread[0], abs=0.05 * spread[0].max())


def test_prior_of_scales_and_shapes(priors):
    """Log density in theta less the log Jacobian is the declared density of the natural parameters."""
    from scipy import stats

    _, collapsed = made("one slope", "ar1", priors)
    theta = 0.6 * np.random.default_rng(1).standard_normal((4, collapsed.size))
    values = collapsed.constrained(theta)
    declared = stats.halfnorm.logpdf(values["error_sd"]) + stats.halfnorm.logpdf(values["exposure_error_sd"])
    declared = declared - 2 * np.log(2)  # of both serial correlations
    correlation = values["error_correlation"]
    declared = declared - np.log(2) + 1.5 * np.log1p(-(correlation**2))  # uniform, as a density of z
    names = ("exposure_error_sd", "error_sd", "endogeneity", "autocorrelation", "exposure_autocorrelation")
    step, logs = 1e-6, []
    for row in theta:
        ahead, behind = (collapsed.constrained(row + sign * step * np.eye(collapsed.size)) for sign in (1, -1))
        jacobian = np.stack([(ahead[name] - behind[name]) / (2 * step) for name in names])
        logs.append(np.linalg.slogdet(jacobian)[1])
    assert collapsed.log_prior(theta) == pytest.approx(declared + np.array(logs), abs=1e-6)
    assert collapsed.theta_of(values) == pytest.approx(theta, rel=1e-9)


def test_gradient(priors):
    _, collapsed = made("groups", "ar1", priors)
    theta = 0.4 * np.random.default_rng(1).standard_normal(collapsed.size)
    value, gradient = collapsed.log_density(theta)
    step = 1e-4
    for j in range(collapsed.size):
        moved = np.stack([theta + k * step * np.eye(collapsed.size)[j] for k in (2, 1, -1, -2)])
        far, near, back, further = collapsed.evaluate(moved)[0]
        assert gradient[j] == pytest.approx((8 * (near - back) - (far - further)) / (12 * step), abs=1e-4)
    assert value == pytest.approx(collapsed.evaluate(theta[None])[0][0], rel=1e-13)
