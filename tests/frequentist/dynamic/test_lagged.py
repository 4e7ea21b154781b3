"""The design of a regression on lags: by time, rows without one counted."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.dynamic.lagged import lagged_design


def test_lags_are_by_time():
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"unit": np.repeat(list("abc"), 5), "year": np.tile([1, 2, 3, 5, 6], 3)})
    frame = frame.assign(y=random.normal(size=15), x=random.normal(size=15))
    panel = bn.read_panel(frame, unit="unit", time="year")
    design = lagged_design(panel, "y", ["L1.y", "x"])
    np.testing.assert_array_equal(design.exposure[:3], frame["y"].iloc[[0, 1, 3]])
    np.testing.assert_array_equal(design.outcome[:3], frame["y"].iloc[[1, 2, 4]])
    assert str(design.left_out) == "6 of 15 rows left out: 6 without a lag or lead"
    with pytest.raises(SpecError, match="no lag of 'y'"):
        lagged_design(panel, "y", ["x"])
