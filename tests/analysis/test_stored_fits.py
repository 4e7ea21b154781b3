"""A fit is taken from storage for the same data only, and only as it was stored."""

import shutil
from dataclasses import replace

import pytest

from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.errors import SpecError
from bayes_npp.store import read_tree, write_tree
from bayes_npp.study.study import load_study
from tests.conftest import TINY


def test_a_stored_fit_of_other_groups_is_not_reused(tiny_run):
    study = tiny_run.study
    model, panel = study.model("groups"), study.panel
    moved = panel.frame["group"].where(panel.frame["unit"] != "unit 01", "south")
    assert not moved.equals(panel.frame["group"])
    other = replace(study.sample, panel=panel.with_column("group", moved))
    settings = run_settings(study, tiny_run.out, quick=True, seed=1, stored_only=True)
    with pytest.raises(SpecError, match="the stored fit is missing, or made from other data"):
        fit_model(other, model, settings)
    assert fit_model(study.sample, model, settings)[1]


def shifted(path):
    tree = read_tree(path)
    tree["posterior"]["group_slope"] = tree["posterior"]["group_slope"] + 1
    tree.to_netcdf(path, engine="h5netcdf")


def not_a_number(path):
    tree = read_tree(path)
    tree["posterior"]["group_slope"] = tree["posterior"]["group_slope"] * float("nan")
    tree.to_netcdf(path, engine="h5netcdf")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:5000])


def flipped(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def of_another_model(path):
    shutil.copy(path.with_name("changes.nc"), path)


def with_another_seed(path):
    tree = read_tree(path)
    tree.attrs["made_from"] = tree.attrs["made_from"].replace('"sampler seed": 1', '"sampler seed": 2')
    write_tree(tree, path)


DAMAGES = {
    shifted: "groups.nc is stale (it carries no hash",
    not_a_number: "groups.nc is stale (it carries no hash",
    cut_off: "groups.nc is damaged (the stored file cannot be read",
    flipped: "groups.nc is damaged (its content is not what was stored)",
    of_another_model: "groups.nc is stale (changed: ",
    with_another_seed: "groups.nc is stale (changed: sampler seed 2, now 1)",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_fit_is_made_again_with_a_word(tiny_run, tmp_path, damage):
    study, lines = tiny_run.study, []
    shutil.copytree(tiny_run.out / "fits", tmp_path / "fits")
    model, path = study.model("groups"), tmp_path / "fits" / "groups.nc"
    settings = run_settings(study, tmp_path, quick=True, seed=1, say=lines.append)
    before, reused = fit_model(study.sample, model, settings)
    assert (reused, lines) == (True, [])
    damage(path)
    after, reused = fit_model(study.sample, model, settings)
    assert not reused
    assert len(lines) == 1
    assert lines[0].startswith(DAMAGES[damage])
    assert after.tree["posterior"].identical(before.tree["posterior"])
    assert after.diagnostics == before.diagnostics
    assert fit_model(study.sample, model, settings)[1]


def test_importance_that_cannot_be_had_is_a_chain_in_a_study_and_says_why(tmp_path):
    """A script gets the message; a study its posterior, so that its other fits go on."""
    study = load_study(TINY)
    model = study.model("groups").model_copy(update={"engine": "importance", "errors": "unit_scale", "ladder": False})
    settings = run_settings(study, tmp_path, quick=True, seed=1)
    for stored in (False, True):
        fit, was_stored = fit_model(study.sample, model, settings)
        assert (was_stored, fit.engine) == (stored, "collapsed")
        assert fit.why == "every unit has a scale of its own"
