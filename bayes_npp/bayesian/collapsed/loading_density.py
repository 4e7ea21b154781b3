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
from bayes_npp.bayesian.collapsed.loading_kernel import compiled, new_work, unpack


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
    n_times, q = work.columns.shape
    remembers = layout.autocorrelation != ABSENT
    for b in range(len(data.units)):
        beyond = to.beyond[b]
        for t in range(n_times):
            along = data.units[b] * to.time[t, t]
            for k in range(q):
                along += work.columns[t, k] * beyond[k, t]
            for i in range(data.start[b], data.start[b + 1]):
                for a in range(work.dense.shape[2]):
                    along += work.dense[i, t, a] * to.turned[i, t, a]
            to.diagonal[b, t] = -0.5 * along
            if not remembers or data.gap[b, t] <= 0:
                continue
            before, along = data.before[b, t], 0.0
            for k in range(q):
                along += work.columns[t, k] * beyond[k, before] + work.columns[before, k] * beyond[k, t]
            for i in range(data.start[b], data.start[b + 1]):
                for a in range(work.dense.shape[2]):
                    along += work.dense[i, t, a] * to.turned[i, before, a]
                    along += work.dense[i, before, a] * to.turned[i, t, a]
            to.beside[b, t] = -0.5 * (data.units[b] * to.time[t, before] + 0.5 * along)


@compiled
def error_gradient(theta, to, data, layout, work, gradient):
    """From the derivatives in R_i^-1 to scales, scales of periods and the autocorrelation; log|R| / 2 included."""
    values, slopes = work.values, work.slopes
    remembers = layout.autocorrelation != ABSENT
    rho = values[layout.autocorrelation] if remembers else 0.0
    to_scale, to_rho = np.zeros(len(work.log_scale)), 0.0
    for b in range(len(data.units)):
        scale, diagonal, count = work.log_scale[data.scale_of[b]], to.diagonal[b], data.units[b]
        for t in range(len(work.period_log)):
            gap = data.gap[b, t]
            if gap < 0:
                continue
            weight = math.exp(-2.0 * (scale + work.period_log[t]))
            along = diagonal[t]
            if remembers and gap == 0:
                along *= (1.0 - rho) * (1.0 + rho)
                to_rho -= 2.0 * rho * weight * diagonal[t] + count * rho / ((1.0 - rho) * (1.0 + rho))
            elif remembers:
                before, r, dr = data.before[b, t], rho**gap, gap * rho ** (gap - 1)
                g, dg = innovation(rho, gap)
                along = (diagonal[t] + r * r * diagonal[before] - 2.0 * r * to.beside[b, t]) / g
                to_rho += weight * 2.0 * dr * (r * diagonal[before] - to.beside[b, t]) / g
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
