"""The report: one HTML file that opens offline, and the same in Markdown. Templates render; nothing is decided here."""

from bayes_npp.findings import findings
from bayes_npp.results import Result
from bayes_npp.tables import Table


def render_report(result: Result, tables: dict[str, Table], figures: dict[str, str]) -> tuple[str, str]:
    """Render report.html and report.md.

    Parameters
    ----------
    result : Result
    tables : dict of Table
    figures : dict of str
        SVG text by name; Markdown links the png of the same name.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    context = {
        "study": result.study,
        "result": result,
        "balance": result.study.panel.balance(),
        "findings": findings(result),
        "tables": tables,
        "figures": figures,
    }
    pages = []
    for name, escape in (("report.html.jinja", True), ("report.md.jinja", False)):
        environment = Environment(
            loader=PackageLoader("bayes_npp"),
            autoescape=escape,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        pages.append(environment.get_template(name).render(context))
    html, markdown = pages
    return html, markdown
