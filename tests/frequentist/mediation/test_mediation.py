"""Mediation by least squares: statsmodels' and Stata's numbers, dense algebra, copies of units, what is refused.

Tolerances: golden coefficients 1e-6 and standard errors 1e-5 relative; algebra done in two ways 1e-8; what is drawn,
four Monte Carlo standard errors.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import BayesNppError, DesignError, SpecError
from bayes_npp.frequentist.mediation.bootstrap import unit_products, weighted_paths
from bayes_npp.frequentist.mediation.equations import path_equations
from bayes_npp.frequentist.mediation.stacked import stack
from tests.conftest import REFERENCE

GOLDEN = pd.read_csv(REFERENCE / "mediation_jobs.csv").set_index("term")
PUBLISHED = pd.read_csv(REFERENCE / "mediation_jobs_published.csv", dtype=str).set_index("term")
JOBS = bn.Spec(outcome="depress2", exposure="treat", controls=("econ_hard", "sex", "age"))
TWO = ("mediator_1", "mediator_2")
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("age",))
FISCAL = bn.Spec(
    outcome="ln_tfp",
    exposure="broad_tax_burden",
    controls=("L3_pub_emp", "L3_aging", "urban_rate", "sec_ind_share", "trade_openness"),
)


@pytest.fixture(scope="module")
def jobs():
    frame = pd.read_csv(REFERENCE / "jobs.csv")
    return bn.read_panel(frame.assign(person=[f"person {i}" for i in range(len(frame))]), unit="person", time=None)


@pytest.fixture(scope="module")
def fiscal():
    return bn.read_panel(REFERENCE / "fiscal_tfp" / "panel.csv", unit="province", time="year")


def two_mediators(n_units=24, n_periods=7, missing=0.2, seed=3):
    """A simulated panel with two mediators, a control and, by default, a fifth of its rows missing."""
    paths = {"path_a": {"all": (0.5, -0.3)}, "path_b": {"all": (0.4, 0.6)}}
    frame = bn.simulate_mediation(n_units, n_periods, **paths, seed=seed).frame
    random = np.random.default_rng(seed)
    frame["age"] = random.normal(size=len(frame)) + 0.4 * frame["exposure"]
    frame = frame[random.random(len(frame)) >= missing]
    return bn.read_panel(frame.reset_index(drop=True), unit="unit", time="time")


@pytest.fixture(scope="module")
def panel():
    return two_mediators()


def by_estimand(table, **labels):
    return table.frame.set_index(["estimand", "term"]).sort_index()


# --- Other people's numbers


def test_golden_rows_of_jobs(jobs):
    """Classical standard errors, RSS / (n - K), and Sobel's first-order formula are statsmodels' of the closed form."""
    table = bn.mediation_paths(jobs, JOBS, ("job_seek",), "product", effects="none", covariance="classical")
    frame = table.frame.set_index("estimand")
    terms = {
        "path_a": "a: treat->job_seek",
        "path_b": "b: job_seek->depress2",
        "direct": "c' direct (ADE)",
        "total": "c total",
        "indirect": "ab product (ACME exact, linear)",
        "total_indirect": "ab product (ACME exact, linear)",
    }
    normal = stats.norm.ppf(0.975)
    for estimand, term in terms.items():
        ours, golden = frame.loc[estimand], GOLDEN.loc[term]
        assert ours["estimate"] == pytest.approx(golden["estimate"], rel=1e-6)
        assert ours["spread"] == pytest.approx(golden["se"], rel=1e-5)
        # The file's intervals are normal, ours of the paths are t of their regression.
        assert ours["estimate"] - normal * ours["spread"] == pytest.approx(golden["lo"], rel=1e-5)
        assert ours["estimate"] + normal * ours["spread"] == pytest.approx(golden["hi"], rel=1e-5)
    indirect, path = frame.loc["indirect"], frame.loc["path_a"]
    assert indirect["lo"] == pytest.approx(GOLDEN.loc[terms["indirect"], "lo"], rel=1e-5)
    assert path["hi"] - path["estimate"] == pytest.approx(stats.t.ppf(0.975, 894) * path["spread"], rel=1e-10)
    assert indirect["estimate"] / indirect["spread"] == pytest.approx(GOLDEN.loc["sobel_z", "estimate"], rel=1e-5)
    share = indirect["estimate"] / frame.loc["total", "estimate"]
    assert share == pytest.approx(GOLDEN.loc["ab/c", "estimate"], rel=1e-6)
    assert (frame["n_obs"] == 899).all()
    assert (frame["sample"] == "all").all()
    assert "Sobel" in indirect["convention"]


@pytest.mark.parametrize(
    ("published", "estimand"), [("ACME", "indirect"), ("ADE", "direct"), ("Total", "total")], ids=str
)
def test_published_bootstrap_of_jobs(jobs, published, estimand):
    """R's mediation with 1,000 resamples of rows: the same percentile intervals up to printing and resampling.

    A 2.5 % quantile of B normal draws has a standard error of 2.67 SD / sqrt(B): .0845 SD for the published 1,000.
    """
    table = bn.mediation_paths(jobs, JOBS, ("job_seek",), "product", effects="none", interval="cluster_bootstrap")
    ours, row = table.frame.set_index("estimand").loc[estimand], PUBLISHED.loc[published]
    noise = 4 * 2.67 * ours["spread"] * np.sqrt(1 / 1000 + 1 / 9999)
    assert ours["estimate"] == pytest.approx(float(row["estimate"]), abs=half_digit(row["estimate"]))
    for end in ("lo", "hi"):
        assert ours[end] == pytest.approx(float(row[end]), abs=half_digit(row[end]) + noise)
    tail = float(row["p"]) / 2
    assert ours["p_value"] == pytest.approx(
        float(row["p"]), abs=half_digit(row["p"]) + 8 * np.sqrt(tail * (1 - tail) * (1 / 1000 + 1 / 9999))
    )


def test_published_share_of_jobs_is_withheld(jobs):
    """R prints .2811 with an interval from -2 to 2.5: the total's interval includes zero, so there is no share here."""
    for interval in ("delta", "monte_carlo", "cluster_bootstrap"):
        table = bn.mediation_paths(jobs, JOBS, ("job_seek",), "product", effects="none", interval=interval, draws=999)
        frame = table.frame.set_index("estimand")
        row = frame.loc["proportion_mediated"]
        assert np.isnan(row["estimate"])
        assert row["note"].startswith("withheld: the 95 % interval of the total, [")
        share = frame.loc["indirect", "estimate"] / frame.loc["total", "estimate"]
        assert share == pytest.approx(float(PUBLISHED.loc["Prop", "estimate"]), abs=5e-5)


def test_thesis_log_of_the_mediation(fiscal):
    """Both steps as Stata printed them, from one stack of equations; the product that the log prints without an SE."""
    table = by_estimand(bn.mediation_paths(fiscal, FISCAL, ("ln_tech_density",), "product"))
    published = pd.read_csv(REFERENCE / "fiscal_tfp" / "published.csv", dtype=str, keep_default_na=False)
    rows = published.set_index(["model", "term"])
    pairs = {
        ("m2", "broad_tax_burden"): ("total", "broad_tax_burden"),
        ("med_step2", "broad_tax_burden"): ("path_a", "ln_tech_density"),
        ("med_step3", "broad_tax_burden"): ("direct", "broad_tax_burden"),
        ("med_step3", "ln_tech_density"): ("path_b", "ln_tech_density"),
        ("indirect", "broad_tax_burden"): ("total_indirect", "broad_tax_burden"),
    }
    for theirs, own in pairs.items():
        row, ours = rows.loc[theirs], table.loc[own]
        assert ours["estimate"] == pytest.approx(float(row["estimate"]), abs=2e-6)
        if row["se"]:
            assert ours["spread"] == pytest.approx(float(row["se"]), abs=half_digit(row["se"]) + 1e-6)
            assert ours["p_value"] == pytest.approx(float(row["p"]), abs=6e-4)
        assert (ours["n_obs"], ours["n_units"]) == (int(row["n_obs"]), int(row["n_units"]))
    assert (
        table["sample"] == "all; rows complete in outcome, exposure, controls and mediators (31 of 217 left out)"
    ).all()
    assert table.loc[("indirect", "ln_tech_density"), "estimate"] == pytest.approx(-0.00237653, abs=2e-6)


def half_digit(text):
    return 0.5 * 10.0 ** -len(text.split(".")[1])


# --- Dense algebra


def dense_stack(panel, effects, covariance, lags=2):
    """Coefficients total, a_1, a_2, b_1, b_2, direct and their joint HC0 covariance, with a dummy for every effect."""
    frame = panel.frame
    unit, time = (pd.get_dummies(frame[key]).to_numpy(float) for key in ("unit", "time"))
    parts = {"two-way": [unit, time[:, 1:]], "unit": [unit], "time": [time], "none": [np.ones((len(frame), 1))]}
    base = np.column_stack([frame["exposure"], frame["age"], *parts[effects]])
    full = np.column_stack([frame["exposure"], frame["age"], frame[list(TWO)], *parts[effects]])
    equations = [("outcome", base, [0]), *((m, base, [0]) for m in TWO), ("outcome", full, [2, 3, 0])]
    coefficients, influence, residuals = [], [], []
    for outcome, x, wanted in equations:
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ x.T @ frame[outcome].to_numpy()
        e = frame[outcome].to_numpy() - x @ beta
        for j in wanted:
            coefficients.append(beta[j])
            influence.append(x @ inverse[j])
            residuals.append(e)
    v, e = np.column_stack(influence), np.column_stack(residuals)
    if covariance == "classical":
        counts = np.array([len(frame) - base.shape[1]] * 3 + [len(frame) - full.shape[1]] * 3)
        sigma = e.T @ e / np.sqrt(np.outer(counts, counts))
        return np.array(coefficients), sigma * (v.T @ v)
    if covariance == "clustered":
        sums = unit.T @ (v * e)
        return np.array(coefficients), sums.T @ sums
    sums = time.T @ (v * e)
    n_times = len(sums)
    kernel = np.clip(1 - np.abs(np.subtract.outer(range(n_times), range(n_times))) / (lags + 1), 0, None)
    return np.array(coefficients), sums.T @ kernel @ sums


def own_stack(panel, effects, covariance, convention="hc0"):
    equations = path_equations(panel, SPEC, TWO, effects)
    wanted = [
        (equations.total, "exposure"),
        *((design, "exposure") for design in equations.by_mediator),
        *((equations.outcome, name) for name in TWO),
        (equations.outcome, "exposure"),
    ]
    return stack(wanted, effects, covariance, convention, 2 if covariance == "driscoll_kraay" else None, "")


@pytest.mark.parametrize("covariance", ["classical", "clustered", "driscoll_kraay"])
@pytest.mark.parametrize("effects", ["two-way", "unit", "time", "none"])
def test_joint_covariance_equals_dense_algebra(panel, effects, covariance):
    ours = own_stack(panel, effects, covariance)
    coefficients, joint = dense_stack(panel, effects, covariance)
    np.testing.assert_allclose(ours.coefficients, coefficients, rtol=1e-8)
    # Small elements are compared on the scale of the standard errors they belong to.
    spread = np.sqrt(np.diag(joint))
    np.testing.assert_allclose(ours.covariance / np.outer(spread, spread), joint / np.outer(spread, spread), atol=1e-8)


def test_diagonal_is_that_of_the_equations_one_by_one(panel):
    """With a small-sample factor too: it differs between equations, whose numbers of slopes differ."""
    ours = own_stack(panel, "two-way", "clustered", "stata")
    mediator = bn.twfe(panel, bn.Spec(outcome=TWO[0], exposure="exposure", controls=("age",))).frame
    outcome = bn.twfe(panel, bn.Spec(outcome="outcome", exposure="exposure", controls=("age", *TWO))).frame
    assert ours.spreads[1] == pytest.approx(mediator["spread"].iloc[0], rel=1e-10)
    np.testing.assert_allclose(ours.spreads[[5, 3, 4]], outcome["spread"].iloc[[0, 2, 3]], rtol=1e-10)


@pytest.mark.parametrize("effects", ["two-way", "none"])
def test_effects_add_up_and_delta_is_the_gradient(panel, effects):
    """Total = direct + sum of a b, an identity of least squares on one sample; and delta errors from dense algebra."""
    table = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", effects=effects, convention="hc0"))
    theta, joint = dense_stack(panel, effects, "clustered")
    a, b = theta[1:3], theta[3:5]
    ours = table["estimate"]
    assert ours["total", "exposure"] == pytest.approx(
        ours["direct", "exposure"] + ours["total_indirect", "exposure"], rel=1e-10
    )
    whole = theta[0]
    gradients = {
        ("indirect", TWO[0]): [0, b[0], 0, a[0], 0, 0],
        ("indirect", TWO[1]): [0, 0, b[1], 0, a[1], 0],
        ("total_indirect", "exposure"): [0, *b, *a, 0],
        ("indirect", f"{TWO[0]} - {TWO[1]}"): [0, b[0], -b[1], a[0], -a[1], 0],
        ("proportion_mediated", TWO[0]): [-a[0] * b[0] / whole**2, b[0] / whole, 0, a[0] / whole, 0, 0],
    }
    values = [a[0] * b[0], a[1] * b[1], a @ b, a[0] * b[0] - a[1] * b[1], a[0] * b[0] / whole]
    for (label, gradient), value in zip(gradients.items(), values, strict=True):
        se = np.sqrt(np.array(gradient) @ joint @ gradient)
        row = table.loc[label]
        assert row["estimate"] == pytest.approx(value, rel=1e-8)
        assert row["spread"] == pytest.approx(se, rel=1e-8)
        assert row["hi"] == pytest.approx(value + stats.norm.ppf(0.975) * se, rel=1e-8)
        assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(value) / se), rel=1e-6)
    assert "differ in sign" in table.loc[("proportion_mediated", TWO[1]), "note"]


def test_monte_carlo_has_the_moments_of_the_joint_normal(panel):
    """Var(ab) = (b, a) V (b, a)' + V_a V_b + C_ab^2 for normal paths; quantiles against draws made here."""
    draws = 40_000
    table = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", interval="monte_carlo", draws=draws, seed=5))
    stacked = own_stack(panel, "two-way", "clustered", "stata")
    theta, joint = stacked.coefficients, stacked.covariance
    row = table.loc[("indirect", TWO[0])]
    gradient = np.array([theta[3], theta[1]])
    own = joint[np.ix_([1, 3], [1, 3])]
    variance = gradient @ own @ gradient + own[0, 0] * own[1, 1] + own[0, 1] ** 2
    assert row["spread"] == pytest.approx(np.sqrt(variance), rel=4 * np.sqrt(1 / (2 * draws)) * 1.5)
    other = np.random.default_rng(6).multivariate_normal(theta[1:5], joint[1:5, 1:5], size=draws)
    product = (other[:, :2] * other[:, 2:]).sum(axis=1)
    every = table.loc[("total_indirect", "exposure")]
    for end, q in (("lo", 0.025), ("hi", 0.975)):
        noise = 4 * 2.67 * every["spread"] * np.sqrt(2 / draws)
        assert every[end] == pytest.approx(np.quantile(product, q), abs=noise)
    assert every["p_value"] == pytest.approx(2 * min((product <= 0).mean(), (product >= 0).mean()), abs=0.01)
    # Paths keep the t intervals of their regressions.
    plain = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product"))
    assert table.loc[("path_b", TWO[1]), "lo"] == plain.loc[("path_b", TWO[1]), "lo"]


# --- The cluster bootstrap


@pytest.mark.parametrize("effects", ["two-way", "unit", "time", "none"])
def test_weights_are_copies_of_units(panel, effects):
    """A draw computed from cross-products = the regressions on a panel in which copies are units of their own."""
    equations = path_equations(panel, SPEC, TWO, effects)
    n_units = len(equations.outcome.units)
    random = np.random.default_rng(8)
    weights = random.multinomial(n_units, np.full(n_units, 1 / n_units), size=3)
    paths = weighted_paths(unit_products(equations, effects), weights.astype(float))
    for own, counts in zip(paths, weights, strict=True):
        frames = []
        for label, count in zip(equations.outcome.units, counts, strict=True):
            rows = panel.frame[panel.frame["unit"] == label]
            frames += [rows.assign(unit=f"{label} copy {copy}") for copy in range(count)]
        copied = bn.read_panel(pd.concat(frames, ignore_index=True), unit="unit", time="time")
        table = by_estimand(bn.mediation_paths(copied, SPEC, TWO, "product", effects=effects))["estimate"]
        expected = [
            table["total", "exposure"],
            *(table["path_a", name] for name in TWO),
            *(table["path_b", name] for name in TWO),
            table["direct", "exposure"],
        ]
        np.testing.assert_allclose(own, expected, rtol=1e-8)


def test_a_period_that_no_drawn_unit_has_is_no_failure():
    """Even where it is the only rows of that period: the regression goes on without it."""
    frame = two_mediators(missing=0.0).frame
    first, late = frame["unit"].iloc[0], frame["time"].max()
    frame = frame[(frame["time"] < late) | (frame["unit"] == first)].reset_index(drop=True)
    panel = bn.read_panel(frame, unit="unit", time="time")
    equations = path_equations(panel, SPEC, TWO, "two-way")
    weights = np.ones((1, len(equations.outcome.units)))
    weights[0, equations.outcome.units.index(first)] = 0
    own = weighted_paths(unit_products(equations, "two-way"), weights)[0]
    rest = bn.read_panel(frame[frame["unit"] != first].reset_index(drop=True), unit="unit", time="time")
    table = by_estimand(bn.mediation_paths(rest, SPEC, TWO, "product"))["estimate"]
    assert own[0] == pytest.approx(table["total", "exposure"], rel=1e-8)
    assert own[3] == pytest.approx(table["path_b", TWO[0]], rel=1e-8)


def test_bootstrap_errors_are_the_clustered_ones_in_a_large_panel():
    """400 units: both estimate one sampling variance; the joint distribution too (errors of products)."""
    panel = two_mediators(400, 6, missing=0.1)
    boot = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", interval="cluster_bootstrap", draws=4000))
    delta = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", convention="hc0"))
    labels = [label for label in delta.index if label[0] != "proportion_mediated"]
    ratio = boot.loc[labels, "spread"] / delta.loc[labels, "spread"]
    # Two of the ratio's own errors: 1 / sqrt(2 draws), and the clustered estimate's of order 1 / n_units.
    assert ratio.between(0.95, 1.05).all(), ratio
    assert boot.loc[("proportion_mediated", TWO[0]), "spread_kind"] == ""
    assert np.isnan(boot.loc[("proportion_mediated", TWO[0]), "spread"])
    assert boot.loc[("proportion_mediated", TWO[0]), "lo"] > 0


def test_same_seed_same_interval(panel):
    runs = [
        bn.mediation_paths(panel, SPEC, TWO, "product", interval="cluster_bootstrap", draws=299, seed=s)
        for s in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(runs[0].frame, runs[1].frame)
    assert not runs[0].frame["lo"].equals(runs[2].frame["lo"])


def rare_control(n_carriers):
    """A control that varies within a few units only: a draw without them does not identify the regressions."""
    frame = two_mediators(missing=0.0).frame
    carriers = frame["unit"].unique()[:n_carriers]
    hit = frame["unit"].isin(carriers) & (frame["time"] % 2 == 0)
    return bn.read_panel(frame.assign(age=hit.astype(float)), unit="unit", time="time")


def test_failed_draws_are_counted_and_named():
    table = bn.mediation_paths(rare_control(4), SPEC, TWO, "product", interval="cluster_bootstrap", draws=2000)
    failed = table.diagnostics["failed_draws"]
    expected = 2000 * (20 / 24) ** 24
    assert abs(failed - expected) < 4 * np.sqrt(expected)
    assert (table.frame["note"].str.contains(f"{failed} of 2000 bootstrap draws left out")).all()
    assert (table.frame["convention"].str.contains(f"{2000 - failed} draws")).any()
    with pytest.raises(DesignError, match=r"of 299 bootstrap draws do not identify"):
        bn.mediation_paths(rare_control(1), SPEC, TWO, "product", interval="cluster_bootstrap", draws=299)


# --- The practices


def test_two_step_is_the_mediator_regressions_and_nothing_else(panel):
    table = bn.mediation_paths(panel, SPEC, TWO)
    assert list(table.frame["estimand"]) == ["path_a", "path_a"]
    for name in TWO:
        own = bn.twfe(panel, bn.Spec(outcome=name, exposure="exposure", controls=("age",))).frame.iloc[0]
        row = table.frame.set_index("term").loc[name]
        for column in ("estimate", "spread", "lo", "hi", "p_value"):
            assert row[column] == pytest.approx(own[column], rel=1e-10)
        assert "an indirect effect and its uncertainty are not estimated" in row["note"]
    assert table.frame["estimator"].iloc[0] == "two-step mechanism regressions, TWFE"


def test_baron_kenny_reads_its_steps(jobs, panel, fiscal):
    table = bn.mediation_paths(jobs, JOBS, ("job_seek",), "baron_kenny", effects="none", covariance="classical")
    assert list(table.frame["estimand"]) == ["total", "direct", "path_a", "path_b"]
    note = table.frame["note"].iloc[0]
    assert note.startswith(
        "step 1, total: p = 0.215; step 2, a of job_seek: p = 0.203; step 3, b of job_seek: p < 0.001"
    )
    assert "the steps are not all met at 0.05" in note
    assert (
        "step 3, b of ln_tech_density: p = 0.135"
        in bn.mediation_paths(fiscal, FISCAL, ("ln_tech_density",), "baron_kenny").frame["note"].iloc[0]
    )
    clear = bn.mediation_paths(panel, SPEC, (TWO[0],), "baron_kenny").frame["note"].iloc[0]
    assert "direct" in clear
    assert "no step tests the indirect effect itself" in clear


@pytest.mark.parametrize(
    ("total", "direct", "p_direct", "reading"),
    [
        (0.5, 0.3, 0.01, "the steps are met, partial mediation in their sense"),
        (0.5, 0.1, 0.40, "the steps are met, complete mediation in their sense"),
        (0.5, 0.7, 0.01, "the direct effect is not smaller: no mediation in their sense"),
    ],
)
def test_readings_of_the_steps(total, direct, p_direct, reading):
    from bayes_npp.frequentist.mediation.mediation import steps_note

    rows = [
        {"estimand": "total", "term": "x", "estimate": total, "p_value": 0.01},
        {"estimand": "direct", "term": "x", "estimate": direct, "p_value": p_direct},
        {"estimand": "path_a", "term": "m", "estimate": 1.0, "p_value": 0.001},
        {"estimand": "path_b", "term": "m", "estimate": 1.0, "p_value": 0.04},
    ]
    assert reading in steps_note(rows)


def test_one_sample_for_every_equation(panel):
    """A blank mediator leaves its row out of all equations, of every method."""
    frame = panel.frame.copy()
    frame.loc[[3, 40], TWO[1]] = np.nan
    holes = bn.read_panel(frame, unit="unit", time="time")
    kept = bn.read_panel(frame.dropna().reset_index(drop=True), unit="unit", time="time")
    for method in ("two_step", "baron_kenny", "product"):
        ours, other = (bn.mediation_paths(p, SPEC, TWO, method).frame for p in (holes, kept))
        np.testing.assert_allclose(ours["estimate"], other["estimate"], rtol=1e-12)
        assert (ours["n_obs"] == len(frame) - 2).all()
        assert ours["sample"].str.contains(f"2 of {len(frame)} left out").all()
        assert (other["sample"] == "all").all()


# --- What is refused


@pytest.mark.parametrize(
    ("mediators", "options", "message"),
    [
        ((), {}, "no mediator is named"),
        (("outcome",), {}, "mediator 'outcome' is the outcome too"),
        (("exposure",), {}, "mediator 'exposure' is the exposure too"),
        (("age",), {}, "mediator 'age' is a control too"),
        ((TWO[0], TWO[0]), {}, "is named twice"),
        (("mediator_3",), {}, "unknown column 'mediator_3'.*nearest known name is 'mediator_"),
        (TWO, {"method": "products"}, "unknown method 'products'.*'product'"),
        (TWO, {"interval": "bootstrap"}, "unknown interval 'bootstrap'.*cluster_bootstrap"),
        (TWO, {"effects": "twoway"}, "unknown effects 'twoway'.*two-way"),
        (TWO, {"covariance": "robust"}, "unknown covariance 'robust'"),
        (TWO, {"covariance": "wild_bootstrap"}, "unknown covariance 'wild_bootstrap'"),
        (TWO, {"convention": "hc9"}, "unknown convention 'hc9'"),
        (TWO, {"lags": 2}, "lags = 2 with covariance = 'clustered'"),
        (TWO, {"covariance": "driscoll_kraay", "lags": 7}, "lags = 7 with 7 periods"),
        (TWO, {"interval": "monte_carlo"}, "monte_carlo' draws products"),
        (TWO, {"method": "product", "interval": "monte_carlo", "draws": 50}, "draws = 50 are too few"),
        (TWO, {"interval": "cluster_bootstrap", "draws": 198}, "draws = 198 are too few"),
    ],
)
def test_bad_options_are_named(panel, mediators, options, message):
    with pytest.raises(BayesNppError, match=message):
        bn.mediation_paths(panel, SPEC, mediators, **options)


def test_mediators_that_effects_or_columns_absorb(panel):
    codes = pd.factorize(panel.frame["unit"])[0].astype(float)
    constant = panel.with_column("constant", codes)
    with pytest.raises(DesignError, match="'constant' does not vary once the effects are removed"):
        bn.mediation_paths(constant, SPEC, ("constant",))
    assert len(bn.mediation_paths(constant, SPEC, ("constant",), effects="time").frame) == 1
    copy = panel.with_column("copy", 2 * panel.numbers("exposure") - panel.numbers("age"))
    with pytest.raises(DesignError, match="'copy' is a linear combination"):
        bn.mediation_paths(copy, SPEC, ("copy",))
    blank = panel.with_column("blank", np.full(len(panel.frame), np.nan))
    with pytest.raises(DesignError, match=r"no row is complete.*'blank' is blank in every row"):
        bn.mediation_paths(blank, SPEC, ("blank",))


def test_specifications_that_do_not_fit(panel, jobs):
    with pytest.raises(DesignError, match="effects = 'two-way' in a cross-section"):
        bn.mediation_paths(jobs, JOBS, ("job_seek",))
    with pytest.raises(SpecError, match="one slope"):
        bn.mediation_paths(panel, bn.Spec(outcome="outcome", exposure="exposure", slopes="group"), TWO)
    with pytest.raises(SpecError, match="needs an exposure"):
        bn.mediation_paths(panel, bn.Spec(outcome="outcome"), TWO)
    trends = bn.Spec(outcome="outcome", exposure="exposure", unit_trends=True)
    assert len(bn.mediation_paths(panel, trends, TWO, "product").frame) == 12
    with pytest.raises(SpecError, match="unit and period effects only"):
        bn.mediation_paths(panel, trends, TWO, "product", interval="cluster_bootstrap", draws=299)
