"""How a figure is made and saved: one style, and png, svg and csv written whole."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayes_npp.reporting.base.blocks import Page
from bayes_npp.store import write_text, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei")
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
    "savefig.bbox": "tight",
}


def _style() -> Any:
    """The style, with the first font for Chinese names that this machine has behind the default one."""
    from matplotlib.font_manager import fontManager

    installed = fontManager.get_font_names()
    chinese = [font for font in CJK_FONTS if font in installed][:1]
    return {**STYLE, "font.family": ["DejaVu Sans", *chinese]}


def new_figure(width: float, height: float, columns: int = 1) -> tuple["Figure", Any]:
    """A figure in the package's style, inches wide and high, and its axes side by side."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style()):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(1, columns)


def legend_below(figure: "Figure", axes: Any) -> None:
    """Put the legend of `axes` under the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2), frameon=False, fontsize=8)


def save_figure(figure: "Figure", table: pd.DataFrame, stem: Path) -> str:
    """Write png, svg and csv; return the SVG as text for one-file reports."""
    import matplotlib

    with matplotlib.rc_context(_style()):
        write_whole(stem.with_suffix(".png"), lambda path: figure.savefig(path, dpi=160, metadata={"Software": None}))
        write_whole(stem.with_suffix(".svg"), lambda path: figure.savefig(path, metadata={"Date": None}))
    write_text(stem.with_suffix(".csv"), table.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    svg = stem.with_suffix(".svg").read_text(encoding="utf-8")
    return _of_page(svg[svg.index("<svg") :], stem.name)


def _of_page(svg: str, name: str) -> str:
    """A drawing inside the page: colours that follow light and dark, ids that no other drawing has, short numbers."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"(fill|stroke): (#[0-9a-f]{6})",
        lambda found: f"{found[1]}: {THEME.get(found[2], found[2])}",
        svg,
    )
    svg = re.sub(r"(-?\d+\.\d{2})\d+", r"\1", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)


def draw_page(page: Page, folder: Path) -> dict[str, str]:
    """Draw every figure of a page into a folder; return its SVG text by name."""
    figures = page.figures.items()
    return {name: save_figure(figure.draw(), figure.data, folder / name) for name, figure in figures}
