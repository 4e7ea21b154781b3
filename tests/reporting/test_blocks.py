"""A page of every kind of block in HTML and Markdown: nothing is lost, nothing of a file is markup."""

from html import escape
from typing import get_args

import pandas as pd
import pytest

from bayes_npp.reporting.base.blocks import (
    Art,
    Beside,
    Block,
    Bullets,
    Cards,
    Cell,
    Details,
    Figure,
    Finding,
    Findings,
    Heading,
    Lead,
    Page,
    Paragraph,
    Part,
    Sides,
    Widget,
)
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.figures.drawing import draw_page, new_figure

NASTY = "<script>alert(1)</script>"
DATA = pd.DataFrame({"x": [1.0, 2.0]})


def a_figure(name="drawn", text=""):
    def draw():
        figure, axes = new_figure(2, 1)
        axes.plot(DATA["x"])
        axes.set_title(text)
        return figure

    return Figure(name, f"title of a figure{text}", f"caption of a figure{text}", DATA, draw)


def page_of(*blocks, heading="A part"):
    return Page("A page", "Below its title.", (Part(heading, blocks),))


def every_block(text=""):
    table = Table(
        "folded", f"a folded table{text}", pd.DataFrame({f"column{text}": [f"cell{text}"]}), (f"a note{text}",)
    )
    return (
        Heading(f"a heading{text}"),
        Paragraph(f"a paragraph{text}"),
        Bullets((f"one item{text}", f"another item{text}")),
        Sides(((f"left{text}", f"text on the left{text}"), (f"right{text}", f"text on the right{text}"))),
        Findings(
            f"what it is about{text}", (Finding("result", f"a result{text}"), Finding("warning", f"beware{text}"))
        ),
        a_figure(text=text),
        Table("plain", f"a plain table{text}", pd.DataFrame({"of": [f"a cell{text}"]})),
        Details(f"a summary{text}", (table,)),
        Lead(
            f"the answer{text}",
            (("supported", 2), ("undecided", 0)),
            f"counted{text}",
            ((f"warned{text}", (f"once{text}",)),),
        ),
        Cards(
            "rows",
            f"a caption of cards{text}",
            ((f"first{text}", ""), (f"second{text}", f"small{text}")),
            (
                ("", (Cell(f"a group of rows{text}"),)),
                ("", (Cell(f"a claim{text}"), Cell(f"its verdict{text}", (f"because{text}",), mark="verdict"))),
            ),
            (50, 50),
            (f"a note of cards{text}",),
        ),
        Art(f"a drawing{text}", f"caption of a drawing{text}", "<svg></svg>"),
        Beside((Paragraph(f"in a column{text}"),), (Paragraph(f"on the right{text}"),)),
        Widget("own", f"<p>{escape(f'to try{text}')}</p>", Table("own", f"what was computed{text}", DATA)),
    )


def test_every_kind_is_rendered_in_both(tmp_path):
    blocks = every_block()
    assert {type(block) for block in blocks} == set(get_args(Block.__value__))
    page = page_of(*blocks)
    for text in render_page(page, draw_page(page, tmp_path)):
        places = [text.index(words) for words in (
            "A page", "Below its title.", "A part", "a heading", "a paragraph", "one item", "another item",
            "text on the left", "text on the right", "what it is about", "a result", "Warning.", "beware",
            "caption of a figure", "a plain table", "a cell", "a summary", "a folded table", "the answer", "counted",
            "warned", "once", "a group of rows", "a claim", "its verdict", "because",
            "a note of cards",
        )]  # fmt: skip
        assert places == sorted(places)


def test_names_of_files_are_those_of_the_blocks(tmp_path):
    page = page_of(*every_block())
    assert list(page.tables) == ["plain", "folded", "own"]
    drawings = draw_page(page, tmp_path)
    assert list(drawings) == ["drawn"]
    assert {path.name for path in tmp_path.iterdir()} == {"drawn.png", "drawn.svg", "drawn.csv"}
    assert "<text" in (tmp_path / "drawn.svg").read_text(encoding="utf-8")  # real text, not outlines
    html, markdown = render_page(page, drawings)
    assert drawings["drawn"] in html
    assert "](figures/drawn.png)" in markdown


def test_what_a_file_says_is_escaped(tmp_path):
    page = page_of(*every_block(NASTY), heading=NASTY)
    html, _ = render_page(page, draw_page(page, tmp_path))
    assert NASTY not in html
    assert html.count("&lt;script&gt;") >= 20


def test_code_and_folds():
    html, markdown = render_page(page_of(Paragraph("See `a<b.csv` now.", note=True)), {})
    assert '<p class="note">See <code>a&lt;b.csv</code> now.</p>' in html
    assert "See `a<b.csv` now." in markdown
    table = Table("t", "Folded", DATA)
    html, markdown = render_page(page_of(Details("Unfold me", (table, Details("And me", (table,))))), {})
    assert html.count("<details>") == html.count("</details>") == 2
    assert html.count("<caption>Folded") == 2
    assert "- Unfold me [Folded](tables/t.csv) [Folded](tables/t.csv)" in markdown  # folded: Markdown links the file


def test_a_part_without_heading_and_levels():
    html, markdown = render_page(page_of(Heading("of a part", level=2), Heading("below"), heading=""), {})
    assert "<h2>of a part</h2>" in html
    assert "<h3>below</h3>" in html
    assert "\n## of a part\n\n### below\n" in markdown
    assert "<h2></h2>" not in html


@pytest.mark.parametrize("blocks", [(Bullets(("a", "b")),), (Findings("", (Finding("failure", "a"),)),)])
def test_markdown_has_no_heaps_of_blank_lines(blocks):
    _, markdown = render_page(page_of(*blocks, *blocks), {})
    assert "\n\n\n" not in markdown
    assert markdown.endswith("\n")
    assert "- " in markdown
