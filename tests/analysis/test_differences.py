"""Differences of groups beside a posterior, and those of a study (`study.differences`, [confounding] too).

`study.confounding` is tested in tests/study/test_referee.py.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.errors import SpecError


def test_a_fit_stands_beside_the_tests(simulated, grouped_spec):
    fit = bn.fit(simulated, grouped_spec, draws=500, seed=2)
    found = bn.group_differences(simulated, grouped_spec, "group", fit=fit, draws=99)
    rows = found.frame[found.frame["test"] == "posterior"].set_index(["group_1", "group_2"])
    own = fit.estimates().select(estimand="slope_difference").set_index("group")
    assert len(rows) == 3
    for (one, two), row in rows.iterrows():
        expected = own.loc[f"{one} - {two}"]
        assert row["estimate"] == pytest.approx(expected["estimate"])
        assert row["statistic"] == pytest.approx(expected["prob_positive"])
        assert np.isnan(row["p_value"])
    factor = found.frame[found.frame["test"] == "bayes factor"].iloc[0]
    assert factor["statistic"] == pytest.approx(homogeneity(fit).factor)
    assert found.holm["test"].isin(["posterior", "bayes factor"]).sum() == 0
    renamed = simulated.with_column("other", simulated.frame["group"])
    with pytest.raises(SpecError, match="the fit has slopes = 'group', not 'other'"):
        bn.group_differences(renamed, grouped_spec, "other", fit=fit, draws=99)


def test_a_study_s_difference_has_the_posterior_behind_the_verdicts(tiny_run):
    (record,) = tiny_run.differences
    choice = next(ladder.errors for ladder in tiny_run.ladders if ladder.model == "groups")
    assert (record.model, record.errors) == (choice.record.model, choice.chosen)
    row = record.tests.frame.query("test == 'posterior'").iloc[0]
    own = tiny_run.estimates.select(model=record.model, estimand="slope_difference").iloc[0]
    assert row["statistic"] == pytest.approx(own["prob_positive"])
    ((*_, low, high),) = record.p_range
    p = record.tests.frame.query("group_1 != 'all' and test != 'chow'")["p_value"]
    assert (low, high) == (p.min(), p.max())
    assert record.untested == ()
