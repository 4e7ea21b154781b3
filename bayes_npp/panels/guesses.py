"""What the columns of an unknown panel may be: keys, group, encoding, calendar, variables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError
from bayes_npp.panels.calendar import LIKELY_YEARS, PeriodKind, calendar_like, undeclared
from bayes_npp.panels.files import read_file
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.reading import load_panel
from bayes_npp.panels.variation import constant

ENCODINGS = ("utf-8", "gb18030")  # of CSV files, tried in this order
TIMES = ("year", "quarter", "month", "date", "period", "time", "wave", "yr", "年", "季", "月", "日期", "时间")
UNITS = ("unit", "id", "entity", "country", "state", "county", "city", "firm", "person", "nr", "name", "code")
UNITS_ZH = ("省", "市", "县", "国", "企业", "公司", "代码", "名称", "编号")
GROUPS = ("group", "region", "area", "zone", "sector", "industry", "type", "地区", "区域", "板块", "行业", "类型")
MOST_GROUPS = 12


@dataclass(frozen=True)
class Guess:
    """What a panel file may be, each as `read_panel` takes it.

    Attributes
    ----------
    unit, time : str
    group : str, optional
    encoding : str
    period : str, optional
    step : int, optional
    variables : tuple of str
        Columns of numbers that vary within units and within periods, in the file's order.
    """

    unit: str
    time: str
    group: str | None
    encoding: str
    period: PeriodKind | None
    step: int | None
    variables: tuple[str, ...] = ()

    def read(self, path: Path) -> Panel:
        """The panel under the guess."""
        return load_panel(
            path, self.unit, self.time, self.group, encoding=self.encoding, period=self.period, step=self.step
        )


def guess(
    path: Path, unit: str | None = None, time: str | None = None, group: str | None = None
) -> tuple[Guess, Panel]:
    """Guess what is not given, and read the panel so.

    Time is a column that is named so, or holds years, quarters, months or dates; the unit one with which it names every
    row once; the group a text that is constant in units. Names in English and Chinese are preferred.

    Raises
    ------
    PanelError
        No column that may be the time or the unit; a panel that cannot be read.
    """
    frame, encoding = _frame(path)
    for name in (unit, time, group):
        if name is not None and name not in frame:
            load_panel(path, unit or name, time, group, encoding=encoding)  # says which column is not there
    times = [time] if time else _times(frame)
    units = [unit] if unit else list(frame)
    for own_time in times:
        for own_unit in sorted(units, key=lambda name: _preference(frame, name, UNITS + UNITS_ZH)):
            if own_unit != own_time and own_unit != group and _are_keys(frame, own_unit, own_time):
                own_group = group or next(_groups(frame, own_unit, own_time), None)
                period = _period(frame[own_time])
                found = Guess(own_unit, own_time, own_group, encoding, period, None)
                return _with_calendar(found, path)
    raise PanelError(
        "no two columns name every row once, as unit and time do",
        place=str(path),
        fix="Name them: --unit and --time",
    )


def _frame(path: Path) -> tuple[pd.DataFrame, str]:
    """The file as it is, under the first encoding that reads it."""
    for encoding in ENCODINGS[:-1]:
        try:
            return read_file(path, encoding, [""], None)[0], encoding
        except PanelError as error:
            if "text" not in error.problem:
                raise
    return read_file(path, ENCODINGS[-1], [""], None)[0], ENCODINGS[-1]


def _times(frame: pd.DataFrame) -> list[str]:
    """Columns that may be the time, the likeliest first."""
    varied = [name for name in frame if 1 < frame[name].nunique() < len(frame)]
    likely = [name for name in varied if _named(name, TIMES) is not None or _looks_like_time(frame[name])]
    rounds = [name for name in varied if name not in likely and pd.api.types.is_integer_dtype(frame[name])]
    likely.sort(key=lambda name: (not _looks_like_time(frame[name]), _preference(frame, name, TIMES)))
    return [*likely, *rounds]


def _looks_like_time(column: pd.Series) -> bool:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("period", "datetime64", "datetime", "date"):
        return True
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        if (numbers % 1 != 0).any():
            return False
        return bool(numbers.between(*LIKELY_YEARS).all() or calendar_like(np.unique(numbers.astype(np.int64)))[0])
    return bool(undeclared(column)) or _as_dates(column) is not None


def _as_dates(column: pd.Series) -> pd.Series | None:
    """Text of the form 2019-07-01 as dates, or None."""
    text = column.dropna().astype(str).str.strip()
    if not len(text) or not text.str.fullmatch(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}").all():
        return None
    dates = pd.to_datetime(text, errors="coerce", format="mixed")
    return None if dates.isna().any() else dates


def _period(column: pd.Series) -> PeriodKind | None:
    """What dates are dates of: the longest period that tells all of them apart."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    dates = pd.to_datetime(column) if kind in ("datetime64", "datetime", "date") else _as_dates(column)
    if dates is None:
        return None
    distinct = pd.DatetimeIndex(dates.dropna().unique())
    for period, parts in (("year", [distinct.year]), ("quarter", [distinct.year, distinct.quarter])):
        if not pd.DataFrame(dict(enumerate(parts))).duplicated().any():
            return "year" if period == "year" else "quarter"
    return "month"


def _named(name: object, words: Sequence[str]) -> int | None:
    """Place of the first word that a column is named after: the name itself, or a part of it."""
    text = str(name).strip().lower()
    parts = text.replace("-", "_").replace(" ", "_").split("_")
    hits = (k for k, word in enumerate(words) if word in parts or (not word.isascii() and word in text))
    return next(hits, None)


def _preference(frame: pd.DataFrame, name: str, words: Sequence[str]) -> tuple[int, bool, int]:
    """Named after one of the words, then text, then the first in the file."""
    place = _named(name, words)
    numeric = pd.api.types.is_numeric_dtype(frame[name])
    return (len(words) if place is None else 0, numeric, list(frame).index(name))


def _are_keys(frame: pd.DataFrame, unit: str, time: str) -> bool:
    """Whether unit and time name every row once, units being few enough to have two rows on average."""
    keys = frame[[unit, time]]
    return bool(
        keys.notna().all(axis=None) and not keys.duplicated().any() and 1 < keys[unit].nunique() <= len(keys) / 2
    )


def _groups(frame: pd.DataFrame, unit: str, time: str) -> Iterator[str]:
    """Texts that are constant in units and have a few labels, none of a single unit; likely names first."""
    units = frame.groupby(unit, sort=False)
    for name in sorted(frame, key=lambda name: _preference(frame, name, GROUPS)):
        column = frame[name]
        text = not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_datetime64_any_dtype(column)
        if name in (unit, time) or column.isna().any() or not text or _looks_like_time(column):
            continue
        if (column.astype(str).str.strip() == "").any() or units[name].nunique().max() > 1:
            continue
        sizes = units[name].first().value_counts()
        if 2 <= len(sizes) <= MOST_GROUPS and sizes.min() >= 2:
            yield str(name)


def _with_calendar(found: Guess, path: Path) -> tuple[Guess, Panel]:
    """The guess with what the keys of time ask to be declared, its variables, and the panel read so."""
    panel = found.read(path)
    mend = panel.calendar.mend
    if mend.startswith("period"):
        found = replace(found, period=next(kind for kind in ("quarter", "month", "year") if f'"{kind}"' in mend))
    elif mend.startswith("step"):
        found = replace(found, step=int(mend.split()[2]))
    panel = found.read(path) if mend else panel
    return replace(found, variables=tuple(_variables(panel))), panel


def _variables(panel: Panel) -> Iterator[str]:
    """Columns of numbers that vary within units and, less their unit means, within periods."""
    frame = panel.frame
    units, times = frame[panel.unit].to_numpy(), frame[panel.time].to_numpy()
    for name in frame:
        if name in (panel.unit, panel.time, panel.group) or not pd.api.types.is_numeric_dtype(frame[name]):
            continue
        values = frame[name].astype(float)
        if values.notna().sum() < len(values) / 2:
            continue
        within = values - values.groupby(units).transform("mean")
        within = within - within.groupby(times).transform("mean")
        known = within.dropna().to_numpy()
        if len(known) and not constant(known[:, None], beside=values.dropna().to_numpy()[:, None])[0]:
            yield str(name)
