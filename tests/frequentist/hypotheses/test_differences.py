"""Differences between groups: one algebra by several routes, reasons where a test does not apply, R.

`hypotheses.separate` is tested here too. Tolerances: the same algebra 1e-10 relative (statistics), printed digits of R
1e-8; p-values of drawn tests: four binomial standard errors.
"""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.hypotheses.differences import COLUMNS, TESTS, difference_tests, holm
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from tests.conftest import REFERENCE
from tests.frequentist.hypotheses.test_permutation import SPEC, panel_of, world


@pytest.fixture(scope="module")
def tested(simulated, grouped_spec):
    return difference_tests(simulated, grouped_spec, "group", draws=199)


def rows_of(found, test):
    return found.frame[found.frame["test"] == test].set_index(["group_1", "group_2"])


def test_suest_is_the_fully_interacted_regression(simulated, grouped_spec):
    """Clusters lie within groups and no factor stands between: the same z."""
    found = difference_tests(simulated, grouped_spec, "group", convention="hc0", draws=99)
    pairs = equal_slopes(build_design(simulated, grouped_spec), convention="hc0", separate=True).pairs
    suest, full = rows_of(found, "suest"), rows_of(found, "fully interacted")
    for pair in pairs:
        key = tuple(pair.groups.split(" - "))
        assert suest.loc[key, "statistic"] == pytest.approx(pair.statistic, rel=1e-10)
        assert full.loc[key, "statistic"] == pytest.approx(pair.statistic, rel=1e-10)
        assert suest.loc[key, "p_value"] == pytest.approx(2 * stats.norm.sf(abs(pair.statistic)), rel=1e-8)


def test_rows_are_those_of_the_regressions_with_their_factors(simulated, grouped_spec, tested):
    design = build_design(simulated, grouped_spec)
    for test, separate in (("interaction", False), ("fully interacted", True)):
        whole = equal_slopes(design, separate=separate)
        rows = rows_of(tested, test)
        assert rows.loc[("all", "all"), "p_value"] == pytest.approx(whole.p_value, rel=1e-8)
        for pair in whole.pairs:
            row = rows.loc[tuple(pair.groups.split(" - "))]
            assert (row["estimate"], row["p_value"]) == pytest.approx((pair.difference, pair.p_value), rel=1e-8)
    factor = 24 / 23
    bare = rows_of(difference_tests(simulated, grouped_spec, "group", convention="hc0", draws=99), "suest")["statistic"]
    assert (rows_of(tested, "suest")["statistic"] * np.sqrt(factor)).to_numpy() == pytest.approx(bare.to_numpy())


def test_satterthwaite_is_welch_on_separate_regressions(simulated, grouped_spec, tested):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None})
    alone = bn.twfe(simulated, spec, convention="cr1", subsamples="group").frame
    alone = alone[alone["estimand"] == "subsample_slope"].set_index("group")
    for (one, two), row in rows_of(tested, "satterthwaite").iterrows():
        parts = [(alone.loc[g, "spread"] ** 2, alone.loc[g, "n_units"] - 1) for g in (one, two)]
        variance = sum(v for v, _ in parts)
        df = variance**2 / sum(v**2 / m for v, m in parts)
        ratio = (alone.loc[one, "estimate"] - alone.loc[two, "estimate"]) / np.sqrt(variance)
        assert (row["statistic"], row["p_value"]) == pytest.approx((ratio, 2 * stats.t.sf(abs(ratio), df)), rel=1e-8)


def test_chow_tests_every_coefficient(simulated, grouped_spec, tested):
    """Two groups alone: the Wald test on the dense fully interacted regression, all slopes at once."""
    one, two = "north", "south"
    frame = simulated.frame[simulated.frame["group"].isin([one, two])]
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    row = rows_of(difference_tests(panel, grouped_spec, "group", convention="hc0", draws=99), "chow").loc[(one, two)]
    regressors = ["exposure", "control_1", "control_2"]
    member = np.column_stack([frame["group"] == g for g in (one, two)]).astype(float)
    x = np.column_stack([frame[[name]].to_numpy() * member for name in regressors])
    dummies = [pd.get_dummies(frame["unit"]), pd.get_dummies(frame["group"] + frame["time"].astype(str))]
    dummies = np.column_stack(dummies).astype(float)
    both = np.column_stack([frame["outcome"], x])
    left = both - dummies @ np.linalg.lstsq(dummies, both, rcond=1e-10)[0]
    bread = np.linalg.inv(left[:, 1:].T @ left[:, 1:])
    beta = bread @ left[:, 1:].T @ left[:, 0]
    scores = left[:, 1:] * (left[:, 0] - left[:, 1:] @ beta)[:, None]
    sums = pd.DataFrame(scores).groupby(frame["unit"].to_numpy()).sum().to_numpy()
    gaps = np.kron(np.eye(3), [1, -1])
    wald = (gaps @ beta) @ np.linalg.solve(gaps @ bread @ sums.T @ sums @ bread @ gaps.T, gaps @ beta) / 3
    assert row["statistic"] == pytest.approx(wald, rel=1e-7)
    assert row["p_value"] == pytest.approx(stats.f.sf(wald, 3, frame["unit"].nunique() - 1), rel=1e-6)
    assert row["term"] == "all coefficients"


def test_frame_has_the_columns_of_the_contract_and_every_test(tested):
    assert tuple(tested.frame.columns) == COLUMNS
    assert COLUMNS == ("test", "group_1", "group_2", "term", "estimate", "statistic", "p_value", "applies", "note")
    assert list(dict.fromkeys(tested.frame["test"])) == list(TESTS)
    assert tested.frame["applies"].all()
    assert tested.frame["p_value"].between(0, 1).all()
    assert tested.units == {"north": 8, "south": 8, "west": 8}
    near = tested.frame[tested.frame["test"].isin(["interaction", "suest", "wild bootstrap"])]
    assert near["note"].str.contains("p approximate: 8 units in the smaller group").all()


def test_it_shows_itself(tested):
    text = repr(tested)
    assert text.startswith("Slopes of exposure by group")
    assert "north (8), south (8), west (8)" in text
    assert len(text) < 600


def test_holm():
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_pairs_are_adjusted_within_each_test(tested):
    for test, rows in tested.holm.groupby("test"):
        assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p_value"].to_numpy())), test
    assert set(tested.holm["test"]) == set(TESTS)
    assert len(tested.holm) == 3 * len(TESTS)


def test_same_seed_same_rows(simulated, grouped_spec, tested):
    again = difference_tests(simulated, grouped_spec, "group", draws=199)
    pd.testing.assert_frame_equal(again.frame, tested.frame)
    other = difference_tests(simulated, grouped_spec, "group", draws=199, seed=2)
    assert not other.frame["p_value"].equals(tested.frame["p_value"])


def test_a_group_of_three_units_has_no_test_and_says_so():
    panel = panel_of(world(np.random.default_rng(3), (3, 12), periods=9))
    found = bn.group_differences(panel, SPEC, "group", draws=99)
    assert not found.frame["applies"].any()
    assert found.frame["p_value"].isna().all()
    assert (found.frame["note"] == "group 'a' has 3 units, and a test needs at least 4 in each group").all()
    pairs = found.frame[(found.frame["group_1"] == "a") & (found.frame["test"] != "chow")]
    assert pairs["estimate"].notna().all()
    assert found.holm.empty


def test_a_group_of_one_unit_is_a_named_error():
    panel = panel_of(world(np.random.default_rng(3), (1, 12)))
    with pytest.raises(DesignError, match=r"group 'a' of 'group' has one unit.*Merge it"):
        bn.group_differences(panel, SPEC, "group")


def test_clusters_in_both_groups_leave_the_joint_estimation_alone():
    """Every unit is in both groups: units cannot change groups, and the covariance between the groups counts."""
    frame = world(np.random.default_rng(4), (6, 6), periods=12)
    frame["half"] = np.where(frame["time"] < 6, "early", "late")
    found = difference_tests(panel_of(frame), SPEC, "half", draws=99)
    rows = found.frame[found.frame["group_1"] == "early"].set_index("test")
    assert rows.index[rows["applies"]].tolist() == ["interaction", "suest"]
    refused = rows[~rows["applies"]]
    assert refused["note"].str.contains("is in two groups of 'half'").all()
    assert "their covariance is subtracted" in rows.loc["suest", "note"]
    sides = {}
    for half, own in frame.groupby("half"):
        design = build_design(panel_of(own), SPEC)
        columns = np.column_stack([design.exposure, design.controls, design.outcome])
        dummies = np.column_stack([np.eye(12)[design.unit], np.eye(6)[design.time]])
        left = columns - dummies @ np.linalg.lstsq(dummies, columns, rcond=None)[0]
        bread = np.linalg.inv(left[:, :2].T @ left[:, :2])
        beta = bread @ left[:, :2].T @ left[:, 2]
        scores = (left[:, :2] @ bread)[:, 0] * (left[:, 2] - left[:, :2] @ beta)
        sides[half] = beta[0], pd.Series(scores).groupby(np.array(design.units)[design.unit]).sum()
    gap = sides["early"][0] - sides["late"][0]
    spread = np.sqrt(((sides["early"][1] - sides["late"][1]) ** 2).sum() * 12 / 11)
    assert rows.loc["suest", "statistic"] == pytest.approx(gap / spread, rel=1e-8)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"draws": 10}, "draws = 10"), ({"seed": -1}, "seed = -1"), ({"convention": "stat"}, "unknown convention")],
)
def test_bad_options(simulated, grouped_spec, options, problem):
    with pytest.raises(SpecError, match=problem):
        bn.group_differences(simulated, grouped_spec, "group", **options)


def test_effects_beyond_units_and_periods_are_refused(simulated, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "exposure_factor": "fixed"})
    with pytest.raises(SpecError, match="unit effects, period effects and unit trends alone"):
        bn.group_differences(simulated, spec, "group")


R_SCRIPT = """
d <- read.csv("%s")
d <- d[d$region %%in%% c(3, 5), ]
d$y <- log(d$gsp); d$x <- log(d$pcap); d$k <- log(d$pc); d$e <- log(d$emp)
one <- function(s) {
  m <- lm(y ~ x + k + e + unemp + factor(state) + factor(year), s)
  z <- residuals(lm(x ~ k + e + unemp + factor(state) + factor(year), s))
  score <- tapply(z * residuals(m), s$state, sum) / sum(z^2)
  c(coef(m)["x"], sum(score^2, na.rm = TRUE), sum(!is.na(score)))
}
a <- d$region == 3
f <- one(d[a, ]); g <- one(d[!a, ]); n <- f[3] + g[3]
cat(sprintf("%%.12g %%.12g\\n", f[1] - g[1], (f[1] - g[1]) / sqrt((f[2] + g[2]) * n / (n - 1))))
states <- unique(d$state); first <- unique(d$state[a])
gaps <- apply(combn(length(states), length(first)), 2, function(k) {
  s <- d$state %%in%% states[k]
  one(d[s, ])[1] - one(d[!s, ])[1]
})
cat(sprintf("%%.12g %%d\\n", mean(abs(gaps) >= abs(f[1] - g[1]) * (1 - 1e-9)), length(gaps)))
"""


@pytest.mark.peer
@pytest.mark.slow(minutes=2)
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_produc_in_r(tmp_path, produc, produc_spec):
    """Two regions of the public panel: suest's z and every one of the permutations, by lm with dummies."""
    script = tmp_path / "produc.R"
    script.write_text(R_SCRIPT % (REFERENCE / "produc.csv"), encoding="utf-8")
    out = subprocess.run([shutil.which("Rscript"), script], capture_output=True, text=True, check=True).stdout
    (gap, z), (p, count) = (map(float, line.split()) for line in out.strip().splitlines())
    frame = produc.frame[produc.frame["region"].isin([3, 5])]
    panel = bn.read_panel(frame, unit="state", time="year")
    rows = bn.group_differences(panel, produc_spec, "region").frame.set_index("test")
    rows = rows[rows["group_1"] != "all"]
    sign = 1 if str(rows.loc["suest", "group_1"]) == "3" else -1
    assert sign * rows.loc["suest", "estimate"] == pytest.approx(gap, rel=1e-8)
    assert sign * rows.loc["suest", "statistic"] == pytest.approx(z, rel=1e-8)
    assert rows.loc["permutation", "p_value"] == pytest.approx(p, abs=1e-12)
    assert f"all {int(count)} arrangements" in rows.loc["permutation", "note"]
