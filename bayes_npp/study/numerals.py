"""Numbers as journals print them, read as plain decimals with the digits that were printed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bayes_npp.errors import SpecError
from bayes_npp.panels.labels import ZERO_WIDTH

MINUS = dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"), "-")
SIGNS = {0xFF0B: "+", 0xB7: ".", 0xFF0E: ".", 0xFF0C: ",", 0x2217: "*", 0xFF0A: "*", 0x2019: "'"}
DIGITS = {0xFF10 + digit: str(digit) for digit in range(10)}
SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2008\u2009\u200a\u202f\u3000"), " ")
AS_PRINTED = ZERO_WIDTH | MINUS | SIGNS | DIGITS | SPACES
BLANKS = ("-", "--", "---", "\u2014", "...", "n/a", "n.a.")
DAGGERS = "\u2020\u2021\u00a7\u00b6#+"
AS_IT_IS = "Write the number as printed, or leave the cell blank"
BRACKETS = ("()", "[]", "{}")

_MARKS = re.compile(rf"^(.*?)\s*([*{re.escape(DAGGERS)}]*)$")
_BOUND = re.compile(r"^(?:p\s*)?(<=|>=|<|>|\u2264|\u2265)\s*(.*)$", re.IGNORECASE)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?[1-9]\d{0,2}([, ']\d{3})+(\.\d*)?")  # 1,234.5
_COMMA = re.compile(
    r"[+-]?(\d*|[1-9]\d{0,2}([. ']\d{3})+),\d+|[+-]?[1-9]\d{0,2}(\.\d{3}){2,}"
)  # 0,42 and 1.234,5 and 1.234.567
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")  # 1,234: thousands, or decimals


@dataclass(frozen=True)
class Numeral:
    """A printed number.

    Attributes
    ----------
    text : str
        Plain decimals such as -0.042, with the digits that were printed; empty for a blank.
    bound : str
        "<" or ">" where only a bound is printed.
    marks : str
        Stars and daggers behind it.
    """

    text: str
    bound: str = ""
    marks: str = ""

    def __str__(self) -> str:
        return self.bound + self.text


def decimal_signs(cells: Iterable[str]) -> frozenset[str]:
    """Which of "." and "," stand before decimals in printed cells, where a cell leaves no doubt."""
    found = set()
    for cell in cells:
        number = _stripped(cell).text
        if _EITHER.fullmatch(number):
            continue
        if "." in number and (_PLAIN.fullmatch(number) or _POINT.fullmatch(number)):
            found.add(".")
        elif "," in number and _COMMA.fullmatch(number) and not _POINT.fullmatch(number):
            found.add(",")
    return frozenset(found)


def read_numeral(cell: str, signs: frozenset[str] = frozenset(".")) -> Numeral:
    """The number that a printed cell holds.

    Parameters
    ----------
    cell : str
        Such as 0.042, -.042 with any minus sign, 1,240.5, (0.083), <0.001, 0.042**, 0,042.
    signs : frozenset of str
        What stands before decimals in the other cells of the table, see `decimal_signs`: it says what 1,234 is.

    Raises
    ------
    SpecError
        No number, or one that may be two.
    """
    found = _stripped(cell)
    number = found.text
    if not number:
        if found.bound or found.marks:
            raise SpecError("it is not a finite number", fix=AS_IT_IS)
        return found
    if _EITHER.fullmatch(number) and ("," in number or "," in signs):
        if "." in number or len(signs) != 1:
            thousands, decimals = re.sub("[.,]", "", number), number.replace(",", ".")
            raise SpecError(
                f"it may be {thousands} or {decimals}", fix="Write it without a separator of thousands, with a point"
            )
        number = number.replace(",", "" if signs == {"."} else ".")
    elif _PLAIN.fullmatch(number):
        pass
    elif _POINT.fullmatch(number):
        number = re.sub("[, ']", "", number)
    elif _COMMA.fullmatch(number):
        number = re.sub("[. ']", "", number).replace(",", ".")
    else:
        raise SpecError("it is not a finite number", fix=AS_IT_IS)
    return Numeral(number, found.bound, found.marks)


def _stripped(cell: str) -> Numeral:
    """The cell without brackets, bound and marks, in plain signs."""
    text = cell.translate(AS_PRINTED).strip()
    if text.lower() in BLANKS:
        return Numeral("")
    text, marks = _unmarked(text)
    if text[:1] + text[-1:] in BRACKETS:
        text, inner = _unmarked(text[1:-1].strip())
        marks = inner + marks
    bound = ""
    if sided := _BOUND.match(text):
        bound, text = "<" if sided[1] in ("<", "<=", "\u2264") else ">", sided[2]
    return Numeral(re.sub(r"^([+-])\s+", r"\1", text), bound, marks)


def _unmarked(text: str) -> tuple[str, str]:
    """A number and the stars and daggers behind it."""
    found = _MARKS.match(text)
    return (found[1], found[2]) if found else (text, "")
