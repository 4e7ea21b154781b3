"""Propositions, verdicts and declared claims: parsing, the rule, bad input."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayes_npp.claims.verdicts import CONTRADICTED, FRAGILE, SUPPORTED, UNDECIDED, Known, verdict
from bayes_npp.design.propositions import QUANTITIES, Proposition, Quantity, parse_proposition
from bayes_npp.errors import SpecError
from bayes_npp.study.claims import Claim, ClaimRules

LABELS = (
    st.text(st.characters(whitelist_categories=("L", "N"), whitelist_characters=" -"), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)


@st.composite
def quantities(draw, names=tuple(QUANTITIES)):
    name = draw(st.sampled_from(names))
    fewest, most = QUANTITIES[name]
    return Quantity(name, tuple(draw(LABELS) for _ in range(draw(st.integers(fewest, most)))))


@given(quantities(), st.sampled_from([1, -1]), st.floats(-1e6, 1e6))
def test_what_is_written_is_read_back(left, sign, number):
    written = Proposition(left, sign, float(f"{number:g}"))
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
    ("changes", "name", "reason"),
    [
        ({}, SUPPORTED, "probability 0.970, at least 0.95"),
        ({"probability": 0.95}, SUPPORTED, "at least 0.95"),
        ({"probability": 1.0}, SUPPORTED, "probability > 0.999, at least"),
        ({"probability": 0.9496}, UNDECIDED, "probability 0.9496, between"),
        ({"probability": 0.949}, UNDECIDED, "between 0.05 and 0.95"),
        ({"probability": 0.05}, CONTRADICTED, "at most 0.05"),
        ({"sampled": False}, UNDECIDED, "sampler failed"),
        ({"errors_fit": False}, FRAGILE, "its error model fails"),
        ({"lowest": (("priors", "sceptical priors", 0.8),)}, FRAGILE, r"fragile to priors \(0.800: sceptical priors\)"),
        ({"lowest": (("priors", "sceptical priors", 0.96),)}, SUPPORTED, "at least 0.95"),
        ({"unanswered": 2}, FRAGILE, "under 2 of its variants the sampler failed"),
        ({"conflict": "exposure"}, FRAGILE, "prior of exposure, in conflict"),
        ({"factor": 0.3}, SUPPORTED, "at least 0.95"),
        ({"factor": 0.34}, UNDECIDED, "that slopes differ at all is not established"),
        ({"factor": 0.3, "probability": 0.01}, CONTRADICTED, "at most 0.05"),
    ],
)
def test_the_rule(changes, name, reason):
    found = verdict(Known(**{"probability": 0.97, "sampled": True, "errors_fit": True, **changes}))
    assert found.name == name
    assert re.search(reason, "; ".join(found.because))


def test_thresholds_that_contradict_each_other():
    with pytest.raises(SpecError, match="thresholds contradict each other"):
        ClaimRules(support=0.8, contradict=0.9)
    with pytest.raises(SpecError, match="support"):
        ClaimRules(support=1.5)
    own = verdict(Known(0.85, True, True), support=0.8, contradict=0.1)
    assert own.name == SUPPORTED


def test_bad_claims():
    given_ = {"id": "H1", "text": "x raises y", "model": "m"}
    with pytest.raises(SpecError, match="is no proposition"):
        Claim(**given_, proposition="x raises y")
    with pytest.raises(SpecError, match="positive sizes"):
        Claim(**given_, proposition="average_slope > 0", effects=(0.1, 0.0))
    with pytest.raises(SpecError, match="equivalence"):
        Claim(**given_, proposition="average_slope > 0", equivalence=-1.0)
