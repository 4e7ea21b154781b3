"""A page to HTML, with every text escaped, and to the same in Markdown."""

import html
import re
from collections.abc import Callable
from functools import partial

from bayes_npp.reporting.base.blocks import Block, Details, Page, Widget, unfolded
from bayes_npp.reporting.base.catalogue import CHINESE, ENGLISH
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import marked_down, markup, plain
from bayes_npp.reporting.base.study_words import TILE
from bayes_npp.reporting.base.wording import Wording, unchanged

_BLANK_LINES = re.compile(r"\n{3,}")


# What templates write between texts: the language's name for browsers, and its punctuation.
SIGNS = {
    ENGLISH: {"lang": "en", "chinese": False, "stop": ".", "gap": " ", "comma": ", ", "colon": ": "},
    CHINESE: {"lang": "zh-Hans", "chinese": True, "stop": "。", "gap": "", "comma": "，", "colon": "："},
}
_TWO_LINES = re.compile(
    r'(?P<start><text class="ink" x="(?P<x>[\d.]+)" y=")(?P<high>\d+)(?P<end>" text-anchor="middle">)'
    r"(?P<one>[^<]*)</text>"
    r'<text class="ink" x="(?P=x)" y="(?P<low>\d+)" text-anchor="middle">(?P<two>[^<]*)</text>'
)
_SHORT = re.compile(r'(<text class="\w+ short"[^>]*>)([^<]*)')
_SHOWN = re.compile(r'(?<=>)[^<>]*[A-Za-z]{2}[^<>]*(?=<)|(?<=aria-label=")[^"]+')


def render_page(
    page: Page,
    drawings: dict[str, str],
    worded: Wording = unchanged,
    language: str = ENGLISH,
    figures: str = "figures",
) -> tuple[str, str]:
    """Render a page; return HTML and Markdown.

    Parameters
    ----------
    page : Page
    drawings : dict of str
        SVG text of every figure, by name; Markdown links the png of the same name.
    worded : callable
        What exchanges names in a text for words (`wording`), and the text for one in another language (`translated`).
    language : str
        Of `worded`.
    figures : str
        Folder of the drawings' files.
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
            "said": str if language == ENGLISH else worded,
            "art": partial(drawn, worded=worded, language=language),
            "widget": partial(_widget, worded=worded, language=language),
            "unfolded": _inside,
        }
        texts.append(
            environment.get_template(f"page.{kind}.jinja").render(
                page=page, drawings=drawings, figures=figures, **SIGNS[language]
            )
        )
    document, markdown = texts
    return document, _BLANK_LINES.sub("\n\n", markdown).strip() + "\n"


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


def drawn(drawing: str, worded: Wording, language: str) -> str:
    """A small drawing, what it says in another language."""
    from markupsafe import Markup

    def said(found: re.Match[str]) -> str:
        return html.escape(worded(html.unescape(found[0])), quote=True)

    def whole(found: re.Match[str]) -> str:  # a name in two lines, which is short enough for one
        text = html.escape(worded(html.unescape(f"{found['one']} {found['two']}")), quote=True)
        middle = (int(found["high"]) + int(found["low"])) // 2
        return f"{found['start']}{middle}{found['end']}{text}</text>"

    def tile(found: re.Match[str]) -> str:
        return found[1] + html.escape(worded(html.unescape(found[2]), TILE), quote=True)

    if language == ENGLISH:
        return Markup(drawing)
    return Markup(_SHOWN.sub(said, _TWO_LINES.sub(whole, _SHORT.sub(tile, drawing))))


def _widget(widget: Widget, worded: Wording, language: str) -> str:
    from markupsafe import Markup

    return Markup(widget.markup if language == ENGLISH or widget.said is None else widget.said(worded))


def _inside(block: Details) -> tuple[Block, ...]:
    return tuple(unfolded(block.blocks))
