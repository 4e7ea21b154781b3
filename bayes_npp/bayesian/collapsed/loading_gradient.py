"""The way of `loading_forms` back, compiled: from dL / dQ to the columns of B and R_i^-1 of every unit.

Through the projection of columns with slopes it goes by its adjoint: the same system with another right-hand side. See
docs/statistics.md, section 6.3.
"""

import numpy as np

from bayes_npp.bayesian.collapsed.loading_forms import scalar_columns
from bayes_npp.bayesian.collapsed.loading_kernel import (
    collect,
    combine,
    compiled,
    loading_sds,
    sum_blocks,
    sum_products,
    weigh,
)
from bayes_npp.bayesian.collapsed.packed import LoadingSlopes


@compiled
def derivatives(outer, data, layout, work):
    """Parts of `outer` by kinds of columns, those of time taken back to periods; room for what follows."""
    n_dense, n_times, n_rows = work.dense.shape
    q, n_loaded, n_scalars = len(work.cross), work.cross.shape[1], len(work.scalars)
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
    turned = (dense @ work.dense.reshape(n_dense, n_times * n_rows)).reshape(n_dense, n_times, n_rows)
    return LoadingSlopes(
        column_of,
        dense,
        dense_scalars,
        scalars,
        columns @ (time @ columns.T),
        time_dense @ columns.T,
        time_scalars @ columns.T,
        turned,
        np.zeros((q, n_times, n_blocks)),
        np.zeros((q, n_slopes, n_rows)),
        np.zeros((q, n_slopes)),
        np.zeros((n_slopes, n_times)),
        np.zeros((q, n_times)),
        np.empty((n_times, n_blocks)),
        np.empty((n_times, n_blocks)),
    )


@compiled
def through_marginal(to, data, layout, work, gradient):
    """Through V^-1, the columns of B in rows, and the scalars: all but the projection.

    With U = sum over a block's rows of [W, X, y] O [W, X, y]', O = -2 dL / dQ and the columns with slopes left out if
    they are projected, dL / dV^-1 = -U / 2. U is the sum of Z v' symmetrised for each of the dense columns Z, B C'
    symmetrised, and the part of columns of time, which is the same in every block.
    """
    n, q, n_times = len(data.weight), len(work.cross), len(work.columns)
    n_scalars, own = len(work.scalars), work.scalars
    turned, moments = np.zeros((q, n_scalars, n)), np.zeros((q, q, n))
    for e in range(n_scalars):
        for c in range(n_scalars):
            k, factor = to.column_of[c], to.scalars[c, e]
            for i in range(n):
                turned[k, e, i] += factor * own[c, i]
        j = to.column_of[e]
        for k in range(q):
            for i in range(n):
                moments[k, j, i] += turned[k, e, i] * own[e, i]
    u_moved, rows = np.zeros((q, n_times, n)), np.zeros((q, n_times, n))
    through_dense(to, data, work, u_moved, rows)
    if layout.project:
        through_parts(to, data, work, turned)
    summed = collect((own * data.weight).reshape(1, n_scalars, n), data)[0]
    through_blocks(
        to, data, layout, work, collect(u_moved, data), collect(rows, data), collect(moments, data), summed, gradient
    )


@compiled
def through_dense(to, data, work, u_moved, rows):
    """Rows' parts of U B'R^-1 and of what the columns of B meet in [W, X, y]: those of dense columns."""
    dense, cross, moved, weight = work.dense, work.cross, work.rows.moved, data.weight
    q, n_loaded, n = cross.shape
    n_times, n_scalars, first = len(work.columns), len(work.scalars), len(dense) - n_loaded
    loads, along, v = np.empty((q, n)), np.empty((q, n)), np.empty((n_times, n))
    for z in range(n_loaded):
        loads[:, :] = 0.0
        for e in range(n_scalars):
            k, factor = to.column_of[e], to.dense_scalars[z, e]
            for i in range(n):
                loads[k, i] += factor * work.scalars[e, i]
        along[:, :] = 0.0
        for t in range(n_times):
            of_time = 2.0 * to.time_dense[z, t]
            for i in range(n):
                v[t, i] = weight[i] * of_time
            for k in range(q):
                column = 2.0 * work.columns[t, k]
                for i in range(n):
                    v[t, i] += column * loads[k, i]
            if n_loaded == 1:
                factor = to.dense[first, first]
                for i in range(n):
                    to.turned[first, t, i] += v[t, i]
                    v[t, i] += factor * dense[first, t, i]
            else:  # all dense columns load: their product with O is there already
                for i in range(n):
                    to.turned[z, t, i] += v[t, i]
                    v[t, i] = to.turned[z, t, i]
            for k in range(q):
                for i in range(n):
                    along[k, i] += v[t, i] * moved[k, t, i]
        for k in range(q):
            for t in range(n_times):
                for i in range(n):
                    outcome = dense[first + z, t, i]
                    u_moved[k, t, i] += 0.5 * (outcome * along[k, i] + v[t, i] * cross[k, z, i])
                    rows[k, t, i] += outcome * loads[k, i]


@compiled
def through_parts(to, data, work, turned):
    """To the coefficients of columns with slopes on B, by the scalars that are their parts and by B'R^-1 y = 0."""
    rows, weight, own = work.rows, data.weight, to.own
    q, n_slopes, n = own.shape
    n_times = len(work.columns)
    e, slope = len(data.constants), np.empty(n)
    for _ in range(len(data.part_columns)):
        for part in data.part_columns:
            for a in range(n_slopes):
                k, factor = to.column_of[e], to.dense_scalars[0, e]
                for i in range(n):
                    slope[i] = work.within[k, 0, i] * factor
                for t in range(n_times):
                    of_time = to.time_scalars[e, t]
                    for i in range(n):
                        slope[i] += weight[i] * of_time * rows.marginal[k, t, i]
                for j in range(q):
                    for i in range(n):
                        slope[i] += rows.marginal_gram[k, j, i] * turned[j, e, i]
                for i in range(n):
                    own[part, a, i] -= rows.free[i] * slope[i]
                e += 1
    to.mean[:, :] = -sum_blocks(own, weight)
    last = len(work.dense) - 1
    for k in range(q):
        for a in range(n_slopes):
            factor = to.dense[last, a]
            for i in range(n):
                own[k, a, i] += rows.free[i] * factor * work.cross[k, 0, i]
    to.right[:, :] = -sum_products(own * weight, rows.gains)
    outcome = work.weighted[0] @ (rows.free * weight)
    for a in range(n_slopes):
        to.right[a] += outcome * to.dense[last, a]


@compiled
def through_blocks(to, data, layout, work, u_moved, rows, moments, summed, gradient):
    """From sums over the rows of blocks to what the columns of B meet, to B, and to the SDs of units' coefficients."""
    blocks, basis, units, beyond = work.blocks, work.columns, data.units, to.beyond
    moved, gram, shrink = blocks.moved, blocks.gram, blocks.shrink
    q, n_times, n = moved.shape
    sds, direct, other = loading_sds(work.values, layout), np.zeros((q, n_times, n)), np.empty((q, n_times, n))
    for e in range(len(summed)):
        k = to.column_of[e]
        for t in range(n_times):
            factor = to.time_scalars[e, t]
            for b in range(n):
                direct[k, t, b] += factor * summed[e, b]
    along = np.empty(n)
    for k in range(q):
        of_time = to.time.T @ moved[k]
        for t in range(n_times):
            for b in range(n):
                other[k, t, b] = 0.0
            for j in range(q):
                column = basis[t, j]
                for b in range(n):
                    other[k, t, b] += moments[k, j, b] * column
            for b in range(n):
                rows[k, t, b] += direct[k, t, b] + other[k, t, b]
                other[k, t, b] += 2.0 * direct[k, t, b]
                u_moved[k, t, b] += units[b] * of_time[t, b]
    for k in range(q):
        for j in range(q):
            along[:] = 0.0
            for t in range(n_times):
                for b in range(n):
                    along[b] += other[j, t, b] * moved[k, t, b]
            for t in range(n_times):
                half = 0.5 * basis[t, j]
                for b in range(n):
                    u_moved[k, t, b] += half * along[b] + 0.5 * other[j, t, b] * gram[j, k, b]
    u_marginal, product, taken = np.empty((q, n_times, n)), np.zeros((q, q, n)), np.empty((q, q, n))
    combine(blocks.keep, u_moved, u_marginal)
    # R^-1 from V^-1 and log|A|: C less what units' coefficients take.
    for k in range(q):
        for j in range(q):
            for t in range(n_times):
                for b in range(n):
                    product[j, k, b] += moved[k, t, b] * u_moved[j, t, b]
    combine(product, shrink, taken)
    for k in range(q):
        for t in range(n_times):
            for b in range(n):
                direct[k, t, b] = units[b] * basis[t, k] - 2.0 * u_moved[k, t, b]
            for j in range(q):
                column = basis[t, j]
                for b in range(n):
                    direct[k, t, b] += taken[k, j, b] * column
    combine(shrink, direct, beyond)
    for k in range(q):
        for t in range(n_times):
            for b in range(n):
                beyond[k, t, b] += other[k, t, b]
    # B and the SDs of units' coefficients.
    for k in range(q):
        at = layout.effect_scale[k]
        if at >= 0:
            along[:] = 0.0
            for t in range(n_times):
                for b in range(n):
                    along[b] += sds[k] * blocks.marginal[k, t, b] * u_marginal[k, t, b]
            for j in range(q):
                for b in range(n):
                    along[b] -= sds[j] * units[b] * gram[k, j, b] * work.unit_inverse[j, k, b]
            gradient[at] += along.sum() * work.slopes[at]
        for t in range(n_times):
            for b in range(n):
                u_marginal[k, t, b] = sds[k] * sds[k] * u_marginal[k, t, b] - rows[k, t, b]
    add_marginal(u_marginal, data, work, to.columns)


@compiled
def add_marginal(rows, data, work, out):
    """Add the sum over blocks of rows V^-1 - units x N B'R^-1 to out (q, T); overwrites rows (q, T, B)."""
    blocks = work.blocks
    moved, (q, n_times, n) = blocks.moved, rows.shape
    product, taken = np.zeros((q, q, n)), np.empty((q, q, n))
    for k in range(q):
        for b in range(n):
            product[k, k, b] = data.units[b]
        for j in range(q):
            for t in range(n_times):
                for b in range(n):
                    product[j, k, b] += moved[j, t, b] * rows[k, t, b]
    combine(product, blocks.shrink, taken)  # row k of rows in terms of the columns of B, times N
    weigh(rows, blocks)
    for k in range(q):
        for j in range(q):
            for t in range(n_times):
                for b in range(n):
                    rows[k, t, b] -= taken[k, j, b] * moved[j, t, b]
    out += sum_blocks(rows, np.ones(n))


@compiled
def through_projection(free, to, data, work):
    """The adjoint system of the projection, then columns and metric."""
    dense, own, turned, weight = work.dense, work.coefficients, to.turned, data.weight
    (q, n_slopes, n), n_times = own.shape, len(work.columns)
    to.right[:, :] -= to.mean.T @ work.mean_gains
    period = to.right @ work.period_inverse
    adjoint, shared, rows = np.empty((q, n_slopes, n)), np.empty(n), np.zeros((q, n_times, n))
    for k in range(q):
        for a in range(n_slopes):
            mean = to.mean[k, a] / free
            for i in range(n):
                to.own[k, a, i] += weight[i] * mean
    combine(work.rows.inner, to.own, adjoint)
    for k in range(q):
        along = period @ work.rows.gains[k]
        for a in range(n_slopes):
            for i in range(n):
                adjoint[k, a, i] -= weight[i] * along[a, i]
    for a in range(n_slopes):
        for t in range(n_times):
            of_period = period[a, t]
            for i in range(n):
                shared[i] = weight[i] * of_period
            for k in range(q):
                column = work.columns[t, k]
                for i in range(n):
                    shared[i] += column * adjoint[k, a, i]
            for k in range(q):
                for i in range(n):
                    left = turned[a, t, i] - shared[i]
                    rows[k, t, i] += dense[a, t, i] * adjoint[k, a, i] + left * own[k, a, i]
            for i in range(n):
                turned[a, t, i] -= 2.0 * shared[i]
    weigh(rows, work.rows)
    to.columns[:, :] += sum_blocks(rows, np.ones(n))
