"""The collapsed log density of models in which units load on columns of time, and its gradient, compiled.

Of the derivative in R_i^-1 only the entries are made on which errors depend. See docs/statistics.md, section 6.
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
from bayes_npp.bayesian.collapsed.loading_forms import forward
from bayes_npp.bayesian.collapsed.loading_gradient import derivatives, through_marginal, through_projection
from bayes_npp.bayesian.collapsed.loading_kernel import collect, compiled, new_work, unpack


@compiled
def evaluate(theta, packed, gradient):
    """Log posterior density of theta and its gradient, as `kernel.log_density`."""
    data, layout, priors, n_scales = unpack(packed)
    work = new_work(len(theta), n_scales, data, layout)
    log_jacobian, half_log, free = forward(theta, data, layout, priors, work)
    values, slopes, size = work.values, work.slopes, work.size
    gradient[:] = 0.0
    outer = np.empty((size, size))
    log_diagonal, quadratic = integrate_coefficients(work.q_matrix, values, slopes, layout, outer, gradient)
    logp = -half_log - log_diagonal - 0.5 * quadratic
    if not np.isfinite(logp):
        return -np.inf

    last = size - 1
    for j in range(len(layout.means)):  # -2 dL / dQ from that of the shifted Q
        if layout.means[j] != 0.0:
            for a in range(size):
                outer[j, a] -= layout.means[j] * outer[last, a]
    for j in range(len(layout.means)):
        if layout.means[j] != 0.0:
            for a in range(size):
                outer[a, j] -= layout.means[j] * outer[a, last]
    to = derivatives(outer, data, layout, work)
    through_marginal(to, data, layout, work, gradient)
    if layout.project:
        through_projection(free, to, data, work)
    n_times, q = work.columns.shape
    log_lengths = 0.0
    for k in range(layout.n_factors):
        at = layout.factors + k * (n_times - 1)
        h = theta[at : at + n_times - 1]
        length = math.sqrt((h * h).sum())
        along = data.contrasts.T @ to.columns[q - layout.n_factors + k]
        share = math.sqrt(n_times - 1.0) / length
        gradient[at : at + n_times - 1] += share * (along - h * ((h * along).sum() / (length * length)))
        log_lengths += layout.length_degrees * math.log(length)
        gradient[at : at + n_times - 1] += (layout.length_degrees / (length * length)) * h
    through_errors(to, data, layout, work)
    error_gradient(theta, to, data, layout, work, gradient)
    return logp + log_jacobian + log_lengths + prior_gradient(theta, values, slopes, layout, priors, n_scales, gradient)


@compiled
def through_errors(to, data, layout, work):
    """dL / dR_i^-1 on its diagonal, and beside it where errors remember."""
    blocks, n_times, n = work.blocks, len(work.columns), len(data.units)
    own, across = products_of(work.dense, to.turned, work.rows)
    own, across = collect(own, data), collect(across, data)
    basis = np.empty(to.beyond.shape)
    for k in range(len(basis)):
        for t in range(n_times):
            basis[k, t] = work.columns[t, k]
    of_basis, basis_across = products_of(basis, to.beyond, blocks)
    for t in range(n_times):
        for b in range(n):
            to.diagonal[t, b] = -0.5 * (own[0, t, b] + of_basis[0, t, b] + data.units[b] * to.time[t, t])
            to.beside[t, b] = -0.25 * (across[0, t, b] + basis_across[0, t, b])
            to.beside[t, b] -= 0.5 * data.units[b] * to.time[t, data.before[t, b]]


@compiled
def products_of(left, right, metric):
    """Sums over a of left_t right_t, and of left_t right_before + left_before right_t; (k, T, n) make (1, T, n)."""
    n_times, n = metric.root.shape
    own, across = np.zeros((1, n_times, n)), np.zeros((1, n_times, n))
    left_before, right_before = np.empty(n), np.empty(n)
    for a in range(len(left)):
        left_before[:] = right_before[:] = 0.0
        for t in range(n_times):
            for i in range(n):
                x, z, here = left[a, t, i], right[a, t, i], metric.present[t, i] > 0.0
                own[0, t, i] += x * z
                across[0, t, i] += x * right_before[i] + left_before[i] * z
                left_before[i] = x if here else left_before[i]
                right_before[i] = z if here else right_before[i]
    return own, across


@compiled
def error_gradient(theta, to, data, layout, work, gradient):
    """From the derivatives in R_i^-1 to scales, scales of periods and the autocorrelation; log|R| / 2 included."""
    values, slopes = work.values, work.slopes
    remembers = layout.autocorrelation != ABSENT
    rho = values[layout.autocorrelation] if remembers else 0.0
    to_scale, to_rho = np.zeros(len(work.log_scale)), 0.0
    for b in range(len(data.units)):
        scale, diagonal, count = work.log_scale[data.scale_of[b]], to.diagonal[:, b], data.units[b]
        for t in range(len(work.period_log)):
            gap = data.gap[t, b]
            if gap < 0:
                continue
            weight = math.exp(-2.0 * (scale + work.period_log[t]))
            along = diagonal[t]
            if remembers and gap == 0:
                along *= (1.0 - rho) * (1.0 + rho)
                to_rho -= 2.0 * rho * weight * diagonal[t] + count * rho / ((1.0 - rho) * (1.0 + rho))
            elif remembers:
                before, r, dr = data.before[t, b], rho**gap, gap * rho ** (gap - 1)
                g, dg = innovation(rho, gap)
                along = (diagonal[t] + r * r * diagonal[before] - 2.0 * r * to.beside[t, b]) / g
                to_rho += weight * 2.0 * dr * (r * diagonal[before] - to.beside[t, b]) / g
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
