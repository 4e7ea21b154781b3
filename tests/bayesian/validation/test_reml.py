"""REML from several starts, and conditional SDs of many crossed effects against dense matrices.

Tolerances: the maximum to the digits lme4 prints; SDs to 1e-8 relative, what two ways through the same algebra share,
where the likelihood determines them well (the data here are simulated so that it does).
"""

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import bayes_npp as bn
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.reml import maximise
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from tests.bayesian.dense import Block, blocks, error_covariance, log_likelihood
from tests.conftest import REFERENCE


def reml(panel, spec):
    return maximise(prepare(build_design(panel, spec)))


def radon():
    frame = pd.read_csv(REFERENCE / "radon.csv")
    frame["log_radon"], frame["log_uranium"] = np.log(frame["activity"] + 0.1), np.log(frame["uppm"] + 0.1)
    frame["house"] = frame.groupby("county").cumcount() + 1
    return bn.read_panel(frame, unit="county", time="house")


def test_radon_is_not_left_at_a_scale_of_zero():
    """posteriordb's radon_mn. From one start the search ended at unit_sd = 0, with -1217.89; lme4: .14638, .72855."""
    spec = bn.Spec(
        outcome="log_radon",
        exposure="floor",
        controls=("log_uranium",),
        time_effects="none",
        correlated_means=False,
    )
    ours = reml(radon(), spec)
    scales = ours.data.design.scales
    assert (ours.data.design.n_obs, len(ours.data.design.units)) == (919, 85)
    # The likelihood of columns in total SDs, by which posteriordb's was found.
    frame, names = radon().frame, ("log_radon", "floor", "log_uranium")
    wider = np.log(frame[list(names)].std() / [scales.outcome_sd, *scales.of(*names[1:])])
    constant = (919 - 3) * wider["log_radon"] + wider["floor"] + wider["log_uranium"]
    assert ours.log_likelihood + constant == pytest.approx(-1214.26, abs=0.005)
    assert ours.values["unit_sd"] * scales.outcome_sd == pytest.approx(0.14638, abs=5e-6)
    assert ours.values["error_sd"] * scales.outcome_sd == pytest.approx(0.72855, abs=5e-6)
    floor = scales.outcome_sd / scales.divisors["floor"]
    assert ours.mean["exposure_slope"] * floor == pytest.approx(-0.6383392, rel=1e-5)
    assert ours.sd["exposure_slope"] * floor == pytest.approx(0.06603780, rel=1e-5)
    uranium = scales.outcome_sd / scales.divisors["log_uranium"]
    assert ours.mean["control_slope"] * uranium == pytest.approx(0.7845440, rel=1e-5)
    assert ours.sd["control_slope"] * uranium == pytest.approx(0.09814710, rel=1e-5)


@pytest.fixture(scope="module")
def crossed():
    """Effects of units, of periods and of groups in periods, all of them large."""
    frame = bn.simulate(24, 7, {"a": 0.8, "b": 0.2, "c": -0.3}, controls=(0.5, -0.4), missing=0.2, seed=3).frame
    random = np.random.default_rng(0)
    cell = pd.MultiIndex.from_frame(frame[["group", "time"]]).factorize()[0]
    period = frame["time"].factorize()[0]
    frame["outcome"] += 0.8 * random.normal(size=cell.max() + 1)[cell] + 0.6 * random.normal(size=7)[period]
    return bn.read_panel(frame, unit="unit", time="time", group="group")


BOTH = ("control_1", "control_2")


@pytest.mark.parametrize(
    ("slopes", "varying"), [(None, ()), ("group", ()), ("group", BOTH), ("unit", ()), ("unit", BOTH)]
)
@pytest.mark.parametrize(("units", "periods"), [("partial", "partial"), ("fixed", "partial"), ("partial", "fixed")])
def test_conditional_sds_of_three_crossed_effects_are_dense(crossed, units, periods, slopes, varying):
    """Given all fixed coefficients, those of fixed units too: integrated out instead, SDs of periods, cells and groups'
    slopes were up to 25 % off and those of the units 39 %; of two varying controls only the last was there."""
    spec = bn.Spec(
        outcome="outcome",
        exposure="exposure",
        controls=BOTH,
        slopes=slopes,
        varying=varying,
        unit_effects=units,
        time_effects=periods,
        group_time_effects="group",
        correlated_means=False,
    )
    ours = reml(crossed, spec)
    means, sds = given_fixed(ours.data, ours.values)
    assert {"unit_effect", "time_effect", "group_time_effect"} <= set(sds)
    for name, sd in sds.items():
        variable, _, v = name.partition(" ")
        mean, own = (np.atleast_1d(part[variable][int(v)] if v else part[variable]) for part in (ours.mean, ours.sd))
        np.testing.assert_allclose(own, sd, rtol=1e-8, err_msg=name)
        np.testing.assert_allclose(mean, means[name], rtol=1e-6, atol=1e-8, err_msg=name)
    np.testing.assert_array_equal(ours.unit_sd[:, 0], ours.sd["unit_effect"])


def given_fixed(data, values):
    """Means of all coefficients; SDs of fixed ones, and of random ones given these, by variable."""
    flat = PriorSpec(family="flat", reason="restricted maximum likelihood")
    parts = blocks(data, load_priors("weakly_informative").replaced(exposure=flat, controls=flat), values)
    parts = [Block(b.variables, b.columns, None, b.mean) if set(b.variables) == {"intercept"} else b for b in parts]
    columns = np.hstack([b.columns for b in parts])
    prior = [
        np.zeros((b.columns.shape[1],) * 2) if b.covariance is None else np.linalg.inv(b.covariance) for b in parts
    ]
    weighted = np.linalg.solve(error_covariance(data, values), columns)
    precision = columns.T @ weighted + linalg.block_diag(*prior)
    covariance = np.linalg.inv(precision)
    centre = covariance @ weighted.T @ data.outcome
    random = np.concatenate([np.full(b.columns.shape[1], b.covariance is not None) for b in parts])
    covariance[np.ix_(random, random)] = np.linalg.inv(precision[np.ix_(random, random)])
    means, sds, at = {}, {}, 0
    for block in parts:
        here = slice(at, at + block.columns.shape[1])
        for name, matrix in block.variables.items():
            means[name] = matrix @ centre[here]
            sds[name] = np.sqrt(np.diag(matrix @ covariance[here, here] @ matrix.T))
        at = here.stop
    return means, sds


def test_the_maximum_is_the_dense_criterion_s(crossed):
    """No scale moved by 1 % up or down gives a larger dense restricted likelihood."""
    spec = bn.Spec(
        outcome="outcome",
        exposure="exposure",
        unit_effects="fixed",
        group_time_effects="group",
        correlated_means=False,
    )
    ours = reml(crossed, spec)
    flat = PriorSpec(family="flat", reason="restricted maximum likelihood")
    priors = load_priors("weakly_informative").replaced(exposure=flat)
    best = log_likelihood(ours.data, priors, ours.values)
    assert ours.log_likelihood == pytest.approx(best, rel=1e-9)
    for name, value in ours.values.items():
        for factor in (0.99, 1.01):
            assert log_likelihood(ours.data, priors, ours.values | {name: factor * value}) < best, name


def test_correlated_means_are_refused(crossed):
    """Coefficients of means have a prior: their SDs (time effects 40 % off) were no REML."""
    with pytest.raises(SpecError, match="correlated_means = False"):
        reml(crossed, bn.Spec(outcome="outcome", exposure="exposure"))
