"""The collapsed log density and its gradient, compiled: coefficients integrated out, scales and shapes left.

Notation of docs/statistics.md, section 2, for errors R and any coefficients: with Q = [W, X, y]' R^-1 [W, X, y]
after the effects of units are eliminated, s the prior SDs of the coefficients w of W, A = s Q_ww s + 1,

    log p(y | theta) = -log|R| / 2 - sum log|A_i| / 2 - log|A| / 2 - (y*'y* - r'A^-1 r) / 2,

y* = y - X beta for coefficients kept in theta. Q is a sum of stored cross-products times functions of theta, so an
evaluation costs the same whatever the number of rows.

Everything compiled is in this one file, because numba's cache looks at the file of a function, not at
those of what it calls. `packed` holds the records it works on, and no compiled code.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import carray, cfunc, njit, types

from bayes_npp.bayesian.collapsed.packed import Layout, Priors, Products
from bayes_npp.bayesian.model.caches import prepare_numba

# Codes of prior families; bounded families carry their bounds in `lower` and `upper` of `Priors`.
FLAT, NORMAL, STUDENT_T, EXPONENTIAL, LAPLACE, GAMMA, INVERSE_GAMMA, LOG_NORMAL, UNIFORM, LKJ, SCALED_BETA = range(11)
REAL_LINE, POSITIVE, INTERVAL = range(3)
# What stands in a `Layout` in place of an element of theta: the part is absent, the prior SD is known, or infinite.
ABSENT = -1
KNOWN_SD, FLAT_SD = -1, -2


class Work(NamedTuple):
    """What an evaluation fills: natural values of theta and their slopes, error scales, weights of the pieces, the
    factor of a unit's effects, Q with the effects of units eliminated, and what `eliminate` keeps of the rows."""

    values: np.ndarray
    slopes: np.ndarray
    log_scale: np.ndarray
    piece: np.ndarray
    piece_slope: np.ndarray
    weight: np.ndarray
    factor: np.ndarray
    q_matrix: np.ndarray
    cross: np.ndarray
    keep: np.ndarray


prepare_numba(__file__)  # after Work, which indices of compiled code name


@njit(cache=True, nogil=True, error_model="numpy")
def unpack(packed):
    """Views of a packed array as `Products`, `Layout` and `Priors`."""
    n_reals = int(packed[1])
    floats, integers = packed[2 : 2 + n_reals], packed[2 + n_reals :].view(np.int64)
    rows, pieces, q, size, scales, n_gaps, p, k, d = integers[:9]
    triangle = size * (size + 1) // 2
    total = floats[: scales * pieces * triangle].reshape(scales, pieces, triangle)
    at = scales * pieces * triangle
    unit_cross = floats[at : at + rows * pieces * q * size].reshape(rows, pieces, q, size)
    at += rows * pieces * q * size
    unit_gram = floats[at : at + rows * pieces * q * q].reshape(rows, pieces, q, q)
    at += rows * pieces * q * q
    count = floats[at : at + rows]
    at += rows
    n_obs = floats[at : at + scales]
    at += scales
    n_each_gap = floats[at : at + n_gaps]
    at += n_gaps
    column_sd = floats[at : at + p]
    at += p
    parameters = floats[at : at + 3 * d].reshape(d, 3)
    at += 3 * d
    lower, upper, constant = floats[at : at + d], floats[at + d : at + 2 * d], floats[at + 2 * d : at + 3 * d]
    n_first = floats[at + 3 * d]
    at = 9
    scale_of = integers[at : at + rows]
    at += rows
    gaps = integers[at : at + n_gaps]
    at += n_gaps
    column_scale = integers[at : at + p]
    at += p
    kept = integers[at : at + k]
    at += k
    effect_scale = integers[at : at + q]
    at += q
    support, family = integers[at : at + d], integers[at + d : at + 2 * d]
    at += 2 * d
    single = integers[at : at + 6]
    products = Products(total, unit_cross, unit_gram, count, scale_of, n_obs, n_first, gaps, n_each_gap)
    layout = Layout(
        column_scale,
        column_sd,
        kept,
        effect_scale,
        single[0],
        single[1],
        single[2],
        single[3],
        single[4],
        single[5],
    )
    return products, layout, Priors(support, family, parameters, lower, upper, constant)


@njit(cache=True, nogil=True, error_model="numpy")
def constrain(theta, priors, values, slopes):
    """Values of theta on their natural scale, d value / d theta; returns the log Jacobian."""
    log_jacobian = 0.0
    for j in range(len(theta)):
        if priors.support[j] == POSITIVE:
            # A softplus in units of the prior's scale: exponential towards zero, linear in the tail.
            values[j] = priors.upper[j] * (math.log1p(math.exp(-abs(theta[j]))) + max(theta[j], 0.0))
            slopes[j] = priors.upper[j] / (1.0 + math.exp(-theta[j]))
            log_jacobian += math.log(slopes[j])
        elif priors.support[j] == INTERVAL:
            width = priors.upper[j] - priors.lower[j]
            p = 1.0 / (1.0 + math.exp(-theta[j]))
            values[j] = priors.lower[j] + width * p
            slopes[j] = width * p * (1.0 / (1.0 + math.exp(theta[j])))
            log_jacobian += math.log(slopes[j])
        else:
            values[j] = theta[j]
            slopes[j] = 1.0
    return log_jacobian


@njit(cache=True, nogil=True, error_model="numpy")
def prior_density(family, parameters, v):
    """Log density without its constant, and its derivative, at a value on the natural scale."""
    a, b, c = parameters[0], parameters[1], parameters[2]
    if family == NORMAL:
        z = (v - a) / b
        return -0.5 * z * z, -z / b
    if family == STUDENT_T:
        z = (v - b) / c
        return -0.5 * (a + 1.0) * math.log1p(z * z / a), -(a + 1.0) * z / (a + z * z) / c
    if family == EXPONENTIAL:
        return -v / a, -1.0 / a
    if family == LAPLACE:
        return -abs(v - a) / b, -np.sign(v - a) / b
    if family == GAMMA:
        return (a - 1.0) * math.log(v) - b * v, (a - 1.0) / v - b
    if family == INVERSE_GAMMA:
        return -(a + 1.0) * math.log(v) - b / v, -(a + 1.0) / v + b / (v * v)
    if family == LOG_NORMAL:
        z = (math.log(v) - a) / b
        return -0.5 * z * z - math.log(v), -(z / b + 1.0) / v
    if family == LKJ:
        return (a - 1.0) * math.log1p(-v * v), -2.0 * (a - 1.0) * v / (1.0 - v * v)
    if family == SCALED_BETA:
        return (
            (a - 1.0) * math.log(1.0 + v) + (b - 1.0) * math.log(1.0 - v),
            (a - 1.0) / (1.0 + v) - (b - 1.0) / (1.0 - v),
        )
    return 0.0, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def error_weights(rho, gaps, weights, slopes):
    """Weights of the pieces of R^-1 (innovation SD one) and their derivatives in rho.

    Pieces: the first row of a unit; then for each distance h: the row itself, the row before, both together. The
    variance of the innovation over a distance h is g = 1 + rho^2 + ... + rho^(2h-2), so the unit root has a limit.
    """
    weights[0], slopes[0] = (1.0 - rho) * (1.0 + rho), -2.0 * rho
    for k in range(len(gaps)):
        h = gaps[k]
        g, dg = innovation(rho, h)
        r, dr = rho**h, h * rho ** (h - 1)
        weights[1 + 3 * k], slopes[1 + 3 * k] = 1.0 / g, -dg / g**2
        weights[2 + 3 * k], slopes[2 + 3 * k] = r * r / g, 2.0 * r * dr / g - r * r * dg / g**2
        weights[3 + 3 * k], slopes[3 + 3 * k] = -r / g, -dr / g + r * dg / g**2


@njit(cache=True, nogil=True, error_model="numpy")
def innovation(rho, h):
    """Variance of h steps of an AR(1) whose innovations have variance one, and its derivative in rho."""
    g, dg, power = 0.0, 0.0, 1.0
    for k in range(h):
        g += power
        if k + 1 < h:
            dg += 2.0 * (k + 1) * power * rho
        power *= rho * rho
    return g, dg


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky(matrix, p):
    """Upper factor in place, rows contiguous; returns the sum of the logs of its diagonal, NaN if not positive."""
    log_diagonal = 0.0
    for k in range(p):
        pivot = matrix[k, k]
        if not pivot > 0.0:
            return np.nan
        root = math.sqrt(pivot)
        log_diagonal += math.log(root)
        for j in range(k, p):
            matrix[k, j] /= root
        for i in range(k + 1, p):
            factor = matrix[k, i]
            for j in range(i, p):
                matrix[i, j] -= factor * matrix[k, j]
    return log_diagonal


@njit(cache=True, nogil=True, error_model="numpy")
def invert(upper, p, inverse_lower, inverse):
    """(U'U)^-1 and U'^-1 (lower, rows contiguous) from an upper factor."""
    for k in range(p):
        for j in range(k):
            inverse_lower[k, j] = 0.0
        for j in range(k + 1, p):
            inverse_lower[k, j] = 0.0
        inverse_lower[k, k] = 1.0
        for i in range(k):
            factor = upper[i, k]
            for j in range(i + 1):
                inverse_lower[k, j] -= factor * inverse_lower[i, j]
        for j in range(k + 1):
            inverse_lower[k, j] /= upper[k, k]
    inverse[:, :] = 0.0
    for k in range(p):
        for i in range(k + 1):
            factor = inverse_lower[k, i]
            for j in range(k + 1):
                inverse[i, j] += factor * inverse_lower[k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def effect_factor(values, layout, factor):
    """Cholesky factor T of the covariance of a unit's effects (1 for a flat one)."""
    q = len(layout.effect_scale)
    factor[:, :] = 0.0
    for a in range(q):
        factor[a, a] = 1.0 if layout.effect_scale[a] == FLAT_SD else values[layout.effect_scale[a]]
    if layout.correlation != ABSENT:
        r = values[layout.correlation]
        factor[1, 0] = factor[1, 1] * r
        factor[1, 1] *= math.sqrt((1.0 - r) * (1.0 + r))


@njit(cache=True, nogil=True, error_model="numpy")
def unit_scale_logs(theta, values, layout, n_scales, log_scale):
    """Log of every error scale."""
    base = math.log(values[layout.error_scale]) if layout.error_scale != ABSENT else 0.0
    for s in range(n_scales):
        log_scale[s] = base
        if layout.unit_scales != ABSENT:
            z = theta[layout.unit_scales + s]
            log_scale[s] = z if layout.centred else base + z * values[layout.unit_spread]


@njit(cache=True, nogil=True, error_model="numpy")
def sandwich(left, middle, scratch, out):
    """out = left middle left', small matrices without allocation."""
    q = len(left)
    for a in range(q):
        for b in range(q):
            total = 0.0
            for c in range(q):
                total += left[a, c] * middle[c, b]
            scratch[a, b] = total
    for a in range(q):
        for b in range(q):
            total = 0.0
            for c in range(q):
                total += scratch[a, c] * left[b, c]
            out[a, b] = total


@njit(cache=True, nogil=True, error_model="numpy")
def effect_precision(factor, gram, layout, out, scratch):
    """T'BT, plus one on the diagonal of effects that are not flat."""
    q = len(factor)
    for a in range(q):
        for b in range(q):
            total = 0.0
            for c in range(q):
                total += gram[a, c] * factor[c, b]
            scratch[a, b] = total
    for a in range(q):
        for b in range(q):
            total = 0.0
            for c in range(q):
                total += factor[c, a] * scratch[c, b]
            out[a, b] = total
        if layout.effect_scale[a] != FLAT_SD:
            out[a, a] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(products, layout, weight, factor, q_matrix, cross, keep):
    """Q after eliminating the effects of units; returns the sum of log|A_i| / 2.

    `keep` is filled with (K, H, B) of every row, shape (R, 3, q, q), and `cross` with C, shape (R, q, P).
    """
    rows, n_pieces, q, size = products.unit_cross.shape
    triangle = weight.ravel() @ products.total.reshape(weight.size, -1)
    at = 0
    for a in range(size):
        for b in range(a, size):
            q_matrix[a, b] = q_matrix[b, a] = triangle[at]
            at += 1
    half_log = 0.0
    width = q * size
    flat_cross, flat_unit = cross.reshape(rows, width), products.unit_cross.reshape(rows, n_pieces, width)
    scaled = np.empty((rows, width))
    inner, small = np.empty((q, q)), np.empty((q, q))
    for i in range(rows):
        s = products.scale_of[i]
        gram = keep[i, 2]
        gram[:, :] = 0.0
        row = flat_cross[i]
        row[:] = 0.0
        for m in range(n_pieces):
            w = weight[s, m]
            for a in range(q):
                for b in range(q):
                    gram[a, b] += w * products.unit_gram[i, m, a, b]
            for j in range(width):
                row[j] += w * flat_unit[i, m, j]
        if q == 1:
            t = factor[0, 0]
            a1 = t * t * gram[0, 0] + (0.0 if layout.effect_scale[0] == FLAT_SD else 1.0)
            keep[i, 0, 0, 0] = 1.0 / a1
            keep[i, 1, 0, 0] = t * t / a1
            half_log += products.unit_count[i] * 0.5 * math.log(a1)
            for j in range(size):
                scaled[i, j] = keep[i, 1, 0, 0] * row[j]
        elif q > 1:
            effect_precision(factor, gram, layout, inner, small)
            half_log += products.unit_count[i] * cholesky(inner, q)
            invert(inner, q, small, keep[i, 0])
            sandwich(factor, keep[i, 0], small, keep[i, 1])
            scaled[i] = 0.0
            for a in range(q):
                for b in range(q):
                    for j in range(size):
                        scaled[i, a * size + j] += keep[i, 1, a, b] * cross[i, b, j]
    if q > 0:
        left, right = cross.reshape(rows * q, size), scaled.reshape(rows * q, size)
        q_matrix -= left.T @ right
    return half_log


@njit(cache=True, nogil=True, error_model="numpy")
def workspace(d, products):
    """Arrays for evaluations at theta of d elements."""
    n_scales = len(products.n_obs)
    rows, n_pieces, q, size = products.unit_cross.shape
    return Work(
        np.empty(d),
        np.empty(d),
        np.empty(n_scales),
        np.ones(n_pieces),
        np.zeros(n_pieces),
        np.empty((n_scales, n_pieces)),
        np.empty((q, q)),
        np.empty((size, size)),
        np.empty((rows, q, size)),
        np.empty((rows, 3, q, q)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate_units(theta, products, layout, priors, work):
    """Fill `work` at theta; returns the log Jacobian and log|R| / 2 + sum log|A_i| / 2."""
    log_jacobian = constrain(theta, priors, work.values, work.slopes)
    unit_scale_logs(theta, work.values, layout, len(work.log_scale), work.log_scale)
    rho = work.values[layout.autocorrelation] if layout.autocorrelation != ABSENT else 0.0
    if layout.autocorrelation != ABSENT:
        error_weights(rho, products.gaps, work.piece, work.piece_slope)
    for s in range(len(work.log_scale)):
        for m in range(len(work.piece)):
            work.weight[s, m] = work.piece[m] * math.exp(-2.0 * work.log_scale[s])
    effect_factor(work.values, layout, work.factor)
    half_log = eliminate(products, layout, work.weight, work.factor, work.q_matrix, work.cross, work.keep)
    return log_jacobian, half_log + error_log_determinant(work.log_scale, rho, products, layout)


@njit(cache=True, nogil=True, error_model="numpy")
def coefficient_sds(values, layout, sds):
    """Prior SD of every collapsed coefficient; 1 where it is flat."""
    for j in range(len(sds)):
        if layout.column_scale[j] >= 0:
            sds[j] = math.hypot(values[layout.column_scale[j]], layout.column_sd[j])
        else:
            sds[j] = layout.column_sd[j] if layout.column_scale[j] == KNOWN_SD else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def solve_coefficients(q_matrix, sds, layout, direction, a_matrix, r, u):
    """Factor A and solve for the scaled posterior mean; returns sum log diag and y*'y* - r'u."""
    p, size = len(sds), len(q_matrix)
    yy = 0.0
    for a in range(p, size):
        for b in range(p, size):
            yy += direction[a] * q_matrix[a, b] * direction[b]
    for a in range(p):
        total = 0.0
        for b in range(p, size):
            total += q_matrix[a, b] * direction[b]
        r[a] = sds[a] * total
        for b in range(a, p):
            a_matrix[a, b] = sds[a] * sds[b] * q_matrix[a, b]
        if layout.column_scale[a] != FLAT_SD:
            a_matrix[a, a] += 1.0
    log_diagonal = cholesky(a_matrix, p)
    # U'U u = r
    for a in range(p):
        u[a] = r[a]
    for a in range(p):
        u[a] /= a_matrix[a, a]
        for b in range(a + 1, p):
            u[b] -= a_matrix[a, b] * u[a]
    quadratic = yy
    for a in range(p):
        quadratic -= u[a] * u[a]
    for a in range(p - 1, -1, -1):
        for b in range(a + 1, p):
            u[a] -= a_matrix[a, b] * u[b]
        u[a] /= a_matrix[a, a]
    return log_diagonal, quadratic


@njit(cache=True, nogil=True, error_model="numpy")
def error_log_determinant(log_scale, rho, products, layout):
    """log|R| / 2."""
    half = 0.0
    for s in range(len(log_scale)):
        half += products.n_obs[s] * log_scale[s]
    if layout.autocorrelation != ABSENT:
        half -= 0.5 * products.n_first * math.log((1.0 - rho) * (1.0 + rho))
        for k in range(len(products.gaps)):
            half += 0.5 * products.n_gaps[k] * math.log(innovation(rho, products.gaps[k])[0])
    return half


@njit(cache=True, nogil=True, error_model="numpy")
def integrate_coefficients(q_matrix, values, slopes, layout, outer, gradient):
    """Integrate the collapsed coefficients out of Q; returns sum log diag and y*'y* - r'u.

    Adds to `gradient` what goes through their prior SDs and through kept coefficients, and fills `outer` (P, P) with
    -2 dL / dQ: direction direction' plus the posterior covariance of the coefficients.
    """
    p, size, k_kept = len(layout.column_scale), len(q_matrix), len(layout.kept)
    sds, direction = np.empty(p), np.empty(size)
    coefficient_sds(values, layout, sds)
    for k in range(k_kept):
        direction[p + k] = -values[layout.kept[k]]
    direction[size - 1] = 1.0
    a_matrix, r, u = np.empty((p, p)), np.empty(p), np.empty(p)
    log_diagonal, quadratic = solve_coefficients(q_matrix, sds, layout, direction, a_matrix, r, u)
    inverse_lower, inverse = np.empty((p, p)), np.empty((p, p))
    invert(a_matrix, p, inverse_lower, inverse)
    for j in range(p):
        direction[j] = -sds[j] * u[j]
        at = layout.column_scale[j]
        if at >= 0:
            share = values[at] / sds[j]
            gradient[at] += (u[j] * u[j] - (1.0 - inverse[j, j])) * share / sds[j] * slopes[at]
    for k in range(k_kept):
        total = 0.0
        for b in range(size):
            total += q_matrix[p + k, b] * direction[b]
        gradient[layout.kept[k]] += total * slopes[layout.kept[k]]
    for a in range(size):
        for b in range(size):
            outer[a, b] = direction[a] * direction[b]
    for a in range(p):
        for b in range(p):
            outer[a, b] += sds[a] * sds[b] * inverse[a, b]
    return log_diagonal, quadratic


@njit(cache=True, nogil=True, error_model="numpy")
def scale_gradient(theta, values, slopes, layout, s, scale_slope, gradient):
    """Chain rule from the log of error scale s to theta."""
    if layout.error_scale != ABSENT and not (layout.unit_scales != ABSENT and layout.centred):
        at = layout.error_scale
        gradient[at] += scale_slope / values[at] * slopes[at]
    if layout.unit_scales != ABSENT:
        at = layout.unit_scales + s
        if layout.centred:
            gradient[at] += scale_slope
        else:
            spread = layout.unit_spread
            gradient[at] += scale_slope * values[spread]
            gradient[spread] += scale_slope * theta[at] * slopes[spread]


@njit(cache=True, nogil=True, error_model="numpy")
def log_density(theta, packed, gradient, likelihood_only):
    """Log posterior density of theta (unconstrained, Jacobian included) up to -n log(2 pi) / 2; fills `gradient`.

    `packed` comes from `pack`. With `likelihood_only` the collapsed likelihood alone, its gradient still in theta.
    """
    products, layout, priors = unpack(packed)
    d = len(theta)
    n_scales = len(products.n_obs)
    _, n_pieces, q, size = products.unit_cross.shape
    work = workspace(d, products)
    log_jacobian, half_log = eliminate_units(theta, products, layout, priors, work)
    values, slopes, piece_slope, weight = work.values, work.slopes, work.piece_slope, work.weight
    log_scale, factor, q_matrix, cross, keep = work.log_scale, work.factor, work.q_matrix, work.cross, work.keep

    gradient[:] = 0.0
    outer = np.empty((size, size))
    log_diagonal, quadratic = integrate_coefficients(q_matrix, values, slopes, layout, outer, gradient)
    logp = -half_log - log_diagonal - 0.5 * quadratic
    if not np.isfinite(logp):
        return -np.inf

    triangle = np.empty(size * (size + 1) // 2)
    at = 0
    for a in range(size):
        triangle[at] = -0.5 * outer[a, a]
        at += 1
        for b in range(a + 1, size):
            triangle[at] = -outer[a, b]
            at += 1
    weight_slope = (products.total.reshape(weight.size, -1) @ triangle).reshape(n_scales, n_pieces)
    if q == 1:
        factor_slope = _rows_of_one(products, layout, factor[0, 0], outer, cross, keep, weight_slope)
        if layout.effect_scale[0] >= 0:
            at = layout.effect_scale[0]
            gradient[at] += factor_slope * slopes[at]
    elif q > 1:
        slope_matrix = _rows_of_many(products, weight, factor, outer, cross, keep, weight_slope)
        _factor_gradient(slope_matrix, values, slopes, layout, gradient)

    for s in range(n_scales):
        scale_slope = -products.n_obs[s]
        for m in range(n_pieces):
            scale_slope -= 2.0 * weight_slope[s, m] * weight[s, m]
            if layout.autocorrelation != ABSENT:
                at = layout.autocorrelation
                gradient[at] += weight_slope[s, m] * piece_slope[m] * math.exp(-2.0 * log_scale[s]) * slopes[at]
        scale_gradient(theta, values, slopes, layout, s, scale_slope, gradient)
    if layout.autocorrelation != ABSENT:
        at = layout.autocorrelation
        rho = values[at]
        total = -products.n_first * rho / ((1.0 - rho) * (1.0 + rho))
        for k in range(len(products.gaps)):
            g, dg = innovation(rho, products.gaps[k])
            total -= 0.5 * products.n_gaps[k] * dg / g
        gradient[at] += total * slopes[at]
    if likelihood_only:
        return logp
    return logp + log_jacobian + prior_gradient(theta, values, slopes, layout, priors, n_scales, gradient)


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_of_one(products, layout, t, outer, cross, keep, weight_slope):
    """Derivatives through one effect a unit: adds to those of the weights, returns that of its SD."""
    rows, n_pieces, _, size = products.unit_cross.shape
    all_moved = cross.reshape(rows, size) @ outer
    slope = 0.0
    for i in range(rows):
        c, moved, gram = cross[i, 0], all_moved[i], keep[i, 2, 0, 0]
        inverse, h = keep[i, 0, 0, 0], keep[i, 1, 0, 0]
        y = 0.0
        for a in range(size):
            y += moved[a] * c[a]
        s, count = products.scale_of[i], products.unit_count[i]
        for m in range(n_pieces):
            total = 0.0
            for a in range(size):
                total += moved[a] * products.unit_cross[i, m, 0, a]
            gram_slope = products.unit_gram[i, m, 0, 0]
            weight_slope[s, m] += h * total - 0.5 * h * h * y * gram_slope - 0.5 * count * h * gram_slope
        slope += (1.0 - gram * h) * y * t * inverse - count * gram * t * inverse
    return slope


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_of_many(products, weight, factor, outer, cross, keep, weight_slope):
    """Derivatives through several effects a unit: adds to those of the weights, returns that of T, shape (q, q)."""
    rows, n_pieces, q, size = products.unit_cross.shape
    slope = np.zeros((q, q))
    y, hyh, tk, ytk, scratch = np.empty((q, q)), np.empty((q, q)), np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    all_moved = (cross.reshape(rows * q, size) @ outer).reshape(rows, q, size)
    for i in range(rows):
        inverse, h, gram, moved = keep[i, 0], keep[i, 1], keep[i, 2], all_moved[i]
        for a in range(q):
            for b in range(a + 1):
                y[a, b] = np.dot(moved[a], cross[i, b])
                y[b, a] = y[a, b]
        sandwich(h, y, scratch, hyh)
        s, count = products.scale_of[i], products.unit_count[i]
        for m in range(n_pieces):
            total = 0.0
            for a in range(q):
                for b in range(q):
                    # With one piece its product is the whole row's over the weight.
                    along = y[b, a] / weight[s, 0]
                    if n_pieces > 1:
                        along = np.dot(moved[b], products.unit_cross[i, m, a])
                    total += h[a, b] * along
                    total -= 0.5 * (hyh[a, b] + count * h[a, b]) * products.unit_gram[i, m, a, b]
            weight_slope[s, m] += total
        for a in range(q):
            for b in range(q):
                total = 0.0
                for c in range(q):
                    total += factor[a, c] * inverse[c, b]
                tk[a, b] = total
        for a in range(q):
            for b in range(q):
                total = 0.0
                for c in range(q):
                    total += y[a, c] * tk[c, b]
                ytk[a, b] = total
        for a in range(q):  # B H Y T K and B T K share the product with B
            for b in range(q):
                total = 0.0
                for c in range(q):
                    total += h[a, c] * ytk[c, b]
                scratch[a, b] = total + count * tk[a, b]
        for a in range(q):
            for b in range(q):
                total = ytk[a, b]
                for c in range(q):
                    total -= gram[a, c] * scratch[c, b]
                slope[a, b] += total
    return slope


@njit(cache=True, nogil=True, error_model="numpy")
def _factor_gradient(slope, values, slopes, layout, gradient):
    """Chain rule from T to SDs and correlation."""
    for a in range(len(layout.effect_scale)):
        at = layout.effect_scale[a]
        if at >= 0 and not (layout.correlation != ABSENT and a == 1):
            gradient[at] += slope[a, a] * slopes[at]
    if layout.correlation != ABSENT:
        at, r = layout.effect_scale[1], values[layout.correlation]
        root = math.sqrt((1.0 - r) * (1.0 + r))
        gradient[at] += (slope[1, 0] * r + slope[1, 1] * root) * slopes[at]
        gradient[layout.correlation] += (slope[1, 0] - slope[1, 1] * r / root) * values[at] * slopes[layout.correlation]


@njit(cache=True, nogil=True, error_model="numpy")
def prior_gradient(theta, values, slopes, layout, priors, n_scales, gradient):
    """Log prior density of theta; adds its gradient and that of the Jacobian."""
    logp = 0.0
    for j in range(len(theta)):
        if layout.unit_scales != ABSENT and layout.unit_scales <= j < layout.unit_scales + n_scales:
            spread = values[layout.unit_spread] if layout.centred else 1.0
            base = math.log(values[layout.error_scale]) if layout.centred else 0.0
            z = (theta[j] - base) / spread
            logp -= 0.5 * z * z + math.log(spread) + 0.9189385332046727
            gradient[j] -= z / spread
            if layout.centred:
                gradient[layout.unit_spread] += (z * z - 1.0) / spread * slopes[layout.unit_spread]
                at = layout.error_scale
                gradient[at] += z / spread / values[at] * slopes[at]
            continue
        density, slope = prior_density(priors.family[j], priors.parameters[j], values[j])
        logp += density + priors.constant[j]
        gradient[j] += slope * slopes[j]
        if priors.support[j] == POSITIVE:
            gradient[j] += 1.0 - slopes[j] / priors.upper[j]
        elif priors.support[j] == INTERVAL:
            gradient[j] += (priors.upper[j] + priors.lower[j] - 2.0 * values[j]) / (priors.upper[j] - priors.lower[j])
    return logp


@njit(cache=True, nogil=True, error_model="numpy")
def log_priors(thetas, layout, priors, n_scales, out):
    """Log prior density of draws of theta (S, d), Jacobian included, into `out` (S,)."""
    d = thetas.shape[1]
    values, slopes, unused = np.empty(d), np.empty(d), np.empty(d)
    for draw in range(len(thetas)):
        out[draw] = constrain(thetas[draw], priors, values, slopes)
        out[draw] += prior_gradient(thetas[draw], values, slopes, layout, priors, n_scales, unused)


@njit(cache=True, nogil=True, error_model="numpy")
def draw_coefficients(thetas, normals, packed, out, log_likelihood):
    """Exact draws of the collapsed coefficients given draws of theta.

    Parameters
    ----------
    thetas : (S, d);  normals : (S, p) standard normal;  out : (S, p), filled;  log_likelihood : (S,), filled with the
    collapsed log likelihood. A theta that repeats the one before it costs next to nothing.
    """
    products, layout, priors = unpack(packed)
    work = workspace(thetas.shape[1], products)
    q_matrix, values, size = work.q_matrix, work.values, len(work.q_matrix)
    p, k_kept = len(layout.column_scale), len(layout.kept)
    sds, direction = np.empty(p), np.empty(size)
    a_matrix, r, u = np.empty((p, p)), np.empty(p), np.empty(p)
    for draw in range(len(thetas)):
        if draw > 0 and (thetas[draw] == thetas[draw - 1]).all():
            log_likelihood[draw] = log_likelihood[draw - 1]
        else:
            half_log = eliminate_units(thetas[draw], products, layout, priors, work)[1]
            coefficient_sds(values, layout, sds)
            for k in range(k_kept):
                direction[p + k] = -values[layout.kept[k]]
            direction[size - 1] = 1.0
            log_diagonal, quadratic = solve_coefficients(q_matrix, sds, layout, direction, a_matrix, r, u)
            log_likelihood[draw] = -half_log - log_diagonal - 0.5 * quadratic
        for a in range(p - 1, -1, -1):
            z = normals[draw, a]
            for b in range(a + 1, p):
                z -= a_matrix[a, b] * r[b]
            r[a] = z / a_matrix[a, a]
        for a in range(p):
            out[draw, a] = sds[a] * (u[a] + r[a])


@njit(cache=True, nogil=True, error_model="numpy")
def slope_blocks(thetas, chosen, packed, blocks, core):
    """The normal likelihood of some collapsed coefficients, all others integrated out, given draws of theta.

    Parameters
    ----------
    thetas : (S, d);  chosen : (K,) positions of the coefficients
    blocks : (S, K + 1, K + 1), filled with [[A, r], [r', y'y]]: log likelihood core - (w'A w - 2 w'r) / 2
    core : (S,), filled with the log likelihood at w = 0
    """
    products, layout, priors = unpack(packed)
    work = workspace(thetas.shape[1], products)
    q_matrix, values, size = work.q_matrix, work.values, len(work.q_matrix)
    p, k_kept, n_chosen = len(layout.column_scale), len(layout.kept), len(chosen)
    sds, direction = np.empty(p), np.zeros(size)
    is_chosen = np.zeros(p, dtype=np.bool_)
    is_chosen[chosen] = True
    others = np.flatnonzero(~is_chosen)
    order = np.concatenate((others, chosen))
    n_others = len(others)
    matrix = np.empty((p + 1, p + 1))
    for draw in range(len(thetas)):
        half_log = eliminate_units(thetas[draw], products, layout, priors, work)[1]
        coefficient_sds(values, layout, sds)
        sds[chosen] = 1.0
        for k in range(k_kept):
            direction[p + k] = -values[layout.kept[k]]
        direction[size - 1] = 1.0
        for i in range(p):
            a = order[i]
            for j in range(i, p):
                matrix[i, j] = sds[a] * sds[order[j]] * q_matrix[a, order[j]]
            if i < n_others and layout.column_scale[a] != FLAT_SD:
                matrix[i, i] += 1.0
            matrix[i, p] = 0.0
            for b in range(p, size):
                matrix[i, p] += sds[a] * q_matrix[a, b] * direction[b]
        matrix[p, p] = 0.0
        for a in range(p, size):
            for b in range(p, size):
                matrix[p, p] += direction[a] * q_matrix[a, b] * direction[b]
        # Eliminate the others, row by row of the upper triangle.
        for i in range(n_others):
            half_log += 0.5 * math.log(matrix[i, i])
            for a in range(i + 1, p + 1):
                share = matrix[i, a] / matrix[i, i]
                for b in range(a, p + 1):
                    matrix[a, b] -= share * matrix[i, b]
        for a in range(n_chosen + 1):
            for b in range(a, n_chosen + 1):
                blocks[draw, a, b] = matrix[n_others + a, n_others + b]
                blocks[draw, b, a] = blocks[draw, a, b]
        core[draw] = -half_log - 0.5 * matrix[p, p]


@njit(cache=True, nogil=True, error_model="numpy")
def draw_unit_effects(thetas, coefficients, normals, unit_cross, unit_gram, scale_of, packed, out):
    """Exact draws of the effects of units given draws of theta and of the other coefficients.

    Parameters
    ----------
    coefficients : (S, p) collapsed ones;  normals, out : (S, N, q);  unit_cross, unit_gram : of the N units.
    """
    products, layout, priors = unpack(packed)
    d, n_scales, gaps = thetas.shape[1], len(products.n_obs), products.gaps
    n_units, n_pieces, q, size = unit_cross.shape
    p, k_kept = len(layout.column_scale), len(layout.kept)
    values, slopes, log_scale = np.empty(d), np.empty(d), np.empty(n_scales)
    piece, piece_slope = np.ones(n_pieces), np.zeros(n_pieces)
    factor, direction = np.empty((q, q)), np.empty(size)
    gram, inner, scratch = np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    c, half = np.empty(q), np.empty(q)
    for draw in range(len(thetas)):
        theta = thetas[draw]
        constrain(theta, priors, values, slopes)
        unit_scale_logs(theta, values, layout, n_scales, log_scale)
        if layout.autocorrelation != ABSENT:
            error_weights(values[layout.autocorrelation], gaps, piece, piece_slope)
        effect_factor(values, layout, factor)
        for j in range(p):
            direction[j] = -coefficients[draw, j]
        for k in range(k_kept):
            direction[p + k] = -values[layout.kept[k]]
        direction[size - 1] = 1.0
        for i in range(n_units):
            precision = math.exp(-2.0 * log_scale[scale_of[i]])
            gram[:, :] = 0.0
            c[:] = 0.0
            for m in range(n_pieces):
                w = piece[m] * precision
                for a in range(q):
                    for b in range(q):
                        gram[a, b] += w * unit_gram[i, m, a, b]
                    total = 0.0
                    for j in range(size):
                        total += unit_cross[i, m, a, j] * direction[j]
                    c[a] += w * total
            # T (inner^-1 T'c + U^-1 z) with inner = U'U
            effect_precision(factor, gram, layout, inner, scratch)
            cholesky(inner, q)
            for a in range(q):
                half[a] = 0.0
                for b in range(q):
                    half[a] += factor[b, a] * c[b]
                for b in range(a):
                    half[a] -= inner[b, a] * half[b]
                half[a] /= inner[a, a]
            for a in range(q - 1, -1, -1):
                half[a] += normals[draw, i, a]
                for b in range(a + 1, q):
                    half[a] -= inner[a, b] * half[b]
                half[a] /= inner[a, a]
            for a in range(q):
                out[draw, i, a] = 0.0
                for b in range(q):
                    out[draw, i, a] += factor[a, b] * half[b]


REALS = types.CPointer(types.double)


@njit(cache=True, nogil=True, error_model="numpy")
def from_frame(z, frame):
    """Theta of z: z itself where `frame` is empty; else centre + axes z of a centre (d,) and axes (d, d) in a row."""
    size = len(z)
    return frame[:size] + frame[size:].reshape(size, size) @ z if len(frame) else z


@njit(cache=True, nogil=True, error_model="numpy")
def into_frame(gradient, frame):
    """Turn a gradient in theta into one in z, in place."""
    if len(frame):
        gradient[:] = gradient @ frame[len(gradient) :].reshape(len(gradient), len(gradient))


@cfunc(types.int64(types.uint64, REALS, REALS, REALS, REALS), cache=True)
def density_callback(size, z, gradient, value, packed):
    """`log_density` for callers in C: fills value and gradient, returns 0, or 4 where the density is not finite.

    What is packed is followed by the length of a frame, which may be 0, and the frame (`from_frame`).
    """
    length = int(carray(packed, (2,))[0])
    behind = length + 1 + int(carray(packed, (length + 1,))[length])
    everything = carray(packed, (behind,))
    frame, slope, out = everything[length + 1 :], carray(gradient, (size,)), carray(value, (1,))
    theta = from_frame(carray(z, (size,)), frame)
    out[0] = log_density(theta, everything[:length], slope, length < 0)  # False as a literal would be compiled anew
    into_frame(slope, frame)
    return 0 if np.isfinite(out[0]) else 4


@cfunc(types.int64(types.uint64, types.uint64, REALS, REALS, REALS), cache=True)
def identity_callback(size, expanded, theta, out, packed):
    """Copies theta: what a draw is expanded to."""
    carray(out, (expanded,))[:] = carray(theta, (size,))[:expanded]
    return 0
