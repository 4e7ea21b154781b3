"""The way of `loading_forms` back, compiled: from dL / dQ to the columns of B and R_i^-1 of every unit.

Through the projection of columns with slopes it goes by its adjoint: the same system with another right-hand side. See
docs/statistics.md, section 6.3.
"""

import numpy as np

from bayes_npp.bayesian.collapsed.loading_kernel import (
    add_weighted,
    compiled,
    loading_sds,
    scalar_columns,
)
from bayes_npp.bayesian.collapsed.packed import LoadingSlopes


@compiled
def derivatives(outer, data, layout, work):
    """Parts of `outer` by kinds of columns, those of time taken back to periods; room for what follows."""
    n_rows, n_times, n_dense = work.dense.shape
    q, n_scalars, n_loaded = work.columns.shape[1], work.scalars.shape[1], work.cross.shape[2]
    n_blocks, n_slopes, n_columns = len(data.units), n_dense - 1, len(data.time_at)
    dense_at = np.empty(n_dense, dtype=np.int64)
    dense_at[:n_slopes] = data.slope_at
    dense_at[n_slopes] = work.size - 1
    scalar_at, column_of = scalar_columns(data, layout, n_scalars)
    first = n_dense - n_loaded
    dense, scalars = np.empty((n_dense, n_dense)), np.empty((n_scalars, n_scalars))
    dense_scalars, time = np.empty((n_loaded, n_scalars)), np.empty((n_columns, n_columns))
    time_dense, time_scalars = np.empty((n_loaded, n_columns)), np.empty((n_scalars, n_columns))
    for a in range(n_dense):
        for b in range(n_dense):
            dense[a, b] = outer[dense_at[a], dense_at[b]]
    for a in range(n_columns):
        for b in range(n_columns):
            time[a, b] = outer[data.time_at[a], data.time_at[b]]
        for z in range(n_loaded):
            time_dense[z, a] = outer[dense_at[first + z], data.time_at[a]]
        for e in range(n_scalars):
            time_scalars[e, a] = outer[scalar_at[e], data.time_at[a]]
    for e in range(n_scalars):
        for z in range(n_loaded):
            dense_scalars[z, e] = outer[dense_at[first + z], scalar_at[e]]
        for c in range(n_scalars):
            scalars[e, c] = outer[scalar_at[e], scalar_at[c]]
    columns = data.time_columns
    turned = (work.dense.reshape(n_rows * n_times, n_dense) @ dense).reshape(n_rows, n_times, n_dense)
    return LoadingSlopes(
        column_of,
        dense,
        dense_scalars,
        scalars,
        columns @ (time @ columns.T),
        time_dense @ columns.T,
        time_scalars @ columns.T,
        turned,
        np.zeros((n_blocks, q, n_times)),
        np.zeros((n_rows, q, n_slopes)),
        np.zeros((q, n_slopes)),
        np.zeros((n_times, n_slopes)),
        np.zeros((q, n_times)),
        np.empty((n_blocks, n_times)),
        np.zeros((n_blocks, n_times)),
    )


@compiled
def through_marginal(to, data, layout, work, gradient):
    """Through V^-1, the columns of B in rows, and the scalars: all but the projection.

    With U = sum over a block's rows of [W, X, y] O [W, X, y]', O = -2 dL / dQ and the columns with slopes left out if
    they are projected, dL / dV^-1 = -U / 2. U is the sum of Z v' symmetrised for each of the dense columns Z, B C'
    symmetrised, and the part of columns of time, which is the same in every block.
    """
    n_times, q = work.columns.shape
    n_scalars, n_loaded, n_slopes = work.scalars.shape[1], work.cross.shape[2], len(data.slope_at)
    first = n_slopes + 1 - n_loaded
    n_constants, n_parts = data.constants.shape[1], len(data.part_columns)
    sds, column_of, basis = loading_sds(work.values, layout), to.column_of, work.columns.T.copy()
    u_moved, u_marginal, rows = np.empty((q, n_times)), np.empty((q, n_times)), np.empty((q, n_times))
    other, direct, v = np.empty((q, n_times)), np.empty((q, n_times)), np.empty(n_times)
    moments, product, summed = np.empty((q, q)), np.empty((q, q)), np.empty(n_scalars)
    turned, loads, with_time = np.empty((q, n_scalars)), np.empty((q, n_loaded)), np.empty(n_scalars)
    of_outcome, total = np.zeros((n_times, 1)), np.empty((q, n_slopes))
    sum_outcome = np.empty((n_times, 1))
    for b in range(len(data.units)):
        units, moved, marginal, gram = data.units[b], work.moved[b], work.marginal[b], work.gram[b]
        shrink, keep, marginal_gram = work.shrink[b], work.keep[b], work.marginal_gram[b]
        free = work.free[b]
        u_moved[:, :] = 0.0
        rows[:, :] = 0.0
        moments[:, :] = 0.0
        summed[:] = 0.0
        total[:, :] = 0.0
        sum_outcome[:, :] = 0.0
        if free:
            for e in range(n_constants, n_scalars):
                with_time[e] = 0.0
                for t in range(n_times):
                    with_time[e] += marginal[column_of[e], t] * to.time_scalars[e, t]
        for i in range(data.start[b], data.start[b + 1]):
            w, own, cross, within, dense = data.weight[i], work.scalars[i], work.cross[i], work.within[i], work.dense[i]
            turned[:, :] = 0.0
            for c in range(n_scalars):
                k = column_of[c]
                for e in range(n_scalars):
                    turned[k, e] += own[c] * to.scalars[c, e]
            loads[:, :] = 0.0
            for e in range(n_scalars):
                summed[e] += w * own[e]
                for k in range(q):
                    moments[k, column_of[e]] += turned[k, e] * own[e]
                for z in range(n_loaded):
                    loads[column_of[e], z] += to.dense_scalars[z, e] * own[e]
            for z in range(n_loaded):
                for t in range(n_times):
                    v[t] = w * to.time_dense[z, t]
                for k in range(q):
                    for t in range(n_times):
                        v[t] += basis[k, t] * loads[k, z]
                for t in range(n_times):
                    v[t] *= 2.0
                    to.turned[i, t, first + z] += v[t]
                    for y in range(n_loaded):
                        v[t] += to.dense[first + z, first + y] * dense[t, first + y]
                for k in range(q):
                    along = 0.0
                    for t in range(n_times):
                        along += v[t] * moved[k, t]
                    for t in range(n_times):
                        u_moved[k, t] += 0.5 * (dense[t, first + z] * along + v[t] * cross[k, z])
                        rows[k, t] += dense[t, first + z] * loads[k, z]
            if not free:
                continue
            to_own = to.own[i]
            e = n_constants
            for _ in range(n_parts):
                for p in range(n_parts):
                    part, k = data.part_columns[p], column_of[e]
                    for a in range(n_slopes):
                        slope = w * with_time[e]
                        for j in range(q):
                            slope += marginal_gram[k, j] * turned[j, e]
                        for z in range(n_loaded):
                            slope += within[k, z] * to.dense_scalars[z, e]
                        to_own[part, a] -= slope
                        to.mean[part, a] += w * slope
                        e += 1
            for k in range(q):
                for a in range(n_slopes):
                    to_own[k, a] += cross[k, 0] * to.dense[n_slopes, a]
                    total[k, a] += w * to_own[k, a]
            for t in range(n_times):
                sum_outcome[t, 0] += w * dense[t, n_slopes]
        if free:
            add_weighted(work.root[b], work.lag[b], data.before[b], sum_outcome, of_outcome)
            for t in range(n_times):
                for k in range(q):
                    for a in range(n_slopes):
                        to.right[t, a] -= work.gains[b, k, t] * total[k, a]
        # C, then U B'R^-1 and U B'V^-1.
        direct[:, :] = 0.0
        for e in range(n_scalars):
            for t in range(n_times):
                direct[column_of[e], t] += to.time_scalars[e, t] * summed[e]
        for k in range(q):
            for t in range(n_times):
                rows[k, t] += direct[k, t]
                other[k, t] = 2.0 * direct[k, t]
            for j in range(q):
                for t in range(n_times):
                    rows[k, t] += moments[k, j] * basis[j, t]
                    other[k, t] += moments[k, j] * basis[j, t]
        for k in range(q):
            for s in range(n_times):
                own_moved = units * moved[k, s]
                for t in range(n_times):
                    u_moved[k, t] += own_moved * to.time[s, t]
            for j in range(q):
                along = 0.0
                for t in range(n_times):
                    along += other[j, t] * moved[k, t]
                for t in range(n_times):
                    u_moved[k, t] += 0.5 * (basis[j, t] * along + other[j, t] * gram[j, k])
        for k in range(q):
            u_marginal[k] = 0.0
            for j in range(q):
                for t in range(n_times):
                    u_marginal[k, t] += keep[j, k] * u_moved[j, t]
        # R^-1 from V^-1 and log|A|: C less what units' coefficients take.
        for k in range(q):
            for j in range(q):
                product[k, j] = 0.0
                for t in range(n_times):
                    product[k, j] += moved[k, t] * u_moved[j, t]
        beyond = to.beyond[b]
        for k in range(q):
            for t in range(n_times):
                direct[k, t] = 2.0 * u_moved[k, t]
            for j in range(q):
                along = 0.0
                for m in range(q):
                    along += product[k, m] * shrink[m, j]
                for t in range(n_times):
                    direct[k, t] -= along * basis[j, t]
        for k in range(q):
            for t in range(n_times):
                beyond[k, t] = other[k, t]
            for j in range(q):
                for t in range(n_times):
                    beyond[k, t] += shrink[k, j] * (units * basis[j, t] - direct[j, t])
        # B and the SDs of units' coefficients.
        for k in range(q):
            at = layout.effect_scale[k]
            if at >= 0:
                along = 0.0
                for t in range(n_times):
                    along += marginal[k, t] * u_marginal[k, t]
                along *= sds[k]
                for j in range(q):
                    along -= units * gram[k, j] * sds[j] * work.unit_inverse[b, j, k]
                gradient[at] += along * work.slopes[at]
            for t in range(n_times):
                u_marginal[k, t] = sds[k] * sds[k] * u_marginal[k, t] - rows[k, t]
        add_marginal(work.root[b], work.lag[b], data.before[b], moved, shrink, u_marginal, units, product, to.columns)
    if layout.project:
        for t in range(n_times):
            for a in range(n_slopes):
                to.right[t, a] += of_outcome[t, 0] * to.dense[n_slopes, a]


@compiled
def add_marginal(root, lag, before, moved, shrink, rows, units, product, out):
    """Add rows V^-1 - units x N B'R^-1 to out, both (q, T); `product` (q, q) is room."""
    q, n_times = rows.shape
    for t in range(n_times):
        r, last = lag[t], before[t]
        for k in range(q):
            own = root[t] * root[t] * (rows[k, t] - r * rows[k, last])
            out[k, t] += own
            out[k, last] -= r * own
    for k in range(q):
        for j in range(q):
            along = units if k == j else 0.0
            for t in range(n_times):
                along += moved[j, t] * rows[k, t]
            product[k, j] = along
    for k in range(q):
        for j in range(q):
            along = 0.0
            for m in range(q):
                along += product[k, m] * shrink[m, j]
            for t in range(n_times):
                out[k, t] -= along * moved[j, t]


@compiled
def through_projection(free, to, data, work):
    """The adjoint system of the projection, then columns and metric."""
    n_times, q = work.columns.shape
    n_slopes = len(data.slope_at)
    to.right[:, :] -= work.mean_gains.T @ to.mean
    period = work.period_inverse @ to.right
    moved, adjoint, shared = np.empty((q, n_slopes)), np.empty((q, n_slopes)), np.empty(n_slopes)
    rows, weighted = np.empty((n_times, q)), np.zeros((n_times, q))
    for b in range(len(data.units)):
        if not work.free[b]:
            continue
        moved[:, :] = 0.0
        rows[:, :] = 0.0
        for k in range(q):
            for t in range(n_times):
                for a in range(n_slopes):
                    moved[k, a] += work.gains[b, k, t] * period[t, a]
        for i in range(data.start[b], data.start[b + 1]):
            w, to_own, own, turned, dense = data.weight[i], to.own[i], work.coefficients[i], to.turned[i], work.dense[i]
            for k in range(q):
                for a in range(n_slopes):
                    to_own[k, a] += w * to.mean[k, a] / free
            for k in range(q):
                for a in range(n_slopes):
                    adjoint[k, a] = -w * moved[k, a]
                for j in range(q):
                    for a in range(n_slopes):
                        adjoint[k, a] += work.inner[b, k, j] * to_own[j, a]
            for t in range(n_times):
                for a in range(n_slopes):
                    shared[a] = w * period[t, a]
                for k in range(q):
                    for a in range(n_slopes):
                        shared[a] += work.columns[t, k] * adjoint[k, a]
                for k in range(q):
                    along = 0.0
                    for a in range(n_slopes):
                        along += dense[t, a] * adjoint[k, a] + (turned[t, a] - shared[a]) * own[k, a]
                    rows[t, k] += along
                for a in range(n_slopes):
                    turned[t, a] -= 2.0 * shared[a]
        add_weighted(work.root[b], work.lag[b], data.before[b], rows, weighted)
    for k in range(q):
        for t in range(n_times):
            to.columns[k, t] += weighted[t, k]
