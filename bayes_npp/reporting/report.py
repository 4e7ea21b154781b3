"""The report: one HTML file that opens offline, the same in Markdown, and the files of its tables and figures."""

from collections.abc import Callable
from pathlib import Path

from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.blocks import Page, Part, written_tables
from bayes_npp.reporting.base.catalogue import ENGLISH, spoken
from bayes_npp.reporting.base.cells import Table
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
    first, *others = spoken(language)
    worded = _worded(result, first)
    given: dict[str, Table] = {}
    with Shared(after=MANY) as shared:

        def give_tables(part: Part) -> None:
            """Written while the rest of the page is laid out."""
            for name, table in written_tables(part.blocks).items():
                if name not in given:
                    given[name] = table
                    shared.give(write_table, table, table.worded(worded), folder / "tables" / name)

        page = report_page(result, give_tables)
        drawings = draw_page(page, folder / "figures", worded, shared)
        html, markdown = render_page(page, drawings, worded, first)
        pages, texts = {first: html}, {"report.md": markdown}
        for own in others:
            worded = _worded(result, own)
            for name, table in given.items():
                shared.give(write_table, None, table.worded(worded), folder / "tables" / own / name)
            drawings = draw_page(page, folder / "figures" / own, worded, shared)
            pages[own], texts[f"report.{own}.md"] = render_page(page, drawings, worded, own, f"figures/{own}")
        shared.finish()
    for name, text in {**texts, "report.html": in_one_page(pages)}.items():
        write_text(folder / name, text)


def last_words(result: Result, language: str = ENGLISH) -> Wording:
    """What puts the last lines of a run on a terminal into the language of its report; those of both are English."""
    first = spoken(language)[0]
    return unchanged if first == ENGLISH else _worded(result, first)


def _worded(result: Result, language: str) -> Wording:
    """What puts every text of the page into words of a language."""
    return said_in(language, wording(result.study), study_words(result.study))


def report_page(result: Result, seen: Callable[[Part], None] = lambda _: None) -> Page:
    """The page of a run: its title and the sections of the registry, each `seen` once it is laid out."""
    study = result.study
    kind = "Replication and re-analysis" if study.header.replicates else "Re-analysis"
    subtitle = f"{kind} of a panel study: {study.panel.balance()}"
    foot = "Numbers carry the file, row and column they come from (`data-ref`). Slopes are associations, not effects."
    parts = []
    for part in lay_out(result):
        seen(part)
        parts.append(part)
    return Page(study.header.title, subtitle, tuple(parts), foot)
