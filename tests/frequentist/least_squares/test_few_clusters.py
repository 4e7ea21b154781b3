"""A variance that is rounding is none, and few clusters are no test: every covariance and estimator (`inference`)."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.errors import DesignError
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from bayes_npp.frequentist.hypotheses.proposition import proposition_test, regression_of
from bayes_npp.frequentist.hypotheses.specification import hausman, pesaran_cd, wooldridge_serial
from bayes_npp.frequentist.least_squares.few_clusters import measured
from bayes_npp.frequentist.least_squares.static import linear_fit

SPEC = bn.Spec(outcome="y", exposure="x")
GROUPED = bn.Spec(outcome="y", exposure="x", slopes="g")
TESTS = ["lo", "hi", "p_value"]


def judged(panel, spec, proposition):
    return proposition_test(build_design(panel, regression_of(spec, proposition)), proposition)


def noise(n_units, n_times=9, first=0, seed=1):
    """Independent normals; the first units are group a."""
    random = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), n_times)
    frame = pd.DataFrame({"unit": [f"u{i:02d}" for i in unit], "time": np.tile(np.arange(n_times) + 2000, n_units)})
    frame = frame.assign(**{name: random.standard_normal(len(unit)) for name in ("y", "x", "m", "z")})
    return bn.read_panel(frame.assign(g=np.where(unit < first, "a", "b")), unit="unit", time="time")


@pytest.mark.parametrize("level", [0.0, 1e6])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(k, marks=pytest.mark.slow(minutes=1)) for k in (2, 3, 4))])
def test_two_units_and_period_effects_have_no_standard_error(seed, level):
    """Before: se 6e-16, p 7e-16 in 198 of 200 panels; a level of the outcome makes rounding larger, not a variance."""
    panel = noise(2, seed=seed)
    panel = panel.with_column("y", panel.numbers("y") + level)
    controlled = bn.Spec(outcome="y", exposure="x", controls=("z",))
    for spec in (SPEC, controlled):
        for frame in (
            bn.twfe(panel, spec).frame,
            bn.twfe(panel, spec, covariance="wild_bootstrap").frame,
            bn.twfe(panel, spec, cluster=("unit", "time")).frame,
            bn.fixed_effects(panel, spec, effects="time").frame,
        ):
            assert frame["estimate"].notna().all()
            assert frame[["spread", *TESTS]].isna().all(axis=None)
            assert frame["note"].str.contains("sum to zero in every cluster").all()
        assert bn.twfe(panel, spec, covariance="classical").frame["p_value"].notna().all()
        assert bn.twfe(panel, spec, covariance="robust").frame["p_value"].notna().all()


def test_a_group_of_two_units_has_none_wherever_it_appears():
    """Before: p 5e-137 interacted with group_time_effects, and t = 6 of the difference."""
    panel = noise(32, first=2)
    spec = bn.Spec(**{**GROUPED.model_dump(), "group_time_effects": "g"})
    frame = bn.twfe(panel, spec).frame.set_index(["estimand", "group"])
    own = frame.loc[("group_slope", "a")]
    assert own[["spread", *TESTS]].isna().all()
    assert "'x:a'" in own["note"]
    for label in (("slope_difference", "a - b"), ("average_slope", ""), ("average_slope_twfe_weighted", "")):
        assert frame.loc[label, ["spread", *TESTS]].isna().all()  # one variance out of two is too small a variance
    assert frame.loc[("group_slope", "b"), "p_value"] > 0
    alone = bn.twfe(panel, SPEC, subsamples="g").frame.set_index("group")
    assert alone.loc["a", ["spread", *TESTS]].isna().all()
    assert alone.loc["b", "p_value"] > 0
    assert alone.loc["a", "estimate"] == pytest.approx(own["estimate"])


def test_controls_shared_with_others_do_not_bring_the_variance_back():
    """The slope's own score is zero in every unit; a shared control alone gives it a variance, which is too small."""
    panel = noise(32, first=2)
    spec = bn.Spec(outcome="y", exposure="x", controls=("z",), slopes="g", group_time_effects="g")
    fit = linear_fit(build_design(panel, spec), "two-way", "clustered", "stata")
    assert fit.covariance[0, 0] > 1e-12
    frame = bn.twfe(panel, spec).frame.set_index(["estimand", "group"])
    assert np.isnan(frame.loc[("group_slope", "a"), "spread"])
    assert frame.loc[("coefficient", ""), "p_value"] > 0


def test_two_periods_have_no_driscoll_kraay_error():
    panel = noise(30, 2)
    for frame in (
        bn.twfe(panel, SPEC, covariance="driscoll_kraay").frame,
        bn.fixed_effects(panel, SPEC, covariance="driscoll_kraay").frame,
    ):
        assert frame[["spread", *TESTS]].isna().all(axis=None)
    assert bn.twfe(panel, SPEC).frame["p_value"].notna().all()


def test_dynamic_within_and_paths_of_two_units():
    panel = noise(2)
    frame = bn.dynamic_within(panel, outcome="y", regressors=["L1.y", "x"]).frame
    assert frame[["spread", *TESTS]].isna().all(axis=None)
    for method in ("two_step", "baron_kenny", "product"):
        paths = bn.mediation_paths(panel, SPEC, ("m",), method).frame
        assert paths[["spread", *TESTS]].isna().all(axis=None)
        assert paths.loc[paths["estimand"] != "proportion_mediated", "estimate"].notna().all()
    drawn = bn.mediation_paths(panel, SPEC, ("m",), "product", interval="monte_carlo").frame
    assert drawn[["spread", *TESTS]].isna().all(axis=None)
    with pytest.raises(DesignError, match="there are 2: at least 4 are needed") as found:
        bn.mediation_paths(panel, SPEC, ("m",), "product", interval="cluster_bootstrap")
    assert "'delta'" not in str(found.value)


def test_drawn_intervals_of_few_units_say_so():
    panel = noise(6)
    for interval in ("monte_carlo", "cluster_bootstrap"):
        cell = measured("indirect effect", interval, 6, 9)
        assert (cell.units, cell.periods) == (6, 9)
        frame = bn.mediation_paths(panel, SPEC, ("m",), "product", interval=interval, draws=199).frame
        indirect = frame[frame["estimand"] == "indirect"].iloc[0]
        assert indirect["p_value"] > 0
        assert indirect["note"].startswith(f"6 units as clusters: {cell}")
        assert "panels of noise where only the second path is not zero with 6 units and 9 periods" in indirect["note"]
    other = bn.mediation_paths(
        panel, SPEC, ("m",), "product", covariance="classical", interval="monte_carlo", draws=199
    )
    assert "how often it rejects noise" not in other.frame["note"].iloc[0]  # no clusters
    many = bn.mediation_paths(noise(12), SPEC, ("m",), "product", interval="cluster_bootstrap", draws=199).frame
    assert (many.loc[many["estimand"] == "indirect", "note"] == "").all()


def test_specification_tests_of_two_units():
    """Before: CD = -sqrt(T), every pair being each other's negative."""
    panel = noise(2)
    for effects in ("time", "two-way"):
        test = pesaran_cd(panel, SPEC, effects)
        assert np.isnan(test.statistic)
        assert np.isnan(test.p_value)
        assert "with 2 units period effects alone" in test.note
    assert pesaran_cd(panel, SPEC, "unit").p_value > 0
    assert pesaran_cd(noise(4), SPEC).p_value > 0
    for period_effects in (False, True):
        test = wooldridge_serial(panel, SPEC, period_effects)
        assert np.isnan(test.p_value)
        assert "2 units as clusters" in test.note
    assert np.isnan(wooldridge_serial(panel, SPEC, period_effects=True).statistic)
    assert "6 units as clusters" in wooldridge_serial(noise(6), SPEC).note


@pytest.mark.parametrize("n_units", [3, 4, 9, 10])
def test_no_test_below_four_units_and_a_note_below_ten(n_units):
    row = bn.twfe(noise(n_units), SPEC).frame.iloc[0]
    assert row["spread"] > 0
    assert np.isnan(row["p_value"]) == np.isnan(row["lo"]) == (n_units < 4)
    if n_units == 3:
        assert "3 units as clusters, and a test needs at least 4" in row["note"]
    elif n_units < 10:
        cell = measured("TWFE", "clustered", n_units, 9)
        assert (cell.units, cell.periods, cell.panels) == (n_units, 9, 1000)
        assert f"{n_units} units as clusters: in 1000 simulated panels" in row["note"]
        assert f"p < 0.05 in {100 * cell.share:.1f} %" in row["note"]
        wild = bn.twfe(noise(n_units), SPEC, covariance="wild_bootstrap").frame["p_value"].iloc[0]
        assert f"wild cluster bootstrap p = {wild:.3g} (all {2**n_units} sign vectors" in row["note"]
    assert row["convention"] == f"stata; t({n_units - 1})"


def test_no_driscoll_kraay_test_below_five_periods():
    for n_times in (3, 4, 5):
        row = bn.twfe(noise(30, n_times), SPEC, covariance="driscoll_kraay").frame.iloc[0]
        assert row["spread"] > 0
        assert np.isnan(row["p_value"]) == (n_times < 5)
    assert "5 periods as clusters: in 1000 simulated panels of noise with 30 units and 5 periods" in row["note"]


def test_the_fewer_of_units_and_periods_counts_for_two_way_clusters():
    assert np.isnan(bn.twfe(noise(30, 3), SPEC, cluster=("unit", "time")).frame["p_value"].iloc[0])
    assert "5 periods as clusters" in bn.twfe(noise(30, 5), SPEC, cluster=("unit", "time")).frame["note"].iloc[0]


def test_a_unit_that_effects_absorb_is_no_cluster():
    """Eight units, five of them with a single row: three clusters say all that is known of the errors."""
    frame = noise(8).frame
    panel = bn.read_panel(frame[(frame["unit"] < "u03") | (frame["time"] == 2000)], unit="unit", time="time")
    row = bn.twfe(panel, SPEC).frame.iloc[0]
    assert row["n_units"] == 8
    assert np.isnan(row["p_value"])
    assert "3 units as clusters" in row["note"]


def test_a_group_counts_its_own_units():
    panel = noise(33, first=3)
    frame = bn.twfe(panel, GROUPED).frame.set_index(["estimand", "group"])
    for label in (("group_slope", "a"), ("slope_difference", "a - b")):
        assert frame.loc[label, "spread"] > 0
        assert np.isnan(frame.loc[label, "p_value"])
        assert "3 units in the group" in frame.loc[label, "note"]
    assert frame.loc[("group_slope", "b"), "p_value"] > 0
    assert frame.loc[("average_slope", ""), "p_value"] > 0
    with pytest.raises(DesignError, match=r"group 'a' has no test: .*3 units in the group"):
        equal_slopes(build_design(panel, GROUPED))
    for text in ("slope[a] > 0", "slope[b] > slope[a]"):
        with pytest.raises(DesignError, match=r"no test of .*\(group a\): .*3 units in the group"):
            judged(panel, GROUPED, parse_proposition(text))
    assert judged(panel, GROUPED, parse_proposition("slope[b] > 0")).p_value > 0
    found = judged(noise(36, first=6), GROUPED, parse_proposition("slope[a] > slope[b]"))
    assert "6 units in the group as clusters: in 1000 simulated panels" in found.used
    assert "wild cluster bootstrap p" in found.used


@pytest.mark.parametrize("slope", [2.0, 2e-3])
def test_a_perfect_fit_is_an_error(slope):
    """Before: se 1.8e-16, Hausman and Wooldridge computed on it, a hierarchical fit with R-hat 1e15."""
    panel = noise(8, first=4)
    unit = panel.frame["unit"].factorize()[0]
    panel = panel.with_column("y", slope * panel.numbers("x") + 1000.0 * unit)
    exact = "reproduce 'y' exactly"
    for estimator in (bn.twfe, bn.fixed_effects, hausman, pesaran_cd, wooldridge_serial, bn.fit):
        with pytest.raises(DesignError, match=exact):
            estimator(panel, SPEC)
    for changes in ({"unit_effects": "fixed"}, {"slopes": "g"}, {"slopes": "unit"}, {"dynamic": True}):
        with pytest.raises(DesignError, match=exact):
            bn.fit(panel, bn.Spec(outcome="y", exposure="x", **changes))
    with pytest.raises(DesignError, match=exact):
        bn.dynamic_within(panel, outcome="y", regressors=["L1.y", "x"])
    with pytest.raises(DesignError, match=exact):
        bn.mediation_paths(panel, SPEC, ("m",), "product")
    with pytest.raises(DesignError, match="'x' is a linear combination of y and the effects"):
        bn.mediation_paths(panel, bn.Spec(outcome="m", exposure="y"), ("x",), effects="unit")
    assert bn.pooled_ols(panel, SPEC).frame["p_value"].notna().all()  # units are its errors
    for size in (1e-5, 1.0):
        some = panel.with_column("y", panel.numbers("y") + slope * size * panel.numbers("z"))
        assert bn.twfe(some, SPEC).frame["estimate"].iloc[0] == pytest.approx(slope, rel=size)


@pytest.mark.parametrize("effects", ["none", "unit", "time", "two-way"])
@pytest.mark.parametrize("convention", ["stata", "sss", "hc0", "lsdv"])
def test_robust_is_hc1_of_the_dummy_regression(effects, convention):
    """statsmodels' HC1 with every dummy in the regression, times what another convention counts."""
    frame = noise(12, 5).frame.drop(index=[3, 17, 18])
    panel = bn.read_panel(frame, unit="unit", time="time")
    design = build_design(panel, bn.Spec(outcome="y", exposure="x", controls=("z",)))
    blocks = [design.slope_columns, design.controls, np.ones((design.n_obs, 1))]
    if effects in ("unit", "two-way"):
        blocks.append(np.eye(12)[design.unit][:, 1:])
    if effects in ("time", "two-way"):
        blocks.append(np.eye(5)[design.time][:, 1:])
    columns = np.column_stack(blocks)
    theirs = sm.OLS(design.outcome, columns).fit(cov_type="HC1", use_t=True)
    n, size = columns.shape
    # By hand, dense: bread, meat, n / (n - K).
    bread, errors = np.linalg.inv(columns.T @ columns), theirs.resid
    dense = bread @ (columns.T * errors**2) @ columns @ bread * n / (n - size)
    np.testing.assert_allclose(np.sqrt(np.diag(dense))[:2], theirs.bse[:2], rtol=1e-9)
    counted = {"stata": size, "lsdv": size, "sss": 2 + (effects == "none"), "hc0": 0}[convention]
    wanted = theirs.bse[:2] * np.sqrt((n - size) / (n - counted))
    call = {"none": bn.pooled_ols, "two-way": bn.twfe}.get(effects, bn.fixed_effects)
    own = {"effects": effects} if call is bn.fixed_effects else {}
    rows = call(panel, design.spec, **own, covariance="robust", convention=convention).frame.iloc[:2]
    np.testing.assert_allclose(rows["spread"], wanted, rtol=1e-9)
    assert (rows["covariance"] == "heteroskedasticity-robust").all()
    assert rows["convention"].str.contains({"hc0": "HC0"}.get(convention, "HC1")).all()
    if counted == size:
        np.testing.assert_allclose(rows["p_value"], theirs.pvalues[:2], rtol=1e-7)


def test_shares_quoted_are_those_of_the_page():
    """Static rows of 30 clusters and three periods or more reject at most 7 % plus two Monte Carlo errors of noise."""
    limit = 0.07 + 2 * np.sqrt(0.07 * 0.93 / 1000)
    for estimator in ("pooled OLS", "FE unit", "FE time", "TWFE"):
        for kind in ("classical", "robust", "clustered", "wild_bootstrap"):
            for periods in (3, 5, 9):
                cell = measured(estimator, kind, 30, periods)
                assert (cell.units, cell.periods, cell.panels) == (30, periods, 1000)
                assert cell.share <= limit
    own = measured("FE unit", "driscoll_kraay", 30, 30)
    assert (own.periods, own.share) == (30, 0.09)  # above the limit, and so quoted
    row = bn.fixed_effects(noise(30, 30), SPEC, effects="unit", covariance="driscoll_kraay").frame.iloc[0]
    assert "30 units and 30 periods p < 0.05 in 9.0 %" in row["note"]
    assert measured("TWFE", "clustered", 25, 12) == measured("TWFE", "clustered", 20, 9)
    assert measured("TWFE", "clustered", 1, 1) is None
    assert measured("unknown", "clustered", 30, 9) is None
