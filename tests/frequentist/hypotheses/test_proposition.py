"""The test of a proposition about slopes is that of the contrast itself."""

import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.frequentist.hypotheses.proposition import proposition_test, regression_of
from tests.bayesian.sensitivity.test_sensitivity import GROUPED, NORTH, SPEC, panel_of


def judged(panel, spec, proposition):
    return proposition_test(build_design(panel, regression_of(spec, proposition)), proposition)


def test_the_frequentist_test_is_of_the_contrast_itself():
    panel = panel_of(0.4, 0.05)
    rows = bn.twfe(panel, GROUPED).frame.set_index(["estimand", "group"])
    difference = rows.loc[("slope_difference", "north - south")]
    found = judged(panel, GROUPED, NORTH)
    for mine, theirs in (("estimate", "estimate"), ("se", "spread"), ("p_value", "p_value"), ("lo", "lo")):
        assert getattr(found, mine) == pytest.approx(difference[theirs], rel=1e-10)
    flipped = judged(panel, GROUPED, parse_proposition("slope[south] < slope[north]"))
    assert flipped.estimate == pytest.approx(-found.estimate)
    plain = bn.twfe(panel, SPEC).frame.set_index("term").loc["exposure"]
    average = judged(panel, GROUPED, parse_proposition("average_slope_twfe_weighted > 0.1"))
    assert average.se == pytest.approx(plain["spread"], rel=1e-10)
    assert average.p_value == pytest.approx(2 * stats.t.sf(abs(plain["estimate"] - 0.1) / plain["spread"], 19))
