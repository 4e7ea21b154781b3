"""Long-run effects of printed dynamic models."""

import numpy as np
import pytest

import bayes_npp as bn
from tests.auditing.published import table


def test_a_long_run_by_the_covariance_matrix():
    rows = [
        {"estimate": "0.400", "se": "0.10000000", "term": "x"},
        {"estimate": "0.500", "se": "0.05000000", "term": "L.y"},
        {"estimate": "0.100", "se": "0.02000000", "term": "L2.y"},
    ]
    (own,) = bn.audit(table(*rows)).long_runs
    assert own.long_run == pytest.approx(1.0)
    gradient = np.array([1, 1, 1]) / 0.4
    errors = np.array([0.1, 0.05, 0.02])
    assert own.se.hi == pytest.approx((gradient * errors).sum(), rel=1e-5)
    assert own.se.lo == pytest.approx((0.1 - 0.05 - 0.02) / 0.4, rel=1e-4)
    assert own.se_uncorrelated.lo == pytest.approx(np.linalg.norm(gradient * errors), rel=1e-5)
    # Random correlations never leave the range.
    rng = np.random.default_rng(2)
    for _ in range(200):
        factor = rng.normal(size=(3, 3))
        covariance = factor @ factor.T
        scale = errors / np.sqrt(np.diag(covariance))
        se = np.sqrt(gradient @ (covariance * np.outer(scale, scale)) @ gradient)
        assert own.se.lo <= se * (1 + 1e-5)
        assert se <= own.se.hi * (1 + 1e-5)


@pytest.mark.parametrize(
    ("lag", "reason"), [("1.02", "no steady state"), ("", "the coefficient of the lag is not printed")]
)
def test_no_long_run_says_why(lag, reason):
    rows = [{"estimate": "0.4", "term": "x"}, {"estimate": lag, "term": "L1.y"}]
    found = bn.audit(table(*rows))
    assert reason in found.long_runs[0].reason
    assert any(reason in s.text for s in found.sentences)
