"""What the projection of columns with slopes takes from units and periods, draw by draw: what is stored of a draw.

The model's columns with slopes are residuals in the metric of the errors (`loadings`); stored slopes act on two-way
residuals, and what lies between the two is stored as shifts of units and periods and in the loadings.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from bayes_npp.bayesian.model.error_models import memory_of
from bayes_npp.bayesian.model.likelihood import error_sds
from bayes_npp.bayesian.model.loadings import PART
from bayes_npp.bayesian.model.terms import ModelData

RIDGE = 1e-13  # of the periods' system, where a period is identified by nothing


def stored(
    parameters: dict[str, np.ndarray], data: ModelData, sloped: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Parameters as the posterior stores them, from parameters as the prior means them.

    Parameters
    ----------
    parameters : dict of ndarray
        With `loading` and other coefficients of units on columns of time as deviations, and `loading_between`.
    sloped : sequence of (columns (n, k), coefficients (S, k))

    Returns
    -------
    dict of ndarray
        With all that a unit has of each column of time, `unit_shift` (S, N) and `time_shift` (S, T).
    """
    design = data.design
    n_units, n_times = len(design.units), len(design.times)
    columns = np.hstack([own for own, _ in sloped])
    slopes = np.hstack([own for _, own in sloped])
    x, present = np.zeros((n_units, n_times, columns.shape[1])), np.zeros((n_units, n_times), dtype=bool)
    x[design.unit, design.time] = columns
    present[design.unit, design.time] = True
    names = [column.variable for column in data.time_columns]
    known = np.array([np.ones(n_times), *(column.values for column in data.time_columns)])
    pooled = [j for j, column in enumerate(data.time_columns, start=1) if column.scale]
    n_factors = parameters["factor"].shape[1] if "factor" in parameters else 0
    pooled += list(range(len(known), len(known) + n_factors))
    unit_shift, time_shift = np.empty((len(slopes), n_units)), np.empty((len(slopes), n_times))
    moved = {name: parameters[name].copy() for name in (*names, "loading") if name in parameters}
    for s, precision in enumerate(_precisions(parameters, data)):
        b = known if not n_factors else np.vstack([known, parameters["factor"][s]])
        period, own, mean, free = project(x, present, precision, b.T)
        shift = -own @ slopes[s]
        part = parameters[PART][s].reshape(len(pooled), len(pooled), slopes.shape[1])
        for i, to in enumerate(pooled):
            for j, k in enumerate(pooled):
                shift[free, to] += (own[free, k] - mean[k]) @ part[i, j]
        unit_shift[s], time_shift[s] = shift[:, 0], -period @ slopes[s]
        for j, name in enumerate(names, start=1):
            moved[name][s] += shift[:, j]
        for k in range(n_factors):
            moved["loading"][s, k] += shift[:, len(known) + k]
    return {**parameters, **moved, "unit_shift": unit_shift, "time_shift": time_shift}


def project(
    x: np.ndarray, present: np.ndarray, precision: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Joint projection of columns on units, periods and unit x columns of time, in the metric of the errors.

    Parameters
    ----------
    x : ndarray, shape (N, T, K)
    present : ndarray of bool, shape (N, T)
    precision : ndarray, shape (N, T, T)
        Of the errors of each unit, zero where it has no row.
    b : ndarray, shape (T, q)
        Columns of time, the constant first.

    Returns
    -------
    period : (T, K);  own : (N, q, K) coefficients of units;  mean : (q, K) of `free` units
    free : ndarray of bool, shape (N,)
        Units with more rows than coefficients.
    """
    q = b.shape[1]
    free = present.sum(axis=1) > q
    weighted = precision[free] @ b
    gain = np.linalg.solve(b.T @ weighted, np.swapaxes(weighted, 1, 2))
    left = precision[free] - weighted @ gain
    gram = left.sum(axis=0)
    size = np.trace(gram) / len(b)
    gram += size * ((b / (b**2).sum(axis=0)) @ b.T) + (RIDGE * size + (size == 0)) * np.eye(len(b))
    period = np.linalg.solve(gram, (left @ x[free]).sum(axis=0))
    own = np.empty((len(x), q, x.shape[2]))
    own[free] = gain @ (x[free] - period)
    for i in np.flatnonzero(~free):
        own[i] = np.linalg.pinv(b[present[i]]) @ (x[i] - period)[present[i]]
    mean = own[free].mean(axis=0) if free.any() else np.zeros(own.shape[1:])
    return period, own, mean, free


def _precisions(parameters: dict[str, np.ndarray], data: ModelData) -> Iterator[np.ndarray]:
    """Precision of every unit's errors on the grid of periods, shape (N, T, T), for each draw."""
    design, memory = data.design, memory_of(data.design.spec.errors)
    n_draws = len(parameters["intercept"])
    sds = np.broadcast_to(error_sds(parameters, data), (n_draws, design.n_obs))
    later = np.flatnonzero(data.gaps > 0)
    share, variance = np.zeros((n_draws, len(later))), np.ones((n_draws, design.n_obs))
    if memory is not None:
        share, variance = memory.rows(parameters, data)
    for s in range(n_draws):
        root = np.zeros((len(design.units), len(design.times), len(design.times)))
        weight = 1 / (sds[s] * np.sqrt(variance[s]))
        root[design.unit, design.time, design.time] = weight
        root[design.unit[later], design.time[later], design.time[later - 1]] = -share[s] * weight[later]
        yield np.swapaxes(root, 1, 2) @ root
