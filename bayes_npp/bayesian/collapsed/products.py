"""ModelData -> the cross-products the collapsed density needs, in one pass over the rows."""

import numpy as np

from bayes_npp.bayesian.collapsed.few_rows import few_rows
from bayes_npp.bayesian.collapsed.packed import Products
from bayes_npp.bayesian.model.terms import ModelData, Term

CHUNK = 200_000  # rows laid out at a time


def cross_products(
    data: ModelData, columns: tuple[Term, ...], effects: tuple[Term, ...]
) -> tuple[Products, np.ndarray, np.ndarray]:
    """One pass over the rows: everything the density needs to know of the data."""
    parts = data.design.spec.error_parts
    starts = np.append(data.segments, data.design.n_obs)
    n_units = len(data.segments)
    distance = data.gaps
    first = distance == 0
    gaps = np.unique(distance[~first]) if "ar1" in parts else np.empty(0, dtype=np.int64)
    n_pieces = 1 + 3 * len(gaps)
    q, size = len(effects), sum(term.width for term in columns) + 1
    by_unit = "unit_scale" in parts
    total = np.zeros((n_units if by_unit else 1, n_pieces, size, size))
    unit_cross = np.zeros((n_units, n_pieces, q, size))
    unit_gram = np.zeros((n_units, n_pieces, q, q))
    step = max(1, CHUNK // max(1, data.design.n_obs // n_units))
    for begin in range(0, n_units, step):
        end = min(begin + step, n_units)
        rows = slice(starts[begin], starts[end])
        dense = np.column_stack([*(term.rows(rows) for term in columns), data.outcome[rows]])
        inner = np.column_stack([term.rows(rows) for term in effects]) if q else np.empty((len(dense), 0))
        if data.se is not None:
            dense, inner = dense / data.se[rows, None], inner / data.se[rows, None]
        own = data.design.unit[rows] - begin
        for m, (left, right, symmetric) in enumerate(_pieces(first[rows], distance[rows], gaps, "ar1" in parts)):
            where = own[left]
            if by_unit:
                bounds = np.searchsorted(where, np.arange(end - begin + 1))
                for i in range(end - begin):
                    some = slice(bounds[i], bounds[i + 1])
                    total[begin + i, m] = _product(dense[left[some]], dense[right[some]], symmetric)
            else:
                total[0, m] += _product(dense[left], dense[right], symmetric)
            for a in range(q):
                cross = inner[left, a, None] * dense[right]
                if symmetric:
                    cross += inner[right, a, None] * dense[left]
                unit_cross[begin:end, m, a] = _segment_sums(cross, where, end - begin)
                gram = inner[left, a, None] * inner[right]
                if symmetric:
                    gram += inner[right, a, None] * inner[left]
                unit_gram[begin:end, m, a] = _segment_sums(gram, where, end - begin)
    rows_cross, rows_gram, count = (unit_cross, unit_gram, np.ones(n_units))
    if not by_unit and q == 1:
        rows_cross, rows_gram, count = compress(unit_cross, unit_gram)
    elif not by_unit and q > 1 and all(term.scale for term in effects) and not data.design.spec.slope_correlation:
        rows_cross, rows_gram, count = few_rows(unit_cross, unit_gram) or (rows_cross, rows_gram, count)
    products = Products(
        total=total,
        unit_cross=rows_cross,
        unit_gram=rows_gram,
        unit_count=count,
        scale_of=np.arange(n_units) if by_unit else np.zeros(len(rows_cross), dtype=np.int64),
        n_obs=np.diff(starts).astype(float) if by_unit else np.array([float(data.design.n_obs)]),
        n_first=float(n_units),
        gaps=gaps.astype(np.int64),
        n_gaps=np.array([float((distance[~first] == gap).sum()) for gap in gaps]),
    )
    return products, unit_cross, unit_gram


def _pieces(first: np.ndarray, distance: np.ndarray, gaps: np.ndarray, autocorrelated: bool) -> list:
    """Row positions (left, right) of each piece of R^-1, and whether it is summed with its transpose."""
    if not autocorrelated:
        rows = np.arange(len(first))
        return [(rows, rows, False)]
    start = np.flatnonzero(first)
    out = [(start, start, False)]
    for gap in gaps:
        here = np.flatnonzero(~first & (distance == gap))
        out += [(here, here, False), (here - 1, here - 1, False), (here, here - 1, True)]
    return out


def _product(left: np.ndarray, right: np.ndarray, symmetric: bool) -> np.ndarray:
    product = left.T @ right
    return product + product.T if symmetric else product


def _segment_sums(values: np.ndarray, where: np.ndarray, size: int) -> np.ndarray:
    """Sums of rows by their (sorted) segment; zero for a segment without rows."""
    out = np.zeros((size, values.shape[1]))
    if len(where):
        starts = np.flatnonzero(np.diff(where, prepend=-1))
        out[where[starts]] = np.add.reduceat(values, starts, axis=0)
    return out


def compress(unit_cross: np.ndarray, unit_gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Replace the units of each pattern (equal Gram) by as few rows with the same sum of outer products.

    With one effect a unit and one error scale, the density depends on the units of a pattern only through their number
    and sum V_i V_i', so M P rows serve for any number of units.
    """
    n_units, n_pieces, _, size = unit_cross.shape
    width = n_pieces * size
    patterns, member, counts = np.unique(
        unit_gram.reshape(n_units, -1).round(12), axis=0, return_inverse=True, return_counts=True
    )
    if len(patterns) * width >= n_units:
        return unit_cross, unit_gram, np.ones(n_units)
    cross, gram, count = [], [], []
    flat = unit_cross.reshape(n_units, width)
    for k in range(len(patterns)):
        rows = flat[member == k]
        if len(rows) > width:
            eigenvalues, vectors = np.linalg.eigh(rows.T @ rows)
            positive = eigenvalues > 1e-15 * eigenvalues.max()
            rows = np.sqrt(eigenvalues[positive])[:, None] * vectors[:, positive].T
        cross.append(rows.reshape(-1, n_pieces, 1, size))
        gram.append(np.tile(patterns[k].reshape(1, n_pieces, 1, 1), (len(rows), 1, 1, 1)))
        count.append(np.append(counts[k], np.zeros(len(rows) - 1)))
    return np.concatenate(cross), np.concatenate(gram), np.concatenate(count).astype(float)
