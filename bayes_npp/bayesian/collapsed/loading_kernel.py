"""Metric and projection at theta of models in which units load on columns of time, compiled.

Notation of docs/statistics.md, section 6. Every unit's rows lie on the grid of all T periods, R_i^-1 zero where it has
none. B (T, q) holds the columns on which units have coefficients: a constant, known columns of time, common factors
f = sqrt(T - 1) h / |h| in the contrasts of time, h in theta. Units are in blocks of one R_i^-1. A block of many units
holds as few rows with the same sum of outer products (`loading_products`), so the cost does not grow with units.

Columns with slopes are projected on units, periods and unit x B in the metric of the errors at theta.

Blocks and rows lie along the last axis of every array, which the innermost loops run over: so the compiler makes one
instruction of four or eight units. What is summed over units is a product of matrices. Nothing here is in numba's
cache: that are only the `loading_draws.entries`.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from bayes_npp.bayesian.collapsed.kernel import ABSENT, FLAT_SD, cholesky, innovation, invert
from bayes_npp.bayesian.collapsed.packed import LoadingMetric, LoadingWork, unpack_loadings

# Called from compiled code only: what Python would need is not made. (numba's types do not know these two.)
FROM_COMPILED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
compiled = njit(nogil=True, error_model="numpy", **FROM_COMPILED)
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
def invert_each(matrices, lower, inverse, log_diagonal):
    """Inverses of symmetric positive definite (q, q, B), which are overwritten, and half their log determinants (B,).

    NaN or infinite where a matrix is not positive definite.
    """
    q, n = matrices.shape[0], matrices.shape[2]
    log_diagonal[:] = 1.0
    for k in range(q):
        for b in range(n):
            matrices[k, k, b] = math.sqrt(matrices[k, k, b])
            log_diagonal[b] *= matrices[k, k, b]
            lower[k, k, b] = 1.0 / matrices[k, k, b]
        for j in range(k + 1, q):
            for b in range(n):
                matrices[k, j, b] *= lower[k, k, b]
        for i in range(k + 1, q):
            for j in range(i, q):
                for b in range(n):
                    matrices[i, j, b] -= matrices[k, i, b] * matrices[k, j, b]
    for b in range(n):
        log_diagonal[b] = math.log(log_diagonal[b])
    for k in range(q):
        for j in range(k):
            for b in range(n):
                lower[k, j, b] = 0.0
            for i in range(j, k):
                for b in range(n):
                    lower[k, j, b] -= matrices[i, k, b] * lower[i, j, b]
            for b in range(n):
                lower[k, j, b] *= lower[k, k, b]
    for i in range(q):
        for j in range(i + 1):
            for b in range(n):
                inverse[i, j, b] = 0.0
            for k in range(i, q):
                for b in range(n):
                    inverse[i, j, b] += lower[k, i, b] * lower[k, j, b]
            for b in range(n):
                inverse[j, i, b] = inverse[i, j, b]


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
            gap = data.gap[t, b]
            work.blocks.root[t, b] = work.blocks.lag[t, b] = 0.0
            if gap < 0:
                continue
            root = unit_root * period_root[t]
            own += log_scale + work.period_log[t]
            if remembers and gap == 0:
                root *= root_of_first
                own -= log_of_first
            elif remembers and gap == 1:
                work.blocks.lag[t, b] = rho
            elif remembers:
                g = innovation(rho, gap)[0]
                work.blocks.lag[t, b] = rho**gap
                root /= math.sqrt(g)
                own += 0.5 * math.log(g)
            work.blocks.root[t, b] = root
        half += data.units[b] * own
    return half


@compiled
def innovations(columns, metric, out):
    """c_t (e_t - r_t e_before) of columns, both (k, T, B)."""
    n_times, n = metric.root.shape
    before = np.empty(n)
    for a in range(len(columns)):
        before[:] = 0.0
        for t in range(n_times):
            for b in range(n):
                own = columns[a, t, b]
                out[a, t, b] = metric.root[t, b] * (own - metric.lag[t, b] * before[b])
                before[b] = own if metric.present[t, b] > 0.0 else before[b]


@compiled
def weigh_innovations(columns, metric):
    """R^-1 times columns (k, T, B) that are given as their innovations, in place."""
    n_times, n = metric.root.shape
    after = np.empty(n)
    for a in range(len(columns)):
        after[:] = 0.0
        for t in range(n_times - 1, -1, -1):
            for b in range(n):
                own, here = metric.root[t, b] * columns[a, t, b], metric.present[t, b] > 0.0
                columns[a, t, b] = own - after[b] if here else 0.0
                after[b] = metric.lag[t, b] * own if here else after[b]


@compiled
def weigh(columns, metric):
    """R^-1 times columns (k, T, B), in place."""
    innovations(columns, metric, columns)
    weigh_innovations(columns, metric)


@compiled
def add_precision(b, blocks, before, factor, out):
    """Add factor x R_b^-1 to out (T, T)."""
    for t in range(len(out)):
        root, r, last = blocks.root[t, b], blocks.lag[t, b], before[t, b]
        weight = factor * root * root
        out[t, t] += weight
        if r != 0.0:
            out[last, last] += weight * r * r
            out[t, last] -= weight * r
            out[last, t] -= weight * r


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
    blocks, columns = work.blocks, work.columns
    (n_times, q), n = columns.shape, len(data.units)
    moved, gram, inverse = blocks.moved, blocks.gram, work.unit_inverse
    factor, half = np.empty((q, q, n)), np.empty(n)
    for k in range(q):
        for t in range(n_times):
            moved[k, t] = columns[t, k]
    weigh(moved, blocks)
    for k in range(q):
        for j in range(k + 1):
            for b in range(n):
                gram[k, j, b] = 0.0
            for t in range(n_times):
                for b in range(n):
                    gram[k, j, b] += columns[t, j] * moved[k, t, b]
            scale, known = sds[k] * sds[j], 1.0 if k == j and layout.effect_scale[k] != FLAT_SD else 0.0
            for b in range(n):
                gram[j, k, b] = gram[k, j, b]
                factor[k, j, b] = factor[j, k, b] = scale * gram[k, j, b] + known
    invert_each(factor, work.room, inverse, half)
    for k in range(q):
        for j in range(q):
            for b in range(n):
                blocks.shrink[k, j, b] = sds[k] * inverse[k, j, b] * sds[j]
    for k in range(q):
        for j in range(q):
            blocks.keep[k, j] = 1.0 if k == j else 0.0
            for m in range(q):
                for b in range(n):
                    blocks.keep[k, j, b] -= blocks.shrink[k, m, b] * gram[m, j, b]
    combine(blocks.keep, moved, blocks.marginal)
    combine(blocks.keep, gram, blocks.marginal_gram)
    return (data.units * half).sum()


@compiled
def combine(left, right, out):
    """left'right of every block: (q, q, B) and (q, m, B) make (q, m, B)."""
    q, m, n = out.shape
    for k in range(q):
        for t in range(m):
            for b in range(n):
                out[k, t, b] = left[0, k, b] * right[0, t, b]
            for j in range(1, q):
                for b in range(n):
                    out[k, t, b] += left[j, k, b] * right[j, t, b]


@compiled
def sum_products(left, right):
    """Sum over j and blocks of left (q, k, B) times right (q, m, B): (k, m)."""
    out = left[0] @ right[0].T
    for j in range(1, len(left)):
        out += left[j] @ right[j].T
    return out


@compiled
def sum_blocks(columns, weights):
    """Weighted sum over blocks of (k, m, B): (k, m)."""
    k, m, n = columns.shape
    return (columns.reshape(k * m, n) @ weights).reshape(k, m)


@compiled
def project(data, work):
    """Solve for period parts, units' coefficients and their means: `.period`, `.gains`, `.mean`; free units."""
    blocks, columns = work.blocks, work.columns
    (n_times, q), n_slopes, n = columns.shape, len(data.sums), len(data.units)
    moved, gains, is_free = blocks.moved, blocks.gains, blocks.free
    factor, weighted, own = np.empty((q, q, n)), data.sums.copy(), np.zeros((q, n_slopes, n))
    for k in range(q):
        for j in range(q):
            diagonal = 1.0 if k == j else 0.0
            for b in range(n):
                factor[k, j, b] = blocks.gram[k, j, b] if is_free[b] > 0.0 else diagonal
    invert_each(factor, work.room, blocks.inner, np.empty(n))
    for k in range(q):
        for j in range(q):
            for b in range(n):
                blocks.inner[k, j, b] *= is_free[b]
    combine(blocks.inner, moved, gains)
    free_units = data.units * is_free
    counted = gains * data.units
    gram = -sum_products(moved, counted)
    for b in range(n):
        add_precision(b, blocks, data.before, free_units[b], gram)
    weigh(weighted, blocks)
    for k in range(q):
        for a in range(n_slopes):
            for t in range(n_times):
                for b in range(n):
                    own[k, a, b] += gains[k, t, b] * data.sums[a, t, b]
    right = sum_blocks(weighted, is_free) - sum_products(own, moved)
    free, every = max(free_units.sum(), 1.0), np.ones(n)
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
    work.period[:, :] = right @ inverse
    work.mean_gains[:, :] = sum_blocks(counted, every) / free
    work.mean[:, :] = sum_blocks(own, every) / free - work.mean_gains @ work.period.T
    return free


@compiled
def spread(data, work):
    """What is of blocks to their rows, where that is not the same."""
    blocks, rows = work.blocks, work.rows
    if len(data.weight) == len(data.units):
        return
    block_of = data.block_of
    for t in range(len(rows.root)):
        for i in range(len(block_of)):
            rows.root[t, i], rows.lag[t, i] = blocks.root[t, block_of[i]], blocks.lag[t, block_of[i]]
    for of_rows, of_blocks in (
        (rows.moved, blocks.moved),
        (rows.shrink, blocks.shrink),
        (rows.keep, blocks.keep),
        (rows.marginal, blocks.marginal),
        (rows.marginal_gram, blocks.marginal_gram),
        (rows.inner, blocks.inner),
        (rows.gains, blocks.gains),
    ):
        for k in range(of_rows.shape[0]):
            for t in range(of_rows.shape[1]):
                for i in range(len(block_of)):
                    of_rows[k, t, i] = of_blocks[k, t, block_of[i]]


@compiled
def collect(of_rows, data):
    """Sums over the rows of each block, (k, m, R) to (k, m, B)."""
    k, m, n_rows = of_rows.shape
    if n_rows == len(data.units):
        return of_rows
    out = np.zeros((k, m, len(data.units)))
    for a in range(k):
        for t in range(m):
            for i in range(n_rows):
                out[a, t, data.block_of[i]] += of_rows[a, t, i]
    return out


@compiled
def new_metric(n_times, q, n):
    """Arrays of `LoadingMetric` for n blocks or rows."""
    small, square, long = (n_times, n), (q, q, n), (q, n_times, n)
    return LoadingMetric(
        np.empty(small), np.empty(small), np.empty(small), np.empty(n),
        np.empty(long), np.empty(square), np.empty(square), np.empty(square),
        np.empty(long), np.empty(square), np.empty(square), np.zeros(long),
    )  # fmt: skip


@compiled
def new_work(d, n_scales, data, layout):
    """Arrays for evaluations at theta of d elements."""
    n_times, n_known = data.known.shape
    n_blocks, n_rows, q = len(data.units), len(data.weight), n_known + layout.n_factors
    n_slopes, size = len(data.slope_at), len(layout.column_scale) + len(layout.kept) + 1
    n_scalars = len(data.constants)
    if layout.project:
        n_scalars += len(data.part_columns) ** 2 * n_slopes
    n_loaded = 1 if layout.project else n_slopes + 1
    blocks = new_metric(n_times, q, n_blocks)
    rows = blocks if n_rows == n_blocks else new_metric(n_times, q, n_rows)
    for metric in (blocks, rows):
        for i in range(len(metric.free)):
            b, count = i if len(metric.free) == n_blocks else data.block_of[i], 0
            for t in range(n_times):
                here = data.gap[t, b] >= 0
                metric.present[t, i] = 1.0 if here else 0.0
                count += here
            metric.free[i] = 1.0 if layout.project != 0 and count > q else 0.0
    return LoadingWork(
        size,
        np.empty(d),
        np.empty(d),
        np.empty(n_scales),
        np.zeros(n_times),
        np.empty((n_times, q)),
        blocks,
        rows,
        np.empty((q, q, n_blocks)),
        np.empty((q, q, n_blocks)),
        np.zeros((n_slopes, n_times)),
        np.zeros((n_times, n_times)),
        np.zeros((q, n_slopes)),
        np.zeros((q, n_times)),
        np.empty((n_slopes + 1, n_times, n_rows)),
        np.empty((n_slopes + 1, n_times, n_rows)),
        np.zeros((q, n_slopes, n_rows)),
        np.zeros((n_scalars, n_rows)),
        np.empty((n_loaded, n_times, n_rows)),
        np.empty((q, n_loaded, n_rows)),
        np.empty((q, n_loaded, n_rows)),
        np.empty((size, size)),
    )
