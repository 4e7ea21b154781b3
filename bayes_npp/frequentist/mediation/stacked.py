"""Coefficients of several least-squares equations on the same rows, and their joint covariance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.errors import SpecError, nearest
from bayes_npp.frequentist.least_squares.absorbed import absorb
from bayes_npp.frequentist.least_squares.clusters import unit_cluster
from bayes_npp.frequentist.least_squares.covariance import Sandwich, meat
from bayes_npp.frequentist.least_squares.inference import LinearFit
from bayes_npp.frequentist.least_squares.static import linear_fit

COVARIANCES = (
    "classical",
    "robust",
    "clustered",
    "driscoll_kraay",
)  # of which the elements between equations are known here


@dataclass(frozen=True)
class Stacked:
    """P coefficients out of several equations.

    Attributes
    ----------
    coefficients : ndarray, shape (P,)
    spread : Sandwich
        Between equations too; the diagonal of its covariance is that of the equations estimated one by one.
    fits : tuple of LinearFit, length P
        The equation each coefficient comes from.
    places : tuple of int, length P
        Its position there.
    """

    coefficients: np.ndarray
    spread: Sandwich
    fits: tuple[LinearFit, ...]
    places: tuple[int, ...]

    @property
    def covariance(self) -> np.ndarray:
        """Shape (P, P)."""
        return self.spread.covariance

    @property
    def spreads(self) -> np.ndarray:
        """Standard errors, shape (P,); NaN where there is none."""
        return np.sqrt([self.spread.variance(one) for one in np.eye(len(self.coefficients))])

    def own(self, j: int) -> np.ndarray:
        """Coefficient j as a combination of the coefficients of its equation."""
        return np.eye(len(self.fits[j].names))[self.places[j]]


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
    cross-product of v e (robust), of the sums of v e over units, or over periods with Bartlett weights
    (Driscoll-Kraay); each times the root of the two equations' small-sample factors.

    Parameters
    ----------
    wanted : sequence of (Design, str)
        Equation and regressor of each coefficient; all designs have the same rows.
    effects, covariance, convention, lags, source
        As in `static.linear_fit`; clustered is by unit, or by the clusters that designs have.

    Raises
    ------
    SpecError
        Another covariance; lags without Driscoll-Kraay or below 0.
    DesignError
        An equation that fits exactly (`within_fit`).

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
            cluster = unit_cluster(design) if covariance == "clustered" else "unit"
            fits[key] = linear_fit(design, effects, covariance, convention, lags, source, cluster)
        everything = np.column_stack([design.slope_columns, design.controls, design.outcome])
        absorbed = absorb(everything, design, effects).residual
        columns, target = absorbed[:, :-1], absorbed[:, -1]
        own = fits[key].names.index(name)
        weights.append(_row(columns, own))
        residuals.append(target - columns @ fits[key].coefficients[: columns.shape[1]])
    chosen = tuple(fits[id(design)] for design, _ in wanted)
    places = tuple(fit.names.index(name) for fit, (_, name) in zip(chosen, wanted, strict=True))
    influence = np.column_stack(weights)
    bare = _bare(influence, np.column_stack(residuals), wanted[0][0], chosen[0].spread)
    variances = np.array([fit.covariance[j, j] for fit, j in zip(chosen, places, strict=True)])
    # Of each equation's small-sample factor; a variance that is rounding has none, and no use for it.
    ones = [np.eye(len(fit.names))[j] for fit, j in zip(chosen, places, strict=True)]
    dead = np.isnan([fit.spread.variance(one) for fit, one in zip(chosen, ones, strict=True)])
    root = np.sqrt(np.divide(variances, np.diag(bare), out=np.ones_like(variances), where=~dead))
    noise = np.array([fit.solved.noise for fit in chosen])
    spread = replace(
        chosen[0].spread,
        names=tuple(name for _, name in wanted),
        covariance=bare * np.outer(root, root),
        influence=influence,
        rounding=influence.T @ influence * np.outer(noise, noise),
        dead=dead,
    )
    estimates = np.array([fit.coefficients[j] for fit, j in zip(chosen, places, strict=True)])
    return Stacked(estimates, spread, chosen, places)


def _row(columns: np.ndarray, own: int) -> np.ndarray:
    """Row `own` of (X'X)^-1 X', shape (n,): the column less the others, over its squared length."""
    others = np.delete(columns, own, axis=1)
    scaled = others / np.linalg.norm(others, axis=0)
    left = columns[:, own] - scaled @ np.linalg.lstsq(scaled, columns[:, own], rcond=None)[0]
    return left / (left @ left)


def _bare(weights: np.ndarray, residuals: np.ndarray, design: Design, spread: Sandwich) -> np.ndarray:
    """Joint covariance without small-sample factors, shape (P, P), of the kind that `spread` is."""
    if spread.kind == "classical":
        return (residuals.T @ residuals / len(residuals)) * (weights.T @ weights)
    return meat(weights * residuals, design, spread.kind, spread.lags)
