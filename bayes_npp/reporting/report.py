"""The report: one HTML file that opens offline, the same in Markdown, and the files of its tables and figures."""

from pathlib import Path

from bayes_npp.reporting.base.blocks import Page, card_table
from bayes_npp.reporting.base.paper import write_table
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.shared import Shared
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.figures.drawing import draw_page
from bayes_npp.reporting.sections import lay_out
from bayes_npp.store import write_text

MANY = 60  # tables and figures above which a second process helps to write them


def write_report(result: Result, folder: Path) -> None:
    """Write report.html, report.md, every table and every figure (png, svg, csv) into a folder.

    Tables are written as csv with the names of the run, and in words as tex, docx, html and md.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    page = report_page(result)
    worded = wording(result.study)
    tables = [*page.tables.values(), *map(card_table, page.cards.values())]
    with Shared(worthwhile=len(tables) + len(page.figures) > MANY) as shared:
        for table in tables:
            shared.give(write_table, table, table.worded(worded), folder / "tables" / table.name)
        drawings = draw_page(page, folder / "figures", worded, shared)
        html, markdown = render_page(page, drawings, worded)
        shared.finish()
    write_text(folder / "report.md", markdown)
    write_text(folder / "report.html", html)


def report_page(result: Result) -> Page:
    """The page of a run: its title and the sections of the registry."""
    study = result.study
    kind = "Replication and re-analysis" if study.header.replicates else "Re-analysis"
    subtitle = f"{kind} of a panel study: {study.panel.balance()}"
    foot = "Numbers carry the file, row and column they come from (`data-ref`). Slopes are associations, not effects."
    return Page(study.header.title, subtitle, lay_out(result), foot)
