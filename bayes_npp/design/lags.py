"""Lags written in a specification: L1.x is x one period before, by time."""

import re
from collections.abc import Iterable

from bayes_npp.errors import SpecError
from bayes_npp.panels.panel import Panel

LAG = re.compile(r"L(\d*)\.(.+)")


def with_lags(panel: Panel, names: Iterable[str], outcome: str) -> Panel:
    """The panel with every lag that is named and not there yet.

    Raises
    ------
    SpecError
        A lag of the outcome: beside effects of units it is biased, and belongs to models that deal with that.
    PanelError, DesignError
        An unknown column, keys of time that may not say which periods follow each other.
    """
    for name in names:
        found = LAG.fullmatch(name)
        if found is None or name in panel.frame or found[2] not in panel.frame:
            continue
        if found[2] == outcome:
            raise SpecError(
                f"'{name}' is a lag of the outcome",
                fix="Beside effects of units it has Nickell's bias: use dynamic = true, bn.dynamic_within or GMM",
            )
        panel = panel.with_column(name, panel.shift(panel.numbers(found[2]), int(found[1] or 1)), moved=True)
    return panel
