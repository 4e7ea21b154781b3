"""The report: one HTML file that opens offline, and the same in Markdown. Templates render; nothing is decided here."""

from bayes_npp.reporting.base.rendering import render_pages
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.findings import findings
from bayes_npp.reporting.tables.tables import Table
from bayes_npp.study.notices import study_notices


def render_report(result: Result, tables: dict[str, Table], figures: dict[str, str]) -> tuple[str, str]:
    """Render report.html and report.md.

    Parameters
    ----------
    result : Result
    tables : dict of Table
    figures : dict of str
        SVG text by name; Markdown links the png of the same name.
    """
    context = {
        "study": result.study,
        "result": result,
        "notices": study_notices(result.study),
        "balance": result.study.panel.balance(),
        "findings": findings(result),
        "tables": tables,
        "figures": figures,
    }
    return render_pages("report", context)
