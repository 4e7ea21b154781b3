"""Dynamic panels against golden numbers (Stata, xtabond2, an independent implementation)."""

import json

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.frequentist.dynamic.fit import fit_gmm
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments
from tests.conftest import REFERENCE
from tests.frequentist.dynamic.panels import balanced, rows_of

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
# Wages and capital instrumented too: the difference GMM that Roodman (2009) prints with `small`.
SMALL = {
    "regressors": AB91,
    "gmm": [("n", 2, None), ("w", 2, None), ("k", 2, None)],
    "iv": ["ys", "L1.ys", "L2.ys"],
    "steps": 1,
    "small": True,
    "time_dummies": "differenced",
}
ROODMAN = {
    "regressors": ["L1.n", "w", "L1.w", "k", "L1.k"],
    "gmm": [("n", 2, None), ("w", 2, None), ("k", 2, None)],
    "steps": 1,
    "small": True,
    "time_dummies": "level",
}


def table_of(panel: bn.Panel, spec: str, steps: str) -> bn.Estimates:
    estimator, options = SPECS[spec]
    return estimator(panel, outcome="n", **options, **STEPS[steps])


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
        ("iv(L(0/2).ys yr*)", "nolevel robust small"): bn.difference_gmm(abdata, outcome="n", **SMALL),
        ("gmm(L.n) iv", "nolevel robust"): table_of(abdata, "AB91_a", "1step robust"),
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


@pytest.mark.parametrize(
    ("model", "spec", "options"),
    [
        ("two-step difference GMM (pydynpd README)", "D1_diff_n24_w13_ivk", {"time_dummies": "level"}),
        ("two-step system GMM (pydynpd README)", "S1_sys_n24_w13_ivk", {}),
    ],
)
def test_pydynpds_readme(abdata, model, spec, options):
    estimator, arguments = SPECS[spec]
    ours = rows_of(estimator(abdata, outcome="n", **arguments, **options))
    rows = pd.read_csv(REFERENCE / "textbook.csv", dtype=str).set_index("model").loc[[model]]
    assert len(rows) == 2
    for row in rows.itertuples():
        assert abs(ours.loc[row.term, "estimate"] - float(row.estimate)) <= printed(row.estimate), row.term
        assert abs(ours.loc[row.term, "spread"] - float(row.se)) <= printed(row.se), row.term


def test_small_without_a_constant(abdata):
    """Parameters less one in a difference too, which has no constant: ten errors were 1.00084 times too large.

    Roodman prints F(16, 140), t's degrees of freedom and so this interval of L.n: units, with a constant less one.
    """
    table = bn.difference_gmm(abdata, outcome="n", **SMALL)
    row = rows_of(table).loc["L1.n"]
    assert (row["lo"], row["hi"]) == (pytest.approx(0.6480073, abs=1.5e-7), pytest.approx(0.987966, abs=1.5e-6))
    assert "t(140)" in row["convention"]
    plain = rows_of(bn.difference_gmm(abdata, outcome="n", **SMALL | {"small": False}))
    factor = np.sqrt(611 / (611 - 15) * 140 / 139)
    np.testing.assert_allclose(rows_of(table)["spread"] / plain["spread"], factor, rtol=1e-12)


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


@pytest.mark.parametrize(("spec", "n", "k"), [("D1_diff_n24_w13_ivk", 611, 4), ("S1_sys_n24_w13_ivk", 751, 5)])
def test_small_classical_factor(abdata, spec, n, k):
    """As in least squares every parameter counts, the constant too."""
    estimator, arguments = SPECS[spec]
    options = {"outcome": "n", **arguments, "steps": 1, "robust": False}
    plain, small = (rows_of(estimator(abdata, **options, small=s)) for s in (False, True))
    np.testing.assert_allclose(small["spread"] / plain["spread"], np.sqrt(n / (n - k)), rtol=1e-12)
    assert f"t({n - k})" in small["convention"].iloc[0]
