"""The collapsed likelihood and the coefficients' means at many theta, compiled: eight points at a time, side by side.

The points are the last axis of every array, so that one instruction serves several of them.
"""

import math

import numpy as np
from numba import njit

from bayes_npp.bayesian.collapsed.kernel import (
    FLAT_SD,
    coefficient_sds,
    constrain,
    effect_factor,
    eliminate_units,
    error_log_determinant,
    unit_scale_logs,
    unpack,
    workspace,
)
from bayes_npp.bayesian.model.caches import prepare_numba

LANES = 8  # points side by side: two registers of doubles on most machines; `factor_lanes` names them one by one
GROUP = 4  # factors of a product whose log is taken once

prepare_numba(__file__)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_points(thetas, packed, means, log_likelihood):
    """Fill the means (S, p) of the collapsed coefficients given theta, less prior means, and the likelihood (S,).

    Parameters
    ----------
    thetas : ndarray, shape (S, d)
    packed : ndarray
        As of `kernel.log_density`.
    means, log_likelihood : ndarray, shapes (S, p) and (S,)
        Filled; NaN where rounding leaves a matrix no Cholesky factor.
    """
    products, layout, priors = unpack(packed)
    work = workspace(thetas.shape[1], products)
    p, k_kept, size = len(layout.column_scale), len(layout.kept), len(work.q_matrix)
    starts = np.empty(size, dtype=np.int64)  # of the rows of an upper triangle
    for a in range(size):
        starts[a] = a * size - a * (a - 1) // 2
    rows, n_pieces, q, _ = products.unit_cross.shape
    linear = q <= 1 and n_pieces == 1 and len(products.n_obs) == 1  # Q is a sum of known parts, and theta their shares
    parts = np.empty((size * (size + 1) // 2, 1 + rows * q))
    if linear:
        stack_parts(products, parts)
    shares, triangle = np.zeros((1 + rows * q, LANES)), np.zeros((len(parts), LANES))
    sds, direction = np.ones((size, LANES)), np.zeros((size - p, LANES))
    half_log, log_diagonal = np.empty(LANES), np.empty(LANES)
    for first in range(0, len(thetas), LANES):
        n_points = min(LANES, len(thetas) - first)
        for lane in range(n_points):
            theta = thetas[first + lane]
            if linear:
                half_log[lane] = share_parts(theta, products, layout, priors, work, shares, lane)
            else:
                half_log[lane] = eliminate_units(theta, products, layout, priors, work)[1]
                for a in range(size):
                    for b in range(a, size):
                        triangle[starts[a] + b - a, lane] = work.q_matrix[a, b]
            coefficient_sds(work.values, layout, sds[:p, lane])
            for k in range(k_kept):
                direction[k, lane] = -work.values[layout.kept[k]]
            direction[k_kept, lane] = 1.0
        if linear:
            np.dot(parts, shares, triangle)  # lanes without a point keep the shares of one before
        scale_lanes(triangle, starts, sds, direction, layout)
        factor_lanes(triangle, starts, p)
        log_diagonals(triangle, starts, p, log_diagonal)
        solve_lanes(triangle, starts, p)
        for lane in range(n_points):
            left = triangle[starts[p], lane]
            log_likelihood[first + lane] = -half_log[lane] - log_diagonal[lane] - 0.5 * left
            for a in range(p):
                means[first + lane, a] = sds[a, lane] * triangle[starts[a] + p - a, lane]


@njit(cache=True, nogil=True, error_model="numpy")
def stack_parts(products, parts):
    """Upper triangles of which Q is a sum: all rows' cross-products, then C_i C_i' of every row of units."""
    rows, _, q, size = products.unit_cross.shape
    parts[:, 0] = products.total.ravel()
    for i in range(rows * q):
        cross, at = products.unit_cross[i, 0, 0], 0
        for a in range(size):
            for b in range(a, size):
                parts[at, 1 + i] = cross[a] * cross[b]
                at += 1


@njit(cache=True, nogil=True, error_model="numpy")
def share_parts(theta, products, layout, priors, work, shares, lane):
    """Fill the shares of all parts in Q at theta; returns log|R| / 2 + sum log|A_i| / 2."""
    constrain(theta, priors, work.values, work.slopes)
    unit_scale_logs(theta, work.values, layout, 1, work.log_scale)
    effect_factor(work.values, layout, work.factor)
    weight = math.exp(-2.0 * work.log_scale[0])
    shares[0, lane] = weight
    half_log = error_log_determinant(work.log_scale, 0.0, products, layout)
    for i in range(len(shares) - 1):
        square = work.factor[0, 0] ** 2
        a = square * weight * products.unit_gram[i, 0, 0, 0] + (0.0 if layout.effect_scale[0] == FLAT_SD else 1.0)
        shares[1 + i, lane] = -square * weight * weight / a
        half_log += products.unit_count[i] * 0.5 * math.log(a)
    return half_log


@njit(cache=True, nogil=True, error_model="numpy")
def scale_lanes(triangle, starts, sds, direction, layout):
    """From Q to [[A, r], [., y*'y*]] in its place, A = D Q D + I; the corner's kept columns are folded into it."""
    size, p = len(starts), len(starts) - len(direction)
    for a in range(p + 1):
        for lane in range(LANES):
            total = 0.0
            for b in range(p, size):
                if a < p:
                    total += triangle[starts[a] + b - a, lane] * direction[b - p, lane]
                else:
                    for c in range(p, size):
                        at = starts[min(b, c)] + abs(b - c)
                        total += direction[b - p, lane] * triangle[at, lane] * direction[c - p, lane]
            triangle[starts[a] + p - a, lane] = total
    for a in range(p):
        for b in range(a, p):
            for lane in range(LANES):
                triangle[starts[a] + b - a, lane] *= sds[a, lane] * sds[b, lane]
        for lane in range(LANES):
            triangle[starts[a] + p - a, lane] *= sds[a, lane]
            if layout.column_scale[a] != FLAT_SD:
                triangle[starts[a], lane] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def factor_lanes(triangle, starts, p):
    """A = U'U, r becomes U'^-1 r, and the corner y*'y* - r'A^-1 r."""
    for i in range(p + 1):
        for j in range(i, p + 1):
            at = starts[i] + j - i
            x0, x1, x2, x3 = triangle[at, 0], triangle[at, 1], triangle[at, 2], triangle[at, 3]
            x4, x5, x6, x7 = triangle[at, 4], triangle[at, 5], triangle[at, 6], triangle[at, 7]
            for k in range(i):
                u, v = starts[k] + i - k, starts[k] + j - k
                x0 -= triangle[u, 0] * triangle[v, 0]
                x1 -= triangle[u, 1] * triangle[v, 1]
                x2 -= triangle[u, 2] * triangle[v, 2]
                x3 -= triangle[u, 3] * triangle[v, 3]
                x4 -= triangle[u, 4] * triangle[v, 4]
                x5 -= triangle[u, 5] * triangle[v, 5]
                x6 -= triangle[u, 6] * triangle[v, 6]
                x7 -= triangle[u, 7] * triangle[v, 7]
            triangle[at, 0], triangle[at, 1], triangle[at, 2], triangle[at, 3] = x0, x1, x2, x3
            triangle[at, 4], triangle[at, 5], triangle[at, 6], triangle[at, 7] = x4, x5, x6, x7
            for lane in range(LANES):
                if i == j and i < p:
                    pivot = triangle[at, lane]
                    triangle[at, lane] = math.sqrt(pivot) if pivot > 0.0 else np.nan
                elif i < p:
                    triangle[at, lane] /= triangle[starts[i], lane]


@njit(cache=True, nogil=True, error_model="numpy")
def log_diagonals(triangle, starts, p, out):
    """Sums of the logs of U's diagonal."""
    for lane in range(LANES):
        out[lane], product = 0.0, 1.0
        for a in range(p):
            product *= triangle[starts[a], lane]
            if a % GROUP == GROUP - 1:
                out[lane] += math.log(product)
                product = 1.0
        out[lane] += math.log(product)


@njit(cache=True, nogil=True, error_model="numpy")
def solve_lanes(triangle, starts, p):
    """From U'^-1 r to A^-1 r, in place."""
    for a in range(p - 1, -1, -1):
        at = starts[a] + p - a
        for b in range(a + 1, p):
            for lane in range(LANES):
                triangle[at, lane] -= triangle[starts[a] + b - a, lane] * triangle[starts[b] + p - b, lane]
        for lane in range(LANES):
            triangle[at, lane] /= triangle[starts[a], lane]
