"""Composite indices of indicators: min-max scaling; entropy, CRITIC, equal weights; first component. Plain arrays."""

from collections.abc import Sequence

import numpy as np

from bayes_npp.errors import VariableError
from bayes_npp.panels.variation import constant


def min_max(values: np.ndarray, signs: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Scale indicators to [0, 1] over all rows; a negative indicator is turned around.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Without missing values.
    signs : ndarray, shape (k,)
        +1 for a positive indicator (more is better), -1 for a negative one.
    names : sequence of str
        For the message when an indicator is constant.
    """
    if len(values) < 2:
        raise VariableError("no two rows have every indicator", fix="Check which indicators are blank in the window")
    low, high = values.min(axis=0), values.max(axis=0)
    for name, flat in zip(names, constant(values), strict=True):
        if flat:
            raise VariableError(f"indicator '{name}' is constant in the window", fix="Leave it out of the index")
    scaled = (values - low) / (high - low)
    return np.where(signs > 0, scaled, 1 - scaled)


def entropy_weights(scaled: np.ndarray, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Entropy weights of min-max scaled indicators.

    p_ij = (z_ij + shift) / sum_i (z_ij + shift), e_j = -sum_i p_ij ln p_ij / ln n, w_j = (1 - e_j) / sum_k (1 - e_k).
    The shift keeps ln 0 away; it enters the shares only, not the index.

    Returns
    -------
    weights, entropy : ndarray, shape (k,)
    """
    shares = scaled + shift
    shares = shares / shares.sum(axis=0)
    entropy = -(shares * np.log(shares)).sum(axis=0) / np.log(len(scaled))
    divergence = 1 - entropy
    return divergence / divergence.sum(), entropy


def equal_weights(scaled: np.ndarray) -> np.ndarray:
    """1 / k for each of k indicators (n, k)."""
    return np.full(scaled.shape[1], 1 / scaled.shape[1])


def critic_weights(scaled: np.ndarray) -> np.ndarray:
    """CRITIC weights of min-max scaled indicators: much contrast, little in common with the others.

    C_j = s_j sum_k (1 - r_jk), w_j = C_j / sum_k C_k, with s_j the SD (n - 1) and r_jk the correlation of indicators
    (Diakoulaki, Mavrotas & Papayannakis 1995, Computers & Operations Research 22, 763-770).

    Parameters
    ----------
    scaled : ndarray, shape (n, k)

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    VariableError
        Indicators that are all perfectly correlated, so that none adds information.
    """
    correlation = np.atleast_2d(np.corrcoef(scaled, rowvar=False))
    information = scaled.std(axis=0, ddof=1) * (1 - correlation).sum(axis=0)
    if information.sum() < 1e-12:
        raise VariableError(
            "the indicators are perfectly correlated: CRITIC weights do not exist", fix="Use weights of another kind"
        )
    return information / information.sum()


def combine(scaled: np.ndarray, method: str, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An index of min-max scaled indicators (n, k), by "entropy", "critic" or "equal" weights or "pca".

    Returns
    -------
    index : ndarray, shape (n,)
    weights : ndarray, shape (k,)
        Loadings of the first component with "pca".
    entropy : ndarray, shape (k,)
        Not a number without entropy weights.
    """
    entropy = np.full(scaled.shape[1], np.nan)
    match method:
        case "entropy":
            weights, entropy = entropy_weights(scaled, shift)
        case "critic":
            weights = critic_weights(scaled)
        case "equal":
            weights = equal_weights(scaled)
        case _:
            weights = first_component(scaled)
            return component_scores(scaled, weights), weights, entropy
    return scaled @ weights, weights, entropy


def first_component(scaled: np.ndarray) -> np.ndarray:
    """Loadings (unit length) of the first principal component of the correlation matrix, signed to sum positive."""
    standard = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0, ddof=1)
    loadings = np.linalg.svd(standard, full_matrices=False)[2][0]
    return loadings if loadings.sum() >= 0 else -loadings


def component_scores(scaled: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    """Scores of a component of the correlation matrix, shape (n,), mean zero."""
    standard = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0, ddof=1)
    return standard @ loadings
