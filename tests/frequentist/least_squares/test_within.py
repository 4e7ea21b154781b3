"""Least squares on columns less effects: against linearmodels, dense dummies, and on panels that fall apart."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.panel import PanelOLS, PooledOLS

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.covariance import sandwich
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.panels.simulation import simulate

# With these options linearmodels returns the bare sandwich, and RSS / n for classical errors.
BARE = {"debiased": False, "auto_df": False, "count_effects": False}
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1", "control_2"))


def panel_of(frame):
    return bn.read_panel(frame, unit="unit", time="time")


def in_linearmodels(design, effects):
    index = pd.MultiIndex.from_arrays([design.unit, design.time])
    columns = np.column_stack([design.slope_columns, design.controls])
    if effects == "none":
        columns = np.column_stack([columns, np.ones(len(columns))])
    regressors = pd.DataFrame(columns, index=index, columns=[f"x{j}" for j in range(columns.shape[1])])
    outcome = pd.Series(design.outcome, index=index, name="y")
    if effects == "none":
        return PooledOLS(outcome, regressors), {"debiased": False}
    by_unit, by_time = effects in ("unit", "two-way"), effects in ("time", "two-way")
    return PanelOLS(outcome, regressors, entity_effects=by_unit, time_effects=by_time), BARE


@pytest.mark.parametrize("effects", ["none", "unit", "time", "two-way"])
@pytest.mark.parametrize("kind", ["classical", "robust", "by unit", "by both", "driscoll_kraay"])
def test_every_covariance_equals_linearmodels(effects, kind, simulated):
    design = build_design(simulated, SPEC)
    model, bare = in_linearmodels(design, effects)
    lags = 2 if kind == "driscoll_kraay" else None
    theirs = {
        "classical": lambda: model.fit(cov_type="unadjusted", **bare),
        "robust": lambda: model.fit(cov_type="robust", **bare),
        "by unit": lambda: model.fit(cov_type="clustered", cluster_entity=True, group_debias=False, **bare),
        "by both": lambda: model.fit(
            cov_type="clustered", cluster_entity=True, cluster_time=True, group_debias=False, **bare
        ),
        "driscoll_kraay": lambda: model.fit(cov_type="kernel", kernel="bartlett", bandwidth=2, **bare),
    }[kind]()
    covariance = "clustered" if kind.startswith("by") else kind
    cluster = ("unit", "time") if kind == "by both" else "unit"
    ours = linear_fit(design, effects, covariance, "hc0", lags, cluster=cluster)
    factor = 1.0
    if kind == "classical":
        factor = design.n_obs / (design.n_obs - within_fit(design, effects).counts.n_all)
    np.testing.assert_allclose(ours.coefficients, theirs.params, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.covariance, theirs.cov * factor, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(ours.residuals, theirs.resids, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.floats(0, 0.6), n_periods=st.integers(3, 9), offset=st.floats(-1e4, 1e4))
def test_dense_dummies_on_random_unbalanced_panels(seed, missing, n_periods, offset):
    frame = simulate(12, n_periods, controls=(0.5, -0.4), missing=missing, seed=seed).frame
    frame["exposure"] = frame["exposure"] + offset
    design = build_design(panel_of(frame), SPEC)
    dummies = np.column_stack(
        [design.unit[:, None] == np.arange(len(design.units)), design.time[:, None] == np.arange(len(design.times))]
    ).astype(float)
    columns = np.column_stack([design.exposure, design.controls])
    rank = np.linalg.matrix_rank(dummies)
    if design.n_obs <= rank + 3:
        with pytest.raises(DesignError, match="leave no degrees of freedom"):
            within_fit(design, "two-way")
        return
    fit = within_fit(design, "two-way")
    assert fit.counts.n_all == rank + 3
    left = columns - dummies @ np.linalg.lstsq(dummies, columns, rcond=None)[0]
    bread = np.linalg.inv(left.T @ left)
    np.testing.assert_allclose(fit.coefficients, bread @ left.T @ design.outcome, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.influence, left @ bread, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(dummies.T @ fit.residuals, 0, atol=1e-8)


def test_influence_gives_coefficients_and_intercept(unbalanced):
    design = build_design(unbalanced, SPEC)
    for effects in ("none", "unit", "time", "two-way"):
        fit = within_fit(design, effects)
        np.testing.assert_allclose(fit.influence.T @ design.outcome, fit.coefficients, rtol=1e-10)
    raw = np.column_stack([design.exposure, design.controls, np.ones(design.n_obs)])
    pooled = within_fit(design, "none")
    assert pooled.names[-1] == "intercept"
    np.testing.assert_allclose(pooled.coefficients, np.linalg.lstsq(raw, design.outcome, rcond=None)[0], rtol=1e-10)


def test_parts_that_share_no_period_are_counted():
    frame = simulate(12, 8, controls=(0.5, -0.4), seed=2).frame
    early = frame["unit"].isin(frame["unit"].unique()[:6])
    frame = frame[early == (frame["time"] <= 4)]
    design = build_design(panel_of(frame), SPEC)
    fit = within_fit(design, "two-way")
    dummies = np.column_stack([pd.get_dummies(design.unit), pd.get_dummies(design.time)]).astype(float)
    assert fit.counts.n_all == np.linalg.matrix_rank(dummies) + 3 == 12 + 8 - 2 + 3
    table = bn.twfe(panel_of(frame), SPEC)
    assert set(table.frame["note"]) == {"2 sets of units without a common period: period effects are separate"}


def test_units_of_one_row_are_named(simulated):
    units = simulated.frame["unit"]
    frame = simulated.frame[(units != units.iloc[0]) | ~units.duplicated()]
    with_one, without = (
        bn.twfe(panel_of(f), SPEC, convention="hc0").frame for f in (frame, frame[frame["unit"] != units.iloc[0]])
    )
    np.testing.assert_allclose(with_one["estimate"], without["estimate"], rtol=1e-10)
    np.testing.assert_allclose(with_one["spread"], without["spread"], rtol=1e-9)
    assert with_one["note"].str.startswith("1 unit(s) with a single row").all()
    assert (without["note"] == "").all()
    assert (bn.pooled_ols(panel_of(frame), SPEC).frame["note"] == "").all()


def test_bad_designs_have_one_named_error(simulated):
    frame = simulated.frame
    units = frame["unit"]
    with pytest.raises(DesignError, match="fewer than two units or periods"):
        bn.twfe(panel_of(frame[frame["time"] == 3]), SPEC)
    with pytest.raises(DesignError, match="fewer than two units or periods"):
        bn.twfe(panel_of(frame[units == units.value_counts().index[0]]), SPEC)
    trend = panel_of(frame.assign(control_2=frame["time"] * 2.0))
    with pytest.raises(DesignError, match="'control_2' does not vary once the effects are removed"):
        bn.twfe(trend, SPEC)
    assert np.isfinite(bn.fixed_effects(trend, SPEC).frame["spread"]).all()
    cross = bn.read_panel(frame[frame["time"] == 3], unit="unit", time=None)
    flat = bn.Spec(**{**SPEC.model_dump(), "time_effects": "none", "correlated_means": False})
    with pytest.raises(DesignError, match="leave no degrees of freedom"):
        bn.twfe(cross, flat)
    assert len(bn.pooled_ols(cross, flat).frame) == 4


def test_more_parameters_than_rows_is_one_named_error(simulated):
    names = tuple(f"z{j}" for j in range(30))
    frame = simulated.frame[simulated.frame["time"] <= 2]
    extra = np.random.default_rng(1).normal(size=(len(frame), 30))
    panel = panel_of(pd.concat([frame.reset_index(drop=True), pd.DataFrame(extra, columns=list(names))], axis=1))
    with pytest.raises(DesignError, match=r"\d+ rows for \d+ parameters leave no degrees of freedom"):
        bn.twfe(panel, bn.Spec(outcome="outcome", exposure="exposure", controls=names))


def test_two_way_clusters_name_their_convention(produc, produc_spec):
    frame = bn.twfe(produc, produc_spec, cluster=("unit", "time")).frame
    hc0 = bn.twfe(produc, produc_spec, cluster=["time", "unit"], convention="hc0").frame
    assert set(frame["covariance"]) == {"clustered by unit and period"}
    assert set(frame["convention"]) == {"stata, one factor with G = 17, the fewer of 48 units and 17 periods; t(16)"}
    # K = 4 slopes, 16 period dummies and the constant, as with clusters by unit.
    np.testing.assert_allclose(frame["spread"], hc0["spread"] * np.sqrt(17 / 16 * 815 / (816 - 21)), rtol=1e-12)


def test_two_way_clusters_by_hand(unbalanced):
    """V_unit + V_period - V_row from literal sums over clusters of a dummy-variable regression."""
    design = build_design(unbalanced, SPEC)
    dummies = np.column_stack([pd.get_dummies(design.unit), pd.get_dummies(design.time).iloc[:, 1:]])
    every = np.column_stack([design.exposure, design.controls, dummies]).astype(float)
    bread = np.linalg.inv(every.T @ every)
    residuals = design.outcome - every @ (bread @ every.T @ design.outcome)
    meat = np.zeros_like(bread)
    for sign, labels in ((1, design.unit), (1, design.time), (-1, np.arange(design.n_obs))):
        for label in np.unique(labels):
            score = (every * residuals[:, None])[labels == label].sum(axis=0)
            meat += sign * np.outer(score, score)
    ours = linear_fit(design, "two-way", "clustered", "hc0", cluster=("unit", "time"))
    np.testing.assert_allclose(ours.covariance, (bread @ meat @ bread)[:3, :3], rtol=1e-7, atol=1e-12)


def test_an_indefinite_two_way_covariance_is_named_and_a_negative_variance_blank():
    noted = blank = 0
    for seed in range(40):
        panel = panel_of(simulate(6, 3, controls=(0.5,), seed=seed).frame)
        spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
        fit = linear_fit(build_design(panel, spec), "two-way", "clustered", "stata", cluster=("unit", "time"))
        frame = bn.twfe(panel, spec, cluster=("unit", "time")).frame
        indefinite = np.linalg.eigvalsh(fit.covariance).min() < 0
        assert frame["note"].str.contains("not positive semi-definite").all() == indefinite
        negative = np.diag(fit.covariance) < 0
        assert (frame["spread"].isna().to_numpy() == negative).all()
        assert frame.loc[negative, "note"].str.contains("the estimated variance is not positive").all()
        assert frame.loc[negative, ["lo", "hi", "p_value"]].isna().all(axis=None)
        assert np.isfinite(frame["estimate"]).all()
        noted, blank = noted + indefinite, blank + negative.any()
    assert noted
    assert blank


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster": "time"}, "unknown cluster 'time'"),
        ({"cluster": ("unit", "unit")}, "unknown cluster"),
        ({"cluster": ("unit", "time"), "covariance": "classical"}, "belong to covariance = 'clustered'"),
        ({"lags": 2}, "belong to covariance = 'driscoll_kraay'"),
        ({"lags": 40, "covariance": "driscoll_kraay"}, "lags = 40 with 17 periods"),
    ],
)
def test_options_that_do_not_fit(options, message, produc, produc_spec):
    with pytest.raises(SpecError, match=message):
        bn.twfe(produc, produc_spec, **options)


def test_sandwich_of_hand_written_influence():
    """Two coefficients, four rows: sums one can do on paper."""
    from types import SimpleNamespace

    from bayes_npp.frequentist.least_squares.covariance import Counts

    design = SimpleNamespace(
        units=("a", "b"), times=(1, 2), unit=np.array([0, 0, 1, 1]), time=np.array([0, 1, 0, 1]), cluster=None
    )
    influence, residuals = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([1.0, -1.0, 1.0, 2.0])
    counts = Counts(4, 1, 0, 1, 1)
    options = (design, ("x",), influence, residuals, counts, influence / 30, 0.0, "clustered", "hc0", None)
    assert sandwich(*options, "unit", "").covariance[0, 0] == (1 - 2) ** 2 + (3 + 8) ** 2
    both = (1 - 2) ** 2 + (3 + 8) ** 2 + (1 + 3) ** 2 + (-2 + 8) ** 2 - (1 + 4 + 9 + 64)
    assert sandwich(*options, ("unit", "time"), "").covariance[0, 0] == both
    robust = sandwich(*options[:7], "robust", "hc0", None, "unit", "")
    assert robust.covariance[0, 0] == 1 + 4 + 9 + 64
    assert robust.clusters == ()
    by_unit = sandwich(*options, "unit", "")
    assert by_unit.resting_on(np.ones(1), by_unit.clusters[0]) == 2


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")  # of the peer and the libraries it calls
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_pyfixest_has_the_same_coefficients_and_sandwich(missing):
    pf = pytest.importorskip("pyfixest", reason="pyfixest is not installed", exc_type=ImportError)
    frame = simulate(40, 8, controls=(0.5, -0.4), missing=missing, seed=3).frame
    ssc = pf.ssc(k_adj=False, G_adj=False)
    for clusters, cluster in (("unit", "unit"), ("unit + time", ("unit", "time"))):
        theirs = pf.feols(
            "outcome ~ exposure + control_1 + control_2 | unit + time", frame, vcov={"CRV1": clusters}, ssc=ssc
        )
        ours = bn.twfe(panel_of(frame), SPEC, convention="hc0", cluster=cluster).frame
        np.testing.assert_allclose(ours["estimate"], theirs.coef(), rtol=1e-6)
        np.testing.assert_allclose(ours["spread"], theirs.se(), rtol=1e-5)
