"""No two fits of a study share a name or a file."""

import re
import shutil

import pytest

import bayes_npp as bn
from bayes_npp.analysis.settings import run_settings
from bayes_npp.errors import SpecError
from bayes_npp.study.checks import check_study
from bayes_npp.study.file_names import check_file_names
from tests.conftest import TINY

MODEL = '\n[[model]]\nname = "{}"\nkind = "twfe"\n'
ROW = '\n[[robustness]]\nname = "{}"\nwinsorise = 0.05\nmodels = ["plain"]\n'


def declared(tmp_path, more):
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder)
    with (folder / "study.toml").open("a", encoding="utf-8") as file:
        file.write(more)
    return bn.load_study(folder)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (MODEL.format("mechanism--structure"), "name of an equation or neighbour of model 'mechanism'"),
        (MODEL.format("Mechanism--structure"), "name of an equation or neighbour of model 'mechanism'"),
        (MODEL.format("groups--errors-ar1"), "name of an equation or neighbour of model 'groups'"),
        (MODEL.format("groups--a--b"), "name of an equation or neighbour of model 'groups'"),
        (MODEL.format("Groups"), "the models 'groups' and 'Groups' differ in case only"),
        (ROW.format("Early"), "the robustness rows 'early' and 'Early' differ in case only"),
        (ROW.format("measurement"), "has the name of the file that holds variants"),
    ],
)
def test_names_that_would_share_a_file_are_refused(tmp_path, more, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        check_study(declared(tmp_path, more))


def test_names_with_two_hyphens_are_names_else(tmp_path):
    study = declared(tmp_path, MODEL.format("other--structure"))
    check_file_names(study.models, study.robustness, study.roles)


def test_mediators_that_differ_in_case_only(study):
    model = next(model for model in study.models if model.kind == "mediation")
    other = model.model_copy(update={"mediators": ("structure", "Structure")})
    with pytest.raises(SpecError, match="differ in case only"):
        check_file_names((other,), (), study.roles)


def test_a_column_s_name_is_one_file_s_name(study, tmp_path):
    settings = run_settings(study, tmp_path)
    names = ["m--L1.y", "m--a/b", "m--a%2Fb", "m--../../x", "m--a:b", "m--技术", "m--a b", "m--a\\b", "m--a\nb"]
    paths = [settings.path(name, ".nc") for name in names]
    assert len(set(paths)) == len(names)
    assert {path.parent for path in paths} == {tmp_path / "fits"}
    assert paths[0].name == "m--L1.y.nc"
    assert paths[5].name == "m--技术.nc"
