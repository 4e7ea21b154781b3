"""The collapsed log density of models in which units load on columns of time, compiled, with its gradient.

Notation of docs/statistics.md, section 6. Every unit's rows lie on the grid of all T periods, R_i^-1 zero where it has
none. B (T, q) holds the columns on which units have coefficients: a constant, known columns of time, common factors
f = sqrt(T - 1) h / |h| in the contrasts of time, h in theta. Units are in blocks of one R_i^-1. A block of many units
holds as few rows with the same sum of outer products (`loading_products`), so the cost does not grow with units.

Columns with slopes are projected on units, periods and unit x B in the metric of the errors at theta. The gradient
goes through the projection by its adjoint: the same system solved for another right-hand side.

What is compiled in from `kernel` is not seen by numba's cache, which looks at the file of a function. Only `entries`
are kept in the cache, and a digest of both files in their closure is part of their key.
"""

import functools
import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import carray, cfunc, njit, types

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.kernel import ABSENT, FLAT_SD
from bayes_npp.bayesian.collapsed.packed import LoadingWork, unpack_loadings

compiled = njit(nogil=True, error_model="numpy")
constrain, prior_gradient, unit_scale_logs = kernel.constrain, kernel.prior_gradient, kernel.unit_scale_logs
cholesky, invert, innovation = kernel.cholesky, kernel.invert, kernel.innovation
integrate_coefficients, scale_gradient = kernel.integrate_coefficients, kernel.scale_gradient
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
        gram += data.count[b] * own
        right += own @ data.sums[b]
        free += data.count[b]
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
        work.mean[:, :] += work.gains[b] @ (data.sums[b] - data.count[b] * work.period) / max(free, 1.0)
    return free


@compiled
def fill_rows(b, data, layout, work):
    """[W, X, y] of a block's rows, shape (T, rows P), into `work.rows`; `work.residual` and `.coefficients` if projected."""
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
            for l in data.part_columns:
                for k in data.part_columns:
                    for a in range(n_slopes):
                        own = coefficients[k, i * n_slopes + a] - w * work.mean[k, a]
                        rows[t, i, at] = work.columns[t, l] * own
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
    for b in range(len(data.count)):
        scale = work.log_scale[data.scale_of[b]]
        half = error_precision(b, rho, scale, work.period_log, data, layout, work.precision[b])
        half_log -= data.count[b] * half
    free = project(data, work) if layout.project else 1.0
    work.q_matrix[:, :] = 0.0
    for b in range(len(data.count)):
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
        half_log += data.count[b] * half
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
    n_blocks, n_rows, q = len(data.count), data.start[-1], n_known + layout.n_factors
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


@compiled
def evaluate(theta, packed, gradient, likelihood_only):
    """Log posterior density of theta and its gradient, as `kernel.log_density`."""
    data, layout, priors, n_scales = unpack(packed)
    work = new_work(len(theta), n_scales, data, layout)
    log_jacobian, half_log, free = forward(theta, data, layout, priors, work)
    values, slopes, columns, size = work.values, work.slopes, work.columns, work.size
    n_blocks, n_times, q, n_slopes = len(data.count), columns.shape[0], columns.shape[1], len(data.slope_at)
    gradient[:] = 0.0
    outer = np.empty((size, size))
    log_diagonal, quadratic = integrate_coefficients(work.q_matrix, values, slopes, layout, outer, gradient)
    logp = -half_log - log_diagonal - 0.5 * quadratic
    if not np.isfinite(logp):
        return -np.inf

    for j in range(len(layout.means)):  # dL / dQ from that of the shifted Q
        outer[j] -= layout.means[j] * outer[size - 1]
    for j in range(len(layout.means)):
        outer[:, j] -= layout.means[j] * outer[:, size - 1]
    sds = loading_sds(values, layout)
    to_columns = np.zeros((n_times, q))
    to_precision = np.empty((n_blocks, n_times, n_times))
    to_residual = np.zeros(len(work.residual))
    to_coefficients = np.zeros(len(work.coefficients))
    to_mean, right = np.zeros((q, n_slopes)), np.zeros((n_times, n_slopes))
    # Through V^-1 and the rows.
    for b in range(n_blocks):
        first, last = data.start[b], data.start[b + 1]
        n, precision, inverse = last - first, work.precision[b], work.unit_inverse[b]
        left = work.left[n_times * size * first : n_times * size * last]
        moved = left.reshape(n_times * n, size) @ outer
        inner = moved.reshape(n_times, n * size) @ left.reshape(n_times, n * size).T.copy()
        loaded = columns * sds
        weighted = precision @ loaded
        to_precision[b] = -0.5 * inner - 0.5 * data.count[b] * (loaded @ inverse @ loaded.T.copy())
        to_loaded = precision @ (inner @ weighted) - data.count[b] * (weighted @ inverse)
        for j in range(q):
            at = layout.effect_scale[j]
            if at >= 0:
                gradient[at] += (columns[:, j] * to_loaded[:, j]).sum() * slopes[at]
            to_columns[:, j] += to_loaded[:, j] * sds[j]
        if not layout.project or saturated(b, data, q):
            continue
        to_rows = (precision @ moved.reshape(n_times, n * size)).reshape(n_times, n, size)
        own = work.coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n, n_slopes)
        to_own = to_coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n, n_slopes)
        to_x = to_residual[n_times * n_slopes * first : n_times * n_slopes * last].reshape(n_times, n, n_slopes)
        for t in range(n_times):
            for i in range(n):
                w = data.weight[first + i]
                for a in range(n_slopes):
                    to_x[t, i, a] = -to_rows[t, i, data.slope_at[a]]
                at = layout.part_at
                for l in data.part_columns:
                    for k in data.part_columns:
                        for a in range(n_slopes):
                            slope = -to_rows[t, i, at]
                            at += 1
                            to_columns[t, l] += slope * (own[k, i, a] - w * work.mean[k, a])
                            to_own[k, i, a] += slope * columns[t, l]
                            to_mean[k, a] -= slope * columns[t, l] * w
    # Through the projection: its adjoint system, then columns and metric.
    if layout.project:
        for b in range(n_blocks):
            if saturated(b, data, q):
                continue
            first, last = data.start[b], data.start[b + 1]
            n = last - first
            to_own = to_coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n, n_slopes)
            to_x = to_residual[n_times * n_slopes * first : n_times * n_slopes * last].reshape(n_times, n, n_slopes)
            flat = to_own.reshape(q, n * n_slopes)
            flat -= columns.T.copy() @ to_x.reshape(n_times, n * n_slopes)
            total = np.zeros((q, n_slopes))
            for i in range(n):
                w = data.weight[first + i]
                to_own[:, i] += w * to_mean / free
                total += w * to_own[:, i]
                right -= w * to_x[:, i]
            right -= work.gains[b].T.copy() @ total
        period = work.period_inverse @ right
        for b in range(n_blocks):
            if saturated(b, data, q):
                continue
            first, last = data.start[b], data.start[b + 1]
            n, precision = last - first, work.precision[b]
            own = work.coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n * n_slopes)
            to_own = to_coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n * n_slopes)
            to_x = to_residual[n_times * n_slopes * first : n_times * n_slopes * last].reshape(n_times, n * n_slopes)
            residual = work.residual[n_times * n_slopes * first : n_times * n_slopes * last]
            residual = residual.reshape(n_times, n * n_slopes)
            shared = np.empty((n_times, n, n_slopes))
            for i in range(n):
                shared[:, i] = data.weight[first + i] * period
            shared = shared.reshape(n_times, n * n_slopes)
            adjoint = work.inner[b] @ to_own - work.gains[b] @ shared
            both = shared + columns @ adjoint
            to_columns += (precision @ residual) @ adjoint.T.copy() - (to_x + precision @ both) @ own.T.copy()
            cross = both @ residual.T.copy()
            to_precision[b] += 0.5 * (cross + cross.T)
    for k in range(layout.n_factors):
        at = layout.factors + k * (n_times - 1)
        h = theta[at : at + n_times - 1]
        length = math.sqrt((h * h).sum())
        along = data.contrasts.T.copy() @ to_columns[:, q - layout.n_factors + k].copy()
        share = math.sqrt(n_times - 1.0) / length
        gradient[at : at + n_times - 1] += share * (along - h * ((h * along).sum() / (length * length)))
    error_gradient(theta, to_precision, data, layout, work, gradient)
    if likelihood_only:
        return logp
    return logp + log_jacobian + prior_gradient(theta, values, slopes, layout, priors, n_scales, gradient)


@compiled
def error_gradient(theta, to_precision, data, layout, work, gradient):
    """From the derivatives in R_i^-1 to scales, scales of periods and the autocorrelation; log|R| / 2 included."""
    values, slopes = work.values, work.slopes
    remembers = layout.autocorrelation != ABSENT
    rho = values[layout.autocorrelation] if remembers else 0.0
    to_scale, to_rho = np.zeros(len(work.log_scale)), 0.0
    for b in range(len(data.count)):
        scale, slope, count = work.log_scale[data.scale_of[b]], to_precision[b], data.count[b]
        for t in range(len(work.period_log)):
            gap = data.gap[b, t]
            if gap < 0:
                continue
            weight = math.exp(-2.0 * (scale + work.period_log[t]))
            along = slope[t, t]
            if remembers and gap == 0:
                along *= (1.0 - rho) * (1.0 + rho)
                to_rho -= 2.0 * rho * weight * slope[t, t] + count * rho / ((1.0 - rho) * (1.0 + rho))
            elif remembers:
                before, r, dr = data.before[b, t], rho**gap, gap * rho ** (gap - 1)
                g, dg = innovation(rho, gap)
                along = (slope[t, t] + r * r * slope[before, before] - 2.0 * r * slope[t, before]) / g
                to_rho += weight * 2.0 * dr * (r * slope[before, before] - slope[t, before]) / g
                to_rho -= weight * along * dg / g + 0.5 * count * dg / g
            own = -2.0 * weight * along - count
            to_scale[data.scale_of[b]] += own
            if layout.period_scales != ABSENT:
                at = layout.period_scales + t
                gradient[at] += own * values[layout.period_spread]
                gradient[layout.period_spread] += own * theta[at] * slopes[layout.period_spread]
    for s in range(len(to_scale)):
        scale_gradient(theta, values, slopes, layout, s, to_scale[s], gradient)
    if remembers:
        gradient[layout.autocorrelation] += to_rho * slopes[layout.autocorrelation]


@compiled
def exact_coefficients(b, i, data, work):
    """Coefficients of a unit whose columns with slopes they fit exactly, of smallest size; shape (q, K)."""
    n_times, q = work.columns.shape
    n_slopes, first = len(data.slope_at), data.start[b]
    n = data.start[b + 1] - first
    own, target = np.zeros((n_times, q)), np.zeros((n_times, n_slopes))
    gram = np.eye(n_times)
    for t in range(n_times):
        if data.gap[b, t] >= 0:
            own[t] = work.columns[t]
            at = n_times * n_slopes * first + (t * n + i) * n_slopes
            target[t] = data.x[at : at + n_slopes] - work.period[t]
            gram[t, t] = RIDGE
    return own.T.copy() @ (inverse_of(gram + own @ own.T.copy())[0] @ target)


@compiled
def draw_units(theta, coefficients, normals, data, layout, priors, work, effects, shifts, periods):
    """Exact draws of units' coefficients at one theta given w, and what the projection takes from units and periods.

    coefficients : (p,) w, prior means included;  normals, effects, shifts : (R, q);  periods : (T,)
    """
    forward(theta, data, layout, priors, work)
    p, size, q, n_times = len(coefficients), work.size, work.columns.shape[1], work.columns.shape[0]
    n_slopes, values = len(data.slope_at), work.values
    direction = np.empty(size)
    direction[:p] = -coefficients
    for k in range(len(layout.kept)):
        direction[p + k] = -values[layout.kept[k]]
    direction[size - 1] = 1.0
    slopes = np.empty(n_slopes)
    for a in range(n_slopes):
        slopes[a] = -direction[data.slope_at[a]]
    sds = loading_sds(values, layout)
    loaded = work.columns * sds
    periods[:] = -(work.period @ slopes)
    for b in range(len(data.count)):
        first, last = data.start[b], data.start[b + 1]
        n = last - first
        rows = work.rows[n_times * size * first : n_times * size * last].reshape(n_times, n, size)
        own = work.coefficients[q * n_slopes * first : q * n_slopes * last].reshape(q, n, n_slopes)
        to_units = loaded.T.copy() @ work.precision[b]
        # The upper factor of the precision, for draws of covariance its inverse.
        upper = inverse_of(work.unit_inverse[b])[0]
        cholesky(upper, q)
        for i in range(n):
            error = np.empty(n_times)
            for t in range(n_times):
                error[t] = (rows[t, i] * direction).sum()
            drawn = work.unit_inverse[b] @ (to_units @ error)
            noise = normals[first + i].copy()
            for j in range(q - 1, -1, -1):
                for k in range(j + 1, q):
                    noise[j] -= upper[j, k] * noise[k]
                noise[j] /= upper[j, j]
            effects[first + i] = sds * (drawn + noise)
            shifts[first + i] = 0.0
            if not layout.project:
                continue
            if saturated(b, data, q):
                shifts[first + i] = -(exact_coefficients(b, i, data, work) @ slopes)
                continue
            for j in range(q):
                shifts[first + i, j] = -(own[j, i] * slopes).sum()
            at = layout.part_at
            for l in data.part_columns:
                for k in data.part_columns:
                    for a in range(n_slopes):
                        shifts[first + i, l] -= direction[at] * (own[k, i, a] - work.mean[k, a])
                        at += 1


class Entries(NamedTuple):
    """What is called from outside: the density for callers in C and in Python, Q at draws, rows at one theta, draws."""

    callback: Any
    log_density: Any
    forms: Any
    at_theta: Any
    draws_of_units: Any


@functools.cache
def entries() -> Entries:
    """Compiled at first use."""
    files = (Path(__file__), Path(str(kernel.__file__)), Path(__file__).with_name("packed.py"))
    return _entries(hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest())


def _entries(digest: str) -> Entries:
    reals = types.CPointer(types.double)

    @njit(cache=True, nogil=True, error_model="numpy")
    def log_density(theta, packed, gradient, likelihood_only):
        digest  # noqa: B018 - part of the cache's key
        return evaluate(theta, packed, gradient, likelihood_only)

    @cfunc(types.int64(types.uint64, reals, reals, reals, reals), cache=True)
    def callback(size, theta, gradient, value, packed):
        digest  # noqa: B018
        header = carray(packed, (2,))
        everything = carray(packed, (int(header[0]),))
        out = carray(value, (1,))
        out[0] = evaluate(carray(theta, (size,)), everything, carray(gradient, (size,)), False)
        return 0 if np.isfinite(out[0]) else 4

    @njit(cache=True, nogil=True, error_model="numpy")
    def forms(thetas, packed, q_matrices, half_logs):
        digest  # noqa: B018
        data, layout, priors, n_scales = unpack(packed)
        work = new_work(thetas.shape[1], n_scales, data, layout)
        for draw in range(len(thetas)):
            half_logs[draw] = forward(thetas[draw], data, layout, priors, work)[1]
            q_matrices[draw] = work.q_matrix

    @njit(cache=True, nogil=True, error_model="numpy")
    def at_theta(theta, packed):
        digest  # noqa: B018
        data, layout, priors, n_scales = unpack(packed)
        work = new_work(len(theta), n_scales, data, layout)
        forward(theta, data, layout, priors, work)
        return work

    @njit(cache=True, nogil=True, error_model="numpy")
    def draws_of_units(thetas, coefficients, normals, packed, effects, shifts, periods):
        digest  # noqa: B018
        data, layout, priors, n_scales = unpack(packed)
        work = new_work(thetas.shape[1], n_scales, data, layout)
        for s in range(len(thetas)):
            own, moved = effects[s], shifts[s]
            draw_units(thetas[s], coefficients[s], normals[s], data, layout, priors, work, own, moved, periods[s])

    return Entries(callback, log_density, forms, at_theta, draws_of_units)
