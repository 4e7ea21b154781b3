"""Differences between subsamples: the probability that one coefficient exceeds the other, over their unknown errors."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd

from bayes_npp.auditing.printed import PrintedRow
from bayes_npp.auditing.significance import Range
from bayes_npp.claims.evidence import MATTHEWS, DifferenceEvidence, difference_evidence

POINTS = 201
ALL = ("", "all")


@dataclass(frozen=True)
class SubsampleDifference:
    """Two subsample coefficients of one claim, the higher printed estimate first.

    Parameters
    ----------
    first, second : PrintedRow
    cap : float
        Most that one standard error may be of the other: a declaration.
    narrow, wide : tuple of float, or None
        Standard errors (first, second), both as small and both as large as allowed; None where the cap and what is
        printed exclude each other.
    clear : float
        Probability from which the sign is called clear.
    equal : Range or None
        Probability that first > second if the two standard errors are equal; None where that is excluded.
    crossings : dict
        For each probability (0.95 and `clear`): the standard error of the row `unknown` above which P(first > second)
        falls short of it, the other's being the largest allowed; 0 if it always does, infinite if it never does.
    unknown : PrintedRow
        The row whose standard error is known less well.
    """

    first: PrintedRow
    second: PrintedRow
    cap: float
    clear: float
    narrow: tuple[float, float] | None
    wide: tuple[float, float] | None
    equal: Range | None
    crossings: dict[float, float]
    unknown: PrintedRow

    @property
    def probability(self) -> Range | None:
        """P(first > second), lowest and highest under the cap."""
        if self.narrow is None or self.wide is None:
            return None
        return Range(self._at(self.wide).probability, self._at(self.narrow).probability)

    @property
    def p_value(self) -> Range | None:
        """Two-sided p-value of the difference, lowest and highest under the cap."""
        if self.narrow is None or self.wide is None:
            return None
        return Range(self._at(self.narrow).p_value, self._at(self.wide).p_value)

    @property
    def reading(self) -> str:
        """clear | undecided | open (it depends on what is not printed) | excluded."""
        if self.probability is None:
            return "excluded"
        if self.probability.lo >= self.clear:
            return "clear"
        return "undecided" if self.probability.hi < self.clear else "open"

    @property
    def one_significant(self) -> bool:
        """Whether one coefficient is significant at 5 % and the other is not, whatever the standard errors."""
        first, second = self.first, self.second
        return (first.significant and second.z.hi < MATTHEWS) or (second.significant and first.z.hi < MATTHEWS)

    def _at(self, errors: tuple[float, float]) -> DifferenceEvidence:
        return evidence_of(self.first, self.second, *errors)


def subsample_differences(
    rows: Iterable[PrintedRow], cap: float, clear: float, claims: tuple[str, ...] | None = None
) -> tuple[SubsampleDifference, ...]:
    """Every pair of subsamples of one claim, table, estimator, outcome and term.

    Rows on all units overlap with any subsample and are left out. Where a sample appears more than once (models side
    by side), pairs are formed within a model.
    """
    groups: dict[tuple[str, ...], list[PrintedRow]] = {}
    for row in rows:
        own = row.labels
        if row.estimate is None or own["sample"].lower() in ALL:
            continue
        if claims is None or own["claim"] in claims:
            key = tuple(own[name] for name in ("claim", "table", "estimator", "outcome", "term"))
            groups.setdefault(key, []).append(row)
    found = []
    for members in groups.values():
        samples = [row.labels["sample"] for row in members]
        repeated = len(set(samples)) < len(samples)
        for one, other in combinations(members, 2):
            if one.labels["sample"] == other.labels["sample"]:
                continue
            if repeated and one.labels["model"] != other.labels["model"]:
                continue
            found.append(_difference(one, other, cap, clear))
    return tuple(found)


def curve_frame(differences: Iterable[SubsampleDifference]) -> pd.DataFrame:
    """P(first > second) and p-value over the standard error known less well.

    Columns: pair, first, second, se_of (which of the two varies), se, other_se_lowest, other_se_highest (what the other
    may be then), probability_lowest, probability_highest, p_value_lowest, p_value_highest, within_cap.
    """
    records = []
    for pair, difference in enumerate(differences, start=1):
        for se in _grid(difference):
            other = _other(difference, se)
            low, high = (_at(difference, se, value) for value in (other.hi, other.lo))
            records.append(
                {
                    "pair": pair,
                    "first": difference.first.labels["sample"],
                    "second": difference.second.labels["sample"],
                    "se_of": difference.unknown.labels["sample"],
                    "se": se,
                    "other_se_lowest": other.lo,
                    "other_se_highest": other.hi,
                    "probability_lowest": low.probability,
                    "probability_highest": high.probability,
                    "p_value_lowest": high.p_value,
                    "p_value_highest": low.p_value,
                    "within_cap": se <= _ends(difference).hi * (1 + 1e-12),
                }
            )
    return pd.DataFrame(records, columns=list(_CURVE))


_CURVE = (
    *("pair", "first", "second", "se_of", "se", "other_se_lowest", "other_se_highest"),
    *("probability_lowest", "probability_highest", "p_value_lowest", "p_value_highest", "within_cap"),
)


def evidence_of(first: PrintedRow, second: PrintedRow, se_first: float, se_second: float) -> DifferenceEvidence:
    """The difference of two printed rows at given standard errors."""
    assert first.estimate is not None
    assert second.estimate is not None
    return difference_evidence(first.estimate, second.estimate, se_first, se_second)


def corners(first: Range, second: Range, cap: float) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Smallest and largest pair of standard errors within both ranges whose ratio is at most `cap`, either way.

    Both exist at once (the constraints form a lattice), so whatever falls in both errors has its range between them.
    """
    narrow = (max(first.lo, second.lo / cap), max(second.lo, first.lo / cap))
    wide = (min(first.hi, second.hi * cap), min(second.hi, first.hi * cap))
    possible = all(low <= high for low, high in zip(narrow, wide, strict=True))
    return (narrow, wide) if possible else None


def _difference(one: PrintedRow, other: PrintedRow, cap: float, clear: float) -> SubsampleDifference:
    assert one.estimate is not None
    assert other.estimate is not None
    assert one.se is not None
    assert other.se is not None
    first, second = (one, other) if one.estimate >= other.estimate else (other, one)
    assert first.se is not None
    assert second.se is not None
    ends = corners(first.se, second.se, cap)
    narrow, wide = ends or (None, None)
    same = Range(max(first.se.lo, second.se.lo), min(first.se.hi, second.se.hi))
    equal = None
    if same.lo <= same.hi:
        low, high = (evidence_of(first, second, se, se).probability for se in (same.hi, same.lo))
        equal = Range(low, high)
    unknown = first if _spread(first.se) > _spread(second.se) else second
    difference = SubsampleDifference(first, second, cap, clear, narrow, wide, equal, {}, unknown)
    if ends is None:
        return difference
    return replace(difference, crossings={level: _crossing(difference, level) for level in (0.95, clear)})


def _spread(se: Range) -> tuple[bool, float]:
    """How little is known of a standard error: no upper end first, then the ratio of the ends."""
    return math.isinf(se.hi), se.hi / se.lo if se.lo else math.inf


def _ends(difference: SubsampleDifference) -> Range:
    """Standard errors of the row known less well that the cap allows."""
    assert difference.narrow is not None
    assert difference.wide is not None
    which = 0 if difference.unknown is difference.first else 1
    return Range(difference.narrow[which], difference.wide[which])


def _other(difference: SubsampleDifference, se: float) -> Range:
    """What the other standard error may be if the one known less well is `se`; its nearest end beyond the cap."""
    known = (difference.second if difference.unknown is difference.first else difference.first).se
    assert known is not None
    lo, hi = max(known.lo, se / difference.cap), min(known.hi, se * difference.cap)
    return Range(min(lo, known.hi), max(hi, known.lo))


def _at(difference: SubsampleDifference, se: float, other: float) -> DifferenceEvidence:
    errors = (se, other) if difference.unknown is difference.first else (other, se)
    return evidence_of(difference.first, difference.second, *errors)


def _crossing(difference: SubsampleDifference, level: float) -> float:
    """Where P(first > second), the other standard error being the largest allowed, falls to `level`."""
    from scipy.optimize import brentq

    ends = _ends(difference)

    def excess(se: float) -> float:
        return _at(difference, se, _other(difference, se).hi).probability - level

    if excess(ends.lo) < 0:
        return 0.0
    top = ends.hi
    if math.isinf(top):
        top = max(ends.lo, abs(_at(difference, 0, 0).estimate), 1e-300)
        while excess(top) >= 0 and top < 1e300:
            top *= 2
    if excess(top) >= 0:
        return math.inf
    return float(brentq(excess, ends.lo, top, xtol=1e-14, rtol=1e-12))


def _grid(difference: SubsampleDifference) -> list[float]:
    """Standard errors at which the curve is drawn; none where printing leaves nothing open."""
    if difference.narrow is None:
        return []
    ends, own = _ends(difference), difference.unknown.se
    assert own is not None
    lo, hi = ends.lo, ends.hi
    if math.isinf(hi):
        hi = 10 * max(lo, _other(difference, lo).lo, abs(_at(difference, 0, 0).estimate))
    elif own.hi > hi:  # the cap ends the range: show what lies beyond it too
        hi = min(own.hi, 1.25 * hi)
    if hi <= 1.02 * lo or hi == 0:
        return []
    lo = lo or hi / POINTS
    return [lo + (hi - lo) * step / (POINTS - 1) for step in range(POINTS)]
