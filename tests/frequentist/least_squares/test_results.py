"""Regressions in linearmodels' words, against linearmodels and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import PanelOLS, PooledOLS

import bayes_npp as bn
from bayes_npp.design.coefficients import restrictions

RTOL = 1e-8  # the last digits of two ways to solve the same least squares
EFFECTS = {"unit": (True, False), "time": (False, True), "two-way": (True, True)}


@pytest.fixture(scope="module", params=[0, 60], ids=["balanced", "unbalanced"])
def both(request, produc, produc_spec):
    """The same rows as our panel and as linearmodels wants them."""
    rows = produc.frame.drop(index=np.random.default_rng(5).permutation(len(produc.frame))[: request.param])
    panel = bn.read_panel(rows, unit="state", time="year")
    frame = panel.frame.set_index(["state", "year"])
    return panel, frame["lgsp"], frame[list(produc_spec.regressors)]


def theirs(both, effects):
    _, outcome, columns = both
    if effects == "none":
        model = PooledOLS(outcome, columns.assign(intercept=1.0))
        return model.fit(cov_type="clustered", cluster_entity=True, debiased=False)
    entity, time = EFFECTS[effects]
    model = PanelOLS(outcome, columns, entity_effects=entity, time_effects=time)
    return model.fit(cov_type="clustered", cluster_entity=True, debiased=False, auto_df=False, count_effects=False)


def ours(panel, spec, effects):
    if effects == "none":
        return bn.pooled_ols(panel, spec, convention="hc0")
    return bn.fixed_effects(panel, spec, effects=effects, convention="hc0")


@pytest.mark.parametrize("effects", ["none", *EFFECTS])
def test_coefficients_covariance_and_residuals_are_linearmodels(both, produc_spec, effects):
    own, other = ours(both[0], produc_spec, effects), theirs(both, effects)
    pd.testing.assert_series_equal(own.params, other.params, check_names=False, rtol=RTOL)
    pd.testing.assert_series_equal(own.std_errors, other.std_errors, check_names=False, rtol=RTOL)
    pd.testing.assert_frame_equal(own.cov, other.cov, rtol=RTOL, atol=1e-14)
    np.testing.assert_allclose(own.tstats, other.tstats, rtol=RTOL)
    np.testing.assert_allclose(own.residuals, other.resids, rtol=1e-6, atol=1e-10)
    assert own.residuals.index.equals(both[1].index.set_names(["unit", "time"]))
    np.testing.assert_allclose(own.fitted + own.residuals, both[1], rtol=1e-12)


@pytest.mark.parametrize("effects", ["none", *EFFECTS])
def test_wald_statistic_is_linearmodels(both, produc_spec, effects):
    own, other = ours(both[0], produc_spec, effects), theirs(both, effects)
    for formula in ("lpcap = 0", "lpc = lemp, unemp = 0.1"):
        matrix, target, _ = restrictions(tuple(other.params.index), formula)
        found, expected = own.wald_test(formula), other.wald_test(restriction=matrix, value=target)
        assert found.stat == pytest.approx(expected.stat, rel=1e-6)
        assert found.df == expected.df


def test_single_restriction_has_the_p_value_of_its_row(produc, produc_spec):
    own = bn.twfe(produc, produc_spec)
    row = own.frame.iloc[0]
    assert own.wald_test("lpcap = 0").pval == pytest.approx(row["p_value"], rel=1e-9)
    assert own.pvalues["lpcap"] == pytest.approx(row["p_value"], rel=1e-9)
    np.testing.assert_allclose(own.conf_int().loc["lpcap"], [row["lo"], row["hi"]], rtol=1e-9)
    assert own.conf_int(0.5).loc["lpcap", "upper"] < row["hi"]


def test_intervals_and_tests_of_classical_errors_are_statsmodels(produc, produc_spec):
    import statsmodels.api as sm

    own = bn.pooled_ols(produc, produc_spec, covariance="classical")
    columns = produc.frame[list(produc_spec.regressors)].assign(intercept=1.0)
    other = sm.OLS(produc.frame["lgsp"], columns).fit()
    np.testing.assert_allclose(own.conf_int(), other.conf_int(), rtol=1e-7)
    np.testing.assert_allclose(own.pvalues, other.pvalues, rtol=1e-6)
    found, expected = own.wald_test("lpc = lemp, unemp = 0"), other.f_test("lpc = lemp, unemp = 0")
    assert found.stat / found.df == pytest.approx(float(expected.fvalue), rel=1e-7)
    assert found.pval == pytest.approx(float(expected.pvalue), rel=1e-6)
    assert found.df_denom == expected.df_denom


@pytest.mark.parametrize("effects", ["none", *EFFECTS])
def test_prediction_of_known_rows_is_fitted_and_moves_by_the_slope(both, produc_spec, effects):
    panel = both[0]
    own = ours(panel, produc_spec, effects)
    pd.testing.assert_series_equal(own.predict(panel), own.fitted, check_names=False, rtol=1e-9)
    moved = panel.with_column("lpcap", panel.numbers("lpcap") + 1.0)
    np.testing.assert_allclose(own.predict(moved) - own.fitted, own.params["lpcap"], rtol=1e-6)


def test_prediction_fills_a_cell_that_is_missing(both, produc, produc_spec):
    """A cell left out of the sample: its unit and period effects are those of dummies."""
    import statsmodels.formula.api as smf

    own = bn.twfe(both[0], produc_spec)
    other = smf.ols("lgsp ~ lpcap + lpc + lemp + unemp + C(state) + C(year)", both[0].frame).fit()
    np.testing.assert_allclose(own.predict(produc), other.predict(produc.frame), rtol=1e-8)


def test_frame_with_an_index_is_a_panel(produc, produc_spec):
    own = bn.twfe(produc, produc_spec)
    frame = produc.frame.set_index(["state", "year"])[list(produc_spec.regressors)].iloc[[3, 40]]
    np.testing.assert_allclose(own.predict(frame), own.fitted.iloc[[3, 40]], rtol=1e-10)


def test_groups_have_their_own_slopes(unbalanced, grouped_spec):
    own = bn.twfe(unbalanced, grouped_spec)
    groups = own.select(estimand="group_slope")
    names = [f"{grouped_spec.exposure}:{label}" for label in groups["group"]]
    np.testing.assert_allclose(own.params[names], groups["estimate"], rtol=1e-12)
    np.testing.assert_allclose(own.std_errors[names], groups["spread"], rtol=1e-12)
    pd.testing.assert_series_equal(own.predict(unbalanced).loc[own.fitted.index], own.fitted, check_names=False)
    difference = own.select(estimand="slope_difference").iloc[0]
    found = own.wald_test(f"`{names[0]}` = `{names[1]}`")
    assert found.stat == pytest.approx((difference["estimate"] / difference["spread"]) ** 2, rel=1e-9)


def test_what_cannot_be_predicted_is_said(produc, produc_spec):
    own = bn.twfe(produc, produc_spec)
    frame = produc.frame.head(2).assign(state="ATLANTIS")
    with pytest.raises(bn.BayesNppError, match="ATLANTIS"):
        own.predict(bn.read_panel(frame, unit="state", time="year"))
    trends = bn.Spec(**{**produc_spec.model_dump(), "unit_trends": True})
    with pytest.raises(bn.BayesNppError, match="more than effects"):
        bn.twfe(produc, trends).predict(produc)
    with pytest.raises(bn.BayesNppError, match="index"):
        own.predict(produc.frame)
    with pytest.raises(bn.BayesNppError, match="level"):
        own.conf_int(95)


def test_parts_without_a_common_period_are_not_joined():
    rows = [(u, t) for u in "ab" for t in range(4)] + [(u, t) for u in "cd" for t in range(10, 14)]
    random = np.random.default_rng(1)
    frame = pd.DataFrame(rows, columns=["u", "t"]).assign(x=random.normal(size=16), y=random.normal(size=16))
    own = bn.twfe(bn.read_panel(frame, unit="u", time="t"), bn.Spec(outcome="y", exposure="x"), "classical")
    new = pd.DataFrame({"u": ["a"], "t": [10], "x": [0.0]}).set_index(["u", "t"])
    with pytest.raises(bn.BayesNppError, match="nothing connects"):
        own.predict(new)
