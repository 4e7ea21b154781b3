"""Labels of units and groups: one label a printed code, whatever the file's type of cell."""

import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError

WORDS_FOR_BLANK = frozenset(  # what pandas takes for a blank in a file
    (
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
        *("NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
CONTAINERS = (list, tuple, dict, set, frozenset, np.ndarray, complex, pd.Series, pd.DataFrame)
WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def clean(text: str) -> str:
    """Text in one form of Unicode (NFKC), without zero-width characters and outer whitespace."""
    return text if text.isascii() and text == text.strip() else _cleaned(text)


def _cleaned(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(ZERO_WIDTH)).strip()


def printed(cell: Any) -> str:
    """A code as it is printed: 1, 1.0 and "1" are one."""
    if isinstance(cell, (float, np.floating)) and np.isfinite(cell) and cell == np.round(cell):
        return str(int(cell))
    return str(cell)


def tidy(column: pd.Series, missing: frozenset[str], label: bool) -> pd.Series:
    """A column with blanks missing, text cleaned, and numbers as numbers.

    Parameters
    ----------
    column : Series
    missing : frozenset of str
        Printed codes that stand for a blank.
    label : bool
        Whether its cells are labels, which become text. Other columns of text become numbers where every cell is one,
        words for a blank apart, and none has a leading zero.
    """
    textual = column.dtype == object or pd.api.types.is_string_dtype(column.dtype)
    if column.dtype == object or not _is_plain(column.dtype):
        column = _in_words(column)
        textual = True
    if not textual:
        if missing and pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
            codes = {float(code) for code in missing if _is_number(code)}
            column = column.mask(column.isin(codes))
        return labels_of(column) if label else column
    if not label and pd.api.types.infer_dtype(column, skipna=True) in ("datetime", "date"):
        return pd.Series(pd.to_datetime(column), index=column.index, name=column.name)
    codes, distinct = pd.factorize(column.astype(object))
    cells: list[Any] = [clean(cell) if isinstance(cell, str) else cell for cell in distinct]
    cells = [np.nan if cell == "" or printed(cell) in missing else cell for cell in cells]
    blank = [(isinstance(cell, float) and np.isnan(cell)) or cell in WORDS_FOR_BLANK for cell in cells]
    known = [cell for cell, none in zip(cells, blank, strict=True) if not none]
    if not label and all(_is_plain_number(cell) for cell in known):
        numbers = [np.nan if none else float(cell) for cell, none in zip(cells, blank, strict=True)]
        values = _taken(codes, numbers, float)
        whole = all(_is_whole(cell) for cell in known) and (np.abs(values) < 2**53).all()
        return pd.Series(values.astype(np.int64) if whole else values, index=column.index, name=column.name)
    if not label and all(isinstance(cell, str) and cell in TRUTH for cell in known):
        truths = [TRUTH.get(cell, np.nan) for cell in cells]
        values = _taken(codes, truths, object)
        blanks = bool(pd.isna(values).any())
        return pd.Series(values if blanks else values.astype(bool), index=column.index, name=column.name)
    values = _taken(codes, cells, object)
    if label:
        return labels_of(pd.Series(values, index=column.index, name=column.name, dtype=object))
    text = all(isinstance(cell, str) for cell in known)
    return pd.Series(values, index=column.index, name=column.name, dtype="str" if text else object)


def holds_containers(column: pd.Series) -> bool:
    """Whether a cell is a list, a table or another container of values."""
    if _is_plain(column.dtype) and column.dtype != object:
        return False
    return any(isinstance(cell, CONTAINERS) for cell in column.astype(object))


def _is_plain(dtype: Any) -> bool:
    """Whether cells are numbers, text, times or arbitrary objects, and nothing nested."""
    types = pd.api.types
    if types.is_numeric_dtype(dtype):
        return not types.is_complex_dtype(dtype)
    times = types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)
    return times or types.is_object_dtype(dtype) or types.is_string_dtype(dtype) or isinstance(dtype, pd.PeriodDtype)


def _in_words(column: pd.Series) -> pd.Series:
    """Containers and complex numbers as text, which is no number wherever one is asked for; bytes decoded."""

    def in_words(cell: Any) -> Any:
        if isinstance(cell, bytes):
            return cell.decode("utf-8", errors="replace")
        return str(cell) if isinstance(cell, CONTAINERS) else cell

    return column.astype(object).map(in_words)


def tidy_text(column: pd.Series) -> pd.Series:
    """The column with its text cleaned, and nothing else changed."""
    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return column
    codes, distinct = pd.factorize(column.astype(object))
    cells = [clean(cell) if isinstance(cell, str) else cell for cell in distinct]
    return pd.Series(_taken(codes, cells, object), index=column.index, name=column.name, dtype=object)


def _taken(codes: np.ndarray, cells: list[Any], dtype: type) -> np.ndarray:
    """Cells by code, NaN where the code is -1."""
    lookup: np.ndarray = np.empty(len(cells) + 1, dtype=dtype)
    lookup[:-1], lookup[-1] = cells, np.nan
    return lookup[codes]


def labels_of(column: pd.Series) -> pd.Series:
    """The printed labels of a column, as text; NaN where a cell is missing."""
    codes, distinct = pd.factorize(column.astype(object))
    cells = [printed(cell) for cell in distinct]
    if any(cell.endswith(".0") for cell in cells) and all(WHOLE.fullmatch(cell) for cell in cells):
        cells = [cell.split(".")[0] for cell in cells]
    return pd.Series(_taken(codes, cells, object), index=column.index, name=column.name, dtype="str")


def check_alike(labels: pd.Series, what: str, source: str, file_rows: np.ndarray) -> None:
    """Raise `PanelError` for two labels that differ only in whitespace, case or leading zeros."""
    seen: dict[str, str] = {}
    for label in labels.dropna().unique():
        alike = "".join(str(label).split()).casefold()
        alike = str(int(float(alike))) if WHOLE.fullmatch(alike) else alike
        other = seen.setdefault(alike, label)
        if other != label:
            rows = [file_rows[np.flatnonzero((labels == one).to_numpy())].min() for one in (other, label)]
            raise PanelError(
                f"{what} '{other}' and {what} '{label}' differ only in spaces, case or leading zeros",
                place=f"{source}, rows {rows[0]} and {rows[1]}",
                fix="Write the label in one way",
            )


def words_for_blank(column: pd.Series) -> dict[str, np.ndarray]:
    """Positions of the cells that hold a word for a blank, by word."""
    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return {}
    found = column[column.isin(WORDS_FOR_BLANK)]
    return {str(word): np.flatnonzero((column == word).to_numpy()) for word in found.unique()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_plain_number(cell: Any) -> bool:
    """A number, or text that is one and has no leading zero."""
    if isinstance(cell, str):
        digits = cell.lstrip("+-")
        return _is_number(cell) and "_" not in cell and not (digits[:1] == "0" and digits[1:2].isdigit())
    return isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool)


def _is_whole(cell: Any) -> bool:
    return isinstance(cell, (int, np.integer)) or (isinstance(cell, str) and cell.lstrip("+-").isdigit())
