"""Reading a panel: four kinds of file or a frame, keys and labels in one form, everything doubtful said."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError, PanelWarning, located, nearest
from bayes_npp.panels.calendar import Calendar, PeriodKind, read_times
from bayes_npp.panels.files import read_file
from bayes_npp.panels.frames import SOURCE, as_frame, keys_of
from bayes_npp.panels.labels import check_alike, clean, holds_containers, printed, tidy, tidy_text, words_for_blank
from bayes_npp.panels.notices import Notice, rows_in_words, stand_apart
from bayes_npp.panels.panel import Panel

Key = int | str


def read_panel(
    path: Any,
    unit: str | None = None,
    time: str | None = None,
    group: str | None = None,
    window: tuple[Key, Key] | None = None,
    encoding: str = "utf-8",
    *,
    period: PeriodKind | None = None,
    step: int | None = None,
    missing: Sequence[str | int | float] = (),
) -> Panel:
    """Read and validate a unit x period panel.

    Parameters
    ----------
    path : path, DataFrame, Arrow or polars table, Dataset of xarray
        A .csv, .parquet, .dta (Stata) or .xlsx file, or the rows themselves (see `frames.as_frame`).
    unit, time, group : str
        Key columns, or levels of the index. An index of two levels, or two dimensions, need not be named: unit, time.
        `unit` without `time` reads a cross-section of units. `group` must not vary within a unit.
    window : (int or str, int or str), optional
        Estimation window in the file's keys, inclusive; earlier rows serve lags only.
    encoding : str
        Of a CSV file; Chinese files that are not UTF-8 are usually "gb18030".
    period : {"year", "quarter", "month"}, optional
        What a key of time is: 20193, 2019Q3, 201907, 2019-07, a date. Whole numbers are taken as they are without it,
        and pandas periods have their own.
    step : int, optional
        Periods from one row of a unit to the next without a gap, such as 2 for a survey of every second year: a lag is
        then one step.
    missing : sequence of str or number
        Cells that are blank, such as "NA" or -99. Without it "NA", "None", "null" and "nan" are missing in columns of
        numbers and labels elsewhere.

    Returns
    -------
    Panel
        Labels of units and groups are text: NFKC, without zero-width characters and outer whitespace, 1 and 1.0 both
        "1". Whatever may be wrong is among its `notices`.

    Raises
    ------
    PanelError
        Missing file or column, duplicate or missing keys, a time that cannot be read, infinities, a group that varies
        in a unit, labels that differ only in inner whitespace, case or leading zeros.

    Warns
    -----
    PanelWarning
        Each notice: keys of time that look like quarters or months, or lie a common step apart; words for a blank that
        are labels; -99 and its like.
    """
    panel = load_panel(path, unit, time, group, window, encoding, period=period, step=step, missing=missing)
    for notice in panel.notices:
        warnings.warn(f"{panel.source}: {notice}", PanelWarning, stacklevel=2)
    return panel


def load_panel(
    path: Any,
    unit: str | None = None,
    time: str | None = None,
    group: str | None = None,
    window: tuple[Key, Key] | None = None,
    encoding: str = "utf-8",
    *,
    period: PeriodKind | None = None,
    step: int | None = None,
    missing: Sequence[str | int | float] = (),
) -> Panel:
    """As `read_panel`, without warnings: whoever calls it shows the notices."""
    if unit is None:
        unit, time = _own_keys(path, time)
    labels = [name for name in (unit, group) if name is not None]
    notices: list[Notice] = []
    rows = as_frame(path)
    if rows is not None:
        frame, source, file_rows = rows.copy(), SOURCE, np.arange(len(rows)) + 1
        if frame.columns.nlevels > 1:
            fix = "Give each column one name, such as frame.columns = [...]"
            raise PanelError("the columns have names of several levels", place=source, fix=fix)
    else:
        source = str(path)
        frame, file_rows, notices = read_file(Path(path), encoding, labels, time)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise PanelError(f"two columns are named '{twice[0]}'", place=source, fix="Rename one of the two")
    for key, name in (("unit", unit), ("time", time), ("group", group)):
        if name is not None and name not in frame:
            fix = nearest(name, frame.columns)
            raise PanelError(f"{key} column '{name}' not found", place=source, fix=fix)
    if frame.empty:
        raise PanelError("there are no rows", place=source, fix="Check that the file has data below its header")
    if time is None and (period is not None or step is not None):
        raise PanelError("period and step belong to a time column", place=source, fix="Read the panel with time=")
    frame = frame.reset_index(drop=True)
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, object))
    blank = frozenset(clean(printed(code)) for code in missing)
    for name in labels:
        if holds_containers(frame[name]):
            what = "unit" if name == unit else "group"
            fix = "Give each row one label there"
            raise PanelError(f"{what} column '{name}' holds lists or tables of values", place=source, fix=fix)
    columns = {name: tidy(frame[name], blank, name in labels) for name in frame if name != time}
    if time is not None:
        columns[time] = tidy_text(frame[time])
    frame = pd.DataFrame({name: columns[name] for name in frame}, index=frame.index)
    _check_blank(frame, unit, time, source, file_rows)
    for name in labels:
        check_alike(frame[name], "unit" if name == unit else "group", source, file_rows)
    calendar = Calendar()
    if time is not None:
        frame[time], calendar = read_times(frame[time], frame[unit], period, step, (source, file_rows))
    _check_duplicates(frame, unit, time, calendar, source, file_rows)
    _check_infinities(frame, source, file_rows)
    if group is not None:
        _check_group(frame, unit, group, source, file_rows)
    notices += _notices(frame, time, labels, calendar, file_rows)
    # Units keep the order in which the file names them, so that tables follow the source.
    order = pd.DataFrame({"unit": pd.factorize(frame[unit])[0], "time": frame[time] if time else 0})
    order = order.sort_values(["unit", "time"], kind="stable").index.to_numpy()
    return Panel(
        frame=frame.iloc[order].reset_index(drop=True),
        unit=unit,
        time=time,
        group=group,
        window=_check_window(frame, time, window, calendar, source),
        source=source,
        file_rows=file_rows[order],
        calendar=calendar,
        notices=tuple(notices),
    )


def _own_keys(rows: Any, time: str | None) -> tuple[str, str]:
    keys = keys_of(rows)
    if keys is None or time is not None:
        fix = "Say unit= and time=, or give rows with an index of two levels, unit and time"
        raise PanelError("no column is named for the unit", place=SOURCE, fix=fix)
    return keys


def _notices(
    frame: pd.DataFrame, time: str | None, labels: list[str], calendar: Calendar, file_rows: np.ndarray
) -> list[Notice]:
    out = []
    if time is not None and calendar.doubt:
        consequence = "whatever needs a lag, a difference, AR(1) errors or GMM is refused until this is declared"
        out.append(Notice(time, f"the keys of '{time}' {calendar.doubt}: {calendar.mend}; {consequence}"))
    for name in [*labels, *(name for name in frame if name not in labels and name != time)]:
        for word, at in words_for_blank(frame[name]).items():
            text = (
                f"column '{name}' has the label '{word}' in {rows_in_words(file_rows[at])}; if it stands for a blank, "
                f'missing = ["{word}"] makes it one'
            )
            out.append(Notice(str(name), text))
    numbers = frame.drop(columns=[name for name in (time,) if name is not None])
    return out + stand_apart(numbers, file_rows)


def _check_blank(frame: pd.DataFrame, unit: str, time: str | None, source: str, file_rows: np.ndarray) -> None:
    for key in (unit, time):
        if key is None:
            continue
        blank = (frame[key].isna() | (frame[key].astype(str).str.strip() == "")).to_numpy()
        if blank.any():
            at = int(np.flatnonzero(blank)[0])
            raise PanelError(
                f"key column '{key}' is blank in {blank.sum()} row(s)",
                place=f"{source}, row {file_rows[at]}",
                fix="Fill the key or delete the row",
            )


def _check_duplicates(
    frame: pd.DataFrame, unit: str, time: str | None, calendar: Calendar, source: str, file_rows: np.ndarray
) -> None:
    keys = [unit] if time is None else [unit, time]
    again = frame.duplicated(keys).to_numpy()
    if again.any():
        at = int(np.flatnonzero(again)[0])
        first = int(np.flatnonzero((frame[keys] == frame[keys].iloc[at]).all(axis=1).to_numpy())[0])
        label = str(frame[unit].iloc[at]) + (f" {calendar.label(frame[time].iloc[at])}" if time else "")
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
    frame: pd.DataFrame, time: str | None, window: tuple[Key, Key] | None, calendar: Calendar, source: str
) -> tuple[int, int] | None:
    if window is None:
        return None
    if time is None:
        raise PanelError("a window needs a time column", place=source, fix="Read the panel with time=")
    if len(window) != 2:
        raise PanelError(f"window {tuple(window)} is not (first, last)", place=source, fix="Give first <= last")
    with located(f"{source}, window"):
        first, last = calendar.bounds(*window)
    if first > last:
        raise PanelError(f"window {tuple(window)} is not (first, last)", place=source, fix="Give first <= last")
    if not frame[time].between(first, last).any():
        span = f"{calendar.label(frame[time].min())} to {calendar.label(frame[time].max())}"
        raise PanelError(f"no rows in {window[0]} to {window[1]}", place=source, fix=f"The panel covers {span}")
    return first, last
