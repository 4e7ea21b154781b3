"""Coefficients of several least-squares equations on the same rows, and their joint covariance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.errors import DesignError, SpecError, nearest
from bayes_npp.frequentist.least_squares.absorbed import absorb
from bayes_npp.frequentist.least_squares.covariance import driscoll_kraay_lags
from bayes_npp.frequentist.least_squares.static import LinearFit, linear_fit

COVARIANCES = ("classical", "clustered", "driscoll_kraay")  # of which the elements between equations are known here


@dataclass(frozen=True)
class Stacked:
    """P coefficients out of several equations.

    Attributes
    ----------
    coefficients : ndarray, shape (P,)
    covariance : ndarray, shape (P, P)
        Between equations too; its diagonal is that of the equations estimated one by one.
    fits : tuple of LinearFit, length P
        The equation each coefficient comes from.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    fits: tuple[LinearFit, ...]

    @property
    def spreads(self) -> np.ndarray:
        """Standard errors, shape (P,)."""
        return np.sqrt(np.diag(self.covariance))


def stack(
    wanted: Sequence[tuple[Design, str]],
    effects: str,
    covariance: str,
    convention: str,
    lags: int | None,
    source: str,
) -> Stacked:
    """Estimate equations by least squares and relate their coefficients.

    A coefficient is v'y with v the exposure's (or mediator's) row of (X'X)^-1 X', columns less the effects. With
    residuals e the covariance of two of them is s_12 v_1'v_2 (classical, s_12 the covariance of the residuals), or the
    cross-product of the sums of v e over units, or over periods with Bartlett weights (Driscoll-Kraay); each times the
    root of the two equations' small-sample factors.

    Parameters
    ----------
    wanted : sequence of (Design, str)
        Equation and regressor of each coefficient; all designs have the same rows.
    effects, covariance, convention, lags, source
        As in `static.linear_fit`; clustered is by unit.

    Raises
    ------
    SpecError
        Another covariance; lags without Driscoll-Kraay or below 0.
    DesignError
        An equation that fits exactly.

    Notes
    -----
    docs/statistics.md, section 3.5 (covariance of paths) and section 1.9 (covariances of one equation).

    References
    ----------
    Arellano (1987), Oxford Bulletin of Economics and Statistics 49. Driscoll & Kraay (1998), Review of Economics and
    Statistics 80.
    """
    if covariance not in COVARIANCES:
        raise SpecError(f"unknown covariance '{covariance}'", fix=nearest(covariance, COVARIANCES))
    if lags is not None and (lags < 0 or covariance != "driscoll_kraay"):
        raise SpecError(
            f"lags = {lags} with covariance = '{covariance}'",
            fix="Lags, 0 or more, belong to covariance = 'driscoll_kraay'",
        )
    fits: dict[int, LinearFit] = {}
    weights, residuals = [], []
    for design, name in wanted:
        key = id(design)
        if key not in fits:
            fits[key] = linear_fit(design, effects, covariance, convention, lags, source)
        everything = np.column_stack([design.slope_columns, design.controls, design.outcome])
        absorbed = absorb(everything, design, effects).residual
        columns, target = absorbed[:, :-1], absorbed[:, -1]
        own = fits[key].names.index(name)
        weights.append(_row(columns, own))
        residuals.append(target - columns @ fits[key].coefficients[: columns.shape[1]])
    chosen = tuple(fits[id(design)] for design, _ in wanted)
    places = [fit.names.index(name) for fit, (_, name) in zip(chosen, wanted, strict=True)]
    bare = _bare(np.column_stack(weights), np.column_stack(residuals), wanted[0][0], covariance, lags)
    variances = np.array([fit.covariance[j, j] for fit, j in zip(chosen, places, strict=True)])
    exact = np.flatnonzero(~(np.diag(bare) > 0) | ~(variances > 0))
    if len(exact):
        name = wanted[exact[0]][0].spec.outcome
        raise DesignError(
            f"the equation of '{name}' fits exactly: its coefficients have no standard error",
            place=source,
            fix="Leave out the regressor that repeats it",
        )
    root = np.sqrt(variances / np.diag(bare))  # of each equation's small-sample factor
    estimates = np.array([fit.coefficients[j] for fit, j in zip(chosen, places, strict=True)])
    return Stacked(estimates, bare * np.outer(root, root), chosen)


def _row(columns: np.ndarray, own: int) -> np.ndarray:
    """Row `own` of (X'X)^-1 X', shape (n,): the column less the others, over its squared length."""
    others = np.delete(columns, own, axis=1)
    scaled = others / np.linalg.norm(others, axis=0)
    left = columns[:, own] - scaled @ np.linalg.lstsq(scaled, columns[:, own], rcond=None)[0]
    return left / (left @ left)


def _bare(weights: np.ndarray, residuals: np.ndarray, design: Design, covariance: str, lags: int | None) -> np.ndarray:
    """Joint covariance without small-sample factors, shape (P, P)."""
    if covariance == "classical":
        return (residuals.T @ residuals / len(residuals)) * (weights.T @ weights)
    scores = weights * residuals
    if covariance == "clustered":
        sums = _sums(scores, design.unit, len(design.units))
        return sums.T @ sums
    n_times = len(design.times)
    sums = _sums(scores, design.time, n_times)
    last = driscoll_kraay_lags(n_times) if lags is None else lags
    out = sums.T @ sums
    for lag in range(1, last + 1):
        cross = sums[lag:].T @ sums[:-lag]
        out += (1 - lag / (last + 1)) * (cross + cross.T)
    return out


def _sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])
