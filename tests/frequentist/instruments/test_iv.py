"""Instruments: Card's printed rows, pyfixest's on a public panel, linearmodels on every dummy, closed forms and level
of the Anderson-Rubin set.

`instruments.columns` and `instruments.anderson_rubin` are tested here too. Tolerances: printed digits; the same algebra
1e-8 relative; ends of a set against its quadratic 1e-7; levels four binomial standard errors.
"""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import BayesNppError, DesignError, SpecError
from bayes_npp.frequentist.instruments.anderson_rubin import ReducedForm, anderson_rubin
from bayes_npp.frequentist.instruments.columns import build_equation
from bayes_npp.frequentist.instruments.iv import ar_words, reduced_form
from tests.conftest import REFERENCE

GOLDEN = pd.read_csv(REFERENCE / "textbook.csv").query("dataset == 'Card'")
SIX = ("exper", "expersq", "black", "south", "smsa")
FIFTEEN = (*SIX, "reg661", "reg662", "reg663", "reg664", "reg665", "reg666", "reg667", "reg668", "smsa66")
SPEC = bn.Spec(outcome="y", exposure="x", controls=("c",))


@pytest.fixture(scope="module")
def card():
    from linearmodels.datasets import card as source

    frame = source.load()[["lwage", "educ", "nearc2", "nearc4", *FIFTEEN]]
    return bn.read_panel(frame.assign(person=range(len(frame))), unit="person", time=None)


def schooling(controls):
    plain = {"unit_effects": "none", "time_effects": "none", "correlated_means": False}
    return bn.Spec(outcome="lwage", exposure="educ", controls=controls, **plain)


@pytest.mark.parametrize(
    ("controls", "model", "f", "ends"),
    [
        (SIX, "2SLS six regressors (exper expersq black south smsa)", 16.718, (0.0385, 0.2610)),
        (FIFTEEN, "2SLS fifteen regressors", 13.256, (0.0250, 0.2845)),
    ],
)
def test_card(card, controls, model, f, ends):
    """Both rows. The printed ends are of a grid in steps of 0.0005, so that they lie up to a step inside ours."""
    found = bn.iv(card, schooling(controls), ("nearc4",))
    row, printed = found.frame.iloc[0], GOLDEN[GOLDEN["model"] == model].iloc[0]
    assert f"{f} " in f"{printed['status'].replace(';', ' ')} "
    assert row["estimate"] == pytest.approx(printed["estimate"], abs=5e-5)
    assert row["spread"] == pytest.approx(printed["se"], abs=5e-6)
    assert row["n_obs"] == printed["n_obs"]
    d = found.diagnostics
    assert d["first_stage_f"] == pytest.approx(f, abs=5e-4)
    assert d["ar_shape"] == "interval"
    assert ends[0] - 5e-4 <= d["ar_low"] <= ends[0]
    assert ends[1] <= d["ar_high"] <= ends[1] + 5e-4


def world(rng, units=30, periods=8, strength=1.0, slope=0.3, instruments=1, endogeneity=0.6, missing=0.0):
    n = units * periods
    unit, time = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    z = rng.standard_normal((n, instruments))
    v, e = rng.standard_normal((2, n))
    u = endogeneity * v + np.sqrt(1 - endogeneity**2) * e
    c = rng.standard_normal(n)
    fixed = rng.standard_normal(units)[unit] + rng.standard_normal(periods)[time]
    x = strength * z.sum(axis=1) + 0.5 * c + v + fixed
    frame = pd.DataFrame({"unit": unit, "time": time, "x": x, "c": c, "y": slope * x + 0.4 * c + u + 2 * fixed})
    frame[[f"z{k + 1}" for k in range(instruments)]] = z
    return frame[rng.random(n) >= missing].reset_index(drop=True)


def panel_of(frame):
    return bn.read_panel(frame, unit="unit", time="time")


@pytest.fixture(scope="module", params=[0.0, 0.2], ids=["balanced", "unbalanced"])
def frame(request):
    return world(np.random.default_rng(3), instruments=2, missing=request.param)


def dense(frame, names, method, **options):
    from linearmodels.iv import IV2SLS, IVGMM, IVLIML

    dummies = [pd.get_dummies(frame["unit"]), pd.get_dummies(frame["time"]).iloc[:, 1:]]
    exogenous = np.column_stack([frame[["c"]], *dummies]).astype(float)
    kind = {"2sls": IV2SLS, "liml": IVLIML, "gmm": IVGMM}[method]
    weights = {"weight_type": "clustered", "clusters": frame["unit"].to_numpy()} if method == "gmm" else {}
    return kind(frame["y"], exogenous, frame["x"], frame[names], **weights).fit(**options)


@pytest.mark.parametrize("names", [["z1"], ["z1", "z2"]], ids=["one", "two"])
@pytest.mark.parametrize("method", ["2sls", "liml"])
def test_absorbed_columns_are_every_dummy(frame, names, method):
    """Estimate, clustered error without factor, robust error with all parameters counted."""
    panel = panel_of(frame)
    clustered = bn.iv(panel, SPEC, names, method, convention="hc0").frame.iloc[0]
    theirs = dense(frame, names, method, cov_type="clustered", clusters=frame["unit"])
    assert clustered["estimate"] == pytest.approx(theirs.params["x"], rel=1e-8)
    assert clustered["spread"] == pytest.approx(theirs.std_errors["x"], rel=1e-7)
    theirs = dense(frame, names, method, cov_type="robust", debiased=True)
    robust = bn.iv(panel, SPEC, names, method, covariance="robust").frame.iloc[0]
    assert robust["spread"] == pytest.approx(theirs.std_errors["x"], rel=1e-7)
    theirs = dense(frame, names, method, cov_type="unadjusted", debiased=True)
    row = bn.iv(panel, SPEC, names, method, covariance="classical").frame.iloc[0]
    assert row["spread"] == pytest.approx(theirs.std_errors["x"], rel=1e-7)


def test_stata_s_factor_counts_periods_and_not_units(frame):
    panel = panel_of(frame)
    bare = bn.iv(panel, SPEC, ["z1"], convention="hc0").frame.iloc[0]
    row = bn.iv(panel, SPEC, ["z1"]).frame.iloc[0]
    n, units, periods = len(frame), 30, 8
    factor = units / (units - 1) * (n - 1) / (n - 2 - 1 - (periods - 1))
    assert row["spread"] == pytest.approx(bare["spread"] * np.sqrt(factor), rel=1e-9)
    reach = stats.t.ppf(0.975, units - 1) * row["spread"]
    assert (row["lo"], row["hi"]) == pytest.approx((row["estimate"] - reach, row["estimate"] + reach), rel=1e-9)
    assert row["estimand"] == "pooled_slope"


def test_two_step_gmm(frame):
    """With weights clustered by unit, and Hansen's statistic; linearmodels on columns without their effects."""
    from linearmodels.iv import IVGMM

    found = bn.iv(panel_of(frame), SPEC, ["z1", "z2"], "gmm", convention="hc0")
    equation = build_equation(panel_of(frame), SPEC, ["z1", "z2"])
    arrays = (equation.outcome, equation.exogenous, equation.endogenous, equation.instruments)
    clusters = equation.design.unit
    theirs = IVGMM(*arrays, weight_type="clustered", clusters=clusters).fit(
        iter_limit=2, cov_type="clustered", clusters=clusters
    )
    assert found.frame.iloc[0]["estimate"] == pytest.approx(theirs.params.iloc[-1], rel=1e-8)
    assert found.frame.iloc[0]["spread"] == pytest.approx(theirs.std_errors.iloc[-1], rel=1e-6)
    assert found.diagnostics["hansen"] == pytest.approx(theirs.j_stat.stat, rel=1e-8)
    assert found.diagnostics["hansen_df"] == 1


def test_diagnostics_are_regressions_of_their_own(frame):
    """First-stage F, Anderson-Rubin at zero and Wu-Hausman by two-way fixed effects; Sargan by every dummy."""
    panel = panel_of(frame)
    d = bn.iv(panel, SPEC, ["z1"]).diagnostics
    first = bn.twfe(panel, bn.Spec(outcome="x", exposure="z1", controls=("c",))).frame.iloc[0]
    assert d["first_stage_f"] == pytest.approx((first["estimate"] / first["spread"]) ** 2, rel=1e-8)
    assert d["effective_f"] == pytest.approx(d["first_stage_f"], rel=1e-8)
    assert d["first_stage_p"] == pytest.approx(first["p_value"], rel=1e-6)
    reduced = bn.twfe(panel, bn.Spec(outcome="y", exposure="z1", controls=("c",))).frame.iloc[0]
    assert d["ar_p"] == pytest.approx(reduced["p_value"], rel=1e-6)
    equation = build_equation(panel, SPEC, ["z1"])
    stage = equation.every_instrument
    residual = equation.endogenous[:, 0] - stage @ np.linalg.lstsq(stage, equation.endogenous[:, 0], rcond=None)[0]
    more = panel.with_column("v", residual)
    spec = bn.Spec(outcome="y", exposure="v", controls=("x", "c"))
    row = bn.twfe(more, spec).frame.iloc[0]
    assert d["wu_hausman"] == pytest.approx((row["estimate"] / row["spread"]) ** 2, rel=1e-6)
    assert d["not_computable"]["sargan"] == "as many instruments as endogenous regressors: nothing to test"
    over = bn.iv(panel, SPEC, ["z1", "z2"]).diagnostics
    theirs = dense(frame, ["z1", "z2"], "2sls")
    assert (over["sargan"], over["sargan_p"]) == pytest.approx((theirs.sargan.stat, theirs.sargan.pval), rel=1e-6)
    assert over["effective_f"] != pytest.approx(over["first_stage_f"])


def quadratic(form, level=0.95):
    """Roots of (outcome - b exposure)^2 <= F V(b), one instrument: a b^2 + k b + c <= 0."""
    f = stats.f.ppf(level, 1, form.df)
    a = form.exposure[0] ** 2 - f * form.v_xx[0, 0]
    k = -2 * form.outcome[0] * form.exposure[0] + 2 * f * form.v_yx[0, 0]
    c = form.outcome[0] ** 2 - f * form.v_yy[0, 0]
    return a, k**2 - 4 * a * c, np.sort(np.roots([a, k, c]))


@pytest.mark.parametrize("seeds", [range(15), pytest.param(range(40), marks=pytest.mark.slow(minutes=1))])
@pytest.mark.parametrize("covariance", ["classical", "robust", "clustered"])
def test_sets_of_one_instrument_are_roots_of_a_quadratic(covariance, seeds):
    shapes = set()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        panel = panel_of(world(rng, units=12, periods=5, strength=[0.02, 0.15, 0.8][seed % 3]))
        form = reduced_form(build_equation(panel, SPEC, ["z1"]), covariance, "stata")
        found = anderson_rubin(form)
        a, discriminant, roots = quadratic(form)
        shapes.add(found.shape)
        if a > 0:
            assert found.shape == "interval"
            assert (found.low, found.high) == pytest.approx(tuple(roots), rel=1e-7)
        elif discriminant < 0:
            assert (found.shape, found.low, found.high) == ("whole line", -np.inf, np.inf)
        else:
            assert found.shape == "two rays"
            assert (found.low, found.high) == pytest.approx(tuple(roots), rel=1e-6)
        for value in rng.normal(0.3, 2, 20):
            assert (value in found) == (form.p_value(value) >= 0.05)
    assert shapes == {"interval", "two rays", "whole line"}


def test_instruments_that_contradict_each_other_leave_no_value():
    one = np.eye(2) * 0.01
    form = ReducedForm(np.array([1.0, -1.0]), np.array([1.0, 1.0]), one, np.zeros((2, 2)), one, 100)
    found = anderson_rubin(form)
    assert (found.shape, found.pieces) == ("empty", ())
    assert 0.3 not in found
    words = ar_words({"ar_low": np.nan, "ar_high": np.nan, "ar_shape": "empty", "ar_level": 0.95, "ar_set": ()})
    assert "empty, the instruments contradict each other" in words


@pytest.mark.slow(minutes=2)
def test_the_set_keeps_its_level_with_an_instrument_of_strength_two(seed):
    """500 panels with a concentration of about 2: the true slope is left out in 5 %, and t intervals miss it more."""
    rng = np.random.default_rng(100 + seed)
    missed, strengths = [], []
    for _ in range(500):
        panel = panel_of(world(rng, units=40, periods=6, strength=0.1, endogeneity=0.9))
        form = reduced_form(build_equation(panel, SPEC, ["z1"]), "clustered", "stata")
        missed.append(form.p_value(0.3) < 0.05)
        strengths.append(form.relevance)
    assert 1 < np.median(strengths) < 6
    assert np.mean(missed) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 500))


def test_weak_instruments_are_said_to_be(frame):
    weak = world(np.random.default_rng(5), strength=0.05)
    found = bn.iv(panel_of(weak), SPEC, ["z1"])
    assert found.diagnostics["weak"]
    assert "weak instruments, read the Anderson-Rubin set" in found.frame.iloc[0]["note"]
    assert "weak instruments" not in bn.iv(panel_of(frame), SPEC, ["z1"]).frame.iloc[0]["note"]


def test_two_endogenous_regressors(frame):
    found = bn.iv(panel_of(frame), SPEC, ["z1", "z2"], endogenous=["c"], convention="hc0")
    assert found.frame["term"].tolist() == ["x", "c"]
    assert found.diagnostics["ar_shape"] == "none"
    assert "several endogenous regressors" in found.diagnostics["not_computable"]["ar"]
    assert found.diagnostics["wu_hausman_df"].startswith("2, ")


@pytest.mark.parametrize(
    ("change", "options", "problem"),
    [
        ({}, {"instruments": ["c"]}, "instrument 'c' is a regressor"),
        ({}, {"instruments": ["x"]}, "instrument 'x' is a regressor"),
        ({}, {"instruments": ["y"]}, "instrument 'y' is the outcome"),
        ({}, {"instruments": []}, "no instrument"),
        ({}, {"instruments": ["z1", "z1"]}, "'z1' is named twice"),
        ({}, {"instruments": ["w"]}, "w"),
        ({}, {"instruments": ["z1"], "endogenous": ["c"]}, "2 endogenous regressors and 1 instruments"),
        ({}, {"instruments": ["z1"], "endogenous": ["k"]}, "endogenous 'k' is no control"),
        ({"z1": "unit"}, {"instruments": ["z1"]}, "instrument 'z1' does not vary once the effects are removed"),
        ({"z1": "time"}, {"instruments": ["z1"]}, "instrument 'z1' does not vary once the effects are removed"),
        ({"z1": "twice"}, {"instruments": ["z1"]}, "instrument 'z1' is a linear combination of c"),
        ({"z1": "blank"}, {"instruments": ["z1"]}, "instrument 'z1' is blank in every row"),
        ({}, {"instruments": ["z1"], "method": "ols"}, "unknown method 'ols'"),
        ({}, {"instruments": ["z1"], "effects": "units"}, "unknown effects 'units'"),
        ({}, {"instruments": ["z1"], "covariance": "driscoll_kraay"}, "covariance = 'driscoll_kraay' with instruments"),
    ],
)
def test_bad_input(frame, change, options, problem):
    values = {"unit": frame["unit"] * 1.5, "time": frame["time"] ** 2.0, "twice": 2 * frame["c"], "blank": np.nan}
    changed = frame.assign(**{name: values[how] for name, how in change.items()})
    with pytest.raises(BayesNppError, match=problem):
        bn.iv(panel_of(changed), SPEC, **options)


def test_trends_without_unit_effects_are_refused_and_not_forgotten(frame):
    spec = bn.Spec(**{**SPEC.model_dump(), "unit_trends": True})
    with pytest.raises(SpecError, match="unit_trends without unit effects"):
        bn.iv(panel_of(frame), spec, ["z1"], effects="none")
    dense_trends = bn.iv(panel_of(frame), spec, ["z1"], convention="hc0").frame.iloc[0]
    assert dense_trends["estimate"] != bn.iv(panel_of(frame), SPEC, ["z1"]).frame.iloc[0]["estimate"]


def test_slopes_are_refused_and_blank_instruments_are_counted(frame):
    with pytest.raises(SpecError, match="one slope"):
        bn.iv(panel_of(frame), bn.Spec(**{**SPEC.model_dump(), "slopes": "unit"}), ["z1"])
    holes = frame.assign(z1=frame["z1"].where(frame.index % 10 != 0))
    row = bn.iv(panel_of(holes), SPEC, ["z1"]).frame.iloc[0]
    assert row["n_obs"] == holes["z1"].notna().sum()
    assert "rows left out" in row["note"]
    with pytest.raises(DesignError):
        bn.iv(panel_of(frame.iloc[:5]), SPEC, ["z1", "z2"])


@pytest.mark.parametrize("sample", ["balanced", "unbalanced"])
def test_panel_iv_is_pyfixest_s(produc, sample):
    """Public capital by its lag, effects of states and years: pyfixest's estimate, CRV1 and iid standard errors."""
    known = pd.read_csv(REFERENCE / "panel_iv.csv").set_index("sample").loc[sample]
    lags = {name: produc.frame.groupby("state")["lpcap"].shift(k) for k, name in ((1, "before"), (2, "older"))}
    frame = produc.frame.assign(**lags)
    frame = frame.dropna().reset_index(drop=True)
    if sample == "unbalanced":
        frame = frame[np.arange(len(frame)) * 7919 % 10 != 0]
    panel = bn.read_panel(frame, unit="state", time="year")
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"))
    for covariance, spread in (("clustered", "clustered_se"), ("classical", "classical_se")):
        row = bn.iv(panel, spec, ["before"], covariance=covariance).frame.iloc[0]
        assert row["n_obs"] == known["n_obs"]
        assert row["estimate"] == pytest.approx(known["estimate"], rel=1e-9)
        assert row["spread"] == pytest.approx(known[spread], rel=1e-9)


@pytest.mark.peer
@pytest.mark.skipif(
    importlib.util.find_spec("pyfixest") is None, reason="pyfixest is not installed: it does not install on numpy 2.5"
)
def test_panel_iv_in_pyfixest(frame):
    from pyfixest import feols

    theirs = feols("y ~ c | unit + time | x ~ z1", frame, vcov={"CRV1": "unit"})
    row = bn.iv(panel_of(frame), SPEC, ["z1"]).frame.iloc[0]
    assert row["estimate"] == pytest.approx(theirs.coef()["x"], rel=1e-6)
    assert row["spread"] == pytest.approx(theirs.se()["x"], rel=1e-5)
