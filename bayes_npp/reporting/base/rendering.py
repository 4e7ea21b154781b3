"""A page to HTML, with every text escaped, and to the same in Markdown."""

import re
from collections.abc import Callable
from functools import partial

from bayes_npp.reporting.base.blocks import Block, Details, Page, unfolded
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import marked_down, markup, plain
from bayes_npp.reporting.base.wording import Wording, unchanged

_BLANK_LINES = re.compile(r"\n{3,}")


def render_page(page: Page, drawings: dict[str, str], worded: Wording = unchanged) -> tuple[str, str]:
    """Render a page; return HTML and Markdown.

    Parameters
    ----------
    page : Page
    drawings : dict of str
        SVG text of every figure, by name; Markdown links the png of the same name.
    worded : callable
        What exchanges names in a text for words (`wording`).
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    texts = []
    for kind, escape in (("html", True), ("md", False)):
        environment = Environment(
            loader=PackageLoader("bayes_npp.reporting"),
            autoescape=escape,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters |= {
            "markup": lambda text: Markup(markup(worded(str(text)))),
            "plain": partial(_words, worded=worded, words=plain if escape else marked_down),
            "cell": lambda text: marked_down(worded(str(text))).replace("|", "\\|").replace("\n", " "),
            "table": partial(_table, worded=worded, escape=escape),
            "unfolded": _inside,
        }
        texts.append(environment.get_template(f"page.{kind}.jinja").render(page=page, drawings=drawings))
    html, markdown = texts
    return html, _BLANK_LINES.sub("\n\n", markdown).strip() + "\n"


def widget_markup(template: str, **values: object) -> str:
    """Markup of a widget, from its own template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("bayes_npp.reporting")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**values)


def _words(text: object, worded: Wording, words: Callable[[object], str]) -> str:
    return words(worded(str(text)))


def _table(table: Table, worded: Wording, escape: bool) -> str:
    from markupsafe import Markup

    return Markup(table.html(worded)) if escape else table.markdown(worded)


def _inside(block: Details) -> tuple[Block, ...]:
    return tuple(unfolded(block.blocks))
