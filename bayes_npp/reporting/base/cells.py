"""Tables of text cells, and how a number becomes one."""

import re
from dataclasses import dataclass, replace
from html import escape
from typing import ClassVar

import pandas as pd

from bayes_npp.analysis.comparison import CLEAR
from bayes_npp.claims.verdicts import shown
from bayes_npp.reporting.base.keys import harmless, keyed
from bayes_npp.reporting.base.numbers import cell_markup, marked_down, markup, plain, unlinked
from bayes_npp.reporting.base.wording import Wording, unchanged

UNNAMED = "What"  # for screen readers, above the names of rows
_ESTIMATE = re.compile(r"([+\u2212-]?\d[\d.e+-]*\**) (\((?=[^()]*[.e])\d[\d.e+-]*\))(?: (\[.*\]))?")


@dataclass(frozen=True)
class Table:
    """A table of text cells with its title, the notes that state its conventions, and rows that a line stands above."""

    name: str
    title: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    kind: ClassVar[str] = "table"

    def html(self, worded: Wording = unchanged) -> str:
        """An HTML table; every cell is escaped, every decimal tied to its cell of the table's csv file."""
        names = [str(name) for name in self.frame.columns]
        unnamed = f'<span class="heard">{markup(worded(UNNAMED))}</span>'
        head = "".join(f'<th scope="col">{markup(worded(name)) or unnamed}</th>' for name in names)
        rows = []
        for key, values in zip(self.keys(), self.frame.itertuples(index=False), strict=True):
            cells = [
                cell_markup(worded(str(value), name), f"tables/{self.name}.csv:{key}:{name.replace(':', '%3A')}")
                for name, value in zip(names, values, strict=True)
            ]
            rest = "".join(f"<td>{shown}</td>" for shown in cells[1:])
            rows.append(f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>')
        title = markup(worded(self.title))
        notes = "".join(f'<p class="note">{markup(worded(note))}</p>' for note in self.notes)
        return (
            f'<div class="tabled" id="table-{escape(self.name, quote=True)}" tabindex="0" role="group" '
            f'aria-label="{escape(plain(worded(self.title)), quote=True)}"><table><caption>{title}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{notes}"
        )

    def keyed(self) -> pd.DataFrame:
        """The frame of the csv file: a key for every row, text that no spreadsheet runs."""
        return self._keyed(self.frame)

    def keys(self) -> list[str]:
        """The key of every row."""
        return list(self._keyed(self.frame.iloc[:, :1])["key"])

    @staticmethod
    def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
        return harmless(keyed(frame.map(plain_cell), list(frame.columns[:1])))

    def markdown(self, worded: Wording = unchanged) -> str:
        """The same in Markdown."""
        cells = self.frame.rename(columns=lambda name: worded(str(name)))
        for place, name in enumerate(self.frame.columns):
            shown = [marked_down(worded(str(value), str(name))) for value in self.frame.iloc[:, place]]
            cells.isetitem(place, [text.replace("|", "\\|").replace("\n", " ") for text in shown])
        body = cells.to_markdown(index=False, disable_numparse=True)
        body = re.sub(r"-{4,}", "---", re.sub(r" {2,}(?=\|)", " ", body))  # unaligned: half of a wide table is spaces
        title, *notes = (marked_down(worded(text)) for text in (self.title, *self.notes))
        notes = [note if "`" in note else note.replace("*", "\\*") for note in notes]  # stars of p-values
        return "\n\n".join([f"**{title}**", body, *(f"*{note}*" for note in notes)])

    def worded(self, worded: Wording) -> "Table":
        """The same in words, without references of numbers: for files that leave the run."""
        names = [str(name) for name in self.frame.columns]
        rows = [
            [unlinked(plain(worded(str(value), name))) for name, value in zip(names, row, strict=True)]
            for row in self.frame.itertuples(index=False)
        ]
        frame = pd.DataFrame(rows, columns=[plain(worded(name)) for name in names])
        notes = tuple(unlinked(plain(worded(note))) for note in self.notes)
        return replace(self, title=plain(worded(self.title)), frame=frame, notes=notes)

    def stacked(self) -> "Table":
        """The same with a standard error, and what stands in brackets behind it, on lines below the estimate."""
        rows: list[list[str]] = []
        rules = []
        for number, row in enumerate(self.frame.itertuples(index=False)):
            cells = [_lines(plain(value)) for value in row]
            rules += [len(rows)] if number in self.rules else []
            rows += [[lines[at] if at < len(lines) else "" for lines in cells] for at in range(max(map(len, cells)))]
        return replace(self, frame=pd.DataFrame(rows, columns=self.frame.columns), rules=tuple(rules))


def _lines(cell: str) -> list[str]:
    found = _ESTIMATE.fullmatch(cell)
    return [part for part in found.groups() if part] if found else [cell]


def plain_cell(value: object) -> object:
    """A cell as files hold it."""
    return plain(value) if isinstance(value, str) else value


def cell(row: pd.Series) -> str:
    """Estimate, interval, and p-value or P(> 0)."""
    tail = f"; P(> 0) {relation(row['prob_positive'])}" if row["paradigm"] == "bayesian" else p_text(row)
    return f"{number(row['estimate'])} {interval(row)}{tail}"


def relation(value: float) -> str:
    """A posterior probability with its sign of relation: '= 0.93', '> 0.999'."""
    text = probability(value)
    return text if text[0] in "<>" else f"= {text}"


def same_estimand(row: pd.Series | None, estimand: str) -> bool:
    """Whether a row may stand in a column of that estimand."""
    return row is not None and row["estimand"] == estimand


def frequentist_note(row: pd.Series) -> str:
    """What a frequentist cell holds: interval, p-value, covariance and convention."""
    level = f"{row['level']:.0%}".replace("%", " %")
    return (
        f"{row['estimator']}: estimate, {level} confidence interval [p-value], standard errors {row['covariance']}, "
        f"convention {row['convention']}.{_left_out(row)}"
    )


def posterior_note(row: pd.Series) -> str:
    """What a posterior cell holds: interval kind, errors and priors."""
    level = f"{row['level']:.0%}".replace("%", " %")
    what = f"mean, {level} equal-tailed interval, P(> 0); {row['covariance']}, {row['convention']}"
    return f"Posterior: {what}.{_left_out(row)}"


def _left_out(row: pd.Series) -> str:
    """How many rows the model leaves out, as the last part of a row's note says."""
    said = next((part for part in str(row["note"]).split("; ") if "rows left out: " in part), "")
    return f" {said}." if said else ""


def number(value: float) -> str:
    """Three decimals, more for small values, a true minus sign never."""
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if abs(value) >= 0.0095 or value == 0 else f"{value:.2g}"


def interval(row: pd.Series) -> str:
    """The interval of a row of estimates, in brackets, or that there is none."""
    if pd.isna(row["lo"]) or pd.isna(row["hi"]):
        return "[no interval]"
    return f"[{number(row['lo'])}, {number(row['hi'])}]"


def probability(value: float) -> str:
    """A posterior probability, beside the rule of a clear sign."""
    return shown(value, cuts=(CLEAR, 1 - CLEAR))


def reason(row: pd.Series) -> str:
    """Why a row has no estimate: the first part of its note."""
    return str(row["note"]).split("; ")[0]


def p_text(row: pd.Series) -> str:
    """The p-value of a row of estimates, in brackets; nothing where there is none."""
    value = row["p_value"]
    return "" if pd.isna(value) else f" [{p_relation(value)}]"


def p_relation(value: float) -> str:
    """A p-value with its sign of relation: 'p = 0.031', 'p < 0.001', or that there is none."""
    if pd.isna(value):
        return "no p-value"
    return "p < 0.001" if value < 0.0005 else f"p = {value:.3f}"
