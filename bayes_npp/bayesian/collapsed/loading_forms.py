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
    add_products,
    add_weighted,
    compiled,
    eliminate,
    error_terms,
    fill_dense,
    fill_scalars,
    loading_columns,
    loading_sds,
    project,
    scalar_columns,
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
    fill_dense(data, layout, work)
    fill_scalars(data, layout, work)
    load(data, work)
    cross_products(data, layout, work)
    shift_outcome(work.q_matrix, layout.means)
    return log_jacobian, half_log, free


@compiled
def load(data, work):
    """Dense columns in units of the errors' innovations; B'R^-1 and B'V^-1 times those on which B has a weight.

    If columns with slopes are projected that is the outcome alone: B'R^-1 x = 0.
    """
    n_times, n_dense = work.dense.shape[1:]
    q, n_loaded = work.cross.shape[1:]
    first = n_dense - n_loaded
    for b in range(len(data.units)):
        root, lag, previous, moved, keep = work.root[b], work.lag[b], data.before[b], work.moved[b], work.keep[b]
        for i in range(data.start[b], data.start[b + 1]):
            dense, white, cross, within = work.dense[i], work.white[i], work.cross[i], work.within[i]
            for t in range(n_times):
                before = previous[t]
                for a in range(n_dense):
                    white[t, a] = root[t] * (dense[t, a] - lag[t] * dense[before, a])
            for z in range(n_loaded):
                for k in range(q):
                    total = 0.0
                    for t in range(n_times):
                        total += moved[k, t] * dense[t, first + z]
                    cross[k, z] = total
                for k in range(q):
                    total = 0.0
                    for j in range(q):
                        total += keep[j, k] * cross[j, z]
                    within[k, z] = total


@compiled
def cross_products(data, layout, work):
    """Q, the outcome not yet less prior means."""
    n_rows, n_scalars = work.scalars.shape
    n_times, q, n_loaded = work.columns.shape[0], work.cross.shape[1], work.cross.shape[2]
    n_dense = work.dense.shape[2]
    scalar_at, column_of = scalar_columns(data, layout, n_scalars)
    first = n_dense - n_loaded
    white = work.white.reshape(n_rows * n_times, n_dense)
    dense = white.T @ white
    dense_scalars, scalars = np.zeros((n_loaded, n_scalars)), np.zeros((n_scalars, n_scalars))
    time, time_dense, time_scalars = (
        np.zeros((n_times, n_times)),
        np.zeros((n_times, n_loaded)),
        np.zeros((n_scalars, n_times)),
    )
    scaled, summed, total_dense = np.empty((q, n_scalars)), np.empty(n_scalars), np.empty((n_times, n_loaded))
    total_cross, taken = np.empty((q, n_loaded)), np.empty((q, n_times))
    for b in range(len(data.units)):
        shrink, gram, moved, marginal = work.shrink[b], work.marginal_gram[b], work.moved[b], work.marginal[b]
        summed[:] = 0.0
        total_dense[:, :] = 0.0
        total_cross[:, :] = 0.0
        for i in range(data.start[b], data.start[b + 1]):
            own, cross, within, w = work.scalars[i], work.cross[i], work.within[i], data.weight[i]
            for k in range(q):
                for z in range(n_loaded):
                    total = 0.0
                    for j in range(q):
                        total += shrink[k, j] * cross[j, z]
                    for y in range(n_loaded):
                        dense[first + y, first + z] -= cross[k, y] * total
                    total_cross[k, z] += w * total
            for t in range(n_times):
                for z in range(n_loaded):
                    total_dense[t, z] += w * work.dense[i, t, first + z]
            for e in range(n_scalars):
                summed[e] += w * own[e]
                for z in range(n_loaded):
                    dense_scalars[z, e] += within[column_of[e], z] * own[e]
                for k in range(q):
                    scaled[k, e] = gram[k, column_of[e]] * own[e]
            for e in range(n_scalars):
                factor, k = own[e], column_of[e]
                for c in range(e, n_scalars):
                    scalars[e, c] += factor * scaled[k, c]
        root, lag, before = work.root[b], work.lag[b], data.before[b]
        add_weighted(root, lag, before, total_dense, time_dense)
        for t in range(n_times):
            for k in range(q):
                for z in range(n_loaded):
                    time_dense[t, z] -= moved[k, t] * total_cross[k, z]
        for e in range(n_scalars):
            for t in range(n_times):
                time_scalars[e, t] += summed[e] * marginal[column_of[e], t]
        add_precision(root, lag, before, data.units[b], time)
        taken[:, :] = 0.0
        for k in range(q):
            for j in range(q):
                for t in range(n_times):
                    taken[k, t] += shrink[k, j] * moved[j, t]
        add_products(moved, taken, -data.units[b], time)
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
    with_dense, with_scalars = columns.T @ time_dense, time_scalars @ columns
    for a in range(len(data.time_at)):
        at = data.time_at[a]
        for b in range(len(data.time_at)):
            q_matrix[at, data.time_at[b]] = of_time[a, b]
        for z in range(len(dense_scalars)):
            q_matrix[at, dense_at[first + z]] = q_matrix[dense_at[first + z], at] = with_dense[a, z]
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
