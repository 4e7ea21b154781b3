"""Lags written in a specification are those that are derived."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn


@pytest.fixture(scope="module")
def panel():
    frame = bn.simulate(n_units=20, n_periods=8, seed=6).frame
    return bn.read_panel(frame.drop(index=[3, 40]), "unit", "time", "group")


def test_lag_in_a_specification_is_the_derived_one(panel):
    spec = bn.Spec(outcome="outcome", exposure="L1.exposure", controls=("exposure", "L2.control_1"))
    derived = bn.derive(
        panel,
        [{"name": "one", "lag": "exposure"}, {"name": "two", "lag": "control_1", "periods": 2}],
    )
    other = bn.Spec(outcome="outcome", exposure="one", controls=("exposure", "two"))
    own, expected = bn.twfe(panel, spec), bn.twfe(derived, other)
    np.testing.assert_array_equal(own.params, expected.params)
    assert own.frame["note"][0] == expected.frame["note"][0]
    np.testing.assert_allclose(own.predict(panel).loc[own.fitted.index], own.fitted, rtol=1e-9)
    formula = bn.Spec.from_formula("outcome ~ L1.exposure + exposure + L2.control_1 | unit + time")
    assert formula == spec


def test_lag_of_the_outcome_is_refused_with_what_to_do(panel):
    with pytest.raises(bn.BayesNppError, match="dynamic"):
        bn.twfe(panel, bn.Spec(outcome="outcome", exposure="exposure", controls=("L1.outcome",)))
    with pytest.raises(bn.BayesNppError, match=r"unknown column 'L1\.nothing'"):
        bn.twfe(panel, bn.Spec(outcome="outcome", exposure="L1.nothing"))


def test_dynamic_estimators_take_a_specification(panel):
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
    names = {"outcome": "outcome", "regressors": ["L1.outcome", "L2.outcome", "exposure", "control_1"]}
    own, expected = bn.dynamic_within(panel, spec, outcome_lags=2), bn.dynamic_within(panel, **names)
    pd.testing.assert_frame_equal(own.frame, expected.frame)
    options = {"gmm": [("outcome", 2, 4)], "iv": ["exposure", "control_1"], "collapse": True}
    for estimator in (bn.difference_gmm, bn.system_gmm):
        own, expected = estimator(panel, spec, outcome_lags=2, **options), estimator(panel, **names, **options)
        pd.testing.assert_frame_equal(own.frame, expected.frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "specification or an outcome"),
        ({"spec": bn.Spec(outcome="outcome", exposure="exposure", slopes="group")}, "slopes"),
        ({"spec": bn.Spec(outcome="outcome", exposure="exposure"), "regressors": ["control_1"]}, "beside"),
        ({"spec": bn.Spec(outcome="outcome", exposure="exposure"), "outcome_lags": 0}, "below one"),
    ],
)
def test_dynamic_regressions_that_are_not_one(panel, options, message):
    with pytest.raises(bn.BayesNppError, match=message):
        bn.dynamic_within(panel, **options)
