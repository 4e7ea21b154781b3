"""ModelData -> rows on the grid of periods, in blocks of units with one error precision."""

from collections.abc import Sequence

import numpy as np

from bayes_npp.bayesian.collapsed.packed import LoadingData
from bayes_npp.bayesian.model.loadings import PART, SLOPED, factor_basis
from bayes_npp.bayesian.model.terms import ModelData, Term

LANES = 16  # rows that compiled loops take at a time
RANK = 1e-14  # of the moments of a block, relative to the largest


def loading_data(
    data: ModelData, columns: tuple[Term, ...], part_columns: tuple[int, ...], by_unit: bool, known: np.ndarray
) -> tuple[LoadingData, LoadingData, np.ndarray]:
    """As few rows as the density needs, one row a unit, and which unit each of the latter is.

    Parameters
    ----------
    data : ModelData
    columns : tuple of Term
        Collapsed ones, then those whose coefficients are in theta.
    part_columns : tuple of int
        Columns of time on which columns with slopes keep their parts.
    by_unit : bool
        Whether every unit has an error scale of its own.
    known : ndarray, shape (T, q0)
        Known columns of time, the constant first.
    """
    design = data.design
    n_units, n_times = len(data.segments), len(design.times)
    at = np.cumsum([0, *(term.width for term in columns)])
    slope_at: list[int] = []
    constant_at: list[int] = []
    time_at: list[int] = []
    dense = [np.empty((design.n_obs, 0))]
    constants, time_columns = [np.empty((n_units, 0))], [np.empty((n_times, 0))]
    for first, term in zip(at[:-1], columns, strict=True):
        positions = list(range(first, first + term.width))
        if term.variable in SLOPED:
            slope_at += positions
            dense.append(term.rows(slice(None)))
        elif term.variable == "unit_between":
            constant_at += positions
            constants.append(term.columns[data.unit.index[data.segments]])  # of the units that have rows here
        elif term.variable == "intercept":
            time_at += positions
            time_columns.append(np.ones((n_times, 1)))
        elif term.variable != PART:
            time_at += positions
            time_columns.append(term.columns)
    x = np.zeros((n_units, n_times, len(slope_at)))
    y, present = np.zeros((n_units, n_times)), np.zeros((n_units, n_times), dtype=bool)
    x[design.unit, design.time] = np.column_stack(dense)
    y[design.unit, design.time] = data.outcome
    present[design.unit, design.time] = True
    u = np.column_stack(constants)
    patterns, member = np.unique(present, axis=0, return_inverse=True)
    member = member.ravel()
    if by_unit:
        patterns, member = present, np.arange(n_units)
    gap, before = _neighbours(patterns, np.array(design.times))
    shared = {
        "time_columns": np.column_stack(time_columns),
        "known": known,
        "contrasts": factor_basis(n_times),
        "scale_of": np.arange(n_units) if by_unit else np.zeros(len(patterns), dtype=np.int64),
        "gap": np.ascontiguousarray(gap.T),
        "before": np.ascontiguousarray(before.T),
        "slope_at": np.array(slope_at, dtype=np.int64),
        "constant_at": np.array(constant_at, dtype=np.int64),
        "time_at": np.array(time_at, dtype=np.int64),
        "part_columns": np.array(part_columns, dtype=np.int64),
        "units": np.bincount(member, minlength=len(patterns)).astype(float),
        "sums": np.stack([x[member == b].sum(axis=0).T for b in range(len(patterns))], axis=2),
    }
    whole, few = [], []
    for b in range(len(patterns)):
        own = (x[member == b], y[member == b], u[member == b], np.ones(int(shared["units"][b])))
        whole.append(own)
        few.append(_compressed(own, patterns[b]))
    return _filled_up(_laid_out(few, shared)), _laid_out(whole, shared), np.argsort(member, kind="stable")


def _laid_out(blocks: Sequence[tuple[np.ndarray, ...]], shared: dict[str, np.ndarray]) -> LoadingData:
    x, y, constants, weight = zip(*blocks, strict=True)
    return LoadingData(
        x=np.concatenate(x).T,  # (R, T, K) to (K, T, R)
        y=np.concatenate(y).T,
        constants=np.concatenate(constants).T,
        weight=np.concatenate(weight),
        block_of=np.repeat(np.arange(len(weight)), [len(part) for part in weight]),
        **shared,
    )


def _filled_up(rows: LoadingData) -> LoadingData:
    """Rows of nothing up to a multiple of `LANES`; where every block has one row, blocks of no unit as well.

    A row of weight zero whose columns are zero adds nothing. A block of no unit has errors of its own, uncorrelated
    and of the first scale, so that nothing in it is singular.
    """
    more = -len(rows.weight) % LANES

    def with_zeros(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((*array.shape[:-1], more), dtype=array.dtype)], axis=-1)

    names = ["x", "y", "constants", "weight"]
    if len(rows.weight) == len(rows.units):
        names += ["sums", "units", "scale_of", "gap", "before"]
        last = np.arange(len(rows.units), len(rows.units) + more)
    else:
        last = np.full(more, rows.block_of[-1])
    filled = {name: with_zeros(getattr(rows, name)) for name in names}
    return rows._replace(block_of=np.concatenate([rows.block_of, last]), **filled)


def _neighbours(patterns: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Periods since the row before (0 for the first, -1 without a row), and its position; shapes (B, T)."""
    gap, before = np.full(patterns.shape, -1), np.zeros(patterns.shape, dtype=np.int64)
    for b, present in enumerate(patterns):
        rows = np.flatnonzero(present)
        gap[b, rows] = np.diff(times[rows], prepend=times[rows[0]])
        before[b, rows[1:]] = rows[:-1]
    return gap, before


def _compressed(block: tuple[np.ndarray, ...], present: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fewer rows with the same sum of outer products: the density is quadratic in a unit's stacked data."""
    x, y, constants, weight = block
    n_units, n_times, n_slopes = x.shape
    rows = np.flatnonzero(present)
    stacked = np.column_stack([x[:, rows].reshape(n_units, -1), y[:, rows], constants, weight])
    if n_units <= stacked.shape[1]:
        return block
    eigenvalues, vectors = np.linalg.eigh(stacked.T @ stacked)
    keep = eigenvalues > RANK * eigenvalues.max()
    stacked = np.sqrt(eigenvalues[keep])[:, None] * vectors[:, keep].T
    at = np.cumsum([len(rows) * n_slopes, len(rows), constants.shape[1]])
    left, middle, right, last = np.split(stacked, at, axis=1)
    new_x, new_y = np.zeros((len(stacked), n_times, n_slopes)), np.zeros((len(stacked), n_times))
    new_x[:, rows] = left.reshape(len(stacked), len(rows), n_slopes)
    new_y[:, rows] = middle
    return new_x, new_y, right, last[:, 0]
