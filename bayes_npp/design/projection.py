"""Projections that estimators share: columns on unit and period effects, bases of their parts, what effects absorb."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.errors import DesignError

RANK_TOLERANCE = 1e-8  # relative to the largest singular value; columns are scaled to unit SD first
EPSILON = float(np.finfo(float).eps)
UNITS = 64  # in the last place: what a chain of sums and projections may leave
EXACT = 1e-8  # of the outcome less effects: smaller residuals are a fit without errors
ILL_CONDITIONED = 1e10
INVOLVED = 0.1  # smallest weight of a unit-length column in a relation that is named


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


def connected_parts(unit: np.ndarray, time: np.ndarray) -> int:
    """Number of sets of units that share no period with each other: each has one period dummy to spare."""
    n_units, n_times = unit.max() + 1, time.max() + 1
    if len(unit) == n_units * n_times or n_times == 1 or n_units == 1:
        return 1
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(unit), dtype=np.int8)
    size = n_units + n_times
    graph = coo_array((ones, (unit, n_units + time)), shape=(size, size))
    return int(connected_components(graph, directed=False, return_labels=False))


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
    """Raise `DesignError` naming the first column that effects or other columns absorb.

    Parameters
    ----------
    columns, residual : ndarray, shape (n, k)
        Before and after the effects are removed.

    Raises
    ------
    DesignError
        A column of which the effects leave nothing but rounding, one that repeats others, or columns so close to a
        linear relation (condition number of the unit-length columns above `ILL_CONDITIONED`) that digits are lost.

    References
    ----------
    Belsley, Kuh & Welsch (1980), Regression Diagnostics, Wiley, chapter 3: condition numbers of scaled columns, and the
    columns a small singular value involves.
    """
    scale = columns.std(axis=0)
    scaled = residual / np.where(scale > 0, scale, 1.0)
    norms = np.sqrt((scaled**2).mean(axis=0))
    rounding = UNITS * EPSILON * np.abs(columns).max(axis=0, initial=0.0)
    for j, name in enumerate(names):
        if norms[j] < RANK_TOLERANCE or np.sqrt((residual[:, j] ** 2).mean()) <= rounding[j]:
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
    if len(names) < 2:
        return
    _, singular, vectors = np.linalg.svd(scaled / norms / np.sqrt(len(scaled)), full_matrices=False)
    if singular[0] > ILL_CONDITIONED * singular[-1]:
        involved = [name for name, weight in zip(names, np.abs(vectors[-1]), strict=True) if weight > INVOLVED]
        raise DesignError(
            f"{', '.join(repr(name) for name in involved)} are nearly collinear once the effects are removed "
            f"(condition number {singular[0] / max(singular[-1], np.finfo(float).tiny):.0e}): their coefficients would "
            "be rounding",
            place=source,
            fix="Leave one of them out, or centre and rescale powers",
        )


def row_rounding(outcome: np.ndarray, columns: np.ndarray, coefficients: np.ndarray) -> float:
    """Size of the rounding error of a residual: a unit in the last place of everything that is added up in a row."""
    sizes = np.abs(columns).max(axis=0, initial=0.0)
    return float(EPSILON * (np.abs(outcome).max() + np.abs(coefficients) @ sizes))


def check_residuals(residuals: np.ndarray, target: np.ndarray, rounding: float, outcome: str, source: str) -> None:
    """Raise `DesignError` if residuals are rounding: regressors and effects reproduce the outcome.

    Parameters
    ----------
    residuals, target : ndarray, shape (n,)
        The outcome less effects and slopes, and less the effects alone.
    rounding : float
        See `row_rounding`.

    Notes
    -----
    |e| <= 1e-8 |y~|, or an RMS of e of 64 units in the last place: standard errors, tests and posterior scales would
    be made of rounding.
    """
    size = float(np.linalg.norm(residuals))
    if size <= EXACT * np.linalg.norm(target) or size <= np.sqrt(len(residuals)) * UNITS * rounding:
        raise DesignError(
            f"regressors and effects reproduce '{outcome}' exactly: what is left is rounding, without a standard error",
            place=source,
            fix="Leave out the regressor that the outcome was computed from, or the effects that it is made of",
        )


def _sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])
