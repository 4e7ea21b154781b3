"""The panel: read, validate, report balance, shift by time (never by row)."""

import codecs
import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError, nearest

WEIGHT_COLUMNS = ["index", "method", "indicator", "direction", "weight", "entropy"]
READERS = {".csv": "CSV", ".parquet": "Parquet", ".dta": "Stata", ".xlsx": "Excel"}


@dataclass(frozen=True)
class FilledCell:
    """One cell that the source leaves blank and a declared interpolation filled."""

    variable: str
    unit: str
    time: int
    value: float


@dataclass(frozen=True)
class Balance:
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


@dataclass(frozen=True)
class Panel:
    """Unit x period rows, sorted by unit and time.

    Attributes
    ----------
    frame : DataFrame
        All rows of the source, also those outside `window` (they serve lags); index 0..n-1.
    unit, time, group : str
        Names of the key columns; `time` is None for a cross-section, `group` None without grouping.
    window : tuple of int, optional
        First and last period of estimation, inclusive.
    source : str
        Where the rows came from, for messages.
    file_rows : ndarray of int, shape (n,)
        Row of each observation in the source file (the header is row 1); 0-based position + 1 for a frame.
    filled : tuple of FilledCell
        Every interpolated cell.
    index_weights : DataFrame
        Columns index, method, indicator, direction, weight, entropy: how each index was put together.
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

    @property
    def in_window(self) -> np.ndarray:
        """Mask of the estimation rows, shape (n,)."""
        if self.window is None or self.time is None:
            return np.ones(len(self.frame), dtype=bool)
        first, last = self.window
        return self.frame[self.time].between(first, last).to_numpy()

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
        if pd.api.types.is_datetime64_any_dtype(values):
            values = values.astype(str)  # a date is no number, though pandas would count its nanoseconds
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        bad = (numbers.isna() & values.notna()) | np.isinf(numbers)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise PanelError(
                f"column '{name}' has the value {values.iloc[at]!r}, which is not a number",
                place=self.place(at),
                fix="Correct the cell, or leave it blank if the value is missing",
            )
        return numbers.to_numpy()

    def place(self, at: int) -> str:
        """Source, row and keys of observation `at` (its position in `frame`)."""
        keys = [str(self.frame[key].iloc[at]) for key in (self.unit, self.time) if key]
        return f"{self.source}, row {self.file_rows[at]} ({' '.join(keys)})"

    def shift(self, values: np.ndarray, periods: int) -> np.ndarray:
        """Values `periods` periods earlier (later if negative) of the same unit, by time; NaN across a gap."""
        if self.time is None:
            raise PanelError("a lag needs a time column", place=self.source, fix="Read the panel with time=")
        keys = self.frame[[self.unit, self.time]].set_axis(["unit", "time"], axis=1)
        earlier = keys.assign(time=keys["time"] + periods, value=values)
        return keys.merge(earlier, on=["unit", "time"], how="left")["value"].to_numpy()

    def with_column(self, name: str, values: np.ndarray | pd.Series) -> "Panel":
        """The panel with one more column."""
        return replace(self, frame=self.frame.assign(**{name: values}))

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
                gaps += [(str(unit), int(period)) for period in sorted(missing)]
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


def read_panel(
    path: str | Path | pd.DataFrame,
    unit: str,
    time: str | None,
    group: str | None = None,
    window: tuple[int, int] | None = None,
    encoding: str = "utf-8",
) -> Panel:
    """Read and validate a unit x period panel.

    Parameters
    ----------
    path : path or DataFrame
        A .csv, .parquet, .dta (Stata) or .xlsx file, or the rows themselves.
    unit, time, group : str
        Key columns. `time=None` reads a cross-section of units. `group` must not vary within a unit.
    window : (int, int), optional
        Estimation window, inclusive; earlier rows serve lags only.
    encoding : str
        Of a CSV file; Chinese files that are not UTF-8 are usually "gb18030".

    Raises
    ------
    PanelError
        Missing file or column, duplicate or missing keys, non-integer time, infinities, a group that varies in a unit.
    """
    if isinstance(path, pd.DataFrame):
        frame, source, first_row = path.copy(), "the panel", 1
    else:
        frame, source, first_row = _read_file(Path(path), encoding), str(path), 2
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise PanelError(f"two columns are named '{twice[0]}'", place=source, fix="Rename one of the two")
    for key, name in (("unit", unit), ("time", time), ("group", group)):
        if name is not None and name not in frame:
            fix = nearest(name, frame.columns)
            raise PanelError(f"{key} column '{name}' not found", place=source, fix=fix)
    if frame.empty:
        raise PanelError("there are no rows", place=source, fix="Check that the file has data below its header")
    frame = frame.reset_index(drop=True)
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, object))
    _check_keys(frame, unit, time, source, first_row)
    if time is not None:
        frame[time] = frame[time].astype(float).astype(int)
    file_rows = np.arange(len(frame)) + first_row
    _check_duplicates(frame, unit, time, source, file_rows)
    _check_infinities(frame, source, file_rows)
    if group is not None:
        _check_group(frame, unit, group, source, file_rows)
    # Units keep the order in which the file names them, so that tables follow the source.
    order = pd.DataFrame({"unit": pd.factorize(frame[unit])[0], "time": frame[time] if time else 0})
    order = order.sort_values(["unit", "time"], kind="stable").index.to_numpy()
    return Panel(
        frame=frame.iloc[order].reset_index(drop=True),
        unit=unit,
        time=time,
        group=group,
        window=_check_window(frame, time, window, source),
        source=source,
        file_rows=file_rows[order],
    )


def _read_file(path: Path, encoding: str) -> pd.DataFrame:
    if not path.is_file():
        raise PanelError("the file does not exist", place=str(path), fix="Check the path")
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        raise PanelError(
            f"unknown kind of file '{path.suffix}'", place=str(path), fix=f"Use one of {', '.join(READERS)}"
        )
    try:
        match kind:
            case "CSV":
                if codecs.lookup(encoding).name == "utf-8":
                    encoding = "utf-8-sig"
                _check_cells(path, encoding)
                return pd.read_csv(path, encoding=encoding, low_memory=False)
            case "Parquet":
                return pd.read_parquet(path)
            case "Stata":
                return pd.read_stata(path, convert_categoricals=True)
            case _:
                return pd.read_excel(path)
    except PanelError:
        raise
    except UnicodeDecodeError:
        fix = "Save it as UTF-8, or give its encoding (often encoding='gb18030' for Chinese files)"
        name = encoding.removesuffix("-sig")
        raise PanelError(f"the file is not {name} text", place=str(path), fix=fix) from None
    except Exception as error:  # readers of damaged files raise anything: struct.error, zlib.error, KeyError, ...
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        fix = "Check that the file is complete and of the kind that its name says"
        raise PanelError(f"the {kind} file cannot be read ({reason})", place=str(path), fix=fix) from None


def _check_cells(path: Path, encoding: str) -> None:
    """A name that stands twice, or a row longer than the header: pandas would rename the one and shift the other."""
    with path.open(encoding=encoding, newline="") as lines:
        rows = csv.reader(lines)
        header = next((row for row in rows if "".join(row).strip()), [])
        twice = [name for i, name in enumerate(header) if name in header[:i]]
        if twice:
            raise PanelError(
                f"column '{twice[0]}' stands twice in the header", place=f"{path}, row 1", fix="Rename one of the two"
            )
        for number, row in enumerate(rows, start=2):
            if len(row) > len(header):
                raise PanelError(
                    f"the row has {len(row)} cells, the header {len(header)}",
                    place=f"{path}, row {number}",
                    fix="Remove the extra comma, or put a value that contains one in quotes",
                )


def _check_keys(frame: pd.DataFrame, unit: str, time: str | None, source: str, first_row: int) -> None:
    for key in (unit, time):
        if key is None:
            continue
        blank = (frame[key].isna() | (frame[key].astype(str).str.strip() == "")).to_numpy()
        if blank.any():
            at = int(np.flatnonzero(blank)[0])
            raise PanelError(
                f"key column '{key}' is blank in {blank.sum()} row(s)",
                place=f"{source}, row {at + first_row}",
                fix="Fill the key or delete the row",
            )
    names = frame[unit].astype(str)
    stripped = names.str.strip()
    if stripped.nunique() < names.nunique():
        at = int(np.flatnonzero((names != stripped).to_numpy())[0])
        raise PanelError(
            f"unit '{names.iloc[at]}' differs from another unit only by spaces",
            place=f"{source}, row {at + first_row}",
            fix="Remove the spaces around the name",
        )
    if time is None:
        return
    numbers = pd.to_numeric(frame[time], errors="coerce")
    if pd.api.types.is_datetime64_any_dtype(frame[time]):
        numbers = pd.Series(np.nan, index=frame.index)
    wrong = (~(numbers.abs() < 2**53) | (numbers != numbers.round())).to_numpy()
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise PanelError(
            f"time column '{time}' has the value {frame[time].iloc[at]!s}, which is not a whole number",
            place=f"{source}, row {at + first_row}",
            fix="Give each period an integer, such as the year",
        )


def _check_duplicates(frame: pd.DataFrame, unit: str, time: str | None, source: str, file_rows: np.ndarray) -> None:
    keys = [unit] if time is None else [unit, time]
    again = frame.duplicated(keys).to_numpy()
    if again.any():
        at = int(np.flatnonzero(again)[0])
        first = int(np.flatnonzero((frame[keys] == frame[keys].iloc[at]).all(axis=1).to_numpy())[0])
        label = " ".join(str(frame[key].iloc[at]) for key in keys)
        raise PanelError(
            f"{label} stands in two rows",
            place=f"{source}, rows {file_rows[first]} and {file_rows[at]}",
            fix="Keep one row for each unit and period",
        )


def _check_infinities(frame: pd.DataFrame, source: str, file_rows: np.ndarray) -> None:
    for name in frame.select_dtypes(include="number").columns:
        infinite = np.isinf(frame[name].to_numpy(dtype=float, na_value=np.nan))
        if infinite.any():
            at = int(np.flatnonzero(infinite)[0])
            raise PanelError(
                f"column '{name}' is infinite",
                place=f"{source}, row {file_rows[at]}",
                fix="Correct the cell, or leave it blank if the value is missing",
            )


def _check_group(frame: pd.DataFrame, unit: str, group: str, source: str, file_rows: np.ndarray) -> None:
    if frame[group].isna().any():
        at = int(np.flatnonzero(frame[group].isna().to_numpy())[0])
        raise PanelError(
            f"group column '{group}' is blank", place=f"{source}, row {file_rows[at]}", fix="Give every unit a group"
        )
    first = frame.groupby(unit, sort=False)[group].transform("first")
    varies = (first != frame[group]).to_numpy()
    if varies.any():
        at = int(np.flatnonzero(varies)[0])
        raise PanelError(
            f"unit '{frame[unit].iloc[at]}' is in group '{first.iloc[at]}' and in '{frame[group].iloc[at]}'",
            place=f"{source}, row {file_rows[at]}",
            fix="A group must not vary within a unit",
        )


def _check_window(
    frame: pd.DataFrame, time: str | None, window: tuple[int, int] | None, source: str
) -> tuple[int, int] | None:
    if window is None:
        return None
    if time is None:
        raise PanelError("a window needs a time column", place=source, fix="Read the panel with time=")
    if len(window) != 2 or window[0] > window[1]:
        raise PanelError(f"window {tuple(window)} is not (first, last)", place=source, fix="Give first <= last")
    first, last = int(window[0]), int(window[1])
    if not frame[time].between(first, last).any():
        span = f"{frame[time].min()} to {frame[time].max()}"
        raise PanelError(f"no rows in {first} to {last}", place=source, fix=f"The panel covers {span}")
    return first, last
