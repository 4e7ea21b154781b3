"""Importance weights of posterior draws, Pareto-smoothed (PSIS), and the k that says how far they can be trusted.

References
----------
Vehtari, Gelman & Gabry (2017), Statistics and Computing: leave-one-out cross-validation from smoothed weights.
Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research: the weights and their k.
"""

import numpy as np
from scipy.special import logsumexp

BAD_K = 0.7  # above it an importance-sampling estimate is unreliable
FLAT = 1e-9  # log densities that differ by less than this are the same up to rounding
MAX_K_HAT = 0.5  # below it averages under the weights have finite variance


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Log weights (S,) of draws of one density as draws of another, up to a constant, and their Pareto k.

    Parameters
    ----------
    log_ratio : ndarray, shape (S,)
        Log density of the other less that of the draws' own.
    """
    log_weights, k_hat = importance(-log_ratio[:, None])
    return log_weights[:, 0], float(k_hat[0])


def normalised(log_weights: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Weights that sum to one, over everything or along an axis, from their logs up to a constant."""
    weights = np.exp(log_weights - log_weights.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def importance(log_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed weights that take posterior draws to the posterior without what was held out.

    Parameters
    ----------
    log_density : ndarray, shape (S, m)
        Of m held-out parts at S draws; the raw weights are its inverse.

    Returns
    -------
    log_weights : ndarray, shape (S, m)
        They sum to one over the draws.
    k_hat : ndarray, shape (m,)
        0 where the density is the same at every draw (a model without scales): equal weights, and no tail to smooth.
        Infinite where the tail is too heavy for floating point: the raw weights.
    """
    from arviz_stats.base import array_stats

    log_weights = np.full(log_density.shape, -np.log(len(log_density)))
    k_hat = np.zeros(log_density.shape[1])
    varies = ~(np.ptp(log_density, axis=0) <= FLAT)  # what is no number is psislw's to refuse
    if varies.any():
        with np.errstate(over="ignore", invalid="ignore"):  # a tail too heavy to smooth: cut, or no number
            found, k_hat[varies] = array_stats.psislw(log_density[:, varies], axis=0)
        log_weights[:, varies] = np.moveaxis(found, -1, 0)
        lost = np.isfinite(log_density).all(axis=0) & ~np.isfinite(log_weights).all(axis=0)
        log_weights[:, lost] = -log_density[:, lost] - logsumexp(-log_density[:, lost], axis=0)
        k_hat[lost] = np.inf
    return log_weights, k_hat


def expected(log_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive densities of m held-out parts and their k, from densities (S, m) at posterior draws."""
    log_weights, k_hat = importance(log_density)
    return logsumexp(log_weights + log_density, axis=0), k_hat
