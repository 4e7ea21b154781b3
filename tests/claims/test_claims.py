"""The ledger end to end on small simulated studies: numbers, files, sentences, bad input.

The whole room at work: `answer`, `cache`, `entry`, `ledger`, `paths`.
"""

import dataclasses
import re
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.analysis.cache import data_of
from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_mediation
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.claims.path_variants import altered_equations, equations_on, path_variants, same_rows
from bayes_npp.claims.slopes import answering, over_measures, over_priors, over_samples
from bayes_npp.claims.specification_curve import FREQUENTIST, OWN_FACTOR, SAMPLER_FAILED
from bayes_npp.claims.verdicts import CONTRADICTED, SUPPORTED, fragile
from bayes_npp.cli import cli
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.errors import BayesNppError
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.pipeline import run_study
from bayes_npp.reporting.tables.claims import sceptical_sds
from bayes_npp.study.checks import check_study
from bayes_npp.study.study import load_study
from tests.conftest import report_text

HEADER = """
[study]
title = "A simulated study"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "outcome"
exposure = "exposure"
mediators = ["mediator_1"]
[claims]
grid = "grid.toml"
[[model]]
name = "slopes"
kind = "hierarchical"
slopes = "group"
ladder = false
draws = 1000
[[model]]
name = "paths"
kind = "mediation"
draws = 1000
[[model]]
name = "product"
kind = "mediation_paths"
method = "product"
[[robustness]]
name = "early"
window = [1, 6]
models = ["slopes"]
"""
GRID = """
[[axis]]
priors = ["exposure"]
reason = "a test"
choices = [{ family = "normal", mu = 0.0, sigma = 0.5 }, { family = "normal", mu = 0.0, sigma = 2.0 }]
[[axis]]
priors = ["slope_sd"]
reason = "a test"
choices = [{ family = "half_normal", sigma = 0.2 }, { family = "half_normal", sigma = 1.0 }]
"""
CLAIM = '[[claim]]\nid = "{}"\ntext = "{} <script>"\nproposition = "{}"\nmodel = "{}"\neffects = [0.1, 0.5]\n'


def write_study(folder, claims, header=HEADER):
    paths = {"path_a": {"north": (0.8,), "south": (0.8,)}, "path_b": {"north": (0.6,), "south": (0.6,)}}
    direct = {"north": 1.0, "south": 0.0}
    bn.simulate_mediation(24, 8, **paths, direct=direct, seed=7).frame.to_csv(folder / "panel.csv", index=False)
    (folder / "grid.toml").write_text(GRID)
    tables = "".join(CLAIM.format(name, name, proposition, model) for name, proposition, model in claims)
    (folder / "study.toml").write_text(header + tables)
    return folder


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    claims = [
        ("average", "average_slope > 0", "slopes"),
        ("north", "slope[north] > slope[south]", "slopes"),
        ("south", "slope[south] > slope[north]", "slopes"),
        ("large", "slope[north] > 5", "slopes"),
        ("path", "indirect[mediator_1] > 0", "paths"),
    ]
    write_study(folder, claims)
    return run_study(folder, folder / "out")


def test_the_ledger_finds_the_truth(ledger):
    found = {record.claim.id: record for record in ledger.ledger.records}
    assert list(found) == ["average", "north", "south", "large", "path"]
    for name in ("average", "north", "path"):
        assert found[name].verdict.name in (SUPPORTED, fragile(SUPPORTED))
        assert found[name].probability > 0.99
        assert found[name].test.p_value < 0.01
    assert found["south"].verdict.name.startswith(CONTRADICTED)
    assert found["large"].verdict.name.startswith(CONTRADICTED)
    for record in found.values():
        assert record.verdict.line in (3, 4)
    assert found["north"].homogeneity.factor < 1 / 3  # though the study has no ladder
    assert found["south"].probability == pytest.approx(1 - found["north"].probability)
    assert found["south"].test.p_value == pytest.approx(found["north"].test.p_value)


def test_probabilities_are_those_of_the_estimates(ledger):
    rows = ledger.estimates.select(model="slopes")
    for record in ledger.ledger.records[:3]:
        assert record.probability == pytest.approx(answering(rows, record.claim.parsed)[1])
    path = ledger.estimates.select(model="paths", estimand="indirect", group="").iloc[0]
    assert ledger.ledger.records[-1].probability == path["prob_positive"]
    product = ledger.estimates.select(model="product", estimand="indirect").iloc[0]
    assert ledger.ledger.records[-1].test.p_value == product["p_value"]


def test_files_and_sentences(ledger):
    claims = pd.read_csv(ledger.out / "claims.csv")
    columns = "key id text proposition frequentist_p probability lowest highest verdict because"
    assert list(claims.columns)[:10] == columns.split()
    assert claims["id"].is_unique
    assert (claims["lowest"] <= claims["probability"]).all()
    assert (claims["probability"] <= claims["highest"]).all()
    sensitivity = pd.read_csv(ledger.out / "sensitivity.csv")
    assert list(sensitivity.columns) == ["key", "claim", "kind", "variant", "quantity", "value"]
    kinds = {"prior grid", "prior set", "prior scale", "power-scaling", "reverse Bayes", "specification", "priors"}
    assert set(sensitivity["kind"]) == kinds
    assert "early" in set(sensitivity.loc[sensitivity["kind"] == "specification", "variant"])
    cells = sensitivity[(sensitivity["kind"] == "prior grid") & (sensitivity["quantity"] == "probability")]
    assert len(cells) == 4 * 4  # cells by claims
    text, html = report_text(ledger.out), (ledger.out / "report.html").read_text(encoding="utf-8")
    names = [record.verdict.name for record in ledger.ledger.records]
    assert (
        f"{names.count(SUPPORTED) or 'none'} supported, {names.count(fragile(SUPPORTED)) or 'none'} supported" in text
    )
    assert "none undecided" in text
    for record in ledger.ledger.records:
        assert record.verdict.name in text
        shown = str(record.claim.parsed).replace("average_slope", ESTIMANDS["average_slope"])  # words, never names
        assert record.claim.parsed.is_mechanism or f"({shown})" in text
    assert not re.search(r"\S <script>", html)  # of a claim's text; the page's own stand on lines of their own
    for name in ("priors_slopes", "pooling_slopes", "sceptic_slopes", "specification_slopes"):
        assert (ledger.out / "figures" / f"{name}.png").stat().st_size > 0
    curve = pd.read_csv(ledger.out / "figures" / "specification_slopes.csv")
    assert set(curve["sample"]) == {"as declared", "early", OWN_FACTOR}
    assert len(curve) == 4 * 3 * 2  # propositions, samples, estimators


def test_paths_in_other_samples(ledger):
    """The row's own refit against a full fit on its sample; an equation that nothing alters keeps its draws."""
    record = ledger.ledger.records[-1]
    samples = record.variants[record.variants["kind"] == "specification"]
    assert list(samples["variant"]) == ["early", "the exposure's own factor, by least squares"]
    study = ledger.study
    model = study.model("paths")
    mediation, _ = fit_mediation(study.sample, model, run_settings(study))
    weak = parse_proposition("indirect[mediator_1] > 0.45")
    found = path_variants(study, model, mediation, [weak]).query("variant == 'early'")
    own = bn.read_panel(study.panel.frame[study.panel.frame["time"] <= 6], unit="unit", time="time", group="group")
    fit = bn.mediate(own, bn.Spec(outcome="outcome", exposure="exposure"), ["mediator_1"], seed=3)
    share = float((path_draws(weak, fit) > 0.45).mean())
    assert 0.05 < share < 0.95
    assert found["probability"].tolist() == [pytest.approx(share, abs=0.06)]
    doubled = study.panel.with_column("outcome", study.panel.numbers("outcome") * 2)
    changed = equations_on("measurement", "doubled", dataclasses.replace(study.sample, panel=doubled), model)
    same = [same_rows(d, mediation.equations[d.spec.outcome].design) for d in changed.designs]
    assert same == [True, False]


def test_a_sample_without_an_answer_says_why(tmp_path):
    """Rows that do not apply to a mediation model, and one it cannot be fitted to, stay in the list."""
    rows = {
        "lead": "lead = 1",
        "bare": "controls = []",
        "by_group": 'group_time_effects = "group"',
        "short": "window = [1, 2]",
        "late": "window = [5, 12]",
    }
    text = "".join(f'[[robustness]]\nname = "{name}"\n{row}\nmodels = ["slopes"]\n' for name, row in rows.items())
    study = load_study(write_study(tmp_path, [], HEADER + text))
    found = {variant.label: variant for variant in altered_equations(study, study.model("paths"))}
    assert list(found) == ["early", *rows]
    assert "placebo" in found["lead"].reason
    assert "controls" in found["bare"].reason
    assert "period effects of groups" in found["by_group"].reason
    assert found["short"].designs
    assert "is not inside the study's" in found["late"].reason


def test_a_rerun_computes_nothing_again(ledger, monkeypatch, tmp_path):
    """Every analysis comes from beside the fits, bit by bit, and all tables with it."""
    folder = tmp_path / "out"
    shutil.copytree(ledger.out, folder)
    for name in ("slopes.sensitivity", "slopes.specification_curve", "paths.path_variants", "paths.refit"):
        monkeypatch.setattr(f"bayes_npp.claims.{name}", None)
    again = run_study(ledger.study, folder)
    assert again.fits[0].reused
    for path in folder.rglob("*.csv"):
        assert path.read_bytes() == (ledger.out / path.relative_to(folder)).read_bytes(), path.name
    study = ledger.study
    shorter = dataclasses.replace(study.panel, window=(1, 6))
    samples = [dataclasses.replace(study.sample, panel=panel) for panel in (study.panel, shorter)]
    made_from = data_of(study.sample, study.robustness)
    assert [data_of(own, study.robustness) == made_from for own in samples] == [True, False]
    kept = folder / "fits" / "slopes.claims.json"
    kept.write_text(kept.read_text()[:-40])
    with pytest.raises(TypeError):  # damaged: it would be computed again
        run_study(ledger.study, folder)


@pytest.mark.slow(minutes=1)
def test_a_refit_fits_every_model_once(ledger, monkeypatch, tmp_path):
    """Though its claims ask for it again."""
    folder, written = shutil.copytree(ledger.out, tmp_path / "out"), []
    monkeypatch.setattr("bayes_npp.analysis.stored_fits.write_tree", lambda tree, path: written.append(path.name))
    run_study(ledger.study, folder, refit=True)
    assert "slopes.nc" in written
    assert len(set(written)) == len(written)


@pytest.mark.slow(minutes=1)
def test_same_seed_gives_the_same_files(ledger, tmp_path):
    again = run_study(ledger.study, tmp_path)
    assert not again.fits[0].reused
    names = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.suffix in (".csv", ".md", ".tex")]
    assert len(names) > 20
    for name in names:
        assert (tmp_path / name).read_bytes() == (ledger.out / name).read_bytes(), name


def test_rows_answer_propositions_both_ways():
    rows = pd.DataFrame(
        {
            "estimand": ["average_slope", "group_slope", "slope_difference"],
            "group": ["", "a", "a - b"],
            "prob_positive": [0.9, 0.8, 0.7],
            "estimate": [1.0, 2.0, 3.0],
            "lo": [-1.0, 0.0, 2.0],
            "hi": [2.0, 3.0, 7.0],
        }
    )
    expected = {
        "average_slope > 0": 0.9,
        "average_slope < 0": 0.1,
        "slope[a] > 0": 0.8,
        "slope[a] > slope[b]": 0.7,
        "slope[b] > slope[a]": 0.3,
        "slope[b] < slope[a]": 0.7,
        "slope[b] > 0": None,
        "average_slope > 0.1": None,
        "slope[a] > average_slope": None,
    }
    for text, value in expected.items():
        found = answering(rows, parse_proposition(text))
        assert (found is None) == (value is None), text
        if found is not None:
            assert found[1] == pytest.approx(value), text
            turned = text in ("slope[b] > slope[a]", "slope[b] < slope[a]")
            assert not turned or found[0][["estimate", "lo", "hi"]].to_numpy().tolist() == [[-3.0, -7.0, -2.0]]


def test_measures_and_their_averages_are_variants():
    row = {"estimand": "average_slope", "group": ""}
    declared = {"variant": "as declared", **row, "prob_positive": 0.3}  # the claim's own posterior, fitted again
    slopes = pd.DataFrame([declared, {"variant": "pca", **row, "prob_positive": 0.8}])
    averages = pd.DataFrame([{"source": "bootstrap", "failed": 0, **row, "prob_positive": 0.6}])
    variants = pd.DataFrame([{"variant": name, "verdict": "passed"} for name in ("as declared", "pca")])
    record = SimpleNamespace(model="slopes", variants=variants, slopes=slopes, averages=averages)
    empty = pd.DataFrame(columns=["source", "failed", "estimand"])
    bare = SimpleNamespace(model="slopes", variants=variants, slopes=slopes, averages=empty)
    proposition = parse_proposition("average_slope < 0")
    found = over_measures([record], "slopes", proposition)
    assert list(found["probability"]) == [pytest.approx(0.2), pytest.approx(0.4)]
    assert found["variant"].iloc[1].startswith("average: ")
    assert len(over_measures([bare], "slopes", proposition)) == 1
    assert over_measures([record], "other", proposition).empty
    variants["verdict"], averages["failed"] = "failed: divergences 3 (needs = 0)", 1
    assert over_measures([record], "slopes", proposition)["probability"].isna().all()


def test_samplers_that_fail_give_no_probability():
    p = parse_proposition("average_slope > 0")
    own = {"proposition": str(p), "probability": 0.7}
    grid = pd.DataFrame([{**own, "cell": 1, "passed": False}, {**own, "cell": 2, "passed": True}])
    sets = pd.DataFrame([{**own, "priors": "diffuse", "passed": False}])
    found = over_priors(SimpleNamespace(grid=grid, sets=sets), p)
    assert found["probability"].isna().tolist() == [True, False, True]


def test_declared_rows_that_the_model_has_not_are_answered_by_least_squares():
    """Before: a row of unit trends was dropped, and with it the finding that nothing is there."""
    none = float("nan")
    for text, differs in (("average_slope > 0", none), ("slope[a] > slope[b]", 1.0)):
        p = parse_proposition(text)
        own = {"estimate": 0.1, "lo": -0.1, "hi": 0.3, "proposition": str(p), "probability": 0.7, "within": 0.2}
        cell = {**own, "estimator": "hierarchical, iid errors"}
        least = {**own, "estimator": FREQUENTIST, "probability": none, "tail": 0.4, "joint_p": 0.03, "reason": ""}
        rows = [
            ({**cell, "sample": "as declared", "reason": ""}, least),
            ({**cell, "sample": "early", "reason": ""}, least),
            ({**cell, "sample": "late", "reason": SAMPLER_FAILED}, least),
            ({**cell, "sample": "trends", "probability": none, "reason": "does not apply"}, least),
            ({**cell, "sample": "few", "reason": "does not apply"}, {**least, "reason": f"no test of {p}: 3 units"}),
            ({**cell, "sample": "odd", "reason": "does not apply"}, {**least, "reason": "'x' is absorbed"}),
            ({**cell, "sample": OWN_FACTOR, "reason": "does not apply"}, {**least, "reason": "too few periods"}),
        ]
        curve = pd.DataFrame([row for one, other in rows for row in (one, {**other, "sample": one["sample"]})])
        found = over_samples(curve, SimpleNamespace(errors="iid"), p)
        named = ["early", "late", "trends, by least squares", "few", "odd", OWN_FACTOR]
        assert found["variant"].tolist() == named
        assert found["probability"].fillna(-1).tolist() == [0.7, -1, 0.4, -1, -1, -1]
        assert found["counted"].tolist() == [True, True, True, False, True, False]
        assert found["within"].fillna(-1).tolist() == [0.2, -1, 0.2, -1, -1, -1]
        assert found["differ"].iloc[2] == pytest.approx(differs, nan_ok=True)
        curve["joint_p"] = none
        alone = over_samples(curve, SimpleNamespace(errors="iid"), p)
        assert alone["counted"].iloc[2] == (not p.is_difference)


@pytest.mark.parametrize(
    ("crossings", "at_widest", "expected"),
    [
        ({0.975: (0.02,), 0.9: (0.01,)}, 0.99, "0.975: 0.020; 0.9: 0.010; limit 0.039"),
        ({0.975: (), 0.9: ()}, 0.64, "not credible even under a practically flat prior"),
        (
            {0.975: (0.1, 0.5), 0.9: (0.05,)},
            0.92,
            "0.975: 0.100, 0.500, not under a practically flat prior; 0.9: 0.050",
        ),
        (
            {0.975: (0.1, 0.5), 0.9: ()},
            0.7,
            "0.975: 0.100, 0.500, not under a practically flat prior; "
            "0.9: at no prior SD tried, not under a practically flat prior",
        ),
    ],
)
def test_every_crossing_is_shown(crossings, at_widest, expected):
    own = Scepticism(parse_proposition("average_slope > 0"), (), pd.DataFrame(), crossings, at_widest, 0.1)
    assert sceptical_sds(own) == expected


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (("c", "slope[east] > 0", "slopes"), "unknown label 'east'"),
        (("c", "indirect[mediator_1] > 0", "slopes"), "is a path"),
        (("c", "indirect[mediator_2] > 0", "paths"), "unknown label 'mediator_2'"),
        (("c", "indirect[mediator_1, north] > 0", "paths"), "names a group"),
        (("c", "average_slope > 0", "paths"), "is no path"),
        (("c", "average_slope > 0", "product"), "a hierarchical or a mediation model"),
        (("c", "average_slope > 0", "slope"), "unknown model 'slope'"),
        (("c", "x raises y", "slopes"), "is no proposition"),
    ],
)
def test_claims_nobody_can_answer(claim, message, tmp_path):
    with pytest.raises(BayesNppError, match=message):
        check_study(load_study(write_study(tmp_path, [claim])))


def test_declared_twice_or_with_bad_rules(tmp_path):
    claim = ("c", "average_slope > 0", "slopes")
    with pytest.raises(BayesNppError, match="two claims are named"):
        check_study(load_study(write_study(tmp_path, [claim, claim])))
    with pytest.raises(BayesNppError, match="thresholds contradict each other"):
        load_study(
            write_study(tmp_path, [claim], HEADER.replace("[claims]", "[claims]\nsupport = 0.6\ncontradict = 0.8"))
        )
    with pytest.raises(BayesNppError, match="unknown grid of priors"):
        check_study(load_study(write_study(tmp_path, [claim], HEADER.replace("grid.toml", "grd"))))
    (tmp_path / "grid.toml").write_text("axis = []")
    write_study(tmp_path, [claim])
    (tmp_path / "grid.toml").write_text("axis = []")
    with pytest.raises(BayesNppError, match="the grid is empty"):
        check_study(load_study(tmp_path))


def test_sensitivity_on_the_command_line(tmp_path):
    write_study(tmp_path, [("c", "average_slope > 0", "slopes")])
    asked = ["sensitivity", str(tmp_path), "slopes", "--quick"]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.startswith("claim,kind,variant,quantity,value\n")
    assert "average_slope > 0,prior set,sceptical" in done.output
    with pytest.raises(BayesNppError, match="has kind 'mediation'"):
        CliRunner().invoke(cli, ["sensitivity", str(tmp_path), "paths"], catch_exceptions=False)
