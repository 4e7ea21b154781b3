"""Published numbers, as printed: one schema for every study. They rest on the paper's data, never on ours."""

from pathlib import Path

import pandas as pd

from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import is_file

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


def read_published(path: Path) -> pd.DataFrame:
    """Read published.csv with every cell as the text that was printed.

    Raises
    ------
    SpecError
        No file, a missing or unknown column, an estimate that is not a number, a row without a term.
    """
    if not is_file(path):
        raise SpecError(
            "the file does not exist", place=str(path), fix="Correct the path (in a study file: 'published')"
        )
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False).fillna("")
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SpecError(f"the file cannot be read ({reason})", place=str(path), fix="Save it as UTF-8 CSV") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the first column for labels
        fix = "Remove the extra comma, or put a value that contains one in quotes"
        raise SpecError("row 2 has more cells than the header", place=str(path), fix=fix)
    return check_published(frame, str(path))


def check_published(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Check a table of printed text against the schema; return it.

    Raises
    ------
    SpecError
        As `read_published`; `place` leads the message.
    """
    for name in frame.columns:
        if name not in COLUMNS:
            raise SpecError(f"unknown column '{name}'", place=place, fix=nearest(name, COLUMNS))
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise SpecError(f"column '{missing[0]}' is missing", place=place, fix=f"Columns: {', '.join(COLUMNS)}")
    for name in ("estimate", "se", "t", "p"):
        text = frame[name].str.strip()
        wrong = (text != "") & pd.to_numeric(text, errors="coerce").isna()
        if wrong.any():
            at = int(wrong.to_numpy().argmax())
            raise SpecError(
                f"column '{name}' has the value {text.iloc[at]!r}, which is not a number",
                place=f"{place}, row {at + 2}",
                fix="Write the number as printed, or leave the cell blank",
            )
    if (frame["term"].str.strip() == "").any():
        at = int((frame["term"].str.strip() == "").to_numpy().argmax())
        raise SpecError("a row has no term", place=f"{place}, row {at + 2}", fix="Name the coefficient")
    return frame
