"""A table in the forms in which a paper takes it: LaTeX, Word, HTML to paste, Markdown, csv."""

import html
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayes_npp.records import MOST_LINES, Shown
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.keys import harmless
from bayes_npp.reporting.base.latex import latex
from bayes_npp.reporting.base.numbers import with_minus
from bayes_npp.reporting.base.word import word
from bayes_npp.store import with_ending, write_files, write_whole

PADDING = "padding:.15em .7em"


@dataclass(frozen=True, repr=False)
class PaperTable(Shown):
    """A table for a paper, and the forms in which a paper takes it.

    Attributes
    ----------
    content : Table
        Text cells: the estimate, below it its standard error or posterior SD, then its interval.
    label : str
        Of LaTeX; made of the title if empty.
    """

    content: Table
    label: str = ""

    @property
    def frame(self) -> pd.DataFrame:
        """The text cells."""
        return self.content.frame

    def to_latex(self) -> str:
        r"""A fragment to `\input`, with booktabs, threeparttable and siunitx; its first line says what it needs."""
        return latex(self.content, self.label) + "\n"

    def to_markdown(self) -> str:
        """A table of pipes, the notes below."""
        return self.content.markdown() + "\n"

    def to_csv(self) -> str:
        """The text cells; no spreadsheet runs one of them."""
        return harmless(self.frame).to_csv(index=False, lineterminator="\n")

    def to_html(self) -> str:
        """A table with its own style, to paste."""
        return paste(self.content)

    def to_docx(self, path: str | Path) -> None:
        """Write a Word document.

        Raises
        ------
        OutputError
            The path cannot be written.
        """
        content = word(self.content)
        write_whole(Path(path), lambda temporary: temporary.write_bytes(content))

    def headline(self) -> str:
        return f"Table: {self.content.title or f'{self.frame.shape[1] - 1} models'}"

    def details(self) -> list[str]:
        lines = self.frame.to_string(index=False).splitlines()
        rest = len(lines) - MOST_LINES + 2
        return lines if rest <= 0 else [*lines[: MOST_LINES - 3], f"... and {rest + 1} more rows: .frame"]

    def _repr_html_(self) -> str:
        return self.to_html()


def write_table(table: Table | None, words: Table, path: Path) -> None:
    """Write a table, as it is and in words, into files of that name; in whatever process. None: in words alone."""
    paper = PaperTable(words)
    contents: dict[str, str | bytes] = {
        "tex": paper.to_latex(),
        "html": paper.to_html(),
        "md": paper.to_markdown(),
        "docx": word(words),
    }
    if table is not None:
        contents["csv"] = table.keyed().to_csv(index=False, lineterminator="\n")
    write_files({with_ending(path, ending): content for ending, content in contents.items()})


def paste(content: Table) -> str:
    """A table as HTML that carries its three lines with it; every text is escaped."""
    head = "".join(f'<th scope="col" style="{PADDING};border-bottom:1px solid">{_text(n)}</th>' for n in content.frame)
    rows = []
    for number, row in enumerate(content.frame.to_numpy()):
        style = f"{PADDING}{';border-top:1px solid' if number in content.rules else ''}"
        first = f'<th scope="row" style="text-align:left;font-weight:normal;{style}">{_text(row[0])}</th>'
        rest = "".join(f'<td style="text-align:center;{style}">{_text(cell)}</td>' for cell in row[1:])
        rows.append(f"<tr>{first}{rest}</tr>")
    caption = f'<caption style="text-align:left;font-weight:bold">{_text(content.title)}</caption>'
    notes = "".join(f'<p style="font-size:.85em;margin:.2em 0">{_text(note)}</p>' for note in content.notes)
    return (
        '<div><table style="border-collapse:collapse;border-top:2px solid;border-bottom:2px solid">'
        f"{caption if content.title else ''}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"{notes}</div>\n"
    )


def _text(value: object) -> str:
    return with_minus(html.escape(str(value), quote=True))
