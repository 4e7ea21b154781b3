"""Projections that estimators share: columns on unit and period effects, bases of their parts, what effects absorb."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.errors import DesignError

RANK_TOLERANCE = 1e-8  # relative to the largest singular value; columns are scaled to unit SD first


@dataclass(frozen=True)
class Parts:
    """Least-squares projection of k columns on unit and period dummies.

    `unit` (N, k) and `time` (T, k) sum to zero over units and periods; column = constant + unit + time + `residual`.
    """

    unit: np.ndarray
    time: np.ndarray
    residual: np.ndarray


def two_way_parts(columns: np.ndarray, unit: np.ndarray, time: np.ndarray) -> Parts:
    """Unit part, period part and two-way residual of columns, exact on unbalanced panels.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
    unit, time : ndarray of int, shape (n,)

    Notes
    -----
    Least squares of each column on unit and period dummies. Units are eliminated in closed form, so that the cost is
    O(n k + T^3). On balanced panels the parts are the means of units and periods less the grand mean (correlated
    effects; docs/statistics.md, section 1).

    References
    ----------
    Mundlak (1978), Econometrica.
    Wansbeek & Kapteyn (1989), Journal of Econometrics: unbalanced panels.
    """
    n_units, n_times = unit.max() + 1, time.max() + 1
    counts = np.zeros((n_units, n_times))
    np.add.at(counts, (unit, time), 1.0)
    per_unit = counts.sum(axis=1)
    unit_means = _sums(columns, unit, n_units) / per_unit[:, None]
    within = _sums(columns - unit_means[unit], time, n_times)
    gram = np.diag(counts.sum(axis=0)) - counts.T @ (counts / per_unit[:, None])
    time_part = np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ within
    unit_part = unit_means - (counts @ time_part) / per_unit[:, None]
    residual = columns - unit_part[unit] - time_part[time]
    return Parts(unit_part - unit_part.mean(axis=0), time_part - time_part.mean(axis=0), residual)


def part_basis(parts: np.ndarray) -> np.ndarray:
    """Orthonormal basis, shape (J, rank), of the unit or period parts (J, k) of columns.

    The columns given are of comparable scale; k may be 0. Every column of the basis sums to
    zero over the J units or periods.
    """
    left, singular, _ = np.linalg.svd(parts - parts.mean(axis=0), full_matrices=False)
    return left[:, singular > RANK_TOLERANCE * max(singular.max(initial=0.0), 1.0)]


def contrast_basis(leading: np.ndarray) -> np.ndarray:
    """Orthonormal basis of all contrasts of J units or periods, shape (J, J - 1), starting with the given columns."""
    size, rank = leading.shape
    basis = np.linalg.qr(np.column_stack([np.full(size, size**-0.5), leading, np.eye(size)]))[0][:, 1:size]
    basis[:, :rank] = leading
    return basis


def check_identified(columns: np.ndarray, residual: np.ndarray, names: tuple[str, ...], source: str) -> None:
    """Raise `DesignError` naming the first column that effects or other columns absorb."""
    scale = columns.std(axis=0)
    scaled = residual / np.where(scale > 0, scale, 1.0)
    norms = np.sqrt((scaled**2).mean(axis=0))
    for j, name in enumerate(names):
        if norms[j] < RANK_TOLERANCE:
            raise DesignError(
                f"'{name}' does not vary once the effects are removed", place=source, fix="Leave it out, or the effects"
            )
        others = scaled[:, :j]
        if j:
            left = scaled[:, j] - others @ np.linalg.lstsq(others, scaled[:, j], rcond=None)[0]
            if np.sqrt((left**2).mean()) < RANK_TOLERANCE * norms[j] * 10:
                raise DesignError(
                    f"'{name}' is a linear combination of {', '.join(names[:j])} and the effects",
                    place=source,
                    fix="Leave one of them out",
                )


def _sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])
