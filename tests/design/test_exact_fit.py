"""An outcome that regressors and effects reproduce has no errors to estimate."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.exact_fit import check_not_exact
from bayes_npp.errors import DesignError


@pytest.mark.parametrize("slopes", [None, "group"])
def test_an_outcome_made_of_the_regressors_is_refused(slopes):
    random = np.random.default_rng(2)
    unit, time = np.repeat(np.arange(6), 8), np.tile(np.arange(8), 6)
    x = random.normal(size=48)
    slope = 0.5 * (1 + (unit % 2) * (slopes is not None))
    y = random.normal(size=6)[unit] + random.normal(size=8)[time] + slope * x
    frame = pd.DataFrame({"unit": unit, "time": time, "x": x, "y": y, "group": np.where(unit % 2, "odd", "even")})
    spec = bn.Spec(outcome="y", exposure="x", slopes=slopes)
    with pytest.raises(DesignError, match="reproduce 'y' exactly"):
        check_not_exact(build_design(bn.read_panel(frame, unit="unit", time="time"), spec), "panel")
    frame["y"] += 0.01 * random.normal(size=48)
    check_not_exact(build_design(bn.read_panel(frame, unit="unit", time="time"), spec), "panel")
