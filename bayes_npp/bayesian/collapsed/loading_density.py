"""The collapsed log density of models in which units load on columns of time, and its gradient, compiled.

The gradient goes through the projection of columns with slopes by its adjoint: the same system solved for another
right-hand side. See docs/statistics.md, section 6.
"""

import math

import numpy as np

from bayes_npp.bayesian.collapsed.kernel import (
    ABSENT,
    innovation,
    integrate_coefficients,
    prior_gradient,
    scale_gradient,
)
from bayes_npp.bayesian.collapsed.loading_kernel import compiled, forward, loading_sds, new_work, saturated, unpack


@compiled
def evaluate(theta, packed, gradient, likelihood_only):
    """Log posterior density of theta and its gradient, as `kernel.log_density`."""
    data, layout, priors, n_scales = unpack(packed)
    work = new_work(len(theta), n_scales, data, layout)
    log_jacobian, half_log, free = forward(theta, data, layout, priors, work)
    values, slopes, columns, size = work.values, work.slopes, work.columns, work.size
    n_blocks, n_times, q, n_slopes = len(data.units), columns.shape[0], columns.shape[1], len(data.slope_at)
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
        to_precision[b] = -0.5 * inner - 0.5 * data.units[b] * (loaded @ inverse @ loaded.T.copy())
        to_loaded = precision @ (inner @ weighted) - data.units[b] * (weighted @ inverse)
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
                for to in data.part_columns:
                    for k in data.part_columns:
                        for a in range(n_slopes):
                            slope = -to_rows[t, i, at]
                            at += 1
                            to_columns[t, to] += slope * (own[k, i, a] - w * work.mean[k, a])
                            to_own[k, i, a] += slope * columns[t, to]
                            to_mean[k, a] -= slope * columns[t, to] * w
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
    for b in range(len(data.units)):
        scale, slope, count = work.log_scale[data.scale_of[b]], to_precision[b], data.units[b]
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
