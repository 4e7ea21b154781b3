"""Where units stand on a grid of tiles: positions.csv of a study."""

from dataclasses import dataclass
from pathlib import Path

from bayes_npp.errors import PanelError, SpecError
from bayes_npp.panels.delimited import read_text
from bayes_npp.panels.labels import clean
from bayes_npp.records import is_file

COLUMNS = ("unit", "row", "column", "short")
MOST = 1000  # rows and columns of a grid


@dataclass(frozen=True)
class Position:
    """A tile: row and column from 0 at the upper left, and the short name written on it."""

    row: int
    column: int
    short: str


def read_positions(path: Path) -> dict[str, Position]:
    """Read a file with the columns unit, row, column and short, a row a unit.

    Raises
    ------
    SpecError
        No file, a missing column, a position that is no whole number, a unit or a place named twice.
    """
    if not is_file(path):
        fix = "Correct the path (in a study file: 'positions')"
        raise SpecError("the file does not exist", place=str(path), fix=fix)
    try:
        frame, rows = read_text(path, "utf-8", list(COLUMNS))
    except PanelError as error:
        raise SpecError(error.problem, place=error.place, fix=error.fix) from None
    if lost := [name for name in COLUMNS if name not in frame]:
        raise SpecError(f"there is no column '{lost[0]}'", place=str(path), fix=f"Give {', '.join(COLUMNS)}")
    found: dict[str, Position] = {}
    cells = frame[list(COLUMNS)].fillna("").itertuples(index=False)
    for at, (unit, row, column, short) in zip(rows, cells, strict=True):
        place, unit = f"{path}, row {at}", clean(unit)
        if not all(text.isdecimal() and int(text) < MOST for text in (row, column)):
            raise SpecError("row and column are whole numbers from 0", place=place, fix="Correct them")
        own = Position(int(row), int(column), short or unit[:3])
        if unit in found or any((own.row, own.column) == (one.row, one.column) for one in found.values()):
            raise SpecError(f"'{unit}' or its place is named twice", place=place, fix="Give every unit its own place")
        found[unit] = own
    return found
