"""The report: one HTML file that opens offline, the same in Markdown, and the files of its tables and figures."""

from pathlib import Path

from bayes_npp.reporting.base.blocks import Page
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.figures.drawing import draw_page
from bayes_npp.reporting.sections import lay_out
from bayes_npp.store import write_text


def write_report(result: Result, folder: Path) -> None:
    """Write report.html, report.md, every table (csv, tex) and every figure (png, svg, csv) into a folder.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    page = report_page(result)
    for table in page.tables.values():
        write_text(folder / "tables" / f"{table.name}.csv", table.keyed().to_csv(index=False, lineterminator="\n"))
        write_text(folder / "tables" / f"{table.name}.tex", table.tex() + "\n")
    worded = wording(result.study)
    html, markdown = render_page(page, draw_page(page, folder / "figures", worded), worded)
    write_text(folder / "report.md", markdown)
    write_text(folder / "report.html", html)


def report_page(result: Result) -> Page:
    """The page of a run: its title and the sections of the registry."""
    study = result.study
    kind = "Replication and re-analysis" if study.header.replicates else "Re-analysis"
    subtitle = f"{kind} of a panel study: {study.panel.balance()}"
    foot = "Numbers carry the file, row and column they come from (`data-ref`). Slopes are associations, not effects."
    return Page(study.header.title, subtitle, lay_out(result), foot)
