"""Restricted maximum likelihood through the collapsed density: flat fixed effects, no prior on scales.

An oracle more than an estimator: the maximiser is lme4's REML fit, its conditional means the BLUPs.
"""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.model.terms import WHOLE, ModelData
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.errors import DesignError, SpecError

# Scales from which the search starts, on theta's scale: .1 and 1 of their prior's. From a single start an optimiser may
# step to a scale of zero, where the likelihood is flat, and stay there.
SMALL, LARGE = -2.2, 0.5
FEW = 4  # scales of which every combination is tried; of more, all small, all large and each one against the others


@dataclass(frozen=True)
class Reml:
    """REML estimates on the standardised scale.

    Attributes
    ----------
    data : ModelData
    log_likelihood : float
        The restricted log likelihood at its maximum.
    values : dict
        Scales, correlation, autocorrelation: numbers, or shape (V,) of the varying controls. A scale of zero is at its
        bound.
    mean, sd : dict
        Of the coefficients given the scales: estimates with standard errors; BLUPs with conditional SDs given the fixed
        coefficients too (lme4's `condVar`). Those of varying controls have a leading axis (V, ...).
    unit_sd : ndarray, shape (N, q)
        The same SDs of the effects of units. Fixed ones sum to zero, and their mean is the intercept.
    """

    data: ModelData
    log_likelihood: float
    values: dict[str, Any]
    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    unit_sd: np.ndarray


def maximise(data: ModelData) -> Reml:
    """Maximise the restricted likelihood of a model with normal errors, from several starts.

    Raises
    ------
    SpecError
        Correlated means: their coefficients have a prior.
    DesignError
        The optimiser found no maximum.

    References
    ----------
    Patterson & Thompson (1971), Biometrika.
    Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software: lme4.
    """
    from scipy import optimize

    if any(effect.rank for effect in data.effects.values()):
        raise SpecError(
            "restricted maximum likelihood has no priors, and coefficients of unit and period means have one",
            fix="Use correlated_means = False",
        )
    flat = PriorSpec(family="flat", reason="restricted maximum likelihood")
    priors = load_priors("weakly_informative").replaced(exposure=flat, controls=flat)
    collapsed = _with_flat_level(collapse(data, priors))

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = collapsed.log_density(theta, likelihood_only=True)
        return -value, -gradient

    options = {"gtol": 1e-9, "maxiter": 500}
    starts = _starts(collapsed)
    found = [optimize.minimize(objective, start, jac=True, method="BFGS", options=options) for start in starts]
    best = min(found, key=lambda result: result.fun if np.isfinite(result.fun) else np.inf)
    theta = _polished(objective, best.x)
    value, gradient = objective(theta)
    if not np.isfinite(value) or np.abs(gradient).max() > 1e-5:
        raise DesignError("the restricted likelihood has no maximum inside its bounds", fix="Simplify the model")
    mean, sd, unit_sd = _conditional(collapsed, theta)
    constrained = collapsed.constrained(theta[None])
    values = {name: float(array[0]) if array.ndim == 1 else array[0] for name, array in constrained.items()}
    return Reml(data, -value, values, mean, sd, unit_sd)


def _starts(collapsed: Collapsed) -> list[np.ndarray]:
    """Every scale small or large, everything else in the middle of its range."""
    scales = np.flatnonzero(collapsed.priors.support == kernel.POSITIVE)
    if len(scales) <= FEW:
        patterns = [np.array(pattern) for pattern in itertools.product((SMALL, LARGE), repeat=len(scales))]
    else:
        one = np.eye(len(scales), dtype=bool)
        patterns = [np.where(large, LARGE, SMALL) for large in (*one, *~one, one.any(axis=0), ~one.any(axis=0))]
    starts = np.zeros((len(patterns), collapsed.size))
    starts[:, scales] = patterns
    return list(starts)


def _polished(objective: Any, theta: np.ndarray) -> np.ndarray:
    """Newton's method from there, its Hessian by differences of the analytic gradient, while it flattens the slope."""
    gradient = objective(theta)[1]
    for _ in range(5):
        step = 1e-5 * np.eye(len(theta))
        hessian = np.array([(objective(theta + s)[1] - objective(theta - s)[1]) / 2e-5 for s in step])
        # A scale at its bound leaves the Hessian singular: no step in that direction.
        moved = theta - np.linalg.lstsq((hessian + hessian.T) / 2, gradient, rcond=1e-10)[0]
        new = objective(moved)[1]
        if not np.abs(new).max() < np.abs(gradient).max():
            break
        theta, gradient = moved, new
    return theta


def _with_flat_level(collapsed: Collapsed) -> Collapsed:
    """The intercept without its prior."""
    names = [term.variable for term in collapsed.columns]
    if "intercept" not in names:
        return collapsed
    at = sum(term.width for term in collapsed.columns[: names.index("intercept")])
    scale = collapsed.layout.column_scale.copy()
    scale[at] = kernel.FLAT_SD
    return replace(collapsed, layout=collapsed.layout._replace(column_scale=scale))


def _conditional(
    collapsed: Collapsed, theta: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Means and SDs of all coefficients given theta.

    Notes
    -----
    Mean m and covariance S of all coefficients, those of units included, come from the exact draws at chosen normals
    instead of random ones. Fixed coefficients F have variance S_FF, random ones R given them
    S_RR - S_RF S_FF^-1 S_FR, which holds for scales of zero too.
    """
    mean, covariance = _joint(collapsed, theta)
    layout, p, n_units = collapsed.layout, len(collapsed.prior_means), len(collapsed.unit_cross)
    fixed = np.concatenate([layout.column_scale < 0, np.tile(layout.effect_scale < 0, n_units)])
    across = covariance[np.ix_(~fixed, fixed)]
    covariance[np.ix_(~fixed, ~fixed)] -= across @ np.linalg.solve(covariance[np.ix_(fixed, fixed)], across.T)
    means: dict[str, list[np.ndarray]] = {}
    spreads: dict[str, list[np.ndarray]] = {}

    def add(name: str, chosen: slice | np.ndarray, basis: np.ndarray) -> np.ndarray:
        means.setdefault(name, []).append(np.squeeze(basis @ mean[chosen]))
        variance = np.einsum("ij,jk,ik->i", basis, covariance[chosen][:, chosen], basis)
        spreads.setdefault(name, []).append(np.squeeze(np.sqrt(np.maximum(variance, 0.0))))
        return np.atleast_1d(spreads[name][-1])

    at = 0
    for term in collapsed.columns:
        add(term.variable, slice(at, at + term.width), np.eye(term.width) if term.basis is None else term.basis)
        at += term.width
    unit_sd = np.empty((n_units, len(collapsed.effects)))
    for j, term in enumerate(collapsed.effects):
        own, basis = p + np.arange(n_units) * len(collapsed.effects) + j, np.eye(n_units)
        if term.scale is None:
            add("intercept", own, np.full((1, n_units), 1 / n_units))
            basis = basis - 1 / n_units
        unit_sd[:, j] = add(term.variable, own, basis)
    many = {term.variable for term in (*collapsed.columns, *collapsed.effects) if term.at != WHOLE}
    stacked = [{name: np.stack(v) if name in many else v[0] for name, v in part.items()} for part in (means, spreads)]
    return stacked[0], stacked[1], unit_sd


def _joint(collapsed: Collapsed, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the collapsed coefficients (p,), then of the units' effects (N q,)."""
    p = len(collapsed.prior_means)
    normals = np.vstack([np.zeros(p), np.eye(p)])
    thetas = np.ascontiguousarray(np.tile(theta, (p + 1, 1)))
    drawn, log_likelihood = np.empty((p + 1, p)), np.empty(p + 1)
    kernel.draw_coefficients(thetas, normals, collapsed.packed, drawn, log_likelihood)
    centre, directions = drawn[0], drawn[1:] - drawn[0]
    covariance = directions.T @ directions
    n_units, _, q, _ = collapsed.unit_cross.shape
    if not collapsed.effects:
        return centre, covariance
    own_scales = collapsed.layout.unit_scales != kernel.ABSENT
    scale_of = np.arange(n_units) if own_scales else np.zeros(n_units, dtype=np.int64)
    units = (collapsed.unit_cross, collapsed.unit_gram, scale_of)

    def effects_at(coefficients: np.ndarray, unit_normals: np.ndarray) -> np.ndarray:
        effects = np.empty_like(unit_normals)
        same = np.ascontiguousarray(np.tile(theta, (len(effects), 1)))
        kernel.draw_unit_effects(same, coefficients, unit_normals, *units, collapsed.packed, effects)
        return effects.reshape(len(effects), n_units * q)

    own = np.zeros((q + 1, n_units, q))
    own[1:] = np.eye(q)[:, None, :]
    effects = effects_at(np.ascontiguousarray(np.tile(centre, (q + 1, 1))), own)
    given = (effects[1:] - effects[0]).reshape(q, n_units, q)  # a unit's effects given the other coefficients
    # How the mean of the units' effects follows the other coefficients, (p, N q).
    moved = effects_at(centre + np.eye(p), np.zeros((p, n_units, q))) - effects[0]
    across = covariance @ moved
    whole = moved.T @ across
    blocks = np.einsum("jia,jib->iab", given, given)
    for i, block in enumerate(blocks):
        whole[i * q : (i + 1) * q, i * q : (i + 1) * q] += block
    return np.concatenate([centre, effects[0]]), np.block([[covariance, across], [across.T, whole]])
