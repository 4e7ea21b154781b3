"""The default study: first-look numbers from its estimators; its whole run, which is slow."""

import runpy

import pandas as pd
import pytest

from bayes_npp.analysis.estimation import estimate_model
from bayes_npp.analysis.settings import run_settings
from bayes_npp.estimates import concat
from bayes_npp.reporting.base.wording import wording
from tests.conftest import ROOT, report_text
from tests.reporting.names import names_shown

FIRST_LOOK = {
    "regions_subsamples": {"East": (0.50, 2.8), "Central": (0.10, 0.3), "West": (0.11, 2.2), "Northeast": (0.25, 1.4)},
    "regions_interacted": {
        "East": (0.62, 3.5),
        "Central": (0.39, 1.4),
        "West": (0.01, 0.2),
        "Northeast": (-0.45, -1.5),
    },
}


def test_first_look_numbers(study):
    settings = run_settings(study)
    models = [study.model(name) for name in ("twfe", *FIRST_LOOK)]
    frame = concat([estimate_model(study.sample, model, settings).table for model in models]).frame
    row = frame[(frame["model"] == "twfe") & (frame["term"] == "openness")].iloc[0]
    assert row["estimate"] == pytest.approx(0.316, abs=5e-4)
    assert row["estimate"] / row["spread"] == pytest.approx(2.4, abs=0.05)
    for model, groups in FIRST_LOOK.items():
        rows = frame[(frame["model"] == model) & frame["estimand"].isin(["subsample_slope", "group_slope"])]
        for group, (estimate, t) in groups.items():
            found = rows[rows["group"] == group].iloc[0]
            assert found["estimate"] == pytest.approx(estimate, abs=0.0051)
            assert found["estimate"] / found["spread"] == pytest.approx(t, abs=0.051)


@pytest.mark.slow(minutes=6)
def test_posterior_average_is_twfe_and_the_errors_are_not_iid(run):
    frame = run.estimates.frame
    row = frame[(frame["model"] == "regions") & (frame["estimand"] == "average_slope_twfe_weighted")].iloc[0]
    assert row["estimate"] == pytest.approx(0.316, abs=0.01)
    assert row["spread"] == pytest.approx(0.06, abs=0.005)
    record = run.fits[0]
    assert record.diagnostics.passed, record.diagnostics.verdict
    assert not record.errors_fit
    observed = {check.name: check.observed for check in record.predictive}
    assert observed["serial correlation"] > 0.6
    assert observed["spread by unit"] > 3


@pytest.mark.slow(minutes=6)
def test_tables_in_the_layout_of_the_paper(run):
    """Every declared table: models in columns, GMM with its tests, no long run where the lags sum above one."""
    table = pd.read_csv(run.out / "tables" / "table_3.csv", index_col=0, keep_default_na=False).iloc[:, 1:]
    assert list(table.columns) == ["gmm_system", "gmm_system_all_lags", "gmm_difference", "dynamic_within", "dynamic"]
    assert table.loc["AR(2)", "gmm_system"].endswith("]")
    assert table.loc["Hansen", "gmm_system_all_lags"].endswith("[p = 1.000]")
    assert "not below 1" in table.loc["openness, long run", "gmm_system"]
    assert "time[2016]" not in table.index
    assert not any("L1" in column for column in table.columns)
    frame = run.estimates.frame
    lag = frame[(frame["model"] == "gmm_system") & (frame["term"] == "L1.npp")].iloc[0]
    assert table.loc["L1.npp", "gmm_system"].startswith(f"{lag['estimate']:.3f} ({lag['spread']:.3f})")
    table = pd.read_csv(run.out / "tables" / "table_6.csv", index_col=0).iloc[:, 1:]
    assert len(table.columns) == 4
    text = report_text(run.out)
    for declared in run.study.tables:
        assert f"Table {declared.number}. {declared.title}" in text
    assert "89 instruments exceed 30 units" in text


@pytest.mark.slow(minutes=6)
def test_a_mediator_without_a_path_gets_no_story(run):
    """Both mediators are in the report with a reading; where the sign is undecided the open path is named."""
    text = report_text(run.out)
    frame = run.estimates.frame
    for mediator in run.study.roles.mediators:
        row = frame[(frame["model"] == "mechanism") & (frame["estimand"] == "indirect") & (frame["term"] == mediator)]
        assert 0.025 < row.iloc[0]["prob_positive"] < 0.975
        shown = wording(run.study)(mediator)
        assert f"{shown}: no indirect association is established" in text
        assert f"{wording(run.study)('openness')} to {shown} (P(> 0)" in text
    table = pd.read_csv(run.out / "tables" / "confounding_mechanism.csv")
    assert "the interval includes zero at rho = 0 already" in set(table["interval includes zero from rho"])
    for name in ("figures/confounding_mechanism.csv", "tables/contrasts_mechanism.csv", "fits/mechanism--npp.nc"):
        assert (run.out / name).stat().st_size > 0
    beyond = pd.read_csv(run.out / "tables" / "confounding_mechanism_ar1_unit_scale.csv")
    assert beyond["posterior mean is zero at rho"].str.startswith("none from -0.").any()  # as far as the draws reach
    methods = pd.read_csv(run.out / "tables" / "mechanism_methods.csv").set_index(["mediator", "method"])
    follows = methods["so one may conclude"]
    for mediator in run.study.roles.mediators:
        two_step = follows[mediator, "two-step mechanism regressions ('two_step')"]
        assert f"nothing about {mediator} and npp, so nothing about mediation" in two_step
        assert "no indirect association is established" in follows[mediator, "posterior, iid errors ('mechanism')"]
    fits = set(pd.read_csv(run.out / "diagnostics.csv")["fit"])
    assert {"mechanism--structure", "mechanism--st_share", "mechanism--npp"} <= fits


@pytest.mark.slow(minutes=6)
def test_the_report_tells_the_truth(run):
    text = report_text(run.out)
    assert "Not the paper's data" in text
    regions, vitality = (ladder.errors for ladder in run.ladders)
    assert regions.chosen == "ar1+unit_scale+factor"
    assert all(check.passed for check in regions.record.predictive)
    assert not all(check.passed for check in vitality.record.predictive)
    assert "The paper, with its own variables" in text
    assert "Qinghai 2021" in text
    assert (run.out / "tables" / "published.csv").stat().st_size > 0


@pytest.mark.slow(minutes=6)
def test_measurement(run):
    """Logarithms change far more than uncertain weights do."""
    (declared,) = run.measurement
    assert (declared.errors, declared.model) == ("iid", "regions")
    assert len(declared.variants) == 65
    logged = declared.variants[declared.variants["logs"] == "ln"]
    raw = declared.variants[(declared.variants["logs"] == "none") & (declared.variants["exposure"] == "")]
    assert logged["mean"].max() < 0.1 < 0.15 < raw["mean"].min()
    assert logged["correlation_within"].max() < 0.3
    average = declared.averages[declared.averages["estimand"] == "average_slope_twfe_weighted"]
    assert (average["index_share"] < 0.15).all()
    report = report_text(run.out)
    shared = "outcome npp and mediator st_share share the column fiscal_exp_scitech_100m_cny"
    assert wording(run.study)(shared) in report
    assert "an average over measurement choices (cut, no feedback), not a posterior of one model" in report


def test_ten_line_script(capsys):
    script = ROOT / "examples" / "fit_from_script.py"
    body = [line for line in script.read_text().split('"""')[2].splitlines() if line and "import" not in line]
    assert len(body) <= 10
    runpy.run_path(str(script))
    out = capsys.readouterr().out
    assert "East" in out
    assert out.rstrip().endswith("passed")


def test_variables_of_the_default_study(study):
    panel = study.panel
    assert [(c.variable, c.unit, c.time) for c in panel.filled] == [("software", "Qinghai", 2021)]
    weights = panel.index_weights.query("index == 'npp'")["weight"]
    assert weights.sum() == pytest.approx(1)
    inside = panel.frame[panel.in_window]
    assert inside["npp"].between(0, 1).all()
    assert inside.groupby("province_en")["vitality"].nunique().eq(1).all()
    assert inside.drop_duplicates("province_en")["vitality"].value_counts().to_dict() == {"high": 15, "low": 15}
    assert panel.frame["province_zh"].iloc[0] == "北京"


@pytest.mark.slow(minutes=6)
def test_no_name_is_shown(run):
    assert names_shown(run) == set()
