"""`claims.exclusion`: claims about slopes under a model with instruments, weights as of its specification."""

import numpy as np
import pytest

from bayes_npp.claims.exclusion import claims_under_exclusion
from bayes_npp.estimates import normal_tail


def test_claims_about_slopes_are_answered_by_hand(tiny_run):
    """Normal tails of w'slopes at every point, weighted; claims about paths, or about other groups, are left out."""
    study, (record,) = tiny_run.study, tiny_run.instrument_posteriors
    found = {own.claim: own for own in claims_under_exclusion(study, (record,))}
    assert found == {own.claim: own for own in tiny_run.excluded}
    for claim in study.claims:
        assert (claim.id in found) == (not claim.parsed.is_mechanism)
    claim = next(own for own in study.claims if str(own.parsed) == "average_slope > 0" or own.parsed.is_difference)
    slopes = record.under_exclusion[0].slopes
    labels = study.sample.design(study.spec(study.model("instrumented"))).groups
    pick = np.eye(len(labels))
    if claim.parsed.is_difference:
        left, right = (labels.index(side.labels[0]) for side in claim.parsed.quantities)
        weights = pick[left] - pick[right]
    else:
        weights = np.full(len(labels), 1 / len(labels))
    mean, sd = slopes.mean @ weights, np.sqrt(np.einsum("g,sgh,h->s", weights, slopes.covariance, weights))
    expected = float(slopes.weights @ normal_tail(claim.parsed.sign * mean / sd))
    assert found[claim.id].probabilities[0] == pytest.approx(expected, rel=1e-9)
    assert found[claim.id].model == "instrumented"
