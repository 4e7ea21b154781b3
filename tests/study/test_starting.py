"""A study file written from a panel passes check; examples travel with the package."""

import pytest

import bayes_npp as bn
from bayes_npp.study.checks import check_study
from bayes_npp.study.starting import copy_example, new_study
from tests.conftest import ROOT
from tests.panels.test_guesses import TIMES, file, rows

PANEL = ROOT / "data" / "china_provinces" / "panel.csv"


@pytest.mark.parametrize("name", TIMES)
def test_every_calendar_gives_a_study_that_passes(tmp_path, name):
    new_study(tmp_path / "study", file(tmp_path, rows(TIMES[name][0])))
    lines = check_study(bn.load_study(tmp_path / "study"))
    assert any("balanced" in line for line in lines)
    assert not [line for line in lines if line.startswith("warning")]


def test_what_is_said_is_taken_and_what_is_guessed_is_told(tmp_path):
    done = new_study(
        tmp_path / "s", PANEL, outcome="rd_intensity_pct", exposure="gdp_100m_cny", controls=["rd_exp_total_10k_cny"]
    )
    study = bn.load_study(tmp_path / "s")
    assert (study.roles.outcome, study.roles.controls) == ("rd_intensity_pct", ("rd_exp_total_10k_cny",))
    assert [line.partition(" =")[0] for line in done.guessed] == ["unit", "time", "group"]
    assert study.panel.balance().n_units == 30
    assert [model.name for model in study.models] == ["twfe", "by_group", "hierarchical"]


def test_without_groups_there_is_one_slope(tmp_path):
    new_study(tmp_path / "s", file(tmp_path, rows(range(2010, 2018)).drop(columns="c")))
    study = bn.load_study(tmp_path / "s")
    assert study.header.group is None
    assert study.model("hierarchical").errors == "ar1+unit_scale"


def test_many_units_get_no_scale_each_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("bayes_npp.study.starting.MANY_UNITS", 3)
    new_study(tmp_path / "s", PANEL, outcome="rd_intensity_pct", exposure="gdp_100m_cny")
    model = bn.load_study(tmp_path / "s").model("hierarchical")
    assert (model.slopes, model.ladder, model.errors) == ("region", False, "ar1")
    text = (tmp_path / "s" / "study.toml").read_text(encoding="utf-8")
    assert "ladder = true tries errors that give every unit a scale of its own: with 30 units it takes long" in text


def test_questions_are_asked_once_each(tmp_path):
    asked = []

    def answer(question, choices, guess):
        asked.append(question)
        return choices[-1]

    new_study(tmp_path / "s", file(tmp_path, rows(range(2010, 2018))), ask=answer)
    roles = bn.load_study(tmp_path / "s").roles
    assert (roles.outcome, roles.exposure) == ("y", "x")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "nowhere"}, "unknown column 'nowhere'"),
        ({"exposure": "size"}, "size"),
        ({"unit": "q"}, "'q' not found"),
    ],
)
def test_bad_roles_write_nothing(tmp_path, options, message):
    with pytest.raises(bn.BayesNppError, match=message):
        new_study(tmp_path / "s", file(tmp_path, rows(range(2010, 2018))), **options)
    assert not (tmp_path / "s").exists()


def test_a_study_that_is_there_stays(tmp_path):
    panel = file(tmp_path, rows(range(2010, 2018)))
    new_study(tmp_path / "s", panel)
    with pytest.raises(bn.BayesNppError, match="--force"):
        new_study(tmp_path / "s", panel)
    new_study(tmp_path / "s", panel, force=True)


@pytest.mark.parametrize("name", ["digital_trade", "fiscal_tfp"])
def test_examples_are_whole(tmp_path, name):
    copy_example(tmp_path / name, name)
    here, there = bn.load_study(tmp_path / name), bn.load_study(ROOT / "models" / name)
    assert check_study(here)[2:] == check_study(there)[2:]
    assert (tmp_path / name / "SOURCES.md").is_file()
    differing = {key for key in here.content["study"] if here.content["study"][key] != there.content["study"][key]}
    assert differing == {"panel"}
    assert {name: own for name, own in here.content.items() if name != "study"} == {
        name: own for name, own in there.content.items() if name != "study"
    }
