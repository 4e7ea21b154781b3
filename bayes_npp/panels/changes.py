"""Transforms: products, changes, growth, amounts per head, at constant prices, shares of a group."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from bayes_npp.errors import VariableError
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.transform import Periods, Transform, divided


class Product(Transform):
    """Product of columns, such as an interaction; missing if any part is missing."""

    product: Annotated[tuple[str, ...], Field(min_length=2)]

    def values(self, panel: Panel) -> np.ndarray:
        return np.prod([panel.numbers(name) for name in self.product], axis=0)


class Square(Transform):
    """The square of a column."""

    square: str

    def values(self, panel: Panel) -> np.ndarray:
        return panel.numbers(self.square) ** 2


class Difference(Transform):
    """Change since `periods` periods before, by time, not by row."""

    difference: str
    periods: Periods = 1

    def values(self, panel: Panel) -> np.ndarray:
        now = panel.numbers(self.difference)
        return now - panel.shift(now, self.periods)


class Growth(Transform):
    """Growth since `periods` periods before: x / x before - 1, or the difference of logarithms."""

    growth: str
    periods: Periods = 1
    method: Literal["relative", "log"] = "relative"

    def values(self, panel: Panel) -> np.ndarray:
        now = panel.numbers(self.growth)
        before = panel.shift(now, self.periods)
        low = panel.in_window & ((before <= 0) | ((now <= 0) & ~np.isnan(before)))
        if low.any():
            raise VariableError(
                f"'{self.growth}' has no growth rate where it is zero or below",
                place=panel.place(int(np.flatnonzero(low)[0])),
                fix="Use difference, or leave the cell blank if the value is unknown",
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where((before > 0) & (now > 0), now / before, np.nan)
        return np.log(ratio) if self.method == "log" else ratio - 1


class PerHead(Transform):
    """An amount over a population."""

    per_head: tuple[str, str]

    def values(self, panel: Panel) -> np.ndarray:
        return divided(panel, *self.per_head)


class Deflate(Transform):
    """An amount at the prices of one period (a key of the file): x times index at `base` over index, unit by unit.

    With `index = "level"` the price index `by` is one of levels (2015 = 100); with "previous" each value is relative to
    the period before (previous year = 100, as statistical yearbooks print it), and levels are its running product.
    """

    deflate: str
    by: str
    base: int | str
    index: Literal["level", "previous"] = "level"

    def values(self, panel: Panel) -> np.ndarray:
        if panel.time is None:
            raise VariableError("constant prices need a time column", fix="Read the panel with time=")
        prices = panel.numbers(self.by)
        low = (prices <= 0) & panel.in_window
        if low.any():
            raise VariableError(
                f"price index '{self.by}' is zero or below",
                place=panel.place(int(np.flatnonzero(low)[0])),
                fix="Leave the cell blank if it is unknown",
            )
        levels = np.where(prices > 0, prices, np.nan)
        if self.index == "previous":
            panel.check_distances("a running product of prices")
            levels = _chained(levels / 100, panel)
        units = panel.frame[panel.unit].to_numpy()
        at = (panel.frame[panel.time] == panel.calendar.number(self.base)).to_numpy()
        base = pd.Series(levels[at], index=units[at])
        missing = [unit for unit in pd.unique(units[panel.in_window]) if pd.isna(base.get(unit))]
        if missing:
            raise VariableError(
                f"'{self.by}' is missing in {self.base} for {', '.join(map(str, missing[:5]))}",
                fix="Choose a base period in which the prices of every unit are known",
            )
        return panel.numbers(self.deflate) * pd.Series(units).map(base).to_numpy(dtype=float) / levels


def _chained(relative: np.ndarray, panel: Panel) -> np.ndarray:
    """Levels from prices relative to the period before; after a gap or a blank cell a unit's levels are unknown."""
    units, times = panel.frame[panel.unit].to_numpy(), panel.frame[panel.time].to_numpy()
    out = np.full(len(relative), np.nan)
    for at in range(len(relative)):
        first = at == 0 or units[at] != units[at - 1]
        if first:
            out[at] = 1.0
        elif times[at] - times[at - 1] == 1:
            out[at] = out[at - 1] * relative[at]
    return out


class Share(Transform):
    """A unit's share of its group's total in the period; missing where any unit of the group is."""

    share: str
    of: str

    def values(self, panel: Panel) -> np.ndarray:
        values = panel.numbers(self.share)
        keys = [panel.labels(self.of)] + ([panel.frame[panel.time]] if panel.time else [])
        total = pd.Series(values).groupby(keys).transform(lambda own: own.sum(skipna=False)).to_numpy(dtype=float)
        zero = (total == 0) & panel.in_window
        if zero.any():
            raise VariableError(
                f"the total of '{self.share}' in its group is zero",
                place=panel.place(int(np.flatnonzero(zero)[0])),
                fix="Leave cells blank that are unknown",
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total == 0, np.nan, values / total)
