"""Numbers of a page: rounded by what they are known to, and tied to the file, row and column they come from.

A number travels inside text as three private-use characters around its value, its reference and what is shown. HTML
turns that into `<data value data-ref>`; every other format shows the number alone.
"""

import html
import re
from math import floor, isfinite, log10

import pandas as pd

from bayes_npp.reporting.base.keys import estimate_key

_OPEN, _MIDDLE, _CLOSE = "\ue000", "\ue001", "\ue002"
_NUMBER = re.compile(
    f"{_OPEN}([^{_OPEN}{_CLOSE}]*?){_MIDDLE}([^{_OPEN}{_CLOSE}]*?){_MIDDLE}([^{_OPEN}{_CLOSE}]*?){_CLOSE}"
)
TAGGED = _NUMBER
_MARKS = re.compile(f"[{_OPEN}{_MIDDLE}{_CLOSE}]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # what Markdown takes for HTML
_AWAY = re.compile(r"\]\((?=\s*<?[A-Za-z][A-Za-z0-9+.-]*:)")  # a link with a scheme
_DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?(?!\w)")
_LINK = re.compile(r"\[([^\[\]<>]+)\]\(((?:#[\w-]+)|(?:[\w-][\w./-]*))\)")
_HYPHEN = re.compile(r"(?<![\w.,:;/)\]-])-(?=\.?\d)")
CODE_OR_REFERENCE = (
    f"{_OPEN}[^{_OPEN}{_CLOSE}]*?{_MIDDLE}[^{_OPEN}{_CLOSE}]*?{_MIDDLE}|`[^`]*`|\\]\\([^()]*\\)"  # not for words
)
MINUS = "\u2212"
DECIMALS = 6  # at most


def tagged(text: str, value: float, ref: str) -> str:
    """Text of a number with its full value and the FILE:KEY:COLUMN where it stands."""
    return f"{_OPEN}{float(value)!r}{_MIDDLE}{_MARKS.sub('', ref)}{_MIDDLE}{text}{_CLOSE}"


def of_row(row: pd.Series, column: str = "estimate", like: float | None = None) -> str:
    """A number of a row of estimates.csv, to two significant digits of its spread (or of `like`).

    A quarter of its interval stands for a spread that a row does not have: of a ratio whose SD does not exist.
    """
    value = float(row[column])
    if pd.isna(value):
        return "no interval" if column in ("lo", "hi") else "none"
    spread = (row["hi"] - row["lo"]) / 4 if pd.isna(row["spread"]) else row["spread"]
    scale = spread if like is None else like
    return tagged(rounded(value, scale), value, f"estimates.csv:{estimate_key(row)}:{column}")


def interval_of(row: pd.Series) -> str:
    """The interval of a row of estimates.csv."""
    if pd.isna(row["lo"]) or pd.isna(row["hi"]):
        return "[no interval]"
    return f"[{of_row(row, 'lo')}, {of_row(row, 'hi')}]"


def decimals(spread: float) -> int:
    """How many decimals two significant digits of a spread need."""
    if spread is None or not isfinite(spread) or spread <= 0:
        return 3
    return max(0, min(DECIMALS, 1 - floor(log10(spread))))


def rounded(value: float, spread: float) -> str:
    """A value to two significant digits of its spread, with a true minus sign and never a negative zero."""
    text = f"{value:.{decimals(spread)}f}"
    return text.replace("-", "" if float(text) == 0 else MINUS)


def chance(value: float, cuts: tuple[float, ...] = ()) -> str:
    """A probability in two digits, three within 0.01 of a threshold; never 0 or 1, which draws cannot show."""
    if value > 0.999:
        return "> 0.999"
    if value < 0.001:
        return "< 0.001"
    near = min(value, 1 - value) < 0.0095 or any(abs(value - cut) < 0.01 for cut in cuts)
    return f"{value:.{3 if near else 2}f}"


def p_value(value: float, ref: str) -> str:
    """A p-value in three digits with its sign of relation, and where it stands in full."""
    shown = "< 0.001" if value < 0.0005 else "> 0.999" if value > 0.9995 else f"{value:.3f}"
    return f"p {'' if shown[0] in '<>' else '= '}{tagged(shown, value, ref)}"


def unlinked(text: str) -> str:
    """Text without links, which lead nowhere outside of its page."""
    return _LINK.sub(r"\1", text)


def plain(text: object) -> str:
    """Text without the references of its numbers."""
    return _MARKS.sub("", _NUMBER.sub(lambda found: found[3], str(text)))


def marked_down(text: object) -> str:
    """Text for Markdown, without references: what is no code opens no tag and no link to another place."""
    pieces = plain(text).split("`")
    for place, piece in enumerate(pieces):
        if place % 2 == 0 or place == len(pieces) - 1:  # the last of an even number is behind a backtick of its own
            pieces[place] = _AWAY.sub("]\\\\(", _TAG.sub("&lt;", piece))
    return "`".join(pieces)


def markup(text: object) -> str:
    """Text as HTML: everything escaped, numbers tagged, what stands between `backticks` as code.

    A link is written as in Markdown, to an anchor of the page or to a file beside it only.
    """
    pieces = html.escape(str(text), quote=True).split("`")
    coded = "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
    linked = _LINK.sub(r'<a href="\2">\1</a>', coded)
    return _true_minus(_MARKS.sub("", _NUMBER.sub(r'<data value="\1" data-ref="\2">\3</data>', linked)))


def decimals_of(text: str, ref: str) -> str:
    """Text whose every decimal refers to one cell, which holds the same text."""
    return _DECIMAL.sub(lambda found: f"{_OPEN}{found[0]}{_MIDDLE}{ref}{_MIDDLE}{found[0]}{_CLOSE}", text)


def cell_markup(text: object, ref: str) -> str:
    """A cell of a table: its untagged decimals, first to last, refer to the cell of the table's own file."""
    value = str(text)
    if _OPEN in value or ref == "":
        return markup(value)
    found = list(_DECIMAL.finditer(value))
    if not found:
        return _true_minus(_LINK.sub(r'<a href="\2">\1</a>', html.escape(value, quote=True)))
    start, end = found[0].start(), found[-1].end()
    before, shown, after = (html.escape(part, quote=True) for part in (value[:start], value[start:end], value[end:]))
    every = " ".join(one[0] for one in found)
    return _true_minus(f'{before}<data value="{every}" data-ref="{html.escape(ref, quote=True)}">{shown}</data>{after}')


def with_minus(text: str) -> str:
    """A minus sign instead of a hyphen before a number."""
    return _HYPHEN.sub(MINUS, text)


def _true_minus(text: str) -> str:
    """The same outside of tags."""
    parts = re.split(r"(<[^>]*>)", text)
    return "".join(part if part.startswith("<") else with_minus(part) for part in parts)
