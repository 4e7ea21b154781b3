"""Tables of the tiny run: every number a reader sees is a number of the run's files, and every table is in the report.

`tables.checks`, `tables.claims`, `tables.descriptives`, `tables.equality`, `tables.inputs`, `tables.ladder`,
`tables.measurement`, `tables.mechanism`, `tables.methods`, `tables.paper`, `tables.paths`, `tables.replication`,
`tables.robustness`, `tables.slopes`, `tables.forest`, `tables.diagrams` and `tables.panel` fill them, `csv_files` the
files of numbers;
`base.result`, `base.rendering` and `report` put them on the page.
"""

import re
from dataclasses import replace

import pandas as pd
import pytest

from bayes_npp.estimates import Estimates
from bayes_npp.reporting.base.cells import number
from bayes_npp.reporting.report import report_page
from bayes_npp.reporting.tables.ladder import average_row, average_weights
from bayes_npp.reporting.tables.rungs import baseline_row, main_ladder, moves_from, rung_cards
from bayes_npp.reporting.tables.slopes import weights_table
from bayes_npp.reporting.tables.summary import summary_cards

INTERVAL = r"-?\d[\d.]* \[-?[\d.]+, -?[\d.]+\]"
SPREAD = r"-?\d+\.\d+ \(\d+\.\d+\)"
# Tables of estimates, and how many of them there are at least.
INTERVALS = {
    "slopes_groups": 8,
    "differences_groups": 3,
    "averages_groups": 7,
    "errors_groups": 3,
    "pooling_groups": 20,
    "groups_changes": 5,
    "robustness": 7,
    "mechanism_mechanism": 20,
    "mechanism_filled": 6,
    "contrasts_mechanism": 2,
    "mechanism_methods": 4,
    "claims": 3,
    "claim_evidence": 3,
}
SPREADS = {"table_2": 5, "table_5": 1, "baseline": 13}


@pytest.fixture(scope="module")
def estimates(tiny_run):
    return pd.read_csv(tiny_run.out / "estimates.csv")


def text_of(run, name):
    return (run.out / "tables" / f"{name}.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "least"), INTERVALS.items(), ids=INTERVALS)
def test_every_interval_is_an_estimate_of_the_run(name, least, tiny_run, estimates):
    columns = (estimates["estimate"], estimates["lo"], estimates["hi"])
    ours = {f"{number(e)} [{number(lo)}, {number(hi)}]" for e, lo, hi in zip(*columns, strict=True)}
    shown = re.findall(INTERVAL, text_of(tiny_run, name))
    assert len(shown) >= least
    assert [one for one in shown if one not in ours] == []


@pytest.mark.parametrize(("name", "least"), SPREADS.items(), ids=SPREADS)
def test_every_standard_error_is_that_of_the_run(name, least, tiny_run, estimates):
    ours = {f"{number(e)} ({number(s)})" for e, s in zip(estimates["estimate"], estimates["spread"], strict=True)}
    shown = re.findall(SPREAD, text_of(tiny_run, name))
    assert len(shown) >= least
    assert [one for one in shown if one not in ours] == []


def test_products_of_paths_and_tests_of_equal_slopes(tiny_run, estimates):
    table = pd.read_csv(tiny_run.out / "tables" / "paths_product.csv", dtype=str)
    own = estimates[estimates["model"] == "product"]
    pairs = {(number(e), number(s)) for e, s in zip(own["estimate"], own["spread"], strict=True)}
    shown = set(zip(table["estimate"], table["standard error"], strict=True))
    assert len(shown & pairs) >= 4
    rows = estimates[(estimates["model"] == "interacted") & (estimates["estimand"] == "slope_difference")]
    gap = rows.iloc[0]
    assert f"{number(gap['estimate'])} ({number(gap['spread'])})" in text_of(tiny_run, "equality_group")


def test_the_measurement_table_starts_from_what_was_declared(tiny_run, estimates):
    table = pd.read_csv(tiny_run.out / "tables" / "measurement_groups.csv", dtype=str)
    plain = estimates[(estimates["model"] == "plain") & (estimates["term"] == "exposure")].iloc[0]
    assert table["measured by"].iloc[0].endswith("as declared")
    assert table["TWFE"].iloc[0].startswith(f"{number(plain['estimate'])} [")
    assert len(table) == len(tiny_run.measurement[0].variants)


def test_checks_and_inputs_are_those_of_the_run(tiny_run):
    shown, stored = (pd.read_csv(tiny_run.out / name) for name in ("tables/diagnostics.csv", "diagnostics.csv"))
    worst = stored.set_index(["fit", "quantity"]).loc[("groups", "Pareto k"), "value"]
    assert shown.set_index("fit").loc["groups", "Pareto k"].startswith(f"{worst:.4g} (")
    # R-hat is of chains, and Pareto k of weights: a fit has either.
    chains = shown.get("largest R-hat", pd.Series(index=shown.index, dtype=float))
    assert (chains.isna() == shown["Pareto k"].notna()).all()
    assert set(shown.loc[shown["Pareto k"].notna(), "sampled by"]) == {"weighted points"}
    checks = pd.read_csv(tiny_run.out / "tables" / "predictive.csv")
    assert set(checks["fit"]) == {record.model for record in tiny_run.fits if record.predictive}
    weights = pd.read_csv(tiny_run.out / "tables" / "index_weights.csv")
    assert weights["weight"].tolist() == pytest.approx(tiny_run.study.panel.index_weights["weight"].tolist(), abs=5e-5)
    priors = pd.read_csv(tiny_run.out / "tables" / "priors_groups.csv")
    assert len(priors) == len(tiny_run.fits[0].priors.prior)
    assert priors["reason"].notna().all()


def test_descriptives_are_those_of_the_panel(tiny_run):
    table = pd.read_csv(tiny_run.out / "tables" / "descriptives.csv").set_index("variable")
    frame = tiny_run.study.panel.frame
    assert table.loc["support", ["n", "missing"]].tolist() == [82, 2]
    for name in ("made", "exposure", "structure", "control_1"):
        row = table.loc[name.replace("_", " ")]
        assert row["SD overall"] == pytest.approx(frame[name].std(), abs=6e-4)
        between = frame.groupby("unit")[name].mean().std()
        assert row["SD between"] == pytest.approx(between, abs=6e-4)


def test_every_table_is_in_the_report_and_as_tex(tiny_run):
    html, text = ((tiny_run.out / f"report.{ending}").read_text(encoding="utf-8") for ending in ("html", "md"))
    page = report_page(tiny_run)
    tables = sorted((tiny_run.out / "tables").glob("*.csv"))
    assert len(tables) > 30
    for path in tables:
        assert path.with_suffix(".tex").is_file()
        assert f'id="table-{path.stem}"' in html, path.stem
        title = (
            page.cards[path.stem].columns[0][0] if path.stem in page.cards else f"**{page.tables[path.stem].title}**"
        )
        assert f"tables/{path.name}" in text or title in text
        assert pd.read_csv(path, dtype=str, nrows=0).columns[0] == "key"
    assert html.count('<div class="tabled"') + html.count('<table class="cards') == len(tables)


def test_the_summary_has_a_row_a_claim(tiny_run):
    cards = summary_cards(tiny_run)
    rows = [cells for _, cells in cards.rows if len(cells) > 1]
    records = {record.claim.text: record for record in tiny_run.ledger.records}
    assert sorted(cells[0].text for cells in rows) == sorted(records)
    assert {len(cells) for cells in rows} == {len(cards.columns)} == {len(cards.widths)}
    for cells in rows:
        assert records[cells[0].text].verdict.name in {cell.text for cell in cells}


def test_the_ladder_shows_every_rung_and_check(tiny_run):
    (ladder,) = tiny_run.ladders
    cards = rung_cards(ladder, tiny_run)
    assert main_ladder(tiny_run) is ladder
    assert len(cards.rows) == len(ladder.errors.records) + (baseline_row(tiny_run) is not None)
    assert [style for style, _ in cards.rows].count("picked") == 1
    passed = [check.passed for record in ladder.errors.records.values() for check in record.predictive]
    marks = [cell.mark for _, cells in cards.rows for cell in cells]
    assert (marks.count("passed"), marks.count("failed")) == (sum(passed), len(passed) - sum(passed))


def test_rows_of_tests_and_scores(tiny_run):
    tests, scores, choices = (
        pd.read_csv(tiny_run.out / f"{name}.csv", keep_default_na=False) for name in ("tests", "scores", "choices")
    )
    for frame in (tests, scores, choices):
        assert frame.columns[0] == "key"
        assert frame["key"].is_unique
    hansen = tests.set_index("key").loc["gmm/Hansen", "p_value"]
    assert float(hansen) == pytest.approx(tiny_run.gmm["gmm"]["hansen_p"])
    errors, ladder = scores[scores["part"] == "errors"], tiny_run.ladders[0].errors
    for method, known in (("loo", ladder.scores), ("leave_one_unit_out", ladder.unit_scores)):
        elpd = errors[errors["method"] == method].set_index("model")["elpd"].astype(float)
        assert elpd.to_dict() == pytest.approx({name: score.elpd for name, score in known.items()})
    weights = errors.loc[errors["method"] == "leave_one_unit_out", "weight"].astype(float)
    assert weights.sum() == pytest.approx(1)
    assert set(choices["claim_id"]) == {record.claim.id for record in tiny_run.ledger.records}


def test_weights_of_two_way_fixed_effects_are_always_there(tiny_run):
    """With a weight below zero named: the averages' own table exists only where models are compared."""
    shown = pd.read_csv(tiny_run.out / "tables" / "twfe_weights.csv")
    ours = tiny_run.weights
    assert shown["group"].tolist() == ours["group"].tolist()
    assert shown["weight of TWFE"].tolist() == pytest.approx(ours["twfe_weight"].round(3).tolist())
    assert not (ours["twfe_weight"] < 0).any()
    assert weights_table(tiny_run).notes[1] == "No weight is negative."
    moved = replace(tiny_run, weights=ours.assign(twfe_weight=[-0.2, *ours["twfe_weight"][1:]]))
    assert f"Below zero: {ours['group'].iloc[0]}" in weights_table(moved).notes[1]
    assert weights_table(replace(tiny_run, weights=ours.iloc[:0])) is None


def test_the_average_of_a_model_is_named_by_its_weights(tiny_run):
    """Without correlated means a model has no average with TWFE's weights: it is not set against TWFE's."""
    model = main_ladder(tiny_run).model
    own = average_row(tiny_run, model)
    assert (own["estimand"], average_weights(tiny_run, model)) == ("average_slope_twfe_weighted", "TWFE's weights")
    assert moves_from(tiny_run, own) is not None
    frame = tiny_run.estimates.frame
    bare = replace(tiny_run, estimates=Estimates(frame[frame["estimand"] != "average_slope_twfe_weighted"]))
    other = average_row(bare, model)
    assert (other["estimand"], average_weights(bare, model)) == ("average_slope", "observations' weights")
    assert moves_from(bare, other) is None
