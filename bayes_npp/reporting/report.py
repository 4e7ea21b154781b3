"""The report: one HTML file that opens offline, the same in Markdown, and the files of its tables and figures."""

from pathlib import Path

from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.blocks import Page, card_table
from bayes_npp.reporting.base.catalogue import ENGLISH, spoken
from bayes_npp.reporting.base.paper import write_table
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.shared import Shared
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.translation import said_in
from bayes_npp.reporting.base.wording import Wording, unchanged, wording
from bayes_npp.reporting.figures.drawing import draw_page
from bayes_npp.reporting.sections import lay_out
from bayes_npp.store import write_text

MANY = 60  # tables and figures above which a second process helps to write them


def write_report(result: Result, folder: Path, language: str = ENGLISH) -> None:
    """Write report.html, report.md, every table and every figure (png, svg, csv) into a folder.

    Tables are written as csv with the names of the run, and in words as tex, docx, html and md. In both languages there
    is one page with a switch; the second language has report.zh.md and a folder zh among tables and figures.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    page = report_page(result)
    tables = [*page.tables.values(), *map(card_table, page.cards.values())]
    pages: dict[str, str] = {}
    for own in spoken(language):
        beside = own if pages else ""  # the second language
        worded = said_in(own, wording(result.study), study_words(result.study))
        with Shared(worthwhile=len(tables) + len(page.figures) > MANY) as shared:
            for table in tables:
                kept = None if beside else table
                shared.give(write_table, kept, table.worded(worded), folder / "tables" / beside / table.name)
            drawings = draw_page(page, folder / "figures" / beside, worded, shared)
            figures = f"figures/{beside}" if beside else "figures"
            pages[own], markdown = render_page(page, drawings, worded, own, figures)
            shared.finish()
        write_text(folder / f"report.{f'{beside}.' if beside else ''}md", markdown)
    write_text(folder / "report.html", in_one_page(pages))


def last_words(result: Result, language: str = ENGLISH) -> Wording:
    """What puts the last lines of a run on a terminal into the language of its report; those of both are English."""
    first = spoken(language)[0]
    if first == ENGLISH:
        return unchanged
    return said_in(first, wording(result.study), study_words(result.study))


def report_page(result: Result) -> Page:
    """The page of a run: its title and the sections of the registry."""
    study = result.study
    kind = "Replication and re-analysis" if study.header.replicates else "Re-analysis"
    subtitle = f"{kind} of a panel study: {study.panel.balance()}"
    foot = "Numbers carry the file, row and column they come from (`data-ref`). Slopes are associations, not effects."
    return Page(study.header.title, subtitle, lay_out(result), foot)
