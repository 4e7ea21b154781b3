"""Long-run effects of printed dynamic models: a coefficient over one less the lags' coefficients."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bayes_npp.auditing.printed import PrintedRow
from bayes_npp.auditing.significance import Range

MODEL = ("table", "column", "model", "sample", "estimator", "outcome")
_LAG = re.compile(r"^L\d*\.(.+)$")


@dataclass(frozen=True)
class LongRun:
    """A long-run effect as far as print allows.

    Parameters
    ----------
    label : str
        Where the coefficient stands in the paper.
    term : str
    short_run : float or None
        Printed coefficient, or the sum over its lags.
    persistence : float or None
        Sum of the coefficients of the lagged outcome.
    long_run : float or None
    se : Range or None
        Delta-method standard errors over every correlation of the coefficients and what print allows of their standard
        errors; infinite where a standard error has no upper end.
    se_uncorrelated : Range or None
        The same at correlations of zero.
    reason : str
        Why there is no long run.
    """

    label: str
    term: str
    short_run: float | None
    persistence: float | None
    long_run: float | None
    se: Range | None
    se_uncorrelated: Range | None
    reason: str = ""


def long_runs(rows: Iterable[PrintedRow]) -> tuple[LongRun, ...]:
    """The long run of every term that stands in one column with a lag of its outcome (`L.y`, `L1.y`, `L2.y`, ...)."""
    groups: dict[tuple[str, ...], list[PrintedRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row.labels[name] for name in MODEL), []).append(row)
    found = []
    for members in groups.values():
        lags = [row for row in members if _base(row) == row.labels["outcome"] != row.labels["term"]]
        terms = dict.fromkeys(_base(row) for row in members if row not in lags)
        if lags:
            found += [
                _long_run(term, [r for r in members if _base(r) == term and r not in lags], lags) for term in terms
            ]
    return tuple(found)


def long_run_frame(found: Iterable[LongRun]) -> pd.DataFrame:
    """One row a long run."""
    records = [
        {
            "coefficient": own.label,
            "term": own.term,
            "short_run": own.short_run,
            "persistence": own.persistence,
            "long_run": own.long_run,
            "se_lowest": own.se and own.se.lo,
            "se_highest": own.se and own.se.hi,
            "se_uncorrelated_lowest": own.se_uncorrelated and own.se_uncorrelated.lo,
            "se_uncorrelated_highest": own.se_uncorrelated and own.se_uncorrelated.hi,
            "reason": own.reason,
        }
        for own in found
    ]
    return pd.DataFrame(records)


def _base(row: PrintedRow) -> str:
    """The variable of a term, without its lag."""
    found = _LAG.match(row.labels["term"])
    return found[1] if found else row.labels["term"]


def _long_run(term: str, own: list[PrintedRow], lags: list[PrintedRow]) -> LongRun:
    label = own[0].label
    values = [row.estimate for row in own]
    if None in values:
        return LongRun(label, term, None, None, None, None, None, "its coefficient is not printed")
    short = float(sum(row.estimate or 0.0 for row in own))
    if None in [row.estimate for row in lags]:
        return LongRun(label, term, short, None, None, None, None, "the coefficient of the lag is not printed")
    rho = float(sum(row.estimate or 0.0 for row in lags))
    if abs(rho) >= 1:
        return LongRun(label, term, short, rho, None, None, None, "the lags sum to one or more: no steady state")
    value = short / (1 - rho)
    # Gradient of b / (1 - rho): 1 / (1 - rho) for b, b / (1 - rho)^2 for rho.
    parts = [_scaled(row, 1 / (1 - rho)) for row in own] + [_scaled(row, abs(value) / (1 - rho)) for row in lags]
    highest = sum(part.hi for part in parts)
    # Vectors of these lengths in any directions: their sum is at least the longest less all others.
    lowest = max(0.0, *(part.lo - sum(p.hi for p in parts if p is not part) for part in parts))
    apart = Range(sum(p.lo**2 for p in parts) ** 0.5, sum(p.hi**2 for p in parts) ** 0.5)
    return LongRun(label, term, short, rho, value, Range(lowest, highest), apart)


def _scaled(row: PrintedRow, factor: float) -> Range:
    assert row.se is not None
    return Range(row.se.lo * factor, row.se.hi * factor if factor else 0.0)
