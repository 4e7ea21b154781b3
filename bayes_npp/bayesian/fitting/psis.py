"""Importance weights of posterior draws, Pareto-smoothed (PSIS), and the k that says how far they can be trusted.

References
----------
Vehtari, Gelman & Gabry (2017), Statistics and Computing: leave-one-out cross-validation from smoothed weights.
Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research: the weights and their k.
"""

import numpy as np
from scipy.special import logsumexp

BAD_K = 0.7  # above it an importance-sampling estimate is unreliable
MAX_K_HAT = 0.5  # below it averages under the weights have finite variance


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Log weights (S,) of draws of one density as draws of another, up to a constant, and their Pareto k.

    Parameters
    ----------
    log_ratio : ndarray, shape (S,)
        Log density of the other less that of the draws' own.
    """
    from arviz_stats.base import array_stats

    log_weights, k_hat = array_stats.psislw(-log_ratio)  # it takes log likelihoods, whose inverse is the weight
    return np.asarray(log_weights), float(k_hat)


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Weights that sum to one, from their logs up to a constant."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


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
    """
    from arviz_stats.base import array_stats

    log_weights, k_hat = array_stats.psislw(log_density, axis=0)
    return np.moveaxis(log_weights, -1, 0), np.asarray(k_hat, dtype=float)


def expected(log_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive densities of m held-out parts and their k, from densities (S, m) at posterior draws."""
    log_weights, k_hat = importance(log_density)
    return logsumexp(log_weights + log_density, axis=0), k_hat
