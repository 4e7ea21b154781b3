"""Least squares on columns less their effects: pooled, one-way and two-way, balanced or not."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design, slope_names
from bayes_npp.design.projection import EPSILON, check_identified, check_residuals, connected_parts, row_rounding
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.least_squares.absorbed import absorb, absorbs_more, check_degrees
from bayes_npp.frequentist.least_squares.covariance import SLACK, VANISHING, Counts


@dataclass(frozen=True)
class WithinFit:
    """A least-squares fit; with analytic weights of rows times their roots (`Design.weighted`), residuals too.

    Attributes
    ----------
    names : tuple of str, length k
    coefficients : ndarray, shape (k,)
        In the data's units; of pooled OLS the last is the intercept.
    residuals : ndarray, shape (n,)
    influence : ndarray, shape (n, k)
        Rows of (X'X)^-1 X', transposed, X less all effects: coefficients = influence'y, V = influence' Omega influence.
    columns : ndarray, shape (n, k)
        X: regressors less all effects (and less their means, with a constant beside them, in pooled OLS).
    noise : float
        Norm of a residual vector that rounding can explain, with its share of the residuals: a sum of influence times
        residuals below |influence| times this is no number.
    counts : Counts
    note : str
        What the effects absorb without saying: units of a single row, parts of the panel that share nothing.
    """

    names: tuple[str, ...]
    coefficients: np.ndarray
    residuals: np.ndarray
    influence: np.ndarray
    columns: np.ndarray
    noise: float
    counts: Counts
    note: str


def within_fit(design: Design, effects: str, source: str = "") -> WithinFit:
    """Least squares of the outcome on slope columns and controls, effects projected out exactly.

    The projection eliminates units in closed form (`design.two_way_parts`): O(n k + T^3), no iteration. Coefficients
    come from a QR decomposition of what is left.

    Parameters
    ----------
    design : Design
    effects : {"none", "unit", "time", "two-way"}
        "none" is pooled OLS with a constant.
    source : str
        For messages.

    Raises
    ------
    SpecError
        No exposure, slopes by unit, a lagged outcome.
    DesignError
        Fewer rows than parameters, a column that effects or other columns absorb, an outcome that regressors and
        effects reproduce exactly.

    Notes
    -----
    (X'X)^-1 X'y with X and y less all effects (docs/statistics.md, section 1.9). Parameters count the dummies' rank:
    parts of an unbalanced panel that share no period have one period dummy to spare.

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1. Lovell (1963), Journal of the American Statistical Association 58.
    """
    from scipy.linalg import solve_triangular

    _check_spec(design, source)
    names = (*slope_names(design), *design.spec.controls)
    columns, outcome = np.column_stack([design.slope_columns, design.controls]), design.weighted(design.outcome)
    plain, columns = columns, design.weighted(columns)
    absorbed = absorb(np.column_stack([columns, outcome]), design, effects)
    n_parts = _connected_parts(design, effects)
    counts = Counts(
        n_obs=design.n_obs,
        n_slopes=len(names),
        n_constant=int(effects == "none"),
        n_unit_dummies=absorbed.n_units,
        n_other_dummies=absorbed.n_others - (n_parts - 1),
    )
    check_degrees(counts.n_obs, counts.n_all, source)
    left, target = absorbed.residual[:, :-1], absorbed.residual[:, -1]
    check_identified(columns, left, names, source)
    size = len(names)
    triangle = np.linalg.qr(absorbed.residual, mode="r")[:size]
    length = np.linalg.norm(triangle[:, :size], axis=0)  # of the columns themselves
    inverse = solve_triangular(triangle[:, :size] / length, np.eye(size)) / length[:, None]
    coefficients = inverse @ triangle[:, size]
    residuals = target - left @ coefficients
    rounding = row_rounding(outcome, columns, coefficients)
    check_residuals(residuals, target, rounding, design.spec.outcome, source)
    noise = noise_of(columns, left, residuals, rounding)
    influence = left @ (inverse @ inverse.T)
    if effects == "none":
        means, root = np.average(plain, axis=0, weights=design.weights), design.weighted(np.ones(design.n_obs))
        names = (*names, "intercept")
        level = np.average(design.outcome, weights=design.weights) - means @ coefficients
        coefficients = np.append(coefficients, level)
        influence = np.column_stack([influence, root / design.n_obs - influence @ means])
        left = np.column_stack([left, root])
    note = _note(design, effects, n_parts)
    return WithinFit(names, coefficients, residuals, influence, left, noise, counts, note)


def noise_of(columns: np.ndarray, left: np.ndarray, residuals: np.ndarray, rounding: float) -> float:
    """Norm of residuals that rounding can explain (`WithinFit.noise`), from columns before and after projection."""
    root = np.sqrt(len(residuals))
    lost = EPSILON * root * (np.abs(columns).max(axis=0) / np.linalg.norm(left, axis=0)).max()
    return float(np.linalg.norm(residuals) * max(VANISHING, SLACK * lost) + SLACK * root * rounding)


def _check_spec(design: Design, source: str) -> None:
    spec = design.spec
    if spec.exposure is None or spec.unit_slopes:
        raise SpecError(
            "least squares needs an exposure, with slopes by a grouping column or none",
            place=source,
            fix="Slopes by unit belong to hierarchical models",
        )
    if spec.dynamic:
        raise SpecError(
            "least squares with a lagged outcome is not among the static estimators",
            place=source,
            fix="Beside fixed effects it has Nickell's bias: fit the hierarchical model, or leave dynamic out",
        )


def _connected_parts(design: Design, effects: str) -> int:
    # With trends, cells of groups or weights the rank of the dummies is counted where they are projected out.
    counted = absorbs_more(design.spec) or design.weights is not None
    return connected_parts(design.unit, design.time) if effects == "two-way" and not counted else 1


def _note(design: Design, effects: str, n_parts: int) -> str:
    notes = []
    if effects in ("unit", "two-way"):
        single = int((np.bincount(design.unit) == 1).sum())
        if single:
            notes.append(f"{single} unit(s) with a single row, which their effect absorbs; counted in n")
    if n_parts > 1:
        notes.append(f"{n_parts} sets of units without a common period: period effects are separate")
    return "; ".join(notes)
