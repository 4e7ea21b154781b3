"""What stands beside a study's estimates, on the tiny study: the estimators' own numbers, nothing sampled."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.analysis.companions import group_tests, specification_tests, twfe_weight_table
from bayes_npp.frequentist.hypotheses.specification import pesaran_cd
from tests.conftest import TINY


@pytest.fixture(scope="module")
def tiny():
    return bn.load_study(TINY)


def test_every_two_way_model_by_group_is_tested(tiny):
    found = {one.model: one for one in group_tests(tiny)}
    assert list(found) == ["separate", "interacted"]
    spec = tiny.spec(tiny.model("interacted"))
    rows = bn.twfe(tiny.panel, spec).frame
    gap = rows[rows["estimand"] == "slope_difference"].iloc[0]
    # With two groups the joint test is the square of the difference's t.
    joint = found["interacted"].test
    assert joint.statistic == pytest.approx((gap["estimate"] / gap["spread"]) ** 2, rel=1e-8)
    assert joint.p_value == pytest.approx(gap["p_value"], rel=1e-8)


def test_weights_sum_to_one_and_weight_the_slopes(tiny):
    table = twfe_weight_table(tiny)
    own = table[table["model"] == "groups"].set_index("group")
    assert own[["twfe_weight", "share_of_observations"]].sum().to_numpy() == pytest.approx(1.0)
    rows = bn.twfe(tiny.panel, tiny.spec(tiny.model("interacted"))).frame.set_index(["estimand", "group"])["estimate"]
    slopes = rows.loc["group_slope"]
    plain = bn.twfe(tiny.panel, tiny.spec(tiny.model("plain"))).frame["estimate"].iloc[0]
    assert np.dot(own.loc[slopes.index, "twfe_weight"], slopes) == pytest.approx(plain, rel=1e-8)


def test_tests_of_the_baseline_regression_or_why_there_is_none(tiny):
    found = specification_tests(tiny)
    assert len(found) == 3
    spec = bn.Spec(outcome="made", exposure="exposure", controls=("control_1",))
    assert any(one == pesaran_cd(tiny.panel, spec) for one in found)
