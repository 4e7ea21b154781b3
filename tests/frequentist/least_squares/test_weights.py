"""Analytic weights against statsmodels, linearmodels and dummies; who takes none says so."""

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import PanelOLS

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.covariance import robust_factor, small_sample_factor
from bayes_npp.frequentist.least_squares.static import Errors, linear_fit, static_design
from tests.frequentist.least_squares.by_dummies import (
    CLOSE,
    ESTIMATORS,
    WEIGHTS,
    by_statsmodels,
    wanted,
    weighted,
    without_a_tenth,
)


@pytest.fixture(scope="module")
def unbalanced(produc):
    return without_a_tenth(produc)


@pytest.mark.parametrize("effects", ESTIMATORS)
@pytest.mark.parametrize("covariance", ["classical", "robust", "clustered"])
def test_weights_are_those_of_statsmodels(covariance, effects, unbalanced, produc_spec):
    kind = {
        "classical": {"cov_type": "nonrobust"},
        "robust": {"cov_type": "HC1"},
        "clustered": {"cov_type": "cluster", "cov_kwds": {"groups": pd.factorize(unbalanced.frame["state"])[0]}},
    }[covariance]
    reference = by_statsmodels(unbalanced, produc_spec, effects, WEIGHTS, **kind)
    ours = ESTIMATORS[effects](unbalanced, weighted(produc_spec), covariance=covariance, convention="lsdv")
    np.testing.assert_allclose(wanted(ours, produc_spec, "estimate"), reference.params[:4], rtol=CLOSE)
    np.testing.assert_allclose(wanted(ours, produc_spec), reference.bse[:4], rtol=CLOSE)
    plain = reference.model.endog - reference.model.exog @ reference.params
    np.testing.assert_allclose(ours.residuals, plain, atol=1e-9)
    np.testing.assert_allclose(ours.fitted + ours.residuals, unbalanced.frame["lgsp"], atol=1e-12)
    np.testing.assert_allclose(ours.predict(unbalanced), ours.fitted, atol=1e-9)
    if effects == "none":
        level = ours.frame.set_index("term").loc["intercept"]
        assert level["estimate"] == pytest.approx(reference.params.iloc[4], rel=CLOSE)
        assert level["spread"] == pytest.approx(reference.bse.iloc[4], rel=CLOSE)
    assert ours.frame["estimator"].str.contains("weighted by emp").all()


def test_weights_in_linearmodels(unbalanced, produc_spec):
    frame = unbalanced.frame.set_index(["state", "year"])
    reference = PanelOLS(
        frame["lgsp"], frame[list(produc_spec.regressors)], weights=frame[WEIGHTS], entity_effects=True,
        time_effects=True,
    ).fit(cov_type="clustered", cluster_entity=True, debiased=False, auto_df=False, count_effects=False)  # fmt: skip
    ours = bn.twfe(unbalanced, weighted(produc_spec), convention="hc0")
    np.testing.assert_allclose(wanted(ours, produc_spec, "estimate"), reference.params, rtol=1e-7)
    np.testing.assert_allclose(wanted(ours, produc_spec), reference.std_errors, rtol=1e-7)


def test_equal_weights_are_none(unbalanced, produc_spec):
    """To rounding: the weighted projection is another route; and the scale of weights does not matter."""
    frame = unbalanced.frame.assign(same=3.0, hundredfold=100 * unbalanced.frame[WEIGHTS])
    panel = bn.read_panel(frame, unit="state", time="year")
    for covariance in ("classical", "clustered", "driscoll_kraay"):
        plain = bn.twfe(panel, produc_spec, covariance).frame
        same = bn.twfe(panel, weighted(produc_spec, analytic_weights="same"), covariance).frame
        np.testing.assert_allclose(same[["estimate", "spread"]], plain[["estimate", "spread"]], rtol=1e-8)
        own = bn.twfe(panel, weighted(produc_spec), covariance).frame
        big = bn.twfe(panel, weighted(produc_spec, analytic_weights="hundredfold"), covariance).frame
        np.testing.assert_allclose(big[["estimate", "spread"]], own[["estimate", "spread"]], rtol=1e-9)


def test_weighted_trends_groups_and_cells(unbalanced, produc_spec):
    """Unit trends, region-by-year effects and slopes of groups, against all dummies."""
    frame = unbalanced.frame
    trends = pd.get_dummies(frame["state"], dtype=float).to_numpy() * (frame["year"].to_numpy()[:, None] - 1978.0)
    cells = pd.get_dummies(frame["even"].astype(str) + frame["year"].astype(str), dtype=float).to_numpy()
    states = pd.get_dummies(frame["state"], dtype=float).to_numpy()
    member = frame["even"].to_numpy()[:, None] == np.unique(frame["even"])
    exposure = frame["lpcap"].to_numpy()[:, None] * member
    others = frame[list(produc_spec.controls)].to_numpy()
    x = np.column_stack([exposure, others, states, trends, cells])
    root = np.sqrt(frame[WEIGHTS].to_numpy())
    b = np.linalg.lstsq(root[:, None] * x, root * frame["lgsp"].to_numpy(), rcond=1e-13)[0]
    spec = weighted(produc_spec, slopes="even", unit_trends=True, group_time_effects="even")
    ours = bn.twfe(unbalanced, spec).frame
    slopes = ours[ours["estimand"] == "group_slope"].set_index("group")["estimate"]
    order = [str(label) for label in np.unique(frame["even"])]
    np.testing.assert_allclose(slopes[order], b[:2], rtol=1e-6)
    single = bn.twfe(unbalanced, weighted(produc_spec, unit_trends=True, group_time_effects="even")).frame.iloc[0]
    assert single["estimand"] == "pooled_slope"
    average = ours[ours["estimand"] == "pooled_slope"]["estimate"].iloc[0]
    assert average == pytest.approx(single["estimate"], rel=1e-8)  # the weights are those of the one-slope regression


def test_counts_of_a_weighted_regression(unbalanced, produc_spec):
    """Rank of the dummies is the plain one's: both factors are."""
    for effects in ESTIMATORS:
        plain = linear_fit(static_design(unbalanced, produc_spec, Errors()), effects, "classical", "stata")
        own = linear_fit(static_design(unbalanced, weighted(produc_spec), Errors()), effects, "classical", "stata")
        assert own.solved.counts == plain.solved.counts
        assert robust_factor("stata", own.solved.counts) == robust_factor("stata", plain.solved.counts)
        assert small_sample_factor("stata", own.solved.counts, 9) == small_sample_factor(
            "stata", plain.solved.counts, 9
        )


def test_rows_without_a_weight_are_left_out(produc, produc_spec):
    frame = produc.frame.copy()
    frame["w"] = frame[WEIGHTS].where(frame["year"] > 1971)
    ours = bn.twfe(bn.read_panel(frame, unit="state", time="year"), weighted(produc_spec, analytic_weights="w"))
    assert ours.frame["n_obs"].iloc[0] == 48 * 15
    assert "96 of 816 rows left out: 96 with blank cells" in ours.frame["note"].iloc[0]
    frame.loc[5, "w"] = 0.0
    frame["w"] = frame["w"].fillna(1.0)
    with pytest.raises(DesignError, match="weight 'w' is not positive"):
        bn.twfe(bn.read_panel(frame, unit="state", time="year"), weighted(produc_spec, analytic_weights="w"))


GMM = {"gmm": [("lgsp", 2, 3)]}
OTHERS = {
    "fit": lambda panel, spec: bn.fit(panel, spec),
    "mediate": lambda panel, spec: bn.mediate(panel, spec, mediators=("hwy",)),
    "mediation_paths": lambda panel, spec: bn.mediation_paths(panel, spec, ("hwy",)),
    "predict": lambda panel, spec: bn.predict(panel, spec),
    "prior_preview": lambda panel, spec: bn.prior_preview(panel, spec, "weakly_informative"),
    "interactive_fe": lambda panel, spec: bn.interactive_fe(panel, spec),
    "cce": lambda panel, spec: bn.cce(panel, spec),
    "confounding": lambda panel, spec: bn.confounding(panel, spec),
    "event_time": lambda panel, spec: bn.event_time(panel, spec),
    "group_differences": lambda panel, spec: bn.group_differences(panel, spec, group="region"),
    "hausman": lambda panel, spec: bn.hausman(panel, spec),
    "pesaran_cd": lambda panel, spec: bn.pesaran_cd(panel, spec),
    "wooldridge_serial": lambda panel, spec: bn.wooldridge_serial(panel, spec),
    "dynamic_within": lambda panel, spec: bn.dynamic_within(panel, spec),
    "difference_gmm": lambda panel, spec: bn.difference_gmm(panel, spec, **GMM),
    "system_gmm": lambda panel, spec: bn.system_gmm(panel, spec, **GMM),
    "factors": lambda panel, spec: bn.twfe(panel, bn.Spec(**{**spec.model_dump(), "exposure_factor": "fixed"})),
}


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_estimator_takes_weights_without_a_word(name, produc, produc_spec):
    with pytest.raises(SpecError, match="analytic_weights"):
        OTHERS[name](produc, weighted(produc_spec))


def test_the_wild_bootstrap_beside_two_way_clusters_is_weighted(unbalanced, produc_spec):
    """With equal weights the p-value is that without: rows, dummies and residuals are scaled alike."""
    frame = unbalanced.frame[unbalanced.frame["year"] < 1978].assign(same=2.0)
    panel = bn.read_panel(frame, unit="state", time="year")
    notes = [
        bn.twfe(panel, spec, cluster=("unit", "time")).frame["note"].iloc[0]
        for spec in (produc_spec, weighted(produc_spec, analytic_weights="same"))
    ]
    assert "wild bootstrap of periods" in notes[0]
    assert notes[1] == notes[0]
