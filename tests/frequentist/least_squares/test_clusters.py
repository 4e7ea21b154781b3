"""Clusters above units, and instruments with weights, against statsmodels and linearmodels (`design.clusters`)."""

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS, IVGMM, IVLIML
from linearmodels.panel import PanelOLS

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.clusters import clustered_by
from bayes_npp.frequentist.least_squares.static import linear_fit
from tests.frequentist.least_squares.by_dummies import (
    CLOSE,
    ESTIMATORS,
    WEIGHTS,
    by_statsmodels,
    dummies,
    wanted,
    weighted,
    without_a_tenth,
)


@pytest.fixture(scope="module")
def unbalanced(produc):
    return without_a_tenth(produc)


@pytest.mark.parametrize("effects", ESTIMATORS)
def test_clusters_above_units_are_those_of_statsmodels(effects, unbalanced, produc_spec):
    labels = unbalanced.frame["region"].to_numpy()
    reference = by_statsmodels(
        unbalanced, produc_spec, effects, cov_type="cluster", cov_kwds={"groups": labels}, use_t=True
    )
    ours = ESTIMATORS[effects](unbalanced, produc_spec, cluster="region", convention="lsdv")
    np.testing.assert_allclose(wanted(ours, produc_spec, "estimate"), reference.params[:4], rtol=CLOSE)
    np.testing.assert_allclose(wanted(ours, produc_spec), reference.bse[:4], rtol=CLOSE)
    n_regions = len(set(labels))
    assert ours.fit.df == n_regions - 1
    np.testing.assert_allclose(wanted(ours, produc_spec, "p_value"), reference.pvalues[:4], rtol=1e-6)
    assert set(ours.frame["covariance"]) == {"clustered by region"}


def test_statas_factor_above_units(produc, produc_spec):
    """xtreg, fe vce(cluster region): G/(G-1) (n-1)/(n-K), K slopes, constant, periods; nested units are not counted."""
    bare = bn.twfe(produc, produc_spec, cluster="region", convention="hc0")
    stata = bn.twfe(produc, produc_spec, cluster="region")
    groups, n, counted = produc.frame["region"].nunique(), len(produc.frame), 4 + 1 + 16
    factor = groups / (groups - 1) * (n - 1) / (n - counted)
    np.testing.assert_allclose(wanted(stata, produc_spec), np.sqrt(factor) * wanted(bare, produc_spec), rtol=1e-12)
    frame = produc.frame.set_index(["state", "year"])
    reference = PanelOLS(
        frame["lgsp"], frame[list(produc_spec.regressors)], entity_effects=True, time_effects=True
    ).fit(cov_type="clustered", clusters=frame["region"], debiased=False, auto_df=False, count_effects=False)
    np.testing.assert_allclose(wanted(bare, produc_spec), reference.std_errors, rtol=1e-7)


def test_a_cluster_of_single_units_is_the_unit(produc, produc_spec):
    frame = produc.frame.assign(own=produc.frame["state"].str.upper())
    panel = bn.read_panel(frame, unit="state", time="year")
    for cluster in ("own", "state"):
        ours, plain = bn.twfe(panel, produc_spec, cluster=cluster).frame, bn.twfe(panel, produc_spec).frame
        pd.testing.assert_frame_equal(ours.drop(columns="covariance"), plain.drop(columns="covariance"))


@pytest.mark.parametrize("weights", [False, True], ids=["plain", "weighted"])
def test_the_wild_bootstrap_draws_clusters(weights, unbalanced, produc_spec):
    """All sign vectors of nine regions against regressions that are refitted, null imposed."""
    spec = weighted(produc_spec) if weights else produc_spec
    row = bn.twfe(unbalanced, spec, "wild_bootstrap", cluster="region").frame.iloc[0]
    groups, index = np.unique(unbalanced.frame["region"], return_inverse=True)
    frame, root = unbalanced.frame, np.ones(len(unbalanced.frame))
    if weights:
        root = np.sqrt(frame[WEIGHTS].to_numpy())
    x = root[:, None] * np.column_stack([frame[list(spec.regressors)].to_numpy(), dummies(unbalanced, "two-way")])
    y = root * frame["lgsp"].to_numpy()
    inverse = np.linalg.pinv(x)

    def statistic(outcome):
        b = inverse @ outcome
        scores = inverse[0] * (outcome - x @ b)
        return b[0] ** 2 / (np.bincount(index, weights=scores) ** 2).sum()

    rest = np.delete(x, 0, axis=1)
    fitted = rest @ (np.linalg.pinv(rest) @ y)
    bits = (np.arange(2 ** (len(groups) - 1))[:, None] >> np.arange(len(groups) - 1)) & 1
    signs = np.column_stack([np.ones(len(bits)), 1.0 - 2.0 * bits])
    draws = [statistic(fitted + sign[index] * (y - fitted)) for sign in signs]
    assert row["p_value"] == np.mean(np.array(draws) >= statistic(y) * (1 - 1e-9))
    assert row["covariance"] == "clustered by region, wild bootstrap-t"
    assert "all 512 sign vectors" in row["convention"]


def test_few_clusters_say_so(produc, produc_spec):
    note = bn.twfe(produc, produc_spec, cluster="region").frame["note"].iloc[0]
    assert note.startswith("9 groups of 'region' as clusters: few for its reference distribution")
    assert "wild cluster bootstrap p = " in note
    assert "all 512 sign vectors of 9 groups of 'region'" in note
    frame = produc.frame.assign(third=produc.frame["region"] % 3)
    three = bn.twfe(bn.read_panel(frame, unit="state", time="year"), produc_spec, cluster="third").frame
    assert three["p_value"].isna().all()
    assert three["note"].str.contains("3 groups of 'third' as clusters, and a test needs at least 4").all()


def test_a_group_of_few_clusters_has_no_test(produc, produc_spec):
    """Slopes by region rest on one cluster each where regions are clusters: no p-value of theirs."""
    spec = bn.Spec(**{**produc_spec.model_dump(), "slopes": "region"})
    rows = bn.twfe(produc, spec, cluster="region").frame
    own = rows[rows["estimand"] == "group_slope"]
    assert own["p_value"].isna().all()
    assert own["note"].str.contains("1 groups of 'region' in the group as clusters|no standard error").all()


def test_clusters_that_do_not_hold_units(produc, produc_spec):
    frame = produc.frame.assign(
        moving=np.where(produc.frame["year"] > 1980, "late", "early"),
        one="all",
        blank=produc.frame["region"].where(produc.frame["state"] != "OHIO").astype(object),
    )
    panel = bn.read_panel(frame, unit="state", time="year")
    with pytest.raises(DesignError, match="is in two clusters of 'moving', 'early' and 'late'"):
        bn.twfe(panel, produc_spec, cluster="moving")
    with pytest.raises(DesignError, match="all units are in one cluster of 'one'"):
        bn.pooled_ols(panel, produc_spec, cluster="one")
    with pytest.raises(DesignError, match="cluster 'blank' is blank"):
        bn.fixed_effects(panel, produc_spec, cluster="blank")
    with pytest.raises(bn.BayesNppError, match="regoin"):
        bn.twfe(panel, produc_spec, cluster="regoin")
    with pytest.raises(SpecError, match="unknown cluster 'time'"):
        bn.twfe(panel, produc_spec, cluster="time")
    with pytest.raises(SpecError, match="unknown cluster"):
        bn.twfe(panel, produc_spec, cluster=("region", "time"))
    with pytest.raises(SpecError, match="'clustered' or 'wild_bootstrap'"):
        bn.twfe(panel, produc_spec, "robust", cluster="region")
    with pytest.raises(SpecError, match="the design has no clusters by 'region'"):
        linear_fit(build_design(panel, produc_spec), "two-way", "clustered", "stata", cluster="region")
    with pytest.raises(SpecError, match="one kind of cluster"):
        bn.mediation_paths(panel, produc_spec, ("hwy",), cluster=("unit", "time"))
    with pytest.raises(SpecError, match="belong to covariance = 'clustered' or interval"):
        bn.mediation_paths(panel, produc_spec, ("hwy",), covariance="robust", cluster="region")


# --- Mediation and instruments


def test_paths_and_their_bootstrap_by_cluster(produc):
    """Each path is its own regression's; the joint covariance is the sum over clusters; a draw takes whole regions."""
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("unemp",))
    paths = bn.mediation_paths(produc, spec, ("lemp",), "product", cluster="region").frame.set_index("estimand")
    first = bn.twfe(produc, bn.Spec(outcome="lemp", exposure="lpcap", controls=("unemp",)), cluster="region").frame
    assert paths.loc["path_a", "spread"] == pytest.approx(first["spread"].iloc[0], rel=1e-10)
    second = bn.twfe(produc, bn.Spec(outcome="lgsp", exposure="lpcap", controls=("unemp", "lemp")), cluster="region")
    assert paths.loc["path_b", "spread"] == pytest.approx(wanted_of(second, "lemp"), rel=1e-10)
    assert "9 groups of 'region' as clusters" in paths.loc["indirect", "note"]
    drawn = bn.mediation_paths(
        produc, spec, ("lemp",), "product", interval="cluster_bootstrap", draws=399, cluster="region"
    ).frame.set_index("estimand")
    assert "399 draws of groups of 'region' with replacement" in drawn.loc["indirect", "convention"]
    assert drawn.loc["indirect", "estimate"] == pytest.approx(paths.loc["indirect", "estimate"], rel=1e-10)
    # One draw by hand: region 1 twice, region 2 not at all, copies as new units.
    from bayes_npp.frequentist.mediation.bootstrap import unit_products, weighted_paths
    from bayes_npp.frequentist.mediation.equations import path_equations

    equations = path_equations(produc, spec, ("lemp",), "two-way", "region")
    labels = equations.outcome.cluster.labels
    times = np.ones(len(labels))
    times[labels.index("1")], times[labels.index("2")] = 2, 0
    own = weighted_paths(unit_products(equations, "two-way"), times[None, :])[0]
    frame = produc.frame
    again = pd.concat(
        [frame[frame["region"] != 2], frame[frame["region"] == 1].assign(state=lambda f: f["state"] + " again")]
    )
    panel = bn.read_panel(again, unit="state", time="year")
    by_hand = bn.mediation_paths(panel, spec, ("lemp",), "product").frame.set_index("estimand")["estimate"]
    np.testing.assert_allclose(own, by_hand[["total", "path_a", "path_b", "direct"]], rtol=1e-8)


def wanted_of(table, term):
    return float(table.frame.set_index("term")["spread"][term])


IV_SPEC = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("unemp",))
METHODS = {"2sls": IV2SLS, "liml": IVLIML, "gmm": IVGMM}


@pytest.mark.parametrize("weights", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("method", "covariance"),
    [("2sls", "clustered"), ("2sls", "robust"), ("liml", "clustered"), ("liml", "robust"), ("gmm", "robust")],
)
def test_instruments_by_cluster_and_with_weights_are_linearmodels(method, covariance, weights, produc):
    """On dummies of both effects; robust and clustered errors of linearmodels have no factor: hc0."""
    frame = produc.frame
    spec = bn.Spec(**{**IV_SPEC.model_dump(), "analytic_weights": WEIGHTS}) if weights else IV_SPEC
    cluster = "region" if covariance == "clustered" else "unit"
    ours = bn.iv(
        produc, spec, ("lemp", "lpc"), method, effects="time", covariance=covariance, convention="hc0", cluster=cluster
    )
    exogenous = np.column_stack([frame["unemp"], dummies(produc, "time")])
    own = {"weights": frame[WEIGHTS]} if weights else {}
    more = {"weight_type": "robust"} if method == "gmm" else {}
    model = METHODS[method](frame["lgsp"], exogenous, frame["lpcap"], frame[["lemp", "lpc"]], **own, **more)
    kind = {"cov_type": "clustered", "clusters": frame["region"]} if covariance == "clustered" else {}
    kind = kind or {"cov_type": "robust"}
    reference = model.fit(**kind, debiased=False, **({"iter_limit": 2} if method == "gmm" else {}))
    row = ours.frame.iloc[0]
    assert row["estimate"] == pytest.approx(reference.params["lpcap"], rel=1e-7)
    if method != "gmm":
        assert row["spread"] == pytest.approx(reference.std_errors["lpcap"], rel=1e-7)
    assert ("weighted by emp" in row["estimator"]) == weights


def test_moments_are_weighted_by_cluster(produc):
    """Two-step GMM with weights by region: linearmodels on columns less the effects, which hold no cluster's number."""
    ours = bn.iv(produc, IV_SPEC, ("lemp", "lpc"), "gmm", effects="none", cluster="region", convention="hc0")
    frame = produc.frame
    exogenous = np.column_stack([np.ones(len(frame)), frame["unemp"]])
    model = IVGMM(
        frame["lgsp"], exogenous, frame["lpcap"], frame[["lemp", "lpc"]], weight_type="clustered",
        clusters=frame["region"].to_numpy(),
    )  # fmt: skip
    reference = model.fit(iter_limit=2, cov_type="clustered", clusters=frame["region"].to_numpy())
    row = ours.frame.iloc[0]
    assert row["estimate"] == pytest.approx(reference.params["lpcap"], rel=1e-6)
    assert ours.diagnostics["hansen"] == pytest.approx(reference.j_stat.stat, rel=1e-6)
    assert ours.diagnostics["first_stage_df"] == "2, 8"


def test_a_design_knows_its_clusters(produc, produc_spec):
    design = clustered_by(build_design(produc, produc_spec), produc, "region")
    assert len(design.cluster.labels) == 9
    assert design.cluster.of_unit.shape == (48,)
    assert clustered_by(design, produc, ("time", "unit")) is design
