"""Check the built site: every link and anchor is there, and no page loads anything from elsewhere.

Run as `python tools/check_site.py FOLDER`; `problems` is what it prints, one line each.
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {  # attributes whose target a browser fetches by itself
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
    "embed": "src", "object": "data", "use": "href", "image": "href",
}  # fmt: skip
LINKS_LOADED = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest", "prefetch", "dns-prefetch"}


class _Page(HTMLParser):
    """Anchors of a page, targets of its links, what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and LINKS_LOADED & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))
        if LOADED.get(tag) in given:
            self.loaded.append(given[LOADED[tag]])


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _missing(target: str, page: Path) -> str:
    """What is wrong with a target of a page, empty if nothing is."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return ""
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if path.is_dir():
        path /= "index.html"
    if not path.exists():
        return "no such file"
    if parts.fragment and path.suffix == ".html" and unquote(parts.fragment) not in _read(path).anchors | {"__top"}:
        return "no such anchor"
    return ""


def problems(folder: Path) -> list[str]:
    """Broken links and resources from elsewhere, one line each.

    Parameters
    ----------
    folder : Path
        Of the built site.

    Returns
    -------
    list of str
        Page, target and what is wrong with it; empty if the site is whole and can be read without a network.
    """
    found = []
    for path in sorted(folder.resolve().rglob("*.html")):
        if path.name == "404.html":  # a server's page: its links start at the server's root
            continue
        page = _read(path)
        wrong = [(target, _missing(target, path)) for target in [*page.links, *page.loaded]]
        wrong += [(target, "loaded from elsewhere") for target in page.loaded if urlsplit(target).netloc]
        found += [f"{path.relative_to(folder.resolve())}: {target}: {why}" for target, why in wrong if why]
    for path in sorted(folder.resolve().rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or '@import "http' in text:
            found.append(f"{path.relative_to(folder.resolve())}: a style sheet loads from elsewhere")
    return found


if __name__ == "__main__":
    site = Path(sys.argv[1])
    lines = problems(site)
    print("\n".join(lines) if lines else f"{len(list(site.rglob('*.html')))} pages: every link and anchor is there")
    sys.exit(bool(lines))
