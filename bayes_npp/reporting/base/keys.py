"""Keys of rows: what a row of a csv is called, the same from run to run."""

import re
from collections.abc import Sequence

import pandas as pd

_NUMBER = re.compile(r"[+-]\d*\.?\d+(?:e[+-]?\d+)?(?:$|[ ;,%\[(])")  # an estimate, whatever stands behind it
_OPERATOR = re.compile(r"[|!@]|[ \d)][+*/&^-] ?[\d(A-Za-z]")
ESTIMATE = ("model", "outcome", "term", "group", "estimand")


def estimate_key(row: pd.Series) -> str:
    """What a row of estimates.csv is called: model, outcome, term, group and estimand."""
    return key_of(row, ESTIMATE)


def key_of(row: pd.Series, columns: Sequence[str]) -> str:
    """The cells of some columns, joined by slashes; blanks stay blank."""
    return "/".join("" if pd.isna(row[name]) else str(row[name]) for name in columns)


def keyed(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A frame with a first column `key`, made of the cells of some columns; a repeated key gets its count."""
    if not len(frame):
        return frame.assign(key=[])[["key", *(name for name in frame.columns if name != "key")]]
    places = [frame.columns.get_loc(name) for name in columns]
    cells, blank = frame.to_numpy()[:, places], frame.isna().to_numpy()[:, places]
    rows = (("" if no else str(own) for own, no in zip(*row, strict=True)) for row in zip(cells, blank, strict=True))
    keys = pd.Series(["/".join(row) for row in rows], index=frame.index)
    count = keys.groupby(keys).cumcount()
    keys = keys.where(count == 0, keys + "#" + (count + 1).astype(str))
    return pd.concat([keys.rename("key"), frame.drop(columns="key", errors="ignore")], axis=1)


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """Text cells that a spreadsheet would run as formulas, with an apostrophe before them."""
    return frame.map(_harmless)


def _harmless(cell: object) -> object:
    if not isinstance(cell, str) or cell[:1] not in ("=", "+", "-", "@"):
        return cell
    return cell if _NUMBER.match(cell) and not _OPERATOR.search(cell) else f"'{cell}"
