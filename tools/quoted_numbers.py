"""Numbers that pages quote from results, each with its source in a comment beside it.

`<!--=reports/digital_trade/claims.csv#H1/probability|.2f-->0.65<!--=-->` is the cell of the row whose key is H1, in the
format `.2f`; of a JSON file the part behind # is the way through its keys. `python tools/quoted_numbers.py` writes all
of them anew; a test fails while a page disagrees with its source.
"""

import csv
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
QUOTED = re.compile(r"(<!--=([^#|>]+)#([^|>]+?)(?:\|([^>]+?))?-->)(.*?)(<!--=-->)", re.DOTALL)
WORDS = {  # verdicts in the other language of the pages
    "supported": "得到支持",
    "negligible": "可忽略",
    "contradicted": "被否定",
    "supported but fragile": "得到支持，但不稳健",
    "negligible but fragile": "可忽略，但不稳健",
    "contradicted but fragile": "被否定，但不稳健",
    "undecided": "未定",
}


def pages() -> list[Path]:
    """Pages of the documentation."""
    return sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])


@cache
def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


@cache
def _tree(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def value(source: str, place: str) -> Any:
    """What a result says at a place: a number if it is one, else text.

    Raises
    ------
    KeyError
        There is no such row, column or key.
    """
    path = ROOT / source
    if path.suffix == ".csv":
        key, _, column = place.rpartition("/")
        text = _rows(path)[key][column]
        try:
            return float(text)
        except ValueError:
            return text
    found = _tree(path)
    for key in place.split("/"):
        found = found[int(key) if isinstance(found, list) else key]
    return found


def written_anew(text: str) -> str:
    """A page with every quoted number as its source has it today."""

    def quote(found: re.Match[str]) -> str:
        said = value(found[2], found[3])
        words = WORDS.get(str(said), str(said)) if found[4] == "zh" else format(said, found[4] or "")
        return found[1] + words.replace("-", "−" if not isinstance(said, str) else "-") + found[6]

    return QUOTED.sub(quote, text)


if __name__ == "__main__":
    moved = [path for path in pages() if written_anew(old := path.read_text(encoding="utf-8")) != old]
    for path in moved:
        path.write_text(written_anew(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: numbers written anew")
    sys.exit(0)
