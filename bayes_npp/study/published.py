"""Published numbers, as printed: one schema for every study. They rest on the paper's data, never on ours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError, SpecError, nearest
from bayes_npp.panels.delimited import read_text
from bayes_npp.panels.labels import clean
from bayes_npp.records import is_file
from bayes_npp.study.numerals import AS_PRINTED, Numeral, decimal_signs, read_numeral

COLUMNS = (
    "claim",
    "table",
    "column",
    "model",
    "sample",
    "estimator",
    "outcome",
    "term",
    "estimate",
    "se",
    "t",
    "p",
    "significance",
    "n_obs",
    "n_units",
    "note",
)


REQUIRED = ("term", "estimate")
COUNTS = ("n_obs", "n_units")
NUMBERS = ("estimate", "se", "t", "p", *COUNTS)
TEXTS = tuple(name for name in COLUMNS if name not in (*NUMBERS, "significance"))
BOUNDS = ("se", "p")  # numbers of which a bound may be printed


def read_published(path: Path) -> pd.DataFrame:
    """Read published.csv: text as printed, numbers as `check_published` returns them.

    Raises
    ------
    SpecError
        No file, a missing or unknown column, a row of another length than the header, what `check_published` refuses.
    """
    if not is_file(path):
        raise SpecError(
            "the file does not exist", place=str(path), fix="Correct the path (in a study file: 'published')"
        )
    try:
        frame, rows = read_text(path, "utf-8", list(COLUMNS))
    except PanelError as error:
        raise SpecError(error.problem, place=error.place, fix=error.fix) from None
    except UnicodeDecodeError as error:
        raise SpecError(f"the file cannot be read ({error})", place=str(path), fix="Save it as UTF-8 CSV") from None
    return check_published(frame, str(path), rows)


def check_published(frame: pd.DataFrame, place: str, rows: Sequence[int] | np.ndarray | None = None) -> pd.DataFrame:
    """Check a table of printed text against the schema, and read its numbers.

    Parameters
    ----------
    frame : DataFrame
        Of text.
    place : str
        What leads messages.
    rows : sequence of int, optional
        Row of each of its rows in the file, for messages; from 2 if there is none.

    Returns
    -------
    DataFrame
        Text cleaned as the panel's labels are, numbers in plain decimals with the digits that were printed (see
        `numerals`), bounds of p and se with their sign. Stars behind an estimate are its significance where that cell
        is blank.

    Raises
    ------
    SpecError
        A missing or unknown column, a cell that holds no number or one that may be two, an estimate in brackets or
        that is a bound, two different numbers of stars, a row without a term.
    """
    for name in frame.columns:
        if name not in COLUMNS:
            raise SpecError(f"unknown column '{name}'", place=place, fix=nearest(name, COLUMNS))
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise SpecError(f"column '{missing[0]}' is missing", place=place, fix=f"Columns: {', '.join(COLUMNS)}")
    frame = frame.reindex(columns=list(COLUMNS), fill_value="")  # what a table does not print is blank
    at = [f"{place}, row {row}" for row in (range(2, len(frame) + 2) if rows is None else rows)]
    frame = frame.copy()
    for name in TEXTS:
        frame[name] = [clean(cell) for cell in frame[name]]
    signs = decimal_signs(cell for name in NUMBERS if name not in COUNTS for cell in frame[name])
    marks = {}
    for name in NUMBERS:
        own = [_number(cell, name, signs, where) for cell, where in zip(frame[name], at, strict=True)]
        frame[name], marks[name] = [str(number) for number in own], [number.marks for number in own]
    frame["significance"] = [
        _significance(*cells) for cells in zip(frame["significance"], marks["estimate"], at, strict=True)
    ]
    for term, where in zip(frame["term"], at, strict=True):
        if not term:
            raise SpecError("a row has no term", place=where, fix="Name the coefficient")
    return frame


def _number(cell: str, name: str, signs: frozenset[str], where: str) -> Numeral:
    """The printed number of a cell; counts have no decimals, so that a comma in them separates thousands."""
    try:
        if name == "estimate" and cell.strip()[:1] in ("(", "\uff08"):
            raise SpecError("in accounts brackets are a minus sign", fix="Write the coefficient with its sign")
        number = read_numeral(cell, frozenset(".") if name in COUNTS else signs)
        if name in COUNTS and number.text and not float(number.text).is_integer():
            raise SpecError("it counts rows or units", fix="Write a whole number, or leave the cell blank")
        if number.bound and name not in BOUNDS:
            raise SpecError("it is a bound", fix=f"Only {' and '.join(BOUNDS)} may be bounds: leave the cell blank")
    except SpecError as error:
        problem = f"column '{name}' has the value {cell.strip()!r}: {error.problem}"
        raise SpecError(problem, place=where, fix=error.fix) from None
    return number


def _significance(printed: str, marks: str, where: str) -> str:
    """The significance of a row, with the stars that stand behind its estimate."""
    stars = "*" * marks.count("*")
    own = printed.strip().translate(AS_PRINTED)
    if stars and own and set(own) == {"*"} and own != stars:
        problem = f"the estimate has {stars} and the column 'significance' {own}"
        raise SpecError(problem, place=where, fix="Write the stars once")
    return printed if own else stars
