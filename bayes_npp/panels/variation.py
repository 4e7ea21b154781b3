"""Whether a column varies: what rounding alone leaves is no variation."""

import numpy as np

ROUNDING = 1e-12  # of the largest magnitude: thousands of units in the last place


def constant(values: np.ndarray, beside: np.ndarray | None = None) -> np.ndarray:
    """Whether columns are constant up to rounding: their range relative to their largest magnitude.

    A ratio of proportional columns differs from row to row in its last digits only; a coefficient of it would be the
    inverse of rounding.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, k)
        Without missing values.
    beside : ndarray, optional
        What the values were computed from, of the same shape, where that is larger: the levels of a difference.

    Returns
    -------
    ndarray of bool, shape () or (k,)
    """
    size = np.abs(values).max(axis=0)
    if beside is not None:
        size = np.maximum(size, np.abs(beside).max(axis=0))
    return np.asarray(np.ptp(values, axis=0) <= ROUNDING * size)
