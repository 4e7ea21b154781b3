"""From a combination of coefficients to a row: standard error, interval, p-value, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from bayes_npp.design.design import Design
from bayes_npp.estimates import LEVEL, above_zero
from bayes_npp.frequentist.least_squares.covariance import Sandwich
from bayes_npp.frequentist.least_squares.few_clusters import WILD, Support, measured, support
from bayes_npp.frequentist.least_squares.wild_bootstrap import drawn_signs, wild_p_value
from bayes_npp.frequentist.least_squares.wild_sandwich import wild_sandwich
from bayes_npp.frequentist.least_squares.within import WithinFit

MOST_DRAWN = 1000  # clusters
MOST_CELLS = 40_000_000  # rows times clusters
PROJECTED = {"none": "pooled OLS", "unit": "FE unit", "time": "FE time", "two-way": "TWFE"}
ESTIMATORS = {**PROJECTED, "interactive": "interactive FE", "averages": "CCE", "instruments": "IV"}


@dataclass(frozen=True)
class LinearFit:
    """A least-squares fit on a design, its effects, and the covariance of its coefficients."""

    design: Design
    effects: str
    solved: WithinFit
    spread: Sandwich

    @property
    def names(self) -> tuple[str, ...]:
        return self.solved.names

    @property
    def coefficients(self) -> np.ndarray:
        """Shape (k,)."""
        return self.solved.coefficients

    @property
    def residuals(self) -> np.ndarray:
        """Shape (n,), in the data's units."""
        return self.solved.residuals / self.design.weighted(np.ones(self.design.n_obs))

    @property
    def covariance(self) -> np.ndarray:
        """Of the coefficients, shape (k, k)."""
        return self.spread.covariance

    @property
    def df(self) -> int:
        """Degrees of freedom of the reference t distribution."""
        return self.spread.df

    @property
    def covariance_label(self) -> str:
        return self.spread.label

    @property
    def convention_label(self) -> str:
        return self.spread.convention

    @property
    def note(self) -> str:
        return joined(self.solved.note, self.spread.note)

    def support(
        self, combination: np.ndarray, family: str = "", *, kind: str = "", group_units: int | None = None
    ) -> Support:
        """What a test of a combination (k,) rests on; see `few_clusters.support`."""
        own, sizes = family or ESTIMATORS[self.effects], (len(self.design.units), len(self.design.times))
        return support(self.spread, combination, own, *sizes, kind=kind, group_units=group_units)

    def wild(self, combination: np.ndarray, family: str = "", group_units: int | None = None) -> str:
        """The wild bootstrap's p-value of a combination in words, of the dimension with fewer clusters.

        With Driscoll-Kraay and two-way errors the share of simulated noise it rejects stands beside it. Nothing where
        clusters are so many (beside a group of few) that it would take minutes; nor beside factors, which every draw
        would have to find anew.
        """
        clusters = self.spread.clusters
        sizes = [one.size for one in clusters]
        if self.effects not in PROJECTED or not clusters or min(sizes) > MOST_DRAWN:
            return ""
        if self.spread.kind == "clustered":
            p = wild_p_value(self.design, self.effects, self.solved, combination)
            of = "" if clusters[0].name == "units" else clusters[0].name
            return f"wild cluster bootstrap p = {p:.3g} ({drawn_signs(sizes[0], of)})"
        if min(sizes) * self.design.n_obs > MOST_CELLS:
            return ""
        test = wild_sandwich(self.design, self.effects, self.solved, self.spread, combination)
        if np.isnan(test.p_value):
            return ""
        lost = f"; {test.infeasible} of {test.draws} draws have no positive variance" if test.infeasible else ""
        units = len(self.design.units) if group_units is None else group_units
        kind = f"{WILD}{self.spread.kind}"
        found = measured(family or ESTIMATORS[self.effects], kind, units, len(self.design.times))
        often = f"; {found}" if found else ""
        return (
            f"wild bootstrap of {test.clusters}, null imposed: p = {test.p_value:.3g} "
            f"({drawn_signs(test.size, test.clusters)}{lost}{often})"
        )


def joined(*notes: str) -> str:
    """Notes in one, empty ones left out."""
    return "; ".join(note for note in notes if note)


def row_of(
    estimate: float,
    gradient: np.ndarray,
    spread: Sandwich,
    rests: Support,
    df: int | None,
    *,
    threshold: float = 0.0,
    note: str = "",
    beside: Callable[[], str] | None = None,
) -> dict[str, Any]:
    """Estimate, SE, interval, p-value and note of a (linearised) combination of coefficients.

    Parameters
    ----------
    estimate : float
    gradient : ndarray, shape (k,)
        Of the estimate in the coefficients that `spread` belongs to.
    spread : Sandwich
    rests : Support
    df : int, optional
        Of t; None: the normal distribution.
    threshold : float
        What the p-value compares the estimate with.
    note : str
    beside : callable, optional
        What is said beside a test that has few clusters.
    """
    blank = dict.fromkeys(("lo", "hi", "p_value"), np.nan)
    variance = spread.variance(gradient)
    if np.isnan(variance):
        why = joined(spread.why_none(gradient), note)
        return {"estimate": float(estimate), "spread": np.nan, **blank, "note": why}
    se = float(np.sqrt(variance))
    if rests.refused:
        return {"estimate": float(estimate), "spread": se, **blank, "note": joined(rests.note, note)}
    distance = abs(estimate - threshold) / se
    tail, quantile = scipy.stats.norm.sf(distance), scipy.stats.norm.ppf(0.5 + LEVEL / 2)
    if df is not None:
        tail, quantile = scipy.stats.t.sf(distance, df), scipy.stats.t.ppf(0.5 + LEVEL / 2, df)
    reach = float(quantile) * se
    return {
        "estimate": float(estimate),
        "spread": se,
        "lo": float(estimate) - reach,
        "hi": float(estimate) + reach,
        "p_value": float(above_zero(2 * tail)),
        "note": joined(note, rests.note, beside() if beside and rests.few else ""),
    }


def t_row(
    fit: LinearFit, combination: np.ndarray, family: str = "", *, kind: str = "", group_units: int | None = None
) -> dict[str, Any]:
    """The row of a linear combination (k,) of the coefficients of one regression, t with `fit.df`.

    With few units as clusters the wild bootstrap's p-value stands in the note; not where `kind` says that the p-value
    is itself replaced.
    """
    return row_of(
        float(combination @ fit.coefficients),
        combination,
        fit.spread,
        fit.support(combination, family, kind=kind, group_units=group_units),
        fit.df,
        note=fit.note,
        beside=None if kind else lambda: fit.wild(combination, family, group_units),
    )
