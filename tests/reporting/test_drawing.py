"""Figures (`figures.drawing`): a font for Chinese labels is found, or one line says which to install; no boxes."""

import logging
import re

import matplotlib.font_manager
import pandas as pd
import pytest

from bayes_npp.reporting.figures import drawing


@pytest.fixture
def clear():
    own = (drawing.fonts, drawing.drawable, drawing.say_missing)
    for one in own:
        one.cache_clear()
    yield
    for one in own:
        one.cache_clear()


def drawn(folder, title):
    figure, axes = drawing.new_figure(3, 2)
    axes.set_title(title)
    axes.set_yticks([0, 1], labels=[title, f"{title} 2"])
    axes.plot([0], [0], label=title)
    drawing.legend_below(figure, axes)
    drawing.save_figure(figure, pd.DataFrame({"a": [1]}), folder / "figure")
    texts = [*axes.get_yticklabels(), *figure.legends[0].get_texts()]
    assert [text.get_text() for text in texts] == [axes.get_title(), f"{axes.get_title()} 2", axes.get_title()]
    return axes.get_title()


def test_without_a_font_one_line_says_which_to_install(clear, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(drawing, "CJK_FONTS", ("A font that nobody has",))
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", list)
    with caplog.at_level(logging.WARNING):
        assert drawn(tmp_path, "广东 − β 1") == "?? − β 1"
        assert drawn(tmp_path, "浙江") == "??"
    (record,) = caplog.records
    assert "install Noto Sans CJK" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_what_the_fonts_have_is_drawn_as_it_is(clear, tmp_path, caplog):
    assert drawn(tmp_path, "East − β ≥ 1") == "East − β ≥ 1"
    assert not caplog.records


def test_a_font_newer_than_the_list_of_fonts_is_found(clear, monkeypatch):
    asked = []
    monkeypatch.setattr(drawing, "CJK_FONTS", ("A font that nobody has",))
    monkeypatch.setattr(
        matplotlib.font_manager, "findSystemFonts", lambda: ["/x/NotoSansCJK-Regular.ttc", "/x/Other.ttf"]
    )
    monkeypatch.setattr(matplotlib.font_manager.fontManager, "addfont", asked.append)
    assert drawing.fonts() == ("DejaVu Sans",)
    assert asked == ["/x/NotoSansCJK-Regular.ttc"]


def test_shapes_of_one_style_say_it_once(tmp_path):
    figure, axes = drawing.new_figure(3, 2)
    axes.vlines(range(7), 0, 1, color="#c8553d", linewidth=1.234)
    axes.plot(range(5), range(5), "o", color="#1d4e89")
    svg = drawing.save_figure(figure, pd.DataFrame({"at": [1, 1], "what": ["=1+1", "b"]}), tmp_path / "some")
    assert svg.count("stroke-width:1.23") == 1
    style = svg.index("stroke-width:1.23")
    assert svg[style : svg.index("</g>", style)].count("<path") == 7
    before = (tmp_path / "some.svg").read_text(encoding="utf-8")
    assert svg.count("<path") == before.count("<path")
    assert svg.count("<use") == before.count("<use")
    assert svg.count("<g") == svg.count("</g>")
    ids = set(re.findall(r'id="([^"]+)"', svg))
    assert len({name.split("-")[0] for name in ids}) == 1
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) <= ids
    rows = pd.read_csv(tmp_path / "some.csv")
    assert rows["key"].tolist() == ["1", "1#2"]
    assert rows["what"].tolist() == ["'=1+1", "b"]


def test_texts_keep_every_digit_and_places_lose_theirs(tmp_path):
    figure, axes = drawing.new_figure(3, 2)
    axes.plot([0, 1], [0.0125, 0.12345])
    axes.set_yticks([0.0125, 0.125])
    axes.set_title("p = 0.0251:  a; b > c")
    table = pd.DataFrame({"at": [1]})
    svg = drawing.save_figure(figure, table, tmp_path / "one")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"0.0125", "0.1250", "p = 0.0251:  a; b &gt; c"} <= set(texts)
    assert re.findall(r' [dxy]="[^"]*\d\.\d\d', svg) == []
    other = drawing.save_figure(figure, table, tmp_path / "two")
    assert not set(re.findall(r'id="([^"]+)"', svg)) & set(re.findall(r'id="([^"]+)"', other))
