"""Hausman, Pesaran's CD and Wooldridge's test: golden rows of plm and gretl, and dense computations.

Golden: plm 2.6-2 (static_panel.csv, produc); gretl 2022c on abdata, n on w and k, printed to six or more digits:
`panel n const w k --random-effects --unbalanced --matrix-diff` (Hausman 25.2717, Baltagi and Chang); after fixed
effects `modtest --xdepend` (CD 22.940887) and `modtest --autocorr` (Wooldridge, F(1, 139) = 145.728).
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.simulation import simulate
from tests.conftest import REFERENCE

GOLDEN = pd.read_csv(REFERENCE / "static_panel.csv").set_index("spec")
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1", "control_2"))


@pytest.fixture(scope="module")
def abdata():
    return bn.read_panel(REFERENCE / "abdata.csv", unit="id", time="year")


@pytest.fixture(scope="module")
def employment():
    return bn.Spec(outcome="n", exposure="w", controls=("k",))


def panel_of(frame):
    return bn.read_panel(frame, unit="unit", time="time")


def test_hausman_of_produc_in_plm(produc, produc_spec):
    row = GOLDEN.loc["Hausman FE vs RE (entity)"]
    test = bn.hausman(produc, produc_spec)
    assert test.statistic == pytest.approx(row["estimate"], rel=1e-8)
    assert test.p_value == pytest.approx(row["p"], rel=1e-6)
    assert test.distribution == "chi2(4)"
    # plm prints this statistic without a word; gretl refuses the same matrix.
    assert "not positive definite" in test.note
    assert test.quantities["lowest eigenvalue"] < 0
    assert test.quantities["statistic with one error variance"] > 0


def test_pesaran_cd_of_produc_in_plm(produc, produc_spec):
    row = GOLDEN.loc["Pesaran CD on TWFE resid"]
    test = bn.pesaran_cd(produc, produc_spec)
    assert test.statistic == pytest.approx(row["estimate"], rel=1e-8)
    assert test.p_value == pytest.approx(row["p"], rel=1e-6)
    assert test.distribution == "N(0, 1)"
    assert test.quantities["pairs"] == 48 * 47 / 2


def test_abdata_in_gretl(abdata, employment):
    hausman = bn.hausman(abdata, employment)
    assert hausman.statistic == pytest.approx(25.2717, abs=5e-5)
    assert hausman.distribution == "chi2(2)"
    assert hausman.note == ""
    assert hausman.quantities["RE w"] == pytest.approx(-0.342836, abs=5e-7)
    assert hausman.quantities["unit SD"] ** 2 == pytest.approx(0.283651, abs=5e-7)
    assert hausman.quantities["error SD"] ** 2 == pytest.approx(0.0188465, abs=5e-8)
    cd = bn.pesaran_cd(abdata, employment, effects="unit")
    assert cd.statistic == pytest.approx(22.940887, abs=5e-7)
    assert cd.quantities["mean absolute correlation"] == pytest.approx(0.542, abs=5e-4)
    serial = bn.wooldridge_serial(abdata, employment)
    assert serial.statistic == pytest.approx(145.728, abs=5e-4)
    assert serial.p_value == pytest.approx(2.13231e-23, rel=1e-5)
    assert serial.distribution == "F(1, 139)"
    assert serial.quantities["rho"] == pytest.approx(0.0931559, abs=5e-8)
    assert serial.quantities["standard error"] == pytest.approx(0.0491357, abs=5e-8)
    assert (serial.n_obs, serial.n_units) == (751, 140)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_hausman_by_dense_generalised_least_squares(missing):
    """Variance components from their definition (expected sums of squares), GLS with the full covariance matrix."""
    frame = simulate(20, 6, controls=(0.5, -0.4), missing=missing, confounding=0.3, seed=8).frame
    test = bn.hausman(panel_of(frame), SPEC)
    y, unit = frame["outcome"].to_numpy(), frame["unit"].factorize()[0]
    x = frame[["exposure", "control_1", "control_2"]].to_numpy()
    n, dummies = len(y), np.eye(20)[unit]
    z = np.column_stack([np.ones(n), x])
    means = dummies @ np.linalg.inv(dummies.T @ dummies) @ dummies.T
    within = np.eye(n) - means
    fe = np.linalg.solve(x.T @ within @ x, x.T @ within @ y)
    rss = (within @ (y - x @ fe)) @ (y - x @ fe)
    error_variance = rss / (n - 20 - 3)
    between = means - means @ z @ np.linalg.inv(z.T @ means @ z) @ z.T @ means
    # E y'By = trace(B) error variance + trace(B D D') unit variance.
    unit_variance = (y @ between @ y - np.trace(between) * error_variance) / np.trace(between @ dummies @ dummies.T)
    omega = np.eye(n) + unit_variance / error_variance * dummies @ dummies.T
    inverse = np.linalg.inv(omega)
    spread = np.linalg.inv(z.T @ inverse @ z)
    re = spread @ z.T @ inverse @ y
    residual_variance = (y - z @ re) @ inverse @ (y - z @ re) / (n - 4)
    gap = fe - re[1:]
    difference = error_variance * np.linalg.inv(x.T @ within @ x) - residual_variance * spread[1:, 1:]
    assert unit_variance > 0
    assert test.quantities["unit SD"] == pytest.approx(np.sqrt(unit_variance), rel=1e-9)
    assert test.quantities["RE control_1"] == pytest.approx(re[2], rel=1e-9)
    assert test.statistic == pytest.approx(gap @ np.linalg.inv(difference) @ gap, rel=1e-6)


def test_hausman_without_unit_variance_says_so():
    for seed in range(30):
        frame = simulate(15, 5, controls=(0.5, -0.4), unit_sd=0.0, confounding=0.0, time_sd=0.0, seed=seed).frame
        test = bn.hausman(panel_of(frame), SPEC)
        if test.quantities["unit SD"] == 0:
            pooled = bn.pooled_ols(panel_of(frame), SPEC).frame.set_index("term")["estimate"]
            assert test.quantities["RE exposure"] == pytest.approx(pooled["exposure"], rel=1e-9)
            assert "random effects are pooled OLS" in test.note
            return
    pytest.fail("no world with a unit variance of zero")


def test_a_negative_hausman_statistic_has_no_p_value():
    found = False
    for seed in range(60):
        frame = simulate(12, 4, controls=(0.5, -0.4), unit_sd=0.3, confounding=0.0, seed=seed).frame
        test = bn.hausman(panel_of(frame), SPEC)
        assert ("not positive definite" in test.note) == (test.quantities["lowest eigenvalue"] <= 1e-10)
        assert np.isnan(test.p_value) == (not test.statistic >= 0)
        found |= test.statistic < 0
    assert found


def test_cd_of_an_unbalanced_panel_pair_by_pair(unbalanced):
    test = bn.pesaran_cd(unbalanced, SPEC, effects="two-way")
    frame = unbalanced.frame
    dummies = pd.get_dummies(frame[["unit", "time"]].astype(str)).astype(float).to_numpy()
    every = np.column_stack([frame[["exposure", "control_1", "control_2"]], dummies])
    residuals = frame["outcome"] - every @ np.linalg.lstsq(every, frame["outcome"], rcond=None)[0]
    wide = (
        residuals.to_frame("e")
        .assign(unit=frame["unit"], time=frame["time"])
        .pivot(index="time", columns="unit", values="e")
    )
    total, pairs, names = 0.0, 0, list(wide)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            both = wide[[one, other]].dropna()
            if len(both) >= 3:
                total += np.sqrt(len(both)) * np.corrcoef(both.T)[0, 1]
                pairs += 1
    left_out = 24 * 23 // 2 - pairs
    assert test.quantities["pairs"] == pairs
    assert test.statistic == pytest.approx(total / np.sqrt(pairs), rel=1e-8)
    assert (f"{left_out} of 276 pairs left out" in test.note) == (left_out > 0)
    assert "pulls CD down" in test.note


def test_cd_in_chunks_is_the_same(produc, produc_spec, monkeypatch):
    whole = bn.pesaran_cd(produc, produc_spec)
    monkeypatch.setattr("bayes_npp.frequentist.hypotheses.specification.CHUNK_CELLS", 500)
    assert bn.pesaran_cd(produc, produc_spec).statistic == pytest.approx(whole.statistic, rel=1e-12)


def literal_wooldridge(frame, names, period_effects=False):
    """Differences and lags by looking the year before up, one row at a time."""
    cells = frame.set_index(["unit", "time"])
    rows = [
        (unit, time, *(cells.loc[(unit, time), list(names)] - cells.loc[(unit, time - 1), list(names)]))
        for unit, time in cells.index
        if (unit, time - 1) in cells.index
    ]
    changes = pd.DataFrame(rows, columns=["unit", "time", *names]).set_index(["unit", "time"])
    x = changes[list(names[1:])].to_numpy()
    if period_effects:
        x = np.column_stack([x, pd.get_dummies(changes.index.get_level_values("time"))]).astype(float)
    y = changes[names[0]].to_numpy()
    residual = pd.Series(y - x @ np.linalg.lstsq(x, y, rcond=None)[0], index=changes.index)
    pairs = [(u, residual[(u, t)], residual[(u, t - 1)]) for u, t in residual.index if (u, t - 1) in residual.index]
    unit, now, before = (np.array(part) for part in zip(*pairs, strict=True))
    rho = (before @ now) / (before @ before)
    sums = pd.Series(before * (now - rho * before)).groupby(unit).sum()
    variance = (sums**2).sum() / (before @ before) ** 2 * len(sums) / (len(sums) - 1)
    return (rho + 0.5) ** 2 / variance, len(sums)


@pytest.mark.parametrize("period_effects", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.25, 0.4])
def test_wooldridge_across_gaps(missing, period_effects):
    frame = simulate(24, 9, controls=(0.5, -0.4), missing=missing, autocorrelation=0.3, seed=6).frame
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    test = bn.wooldridge_serial(panel_of(shuffled), SPEC, period_effects=period_effects)
    statistic, n_units = literal_wooldridge(
        frame, ["outcome", "exposure", "control_1", "control_2"], period_effects=period_effects
    )
    assert test.statistic == pytest.approx(statistic, rel=1e-9)
    assert test.distribution == f"F(1, {n_units - 1})"
    assert test.p_value == pytest.approx(stats.f.sf(statistic, 1, n_units - 1), rel=1e-9)


def test_wooldridge_finds_what_is_there():
    independent, correlated = (
        bn.wooldridge_serial(
            panel_of(simulate(80, 8, controls=(0.5, -0.4), autocorrelation=rho, seed=3).frame),
            SPEC,
            period_effects=True,
        )
        for rho in (0.0, 0.5)
    )
    assert independent.p_value > 0.05
    assert correlated.p_value < 1e-6
    assert independent.quantities["rho"] == pytest.approx(-0.5, abs=0.08)


def test_bad_input_has_one_named_error(simulated, produc, produc_spec):
    trends = bn.Spec(**{**SPEC.model_dump(), "unit_trends": True})
    for test in (bn.hausman, bn.wooldridge_serial):
        with pytest.raises(SpecError, match="unit trends"):
            test(simulated, trends)
    with pytest.raises(SpecError, match="unknown effects"):
        bn.pesaran_cd(produc, produc_spec, effects="both")
    every_other = simulated.frame[simulated.frame["time"] % 2 == 1]
    with pytest.raises(DesignError, match=r"0 complete rows. No row has the period that 'outcome'"):
        bn.wooldridge_serial(bn.read_panel(every_other, unit="unit", time="time", step=1), SPEC)
    apart = simulated.frame[simulated.frame["time"].isin([1, 2, 4, 5])]
    with pytest.raises(DesignError, match="two first differences in a row"):
        bn.wooldridge_serial(panel_of(apart), SPEC)
    two = simulated.frame[simulated.frame["time"] <= 2]
    with pytest.raises(DesignError, match="3 common periods"):
        bn.pesaran_cd(panel_of(two), SPEC, effects="none")
    few = simulated.frame[simulated.frame["unit"].isin(simulated.frame["unit"].unique()[:4])]
    with pytest.raises(DesignError, match="4 units for 4 coefficients"):
        bn.hausman(panel_of(few), SPEC)
    fixed = simulated.with_column("place", simulated.frame["unit"].factorize()[0].astype(float))
    with pytest.raises(DesignError, match="'place' does not vary once the effects are removed"):
        bn.hausman(fixed, bn.Spec(outcome="outcome", exposure="exposure", controls=("place",)))
