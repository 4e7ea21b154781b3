"""Posterior predictive checks of the error model: are the residuals what the model says they are?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from bayes_npp.bayesian.model.likelihood import innovations, noise, redrawn_scales
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.estimates import drawn_share

CHECKED_DRAWS = 400
TAIL = 0.025
Noise = Callable[[np.random.Generator], np.ndarray]
Scales = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class PredictiveCheck:
    """A discrepancy of the data beside the same discrepancy of data the model would produce.

    Attributes
    ----------
    name, meaning : str
    observed : float
        Posterior median of T(y, parameters).
    lo, hi : float
        95 % equal-tailed interval of T(replicated y, parameters).
    p : float
        P(T(replicated) >= T(observed)), over draws (`drawn_share`).

    References
    ----------
    Gelman, Meng & Stern (1996), Statistica Sinica. Marshall & Spiegelhalter (2007), Bayesian Analysis: latent parts
    drawn anew.
    """

    name: str
    meaning: str
    observed: float
    lo: float
    hi: float
    p: float

    @property
    def passed(self) -> bool:
        return TAIL <= self.p <= 1 - TAIL

    @property
    def verdict(self) -> str:
        return "passed" if self.passed else "failed"

    @property
    def seen(self) -> str:
        """What was observed beside what the model makes, such as "serial correlation 0.76, the model makes ..."."""
        return f"{self.name} {self.observed:.2f}, the model makes {self.lo:.2f} to {self.hi:.2f}"


def failures(checks: tuple[PredictiveCheck, ...]) -> str:
    """The checks that failed, with what was observed; empty where none did."""
    return "; ".join(check.seen for check in checks if not check.passed)


def errors_verdict(checks: tuple[PredictiveCheck, ...]) -> str:
    """Whether the errors pass their checks: "passed 4 checks", or "failed 3 of 4 checks (...)"; "not checked"."""
    if not checks:
        return "not checked"
    failed = sum(not check.passed for check in checks)
    many = f"{len(checks)} check{'s' * (len(checks) != 1)}"
    return f"failed {failed} of {many} ({failures(checks)})" if failed else f"passed {many}"


@dataclass(frozen=True)
class Discrepancy:
    """Draws of a discrepancy of the data and of data the model would produce, each of shape (S,)."""

    name: str
    meaning: str
    own: np.ndarray
    new: np.ndarray

    @property
    def check(self) -> PredictiveCheck:
        """The two beside each other."""
        lo, hi = np.quantile(self.new, [TAIL, 1 - TAIL])
        p = float(drawn_share(self.new >= self.own))
        return PredictiveCheck(self.name, self.meaning, float(np.median(self.own)), float(lo), float(hi), p)


def checks_at(
    parameters: dict[str, np.ndarray], data: ModelData, seed: int, own: np.ndarray | None = None
) -> tuple[PredictiveCheck, ...]:
    """The checks of `discrepancies_at`."""
    return tuple(one.check for one in discrepancies_at(parameters, data, seed, own))


def discrepancies_at(
    parameters: dict[str, np.ndarray], data: ModelData, seed: int, own: np.ndarray | None = None
) -> tuple[Discrepancy, ...]:
    """Discrepancies of a model's errors at draws of its parameters (S, ...), scales of units and periods drawn anew.

    `own` are standardised innovations (S, n) where the outcome has cells that each draw completes.
    """
    if own is None:
        own = np.divide(*innovations(parameters, data))
    scales = redrawn_scales(parameters, data, np.random.default_rng([seed, 1]))
    drawn = partial(noise, parameters, data, len(own))
    return discrepancies(own, data.design.unit, np.array(data.design.times)[data.design.time], seed, drawn, scales)


def error_checks(
    innovations: np.ndarray,
    unit: np.ndarray,
    time: np.ndarray,
    seed: int,
    noise: Noise | None = None,
    scales: Scales | None = None,
) -> tuple[PredictiveCheck, ...]:
    """The checks of `discrepancies`."""
    return tuple(one.check for one in discrepancies(innovations, unit, time, seed, noise, scales))


def discrepancies(
    innovations: np.ndarray,
    unit: np.ndarray,
    time: np.ndarray,
    seed: int,
    noise: Noise | None = None,
    scales: Scales | None = None,
) -> tuple[Discrepancy, ...]:
    """Whether standardised innovations are independent and of one scale, or of scales that differ as the model says.

    Parameters
    ----------
    innovations : ndarray, shape (S, n)
        Of the errors, over their SDs, one row a posterior draw.
    unit, time : ndarray of int, shape (n,)
        Time in periods (calendar values), so that a gap is no neighbour.
    noise : callable, optional
        What the model says innovations are: draws of the shape of `innovations` from a generator; normal without.
    scales : mapping, optional
        By check: the scales that rows have of their units (periods) and new ones from their distribution, shape (S, n).
        That check is of innovations times them: over scales that were fitted to them every spread is as it should be.
    """
    random = np.random.default_rng(seed)
    replicated = random.standard_normal(innovations.shape) if noise is None else noise(random)
    pairs = neighbours(unit, time)
    period = np.unique(time, return_inverse=True)[1]
    measures: list[tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = [
        (
            "serial correlation",
            "lag-one correlation of innovations within units, pooled and about zero",
            lambda e: serial_correlation(e, pairs),
        ),
        (
            "spread by unit",
            "largest innovation SD of a unit over the median unit's",
            lambda e: spread_ratio(e, unit),
        ),
        (
            "cross-sectional dependence",
            "root mean square correlation of the innovations of two units",
            lambda e: cross_correlation(e, unit, period),
        ),
        (
            "spread by period",
            "largest innovation SD of a period over the median period's",
            lambda e: spread_ratio(e, period),
        ),
    ]
    if not len(pairs[0]):
        measures = measures[1:2]
    found = []
    for name, meaning, measure in measures:
        here, there = scales.get(name, (1.0, 1.0)) if scales else (1.0, 1.0)
        found.append(Discrepancy(name, meaning, measure(innovations * here), measure(replicated * there)))
    return tuple(found)


def neighbours(unit: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (earlier, later) of rows of one unit one period apart."""
    order = np.lexsort((time, unit))
    earlier, later = order[:-1], order[1:]
    adjacent = (unit[earlier] == unit[later]) & (time[later] - time[earlier] == 1)
    return earlier[adjacent], later[adjacent]


def serial_correlation(residuals: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Lag-one correlation about zero over all neighbouring pairs, shape (S,), from residuals (S, n)."""
    first, second = residuals[:, pairs[0]], residuals[:, pairs[1]]
    return (first * second).sum(axis=1) / np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))


def spread_by(residuals: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Root mean square residual of each unit (period), shape (S, J), from residuals (S, n)."""
    member = index[:, None] == np.arange(index.max() + 1)
    return np.sqrt(residuals**2 @ member / member.sum(axis=0))


def spread_ratio(residuals: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Largest spread of a unit (period) over the median one, shape (S,)."""
    spread = spread_by(residuals, index)
    return spread.max(axis=1) / np.median(spread, axis=1)


def cross_correlation(residuals: np.ndarray, unit: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Root mean square correlation (about zero) between units, shape (S,), from residuals (S, n).

    A period a unit lacks counts as zero. Uses sum_ij r_ij^2 = |Z Z'|^2 = |Z'Z|^2 for rows Z of length one, so the cost
    is linear in the number of units.
    """
    n_units, n_periods = unit.max() + 1, period.max() + 1
    out = np.empty(len(residuals))
    for s, row in enumerate(residuals):
        table = np.zeros((n_units, n_periods))
        table[unit, period] = row
        norms = np.sqrt((table**2).sum(axis=1, keepdims=True))
        table /= np.where(norms > 0, norms, 1.0)
        square = ((table.T @ table) ** 2).sum()
        out[s] = np.sqrt(max(square - n_units, 0.0) / (n_units * (n_units - 1)))
    return out
