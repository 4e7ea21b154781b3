"""The numbers of benchmarks/instrument_calibration.py: coverage, the Anderson-Rubin test's level, ranks of the truth.

They take an hour to make; what is asserted here is what docs/instrument_calibration.md says. Bands of levels are
four binomial standard errors.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from bayes_npp.bayesian.validation.calibration import RANKED_DRAWS
from tests.bands import miscalibrated

CONTENT = json.loads((Path(__file__).parents[3] / "benchmarks" / "instrument_calibration.json").read_text())
SLOPE = 0.3


def share(world, holds):
    rows = CONTENT["coverage"][world]
    assert len(rows) == 500
    return np.mean([holds(row) for row in rows])


def test_a_posterior_with_a_strong_instrument_covers_as_often_as_it_says():
    assert 0.93 <= share("F about 20", lambda row: row["lo"] <= SLOPE <= row["hi"]) <= 0.97


def test_with_a_weak_instrument_anderson_and_rubin_hold_their_level():
    rejected = share("F about 2", lambda row: row["ar_rejects"])
    assert rejected == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 500))
    assert share("F about 2", lambda row: row["near_prior"]) > 0.9
    assert share("F about 20", lambda row: row["near_prior"]) < 0.2


@pytest.mark.parametrize("model", CONTENT["ranks"])
def test_ranks_of_the_truth_are_uniform(model):
    ranks = {name: np.array(own) for name, own in CONTENT["ranks"][model]["ranks"].items()}
    assert "log likelihood" in ranks
    assert {len(own) for own in ranks.values()} == {len(ranks["log likelihood"])}
    assert miscalibrated(ranks, RANKED_DRAWS) == {}
