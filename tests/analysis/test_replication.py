"""A study on its paper's own data: every printed number reproduced, and what a replication says when one is not."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.readings import read_replication
from bayes_npp.analysis.replication import replicate
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.pipeline import run_study
from bayes_npp.reporting.tables.replication import replication_sentence
from bayes_npp.study.checks import check_study
from bayes_npp.study.published import COLUMNS, read_published
from tests.conftest import REFERENCE, ROOT, report_text

FISCAL = ROOT / "models" / "fiscal_tfp"


@pytest.fixture(scope="module")
def least_squares(tmp_path_factory):
    """The study's frequentist models alone, in a folder of its own."""
    folder = tmp_path_factory.mktemp("fiscal_tfp")
    text = (FISCAL / "study.toml").read_text(encoding="utf-8")
    text = text[: text.index('[[model]]\nname = "posterior"')]
    panel = (ROOT / "data" / "fiscal_tfp" / "panel.csv").as_posix()
    (folder / "study.toml").write_text(text.replace("../../data/fiscal_tfp/panel.csv", panel), encoding="utf-8")
    (folder / "published.csv").write_bytes((FISCAL / "published.csv").read_bytes())
    return folder


@pytest.fixture(scope="module")
def run(least_squares):
    return run_study(least_squares, least_squares / "out")


def test_the_study_holds_the_reference_unchanged():
    for ours, theirs in (
        (FISCAL / "published.csv", "published.csv"),
        (ROOT / "data/fiscal_tfp/panel.csv", "panel.csv"),
    ):
        assert ours.read_bytes() == (REFERENCE / "fiscal_tfp" / theirs).read_bytes()
    columns = pd.read_csv(ROOT / "data" / "fiscal_tfp" / "panel.csv").columns
    assert list(pd.read_csv(ROOT / "data" / "fiscal_tfp" / "dictionary.csv")["column"]) == list(columns)


def test_a_path_model_in_a_table_of_the_paper(least_squares, tmp_path):
    """One term has several paths and effects: none may stand in another's row."""
    tables = '[[table]]\nnumber = "3"\ntitle = "Mechanism"\ncolumns = ["med_step2", "indirect", "steps"]\n\n[[model]]'
    study = altered(least_squares, tmp_path / "s", "[[model]]", tables)
    run_study(study, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "tables" / "table_3.csv", index_col=0)
    assert table.loc["ln_tech_density, exposure to mediator", "indirect"].startswith("0.010 (0.0022)")
    assert table.loc["ln_tech_density, mediator to outcome", "steps"].startswith("-0.246 (0.160)")
    assert table.loc["ln_tech_density, indirect effect", "indirect"].startswith("-0.0024 (0.0018)")
    assert table.loc["broad_tax_burden", "med_step2"].startswith("0.010 (0.0022)")


def test_every_row_of_the_log_is_reproduced(run):
    """Held here to what the reference's README argues, independently of what the study file declares."""
    printed = read_published(FISCAL / "published.csv")
    assert len(printed) == 14
    rows = run.estimates.frame
    for _, row in printed.iterrows():
        estimands = (
            ("total_indirect",) if row["estimator"] == "indirect" else ("average_slope_twfe_weighted", "coefficient")
        )
        labels = (rows["model"] == row["model"]) & (rows["outcome"] == row["outcome"]) & (rows["term"] == row["term"])
        found = rows[labels & rows["estimand"].isin(estimands)]
        assert len(found) == 1, row["term"]
        ours = found.iloc[0]
        assert ours["estimate"] == pytest.approx(float(row["estimate"]), abs=2e-6)
        assert (ours["n_obs"], ours["n_units"]) == (int(row["n_obs"]), int(row["n_units"]))
        if row["se"]:
            half = 0.5 * 10.0 ** -len(row["se"].split(".")[1])
            assert ours["spread"] == pytest.approx(float(row["se"]), abs=half + 1e-6)
            assert ours["p_value"] == pytest.approx(float(row["p"]), abs=6e-4)


def test_the_replication_says_so(run):
    records = run.replication
    assert len(records) == 14 * 3 + 13 * 2  # estimate, rows and units of all; standard error and p of all but one
    assert (records["reason"] == "").all()
    assert records["within"].all()
    by = records.set_index(["quantity"])
    assert (by.loc["estimate", "tolerance"] == 2e-6).all()
    assert by.loc["se", "tolerance"].max() <= 5e-7 + 1e-6 + 1e-15
    # The widest: a standard error of .00098, of which 2e-6 are .002 t.
    assert by.loc["p", "tolerance"].between(5e-4, 2.3e-3).all()
    first = records.iloc[0]
    assert (first["published"], first["digits"]) == ("0.1525471", 7)
    assert first["difference"] == pytest.approx(first["ours"] - 0.1525471)


def test_the_report_shows_it(run, least_squares):
    report = report_text(least_squares / "out")
    assert "68 of 68 printed numbers are reproduced" in report
    assert "-0.2463799 (0.1603056) [0.135]" in report
    assert "never differenced" not in report
    table = pd.read_csv(least_squares / "out" / "tables" / "replication.csv")
    assert list(table.columns) == ["key", "model", "outcome", "term", "published", "ours", "difference", "verdict"]
    assert (table["verdict"] == "reproduced").all()
    assert len(table) == 14
    assert "no indirect association is established through ln tech density" in report
    assert "Mechanism by least squares: steps" in report
    assert not (least_squares / "out" / "tables" / "published.csv").exists()


def test_other_studies_are_never_differenced(study):
    assert not study.header.replicates


@pytest.mark.slow
def test_the_whole_study_runs(tmp_path):
    result = run_study(FISCAL, tmp_path / "out", quick=True)
    found = pd.read_csv(tmp_path / "out" / "diagnostics.csv")
    lost = found[~found["passed"] & ~found["quantity"].str.startswith("posterior predictive")]
    # A quick run has few draws: of those a chain may come to fewer than 400 independent ones, and nothing else.
    assert set(lost["quantity"]) <= {"smallest bulk ESS", "smallest tail ESS"}
    assert (lost["value"] > 300).all()
    assert result.replication["within"].all()
    posterior = result.estimates.select(model="posterior", estimand="average_slope_twfe_weighted").iloc[0]
    twfe = result.estimates.select(model="m2", estimand="average_slope_twfe_weighted").iloc[0]
    assert posterior["estimate"] == pytest.approx(twfe["estimate"], abs=0.3 * twfe["spread"])
    bayes = result.estimates.select(model="mechanism", estimand="indirect").iloc[0]
    assert bayes["estimate"] == pytest.approx(-0.00237653, abs=2e-4)
    assert bayes["hi"] < 0
    product = result.estimates.select(model="indirect", estimand="indirect").iloc[0]
    assert product["estimate"] == pytest.approx(-0.00237653, rel=1e-3)
    assert product["lo"] < 0 < product["hi"]
    text = report_text(tmp_path / "out")
    assert "step 3, b of ln tech density: p = 0.135" in text
    crossing = result.mechanisms[0].crossings.iloc[0]
    assert crossing["mean_crosses"] == pytest.approx(-0.22, abs=0.02)
    assert crossing["mean_crosses"] < crossing["interval_includes"] < 0
    assert f"by {crossing['mean_crosses']:+.2f} would bring its mean to zero" in text
    methods = pd.read_csv(tmp_path / "out" / "tables" / "mechanism_methods.csv").set_index("method")
    follows = methods["so one may conclude"]
    assert follows["Baron-Kenny regressions ('steps')"].startswith("not both paths differ from zero")
    assert "its interval includes zero" in follows["product of paths, clustered by unit ('indirect')"]
    assert "clearly negative, up to errors correlated by" in follows["posterior, iid errors ('mechanism')"]


# --- Matching


def printed(**cells):
    row = {
        **dict.fromkeys(COLUMNS, ""),
        "model": "m",
        "sample": "all",
        "estimator": "twfe",
        "outcome": "y",
        "term": "x",
    }
    return pd.DataFrame([{**row, **cells}])


def estimate(**cells):
    row = {
        "paradigm": "frequentist",
        "model": "m",
        "sample": "all",
        "outcome": "y",
        "term": "x",
        "estimand": "coefficient",
        "estimate": 0.12344,
        "spread": 0.0512,
        "p_value": 0.0172,
        "n_obs": 60,
        "n_units": 10,
    }
    return pd.DataFrame([{**row, **cells}])


def test_half_a_printed_digit_is_the_tolerance():
    records = replicate(printed(estimate="0.1234", se="0.0512", n_obs="60"), estimate(), ["m"]).set_index("quantity")
    assert records["within"].tolist() == [True, True, True]
    assert records.loc["estimate", "tolerance"] == pytest.approx(5e-5)
    assert records.loc["estimate", "difference"] == pytest.approx(4e-5)
    wrong = replicate(printed(estimate="0.1235", se="0.0513", n_obs="61"), estimate(), ["m"])
    assert wrong["within"].tolist() == [False, False, False]
    found = read_replication(wrong)
    sentence = replication_sentence(found)
    assert not found.whole
    assert "0 of 3 printed numbers" in sentence
    assert "coefficient of x in 'm' (0.1235, ours 0.1234)" in sentence
    assert "rows of x in 'm' (61, ours 60)" in sentence
    wide = replicate(printed(estimate="0.1235", se="0.0513"), estimate(), ["m"], 1e-4, 1e-4)
    assert wide["within"].tolist() == [True, True]
    assert wide["tolerance"].tolist() == pytest.approx([1e-4, 1.5e-4])


def test_a_p_value_moves_with_estimate_and_error():
    """The tolerance of p is what the tolerances of the other two can move it, beyond half a digit."""
    from scipy import stats

    row = printed(estimate="0.1234", se="0.0512", p="0.039", n_units="10")
    records = replicate(row, estimate(p_value=0.0391), ["m"], 1e-3, 1e-3).set_index("quantity")
    t = 0.1234 / 0.0512
    lower = (0.1234 - 1e-3) / (0.0512 + 1e-3 + 5e-5)
    moved = 2 * (stats.t(9).sf(lower) - stats.t(9).sf(t))
    assert records.loc["p", "tolerance"] >= 5e-4 + moved
    assert records.loc["p", "tolerance"] == pytest.approx(5e-4 + moved, rel=0.1)
    assert replicate(printed(p="0.017"), estimate(), ["m"])["tolerance"].tolist() == [5e-4]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"model": ""}, "no model is named"),
        ({"model": "other"}, "the study has no model 'other'"),
        ({"outcome": "z"}, "the model has no row of outcome 'z'"),
        ({"term": "w"}, "the model has no row of term 'w'"),
        ({"sample": "East"}, "the model has no sample 'East'"),
        ({"estimator": "indirect"}, "no rows of the model answer to it"),
    ],
)
def test_what_has_no_counterpart_says_why(cells, reason):
    records = replicate(printed(estimate="0.1", **cells), estimate(), ["m"])
    assert records["reason"].tolist() == [reason]
    assert records["within"].tolist() == [None]
    assert np.isnan(records["difference"]).all()
    found = read_replication(records)
    sentence = replication_sentence(found)
    assert not found.whole
    assert f"({reason})" in sentence


def test_estimands_samples_and_withheld_estimates():
    rows = pd.concat(
        [estimate(estimand=e, estimate=v) for e, v in (("total", 1.0), ("direct", 0.4), ("total_indirect", 0.6))]
    )
    assert replicate(printed(estimate="0.6", estimator="indirect"), rows, ["m"])["within"].tolist() == [True]
    assert replicate(printed(estimate="0.4", estimator="direct"), rows, ["m"])["within"].tolist() == [True]
    assert replicate(printed(estimate="0.4"), rows, ["m"])["reason"].tolist() == ["3 rows of the model answer to it"]
    longer = estimate(sample="all; rows complete in something (3 of 63 left out)")
    assert replicate(printed(estimate="0.1234", sample=""), longer, ["m"])["within"].tolist() == [True]
    none = estimate(estimate=np.nan, spread=np.nan)
    assert replicate(printed(estimate="0.1234"), none, ["m"])["reason"].tolist() == ["the estimate has none"]
    bayes = estimate(paradigm="bayesian")
    assert replicate(printed(estimate="0.1234"), bayes, ["m"])["within"].tolist() == [None]


# --- Study files


def altered(folder, target, old, new):
    text = (folder / "study.toml").read_text(encoding="utf-8")
    assert old in text
    target.mkdir(exist_ok=True)
    (target / "study.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    (target / "published.csv").write_bytes((folder / "published.csv").read_bytes())
    return bn.load_study(target)


STEPS = 'method = "baron_kenny"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('published = "published.csv"', "", "replicates without published numbers"),
        ("replicates = true", "", "tolerances belong to replicates = true"),
        ("tolerance_se = 1e-6", "tolerance_se = -1e-6", "tolerance_se"),
        ('outcome = "ln_tech_density"', 'outcome = "ln_tech"', r"model 'med_step2', outcome.*unknown column 'ln_tech'"),
        ('outcome = "ln_tech_density"', 'outcome = "L3_aging"', r"model 'med_step2'.*'L3_aging' has two roles"),
        ('kind = "mediation_paths"', 'kind = "mediation_path"', "nearest known name is 'mediation_paths'"),
        (STEPS, 'method = "sobel"', "'baron_kenny'"),
        (STEPS, f"{STEPS}\nlags = 2", "lags belongs to"),
        (STEPS, f'{STEPS}\ninterval = "monte_carlo"', "belongs to method = 'product'"),
        (STEPS, f'{STEPS}\ninterval = "cluster_bootstrap"\ndraws = 198', "draws"),
        (STEPS, f'{STEPS}\nmediators = ["urban"]', r"model 'steps', mediators.*unknown column 'urban'"),
        (STEPS, f'{STEPS}\nmediators = ["urban_rate"]', "mediator 'urban_rate' is a control too"),
        ('mediators = ["ln_tech_density"]', "", r"model 'indirect'.*no mediator is named"),
        (
            '[[model]]\nname = "m1"',
            '[[robustness]]\nname = "r"\nmodels = ["med_step2"]\nwinsorise = 0.01\n[[model]]\nname = "m1"',
            "do not apply to 'med_step2', which has an outcome or exposure of its own",
        ),
    ],
)
def test_bad_study_files_are_named(least_squares, tmp_path, old, new, message):
    with pytest.raises(BayesNppError, match=message):
        check_study(altered(least_squares, tmp_path / "s", old, new))


def test_models_of_their_own_outcome_and_exposure(least_squares, tmp_path):
    """Keys of one [[model]] leave the roles of the others as they are."""
    study = altered(
        least_squares,
        tmp_path / "s",
        'outcome = "ln_tech_density"',
        'outcome = "ln_tfp_alt"\nexposure = "macro_tax_burden"',
    )
    specs = {model.name: study.spec(model) for model in study.models}
    assert (specs["med_step2"].outcome, specs["med_step2"].exposure) == ("ln_tfp_alt", "macro_tax_burden")
    assert (specs["m2"].outcome, specs["m2"].exposure) == ("ln_tfp", "broad_tax_burden")
    assert any(
        "model indirect (mediation_paths): 186 rows; 31 of 217 rows left out" in line for line in check_study(study)
    )
    with pytest.raises(SpecError, match="unknown model 'm3'"):
        study.model("m3")
