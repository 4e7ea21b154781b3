"""Dynamic panels that cannot be estimated: one named error each.

Declarations are read by `instruments`.
"""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError

GOOD = {"outcome": "n", "regressors": ["L1.n", "w"], "gmm": [("n", 2, 4)], "iv": ["w"]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gmm": [("m", 2, 4)]}, SpecError, "unknown column 'm' among the gmm instruments"),
        ({"iv": ["v"]}, SpecError, "unknown column 'v' among the iv instruments"),
        ({"regressors": ["L1.n", "q"]}, SpecError, "unknown column 'q' among the regressors"),
        ({"outcome": "nn"}, SpecError, "unknown column 'nn' among the outcome"),
        ({"gmm": [("n", 4, 2)]}, SpecError, "last lag is before the first"),
        ({"gmm": [("n", 2)]}, SpecError, "is not (column, first lag, last lag)"),
        ({"gmm": ["n"]}, SpecError, "is not (column, first lag, last lag)"),
        ({"gmm": [("n", 2, 4, "sideways")]}, SpecError, "unknown equation 'sideways'"),
        ({"iv": [("w", "levels")]}, SpecError, "unknown equation 'levels'"),
        ({"regressors": ["L1.n", "w", "w"]}, SpecError, "stands twice"),
        ({"regressors": ["n", "w"]}, SpecError, "its own regressor"),
        ({"steps": 3}, SpecError, "steps = 3"),
        ({"h": 4}, SpecError, "h = 4"),
        ({"transform": "within"}, SpecError, "unknown transform"),
        ({"time_dummies": "always"}, SpecError, "unknown time_dummies"),
        ({"time_dummies": "level", "transform": "fod"}, SpecError, "belongs to first differences"),
        ({"gmm": [("n", 2, 2)], "collapse": True, "iv": []}, DesignError, "1 instruments for 2 parameters"),
        ({"gmm": [("n", 20, 30)]}, DesignError, "1 instruments for 2 parameters"),
        ({"regressors": ["L1.n", "w", "ind"]}, DesignError, "'ind' does not vary over time"),
        ({"regressors": ["L1.n", "w", "yr1976"]}, DesignError, "'yr1976' does not vary over time"),
        ({"regressors": ["L1.n", "L7.w"], "iv": ["L8.w"]}, DesignError, "no unit has the consecutive complete periods"),
    ],
)
def test_bad_input(abdata, change, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        bn.difference_gmm(abdata, **{**GOOD, **change})


def test_collinear_regressors_are_named(abdata):
    panel = abdata.with_column("w2", 2 * abdata.numbers("w") + 1)
    with pytest.raises(DesignError, match="'w2' is collinear"):
        bn.difference_gmm(panel, **{**GOOD, "regressors": ["L1.n", "w", "w2"]})
    with pytest.raises(DesignError, match="collinear"):
        bn.system_gmm(panel, **{**GOOD, "regressors": ["L1.n", "w", "w2"]})


def test_a_cross_section_has_no_dynamics():
    panel = bn.read_panel(
        pd.DataFrame({"u": list("abc"), "y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0]}), unit="u", time=None
    )
    with pytest.raises(DesignError, match="needs periods"):
        bn.difference_gmm(panel, outcome="y", regressors=["L1.y"], gmm=[("y", 2, None)])
