"""Restricted maximum likelihood through the collapsed density: flat fixed effects, no prior on scales.

An oracle more than an estimator: the maximiser is lme4's REML fit, its conditional means the BLUPs.
"""

from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.collapsed import Collapsed, collapse
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.errors import DesignError


@dataclass(frozen=True)
class Reml:
    """REML estimates on the standardised scale.

    Attributes
    ----------
    data : ModelData
    log_likelihood : float
        The restricted log likelihood at its maximum.
    values : dict of float
        Scales, correlation, autocorrelation.
    mean, sd : dict
        Of the coefficients given the scales: estimates with standard errors; BLUPs with conditional SDs given the fixed
        coefficients too (lme4's `condVar`).
    unit_sd : ndarray, shape (N, q)
        The same conditional SDs of the effects of units.
    """

    data: ModelData
    log_likelihood: float
    values: dict[str, float]
    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    unit_sd: np.ndarray


def maximise(data: ModelData) -> Reml:
    """Maximise the restricted likelihood of a model with normal errors.

    Raises
    ------
    DesignError
        The optimiser found no maximum.

    References
    ----------
    Patterson & Thompson (1971), Biometrika.
    Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software: lme4.
    """
    from scipy import optimize

    flat = PriorSpec(family="flat", reason="restricted maximum likelihood")
    priors = load_priors("weakly_informative").replaced(exposure=flat, controls=flat)
    collapsed = collapse(data, priors)
    collapsed = _with_flat_level(collapsed)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = collapsed.log_density(theta, likelihood_only=True)
        return -value, -gradient

    start = np.full(collapsed.size, -0.5)
    found = optimize.minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 500})
    theta = found.x
    for _ in range(3):  # Newton's method from there, its Hessian by differences of the analytic gradient
        step = 1e-5 * np.eye(len(theta))
        hessian = np.array([(objective(theta + s)[1] - objective(theta - s)[1]) / 2e-5 for s in step])
        theta = theta - np.linalg.solve((hessian + hessian.T) / 2, objective(theta)[1])
    value, gradient = objective(theta)
    if not np.isfinite(value) or np.abs(gradient).max() > 1e-5:
        raise DesignError("the restricted likelihood has no maximum inside its bounds", fix="Simplify the model")
    mean, sd, unit_sd = _conditional(collapsed, theta)
    values = {name: float(array[0]) for name, array in collapsed.constrained(theta[None]).items() if array.ndim == 1}
    return Reml(data, -value, values, mean, sd, unit_sd)


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
    """Means and SDs of all coefficients given theta, from the exact draws at chosen normals instead of random ones."""
    p = len(collapsed.prior_means)
    normals = np.vstack([np.zeros(p), np.eye(p)])
    thetas = np.ascontiguousarray(np.tile(theta, (p + 1, 1)))
    drawn, log_likelihood = np.empty((p + 1, p)), np.empty(p + 1)
    kernel.draw_coefficients(thetas, normals, collapsed.packed, drawn, log_likelihood)
    centre, directions = drawn[0], drawn[1:] - drawn[0]
    covariance = directions.T @ directions
    chance = np.flatnonzero(collapsed.layout.column_scale >= 0)  # of random effects, such as those of periods
    given_fixed = np.linalg.inv(np.linalg.inv(covariance)[np.ix_(chance, chance)])
    covariance[np.ix_(chance, chance)] = given_fixed
    means: dict[str, np.ndarray] = {}
    spreads: dict[str, np.ndarray] = {}
    at = 0
    for term in collapsed.columns:
        block = slice(at, at + term.width)
        basis = np.eye(term.width) if term.basis is None else term.basis
        means[term.variable] = np.squeeze(basis @ centre[block])
        spreads[term.variable] = np.squeeze(np.sqrt(np.diag(basis @ covariance[block, block] @ basis.T)))
        at += term.width
    n_units, _, q, _ = collapsed.unit_cross.shape
    effects = np.empty((q + 1, n_units, q))
    units = (collapsed.unit_cross, collapsed.unit_gram, np.zeros(n_units, dtype=np.int64))
    unit_normals = np.zeros((q + 1, n_units, q))
    for j in range(q):
        unit_normals[j + 1, :, j] = 1.0
    same = np.ascontiguousarray(np.tile(centre, (q + 1, 1)))
    kernel.draw_unit_effects(thetas[: q + 1], same, unit_normals, *units, collapsed.packed, effects)
    moved = np.empty((len(chance), n_units, q))  # how the mean of a unit's effects follows the other random effects
    shifted = np.ascontiguousarray(centre + np.eye(p)[chance])
    kernel.draw_unit_effects(thetas[: len(chance)], shifted, np.zeros_like(moved), *units, collapsed.packed, moved)
    moved -= effects[0]
    for j, term in enumerate(collapsed.effects):
        means[term.variable] = effects[0, :, j]
    variance = ((effects[1:] - effects[0]) ** 2).sum(axis=0) + np.einsum("aiq,ab,biq->iq", moved, given_fixed, moved)
    return means, spreads, np.sqrt(variance)
