"""What a reader of a panel should look at: nothing is wrong for certain, and nothing is changed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CODES = (-99, -999, -9999, -99999, 999, 9999, 99999)  # numbers that stand for a missing value in many files
SHOWN = 5


@dataclass(frozen=True)
class Notice:
    """A warning about one column of a panel."""

    column: str
    text: str

    def __str__(self) -> str:
        return self.text


def rows_in_words(rows: np.ndarray) -> str:
    """Row numbers of the file, the first few of many."""
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def stand_apart(frame: pd.DataFrame, file_rows: np.ndarray) -> list[Notice]:
    """Codes such as -99 in numeric columns, further from the other values than these are from each other."""
    out = []
    for name in frame.select_dtypes("number").columns:
        values = frame[name].to_numpy(dtype=float, na_value=np.nan)
        others = values[~np.isnan(values) & ~np.isin(values, CODES)]
        if len(others) == len(values) or not len(others):
            continue
        low, high = others.min(), others.max()
        for code in CODES:
            if code < low - (high - low) or code > high + (high - low):
                rows = file_rows[np.flatnonzero(values == code)]
                if len(rows):
                    text = (
                        f"column '{name}' is {code} in {rows_in_words(np.sort(rows))} and from {low:g} to {high:g} "
                        f"elsewhere; if {code} stands for a missing value, missing = [{code}] makes it blank"
                    )
                    out.append(Notice(str(name), text))
    return out
