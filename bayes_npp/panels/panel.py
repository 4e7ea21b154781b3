"""The panel: rows of units and periods, their balance, shifts by time (never by row)."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayes_npp.errors import DesignError, PanelError, nearest
from bayes_npp.panels.calendar import Calendar
from bayes_npp.panels.labels import WORDS_FOR_BLANK, check_alike, labels_of
from bayes_npp.panels.notices import Notice
from bayes_npp.records import Shown

WEIGHT_COLUMNS = ["index", "method", "indicator", "direction", "weight", "entropy"]


@dataclass(frozen=True)
class FilledCell:
    """One cell that the source leaves blank and a declared interpolation filled."""

    variable: str
    unit: str
    time: int
    value: float


@dataclass(frozen=True, repr=False)
class Balance(Shown):
    """Shape of a panel: rows, units, periods, and every (unit, period) cell missing inside a unit's own span."""

    n_rows: int
    n_units: int
    n_periods: int
    balanced: bool
    rows_per_unit: tuple[int, int]
    gaps: tuple[tuple[str, int], ...]
    constant_columns: tuple[str, ...]
    empty_columns: tuple[str, ...]

    def __str__(self) -> str:
        shape = f"{self.n_rows} rows, {self.n_units} units, {self.n_periods} periods"
        if self.balanced:
            return f"{shape}, balanced"
        low, high = self.rows_per_unit
        return f"{shape}, unbalanced ({low} to {high} rows a unit, {len(self.gaps)} gaps inside a unit's span)"


@dataclass(frozen=True, repr=False)
class Panel(Shown):
    """Unit x period rows, sorted by unit and time.

    Attributes
    ----------
    frame : DataFrame
        All rows of the source, also those outside `window` (they serve lags); index 0..n-1. Units and groups are
        text; the time column holds the numbers of periods, whose keys `calendar` knows.
    unit, time, group : str
        Names of the key columns; `time` is None for a cross-section, `group` None without grouping.
    window : tuple of int, optional
        First and last period of estimation, inclusive, as numbers of `calendar`.
    source : str
        Where the rows came from, for messages.
    file_rows : ndarray of int, shape (n,)
        Row of each observation in the source file (the header is row 1); 0-based position + 1 for a frame.
    filled : tuple of FilledCell
        Every interpolated cell.
    index_weights : DataFrame
        Columns index, method, indicator, direction, weight, entropy: how each index was put together.
    calendar : Calendar
        From numbers of periods to the keys that readers see.
    notices : tuple of Notice
        What in the source may be wrong.
    moved : frozenset of str
        Columns that are lags or leads: a blank there is a period that is not there.
    """

    frame: pd.DataFrame
    unit: str
    time: str | None
    group: str | None
    window: tuple[int, int] | None
    source: str
    file_rows: np.ndarray
    filled: tuple[FilledCell, ...] = ()
    index_weights: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=WEIGHT_COLUMNS))
    calendar: Calendar = field(default_factory=Calendar)
    notices: tuple[Notice, ...] = ()
    moved: frozenset[str] = frozenset()

    def headline(self) -> str:
        return f"Panel: {self.balance()}"

    def details(self) -> list[str]:
        """Keys, window, columns, and what may be wrong."""
        keys = f"unit: {self.unit}; time: {self.time or 'none'}; group: {self.group or 'none'}"
        label = self.calendar.label
        times = () if self.time is None else (self.frame[self.time].min(), self.frame[self.time].max())
        span = f"periods: {' to '.join(map(label, times))}" if times else "a cross-section of units"
        span += f"; window: {' to '.join(map(label, self.window))}" if self.window else ""
        names = [str(name) for name in self.frame if name not in (self.unit, self.time, self.group)]
        columns = f"{len(names)} columns: {', '.join(names)}"
        return [keys, span, columns, f"source: {self.source}", *map(str, self.notices)]

    @property
    def in_window(self) -> np.ndarray:
        """Mask of the estimation rows, shape (n,)."""
        if self.window is None or self.time is None:
            return np.ones(len(self.frame), dtype=bool)
        first, last = self.window
        return self.frame[self.time].between(first, last).to_numpy()

    @property
    def doubt(self) -> tuple[str, str]:
        """Why a distance between two keys of time need not be one between periods, and what to declare; or nothing."""
        calendar = self.calendar
        return (f"the keys of '{self.time}' {calendar.doubt}", calendar.mend) if calendar.doubt else ("", "")

    def column(self, name: str) -> pd.Series:
        """The column, or `PanelError` with the nearest known name."""
        if name not in self.frame:
            raise PanelError(f"unknown column '{name}'", place=self.source, fix=nearest(name, self.frame.columns))
        return self.frame[name]

    def numbers(self, name: str) -> np.ndarray:
        """The column as floats (missing as NaN), shape (n,); a cell that is no number is an error."""
        values = self.column(name)
        if pd.api.types.is_bool_dtype(values):
            return values.to_numpy(dtype=float)
        if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_object_dtype(values)):
            values = values.astype(str).where(values.notna())  # no count of nanoseconds since 1970, or between dates
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        bad = (numbers.isna() & values.notna() & ~values.isin(WORDS_FOR_BLANK)) | np.isinf(numbers)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise PanelError(
                f"column '{name}' has the value {values.iloc[at]!r}, which is not a number",
                place=self.place(at),
                fix="Correct the cell, or leave it blank if the value is missing",
            )
        return numbers.to_numpy()

    def labels(self, name: str) -> pd.Series:
        """The column as printed labels of groups, shape (n,), missing as NaN; two that look alike are an error."""
        labels = labels_of(self.column(name))
        check_alike(labels, "label", f"{self.source}, column '{name}'", self.file_rows)
        return labels

    def place(self, at: int) -> str:
        """Source, row and keys of observation `at` (its position in `frame`)."""
        keys = [str(self.frame[self.unit].iloc[at])]
        keys += [self.calendar.label(self.frame[self.time].iloc[at])] if self.time else []
        return f"{self.source}, row {self.file_rows[at]} ({' '.join(keys)})"

    def check_distances(self, what: str, even: bool = False) -> None:
        """Raise `DesignError` where keys of time may not say how far apart periods are.

        Parameters
        ----------
        what : str
            What needs the distances, for the message.
        even : bool
            Whether distances up to a common factor are enough, as for a linear trend.
        """
        why, mend = self.doubt
        if why and not (even and self.calendar.even):
            raise DesignError(
                f"{what} needs to know which periods follow each other, and {why}",
                place=self.source,
                fix=f"Declare {mend} in [study], or in read_panel",
            )

    def shift(self, values: np.ndarray, periods: int) -> np.ndarray:
        """Values `periods` periods earlier (later if negative) of the same unit, by time; NaN across a gap."""
        what = "a lag" if periods > 0 else "a lead"
        if self.time is None:
            raise PanelError(f"{what} needs a time column", place=self.source, fix="Read the panel with time=")
        self.check_distances(what)
        if periods % self.calendar.spacing:
            raise DesignError(
                f"{what} of {abs(periods)} has no value: rows of a unit lie {self.calendar.spacing} periods apart",
                place=self.source,
                fix="Give each wave one number, the same for all units",
            )
        keys = self.frame[[self.unit, self.time]].set_axis(["unit", "time"], axis=1)
        earlier = keys.assign(time=keys["time"] + periods, value=values)
        return keys.merge(earlier, on=["unit", "time"], how="left")["value"].to_numpy()

    def with_column(self, name: str, values: np.ndarray | pd.Series, moved: bool = False) -> "Panel":
        """The panel with one more column, `moved` if it is a lag or a lead: these replace no column of the source."""
        if moved and name in self.frame and name not in self.moved:
            raise PanelError(
                f"column '{name}' has the name of a lag or lead that is computed",
                place=self.source,
                fix="Rename the column",
            )
        own = self.moved | {name} if moved else self.moved - {name}
        frame = self.frame.copy(deep=False)
        frame[name] = values
        return replace(self, frame=frame, moved=own)

    def balance(self) -> Balance:
        """Balance and gaps of the estimation rows."""
        rows = self.frame[self.in_window]
        per_unit = rows.groupby(self.unit, sort=False).size()
        gaps: list[tuple[str, int]] = []
        n_periods = 1
        if self.time is not None:
            periods = np.sort(rows[self.time].unique())
            n_periods = len(periods)
            for unit, own in rows.groupby(self.unit, sort=False)[self.time]:
                missing = set(periods[(periods > own.min()) & (periods < own.max())]) - set(own)
                gaps += [(str(unit), self.calendar.period(period)) for period in sorted(missing)]
        values = rows.drop(columns=[key for key in (self.unit, self.time, self.group) if key])
        distinct = values.nunique()
        return Balance(
            n_rows=len(rows),
            n_units=len(per_unit),
            n_periods=n_periods,
            balanced=len(rows) == len(per_unit) * n_periods,
            rows_per_unit=(int(per_unit.min()), int(per_unit.max())),
            gaps=tuple(gaps),
            constant_columns=tuple(distinct.index[(distinct == 1) & values.notna().all()]),
            empty_columns=tuple(distinct.index[distinct == 0]),
        )
