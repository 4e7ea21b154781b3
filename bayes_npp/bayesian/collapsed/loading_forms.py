"""Q = [W, X, y]'V^-1 [W, X, y] at theta of models in which units load on columns of time, compiled.

The rows of a unit are never formed. Its columns are dense ones (columns with slopes and the outcome), columns of B
times scalars of its own (constants, parts of columns with slopes) and the same columns of time for every unit. So Q
is put together from products of dense columns with R^-1 and B, from sums of products of scalars, and from sums over
units of V^-1 and V^-1 times the rest, on which the columns of time act once. See docs/statistics.md, section 6.3.
"""

import numpy as np

from bayes_npp.bayesian.collapsed.kernel import ABSENT, constrain, unit_scale_logs
from bayes_npp.bayesian.collapsed.loading_kernel import (
    add_precision,
    combine,
    compiled,
    eliminate,
    error_terms,
    innovations,
    loading_columns,
    loading_sds,
    project,
    spread,
    sum_blocks,
    sum_products,
    weigh_innovations,
)


@compiled
def forward(theta, data, layout, priors, work):
    """Fill `work` at theta; returns the log Jacobian, log|V| / 2, V the covariance of rows given w, and free units."""
    log_jacobian = constrain(theta, priors, work.values, work.slopes)
    unit_scale_logs(theta, work.values, layout, len(work.log_scale), work.log_scale)
    rho = work.values[layout.autocorrelation] if layout.autocorrelation != ABSENT else 0.0
    if layout.period_scales != ABSENT:
        for t in range(len(work.period_log)):
            work.period_log[t] = work.values[layout.period_spread] * theta[layout.period_scales + t]
    work.columns[:, :] = loading_columns(theta, data, layout)
    half_log = error_terms(rho, data, layout, work)
    half_log += eliminate(loading_sds(work.values, layout), data, layout, work)
    free = project(data, work) if layout.project else 1.0
    spread(data, work)
    fill_dense(data, layout, work)
    fill_scalars(data, layout, work)
    load(work)
    cross_products(data, layout, work)
    shift_outcome(work.q_matrix, layout.means)
    return log_jacobian, half_log, free


@compiled
def fill_dense(data, layout, work):
    """Columns with slopes, residuals if they are projected, and outcomes; coefficients of the former on B."""
    (n_times, q), (n_slopes, _, n) = work.columns.shape, data.x.shape
    dense, own, columns = work.dense, work.coefficients, work.columns
    gains, is_free, weight = work.rows.gains, work.rows.free, data.weight
    dense[n_slopes] = data.y
    if not layout.project:
        dense[:n_slopes] = data.x
        return
    for a in range(n_slopes):
        for t in range(n_times):
            of_period = work.period[a, t]
            for i in range(n):
                dense[a, t, i] = is_free[i] * (data.x[a, t, i] - weight[i] * of_period)
        for k in range(q):
            for i in range(n):
                own[k, a, i] = 0.0
            for t in range(n_times):
                for i in range(n):
                    own[k, a, i] += gains[k, t, i] * dense[a, t, i]
        for t in range(n_times):
            for k in range(q):
                column = columns[t, k]
                for i in range(n):
                    dense[a, t, i] -= column * own[k, a, i]


@compiled
def fill_scalars(data, layout, work):
    """What multiplies columns of B in rows: units' constants, then parts of their columns with slopes."""
    n_slopes, n_parts = len(data.slope_at), len(data.part_columns)
    work.scalars[: len(data.constants)] = data.constants
    if not layout.project:
        return
    at = len(data.constants)
    for _ in range(n_parts):
        for k in data.part_columns:
            for a in range(n_slopes):
                mean = work.mean[k, a]
                for i in range(len(data.weight)):
                    own = work.coefficients[k, a, i] - data.weight[i] * mean
                    work.scalars[at, i] = work.rows.free[i] * own
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
def load(work):
    """Dense columns as innovations; R^-1, B'R^-1 and B'V^-1 times those on which B has a weight.

    If columns with slopes are projected that is the outcome alone: B'R^-1 x = 0.
    """
    rows, cross, weighted = work.rows, work.cross, work.weighted
    q, n_loaded, n = cross.shape
    first, n_times = len(work.dense) - n_loaded, len(work.columns)
    innovations(work.dense, rows, work.white)
    weighted[:, :] = work.white[first:]
    weigh_innovations(weighted, rows)
    for z in range(n_loaded):
        for k in range(q):
            for i in range(n):
                cross[k, z, i] = 0.0
            for t in range(n_times):
                for i in range(n):
                    cross[k, z, i] += rows.moved[k, t, i] * work.dense[first + z, t, i]
    combine(rows.keep, cross, work.within)


@compiled
def cross_products(data, layout, work):
    """Q, the outcome not yet less prior means."""
    rows, blocks, weight, own = work.rows, work.blocks, data.weight, work.scalars
    n_dense, n_times, n = work.dense.shape
    q, n_loaded, n_scalars = len(work.cross), work.cross.shape[1], len(own)
    scalar_at, column_of = scalar_columns(data, layout, n_scalars)
    first = n_dense - n_loaded
    white, taken = work.white.reshape(n_dense, n_times * n), np.empty((q, n_loaded, n))
    combine(rows.shrink, work.cross, taken)
    dense = white @ white.T
    dense[first:, first:] -= sum_products(work.cross, taken)
    time_dense = sum_blocks(work.weighted, weight) - sum_products(taken * weight, rows.moved)
    dense_scalars, scalars = np.zeros((n_loaded, n_scalars)), np.zeros((n_scalars, n_scalars))
    time_scalars, scaled, weighted = np.zeros((n_scalars, n_times)), np.empty((n_scalars, n)), own * weight
    for k in range(q):
        if not (column_of == k).any():
            continue
        for e in range(n_scalars):
            for i in range(n):
                scaled[e, i] = rows.marginal_gram[k, column_of[e], i] * own[e, i]
        among, with_dense, with_time = own @ scaled.T, work.within[k] @ own.T, weighted @ rows.marginal[k].T
        for e in range(n_scalars):
            if column_of[e] == k:
                scalars[e], dense_scalars[:, e], time_scalars[e] = among[e], with_dense[:, e], with_time[e]
    shrunk = np.empty(blocks.moved.shape)
    combine(blocks.shrink, blocks.moved, shrunk)
    time = -sum_products(blocks.moved, shrunk * data.units)
    for b in range(len(data.units)):
        add_precision(b, blocks, data.before, data.units[b], time)
    place(dense, dense_scalars, scalars, time, time_dense, time_scalars, scalar_at, data, work)


@compiled
def place(dense, dense_scalars, scalars, time, time_dense, time_scalars, scalar_at, data, work):
    """Pieces of Q to where their columns stand; what is zero by the projection is left out of them."""
    n_slopes, last, q_matrix = len(data.slope_at), work.size - 1, work.q_matrix
    first = len(dense) - len(dense_scalars)
    q_matrix[:, :] = 0.0
    dense_at = np.empty(n_slopes + 1, dtype=np.int64)
    dense_at[:n_slopes] = data.slope_at
    dense_at[n_slopes] = last
    for a in range(n_slopes + 1):
        for b in range(n_slopes + 1):
            q_matrix[dense_at[a], dense_at[b]] = dense[a, b]
    columns = data.time_columns
    of_time = columns.T @ (time @ columns)
    with_dense, with_scalars = time_dense @ columns, time_scalars @ columns
    for a in range(len(data.time_at)):
        at = data.time_at[a]
        for b in range(len(data.time_at)):
            q_matrix[at, data.time_at[b]] = of_time[a, b]
        for z in range(len(dense_scalars)):
            q_matrix[at, dense_at[first + z]] = q_matrix[dense_at[first + z], at] = with_dense[z, a]
        for e in range(len(scalar_at)):
            q_matrix[at, scalar_at[e]] = q_matrix[scalar_at[e], at] = with_scalars[e, a]
    for e in range(len(scalar_at)):
        at = scalar_at[e]
        for z in range(len(dense_scalars)):
            q_matrix[at, dense_at[first + z]] = q_matrix[dense_at[first + z], at] = dense_scalars[z, e]
        for c in range(e, len(scalar_at)):
            q_matrix[at, scalar_at[c]] = q_matrix[scalar_at[c], at] = scalars[e, c]


@compiled
def shift_outcome(q_matrix, means):
    """Q of y - W means in place of y, in place."""
    last = len(q_matrix) - 1
    for j in range(len(means)):
        if means[j] != 0.0:
            for a in range(last + 1):
                q_matrix[a, last] -= means[j] * q_matrix[a, j]
    for j in range(len(means)):
        if means[j] != 0.0:
            for a in range(last + 1):
                q_matrix[last, a] -= means[j] * q_matrix[j, a]
