"""Ranges as words."""

import math

from bayes_npp.auditing.significance import Range
from bayes_npp.reporting.base.cells import number, probability


def value_range(lo: float, hi: float) -> str:
    """A range of a quantity that cannot be negative: '0.083', 'at most 0.083', 'at least 0.026', '0.08 to 0.09'."""
    low, high = number(lo), number(hi)
    if lo == 0:
        return "unknown" if math.isinf(hi) else f"at most {high}"
    if math.isinf(hi):
        return f"at least {low}" if math.isfinite(lo) else "infinite"
    return low if low == high else f"{low} to {high}"


def signed_range(lo: float, hi: float) -> str:
    """A range of a quantity of any sign."""
    low, high = number(lo), number(hi)
    return low if low == high else f"{low} to {high}"


def probability_range(range_: Range) -> str:
    """A range of a probability: '0.975', '0.657 to > 0.999'."""
    low, high = probability(range_.lo), probability(range_.hi)
    return low if low == high else f"{low} to {high}"


def probability_relation(range_: Range) -> str:
    """The same after a name: '= 0.975', 'from 0.657 to > 0.999'."""
    text = probability_range(range_)
    return f"from {text}" if " to " in text else text if text[0] in "<>" else f"= {text}"


def listed(names: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
