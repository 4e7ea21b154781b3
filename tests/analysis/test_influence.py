"""The record of who decides the slope, on the tiny study."""

import pytest

import bayes_npp as bn
from bayes_npp.analysis.influence import influence
from tests.conftest import TINY


def test_the_record_names_first_units_and_slopes_without_those_that_move_it():
    study = bn.load_study(TINY)
    found = influence(study)
    spec = bn.Spec(outcome=study.roles.outcome, exposure=study.roles.exposure, controls=study.roles.controls)
    assert found.slope == pytest.approx(bn.twfe(study.panel, spec).frame["estimate"].iloc[0], rel=1e-8)
    assert len(found.first) == 5
    assert found.held == pytest.approx(found.frame["share"].head(5).sum())
    most = found.frame.set_index("unit")["change"].abs().idxmax()
    assert found.without[0][0] == most
    rows = found.rows().set_index("unit")
    assert rows.loc["all", "slope_without"] == found.slope
    assert rows.loc[found.without[1][0], "change"] == pytest.approx(found.without[1][1] - found.slope)
    assert len(rows) == len(found.frame) + 2
