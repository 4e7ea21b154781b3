"""The bands miss once in 10,000, by distribution functions; and they are not wide without need."""

import numpy as np
import pytest
from scipy import stats

from tests.bands import MISS, miscalibrated, normal_band, share_band


@pytest.mark.parametrize("comparisons", [1, 20])
def test_a_right_program_leaves_the_bands_once_in_ten_thousand(comparisons):
    assert 1 - (1 - 2 * stats.norm.sf(normal_band(comparisons))) ** comparisons == pytest.approx(MISS, rel=1e-3)
    for n, share in ((200, 0.95), (1000, 0.05), (40, 0.95)):
        lo, hi = (round(n * end) for end in share_band(n, share, comparisons))
        outside = stats.binom.cdf(lo - 1, n, share) + stats.binom.sf(hi, n, share)
        assert comparisons * outside <= MISS
        narrower = stats.binom.cdf(lo, n, share)
        assert comparisons * narrower > MISS / 2


def test_ranks_that_are_not_uniform_are_found():
    random = np.random.default_rng(5)
    fair = {f"fair {i}": random.integers(0, 200, 200) for i in range(30)}
    narrow = {"narrow": np.clip(np.rint(random.normal(100, 30, 200)), 0, 199)}
    shifted = {"shifted": np.minimum(random.integers(0, 200, 200), random.integers(0, 200, 200))}
    assert miscalibrated(fair, 199) == {}
    assert set(miscalibrated(fair | narrow | shifted, 199)) == {"narrow", "shifted"}
