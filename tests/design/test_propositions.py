"""Propositions, verdicts and declared claims: parsing, the rule, bad input."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayes_npp.design.propositions import QUANTITIES, Proposition, Quantity, parse_proposition
from bayes_npp.errors import SpecError
from bayes_npp.panels.labels import clean

LABELS = (
    st.text(st.characters(whitelist_categories=("L", "N"), whitelist_characters=" -,[]\"'<>"), min_size=1, max_size=12)
    .map(clean)  # a label has the form that the panel's labels have
    .filter(bool)
)


@st.composite
def quantities(draw, names=tuple(QUANTITIES)):
    name = draw(st.sampled_from(names))
    fewest, most = QUANTITIES[name]
    return Quantity(name, tuple(draw(LABELS) for _ in range(draw(st.integers(fewest, most)))))


@given(quantities(), st.sampled_from([1, -1]), st.floats(-1e6, 1e6))
def test_what_is_written_is_read_back(left, sign, number):
    written = Proposition(left, sign, number)
    assert parse_proposition(str(written)) == written


@given(quantities(("slope", "average_slope")), quantities(("slope", "mean_group_slope")))
def test_differences_are_read_back(left, right):
    written = Proposition(left, 1, right)
    if left != right:
        assert parse_proposition(str(written)) == written
        assert written.is_difference


@given(st.text(max_size=40))
def test_any_text_is_a_proposition_or_one_named_error(text):
    with contextlib.suppress(SpecError):
        assert parse_proposition(text).left.name in QUANTITIES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("average_slope", "is no proposition"),
        ("average_slop > 0", "unknown quantity 'average_slop'"),
        ("average_slope[East] > 0", "takes no label"),
        ("indirect > 0", "takes 1 to 2 labels"),
        ("slope[East] > slope[East]", "with itself"),
        ("slope[East] > indirect[m]", "a slope with a path"),
        ("average_slope > nan", "compares with nan"),
        ("average_slope > inf", "compares with inf"),
        ("__import__('os') > 0", "is no proposition"),
        ("slope[] > 0", "takes 0 to 1 label"),
    ],
)
def test_bad_propositions(text, message):
    with pytest.raises(SpecError, match=message):
        parse_proposition(text)


@pytest.mark.parametrize(
    "written",
    [
        "\uff25ast",  # full width
        "Ea\u200bst",  # zero width
        " East\u00a0",  # a space that does not break
        '" East "',
        "'East\ufeff'",
    ],
)
def test_labels_have_the_form_of_the_panels(written):
    """Before: a label copied from a page named a group that "does not exist"."""
    assert parse_proposition(f"slope[{written}] > slope[West]").left == Quantity("slope", ("East",))
    assert parse_proposition(f"indirect[m, {written}] > 0").left == Quantity("indirect", ("m", "East"))


def test_a_composed_letter_is_one_letter():
    assert parse_proposition("slope[Cote\u0301] > 0") == parse_proposition("slope[Cot\u00e9] > 0")


def test_a_label_of_nothing_but_zero_width_is_none():
    with pytest.raises(SpecError, match="0 to 1 labels"):
        parse_proposition("slope[\u200b] > 0")
