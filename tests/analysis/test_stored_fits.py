"""A fit is taken from storage for the same data only."""

from dataclasses import replace

import pytest

from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.errors import SpecError


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
