"""The rule that turns what is known of a claim into a verdict: both tables, line by line, and as a whole."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_npp.claims.verdicts import (
    ANSWER_TABLE,
    CONTRADICTED,
    FIRM,
    NEGLIGIBLE,
    NOT_COUNTED,
    SUPPORTED,
    UNANSWERED,
    UNDECIDED,
    VERDICT_TABLE,
    VERDICTS,
    Known,
    Seen,
    Variant,
    answer,
    answer_line,
    fragile,
    rule_in_words,
    verdict,
)

checked = settings(max_examples=700, deadline=None, derandomize=True)
GOOD = Seen(0.99)


def under(kind, name, probability, **changes):
    declared = kind in ("specification", "errors")
    return Variant(kind, name, Seen(probability, **changes), opposes=declared)


@pytest.mark.parametrize(
    ("seen", "name", "line"),
    [
        (Seen(0.99, counted=False), NOT_COUNTED, 1),
        (Seen(0.99, answered=False), UNANSWERED, 2),
        (Seen(np.nan), UNANSWERED, 2),
        (Seen(0.99, within=0.975), NEGLIGIBLE, 3),
        (Seen(0.01, within=0.98), NEGLIGIBLE, 3),
        (Seen(0.99, within=0.974), SUPPORTED, 5),
        (Seen(0.025), CONTRADICTED, 4),
        (Seen(0.01, differ=False), CONTRADICTED, 4),
        (Seen(0.975), SUPPORTED, 5),
        (Seen(0.99, differ=True), SUPPORTED, 5),
        (Seen(0.99, differ=False), UNDECIDED, 6),
        (Seen(0.9749), UNDECIDED, 6),
        (Seen(0.0251), UNDECIDED, 6),
    ],
)
def test_what_one_fit_answers(seen, name, line):
    assert (answer(seen), answer_line(seen)) == (name, line)


@pytest.mark.parametrize(
    ("changes", "name", "line", "reason"),
    [
        ({}, SUPPORTED, 4, "probability 0.990, at least 0.975"),
        ({"seen": Seen(1.0)}, SUPPORTED, 4, "probability > 0.999, at least"),
        ({"seen": Seen(0.9746)}, UNDECIDED, 1, "probability 0.9746, between 0.025 and 0.975"),
        ({"seen": Seen(0.01)}, CONTRADICTED, 4, "at most 0.025"),
        ({"seen": Seen(0.6, within=0.99)}, NEGLIGIBLE, 4, "probability 0.990 it differs.*probability 0.600"),
        ({"seen": Seen(0.99, answered=False)}, UNDECIDED, 1, "sampler failed"),
        ({"seen": Seen(0.99, differ=False), "factor": 0.34}, UNDECIDED, 1, "factor for equal slopes 0.34: that slopes"),
        ({"errors_fit": False}, fragile(SUPPORTED), 3, "its error model fails"),
        ({"errors_fit": False, "seen": Seen(0.01)}, fragile(CONTRADICTED), 3, "its error model fails"),
        ({"errors_fit": False, "seen": Seen(0.5, 0.99)}, fragile(NEGLIGIBLE), 3, "its error model fails"),
        (
            {"variants": (under("priors", "sceptical priors", 0.8),)},
            fragile(SUPPORTED),
            3,
            r"priors \(0.800: sceptical",
        ),
        ({"variants": (under("priors", "sceptical priors", 0.98),)}, SUPPORTED, 4, "at least"),
        ({"variants": (under("priors", "wide priors", 0.01),)}, fragile(SUPPORTED), 3, "0.010: wide priors"),
        ({"variants": (under("specification", "trends", 0.01),)}, UNDECIDED, 2, "but contradicted by trends"),
        ({"variants": (under("errors", "AR(1)", 0.01),)}, UNDECIDED, 2, "but contradicted by AR"),
        ({"variants": (under("specification", "trends", 0.5),)}, fragile(SUPPORTED), 3, "0.500: trends"),
        ({"variants": (under("specification", "few", np.nan, counted=False),)}, SUPPORTED, 4, "at least"),
        ({"variants": (under("specification", "few", np.nan),)}, fragile(SUPPORTED), 3, "1 of its variants gives no"),
        (
            {"variants": (under("specification", "trends", 0.99, differ=False),)},
            fragile(SUPPORTED),
            3,
            "0.990: trends, where it is not established that slopes differ",
        ),
        (
            {"seen": Seen(0.01), "variants": (under("specification", "trends", 0.2),)},
            fragile(CONTRADICTED),
            3,
            "0.200: trends",
        ),
        (
            {"seen": Seen(0.6, 0.99), "variants": (under("priors", "wide priors", 0.6, within=0.9),)},
            fragile(NEGLIGIBLE),
            3,
            "wide priors: undecided",
        ),
        ({"conflict": "exposure"}, fragile(SUPPORTED), 3, "prior of exposure, in conflict"),
        ({"leads": ("lead",)}, fragile(SUPPORTED), 3, r"interval without zero \(lead\)"),
        ({"weights": "a weight is negative"}, fragile(SUPPORTED), 3, "a weight is negative"),
        ({"factors": (0.01, 0.4), "factor": 0.1}, fragile(SUPPORTED), 3, "runs from 0.01 to 0.4"),
        ({"factors": (0.01, 0.3)}, SUPPORTED, 4, "at least"),
        ({"factors": (0.01, 0.4), "seen": Seen(0.01)}, CONTRADICTED, 4, "at most"),
    ],
)
def test_the_rule(changes, name, line, reason):
    found = verdict(replace(Known(GOOD), **changes))
    assert (found.name, found.line) == (name, line)
    assert found.answer_line == answer_line(changes.get("seen", GOOD))
    assert re.search(reason, "; ".join(found.because))


shares = st.floats(0, 1) | st.sampled_from([0.025, 0.975, np.nan])
seen = st.builds(
    Seen, shares, st.none() | st.floats(0, 1), st.sampled_from([None, True, False]), st.booleans(), st.booleans()
)
variants = st.builds(Variant, st.sampled_from(["priors", "measurement", "specification"]), st.just("v"), seen)
declared = st.builds(Variant, st.sampled_from(["specification", "errors"]), st.just("d"), seen, st.just(True))
known = st.builds(
    Known,
    seen,
    st.lists(variants | declared, max_size=4).map(tuple),
    st.booleans(),
    st.sampled_from(["", "exposure"]),
    st.none() | st.floats(0, 10),
    st.none() | st.tuples(st.floats(0, 0.3), st.floats(0.3, 9)),
    st.sampled_from([(), ("lead",)]),
    st.sampled_from(["", "negative weight"]),
)
bars = st.tuples(st.floats(0.51, 0.999), st.floats(0.001, 0.49))
WEAKNESSES = (
    {"errors_fit": False},
    {"conflict": "exposure"},
    {"factors": (0.01, 5.0)},
    {"leads": ("another lead",)},
    {"weights": "negative weight"},
)


@checked
@given(known, bars)
def test_the_tables_are_total_and_exclusive(case, cuts):
    """Every input has one verdict, that of the first line that holds, and its words name no other."""
    found = verdict(case, *cuts)
    assert found.name in VERDICTS
    assert 1 <= found.line <= len(VERDICT_TABLE)
    assert 1 <= found.answer_line <= len(ANSWER_TABLE)
    assert found.because
    assert all(found.because)
    own = answer(case.seen, *cuts)
    assert ANSWER_TABLE[found.answer_line - 1].then == own
    wanted = {1: UNDECIDED, 2: UNDECIDED, 3: fragile(own), 4: own}
    assert found.name == wanted[found.line]
    assert (found.line == 1) == (own not in FIRM)


@checked
@given(known, bars, st.sampled_from(WEAKNESSES) | (variants | declared))
def test_a_further_weakness_never_makes_a_verdict_firmer(case, cuts, weakness):
    """Firm, fragile, undecided: another thing that can go wrong leads down that row, and to no other answer."""

    def firmness(name):
        return 0 if name == UNDECIDED else 1 if name.endswith("fragile") else 2

    more = (
        replace(case, variants=(*case.variants, weakness))
        if isinstance(weakness, Variant)
        else replace(case, **weakness)
    )
    before, after = verdict(case, *cuts), verdict(more, *cuts)
    assert firmness(after.name) <= firmness(before.name)
    if firmness(after.name):
        assert after.name.removesuffix(" but fragile") == before.name.removesuffix(" but fragile")


@checked
@given(known, bars)
def test_what_weakens_one_answer_weakens_the_others(case, cuts):
    """With the Bayes factor's range aside, a claim and its mirror image are equally firm."""

    def mirrored(one):
        return replace(one, probability=1 - one.probability, differ=None)

    plain = replace(case, factors=None, seen=replace(case.seen, differ=None))
    plain = replace(plain, variants=tuple(replace(v, seen=replace(v.seen, differ=None)) for v in plain.variants))
    mirror = replace(plain, seen=mirrored(plain.seen))
    mirror = replace(mirror, variants=tuple(replace(v, seen=mirrored(v.seen)) for v in mirror.variants))
    support = 0.975
    one, other = verdict(plain, support, 1 - support), verdict(mirror, support, 1 - support)
    near = [v.seen.probability for v in plain.variants] + [plain.seen.probability]
    if min((abs(p - cut) for p in near for cut in (support, 1 - support) if p == p), default=1.0) < 1e-9:
        return  # rounding of 1 - p decides
    assert one.line == other.line
    swapped = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}
    word, *rest = one.name.split(" ")
    assert other.name == " ".join([swapped.get(word, word), *rest])


def test_the_rule_in_words_has_every_line():
    text = rule_in_words(0.9, 0.1)
    for word in ("negligible", "contradicted", "supported", "0.9 or more", "0.1 or less", "fragile", "negative"):
        assert word in text
