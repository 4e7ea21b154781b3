"""Dynamic panels against golden numbers (Stata, xtabond2, an independent implementation) and literal loops."""

import json

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.dynamic.fit import fit_gmm
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments
from tests.conftest import REFERENCE
from tests.frequentist.dynamic.test_gmm_peer import dynamic_frame

# Golden rows of gmm.csv have 16 digits: coefficients, errors and statistics of one formula differ by rounding only.
COEFFICIENT, ERROR, STATISTIC = 1e-6, 1e-5, 1e-4
# Published numbers hold to the digits they are printed with (half a unit of the last, and what floats add); one old
# table was cut after four decimals, not rounded (.94538 stands as .9453): a whole unit.
PRINTED, CUT = 0.51, 1.01

LAGS = ["L1.n", "L2.n"]
AB91 = [*LAGS, "w", "L1.w", "k", "L1.k", "L2.k", "ys", "L1.ys", "L2.ys"]
SPECS = {
    "D1_diff_n24_w13_ivk": (
        bn.difference_gmm,
        {"regressors": [*LAGS, "w", "k"], "gmm": [("n", 2, 4), ("w", 1, 3)], "iv": ["k"]},
    ),
    "S1_sys_n24_w13_ivk": (
        bn.system_gmm,
        {"regressors": [*LAGS, "w", "k"], "gmm": [("n", 2, 4), ("w", 1, 3)], "iv": ["k"]},
    ),
    "AB91_a": (
        bn.difference_gmm,
        {"regressors": AB91, "gmm": [("n", 2, None)], "iv": AB91[2:], "time_dummies": "level"},
    ),
}
STEPS = {
    "1step robust": {"steps": 1},
    "2step windmeijer": {"steps": 2},
    "2step uncorrected": {"steps": 2, "windmeijer": False},
}
ROODMAN = {
    "regressors": ["L1.n", "w", "L1.w", "k", "L1.k"],
    "gmm": [("n", 2, None), ("w", 2, None), ("k", 2, None)],
    "steps": 1,
    "small": True,
    "time_dummies": "level",
}


@pytest.fixture(scope="module")
def abdata() -> bn.Panel:
    frame = pd.read_csv(REFERENCE / "abdata.csv")
    for year in range(1976, 1985):
        frame[f"yr{year}"] = 1.0 * (frame["year"] == year)
    return bn.read_panel(frame, unit="id", time="year")


def table_of(panel: bn.Panel, spec: str, steps: str) -> bn.Estimates:
    estimator, options = SPECS[spec]
    return estimator(panel, outcome="n", **options, **STEPS[steps])


def rows_of(table: bn.Estimates) -> pd.DataFrame:
    return table.frame[table.frame["estimand"] != "long_run"].set_index("term")


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("steps", STEPS)
def test_golden_rows(abdata, spec, steps):
    golden = pd.read_csv(REFERENCE / "gmm.csv")
    golden = golden[golden["spec"] == f"{spec}|{steps}"]
    assert len(golden) >= 4
    terms = golden["term"].replace({"_con": "intercept"}).str.replace(r"^y(\d{4})$", r"time[\1]", regex=True)
    ours = rows_of(table_of(abdata, spec, steps)).loc[terms]
    np.testing.assert_allclose(ours["estimate"], golden["estimate"], rtol=COEFFICIENT)
    np.testing.assert_allclose(ours["spread"], golden["se"], rtol=ERROR)


def test_every_golden_row_belongs_to_a_spec():
    golden = set(pd.read_csv(REFERENCE / "gmm.csv")["spec"])
    assert golden == {f"{spec}|{steps}" for spec in SPECS for steps in STEPS}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("steps", [1, 2])
def test_golden_diagnostics(abdata, spec, steps):
    golden = json.loads((REFERENCE / "gmm_diagnostics.json").read_text(encoding="utf-8"))[spec]
    table = table_of(abdata, spec, "1step robust" if steps == 1 else "2step windmeijer")
    ours = table.diagnostics
    assert ours["n_instruments"] == golden["n_inst"]
    assert ours["hansen"] == pytest.approx(golden["hansen"], rel=STATISTIC)
    assert (ours["hansen_df"], ours["hansen_p"]) == (golden["df"], pytest.approx(golden["p"], rel=STATISTIC))
    for order in (1, 2):
        value, p = golden[f"AR{order}_{steps}step"]
        assert ours[f"ar{order}"] == pytest.approx(value, rel=STATISTIC)
        assert ours[f"ar{order}_p"] == pytest.approx(p, rel=STATISTIC)
    assert table.frame["n_obs"][0] == (golden["n_level"] or golden["n_diff"])


def printed(value: str, units: float = PRINTED) -> float:
    """Half a unit of the last printed digit."""
    return units * 10.0 ** -len(value.split(".")[1])


def published() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "gmm_published.csv", dtype=str)


def test_published_tables(abdata):
    """Every published row: Arellano-Bond and system GMM of xtabond2, xtabond's manual, to the digits printed."""
    estimates = {
        ("L(0/2).(k ys) yr*", "nolevel robust"): table_of(abdata, "AB91_a", "1step robust"),
        ("ivstyle(yr*, equation(level))", "robust small"): bn.system_gmm(abdata, outcome="n", **ROODMAN),
        ("iv(k) nolevel", "twostep robust"): table_of(abdata, "D1_diff_n24_w13_ivk", "2step windmeijer"),
        ("iv(k) twostep", "twostep robust"): table_of(abdata, "S1_sys_n24_w13_ivk", "2step windmeijer"),
        ("lags(2) noconstant", "one-step vce(robust)"): table_of(abdata, "AB91_a", "1step robust"),
        ("ex.4", "twostep vce(robust)"): table_of(abdata, "AB91_a", "2step windmeijer"),
    }
    seen = 0
    for row in published().to_dict("records"):
        (table,) = [t for (a, b), t in estimates.items() if a in row["spec"] and b in row["spec"]]
        if row["term"].startswith("yr") or row["term"] == "_cons":
            continue  # another base year: the next test
        ours = rows_of(table).loc[row["term"]]
        units = CUT if row["source"].startswith("old pydynpd README") else PRINTED
        assert abs(ours["estimate"] - float(row["estimate"])) <= printed(row["estimate"], units), row["term"]
        assert abs(ours["spread"] - float(row["se"])) <= printed(row["se"], units), row["term"]
        if isinstance(row["n_obs"], str):
            assert ours["n_obs"] == float(row["n_obs"])
        assert table.diagnostics["n_instruments"] == float(row["n_inst"])
        for name in ("ar1", "ar2", "sargan", "hansen", "hansen_p"):
            if isinstance(row[name], str):
                assert abs(table.diagnostics[name] - float(row[name])) <= printed(row[name]), name
        seen += 1
    assert seen == len(published()) - 8


def test_published_dummies_of_the_system(abdata):
    """Roodman leaves out 1984 where we leave out the first year: differences from it, with the covariance behind."""
    equations = Equations("n", tuple(ROODMAN["regressors"]), tuple(ROODMAN["gmm"]), system=True, time_dummies="level")
    fit = fit_gmm(build_moments(abdata, equations), 1, True, True, 3)
    n, g, slopes = 891, 140, len(fit.moments.names) - 1
    covariance = fit.covariance * n / (n - slopes) * g / (g - 1)
    names = list(fit.moments.names)
    last = np.eye(len(names))[names.index("time[1984]")]
    rows = published().set_index("term").filter(regex="^yr|_cons", axis=0)
    assert len(rows) == 8
    for term, row in rows.iterrows():
        if term == "_cons":
            combination = np.eye(len(names))[names.index("intercept")] + last
        else:
            own = f"time[{term[2:]}]"
            combination = (np.eye(len(names))[names.index(own)] if own in names else 0.0) - last
        assert abs(combination @ fit.coefficients - float(row["estimate"])) <= printed(row["estimate"]), term
        assert abs(np.sqrt(combination @ covariance @ combination) - float(row["se"])) <= printed(row["se"]), term


def test_published_two_step_small(abdata):
    """xtabond2's two-step system with `small`, dummies as instruments of both equations (a forum's printed output)."""
    dummies = [f"yr{year}" for year in range(1980, 1985)]
    table = bn.system_gmm(
        abdata,
        outcome="n",
        regressors=[*AB91, *dummies],
        gmm=[("L1.n", 1, None), ("w", 1, None), ("k", 1, None)],
        iv=dummies,
        small=True,
    )
    golden = pd.read_csv(REFERENCE / "gmm_forum.csv", dtype=str)
    ours = rows_of(table).loc[golden["term"]]
    for estimate, se, row in zip(ours["estimate"], ours["spread"], golden.itertuples(), strict=True):
        assert abs(estimate - float(row.estimate)) <= printed(row.estimate), row.term
        assert abs(se - float(row.se)) <= printed(row.se), row.term
    assert (table.diagnostics["n_instruments"], table.frame["n_obs"][0]) == (120, 751)
    assert "t(139)" in table.frame["convention"][0]


def test_difference_in_hansen_as_published(abdata):
    """Roodman (2009), section 4: sets left out of the 113 instruments, statistics with two decimals."""
    tests = {
        t["instruments"]: t for t in bn.system_gmm(abdata, outcome="n", **ROODMAN).diagnostics["difference_in_hansen"]
    }
    levels, dummies = tests["all gmm instruments of the level equation"], tests["time dummies"]
    assert (levels["df_excluding"], levels["df"]) == (79, 21)
    assert levels["hansen_excluding"] == pytest.approx(84.33, abs=0.005)
    assert levels["difference"] == pytest.approx(26.37, abs=0.005)
    assert (dummies["df_excluding"], dummies["df"]) == (93, 7)
    assert dummies["hansen_excluding"] == pytest.approx(107.79, abs=0.005)
    assert dummies["difference"] == pytest.approx(2.91, abs=0.005)


def literal(
    frame: pd.DataFrame, system: bool, fod: bool, h: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, instruments and the first-step weight by loops over units and years, lags looked up in a dictionary."""
    cells = {(r.id, r.year): r for r in frame.itertuples()}
    years = range(frame["year"].min(), frame["year"].max() + 1)
    keys: dict[tuple, int] = {}
    units = []
    for unit in frame["id"].unique():
        full = [t for t in years if (unit, t) in cells and (unit, t - 1) in cells]
        at = {t: (cells[unit, t].y, cells[unit, t - 1].y, cells[unit, t].x, cells[unit, t].k) for t in full}
        rows = []  # (regressand and regressors, instruments, what it does to the errors)
        for t in full:
            if fod:
                later = [s for s in full if s > t]
                if not later:
                    continue
                c = np.sqrt(len(later) / (len(later) + 1))
                error = {t: c, **dict.fromkeys(later, -c / len(later))}
                date = t + 1
            elif t - 1 in full:
                error, date = {t: 1.0, t - 1: -1.0}, t
            else:
                continue
            value = sum(w * np.array(at[s]) for s, w in error.items())
            z = {("iv",): value[3]}
            for name, first, last in (("y", 2, 4), ("x", 1, 3)):
                for lag in range(first, last + 1):
                    if (unit, date - lag) in cells:
                        z["gmm", name, date, lag] = getattr(cells[unit, date - lag], name)
            rows.append((np.append(value, 0.0), z, error, "transformed"))
        if system:
            for t in full:
                z = {("iv",): at[t][3], ("one",): 1.0}
                for name, lag in (("y", 1), ("x", 0)):
                    if (unit, t - lag) in cells and (unit, t - lag - 1) in cells:
                        change = getattr(cells[unit, t - lag], name) - getattr(cells[unit, t - lag - 1], name)
                        z["level", name, t] = change
                rows.append((np.append(at[t], 1.0), z, {t: 1.0}, "level"))
        for _, z, _, _ in rows:
            for key in z:
                keys.setdefault(key, len(keys))
        units.append(rows)
    weight = np.zeros((len(keys), len(keys)))
    values, instruments, scores = [], [], []
    for rows in units:
        if not rows:
            continue
        z = np.zeros((len(rows), len(keys)))
        for i, (_, cellsz, _, _) in enumerate(rows):
            for key, value in cellsz.items():
                z[i, keys[key]] = value
        hh = np.array([[sum(a[2].get(t, 0) * b[2].get(t, 0) for t in years) for b in rows] for a in rows], dtype=float)
        if h == 1:
            hh = np.eye(len(rows))
        if h == 2:
            hh *= np.array([[a[3] == b[3] for b in rows] for a in rows])
        weight += z.T @ hh @ z
        values.append(np.array([r[0] for r in rows]))
        instruments.append(z)
    y = [v[:, 0] for v in values]
    x = [v[:, 1:] if system else v[:, 1:4] for v in values]
    cross = sum(z.T @ v for z, v in zip(instruments, x, strict=True))
    target = sum(z.T @ v for z, v in zip(instruments, y, strict=True))
    w = np.linalg.pinv(weight)
    one = np.linalg.solve(cross.T @ w @ cross, cross.T @ w @ target)
    for z, xx, yy in zip(instruments, x, y, strict=True):
        scores.append(z.T @ (yy - xx @ one))
    s = sum(np.outer(v, v) for v in scores)
    bread = np.linalg.inv(cross.T @ w @ cross)
    robust = bread @ cross.T @ w @ s @ w @ cross @ bread
    w2 = np.linalg.pinv(s)
    two = np.linalg.solve(cross.T @ w2 @ cross, cross.T @ w2 @ target)
    return one, np.sqrt(np.diag(robust)), two, np.sqrt(np.diag(np.linalg.inv(cross.T @ w2 @ cross)))


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("transform", ["fd", "fod"])
@pytest.mark.parametrize("h", [1, 2, 3])
def test_gaps_by_literal_loops(system, transform, h):
    frame = dynamic_frame(11, 90, 7)
    rng = np.random.default_rng(0)
    frame = frame[rng.random(len(frame)) > 0.15]  # gaps inside units, units with a single usable year
    panel = bn.read_panel(frame, unit="id", time="year")
    one, one_se, two, two_se = literal(frame, system, transform == "fod", h)
    estimator = bn.system_gmm if system else bn.difference_gmm
    shared = {
        "outcome": "y",
        "regressors": ["L1.y", "x", "k"],
        "gmm": [("y", 2, 4), ("x", 1, 3)],
        "iv": ["k"],
        "transform": transform,
        "h": h,
    }
    first = rows_of(estimator(panel, **shared, steps=1))
    second = rows_of(estimator(panel, **shared, steps=2, windmeijer=False))
    np.testing.assert_allclose(first["estimate"], one, rtol=1e-8)
    np.testing.assert_allclose(first["spread"], one_se, rtol=1e-8)
    np.testing.assert_allclose(second["estimate"], two, rtol=1e-7)
    np.testing.assert_allclose(second["spread"], two_se, rtol=1e-7)


def test_forward_deviations_equal_differences_with_all_instruments():
    """Arellano & Bover (1995): with every valid lag the transformation does not matter, on a balanced panel."""
    frame = balanced(5, 120, 7)
    shared = {"outcome": "y", "regressors": ["L1.y", "x"], "gmm": [("y", 2, None), ("x", 1, None)], "steps": 1}
    panel = bn.read_panel(frame, unit="id", time="year")
    fd = rows_of(bn.difference_gmm(panel, **shared))
    fod = rows_of(bn.difference_gmm(panel, **shared, transform="fod"))
    np.testing.assert_allclose(fod["estimate"], fd["estimate"], rtol=1e-8)
    np.testing.assert_allclose(fod["spread"], fd["spread"], rtol=1e-8)


def balanced(seed: int, n_units: int, n_periods: int, rho: float = 0.5) -> pd.DataFrame:
    """Every unit of `dynamic_frame` in every year."""
    frame = dynamic_frame(seed, 4 * n_units, n_periods, rho)
    full = frame.groupby("id").filter(lambda rows: len(rows) == n_periods)
    return full[full["id"].isin(full["id"].unique()[:n_units])]


def test_windmeijer_derivative_by_finite_differences(abdata):
    """The correction is the derivative of the two-step coefficients in the one-step ones, through the weights."""
    equations = Equations("n", ("L1.n", "w", "k"), (("n", 2, 3), ("w", 1, 2)), ("k",), system=True)
    m = build_moments(abdata, equations)
    fit = fit_gmm(m, 2, True, True, 3)
    z, x, y = m.instruments, m.regressors, m.outcome
    cross, target = np.einsum("nrl,nrk->lk", z, x), np.einsum("nrl,nr->l", z, y)

    def second(first):
        scores = np.einsum("nrl,nr->nl", z, y - x @ first)
        w = np.linalg.inv(scores.T @ scores)
        return np.linalg.solve(cross.T @ w @ cross, cross.T @ w @ target)

    one = fit_gmm(m, 1, True, True, 3)
    step = 1e-6
    moved = np.column_stack(
        [(second(one.coefficients + step * e) - second(one.coefficients - step * e)) / (2 * step) for e in np.eye(4)]
    )
    v2 = fit_gmm(m, 2, False, True, 3).covariance
    expected = v2 + moved @ v2 + v2 @ moved.T + moved @ one.covariance @ moved.T
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-5)


def test_long_run_is_the_delta_method(abdata):
    table = table_of(abdata, "S1_sys_n24_w13_ivk", "2step windmeijer")
    equations = Equations("n", (*LAGS, "w", "k"), (("n", 2, 4), ("w", 1, 3)), ("k",), system=True)
    fit = fit_gmm(build_moments(abdata, equations), 2, True, True, 3)

    def effect(b):
        return b[2] / (1 - b[0] - b[1])

    step = 1e-6
    gradient = np.array(
        [(effect(fit.coefficients + step * e) - effect(fit.coefficients - step * e)) / (2 * step) for e in np.eye(5)]
    )
    row = table.select(term="w", estimand="long_run").iloc[0]
    assert row["estimate"] == pytest.approx(effect(fit.coefficients))
    assert row["spread"] == pytest.approx(np.sqrt(gradient @ fit.covariance @ gradient), rel=1e-6)
    assert table.select(term="w", estimand="short_run")["estimate"].item() == pytest.approx(fit.coefficients[2])


def test_no_long_run_beside_an_explosive_root():
    frame = balanced(2, 60, 6)
    frame = frame.assign(y=frame["y"] + 1.3 ** (frame["year"] - 2001) * frame["id"])
    table = bn.system_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y", "x"],
        gmm=[("y", 2, 3), ("x", 1, 2)],
        collapse=True,
    )
    row = table.select(estimand="long_run").iloc[0]
    assert np.isnan(row["estimate"])
    assert "not below 1" in row["note"]


@pytest.mark.parametrize("estimator", [bn.difference_gmm, bn.system_gmm])
def test_truth_is_recovered(estimator):
    """A large panel: within 4 standard errors of the coefficients that made it."""
    frame = balanced(3, 2000, 7)
    panel = bn.read_panel(frame, unit="id", time="year")
    table = estimator(panel, outcome="y", regressors=["L1.y", "x", "k"], gmm=[("y", 2, 4), ("x", 1, 3)], iv=["k"])
    ours = rows_of(table)
    for term, truth in {"L1.y": 0.5, "x": 0.4, "k": -0.3}.items():
        assert abs(ours.loc[term, "estimate"] - truth) < 4 * ours.loc[term, "spread"]
        assert ours.loc[term, "spread"] < 0.05
    assert table.diagnostics["ar1_p"] < 0.01 < table.diagnostics["ar2_p"]
    assert table.diagnostics["hansen_p"] > 0.01


def test_classical_errors_hold_where_errors_are_independent():
    """With independent errors the classical one-step errors and tests agree with the robust ones on a large panel."""
    panel = bn.read_panel(balanced(4, 2000, 7), unit="id", time="year")
    shared = {
        "outcome": "y",
        "regressors": ["L1.y", "x", "k"],
        "gmm": [("y", 2, 3), ("x", 1, 2)],
        "iv": ["k"],
        "steps": 1,
    }
    robust = bn.difference_gmm(panel, **shared)
    classical = bn.difference_gmm(panel, **shared, robust=False)
    np.testing.assert_allclose(rows_of(classical)["spread"], rows_of(robust)["spread"], rtol=0.1)
    # Of the second order, where the null holds; of the first the robust variance is taken about zero, not the mean.
    assert classical.diagnostics["ar2"] == pytest.approx(robust.diagnostics["ar2"], rel=0.1)
    assert abs(robust.diagnostics["ar2"]) > 0.1
    assert "classical" in classical.frame["covariance"][0]


def test_small_classical_factor(abdata):
    options = {"outcome": "n", **SPECS["D1_diff_n24_w13_ivk"][1], "steps": 1, "robust": False}
    plain, small = (rows_of(bn.difference_gmm(abdata, **options, small=s)) for s in (False, True))
    np.testing.assert_allclose(small["spread"] / plain["spread"], np.sqrt(611 / 607), rtol=1e-12)
    assert "t(607)" in small["convention"].iloc[0]


def test_too_many_instruments_are_said():
    frame = balanced(6, 20, 8)
    table = bn.system_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y", "x"],
        gmm=[("y", 2, None), ("x", 1, None)],
    )
    n = table.diagnostics["n_instruments"]
    assert n > 20
    assert f"{n} instruments exceed 20 units" in table.frame["note"][0]
    assert any("Moore-Penrose" in warning for warning in table.diagnostics["warnings"])


def test_a_variance_that_is_not_positive_is_said():
    """Windmeijer's correction with a singular weighting matrix need not give a covariance: no number is made of it."""
    found = 0
    for seed in range(12):
        panel = bn.read_panel(bn.simulate_dynamic(12, 8, 0.3, seed=seed).frame, unit="unit", time="time")
        table = bn.system_gmm(
            panel,
            outcome="outcome",
            regressors=["L1.outcome", "exposure"],
            gmm=[("outcome", 2, None), ("exposure", 1, None)],
            time_dummies="level",
        )
        blank = table.frame[table.frame["spread"].isna() & table.frame["estimate"].notna()]
        assert blank["note"].str.contains("no standard error: the estimated variance is not positive").all()
        assert blank[["lo", "hi", "p_value"]].isna().all(axis=None)
        found += len(blank)
    assert found


def test_short_panels_say_what_cannot_be_computed():
    frame = balanced(7, 80, 4)
    table = bn.difference_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y"],
        gmm=[("y", 2, None)],
    )
    assert np.isfinite(table.diagnostics["ar1"])
    assert np.isnan(table.diagnostics["ar2"])
    assert "2 periods apart" in table.diagnostics["not_computable"]["ar2"]
    exact = bn.difference_gmm(
        bn.read_panel(frame, unit="id", time="year"),
        outcome="y",
        regressors=["L1.y"],
        gmm=[("y", 2, 2)],
        collapse=True,
    )
    assert np.isnan(exact.diagnostics["hansen"])
    assert "no over-identifying restriction" in exact.diagnostics["not_computable"]["hansen"]


def test_years_before_the_window_serve(abdata):
    frame = abdata.frame
    window = bn.read_panel(frame, unit="id", time="year", window=(1980, 1984))
    cut = bn.read_panel(frame[frame["year"] >= 1980], unit="id", time="year")
    options = {"outcome": "n", "regressors": ["L1.n", "w", "k"], "gmm": [("n", 2, 3), ("w", 1, 2)], "iv": ["k"]}
    assert bn.difference_gmm(window, **options).frame["n_obs"][0] > bn.difference_gmm(cut, **options).frame["n_obs"][0]


GOOD = {"outcome": "n", "regressors": ["L1.n", "w"], "gmm": [("n", 2, 4)], "iv": ["w"]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gmm": [("m", 2, 4)]}, SpecError, "unknown column 'm' among the gmm instruments"),
        ({"iv": ["v"]}, SpecError, "unknown column 'v' among the iv instruments"),
        ({"regressors": ["L1.n", "q"]}, SpecError, "unknown column 'q' among the regressors"),
        ({"outcome": "nn"}, SpecError, "unknown column 'nn' among the outcome"),
        ({"gmm": [("n", 4, 2)]}, SpecError, "last lag is before the first"),
        ({"gmm": [("n", 2)]}, SpecError, "is not (column, first lag, last lag)"),
        ({"gmm": ["n"]}, SpecError, "is not (column, first lag, last lag)"),
        ({"gmm": [("n", 2, 4, "sideways")]}, SpecError, "unknown equation 'sideways'"),
        ({"iv": [("w", "levels")]}, SpecError, "unknown equation 'levels'"),
        ({"regressors": ["L1.n", "w", "w"]}, SpecError, "stands twice"),
        ({"regressors": ["n", "w"]}, SpecError, "its own regressor"),
        ({"steps": 3}, SpecError, "steps = 3"),
        ({"h": 4}, SpecError, "h = 4"),
        ({"transform": "within"}, SpecError, "unknown transform"),
        ({"time_dummies": "always"}, SpecError, "unknown time_dummies"),
        ({"time_dummies": "level", "transform": "fod"}, SpecError, "belongs to first differences"),
        ({"gmm": [("n", 2, 2)], "collapse": True, "iv": []}, DesignError, "1 instruments for 2 parameters"),
        ({"gmm": [("n", 20, 30)]}, DesignError, "1 instruments for 2 parameters"),
        ({"regressors": ["L1.n", "w", "ind"]}, DesignError, "'ind' does not vary over time"),
        ({"regressors": ["L1.n", "w", "yr1976"]}, DesignError, "'yr1976' does not vary over time"),
        ({"regressors": ["L1.n", "L7.w"], "iv": ["L8.w"]}, DesignError, "no unit has the consecutive complete periods"),
    ],
)
def test_bad_input(abdata, change, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        bn.difference_gmm(abdata, **{**GOOD, **change})


def test_collinear_regressors_are_named(abdata):
    panel = abdata.with_column("w2", 2 * abdata.numbers("w") + 1)
    with pytest.raises(DesignError, match="'w2' is collinear"):
        bn.difference_gmm(panel, **{**GOOD, "regressors": ["L1.n", "w", "w2"]})
    with pytest.raises(DesignError, match="collinear"):
        bn.system_gmm(panel, **{**GOOD, "regressors": ["L1.n", "w", "w2"]})


def test_a_cross_section_has_no_dynamics():
    panel = bn.read_panel(
        pd.DataFrame({"u": list("abc"), "y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0]}), unit="u", time=None
    )
    with pytest.raises(DesignError, match="needs periods"):
        bn.difference_gmm(panel, outcome="y", regressors=["L1.y"], gmm=[("y", 2, None)])
