"""Two languages on one page: the pages of both, one shown, and a switch between them that needs no script.

The switch is two radio buttons, and a rule of the style sheet hides the language that is not chosen. A browser that
does not know the rule shows both, one after the other. The script keeps the place of the reader, the language of the
page for browsers and readers of screens, and opens the language of a link.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

from bayes_npp.reporting.base.catalogue import CHINESE, ENGLISH

NAMES = {ENGLISH: "English", CHINESE: "中文"}
CODES = {ENGLISH: "en", CHINESE: "zh-Hans"}
_SKIP = re.compile(r'<a class="skip".*?</a>\n')
_BODY = re.compile(r"<body>\n(.*)</body>", re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>")
_SCRIPT = re.compile(r"<script>.*?</script>\n?", re.DOTALL)
_STYLE = re.compile(r"<style>\n(.*?)</style>", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_NAMED = re.compile(r'( (?:id|for|aria-labelledby|aria-describedby)="|(?:href|xlink:href)="#|url\(#)(?=[\w-])')


def in_one_page(pages: Mapping[str, str]) -> str:
    """The page of one language as it is; of two the first, the second beside it, and the switch."""
    (first, page), *others = pages.items()
    if not others:
        return page
    ((second, other),) = others
    bodies = {first: _body(page), second: _renamed(_SCRIPT.sub("", _body(other)), second)}
    titles = {own: _title(pages[own]) for own in pages}
    switch = "".join(
        f'<input type="radio" name="language" id="language-{own}"{" checked" if own == first else ""}>'
        f'<label for="language-{own}" lang="{CODES[own]}">{NAMES[own]}</label>'
        for own in pages
    )
    skips = "".join(
        f'<span class="in-{own}" lang="{CODES[own]}">{_match(_SKIP, bodies[own])[0]}</span>' for own in pages
    )
    parts = "".join(
        f'<div class="in-{own}" lang="{CODES[own]}" data-title="{titles[own]}">\n{_SKIP.sub("", bodies[own])}</div>\n'
        for own in pages
    )
    head = f'<form><fieldset class="languages"><legend>Language / 语言</legend>{switch}</fieldset></form>'
    body = f"<header>{skips}{head}</header>\n{parts}<script>{_template('languages.js')}</script>\n"
    style = _match(_STYLE, other)[1] + _template("languages.css")  # that of Chinese holds the other
    page = page.replace(_match(_STYLE, page)[1], style, 1)
    page = page.replace(_match(_TITLE, page)[0], f"<title>{titles[first]} · {titles[second]}</title>", 1)
    return page.replace(_match(_BODY, page)[0], f"<body>\n{body}</body>", 1)


def _template(name: str) -> str:
    return (files("bayes_npp.reporting") / "templates" / name).read_text(encoding="utf-8")


def _renamed(body: str, language: str) -> str:
    """Names of places that no other on the page has."""
    return _TAG.sub(lambda tag: _NAMED.sub(lambda found: f"{found[1]}{language}-", tag[0]), body)


def _body(page: str) -> str:
    return _match(_BODY, page)[1]


def _title(page: str) -> str:
    return _match(_TITLE, page)[1]


def _match(pattern: re.Pattern[str], page: str) -> re.Match[str]:
    found = pattern.search(page)
    assert found is not None
    return found
