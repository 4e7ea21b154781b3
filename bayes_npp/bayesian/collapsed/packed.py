"""What the collapsed density knows of data, layout and priors, and all of it as one array."""

from typing import Any, NamedTuple

import numpy as np


class Products(NamedTuple):
    """Cross-products of the data: all that the density knows of it.

    S error scales (1, or one a unit), M pieces of the error model, R rows (units, or compressed classes of units), q
    effects a unit, P = collapsed columns + kept columns + 1 (the outcome, last).
    """

    total: np.ndarray  # (S, M, P, P); unpacked (S, M, P(P + 1) / 2)
    unit_cross: np.ndarray  # (R, M, q, P): effects' columns with [W, X, y]
    unit_gram: np.ndarray  # (R, M, q, q)
    unit_count: np.ndarray  # (R,) units whose log|A_i| the row carries
    scale_of: np.ndarray  # (R,) error scale of the row
    n_obs: np.ndarray  # (S,)
    n_first: float  # rows that start a unit
    gaps: np.ndarray  # (H,) distinct distances to the row before
    n_gaps: np.ndarray  # (H,)


class Layout(NamedTuple):
    """Which element of theta plays which part; a code of `kernel` (`ABSENT`, `KNOWN_SD`, `FLAT_SD`) where none does."""

    column_scale: np.ndarray  # (p,) element with the SD of the column's coefficient, or KNOWN_SD, FLAT_SD
    column_sd: np.ndarray  # (p,) the known SDs; added in quadrature where there is an element
    kept: np.ndarray  # (k,) elements that are coefficients of kept columns
    effect_scale: np.ndarray  # (q,) element with the SD of a unit effect, or FLAT_SD
    correlation: int  # this and what follows: ABSENT where the model has none
    error_scale: int
    autocorrelation: int
    unit_scales: int  # first of S elements: logs of units' scales if centred, else (log - common log) / spread
    unit_spread: int
    centred: int


class Priors(NamedTuple):
    """Priors of theta, one an element: support, family, parameters, log of the normalising constant.

    `lower` and `upper` bound an interval; of a positive element `upper` is the unit in which it is sampled.
    """

    support: np.ndarray  # (d,)
    family: np.ndarray  # (d,)
    parameters: np.ndarray  # (d, 3)
    lower: np.ndarray
    upper: np.ndarray
    constant: np.ndarray


def pack(products: Products, layout: Layout, priors: Priors) -> np.ndarray:
    """Products, layout and priors as one array, which compiled code takes by its address; `kernel.unpack` reads it.

    Of `total`, which is symmetric, the upper triangle alone is packed, row by row: reading it takes half the time.
    """
    upper = (..., *np.triu_indices(products.total.shape[-1]))
    floats = (
        *(products.total[upper], products.unit_cross, products.unit_gram, products.unit_count),
        *(products.n_obs, products.n_gaps),
        *(layout.column_sd, priors.parameters, priors.lower, priors.upper, priors.constant, [products.n_first]),
    )
    sizes = (*products.unit_cross.shape, len(products.total), len(products.gaps))
    lengths = (*sizes, len(layout.column_scale), len(layout.kept), len(priors.support))
    single = ("correlation", "error_scale", "autocorrelation", "unit_scales", "unit_spread", "centred")
    integers = (
        *(lengths, products.scale_of, products.gaps, layout.column_scale, layout.kept, layout.effect_scale),
        *(priors.support, priors.family, [getattr(layout, name) for name in single]),
    )
    reals = np.concatenate([np.ravel(part) for part in floats]).astype(float)
    whole = np.concatenate([np.ravel(part) for part in integers]).astype(np.int64)
    return np.concatenate([[2.0 + len(reals) + len(whole), len(reals)], reals, whole.view(float)])


class LoadingData(NamedTuple):
    """Rows of a model in which units load on columns of time, on the grid of all T periods.

    B blocks of units with one R_i^-1, R rows of outer products (units, or as few with the same sums), K columns with
    slopes, r constants of units, m columns of time, q0 known columns on which units load, the constant first. The rows
    of a block stand together, and every block has one.
    """

    x: np.ndarray  # (K, T, R)
    y: np.ndarray  # (T, R)
    constants: np.ndarray  # (r, R)
    weight: np.ndarray  # (R,) what multiplies a column of time: 1 for a unit
    sums: np.ndarray  # (K, T, B) of the columns with slopes over the units of a block
    units: np.ndarray  # (B,) how many
    time_columns: np.ndarray  # (T, m)
    known: np.ndarray  # (T, q0)
    contrasts: np.ndarray  # (T, T - 1) orthonormal
    block_of: np.ndarray  # (R,)
    scale_of: np.ndarray  # (B,) error scale of the block
    gap: np.ndarray  # (T, B) periods since the row before, 0 for the first, -1 where there is no row
    before: np.ndarray  # (T, B) period of the row before
    slope_at: np.ndarray  # (K,) this and what follows: columns of [W, X, y]
    constant_at: np.ndarray  # (r,)
    time_at: np.ndarray  # (m,)
    part_columns: np.ndarray  # (L,) columns of time on which columns with slopes keep their part


class LoadingLayout(NamedTuple):
    """`Layout` with what it lacks; the correlation of effects is always absent."""

    column_scale: np.ndarray
    column_sd: np.ndarray
    kept: np.ndarray
    effect_scale: (
        np.ndarray
    )  # (q,) element with the SD of units' coefficients, FLAT_SD, or KNOWN_SD where there are none
    means: np.ndarray  # (p,) prior means of the collapsed coefficients
    correlation: int
    error_scale: int
    autocorrelation: int
    unit_scales: int
    unit_spread: int
    centred: int
    period_scales: int  # first of T elements, logs over the spread
    period_spread: int
    factors: int  # first of K (T - 1) elements
    n_factors: int
    length_degrees: int  # `model.loadings.length_degrees`
    part_at: int  # first column of [W, X, y] with the parts of columns with slopes
    project: int  # whether columns with slopes are residuals in the metric of the errors


class LoadingMetric(NamedTuple):
    """R_i^-1 and V_i^-1 of every block, or of every row; n of them.

    R^-1 = sum_t c_t^2 (e_t - r_t e_before)(e_t - r_t e_before)'.
    """

    root: np.ndarray  # (T, n) c
    lag: np.ndarray  # (T, n) r
    present: np.ndarray  # (T, n) 1 where there is a row, 0 where there is none
    free: np.ndarray  # (n,) 1 where columns with slopes are projected and a unit has more rows than coefficients
    moved: np.ndarray  # (q, T, n) B'R^-1
    gram: np.ndarray  # (q, q, n) B'R^-1 B; of rows not filled
    shrink: np.ndarray  # (q, q, n) N: A^-1, A one plus the scaled B'R^-1 B, in units of the coefficients
    keep: np.ndarray  # (q, q, n) 1 - N B'R^-1 B
    marginal: np.ndarray  # (q, T, n) B'V^-1
    marginal_gram: np.ndarray  # (q, q, n) B'V^-1 B
    inner: np.ndarray  # (q, q, n) (B'R^-1 B)^-1, zero where not free
    gains: np.ndarray  # (q, T, n) the same times B'R^-1


class LoadingWork(NamedTuple):
    """What an evaluation at theta fills; shapes as in `LoadingData`, P columns of [W, X, y].

    Z of the K + 1 dense columns [X, y] load on B: all of them, or the outcome alone if those with slopes are projected.
    E scalars of a row multiply columns of B: its constants and the parts of its columns with slopes.
    """

    size: int
    values: np.ndarray
    slopes: np.ndarray
    log_scale: np.ndarray
    period_log: np.ndarray
    columns: np.ndarray  # (T, q) B
    blocks: LoadingMetric
    rows: LoadingMetric  # `blocks` itself where each has one row
    unit_inverse: np.ndarray  # (q, q, B) A^-1
    room: np.ndarray  # (q, q, B)
    period: np.ndarray  # (K, T) period parts of columns with slopes
    period_inverse: np.ndarray  # (T, T)
    mean: np.ndarray  # (q, K) mean over free units of their coefficients
    mean_gains: np.ndarray  # (q, T) mean over the same units of their gains
    dense: np.ndarray  # (K + 1, T, R) [X, y], residuals if X is projected
    white: np.ndarray  # (K + 1, T, R) their innovations c_t (e_t - r_t e_before)
    coefficients: np.ndarray  # (q, K, R) of X on B
    scalars: np.ndarray  # (E, R)
    weighted: np.ndarray  # (Z, T, R) R^-1 [X, y]
    cross: np.ndarray  # (q, Z, R) B'R^-1 [X, y]
    within: np.ndarray  # (q, Z, R) B'V^-1 [X, y]
    q_matrix: np.ndarray  # (P, P)


class LoadingSlopes(NamedTuple):
    """What a gradient goes through; O = -2 dL / dQ, parts of it by kinds of columns of [W, X, y]."""

    column_of: np.ndarray  # (E,) column of B that a scalar multiplies
    dense: np.ndarray  # (K + 1, K + 1) O of [X, y]
    dense_scalars: np.ndarray  # (Z, E)
    scalars: np.ndarray  # (E, E)
    time: np.ndarray  # (T, T) with W_t the columns of time, W_t O W_t'
    time_dense: np.ndarray  # (Z, T) O W_t'
    time_scalars: np.ndarray  # (E, T)
    turned: np.ndarray  # (K + 1, T, R) dense columns times O, then what else they meet in dL / dR_i^-1
    beyond: np.ndarray  # (q, T, B) what the columns of B meet there
    own: np.ndarray  # (q, K, R) dL / d coefficients
    mean: np.ndarray  # (q, K) dL / d mean
    right: np.ndarray  # (K, T) of the adjoint system of the periods
    columns: np.ndarray  # (q, T) dL / dB'
    diagonal: np.ndarray  # (T, B) dL / dR_i^-1
    beside: np.ndarray  # (T, B) the same of a row and the row before


def pack_loadings(data: LoadingData, layout: LoadingLayout, priors: Priors, n_scales: int) -> np.ndarray:
    """Everything as one array, which compiled code takes by its address; `unpack_loadings` reads it."""
    floats = (*data[:9], layout.column_sd, layout.means, priors.parameters, priors.lower, priors.upper, priors.constant)
    lengths = (
        *(len(data.weight), len(data.units), data.known.shape[0], len(data.sums), len(data.constants)),
        *(data.time_columns.shape[1], data.known.shape[1], len(data.part_columns)),
        *(len(layout.column_scale), len(layout.kept), len(layout.effect_scale), len(priors.support), n_scales),
    )
    arrays = (layout.column_scale, layout.kept, layout.effect_scale, priors.support, priors.family)
    integers = (lengths, *data[9:], *arrays, layout[5:])
    reals = np.concatenate([np.ravel(part) for part in floats]).astype(float)
    whole = np.concatenate([np.ravel(part) for part in integers]).astype(np.int64)
    return np.concatenate([[2.0 + len(reals) + len(whole), len(reals)], reals, whole.view(float)])


def unpack_loadings(packed: Any) -> Any:
    """Views of a packed array; compiled by `loading_kernel`."""
    n_reals = int(packed[1])
    f, z = packed[2 : 2 + n_reals], packed[2 + n_reals :].view(np.int64)
    n_rows, n_blocks, n_times, k, r, m, q0, n_parts, p, n_kept, q, d, n_scales = z[:13]
    at = 0
    x = f[at : at + n_rows * n_times * k].reshape(k, n_times, n_rows)
    at += n_rows * n_times * k
    y = f[at : at + n_rows * n_times].reshape(n_times, n_rows)
    at += n_rows * n_times
    constants = f[at : at + n_rows * r].reshape(r, n_rows)
    at += n_rows * r
    weight = f[at : at + n_rows]
    at += n_rows
    sums = f[at : at + n_blocks * n_times * k].reshape(k, n_times, n_blocks)
    at += n_blocks * n_times * k
    units = f[at : at + n_blocks]
    at += n_blocks
    time_columns = f[at : at + n_times * m].reshape(n_times, m)
    at += n_times * m
    known = f[at : at + n_times * q0].reshape(n_times, q0)
    at += n_times * q0
    contrasts = f[at : at + n_times * (n_times - 1)].reshape(n_times, n_times - 1)
    at += n_times * (n_times - 1)
    column_sd, means = f[at : at + p], f[at + p : at + 2 * p]
    at += 2 * p
    parameters = f[at : at + 3 * d].reshape(d, 3)
    at += 3 * d
    lower, upper, constant = f[at : at + d], f[at + d : at + 2 * d], f[at + 2 * d : at + 3 * d]
    at = 13
    block_of = z[at : at + n_rows]
    at += n_rows
    scale_of = z[at : at + n_blocks]
    at += n_blocks
    gap = z[at : at + n_blocks * n_times].reshape(n_times, n_blocks)
    at += n_blocks * n_times
    before = z[at : at + n_blocks * n_times].reshape(n_times, n_blocks)
    at += n_blocks * n_times
    slope_at, constant_at = z[at : at + k], z[at + k : at + k + r]
    at += k + r
    time_at, part_columns = z[at : at + m], z[at + m : at + m + n_parts]
    at += m + n_parts
    column_scale, kept = z[at : at + p], z[at + p : at + p + n_kept]
    at += p + n_kept
    effect_scale, support, family = z[at : at + q], z[at + q : at + q + d], z[at + q + d : at + q + 2 * d]
    at += q + 2 * d
    data = LoadingData(
        x, y, constants, weight, sums, units, time_columns, known, contrasts,
        block_of, scale_of, gap, before, slope_at, constant_at, time_at, part_columns,
    )  # fmt: skip
    layout = LoadingLayout(
        column_scale, column_sd, kept, effect_scale, means,
        z[at], z[at + 1], z[at + 2], z[at + 3], z[at + 4], z[at + 5],
        z[at + 6], z[at + 7], z[at + 8], z[at + 9], z[at + 10], z[at + 11], z[at + 12],
    )  # fmt: skip
    return data, layout, Priors(support, family, parameters, lower, upper, constant), n_scales


def framed(packed: np.ndarray, *frame: np.ndarray) -> np.ndarray:
    """What is packed with a frame behind it, or none: as `kernel.density_callback` reads it."""
    parts = [part.ravel() for part in frame]
    return np.concatenate([packed, [float(sum(map(len, parts)))], *parts])
