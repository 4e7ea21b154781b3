"""Rows of the window that a model does not use, by reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.panels.panel import Panel


@dataclass(frozen=True)
class LeftOut:
    """Counts of rows of the window that are left out, each for its first reason.

    Attributes
    ----------
    blank : int
        A variable of the row itself is missing.
    no_period : int
        A lag, a lead or the period before is missing.
    no_group : int
        The group is unknown.
    of : int
        Rows of the window.
    """

    blank: int = 0
    no_period: int = 0
    no_group: int = 0
    of: int = 0

    @property
    def total(self) -> int:
        return self.blank + self.no_period + self.no_group

    def __str__(self) -> str:
        reasons = {
            "with blank cells": self.blank,
            "without a lag or lead": self.no_period,
            "of unknown group": self.no_group,
        }
        counts = [f"{n} {reason}" for reason, n in reasons.items() if n]
        return f"{self.total} of {self.of} rows left out: {', '.join(counts)}" if counts else ""


def left_out(
    panel: Panel, keep: np.ndarray, used: np.ndarray, names: Sequence[str], no_group: np.ndarray | None = None
) -> LeftOut:
    """Count the rows of `keep` that are not `used`, masks of shape (n,), by what they lack of the named columns."""
    gone = keep & ~used
    own = [np.isnan(panel.numbers(name)) for name in names if name not in panel.moved]
    blank = gone & np.logical_or.reduce([np.zeros(len(gone), dtype=bool), *own])
    unknown = gone & ~blank & (np.zeros(len(gone), dtype=bool) if no_group is None else no_group)
    rest = gone & ~blank & ~unknown
    return LeftOut(int(blank.sum()), int(rest.sum()), int(unknown.sum()), int(keep.sum()))
