"""Keys of time: what a file writes for a period, and the consecutive integers that stand for it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError

PeriodKind = Literal["year", "quarter", "month"]
FREQUENCY = {"quarter": "Q-DEC", "month": "M"}  # of pandas, whose ordinals are consecutive
WRITTEN = {"year": "2019", "quarter": "2019Q3 or 20193", "month": "2019-07 or 201907"}
DATED = re.compile(r"(\d{4})([-/]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?:[T ].*)?")
QUARTERS = re.compile(r"(\d{4})[-_/: ]?(?:[Qq][-_ ]?0?)?([1-4])")
MONTHS = re.compile(r"(\d{4})(?:[-_/: ]?[Mm]?(0[1-9]|1[0-2])|(?:[-_/: ]|[-_ ]?[Mm])([1-9]))")
YEARS = re.compile(r"(\d{4})")
SAYS_QUARTER = re.compile(r"\d{4}[-_/: ]?[Qq][-_ ]?0?[1-4]")
SAYS_MONTH = re.compile(r"\d{4}(?:[-_/: ]?([Mm])|[-_/:])(0?[1-9]|1[0-2])")
LIKELY_YEARS = (1500, 2499)
DAYS_OF_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Period(int):
    """A period by its number, printed as the file's key; arithmetic is that of the number."""

    label: str

    def __new__(cls, number: int, label: str) -> "Period":
        period = super().__new__(cls, number)
        period.label = label
        return period

    def __str__(self) -> str:
        return self.label

    def __reduce__(self) -> tuple[type["Period"], tuple[int, str]]:
        return Period, (int(self), self.label)


def shown(periods: Iterable[int]) -> list[int | str]:
    """Periods as labels of arrays and frames: whole numbers as they are, others as their keys."""
    return [str(period) if isinstance(period, Period) else period for period in periods]


@dataclass(frozen=True)
class Calendar:
    """From numbers of periods to keys of the file and back: key = number x `step` + `offset`.

    Attributes
    ----------
    frequency : str
        Of pandas, where keys are calendar periods; empty where they are whole numbers, such as years.
    step, offset : int
    doubt : str
        Why a distance between two numbers need not be one between two periods; empty where nothing speaks against it.
    mend : str
        What is to be declared then.
    even : bool
        Whether distances are right up to a common factor.
    spacing : int
        Greatest common divisor of the distances within units: 2 where each unit is seen in every second period, if not
        all of them in the same ones.
    """

    frequency: str = ""
    step: int = 1
    offset: int = 0
    doubt: str = ""
    mend: str = ""
    even: bool = True
    spacing: int = 1

    def label(self, number: int) -> str:
        """The key of a period, as readers see it."""
        key = int(number) * self.step + self.offset
        return str(pd.Period(ordinal=key, freq=self.frequency)) if self.frequency else str(key)

    def period(self, number: int) -> int:
        """The number, printed as its key."""
        plain = not self.frequency and self.step == 1
        return int(number) if plain else Period(int(number), self.label(number))

    def number(self, key: int | str) -> int:
        """Number of the period with a key of the file, or `PanelError`."""
        return self._number(key, 0)

    def bounds(self, first: int | str, last: int | str) -> tuple[int, int]:
        """Numbers of the first and the last period of a window; its ends need not be periods of the panel."""
        return self._number(first, 1), self._number(last, -1)

    def _number(self, key: int | str, side: int) -> int:
        ordinal = self._ordinal(key) - self.offset
        if side == 0 and ordinal % self.step:
            raise PanelError(
                f"{key} is no period of the panel", fix=f"Its periods lie {self.step} apart, such as {self.label(0)}"
            )
        return -(-ordinal // self.step) if side > 0 else ordinal // self.step

    def _ordinal(self, key: int | str) -> int:
        kind = next((kind for kind, frequency in FREQUENCY.items() if frequency == self.frequency), "year")
        if self.frequency and kind == "year":
            try:
                return int(pd.Period(str(key), freq=self.frequency).ordinal)
            except ValueError:
                raise PanelError(f"{key} is no period", fix=f"Write it as {self.label(0)}") from None
        if not self.frequency and not isinstance(key, str):
            return int(key)
        found = _written(pd.Series([str(key)]), kind)[0]
        if np.isnan(found):
            raise PanelError(f"{key} is no {kind}", fix=f"Write it as {WRITTEN[kind]}")
        return int(found)


def read_times(
    keys: pd.Series, units: pd.Series, period: str | None, step: int | None, place: tuple[str, np.ndarray]
) -> tuple[np.ndarray, Calendar]:
    """Numbers of periods, consecutive within the declared calendar, and the calendar that labels them.

    Parameters
    ----------
    keys : Series, shape (n,)
        As the file has them: whole numbers, text, dates, pandas periods.
    units : Series, shape (n,)
    period : {"year", "quarter", "month"}, optional
    step : int, optional
        Of the periods between two rows of a unit without a gap.
    place : (str, ndarray of int)
        Source, and the row of each key in it.

    Returns
    -------
    ndarray of int, shape (n,)
    Calendar
        With a doubt where keys are not declared and look like a calendar's, or lie a common step above one apart.

    Raises
    ------
    PanelError
        A key that cannot be read, durations, keys that are not `step` apart.
    """
    if period is not None and period not in WRITTEN:
        raise PanelError(f"unknown period '{period}'", place=place[0], fix=f"Use {', '.join(map(repr, WRITTEN))}")
    if step is not None and step < 1:
        raise PanelError(f"step = {step} is below one", place=place[0], fix="Give the periods from one key to the next")
    ordinals, frequency = _ordinals(keys, period, place)
    factor = step or 1
    offset = int(ordinals.min()) % factor
    off = np.flatnonzero((ordinals - offset) % factor)
    if len(off):
        raise PanelError(
            f"time column '{keys.name}' has the value {keys.iloc[off[0]]!s}, which is not a multiple of {factor} "
            f"periods after {keys.iloc[int(ordinals.argmin())]!s}",
            place=f"{place[0]}, row {place[1][off[0]]}",
            fix="Correct the key, or declare another step",
        )
    numbers = (ordinals - offset) // factor
    distinct = np.unique(numbers)
    even, doubt, mend = True, "", ""
    if not frequency and period is None and factor == 1:
        doubt, mend = calendar_like(distinct)
        even = not doubt
    common = int(np.gcd.reduce(np.diff(distinct))) if len(distinct) > 1 else 1
    if not doubt and step is None and common > 1:
        doubt, mend = f"lie {common} apart", f"step = {common} (step = 1 if a lag of one of them is meant)"
    frame = pd.DataFrame({"unit": pd.factorize(units)[0], "time": numbers}).sort_values(["unit", "time"])
    within = np.diff(frame["time"])[np.diff(frame["unit"]) == 0]
    spacing = int(np.gcd.reduce(within)) if len(within) and step is None else 1
    return numbers, Calendar(frequency, factor, offset, doubt, mend, even, max(spacing, 1))


def _ordinals(keys: pd.Series, period: str | None, place: tuple[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """Whole numbers behind keys, shape (n,), and the pandas frequency they count; none where they are the keys."""
    kind, name = pd.api.types.infer_dtype(keys, skipna=True), keys.name
    if kind.startswith("timedelta"):
        raise PanelError(
            f"time column '{name}' holds durations, which are no points in time",
            place=place[0],
            fix="Give the date or the number of each period",
        )
    dates = kind in ("datetime64", "datetime", "date")
    declare = "Say period = 'quarter' or 'month' (or 'year')"
    if kind == "period" or dates:
        if dates:
            if period is None:
                raise PanelError(
                    f"time column '{name}' has the value {keys.iloc[0]!s}, which is a date and not a whole number",
                    place=f"{place[0]}, row {place[1][0]}",
                    fix=f"{declare}, or give each period an integer, such as the year",
                )
            periods = pd.DatetimeIndex(pd.to_datetime(keys)).tz_localize(None).to_period("D")
        else:
            periods = pd.PeriodIndex(keys)
        wanted = {"year": "Y-DEC", **FREQUENCY}.get(period or "", periods.freqstr)
        ranks = ["Y", "Q", "M"]  # a quarter is in one year, a year in no quarter
        own, new = (ranks.index(f[0]) if f[0] in ranks else len(ranks) for f in (periods.freqstr, wanted))
        if new > own:
            raise PanelError(
                f"time column '{name}' holds periods of frequency '{periods.freqstr}', which are no {period}s",
                place=place[0],
                fix="Leave period out, or declare a longer one",
            )
        if wanted[0] != periods.freqstr[0]:
            periods = periods.asfreq(wanted)
        wanted = periods.freqstr
        if wanted.startswith("Y"):
            return np.asarray(periods.year, dtype=np.int64), ""
        return np.asarray(periods.astype("int64")), wanted
    if period is not None:
        numbers = _written(keys, period)
        wrong, what = np.isnan(numbers), f"no {period}"
        fix = f"Write it as {WRITTEN[period]}, in one form throughout"
    else:
        if written := undeclared(keys):
            return _ordinals(keys, written, place)
        numbers = pd.to_numeric(keys, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        wrong, what = ~(np.abs(numbers) < 2**53) | (numbers != np.round(numbers)), "not a whole number"
        forms = (other for other in FREQUENCY if wrong.any() and not np.isnan(_written(keys, other)).any())
        likely = next(forms, "")
        fix = f'Say period = "{likely}"' if likely else "Give each period an integer, such as the year"
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise PanelError(
            f"time column '{name}' has the value {keys.iloc[at]!s}, which is {what}",
            place=f"{place[0]}, row {place[1][at]}",
            fix=fix,
        )
    return numbers.astype(np.int64), FREQUENCY.get(period or "", "")


def undeclared(keys: pd.Series) -> Literal["quarter", "month", ""]:
    """What texts say they are: 2019Q3 a quarter, 2019-07 and 2019M7 a month; nothing where they may be either."""
    text = [_text(key) for key in keys.dropna().unique()]
    if text and all(SAYS_QUARTER.fullmatch(key) for key in text):
        return "quarter"
    found = [SAYS_MONTH.fullmatch(key) for key in text]
    if not text or not all(found):
        return ""
    lettered = all(match[1] for match in found if match)
    return "month" if lettered or any(int(match[2]) > 4 for match in found if match) else ""


def _written(keys: pd.Series, period: str) -> np.ndarray:
    """Ordinals of written periods, shape (n,); NaN where a key is not of the form that most keys have.

    Six digits under "quarter" are year and month, or year and quarter where all four and no others occur; where only
    some of 01 to 04 occur both are possible, and none is taken.
    """
    codes, distinct = pd.factorize(keys.astype(object))
    return _written_once([_text(key) for key in distinct], period)[codes]


def _written_once(text: list[str], period: str) -> np.ndarray:
    """As `_written`, of distinct texts."""
    forms = {"year": (YEARS, DATED), "quarter": (QUARTERS, MONTHS, DATED), "month": (MONTHS, DATED)}[period]
    matches = {form: [form.fullmatch(key) for key in text] for form in forms}
    form = max(forms, key=lambda form: sum(match is not None for match in matches[form]))
    out = np.full(len(text), np.nan)
    at = [i for i, match in enumerate(matches[form]) if match]
    found = [match for match in matches[form] if match]
    years = np.array([int(match.group(1)) for match in found], dtype=float)
    if period == "year":
        out[at] = years
        return out
    if form is DATED:
        parts = np.array([int(match.group(3)) for match in found], dtype=float)
    else:
        parts = np.array([int(next(part for part in match.groups()[1:] if part)) for match in found], dtype=float)
    if period == "month":
        out[at] = 12 * (years - 1970) + parts - 1
        return out
    if form is not QUARTERS:
        seen = set(parts)
        quarters = form is MONTHS and (seen == {1, 2, 3, 4} or seen == {1})
        if form is MONTHS and not quarters and seen <= {1, 2, 3, 4}:
            return out
        parts = parts if quarters else (parts - 1) // 3 + 1
    out[at] = 4 * (years - 1970) + parts - 1
    return out


def _text(key: Any) -> str:
    if isinstance(key, (float, np.floating)) and key == np.round(key):
        return str(int(key))
    return str(key).strip()


def calendar_like(keys: np.ndarray) -> tuple[str, str]:
    """What whole numbers look like, and what to declare; nothing where they pass for numbers of periods."""
    if len(keys) < 2 or keys.min() < 0:
        return "", ""
    digits = len(str(int(keys.max())))
    scale = {5: 10, 6: 100, 8: 10_000}.get(digits)
    if scale is None or digits != len(str(int(keys.min()))):
        return "", ""
    years, rest = keys // scale, keys % scale
    if years.min() == years.max() or years.min() < LIKELY_YEARS[0] or years.max() > LIKELY_YEARS[1]:
        return "", ""
    if digits == 8:
        month, day = rest // 100, rest % 100
        if not ((month >= 1) & (month <= 12)).all() or not (day >= 1).all():
            return "", ""
        if (day > np.array(DAYS_OF_MONTHS)[month - 1]).any():
            return "", ""
        shape, rest = "year, month and day", month
    elif digits == 5:
        shape = "year and quarter"
        if rest.min() < 1 or rest.max() > 4:
            return "", ""
        period = "quarter" if len(set(rest)) > 1 else "year"
    else:
        shape = "year and month"
        if rest.min() < 1 or rest.max() > 12:
            return "", ""
    if digits != 5:
        per_year = max(np.unique(years, return_counts=True)[1])
        once = len(np.unique(years * 4 + (rest - 1) // 3)) == len(keys)
        quarters = once or (digits == 6 and rest.max() <= 4)
        period = "year" if per_year == 1 else "quarter" if quarters else "month"
    shown = ", ".join(str(key) for key in keys[:2])
    return f"look like {shape} ({shown}, ...)", f'period = "{period}"'
