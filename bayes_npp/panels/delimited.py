"""A CSV file as columns: separators, decimal commas, trailing commas; every cell in the column it was written for."""

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError
from bayes_npp.panels.labels import WORDS_FOR_BLANK, clean

SEPARATORS = (",", ";", "\t", "|")
DECLARED = re.compile(r"sep=(.)")  # the first line of some programs' files
NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")  # with a comma for the decimals
THOUSANDS_OR_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,234
ONE_OR_THE_OTHER = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")  # 1.234 beside decimal commas


def read_csv(path: Path, encoding: str, keys: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """The file with numbers parsed; keys, text and codes with leading zeros as they are written.

    The separator is the one of `SEPARATORS` under which the header names the keys. Under any but a comma, columns of
    numbers may have decimal commas.

    Parameters
    ----------
    path : Path
    encoding : str
    keys : list of str
        Names of the key columns.

    Returns
    -------
    DataFrame
        Without blank rows and columns that have no name.
    ndarray of int
        Row of each observation in the file, the first line being row 1.

    Raises
    ------
    PanelError
        An encoding that does not exist, two columns of one name, a row that is longer or shorter than the header, a
        quote that is never closed, a number that may be read in two ways.
    """
    text, rows, separator = _tidied(path, encoding, keys)
    if separator != ",":
        text = _with_points(text, keys, str(path), rows)
    frame = pd.read_csv(io.StringIO(text), low_memory=False)
    numbers, typed = frame.select_dtypes("number"), frame.select_dtypes(["number", "bool"]).columns
    whole = [name for name in numbers if (numbers[name].dropna() % 1 == 0).all()]
    written = [name for name in frame if name in keys or name not in typed]
    raw = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, usecols=list({*whole, *written}))
    zeros = [name for name in whole if raw[name].str.match(r"\s*[+-]?0\d").any()]
    for name in {*written, *zeros}:
        frame[name] = raw[name]
    return frame, rows


def read_text(path: Path, encoding: str, keys: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """As `read_csv`, with every cell as it is written."""
    text, rows, _ = _tidied(path, encoding, keys)
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False), rows


def check_header(names: list[str], place: str) -> None:
    """Raise `PanelError` where a name stands twice."""
    twice = [name for i, name in enumerate(names) if name and name in names[:i]]
    if twice:
        raise PanelError(f"column '{twice[0]}' stands twice in the header", place=place, fix="Rename one of the two")


@contextmanager
def _any_length() -> Iterator[None]:
    """Cells of any length, in columns that nobody uses too."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _tidied(path: Path, encoding: str, keys: list[str]) -> tuple[str, np.ndarray, str]:
    """The file separated by commas, without blank rows and columns without a name; rows of the file; its separator."""
    try:
        utf8 = codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        fix = "Give its usual name, such as 'utf-8' or 'gb18030'"
        raise PanelError(f"unknown encoding '{encoding}'", place=str(path), fix=fix) from None
    with _any_length(), path.open(encoding="utf-8-sig" if utf8 else encoding, newline="") as lines:
        return _tidied_lines(lines, str(path), keys)


def _tidied_lines(lines: io.TextIOWrapper, place: str, keys: list[str]) -> tuple[str, np.ndarray, str]:
    before, separator = _separator(lines, keys)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    out, rows = io.StringIO(), []
    header: list[str] = []
    writer = csv.writer(out, lineterminator="\n")
    number = before
    try:
        for cells in reader:
            number += 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [clean_name(name) for name in cells]
                check_header(header, f"{place}, row {number}")
                named = [i for i, name in enumerate(header) if name]
                writer.writerow([header[i] for i in named])
                continue
            if len(cells) != len(header):
                more = len(cells) > len(header)
                mark = {",": "comma", ";": "semicolon", "\t": "tab"}.get(separator, separator)
                fix = f"Remove the extra {mark}, or put a value that contains one in quotes"
                fix = fix if more else f"Write every {mark}, also before and after a blank cell"
                raise PanelError(
                    f"the row has {len(cells)} cells, the header {len(header)}",
                    place=f"{place}, row {number}",
                    fix=fix,
                )
            writer.writerow([cells[i] for i in named])
            rows.append(number)
    except csv.Error as error:
        unclosed = "unexpected end" in str(error)
        reason = "a quote is opened and never closed" if unclosed else f"the quotes of a cell do not fit: {error}"
        fix, at = "Close it, and double a quote that belongs to the text", f"{place}, row {number + 1}"
        raise PanelError(f"the CSV file cannot be read ({reason})", place=at, fix=fix) from None
    if not header:
        raise PanelError("the CSV file cannot be read (it is empty)", place=place, fix="Check that it is the right one")
    return out.getvalue(), np.array(rows, dtype=np.int64), separator


def _separator(lines: io.TextIOWrapper, keys: list[str]) -> tuple[int, str]:
    """How many lines stand before the header, and what separates its names; `lines` goes on at the header."""
    before, at = 0, lines.tell()
    while (line := lines.readline()) and not line.strip():
        before, at = before + 1, lines.tell()
    if declared := DECLARED.fullmatch(line.strip()):
        return before + 1, declared[1]
    lines.seek(at)

    def names(separator: str) -> list[str]:
        return [clean_name(name) for name in next(csv.reader([line], delimiter=separator), [])]

    found = [separator for separator in SEPARATORS if all(key in names(separator) for key in keys)]
    return before, found[0] if found else max(SEPARATORS, key=lambda separator: len(names(separator)))


def clean_name(name: object) -> str:
    """A name of the header without outer whitespace."""
    return str(name).strip().strip("\ufeff")


def _with_points(text: str, keys: list[str], place: str, rows: np.ndarray) -> str:
    """The file with decimal points, where its numbers have decimal commas.

    One cell such as 1,5 shows that they do; where there is only 1,234 it may be one or the other, and stays text.
    """
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    numeric = []
    for name in frame:
        cells = frame[name].map(clean)
        known = cells[(cells != "") & ~cells.isin(WORDS_FOR_BLANK)]
        if name not in keys and len(known) and known.map(lambda cell: bool(NUMBER.fullmatch(cell))).all():
            numeric.append((name, cells, known))
    commas = [cell for _, _, known in numeric for cell in known if "," in cell]
    if not any(not THOUSANDS_OR_DECIMALS.fullmatch(cell) for cell in commas):
        return text
    for name, cells, _ in numeric:
        doubtful = np.flatnonzero(cells.map(lambda cell: bool(ONE_OR_THE_OTHER.fullmatch(cell))))
        if len(doubtful):
            at = int(doubtful[0])
            shown = cells.iloc[at]
            raise PanelError(
                f"column '{name}' has the value '{shown}' beside decimal commas, so that it may be "
                f"{shown.replace('.', '')} or {shown.replace('.', ',')}",
                place=f"{place}, row {rows[at]}",
                fix="Write all numbers without separators of thousands and with one sign for the decimals",
            )
        frame[name] = cells.str.replace(".", "").str.replace(",", ".")
    return frame.to_csv(index=False, lineterminator="\n")
