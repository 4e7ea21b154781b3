"""A page to HTML, with every text escaped, and to the same in Markdown."""

import re

from bayes_npp.reporting.base.blocks import Block, Details, Page, unfolded
from bayes_npp.reporting.base.numbers import markup, plain

_BLANK_LINES = re.compile(r"\n{3,}")


def render_page(page: Page, drawings: dict[str, str]) -> tuple[str, str]:
    """Render a page; return HTML and Markdown.

    Parameters
    ----------
    page : Page
    drawings : dict of str
        SVG text of every figure, by name; Markdown links the png of the same name.
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
            "markup": lambda text: Markup(markup(text)),
            "plain": plain,
            "cell": lambda text: plain(text).replace("|", "\\|").replace("\n", " "),
            "unfolded": _inside,
        }
        texts.append(environment.get_template(f"page.{kind}.jinja").render(page=page, drawings=drawings))
    html, markdown = texts
    return html, _BLANK_LINES.sub("\n\n", markdown).strip() + "\n"


def _inside(block: Details) -> tuple[Block, ...]:
    return tuple(unfolded(block.blocks))
