"""Metric, projection and rows at theta of models in which units load on columns of time, compiled.

Notation of docs/statistics.md, section 6. Every unit's rows lie on the grid of all T periods, R_i^-1 zero where it has
none. B (T, q) holds the columns on which units have coefficients: a constant, known columns of time, common factors
f = sqrt(T - 1) h / |h| in the contrasts of time, h in theta. Units are in blocks of one R_i^-1. A block of many units
holds as few rows with the same sum of outer products (`loading_products`), so the cost does not grow with units.

Columns with slopes are projected on units, periods and unit x B in the metric of the errors at theta.

Loops run over small matrices and write into `LoadingWork`: an array made or a call of BLAS per unit would cost more
than the arithmetic. Nothing here is in numba's cache: that are only the `loading_draws.entries`.
"""

import math

import numpy as np
from numba import njit

from bayes_npp.bayesian.collapsed.kernel import (
    ABSENT,
    FLAT_SD,
    cholesky,
    innovation,
    invert,
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
def error_terms(rho, data, layout, work):
    """R_b^-1 = sum_t c_t^2 (e_t - r_t e_before)(e_t - r_t e_before)': c and r; returns log|R| / 2."""
    half = 0.0
    remembers = layout.autocorrelation != ABSENT
    root_of_first = math.sqrt((1.0 - rho) * (1.0 + rho))
    log_of_first, period_root = math.log(root_of_first), np.exp(-work.period_log)
    for b in range(len(data.units)):
        log_scale = work.log_scale[data.scale_of[b]]
        unit_root, own = math.exp(-log_scale), 0.0
        for t in range(len(period_root)):
            gap = data.gap[b, t]
            work.root[b, t] = work.lag[b, t] = 0.0
            if gap < 0:
                continue
            root = unit_root * period_root[t]
            own += log_scale + work.period_log[t]
            if remembers and gap == 0:
                root *= root_of_first
                own -= log_of_first
            elif remembers and gap == 1:
                work.lag[b, t] = rho
            elif remembers:
                g = innovation(rho, gap)[0]
                work.lag[b, t] = rho**gap
                root /= math.sqrt(g)
                own += 0.5 * math.log(g)
            work.root[b, t] = root
        half += data.units[b] * own
    return half


@compiled
def add_weighted(root, lag, before, columns, out):
    """Add R_b^-1 columns to out, both (T, k); the first three are those of block b, (T,)."""
    for t in range(len(columns)):
        weight, r, last = root[t] * root[t], lag[t], before[t]
        if weight == 0.0:
            continue
        for a in range(columns.shape[1]):
            moved = weight * (columns[t, a] - r * columns[last, a])
            out[t, a] += moved
            out[last, a] -= r * moved


@compiled
def add_precision(root, lag, before, factor, out):
    """Add factor x R_b^-1 to out (T, T)."""
    for t in range(len(out)):
        weight, r, last = factor * root[t] * root[t], lag[t], before[t]
        out[t, t] += weight
        if r != 0.0:
            out[last, last] += weight * r * r
            out[t, last] -= weight * r
            out[last, t] -= weight * r


@compiled
def add_products(left, right, factor, out):
    """Add factor x left' right to out (T, T), both (k, T)."""
    for k in range(len(left)):
        for s in range(left.shape[1]):
            own = factor * left[k, s]
            for t in range(right.shape[1]):
                out[s, t] += own * right[k, t]


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
def eliminate(sds, data, layout, work):
    """B'R^-1, B'R^-1 B, and the same in V^-1 = R^-1 - R^-1 B N B'R^-1; returns the sum of log|A| / 2.

    D the SDs of units' coefficients, A = D B'R^-1 B D + 1 (0 in place of 1 where they are flat), N = D A^-1 D, and
    `keep` J = 1 - N B'R^-1 B, so that B'V^-1 = J'B'R^-1.
    """
    n_times, q = work.columns.shape
    basis, factor, lower = work.columns.T.copy(), np.empty((q, q)), np.empty((q, q))
    half = 0.0
    for b in range(len(data.units)):
        moved, gram, marginal = work.moved[b], work.gram[b], work.marginal[b]
        keep, shrink, inverse, marginal_gram = work.keep[b], work.shrink[b], work.unit_inverse[b], work.marginal_gram[b]
        moved[:, :] = 0.0
        for t in range(n_times):
            root, r, before = work.root[b, t], work.lag[b, t], data.before[b, t]
            for k in range(q):
                own = root * root * (basis[k, t] - r * basis[k, before])
                moved[k, t] += own
                moved[k, before] -= r * own
        for k in range(q):
            for j in range(k + 1):
                total = 0.0
                for t in range(n_times):
                    total += moved[k, t] * basis[j, t]
                gram[k, j] = gram[j, k] = total
        for k in range(q):
            for j in range(q):
                factor[k, j] = sds[k] * gram[k, j] * sds[j]
            factor[k, k] += 0.0 if layout.effect_scale[k] == FLAT_SD else 1.0
        half += data.units[b] * cholesky(factor, q)
        invert(factor, q, lower, inverse)
        for k in range(q):
            for j in range(q):
                shrink[k, j] = sds[k] * inverse[k, j] * sds[j]
        for k in range(q):
            for j in range(q):
                total = 1.0 if k == j else 0.0
                for m in range(q):
                    total -= shrink[k, m] * gram[m, j]
                keep[k, j] = total
        for k in range(q):
            marginal[k] = 0.0
            for m in range(q):
                for t in range(n_times):
                    marginal[k, t] += keep[m, k] * moved[m, t]
            for j in range(q):
                total = 0.0
                for m in range(q):
                    total += gram[k, m] * keep[m, j]
                marginal_gram[k, j] = total
    return half


@compiled
def project(data, work):
    """Solve for period parts, units' coefficients and their means: `work.period`, `.gains`, `.mean`; free units."""
    n_times, q = work.columns.shape
    columns, n_slopes = work.columns, data.sums.shape[2]
    gram, right = np.zeros((n_times, n_times)), np.zeros((n_times, n_slopes))
    own, factor, lower = np.empty((q, n_slopes)), np.empty((q, q)), np.empty((q, q))
    mean, free = np.zeros((q, n_slopes)), 0.0
    work.mean_gains[:, :] = 0.0
    for b in range(len(data.units)):
        if not work.free[b]:
            continue
        gains, inner, sums, moved = work.gains[b], work.inner[b], data.sums[b], work.moved[b]
        root, lag, before = work.root[b], work.lag[b], data.before[b]
        factor[:, :] = work.gram[b]
        cholesky(factor, q)
        invert(factor, q, lower, inner)
        gains[:, :] = 0.0
        for k in range(q):
            for j in range(q):
                for t in range(n_times):
                    gains[k, t] += inner[k, j] * moved[j, t]
        add_precision(root, lag, before, data.units[b], gram)
        add_products(moved, gains, -data.units[b], gram)
        add_weighted(root, lag, before, sums, right)
        own[:, :] = 0.0
        for k in range(q):
            for t in range(n_times):
                for a in range(n_slopes):
                    own[k, a] += gains[k, t] * sums[t, a]
            for t in range(n_times):
                work.mean_gains[k, t] += data.units[b] * gains[k, t]
            for a in range(n_slopes):
                mean[k, a] += own[k, a]
        for t in range(n_times):
            for k in range(q):
                for a in range(n_slopes):
                    right[t, a] -= moved[k, t] * own[k, a]
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
    work.mean_gains[:, :] /= max(free, 1.0)
    work.mean[:, :] = mean / max(free, 1.0) - work.mean_gains @ work.period
    return max(free, 1.0)


@compiled
def fill_dense(data, layout, work):
    """Columns with slopes, residuals if they are projected, and outcomes; coefficients of the former on B."""
    n_times, q = work.columns.shape
    n_slopes = len(data.slope_at)
    for b in range(len(data.units)):
        gains = work.gains[b]
        for i in range(data.start[b], data.start[b + 1]):
            dense, own, x, w = work.dense[i], work.coefficients[i], data.x[i], data.weight[i]
            for t in range(n_times):
                dense[t, n_slopes] = data.y[i, t]
            if not layout.project:
                dense[:, :n_slopes] = x
                continue
            own[:, :] = 0.0
            if not work.free[b]:
                dense[:, :n_slopes] = 0.0
                continue
            for t in range(n_times):
                for a in range(n_slopes):
                    dense[t, a] = x[t, a] - w * work.period[t, a]
                for k in range(q):
                    for a in range(n_slopes):
                        own[k, a] += gains[k, t] * dense[t, a]
            for t in range(n_times):
                for k in range(q):
                    for a in range(n_slopes):
                        dense[t, a] -= work.columns[t, k] * own[k, a]


@compiled
def fill_scalars(data, layout, work):
    """What multiplies columns of B in rows: units' constants, then parts of their columns with slopes."""
    n_constants, n_slopes, n_parts = data.constants.shape[1], len(data.slope_at), len(data.part_columns)
    work.scalars[:, :n_constants] = data.constants
    if not layout.project:
        return
    for b in range(len(data.units)):
        if not work.free[b]:  # as they were made: zero
            continue
        for i in range(data.start[b], data.start[b + 1]):
            w, at = data.weight[i], n_constants
            for _ in range(n_parts):
                for j in range(n_parts):
                    k = data.part_columns[j]
                    for a in range(n_slopes):
                        work.scalars[i, at] = work.coefficients[i, k, a] - w * work.mean[k, a]
                        at += 1


@compiled
def scalar_columns(data, layout, n_scalars):
    """Where the columns B_k x scalar stand in [W, X, y], and which column k of B each has; both (E,)."""
    at, column = np.zeros(n_scalars, dtype=np.int64), np.zeros(n_scalars, dtype=np.int64)
    n_constants = len(data.constant_at)
    at[:n_constants] = data.constant_at
    n_parts = len(data.part_columns)
    each = n_parts * len(data.slope_at)
    for j in range(n_constants, n_scalars):
        at[j] = layout.part_at + j - n_constants
        column[j] = data.part_columns[(j - n_constants) // each]
    return at, column


@compiled
def new_work(d, n_scales, data, layout):
    """Arrays for evaluations at theta of d elements."""
    n_times, n_known = data.known.shape
    n_blocks, n_rows, q = len(data.units), data.start[-1], n_known + layout.n_factors
    n_slopes, size = len(data.slope_at), len(layout.column_scale) + len(layout.kept) + 1
    n_scalars = data.constants.shape[1]
    if layout.project:
        n_scalars += len(data.part_columns) ** 2 * n_slopes
    n_loaded = 1 if layout.project else n_slopes + 1
    free = np.zeros(n_blocks, dtype=np.bool_)
    for b in range(n_blocks):
        rows = 0
        for t in range(n_times):
            rows += data.gap[b, t] >= 0
        free[b] = layout.project != 0 and rows > q
    return LoadingWork(
        size,
        np.empty(d),
        np.empty(d),
        np.empty(n_scales),
        np.zeros(n_times),
        np.empty((n_times, q)),
        np.empty((n_blocks, n_times)),
        np.empty((n_blocks, n_times)),
        np.empty((n_blocks, q, n_times)),
        np.empty((n_blocks, q, q)),
        np.empty((n_blocks, q, q)),
        np.empty((n_blocks, q, q)),
        np.empty((n_blocks, q, q)),
        np.empty((n_blocks, q, n_times)),
        np.empty((n_blocks, q, q)),
        free,
        np.zeros((n_blocks, q, q)),
        np.zeros((n_blocks, q, n_times)),
        np.zeros((n_times, n_slopes)),
        np.zeros((n_times, n_times)),
        np.zeros((q, n_slopes)),
        np.zeros((q, n_times)),
        np.empty((n_rows, n_times, n_slopes + 1)),
        np.empty((n_rows, n_times, n_slopes + 1)),
        np.empty((n_rows, q, n_slopes)),
        np.zeros((n_rows, n_scalars)),
        np.empty((n_rows, q, n_loaded)),
        np.empty((n_rows, q, n_loaded)),
        np.empty((size, size)),
    )
