"""The rule that turns what is known of a claim into a verdict."""

import re

import pytest

from bayes_npp.claims.verdicts import CONTRADICTED, FRAGILE, SUPPORTED, UNDECIDED, Known, verdict


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
