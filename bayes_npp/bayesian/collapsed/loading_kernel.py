"""Rows and cross-products at theta of models in which units load on columns of time, compiled.

Notation of docs/statistics.md, section 6. Every unit's rows lie on the grid of all T periods, R_i^-1 zero where it has
none. B (T, q) holds the columns on which units have coefficients: a constant, known columns of time, common factors
f = sqrt(T - 1) h / |h| in the contrasts of time, h in theta. Units are in blocks of one R_i^-1. A block of many units
holds as few rows with the same sum of outer products (`loading_products`), so the cost does not grow with units.

Columns with slopes are projected on units, periods and unit x B in the metric of the errors at theta.

Nothing here is in numba's cache: that are only the `loading_draws.entries`.
"""

import math

import numpy as np
from numba import njit

from bayes_npp.bayesian.collapsed.kernel import (
    ABSENT,
    FLAT_SD,
    cholesky,
    constrain,
    innovation,
    invert,
    unit_scale_logs,
)
from bayes_npp.bayesian.collapsed.packed import LoadingWork, unpack_loadings

compiled = njit(nogil=True, error_model="numpy")
unpack = compiled(unpack_loadings)
RIDGE = 1e-13  # of the periods' system, where a period is identified by nothing


@compiled
def inverse_of(matrix):
    """Inverse of a symmetric positive definite matrix and half its log determinant, NaN if it is not."""
    n = len(matrix)
    factor, lower, inverse = matrix.copy(), np.empty((n, n)), np.empty((n, n))
    half = cholesky(factor, n)
    invert(factor, n, lower, inverse)
    return inverse, half


@compiled
def error_precision(b, rho, log_scale, period_log, data, layout, precision):
    """R_i^-1 of a block on the grid of periods; returns half its log determinant."""
    precision[:, :] = 0.0
    half = 0.0
    remembers = layout.autocorrelation != ABSENT
    for t in range(len(period_log)):
        gap = data.gap[b, t]
        if gap < 0:
            continue
        weight = math.exp(-2.0 * (log_scale + period_log[t]))
        if remembers and gap == 0:
            weight *= (1.0 - rho) * (1.0 + rho)
        elif remembers:
            weight /= innovation(rho, gap)[0]
            before, r = data.before[b, t], rho**gap
            precision[before, before] += weight * r * r
            precision[t, before] -= weight * r
            precision[before, t] -= weight * r
        precision[t, t] += weight
        half += 0.5 * math.log(weight)
    return half


@compiled
def loading_columns(theta, data, layout):
    """B: the constant, the known columns and the factors, shape (T, q)."""
    n_times, n_known = data.known.shape
    out = np.empty((n_times, n_known + layout.n_factors))
    out[:, :n_known] = data.known
    for k in range(layout.n_factors):
        first = layout.factors + k * (n_times - 1)
        h = theta[first : first + n_times - 1]
        out[:, n_known + k] = data.contrasts @ h * (math.sqrt(n_times - 1.0) / math.sqrt((h * h).sum()))
    return out


@compiled
def saturated(b, data, q):
    """Whether a block's units have no more rows than coefficients, which then fit them exactly."""
    rows = 0
    for t in range(data.gap.shape[1]):
        rows += data.gap[b, t] >= 0
    return rows <= q


@compiled
def project(data, work):
    """Solve for the period parts, the units' coefficients and their means: `work.period`, `.gains`, `.mean`."""
    n_blocks, n_times, q = work.gains.shape[0], work.columns.shape[0], work.columns.shape[1]
    columns = work.columns
    gram, right = np.zeros((n_times, n_times)), np.zeros((n_times, data.sums.shape[2]))
    free = 0.0
    for b in range(n_blocks):
        work.gains[b] = 0.0
        if saturated(b, data, q):
            continue
        precision = work.precision[b]
        weighted = precision @ columns
        work.inner[b] = inverse_of(columns.T.copy() @ weighted)[0]
        work.gains[b] = work.inner[b] @ weighted.T.copy()
        own = precision - weighted @ work.gains[b]
        gram += data.units[b] * own
        right += own @ data.sums[b]
        free += data.units[b]
    size = np.trace(gram) / n_times
    for j in range(q):
        length = (columns[:, j] ** 2).sum()
        for s in range(n_times):
            for t in range(n_times):
                gram[s, t] += size / length * columns[s, j] * columns[t, j]
    for t in range(n_times):
        gram[t, t] += RIDGE * size + (1.0 if size == 0.0 else 0.0)
    inverse = inverse_of(gram)[0]
    work.period_inverse[:, :] = inverse
    work.period[:, :] = inverse @ right
    work.mean[:, :] = 0.0
    for b in range(n_blocks):
        work.mean[:, :] += work.gains[b] @ (data.sums[b] - data.units[b] * work.period) / max(free, 1.0)
    return free


@compiled
def fill_rows(b, data, layout, work):
    """[W, X, y] of a block's rows into `work.rows`; if columns are projected, `.residual` and `.coefficients`."""
    n_times, q = work.columns.shape
    n_slopes, size = len(data.slope_at), work.size
    first, last = data.start[b], data.start[b + 1]
    n = last - first
    x = data.x[n_times * n_slopes * first : n_times * n_slopes * last].reshape(n_times, n, n_slopes)
    rows = work.rows[n_times * size * first : n_times * size * last].reshape(n_times, n, size)
    rows[:] = 0.0
    residual = work.residual[n_times * n_slopes * first : n_times * n_slopes * last].reshape(n_times, n, n_slopes)
    coefficients = work.coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n * n_slopes)
    empty = layout.project and saturated(b, data, q)
    if empty:
        residual[:] = 0.0
    else:
        residual[:] = x
    if layout.project and not empty:
        for t in range(n_times):
            for i in range(n):
                for a in range(n_slopes):
                    residual[t, i, a] -= data.weight[first + i] * work.period[t, a]
        flat = residual.reshape(n_times, n * n_slopes)
        coefficients[:, :] = work.gains[b] @ flat
        flat -= work.columns @ coefficients
    for t in range(n_times):
        for i in range(n):
            w = data.weight[first + i]
            for a in range(n_slopes):
                rows[t, i, data.slope_at[a]] = residual[t, i, a]
            for j in range(data.constants.shape[1]):
                rows[t, i, data.constant_at[j]] = data.constants[first + i, j]
            for j in range(data.time_columns.shape[1]):
                rows[t, i, data.time_at[j]] = w * data.time_columns[t, j]
            rows[t, i, size - 1] = data.y[n_times * first + t * n + i]
            if empty or not layout.project:
                continue
            at = layout.part_at
            for to in data.part_columns:
                for k in data.part_columns:
                    for a in range(n_slopes):
                        own = coefficients[k, i * n_slopes + a] - w * work.mean[k, a]
                        rows[t, i, at] = work.columns[t, to] * own
                        at += 1


@compiled
def forward(theta, data, layout, priors, work):
    """Fill `work` at theta; returns the log Jacobian and log|V| / 2, V the covariance of the rows given w."""
    log_jacobian = constrain(theta, priors, work.values, work.slopes)
    unit_scale_logs(theta, work.values, layout, len(work.log_scale), work.log_scale)
    rho = work.values[layout.autocorrelation] if layout.autocorrelation != ABSENT else 0.0
    work.period_log[:] = 0.0
    if layout.period_scales != ABSENT:
        for t in range(len(work.period_log)):
            work.period_log[t] = work.values[layout.period_spread] * theta[layout.period_scales + t]
    work.columns[:, :] = loading_columns(theta, data, layout)
    n_times, q = work.columns.shape
    half_log = 0.0
    for b in range(len(data.units)):
        scale = work.log_scale[data.scale_of[b]]
        half = error_precision(b, rho, scale, work.period_log, data, layout, work.precision[b])
        half_log -= data.units[b] * half
    free = project(data, work) if layout.project else 1.0
    work.q_matrix[:, :] = 0.0
    for b in range(len(data.units)):
        fill_rows(b, data, layout, work)
        first, last = data.start[b], data.start[b + 1]
        part = slice(n_times * work.size * first, n_times * work.size * last)
        rows = work.rows[part].reshape(n_times, (last - first) * work.size)
        loaded = work.columns * loading_sds(work.values, layout)
        weighted = work.precision[b] @ loaded
        inner = loaded.T.copy() @ weighted
        for j in range(q):
            inner[j, j] += 0.0 if layout.effect_scale[j] == FLAT_SD else 1.0
        inverse, half = inverse_of(inner)
        half_log += data.units[b] * half
        work.unit_inverse[b] = inverse
        left = rows - (loaded @ inverse) @ (weighted.T.copy() @ rows)
        work.left[part] = left.ravel()
        moved = work.precision[b] @ left
        tall = (n_times * (last - first), work.size)
        work.q_matrix[:, :] += rows.reshape(tall).T @ moved.reshape(tall)
    shift_outcome(work.q_matrix, layout.means)
    return log_jacobian, half_log, free


@compiled
def shift_outcome(q_matrix, means):
    """Q of y - W means in place of y, in place."""
    last = len(q_matrix) - 1
    for a in range(last + 1):
        for j in range(len(means)):
            q_matrix[a, last] -= means[j] * q_matrix[a, j]
    for a in range(last + 1):
        for j in range(len(means)):
            q_matrix[last, a] -= means[j] * q_matrix[j, a]


@compiled
def loading_sds(values, layout):
    """SDs of the units' coefficients: 1 where they are flat, 0 where there are none."""
    out = np.zeros(len(layout.effect_scale))
    for j in range(len(out)):
        if layout.effect_scale[j] >= 0:
            out[j] = values[layout.effect_scale[j]]
        elif layout.effect_scale[j] == FLAT_SD:
            out[j] = 1.0
    return out


@compiled
def new_work(d, n_scales, data, layout):
    """Arrays for evaluations at theta of d elements."""
    n_times, n_known = data.known.shape
    n_blocks, n_rows, q = len(data.units), data.start[-1], n_known + layout.n_factors
    n_slopes, size = len(data.slope_at), len(layout.column_scale) + len(layout.kept) + 1
    return LoadingWork(
        size,
        np.empty(d),
        np.empty(d),
        np.empty(n_scales),
        np.empty(n_times),
        np.empty((n_times, q)),
        np.empty((n_blocks, n_times, n_times)),
        np.zeros((n_blocks, q, q)),
        np.zeros((n_blocks, q, n_times)),
        np.empty((n_blocks, q, q)),
        np.zeros((n_times, n_slopes)),
        np.zeros((n_times, n_times)),
        np.zeros((q, n_slopes)),
        np.empty(n_rows * n_times * size),
        np.empty(n_rows * n_times * size),
        np.zeros(n_rows * n_times * n_slopes),
        np.zeros(n_rows * q * n_slopes),
        np.empty((size, size)),
    )
