"""Printed significance as ranges of a p-value."""

import pytest

from bayes_npp.auditing.significance import parse_significance
from bayes_npp.errors import SpecError


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [
        ("p<0.01", 0, 0.01),
        ("P < .01", 0, 0.01),
        ("p＜1%", 0, 0.01),
        ("p ≤ 0.05", 0, 0.05),
        ("p>0.10", 0.1, 1),
        (">0.1", 0.1, 1),
        ("0.01<p<0.05", 0.01, 0.05),
        ("p=0.03", 0.025, 0.035),
        ("***", 0, 0.01),
        ("**", 0.01, 0.05),
        ("*", 0.05, 0.1),
        ("n.s.", 0.1, 1),
        ("not significant", 0.1, 1),
    ],
)
def test_forms_of_significance(text, lo, hi):
    found = parse_significance(text)
    assert (found.lo, found.hi) == (pytest.approx(lo), pytest.approx(hi))


@pytest.mark.parametrize("text", ["****", "†", "yes", "p<", "p<0", "p<1.5", "0.05<p<0.01", "p~0.1", "p<0.0.1", "0.03"])
def test_unknown_forms_of_significance(text):
    with pytest.raises(SpecError, match="significance"):
        parse_significance(text)
