"""Files of panels: CSV, Parquet, Stata and Excel as a frame, with the row of each observation in its file."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_npp.errors import PanelError
from bayes_npp.panels.delimited import check_header, clean_name, read_csv
from bayes_npp.panels.labels import labels_of, printed
from bayes_npp.panels.notices import Notice
from bayes_npp.records import is_file

READERS = {".csv": "CSV", ".parquet": "Parquet", ".dta": "Stata", ".xlsx": "Excel"}


def read_file(
    path: Path, encoding: str, labels: list[str], time: str | None
) -> tuple[pd.DataFrame, np.ndarray, list[Notice]]:
    """A panel file as it is.

    Parameters
    ----------
    path : Path
    encoding : str
        Of a CSV file.
    labels : list of str
        Names of the columns of unit and group.
    time : str or None

    Returns
    -------
    DataFrame
    ndarray of int
        Row of each observation in the file, the header being row 1 where nothing stands above it.
    list of Notice
        What of the file is not read.

    Raises
    ------
    PanelError
        No file, an unknown kind, a file that its reader cannot read, two columns of one name.
    """
    if not is_file(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"  # long names too
        raise PanelError(f"the file {what}", place=str(path), fix="Check the path")
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        raise PanelError(
            f"unknown kind of file '{path.suffix}'", place=str(path), fix=f"Use one of {', '.join(READERS)}"
        )
    try:
        if kind == "CSV":
            return *read_csv(path, encoding, [*labels, *([time] if time else [])]), []
        if kind == "Excel":
            return _read_excel(path, labels[0])
        frame = pd.read_parquet(path) if kind == "Parquet" else _read_stata(path, labels)
    except PanelError:
        raise
    except UnicodeError:
        fix = "Save it as UTF-8, or give its encoding (often encoding='gb18030' for Chinese files)"
        raise PanelError(f"the file is not {encoding} text", place=str(path), fix=fix) from None
    except Exception as error:  # readers of damaged files raise anything: struct.error, zlib.error, KeyError, ...
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        fix = "Check that the file is complete and of the kind that its name says"
        raise PanelError(f"the {kind} file cannot be read ({reason})", place=str(path), fix=fix) from None
    return frame, np.arange(len(frame)) + 2, []


def _read_excel(path: Path, unit: str) -> tuple[pd.DataFrame, np.ndarray, list[Notice]]:
    """The first sheet; columns without a name and blank rows are left out."""
    with pd.ExcelFile(path) as book:
        sheets = [str(name) for name in book.sheet_names]
        cells = pd.read_excel(book, header=None, dtype=object, keep_default_na=False)
    cells = cells.mask(cells.isna(), "")
    filled = np.flatnonzero((cells.map(lambda cell: str(cell).strip()) != "").any(axis=1).to_numpy())
    if not len(filled):
        raise PanelError(f"the sheet '{sheets[0]}' is empty", place=str(path), fix="Put the panel on the first sheet")
    header = [clean_name(printed(name)) for name in cells.iloc[filled[0]]]
    check_header(header, f"{path}, row {filled[0] + 1}")
    named = [i for i, name in enumerate(header) if name]
    frame = cells.iloc[filled[1:], named].set_axis([header[i] for i in named], axis=1).reset_index(drop=True)
    notices = []
    if len(sheets) > 1:
        text = f"the workbook has {len(sheets)} sheets, and the first is read ('{sheets[0]}')"
        notices.append(Notice(unit, text))
    return frame, filled[1:] + 1, notices


def _read_stata(path: Path, labels: list[str]) -> pd.DataFrame:
    """Numbers as numbers; units and groups by their value labels, where they have some."""
    frame = pd.read_stata(path, convert_categoricals=False)
    for name in labels:
        if name not in frame or not pd.api.types.is_numeric_dtype(frame[name]):
            continue
        fix = f"Give each code of '{name}' a label of its own, or drop its value labels (in Stata: label values {name})"
        try:
            labelled = pd.read_stata(path, columns=[name], convert_categoricals=True)[name]
        except ValueError:  # pandas refuses labels that are not unique
            raise PanelError(f"two codes of column '{name}' have one value label", place=str(path), fix=fix) from None
        if labels_of(labelled).nunique() < frame[name].nunique():
            problem = f"a value label of column '{name}' is the number of another code"
            raise PanelError(problem, place=str(path), fix=fix)
        frame[name] = labelled
    return frame
