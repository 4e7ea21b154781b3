"""Reading a panel: four kinds of file or a frame, keys and labels in one form, everything doubtful said."""

import codecs
import csv
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError, PanelWarning, located, nearest
from bayes_npp.panels.calendar import Calendar, PeriodKind, read_times
from bayes_npp.panels.labels import check_alike, clean, printed, tidy, tidy_text, words_for_blank
from bayes_npp.panels.notices import Notice, rows_in_words, stand_apart
from bayes_npp.panels.panel import Panel

READERS = {".csv": "CSV", ".parquet": "Parquet", ".dta": "Stata", ".xlsx": "Excel"}
Key = int | str


def read_panel(
    path: str | Path | pd.DataFrame,
    unit: str,
    time: str | None,
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
    path : path or DataFrame
        A .csv, .parquet, .dta (Stata) or .xlsx file, or the rows themselves.
    unit, time, group : str
        Key columns. `time=None` reads a cross-section of units. `group` must not vary within a unit.
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
    path: str | Path | pd.DataFrame,
    unit: str,
    time: str | None,
    group: str | None = None,
    window: tuple[Key, Key] | None = None,
    encoding: str = "utf-8",
    *,
    period: PeriodKind | None = None,
    step: int | None = None,
    missing: Sequence[str | int | float] = (),
) -> Panel:
    """As `read_panel`, without warnings: whoever calls it shows the notices."""
    keys = [name for name in (unit, time, group) if name is not None]
    if isinstance(path, pd.DataFrame):
        frame, source, first_row = path.copy(), "the panel", 1
    else:
        frame, source, first_row = _read_file(Path(path), encoding, keys), str(path), 2
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
    labels = [name for name in (unit, group) if name is not None]
    columns = {name: tidy(frame[name], blank, name in labels) for name in frame if name != time}
    if time is not None:
        columns[time] = tidy_text(frame[time])
    frame = pd.DataFrame({name: columns[name] for name in frame}, index=frame.index)
    _check_blank(frame, unit, time, source, first_row)
    file_rows = np.arange(len(frame)) + first_row
    for name in labels:
        check_alike(frame[name], "unit" if name == unit else "group", source, file_rows)
    calendar = Calendar()
    if time is not None:
        frame[time], calendar = read_times(frame[time], frame[unit], period, step, (source, first_row))
    _check_duplicates(frame, unit, time, calendar, source, file_rows)
    _check_infinities(frame, source, file_rows)
    if group is not None:
        _check_group(frame, unit, group, source, file_rows)
    notices = _notices(frame, time, labels, calendar, file_rows)
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


def _read_file(path: Path, encoding: str, keys: list[str]) -> pd.DataFrame:
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
                return _read_csv(path, encoding, keys)
            case "Parquet":
                return pd.read_parquet(path)
            case "Stata":
                return pd.read_stata(path, convert_categoricals=True)
            case _:
                return pd.read_excel(path, dtype=object, keep_default_na=False)
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


def _read_csv(path: Path, encoding: str, keys: list[str]) -> pd.DataFrame:
    """The file with numbers parsed; keys, text and codes with leading zeros as they are written."""
    frame = pd.read_csv(path, encoding=encoding, low_memory=False)
    numbers, typed = frame.select_dtypes("number"), frame.select_dtypes(["number", "bool"]).columns
    whole = [name for name in numbers if (numbers[name].dropna() % 1 == 0).all()]
    text = [name for name in frame if name in keys or name not in typed]
    raw = pd.read_csv(path, encoding=encoding, dtype=str, keep_default_na=False, usecols=list({*whole, *text}))
    zeros = [name for name in whole if raw[name].str.match(r"\s*[+-]?0\d").any()]
    return frame.assign(**{name: raw[name] for name in {*text, *zeros}})


def _check_blank(frame: pd.DataFrame, unit: str, time: str | None, source: str, first_row: int) -> None:
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
