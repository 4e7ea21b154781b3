"""Numbers, keys and words of a page: rounding, references, escapes, what no spreadsheet may run.

`base.numbers`, `base.keys`, `base.words`, `base.small` and `tables.account` are tested here.
"""

import pandas as pd
import pytest

from bayes_npp.reporting.base.blocks import Cell
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.keys import harmless, keyed
from bayes_npp.reporting.base.numbers import (
    cell_markup,
    chance,
    decimals_of,
    marked_down,
    markup,
    plain,
    rounded,
    tagged,
)
from bayes_npp.reporting.base.small import axis_range, bars, dots, intervals, lanes, lines, paths, round_ticks, tiles
from bayes_npp.reporting.base.words import counted, errors_word, listed, lower, model_word, unit_word, variable_word

NASTY = "<script>alert('\"1\"')</script>"


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (0.31567, 0.1311, "0.32"),
        (0.00912, 0.0178, "0.009"),
        (-0.31567, 0.0311, "\u22120.316"),
        (-0.0001, 0.13, "0.00"),
        (1234.5, 120.0, "1234"),
        (2.0, 0.0, "2.000"),
        (3e-9, 1e-9, "0.000000"),
    ],
)
def test_two_significant_digits_of_the_spread(value, spread, shown):
    assert rounded(value, spread) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.64625, "0.65"), (0.9479, "0.948"), (0.045, "0.045"), (1.0, "> 0.999"), (0.0, "< 0.001"), (0.9993, "> 0.999")],
)
def test_probabilities(value, shown):
    assert chance(value, (0.95, 0.05)) == shown


def test_a_number_keeps_its_reference():
    text = f"about {tagged('\u22120.3', -0.31, 'estimates.csv:a/b:c/d:estimate')}, not more"
    assert plain(text) == "about \u22120.3, not more"
    assert markup(text) == (
        'about <data value="-0.31" data-ref="estimates.csv:a/b:c/d:estimate">\u22120.3</data>, not more'
    )
    assert markup(decimals_of("p < 0.01", "f.csv:k:c")).count("<data") == 1


def test_what_a_file_says_is_no_markup():
    text = f"{NASTY} \ue000 {tagged('1.0', 1.0, f'f.csv:{NASTY}:c')}"
    shown = markup(text)
    assert "<script" not in shown
    assert "\ue000" not in shown
    assert shown.count('"') == 4
    assert markup("[here](javascript:alert) [x](#a-b) [y](data.csv)").count("<a ") == 2
    assert "<script" not in cell_markup(NASTY, f"tables/{NASTY}.csv:k:c")


def test_a_true_minus():
    assert markup("from -0.3 to -1") == "from \u22120.3 to \u22121"
    assert markup("2014-2022, R-2, 1e-5, `--n -1`").count("\u2212") <= 1
    assert 'value="-0.3 -0.4 0.2"' in cell_markup("-0.3 [-0.4, 0.2]", "t.csv:k:c")
    assert cell_markup("-0.3 [-0.4, 0.2]", "t.csv:k:c").count("\u2212") == 2


def test_keys_are_unique_and_first():
    frame = pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 2, 3]})
    assert keyed(frame, ["a"])["key"].tolist() == ["x", "x#2", "y"]
    assert list(keyed(frame, ["a", "b"])) == ["key", "a", "b"]
    assert list(keyed(frame.head(0), ["a"])) == ["key", "a", "b"]


def test_no_cell_is_a_formula():
    cells = ["=1+1", "+cmd", "-2 + 3", "@x", "-0.3 [-0.4, 0.1]", "+0.2", "plain", "-"]
    shown = harmless(pd.DataFrame({"a": cells}))["a"].tolist()
    assert shown == ["'=1+1", "'+cmd", "'-2 + 3", "'@x", "-0.3 [-0.4, 0.1]", "+0.2", "plain", "'-"]


def test_a_table_escapes_and_refers():
    table = Table("t", NASTY, pd.DataFrame({"name": [NASTY, "=x"], "value": ["0.5 [0.1, 0.9]", "1"]}))
    shown = table.html()
    assert "<script" not in shown
    assert shown.count("data-ref=") == 1
    assert '<data value="0.5 0.1 0.9" data-ref="' in shown
    assert table.keyed()["name"].tolist() == [NASTY, "'=x"]


def test_small_drawings_escape_what_they_say():
    drawn = [
        dots([-1.0, 0.5, 1.0], 0.0, 1, NASTY),
        lanes(0.5, [(NASTY, [0.1, 0.9]), ("none", [])], (0.05, 0.95), NASTY),
        intervals([("a", 0.1, 0.0, 0.2), ("b", 0.1, float("nan"), float("nan"))], (-1, 1), NASTY),
        bars([(NASTY, 0.5), ("\u9752\u6d77" * 20, 0.1)], NASTY),
        tiles([(NASTY, 1, 1, 0.4), ("b", 2, 3, 0.1)], NASTY),
        paths(NASTY, "m" * 60, "y", ("1", "2", "3"), (True, False, True), NASTY),
        lines([(NASTY, [1.0, float("nan"), 2.0, 3.0])], NASTY),
    ]
    for one in drawn:
        assert "<script" not in one
        assert 'role="img"' in one
    assert drawn[0].count("dot for") == 2
    assert drawn[0].count("dot against") == 1
    assert "not varied" in drawn[1]
    assert "hollow" in drawn[2]


def test_axes():
    assert axis_range([0.1, 0.4])[0] < 0 < 0.4 < axis_range([0.1, 0.4])[1]
    assert axis_range([])[0] < axis_range([])[1]
    assert 0.0 in round_ticks(-0.31, 0.62)


def test_words(study):
    assert unit_word(study) == "province"
    assert unit_word(study, plural=True) == "provinces"
    assert variable_word(study, "openness") == "Digital trade openness (e-commerce sales over GDP)"
    assert variable_word(study, "openness", unit=False) == "Digital trade openness"
    assert variable_word(study, "some_column") == "some column"
    assert (
        errors_word(study, "ar1+unit_scale") == "errors persist within a province and each province its own error size"
    )
    assert errors_word(study, "newcomer") == "newcomer"
    assert "+" not in model_word(study, "regions--errors-ar1-unit_scale")
    assert listed(("a", "b", "c")) == "a, b and c"
    assert (counted(1, "fit"), counted(2, "fit")) == ("1 fit", "2 fits")
    assert (lower("Openness"), lower("GDP")) == ("openness", "GDP")
    assert Cell().text == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("<!-- a comment", "&lt;!-- a comment"),
        ("p < 0.001 and a<1", "p < 0.001 and a<1"),
        ("[here](javascript:alert(1))", "[here]\\(javascript:alert(1))"),
        ("`a<b.csv` and <b>", "`a<b.csv` and &lt;b>"),
        ("it`s <b>", "it`s &lt;b>"),
        ("[a file](tables/claims.csv), [a place](#made)", "[a file](tables/claims.csv), [a place](#made)"),
    ],
)
def test_names_open_no_tag_and_no_link_in_markdown(text, shown):
    assert marked_down(text) == shown
