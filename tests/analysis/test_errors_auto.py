"""A study that leaves errors to the ladder: `errors = "auto"`."""

import numpy as np
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.pipeline import rerender
from bayes_npp.study.checks import check_study

STUDY = """
[study]
title = "Left to the ladder"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
seed = 4

[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1"]

[[model]]
name = "grouped"
kind = "hierarchical"
slopes = "group"
errors = "auto"
draws = 400
chains = 2

[[model]]
name = "one"
kind = "hierarchical"
errors = "auto"
draws = 400
chains = 2

[[robustness]]
name = "shorter"
models = ["one"]
window = [2, 10]

[[claim]]
id = "positive"
text = "It rises."
proposition = "average_slope > 0"
model = "grouped"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("auto")
    panel = bn.simulate(20, 10, {"a": 0.3, "b": 0.3}, error_sd=0.4, autocorrelation=0.7, seed=21).frame
    panel.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(STUDY)
    return folder


@pytest.mark.slow(minutes=4)
def test_a_study_gets_the_errors_that_its_ladder_picks(folder, tmp_path):
    said = []
    result = bn.run_study(folder, tmp_path, quick=True, progress=said.append)
    models = {model.name: model for model in result.study.models}
    assert (models["grouped"].errors, models["one"].errors) == ("ar1", "ar1")
    assert any(line.startswith("one: errors") for line in said)
    (ladder,) = result.ladders  # one slope has no neighbours in pooling, and no ladder in the report
    assert (ladder.errors.chosen, ladder.errors.record.model) == ("ar1", "grouped")
    assert ladder.errors.records["iid"].model == "grouped--errors-iid"
    assert not ladder.errors.records["iid"].errors_fit
    assert ladder.errors.record.errors_fit
    frame = result.estimates.frame.set_index("model")
    assert set(frame.loc["grouped", "covariance"]) == set(frame.loc["one", "covariance"]) == {"ar1 errors"}
    assert set(frame.loc["one--errors-iid", "covariance"]) == {"iid errors"}
    assert set(frame.loc["one.shorter", "covariance"]) == {"ar1 errors"}
    assert set(frame.loc["grouped--slopes-none", "covariance"]) == {"ar1 errors"}
    by_hand = bn.fit(result.study.panel, result.study.spec(models["one"]), draws=400, chains=2, seed=4, errors="auto")
    assert [rung.errors for rung in by_hand.ladder] == ["iid", "ar1"]
    (record,) = result.ledger.records
    assert (record.model, record.errors) == ("grouped", "ar1")
    again = rerender(tmp_path)  # everything is stored, the picked fits under the names of their models too
    assert all(fit.reused for fit in again.every_fit)
    assert again.estimates.frame.equals(result.estimates.frame)


def test_check_asks_for_the_priors_of_every_rung_and_for_distances(folder, tmp_path):
    assert any(line.startswith("model grouped (hierarchical)") for line in check_study(bn.load_study(folder)))
    from bayes_npp.bayesian.priors.sets import load_priors

    priors = load_priors("weakly_informative")
    kept = [
        f"[prior.{slot}]\n"
        + "".join(f"{key} = {value!r}\n" for key, value in prior.model_dump().items() if value is not None)
        for slot, prior in priors.prior.items()
        if slot != "loading_sd"
    ]
    (tmp_path / "own.toml").write_text('name = "own"\n' + "\n".join(kept))
    (tmp_path / "panel.csv").write_text((folder / "panel.csv").read_text())
    text = STUDY.replace('errors = "auto"\n', 'errors = "auto"\npriors = "own.toml"\n')
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(BayesNppError, match="loading_sd"):
        check_study(bn.load_study(tmp_path))


def test_the_errors_of_a_model_are_not_known_before_the_climb(folder):
    study = bn.load_study(folder)
    with pytest.raises(SpecError, match="leaves them to the ladder"):
        study.spec(study.model("one"))
    assert study.simplest.spec(study.simplest.model("one")).errors == "iid"


@pytest.mark.slow(minutes=4)
def test_equations_of_a_mediation_climb_each_its_own(folder, tmp_path):
    frame = bn.simulate(20, 10, error_sd=0.4, autocorrelation=0.8, seed=21).frame.rename(
        columns={"outcome": "mediator"}
    )
    noise = np.random.default_rng(5).normal(size=len(frame))
    frame["outcome"] = 0.4 * frame["mediator"] + 0.3 * frame["exposure"] + 0.5 * noise
    frame.to_csv(tmp_path / "panel.csv", index=False)
    text = STUDY[: STUDY.index("[[model]]")].replace('"control_1"]', '"control_1"]\nmediators = ["mediator"]')
    text += '[[model]]\nname = "paths"\nkind = "mediation"\nerrors = "auto"\ndraws = 400\n'
    text += '[[model]]\nname = "plain"\nkind = "twfe"\n'
    text += '[[robustness]]\nname = "trends"\nmodels = ["plain"]\nunit_trends = true\n'
    text += '[[claim]]\nid = "through"\ntext = "Through it."\nproposition = "indirect[mediator] > 0"\nmodel = "paths"\n'
    (tmp_path / "study.toml").write_text(text)
    result = bn.run_study(tmp_path, tmp_path / "out")
    paths = result.study.model("paths")
    assert (paths.errors, paths.mediator_errors) == ("iid", (("mediator", "ar1"),))
    (mechanism,) = result.mechanisms
    assert [record.model for record in mechanism.tried] == [
        "paths--mediator--errors-iid",
        "paths--mediator--errors-ar1",
        "paths--outcome--errors-iid",
    ]
    assert [record.errors_fit for record in mechanism.fits] == [True, True]
    assert set(result.estimates.select(model="paths")["covariance"]) == {"iid errors, ar1 of mediators"}
    (record,) = result.ledger.records
    trends = record.variants[record.variants["variant"] == "trends, by least squares"]
    assert trends["reason"].tolist() == [""]
    assert trends["probability"].between(0, 1).all()
    again = rerender(tmp_path / "out")
    assert all(fit.reused for fit in again.every_fit)


@pytest.mark.slow(minutes=1)
def test_fit_prints_the_errors_picked(folder):
    done = CliRunner().invoke(cli, ["fit", str(folder), "one", "--quick"])
    assert done.exit_code == 0
    assert "ar1 errors" in done.stdout
    assert "one: errors ar1" in done.stderr
