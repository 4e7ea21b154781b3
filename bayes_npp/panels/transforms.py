"""Derived columns from a closed list of transforms; no expression is ever evaluated.

Statistics of a transform (minimum, quantile, mean, weight) are taken over the estimation window; lags reach before it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from bayes_npp.errors import BayesNppError, SpecError, VariableError, nearest
from bayes_npp.panels import indices
from bayes_npp.panels.changes import Deflate, Difference, Growth, PerHead, Product, Share, Square
from bayes_npp.panels.panel import FilledCell, Panel
from bayes_npp.panels.transform import Columns, Periods, Transform, divided
from bayes_npp.panels.variation import constant


class Ratio(Transform):
    """numerator / denominator, times `scale`."""

    ratio: tuple[str, str]
    scale: float = 1.0

    def values(self, panel: Panel) -> np.ndarray:
        return divided(panel, *self.ratio) * self.scale


class Sum(Transform):
    """Sum of columns; missing if any part is missing."""

    sum: Columns

    def values(self, panel: Panel) -> np.ndarray:
        return np.sum([panel.numbers(name) for name in self.sum], axis=0)


class Log(Transform):
    """Natural logarithm; a value of zero or below is an error."""

    log: str

    def values(self, panel: Panel) -> np.ndarray:
        return _log(panel, self.log, 0.0)


class Log1p(Transform):
    """ln(1 + x)."""

    log1p: str

    def values(self, panel: Panel) -> np.ndarray:
        return _log(panel, self.log1p, 1.0)


class Scale(Transform):
    """A column times `by`."""

    scale: str
    by: float

    def values(self, panel: Panel) -> np.ndarray:
        return panel.numbers(self.scale) * self.by


class Lag(Transform):
    """Value `periods` periods earlier, by time, not by row."""

    lag: str
    periods: Periods = 1

    def apply(self, panel: Panel) -> Panel:
        return panel.with_column(self.name, self.values(panel), moved=True)

    def values(self, panel: Panel) -> np.ndarray:
        return panel.shift(panel.numbers(self.lag), self.periods)


class Lead(Transform):
    """Value `periods` periods later, by time, not by row."""

    lead: str
    periods: Periods = 1

    def apply(self, panel: Panel) -> Panel:
        return panel.with_column(self.name, self.values(panel), moved=True)

    def values(self, panel: Panel) -> np.ndarray:
        return panel.shift(panel.numbers(self.lead), -self.periods)


class Index(Transform):
    """Composite index of indicators over the window: entropy, CRITIC or equal weights, or the first component."""

    index: Literal["entropy", "pca", "equal", "critic"]
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    shift: Annotated[float, Field(gt=0, le=1)] = 1e-4

    @property
    def indicators(self) -> tuple[str, ...]:
        return (*self.positive, *self.negative)

    @property
    def signs(self) -> np.ndarray:
        """+1 for each positive indicator, -1 for each negative one, shape (k,)."""
        return np.array([1] * len(self.positive) + [-1] * len(self.negative))

    def apply(self, panel: Panel) -> Panel:
        names = self.indicators
        if len(names) < 2:
            raise VariableError("an index needs at least two indicators", fix="List them under positive and negative")
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise VariableError(f"indicator '{twice[0]}' is listed twice", fix="List each indicator once")
        values = np.column_stack([panel.numbers(name) for name in names])
        rows = panel.in_window & ~np.isnan(values).any(axis=1)
        signs = self.signs
        scaled = indices.min_max(values[rows], signs, names)
        index, weights, entropy = indices.combine(scaled, self.index, self.shift)
        column = np.full(len(panel.frame), np.nan)
        column[rows] = index
        table = pd.DataFrame(
            {
                "index": self.name,
                "method": self.index,
                "indicator": names,
                "direction": np.where(signs > 0, "positive", "negative"),
                "weight": weights,
                "entropy": entropy,
            }
        )
        known = [panel.index_weights] if len(panel.index_weights) else []
        all_weights = pd.concat([*known, table], ignore_index=True)
        return replace(panel.with_column(self.name, column), index_weights=all_weights)


class StructureLevel(Transform):
    """Industrial structure level: sum over sectors s = 1, 2, ... of s x share_s, shares adding to `total`.

    With `remainder = true` the columns start at sector 2 and sector 1 is `total` less the others.
    """

    structure_level: Columns
    remainder: bool = False
    total: Annotated[float, Field(gt=0)] = 100.0

    def values(self, panel: Panel) -> np.ndarray:
        shares = np.column_stack([panel.numbers(name) for name in self.structure_level])
        if self.remainder:
            shares = np.column_stack([self.total - shares.sum(axis=1), shares])
        return shares @ np.arange(1, shares.shape[1] + 1) / self.total


class Winsorise(Transform):
    """Values beyond the p and 1 - p quantiles (type 7) set to them, over the window or within each period."""

    winsorise: str
    p: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    within: Literal["window", "period"] = "window"

    def values(self, panel: Panel) -> np.ndarray:
        values = panel.numbers(self.winsorise)
        inside = pd.Series(np.where(panel.in_window, values, np.nan))
        if self.within == "window":
            return np.clip(values, inside.quantile(self.p), inside.quantile(1 - self.p))
        if panel.time is None:
            raise VariableError("winsorising within a period needs a time column", fix="Use within = 'window'")
        periods = inside.groupby(panel.frame[panel.time])
        low = periods.transform(lambda own: own.quantile(self.p)).to_numpy()
        high = periods.transform(lambda own: own.quantile(1 - self.p)).to_numpy()
        return np.where(np.isnan(low), values, np.clip(values, low, high))


class Standardise(Transform):
    """(x - mean) / SD over the window (SD with n - 1)."""

    standardise: str

    def values(self, panel: Panel) -> np.ndarray:
        values = panel.numbers(self.standardise)
        inside = values[panel.in_window & ~np.isnan(values)]
        if not len(inside):
            raise VariableError(f"column '{self.standardise}' is blank in the window", fix="Widen the window")
        if constant(inside):
            raise VariableError(f"column '{self.standardise}' is constant", fix="A constant cannot be standardised")
        return (values - inside.mean()) / inside.std(ddof=1)


class Interpolate(Transform):
    """Linear interpolation over time between a unit's own observed values, never beyond them; each cell is listed."""

    interpolate: str

    def apply(self, panel: Panel) -> Panel:
        if panel.time is None:
            raise VariableError("interpolation needs a time column", fix="Read the panel with time=")
        panel.check_distances("interpolation over time", even=True)
        values = panel.numbers(self.interpolate)
        filled = values.copy()
        times = panel.frame[panel.time].to_numpy(dtype=float)
        for rows in panel.frame.groupby(panel.unit, sort=False).indices.values():
            seen = rows[~np.isnan(values[rows])]
            blank = rows[np.isnan(values[rows])]
            if len(seen) >= 2:
                filled[blank] = np.interp(times[blank], times[seen], values[seen], left=np.nan, right=np.nan)
        new = np.flatnonzero(np.isnan(values) & ~np.isnan(filled) & panel.in_window)
        units = panel.frame[panel.unit]
        period = panel.calendar.period
        cells = tuple(FilledCell(self.name, str(units.iloc[i]), period(int(times[i])), float(filled[i])) for i in new)
        return replace(panel.with_column(self.name, filled), filled=panel.filled + cells)


class BaselineSplit(Transform):
    """Two groups of units by the median of a column in one period (a key of the file): above it `labels[1]`."""

    baseline_split: str
    at: int | str
    labels: tuple[str, str] = ("low", "high")

    def apply(self, panel: Panel) -> Panel:
        if panel.time is None:
            raise VariableError("a baseline split needs a time column", fix="Read the panel with time=")
        values = panel.numbers(self.baseline_split)
        baseline = pd.Series(values)[(panel.frame[panel.time] == panel.calendar.number(self.at)).to_numpy()]
        units = panel.frame[panel.unit]
        by_unit = pd.Series(baseline.to_numpy(), index=units.iloc[baseline.index].to_numpy())
        missing = [unit for unit in units[panel.in_window].unique() if pd.isna(by_unit.get(unit))]
        if missing:
            raise VariableError(
                f"'{self.baseline_split}' is missing in {self.at} for {', '.join(map(str, missing[:5]))}",
                fix="Choose a period in which every unit is observed",
            )
        high = units.map(by_unit) > by_unit.median()
        labels = pd.Series(np.where(high, self.labels[1], self.labels[0]), index=panel.frame.index)
        return panel.with_column(self.name, labels)


class ShiftShare(Transform):
    """Shares of one period times shifts of each period, summed: sum over k of share_k(unit, at) x shift_k(period).

    A shift is the mean of a column over the units of a period; with `leave_one_out` over the other units, so that a
    unit's own value is not in its instrument. Every share has its shift, in the same order.
    """

    shift_share: Columns
    shifts: Columns
    at: int | str
    leave_one_out: bool = True

    def values(self, panel: Panel) -> np.ndarray:
        if panel.time is None:
            raise VariableError("shift_share needs a time column", fix="Read the panel with time=")
        if len(self.shift_share) != len(self.shifts):
            raise VariableError(
                f"{len(self.shift_share)} shares and {len(self.shifts)} shifts", fix="Give every share its shift"
            )
        pairs = zip(self.shift_share, self.shifts, strict=True)
        return np.sum([self._share(panel, share) * self._shift(panel, shift) for share, shift in pairs], axis=0)

    def _share(self, panel: Panel, name: str) -> np.ndarray:
        units = panel.frame[panel.unit]
        then = (panel.frame[panel.time] == panel.calendar.number(self.at)).to_numpy()
        by_unit = pd.Series(panel.numbers(name)[then], index=units[then])
        missing = [unit for unit in units[panel.in_window].unique() if pd.isna(by_unit.get(unit))]
        if missing:
            raise VariableError(
                f"share '{name}' is missing in {self.at} for {', '.join(map(str, missing[:5]))}",
                fix="Choose a period in which every unit is observed",
            )
        return units.map(by_unit).to_numpy(dtype=float)

    def _shift(self, panel: Panel, name: str) -> np.ndarray:
        values = pd.Series(panel.numbers(name))
        by_period = values.groupby(panel.frame[panel.time].to_numpy())
        total, count = by_period.transform("sum"), by_period.transform("count")
        if not self.leave_one_out:
            return (total / count).to_numpy()
        own = values.notna().astype(int)
        others = count - own
        return ((total - values.fillna(0.0)) / others.where(others > 0)).to_numpy()


TRANSFORMS: dict[str, type[Transform]] = {
    "ratio": Ratio,
    "sum": Sum,
    "log": Log,
    "log1p": Log1p,
    "scale": Scale,
    "lag": Lag,
    "lead": Lead,
    "index": Index,
    "structure_level": StructureLevel,
    "winsorise": Winsorise,
    "standardise": Standardise,
    "product": Product,
    "square": Square,
    "difference": Difference,
    "growth": Growth,
    "per_head": PerHead,
    "deflate": Deflate,
    "share": Share,
    "interpolate": Interpolate,
    "baseline_split": BaselineSplit,
    "shift_share": ShiftShare,
}


def parse_variable(data: Mapping[str, Any], place: str) -> Transform:
    """The transform that a mapping declares; `place` leads the message of any error."""
    if not isinstance(data, Mapping):
        raise SpecError("a variable must be a table", place=place, fix="Give name and one transform")
    keys = [key for key in data if key in TRANSFORMS]
    for transform, option in (("ratio", "scale"), ("deflate", "index")):
        if transform in keys and option in keys:
            keys.remove(option)  # an option of it, not a second transform
    if len(keys) != 1:
        problem = "no transform" if not keys else f"two transforms ({keys[0]}, {keys[1]})"
        unknown = [key for key in data if key not in TRANSFORMS and key != "name"]
        fix = nearest(unknown[0], TRANSFORMS) if unknown and not keys else f"Use one of {', '.join(TRANSFORMS)}"
        raise SpecError(f"{problem} declared", place=f"{place} '{data.get('name', '')}'", fix=fix)
    return TRANSFORMS[keys[0]].parse(dict(data), f"{place} '{data.get('name', '')}'")


def derive(panel: Panel, variables: Iterable[Mapping[str, Any] | Transform]) -> Panel:
    """Add derived columns in the order of declaration; a later variable may use an earlier one.

    Parameters
    ----------
    panel : Panel
    variables : iterable of mapping or Transform
        As in the [[variable]] tables of a study file: `name` and one key of `TRANSFORMS`.

    Raises
    ------
    SpecError, VariableError, PanelError
        Unknown transform or key; a value that cannot be computed; an unknown or non-numeric column.
    """
    for number, declared in enumerate(variables, start=1):
        variable = declared if isinstance(declared, Transform) else parse_variable(declared, f"variable {number}")
        if variable.name in panel.frame:
            raise VariableError(
                f"column '{variable.name}' exists already",
                place=f"variable {number}",
                fix="Choose another name: a source column is never overwritten",
            )
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                panel = variable.apply(panel)
            _check_finite(panel, variable.name)
        except BayesNppError as error:
            raise error.at(f"variable '{variable.name}'") from None
    return panel


def _check_finite(panel: Panel, name: str) -> None:
    values = panel.frame[name]
    infinite = np.isinf(values.to_numpy()) if pd.api.types.is_float_dtype(values) else np.zeros(len(values), dtype=bool)
    if infinite.any():
        at = int(np.flatnonzero(infinite)[0])
        raise VariableError("the value is too large", place=panel.place(at), fix="Correct the cells it is made from")


def _log(panel: Panel, name: str, offset: float) -> np.ndarray:
    values = panel.numbers(name) + offset
    low = (values <= 0) & panel.in_window
    if low.any():
        at = int(np.flatnonzero(low)[0])
        raise VariableError(
            f"the logarithm of '{name}' = {values[at] - offset:g} does not exist",
            place=panel.place(at),
            fix="Use log1p for counts with zeros, or leave the cell blank if it is unknown",
        )
    return np.log(np.where(values > 0, values, np.nan))
