"""Mediation by least squares: statsmodels' and Stata's numbers, the practices, what is refused.

Tolerances: golden coefficients 1e-6 and standard errors 1e-5 relative; algebra done in two ways 1e-8.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import BayesNppError, DesignError, SpecError
from tests.conftest import REFERENCE
from tests.frequentist.mediation.panels import SPEC, TWO, by_estimand

GOLDEN = pd.read_csv(REFERENCE / "mediation_jobs.csv").set_index("term")
PUBLISHED = pd.read_csv(REFERENCE / "mediation_jobs_published.csv", dtype=str).set_index("term")
JOBS = bn.Spec(outcome="depress2", exposure="treat", controls=("econ_hard", "sex", "age"))
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
    from bayes_npp.frequentist.mediation.steps import steps_note

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
        (TWO, {"covariance": "hc3"}, "unknown covariance 'hc3'"),
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
