"""How a figure is made and saved: one style, and png, svg and csv written whole."""

import hashlib
import io
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_npp.reporting.base.blocks import Page
from bayes_npp.reporting.base.keys import harmless, keyed
from bayes_npp.reporting.base.shared import Shared
from bayes_npp.reporting.base.wording import Wording, unchanged
from bayes_npp.store import with_ending, write_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CJK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "PingFang SC"),
    *("Source Han Sans SC", "Source Han Sans CN", "Hiragino Sans GB", "Heiti SC", "STHeiti", "Heiti TC", "DengXian"),
    *("Microsoft YaHei", "SimHei", "SimSun", "Arial Unicode MS", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    *("Droid Sans Fallback", "Noto Serif CJK SC", "Songti SC", "AR PL UMing CN", "AR PL UKai CN"),
)
FONT_FILES = re.compile("cjk|notosanssc|sourcehan|pingfang|hiragino|heiti|msyh|simhei|simsun|wqy|uming")
logger = logging.getLogger(__name__)
# Colours of drawings as the page's own, which are others in the dark; white is the page.
THEME = {
    "#ffffff": "var(--bg)",
    "#000000": "var(--ink)",
    "#1c2430": "var(--ink)",
    "#444444": "var(--soft)",
    "#555555": "var(--soft)",
    "#1d4e89": "var(--c1)",
    "#c8553d": "var(--c2)",
    "#2a7f62": "var(--c3)",
    "#8a6d3b": "var(--c4)",
    "#b0b0b0": "var(--c5)",
    "#e3e6ea": "var(--hair)",
    "#dddddd": "var(--hair)",
}
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "bayes_npp",
    "svg.fonttype": "none",  # text stays text
    "figure.dpi": 110,
}
PACKED = 3  # of zlib, for png: two thirds of the time of its default, four per cent more bytes
# Two or more shapes in a row with the same style.
_RUNS = re.compile(
    r'<(?:use|path)(?: (?:[dxy]|href)="[^"]*")+(?P<style>(?: clip-path="[^"]*")? style="[^"]*")/>'
    r'(?:<(?:use|path)(?: (?:[dxy]|href)="[^"]*")+(?P=style)/>)+'
)
_NUMBER = re.compile(r"-?\d+\.\d+")
XLINK = ' xmlns:xlink="http://www.w3.org/1999/xlink"'


def _style() -> Any:
    """The style, with the first font for Chinese names that this machine has behind the default one."""
    return {**STYLE, "font.family": list(fonts())}


@cache
def fonts() -> tuple[str, ...]:
    """The default font and, where there is one, a font of Chinese, Japanese and Korean; new ones are looked for."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    if not set(CJK_FONTS) & set(fontManager.get_font_names()):  # matplotlib's list of fonts may be older than they are
        for path in findSystemFonts():
            if FONT_FILES.search(Path(path).name.lower().replace("-", "")):
                with suppress(RuntimeError, OSError):  # a file that is no font
                    fontManager.addfont(path)
    installed = set(fontManager.get_font_names())
    return ("DejaVu Sans", *[font for font in CJK_FONTS if font in installed][:1])


@cache
def drawable() -> frozenset[int]:
    """Code points that the fonts have."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(code for name in fonts() for code in get_font(findfont(FontProperties(name))).get_charmap())


@cache
def say_missing(sample: str) -> None:
    """One line about characters that no font has."""
    logger.warning(
        "warning: no font for %s: figures show '?' in their place; install Noto Sans CJK (Debian, Ubuntu: apt-get "
        "install fonts-noto-cjk; elsewhere: fonts.google.com/noto) and write the report again",
        sample,
    )


def _reworded(figure: "Figure", change: Callable[[str], str]) -> None:
    """Every text of a figure changed, those of ticks with names included, and in the fonts of the style."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
                axis.set_ticklabels([change(label.get_text()) for label in axis.get_ticklabels()])
    for text in figure.findobj(Text):
        text.set_text(change(text.get_text()))
        # Those of a legend and of ticks are made outside of the style; a font more takes a tenth of all the time.
        text.set_fontfamily(list(fonts()[:1] if text.get_text().isascii() else fonts()))


def _in_words(figure: "Figure", worded: Wording) -> None:
    """Words for names; characters that no font has as question marks, and a line that says which font to install."""
    known = drawable()
    missing: list[str] = []

    def shown(text: str) -> str:
        words = worded(text)
        missing.extend(sign for sign in words if ord(sign) not in known and not sign.isspace())
        return "".join(sign if ord(sign) in known or sign.isspace() else "?" for sign in words)

    _reworded(figure, shown)
    if missing:
        say_missing(next(iter(missing)) if fonts()[1:] else "Chinese, Japanese and Korean")


def new_figure(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple["Figure", Any]:
    """A figure in the package's style, inches wide and high, and its axes, side by side or in rows."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style()):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(rows, columns)


def legend_below(figure: "Figure", axes: Any) -> None:
    """Put the legend of `axes` under the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2), frameon=False, fontsize=8)


def save_figure(figure: "Figure", table: pd.DataFrame, stem: Path, worded: Wording = unchanged) -> str:
    """Write png, svg and csv; return the SVG as text for one-file reports."""
    return write_figure(_finished(figure, worded), table, stem)


def _finished(figure: "Figure", worded: Wording) -> "Figure":
    """The same figure, its texts as they will be written."""
    import matplotlib

    with matplotlib.rc_context(_style()):
        _in_words(figure, worded)
    return figure


def write_figure(figure: "Figure", table: pd.DataFrame, stem: Path) -> str:
    """What `save_figure` writes and returns, of a figure whose texts are words; in whatever process."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)  # which does not travel between processes
    with matplotlib.rc_context(_style()):
        if layout := figure.get_layout_engine():
            layout.execute(figure)
        figure.set_layout_engine(None)  # laid out once: with an engine, even one of nothing, each file is drawn twice
        renderer = canvas.get_renderer()
        box = figure.get_tightbbox(renderer).padded(matplotlib.rcParams["savefig.pad_inches"])
        png, svg = io.BytesIO(), io.StringIO()
        save = partial(figure.savefig, bbox_inches=box)
        save(png, format="png", dpi=160, metadata={"Software": None}, pil_kwargs={"compress_level": PACKED})
        save(svg, format="svg", metadata={"Date": None})
    rows = harmless(keyed(table, [table.columns[0]]))
    contents: dict[str, str | bytes] = {
        "png": png.getvalue(),
        "svg": svg.getvalue(),
        "csv": rows.to_csv(index=False, float_format="%.10g", lineterminator="\n"),
    }
    write_files({with_ending(stem, ending): content for ending, content in contents.items()})
    drawn = svg.getvalue()
    return _of_page(drawn[drawn.index("<svg") :], stem.name)


def _of_page(svg: str, name: str) -> str:
    """A drawing inside the page: colours that follow light and dark, ids that no other drawing has, short markup.

    Text between tags is what readers see and is left as it is.
    """
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg)
    svg = re.sub(r"<[^>]*>", _short_tag, svg)
    svg = re.sub(r'<g id="[^"]*"(/?)>', r"<g\1>", svg)
    while (pruned := re.sub(r"<g/>|<g></g>", "", svg)) != svg:
        svg = pruned
    stem = f"f{hashlib.sha256(name.encode()).hexdigest()[:7]}"
    ids = {found: f"{stem}-{number}" for number, found in enumerate(re.findall(r'id="([^"]+)"', svg))}
    svg = re.sub(r'(id="|href="#|url\(#)([^")]+)', lambda found: found[1] + ids.get(found[2], found[2]), svg)
    return _RUNS.sub(_styled_once, svg)


def _short_tag(found: re.Match[str]) -> str:
    """A tag with the page's colours and fonts, without blanks that mean nothing, places to a tenth of a point."""
    tag = re.sub(r"\s+", " ", found[0]).replace("xlink:href", "href").replace(XLINK, "")
    tag = re.sub(r"(fill|stroke): (#[0-9a-f]{6})", lambda one: f"{one[1]}: {THEME.get(one[2], one[2])}", tag)
    tag = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", tag)
    tag = re.sub(r' style="[^"]*"', lambda one: re.sub(r"([:;]) ", r"\1", one[0]), tag)
    return re.sub(r' [dxy]="[^"]*"', lambda one: _NUMBER.sub(_tenth, one[0]).replace(' "', '"'), tag)


def _tenth(found: re.Match[str]) -> str:
    return f"{round(float(found[0]), 1) + 0.0:.1f}".removesuffix(".0")


def _styled_once(run: re.Match[str]) -> str:
    """Shapes of one style as a group that has it."""
    return f"<g{run['style']}>{run[0].replace(run['style'] + '/>', '/>')}</g>"


def draw_page(page: Page, folder: Path, worded: Wording = unchanged, shared: Shared | None = None) -> dict[str, str]:
    """Draw every figure of a page into a folder, names exchanged for words; return its SVG text by name.

    The files are written by whoever shares the calls, if somebody does.
    """
    shared = shared or Shared(after=None)
    calls = {
        name: shared.give(write_figure, _finished(figure.draw(), worded), figure.data, folder / name)
        for name, figure in page.figures.items()
    }
    # The last ones first: whoever shares takes the first ones, and behind him one would wait for each.
    return {name: calls[name].result for name in reversed(calls)}
