r"""Tables as LaTeX: rules of booktabs, notes of threeparttable, columns of numbers by siunitx.

The fragment is to `\input`; its first line says which packages it needs. A table taller than a page is a longtable.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import MINUS, with_minus
from bayes_npp.reporting.base.tex_text import WIDE, coded, escaped, letters_wide, words_of

PACKAGES = r"\usepackage{array,booktabs,longtable,siunitx,threeparttable,threeparttablex}"
CHINESE = r"\usepackage{xeCJK}"
LINE, PAGE = 88, 42  # characters of a line, and lines of a table on a page
SMALLEST = (1.75, r"\tiny\setlength{\tabcolsep}{3pt}")
SIZES = ((1.0, 1.0, r"\small"), (1.3, 1.12, r"\footnotesize"), (float("inf"), 1.3, r"\scriptsize"))  # asked, room
HEAD, LONGEST = 14, 60  # characters of a line in a column of numbers, and of a text there before it is one of text
FEW = 8  # letters of a line of Chinese, at least
TIGHT = (  # brackets and stars stand at their numbers, which have no gaps
    r"\sisetup{table-align-text-pre=false,table-align-text-post=false,group-digits=none}"
)
_NUMBERED = re.compile(r"^(?:Table \w+\.|\u8868 \w+) ")  # LaTeX numbers its tables itself
_NUMBER = re.compile(r"(\(?)([+-]?\d+(?:\.\d+)?)(\)?)(\**)")


@dataclass(frozen=True)
class _Column:
    """One column of a table.

    Attributes
    ----------
    cells : tuple of str
        Heading first.
    numeric : bool
        Whether siunitx sets it.
    width : int
        Characters it asks for.
    share : float
        Of the line, where texts have to be wrapped; else 0.
    """

    cells: tuple[str, ...]
    numeric: bool
    width: int
    share: float = 0.0

    @property
    def declared(self) -> str:
        """What stands in the preamble of the table."""
        if not self.numeric:
            width = rf"\dimexpr {self.share:.3f}\linewidth-2\tabcolsep\relax"
            return rf">{{\raggedright\arraybackslash}}p{{{width}}}" if self.share else "l"
        found = [number for cell in self.cells[1:] if (number := _number(cell))]
        parts = [value.lstrip("+-").partition(".") for _, value, _, _ in found]
        sign = "-" if any(value[0] == "-" for _, value, _, _ in found) else ""
        form = f"{sign}{max(len(whole) for whole, _, _ in parts)}.{max(len(rest) for _, _, rest in parts)}"
        before = max((opened for opened, *_ in found), key=len)
        after = max((closed + stars for *_, closed, stars in found), key=len)
        space = f"table-space-text-pre={{{before}}},table-space-text-post={{{after}}},"
        return f"S[{space}table-format={form}]"

    @property
    def least(self) -> int:
        """Letters of its longest word; of Chinese, which breaks anywhere, a few characters on a line."""
        longest = max(letters_wide(word) for cell in self.cells for word in words_of(f"{cell} -"))
        return max(longest, min(FEW, self.width - 2)) if any(map(WIDE.search, self.cells)) else longest

    def shown(self, cell: str) -> str:
        """A cell; in a column of numbers text stands in braces, on several lines where it is long."""
        if not self.numeric or not cell.strip():
            return escaped(with_minus(cell)).strip()
        if number := _number(cell):
            before, value, after, stars = number
            return f"{before and '{(}'}{value}{f'{{{after}{stars}}}' if after or stars else ''}"
        lines = [escaped(line) for line in _wrapped(with_minus(cell))]
        several = rf"\begin{{tabular}}[t]{{@{{}}c@{{}}}}{r'\\'.join(lines)}\end{{tabular}}"
        return f"{{{several if len(lines) > 1 else lines[0]}}}"

    def lines(self, cell: str, line: float) -> int:
        """How many lines a cell takes where one of the page has that many characters."""
        width = HEAD if self.numeric else self.share * line
        return max(1, -(-letters_wide(cell) // int(width))) if width >= 1 else 1


def latex(table: Table, label: str = "") -> str:
    r"""A table of text cells, its title as caption, its notes below.

    Parameters
    ----------
    table : Table
    label : str
        For `\ref`; by default `tab:` and the table's name.
    """
    laid = table.stacked()
    columns, line, size = _columns(laid)
    name = label or f"tab:{re.sub(r'[^A-Za-z0-9]+', '-', table.name).strip('-')}"
    caption = rf"\caption{{{escaped(_NUMBERED.sub('', laid.title))}}}\label{{{name}}}"
    head, *rows = (list(row) for row in zip(*(column.cells for column in columns), strict=True))
    texts = [
        (r"\midrule" + "\n" if number in laid.rules else "") + _row(columns, row, kept=not below[0].strip())
        for number, (row, below) in enumerate(zip(rows, [*rows[1:], ["-"]], strict=True))
    ]
    top = f"\\toprule\n{_row(columns, head)}\n\\midrule"
    declared = "".join(column.declared for column in columns)
    notes = [rf"\item {coded(with_minus(note))}" for note in laid.notes]
    tall = sum(max(column.lines(cell, line) for column, cell in zip(columns, row, strict=True)) for row in rows) > PAGE
    chinese = WIDE.search(" ".join((laid.title, *laid.notes, *(cell for column in columns for cell in column.cells))))
    if tall:
        more = rf"\midrule \multicolumn{{{len(columns)}}}{{r}}{{{_continued(laid)}}}\\"
        body = _long(caption, declared, top, texts, notes, size, more)
    else:
        body = _float(caption, declared, top, texts, notes, size)
    return f"% {PACKAGES}{f'{CHINESE} % XeLaTeX or LuaLaTeX' if chinese else ''}\n{body}"


def _float(caption: str, declared: str, top: str, rows: list[str], notes: list[str], size: str) -> str:
    lines = [r"\begin{table}[htbp]", r"\centering", size + TIGHT, r"\begin{threeparttable}", caption]
    lines += [rf"\begin{{tabular}}{{@{{}}{declared}@{{}}}}", top, *rows, r"\bottomrule", r"\end{tabular}"]
    if notes:
        lines += [r"\begin{tablenotes}[flushleft]", r"\footnotesize", *notes, r"\end{tablenotes}"]
    return "\n".join([*lines, r"\end{threeparttable}", r"\end{table}"])


def _continued(table: Table) -> str:
    """What stands below a part of a table, in the language of its notes."""
    return "接下页" if any(map(WIDE.match, table.notes)) else "continued"


def _long(caption: str, declared: str, top: str, rows: list[str], notes: list[str], size: str, more: str) -> str:
    lines = [rf"\begingroup{size}{TIGHT}", r"\begin{ThreePartTable}"]
    if notes:
        lines += [r"\begin{TableNotes}[flushleft]", r"\footnotesize", *notes, r"\end{TableNotes}"]
    lines += [rf"\begin{{longtable}}{{@{{}}{declared}@{{}}}}", caption + r"\\", top, r"\endfirsthead", top, r"\endhead"]
    lines += [more, r"\endfoot", r"\bottomrule"]
    lines += [r"\insertTableNotes"] if notes else []
    return "\n".join([*lines, r"\endlastfoot", *rows, r"\end{longtable}", r"\end{ThreePartTable}", r"\endgroup"])


def _columns(table: Table) -> tuple[list[_Column], float, str]:
    """Columns, those of text with a share of the line where they do not fit; characters of a line, size of letters."""
    columns = []
    for place, name in enumerate(table.frame.columns):
        cells = (str(name), *map(str, table.frame.iloc[:, place]))
        numeric = place > 0 and _is_numeric(cells[1:])
        lengths = [letters_wide(line) for cell in cells for line in (_wrapped(cell) if numeric else [cell])]
        columns.append(_Column(cells, numeric, max(lengths, default=0) + 2))
    asked = sum(min(column.width, LONGEST) for column in columns)
    room, size = next((room, size) for most, room, size in SIZES if asked <= most * LINE)
    line = room * LINE
    if sum(column.width for column in columns) <= line or all(column.numeric for column in columns):
        return columns, line, size
    least = [0 if column.numeric else 2 + column.least for column in columns]
    more = [
        0 if c.numeric else min(c.width, LONGEST) - min(own, LONGEST) for c, own in zip(columns, least, strict=True)
    ]
    left = line - sum(c.width for c in columns if c.numeric) - sum(least)
    if left < 0:  # words alone are wider than the line
        room, size = SMALLEST
        left, line = left + room * LINE - line, room * LINE
    share = max(left, 0.0) / max(sum(more), 1)
    return (
        [replace(c, share=(own + share * rest) / line) for c, own, rest in zip(columns, least, more, strict=True)],
        line,
        size,
    )


def _row(columns: Sequence[_Column], row: Sequence[str], kept: bool = False) -> str:
    """A row; `kept` on one page with the next one, which continues it."""
    end = r" \\*" if kept else r" \\"
    return " & ".join(column.shown(cell) for column, cell in zip(columns, row, strict=True)) + end


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether half of what stands in a column are numbers, and no text there is long."""
    told = [cell for cell in cells if cell.strip()]
    return 0 < len(told) <= 2 * sum(_number(cell) is not None for cell in told) and max(map(len, told)) <= LONGEST


def _number(cell: str) -> tuple[str, str, str, str] | None:
    """A bracket, a number, a bracket, stars."""
    found = _NUMBER.fullmatch(cell.replace(MINUS, "-").strip())
    return None if found is None or bool(found[1]) != bool(found[3]) else (found[1], found[2], found[3], found[4])


def _wrapped(cell: str) -> list[str]:
    """Lines of a text in a column of numbers; an interval is one."""
    if cell.startswith("["):
        return [cell]
    lines: list[str] = []
    for word in words_of(cell, blanks=True):
        if lines and letters_wide(lines[-1] + word) <= HEAD:
            lines[-1] += word
        else:
            lines.append(word.strip())
    return lines or [""]
