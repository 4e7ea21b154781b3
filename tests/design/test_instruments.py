"""`design.instruments`: which columns may be instruments, in one message each."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.instruments import check_instrument_names, check_not_blank, of_instrument
from bayes_npp.errors import DesignError, SpecError

SPEC = bn.Spec(outcome="y", exposure="x", controls=("c",))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ((), "no instrument"),
        (("c",), "instrument 'c' is a regressor"),
        (("x",), "instrument 'x' is a regressor"),
        (("y",), "instrument 'y' is the outcome"),
        (("z", "w", "z"), "instrument 'z' is named twice"),
    ],
)
def test_names(names, problem):
    with pytest.raises(SpecError, match=problem):
        check_instrument_names(SPEC, names)


def test_blank_in_the_window_is_blank():
    frame = pd.DataFrame({"unit": [1, 1, 2, 2], "time": [1, 2, 1, 2], "z": [1.0, np.nan, 2.0, np.nan]})
    panel = bn.read_panel(frame, unit="unit", time="time", window=(2, 2))
    with pytest.raises(DesignError, match="instrument 'z' is blank in every row"):
        check_not_blank(panel, ["z"])
    check_not_blank(bn.read_panel(frame, unit="unit", time="time"), ["z"])


def test_errors_of_other_columns_stay_as_they_are():
    other = DesignError("'c' does not vary once the effects are removed")
    assert of_instrument(other, ["z"], "here") is other
    own = of_instrument(DesignError("'z' is a linear combination of c and the effects"), ["z"], "here")
    assert own.problem == "instrument 'z' is a linear combination of c and the effects"
    assert "adds nothing" in own.fix
