"""Posterior predictive checks of the error model: are the residuals what the model says they are?"""

from dataclasses import dataclass

import numpy as np

DRAWS = 400
TAIL = 0.025


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
        P(T(replicated) >= T(observed)), over draws (Gelman, Meng & Stern 1996).
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


def error_checks(
    residuals: np.ndarray, error_sd: np.ndarray, unit: np.ndarray, time: np.ndarray, seed: int
) -> tuple[PredictiveCheck, ...]:
    """Check independent errors of one common scale against their serial correlation and spread by unit.

    Parameters
    ----------
    residuals : ndarray, shape (S, n)
        Outcome less fitted values, one row a posterior draw.
    error_sd : ndarray, shape (S,)
    unit, time : ndarray of int, shape (n,)
        Time in periods (calendar values), so that a gap is no neighbour.
    """
    random = np.random.default_rng(seed)
    replicated = error_sd[:, None] * random.standard_normal(residuals.shape)
    pairs = neighbours(unit, time)
    measures = (
        (
            "serial correlation",
            "lag-one correlation of residuals within units, pooled and about zero",
            lambda e: serial_correlation(e, pairs),
        ),
        (
            "spread by unit",
            "largest residual SD of a unit over the median unit's",
            lambda e: spread_ratio(e, unit),
        ),
    )
    checks = []
    for name, meaning, measure in measures:
        own, new = measure(residuals), measure(replicated)
        lo, hi = np.quantile(new, [TAIL, 1 - TAIL])
        checks.append(
            PredictiveCheck(name, meaning, float(np.median(own)), float(lo), float(hi), float((new >= own).mean()))
        )
    return tuple(checks)


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


def unit_spread(residuals: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Root mean square residual of each unit, shape (S, N), from residuals (S, n)."""
    member = unit[:, None] == np.arange(unit.max() + 1)
    return np.sqrt(residuals**2 @ member / member.sum(axis=0))


def spread_ratio(residuals: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Largest unit spread over the median one, shape (S,)."""
    spread = unit_spread(residuals, unit)
    return spread.max(axis=1) / np.median(spread, axis=1)
