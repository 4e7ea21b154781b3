"""What is called of the compiled code for models in which units load on columns of time, draws of units among it.

numba's cache looks at the file of a function, not at those of what it calls. So only `entries` are kept in the cache,
and a digest of all the files behind them is in their closure, which is part of the cache's key.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import carray, cfunc, njit, types

from bayes_npp.bayesian.collapsed.kernel import cholesky, from_frame, into_frame
from bayes_npp.bayesian.collapsed.loading_density import evaluate
from bayes_npp.bayesian.collapsed.loading_forms import forward, scalar_columns
from bayes_npp.bayesian.collapsed.loading_kernel import (
    RIDGE,
    add_precision,
    compiled,
    inverse_of,
    loading_sds,
    new_work,
    unpack,
)
from bayes_npp.bayesian.model.caches import prepare_numba

prepare_numba(__file__)

SOURCES = (
    *("kernel.py", "loading_kernel.py", "loading_forms.py", "loading_gradient.py", "loading_density.py"),
    *("loading_draws.py", "packed.py"),
)


@compiled
def fill_row(i, data, layout, work, row):
    """[W, X, y] of a row, which the density does not form, shape (T, P)."""
    n_slopes = len(data.slope_at)
    at, column_of = scalar_columns(data, layout, len(work.scalars))
    for a in range(n_slopes):
        row[:, data.slope_at[a]] = work.dense[a, :, i]
    row[:, work.size - 1] = work.dense[n_slopes, :, i]
    for j in range(len(data.time_at)):
        row[:, data.time_at[j]] = data.weight[i] * data.time_columns[:, j]
    for e in range(len(at)):
        row[:, at[e]] = work.columns[:, column_of[e]] * work.scalars[e, i]


@compiled
def exact_coefficients(i, data, work):
    """Coefficients of a unit whose columns with slopes they fit exactly, of smallest size; shape (q, K)."""
    n_times, q = work.columns.shape
    n_slopes = len(data.slope_at)
    own, target = np.zeros((n_times, q)), np.zeros((n_times, n_slopes))
    gram = np.eye(n_times)
    for t in range(n_times):
        if work.rows.present[t, i] > 0.0:
            own[t] = work.columns[t]
            target[t] = data.x[:, t, i] - work.period[:, t]
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
    periods[:] = -(slopes @ work.period)
    row, error = np.empty((n_times, size)), np.empty(n_times)
    to_units = np.empty((q, n_times))
    for i in range(len(data.weight)):
        for j in range(q):
            to_units[j] = sds[j] * work.rows.moved[j, :, i]
        inverse = work.unit_inverse[:, :, data.block_of[i]].copy()
        # The upper factor of the precision, for draws of covariance its inverse.
        upper = inverse_of(inverse)[0]
        cholesky(upper, q)
        fill_row(i, data, layout, work, row)
        for t in range(n_times):
            error[t] = (row[t] * direction).sum()
        drawn = inverse @ (to_units @ error)
        noise = normals[i].copy()
        for j in range(q - 1, -1, -1):
            for k in range(j + 1, q):
                noise[j] -= upper[j, k] * noise[k]
            noise[j] /= upper[j, j]
        effects[i] = sds * (drawn + noise)
        shifts[i] = 0.0
        if not layout.project:
            continue
        if work.rows.free[i] == 0.0:
            shifts[i] = -(exact_coefficients(i, data, work) @ slopes)
            continue
        for j in range(q):
            shifts[i, j] = -(work.coefficients[j, :, i] * slopes).sum()
        at = layout.part_at
        for to in data.part_columns:
            for k in data.part_columns:
                for a in range(n_slopes):
                    shifts[i, to] -= direction[at] * (work.coefficients[k, a, i] - work.mean[k, a])
                    at += 1


class Entries(NamedTuple):
    """What is called from outside: the density in C, Q at draws, rows at one theta, draws of units."""

    callback: Any
    forms: Any
    at_theta: Any
    draws_of_units: Any


@functools.cache
def entries() -> Entries:
    """Compiled at first use."""
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in SOURCES)
    return _entries(hashlib.sha256(sources).hexdigest())


def _entries(digest: str) -> Entries:
    reals = types.CPointer(types.double)

    @cfunc(types.int64(types.uint64, reals, reals, reals, reals), cache=True)
    def callback(size, z, gradient, value, packed):
        digest  # noqa: B018 - part of the cache's key
        length = int(carray(packed, (2,))[0])
        behind = length + 1 + int(carray(packed, (length + 1,))[length])
        everything = carray(packed, (behind,))
        frame, slope, out = everything[length + 1 :], carray(gradient, (size,)), carray(value, (1,))
        out[0] = evaluate(from_frame(carray(z, (size,)), frame), everything[:length], slope)
        into_frame(slope, frame)
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
        n_times, n_rows = data.y.shape
        rows, precision = np.empty((n_rows, n_times, work.size)), np.zeros((len(data.units), n_times, n_times))
        for i in range(n_rows):
            fill_row(i, data, layout, work, rows[i])
        for b in range(len(precision)):
            add_precision(b, work.blocks, data.before, 1.0, precision[b])
        return rows, precision, work.columns * loading_sds(work.values, layout)

    @njit(cache=True, nogil=True, error_model="numpy")
    def draws_of_units(thetas, coefficients, normals, packed, effects, shifts, periods):
        digest  # noqa: B018
        data, layout, priors, n_scales = unpack(packed)
        work = new_work(thetas.shape[1], n_scales, data, layout)
        for s in range(len(thetas)):
            own, moved = effects[s], shifts[s]
            draw_units(thetas[s], coefficients[s], normals[s], data, layout, priors, work, own, moved, periods[s])

    return Entries(callback, forms, at_theta, draws_of_units)
