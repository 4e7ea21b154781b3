"""Printed numbers: every way in which journals print them gives the plain decimal, or one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayes_npp.errors import SpecError
from bayes_npp.study.numerals import decimal_signs, read_numeral

POINT, COMMA, BOTH, NEITHER = frozenset("."), frozenset(","), frozenset(".,"), frozenset()


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("0.042", "0.042"),
        ("\u22120.042", "-0.042"),
        (" \u2013 .5", "-.5"),
        ("(0.083)", "0.083"),
        ("(\u22122.31)**", "-2.31"),
        ("[2.31]", "2.31"),
        ("<0.001", "<0.001"),
        ("p < .001", "<.001"),
        ("\u2265 0.1", ">0.1"),
        ("0.042***", "0.042"),
        ("0.042\u2020", "0.042"),
        ("0.042 \u2021", "0.042"),
        ("1,240.5", "1240.5"),
        ("1\u2009240.5", "1240.5"),
        ("1,234,567", "1234567"),
        ("0\u00b742", "0.42"),
        ("0,042", "0.042"),
        ("12,5", "12.5"),
        ("1.234,5", "1234.5"),
        ("1.2E\u221205", "1.2E-05"),
        ("\uff11\uff0e\uff15", "1.5"),
        ("\u2014", ""),
        ("n/a", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("signs", [POINT, COMMA, BOTH, NEITHER], ids=["point", "comma", "both", "neither"])
def test_what_leaves_no_doubt_is_read_whatever_stands_beside_it(cell, plain, signs):
    assert str(read_numeral(cell, signs)) == plain


def test_thousands_or_decimals_is_decided_by_the_table_or_refused():
    assert str(read_numeral("1,234", POINT)) == "1234"
    assert str(read_numeral("1,234", COMMA)) == "1.234"
    assert str(read_numeral("1.234", POINT)) == "1.234"
    for cell, signs in (("1,234", BOTH), ("1,234", NEITHER), ("1.234", COMMA), ("1.234", BOTH)):
        with pytest.raises(SpecError, match=r"may be 1234 or 1\.234"):
            read_numeral(cell, signs)


@pytest.mark.parametrize("cell", ["0.04\u00b2", "12%", "0.04a", "1,2,3", "(0.08", "*", "<", "nan", "inf", "0x1", "1_0"])
def test_what_is_no_number_is_refused(cell):
    with pytest.raises(SpecError, match="not a finite number"):
        read_numeral(cell)


def test_signs_of_decimals_are_those_of_the_cells_without_doubt():
    assert decimal_signs(["1,234", "1.234", "12", "", "x"]) == NEITHER
    assert decimal_signs(["0.5", "1,234"]) == POINT
    assert decimal_signs(["0,5", "1,234"]) == COMMA
    assert decimal_signs(["(1,240.5)", "<0,001"]) == BOTH


@given(st.floats(-1e7, 1e7), st.integers(0, 5), st.sampled_from(["point", "comma"]), st.booleans())
def test_a_number_in_any_notation_is_itself(value, digits, notation, grouped):
    text = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
    printed = text.translate(str.maketrans(",.-", ".,\u2212")) if notation == "comma" else text
    signs = COMMA if notation == "comma" else POINT
    try:
        found = read_numeral(f"({printed})*", signs)
    except SpecError as error:  # 1.234 beside decimal commas
        assert "may be" in str(error)  # noqa: PT017
        return
    assert found.text == text.replace(",", "")
    assert found.marks == "*"
