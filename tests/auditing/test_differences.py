"""Differences between subsamples over every pair of standard errors that print allows."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import bayes_npp as bn
from bayes_npp.auditing.differences import corners
from bayes_npp.auditing.significance import Range
from bayes_npp.errors import SpecError
from bayes_npp.estimates import SMALLEST
from tests.auditing.published import FOUNDING, checked, table

ends = st.tuples(st.one_of(st.just(0.0), st.floats(0.01, 10)), st.one_of(st.just(math.inf), st.floats(0.01, 10)))
ranges = ends.filter(lambda pair: pair[0] <= pair[1]).map(lambda pair: Range(*pair))


@checked
@given(ranges, ranges, st.floats(1, 10), st.floats(0, 1), st.floats(0, 1))
def test_corners_enclose_every_pair_the_cap_allows(first, second, cap, share, other):
    """Any point within both ranges and the cap lies between the corners; the corners themselves satisfy both."""
    found = corners(first, second, cap)
    one_se, two_se = (
        r.lo + s * (min(r.hi, 20.0) - r.lo) for r, s in ((first, share), (second, other)) if r.lo <= min(r.hi, 20.0)
    )
    allowed = one_se <= cap * two_se and two_se <= cap * one_se
    if found is None:
        assert not allowed
        return
    narrow, wide = found
    for pair in (narrow, wide):
        if all(map(math.isfinite, pair)):
            assert pair[0] <= cap * pair[1] * (1 + 1e-9)
            assert pair[1] <= cap * pair[0] * (1 + 1e-9)
    if allowed:
        assert narrow[0] <= one_se * (1 + 1e-9) <= wide[0] * (1 + 1e-8)
        assert narrow[1] <= two_se * (1 + 1e-9) <= wide[1] * (1 + 1e-8)


def test_a_wider_cap_widens_the_range():
    bounds = [bn.audit(FOUNDING, cap=cap).differences[0].probability for cap in (1, 2, 5, 20)]
    assert all(later.lo < earlier.lo for earlier, later in pairwise(bounds))


def test_a_cap_that_print_excludes_is_said():
    rows = [{"estimate": "0.5", "se": "0.010", "sample": "a"}, {"estimate": "0.1", "se": "0.200", "sample": "b"}]
    found = bn.audit(table(*rows), cap=2)
    assert found.differences[0].reading == "excluded"
    assert any("more than the declared 2 times" in s.text for s in found.sentences)


def test_printed_standard_errors_leave_next_to_nothing_open():
    printed = {"a": "0.500", "b": "0.100"}
    rows = [{"estimate": text, "se": "0.10000", "sample": sample} for sample, text in printed.items()]
    found = bn.audit(table(*rows))
    (pair,) = found.differences
    assert pair.reading == "clear"
    assert pair.probability.lo == pytest.approx(stats.norm.cdf(0.4 / math.hypot(0.1, 0.1)), abs=1e-5)
    assert found.curve.empty


def test_nothing_printed_leaves_everything_open():
    rows = [{"estimate": "0.5", "sample": "a"}, {"estimate": "0.1", "sample": "b"}]
    (pair,) = bn.audit(table(*rows)).differences
    assert (pair.probability.lo, pair.probability.hi) == (0.5, 1 - SMALLEST)


def test_which_rows_are_compared():
    rows = [
        {"estimate": "0.5", "sample": "all"},
        {"estimate": "0.4", "sample": "East", "model": "m1"},
        {"estimate": "0.3", "sample": "West", "model": "m1"},
        {"estimate": "0.2", "sample": "East", "model": "m2"},
        {"estimate": "0.1", "sample": "West", "model": "m2"},
        {"estimate": "0.9", "sample": "West", "model": "m2", "term": "z"},
        {"estimate": "0.7", "sample": "old", "claim": "D"},
        {"estimate": "0.6", "sample": "young", "claim": "D"},
    ]
    pairs = [(d.first.estimate, d.second.estimate) for d in bn.audit(table(*rows)).differences]
    assert pairs == [(0.4, 0.3), (0.2, 0.1), (0.7, 0.6)]
    assert len(bn.audit(table(*rows), claims=["D"]).differences) == 1
    with pytest.raises(SpecError, match="'E'"):
        bn.audit(table(*rows), claims=["E"])
