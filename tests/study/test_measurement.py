"""A [measurement] table that makes no sense: one named error each."""

import pytest

from bayes_npp import cli
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.study.checks import check_study
from bayes_npp.study.measurement import measured_model
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import load_study
from tests.analysis.test_measurement import STUDY, write

BAD = {
    "unknown variable": ('index = "made"\nmodels', 'index = "maed"\nmodels', "unknown variable 'maed'.*'made'"),
    "not an index": ('index = "made"\nmodels', 'index = "other"\nmodels', "'other' is not an index"),
    "not the outcome": ('index = "made"\nmodels', 'index = "pair"\nmodels', "'pair' is not the study's outcome"),
    "one indicator left": ('["first", "second", "third"]', '["first", "second"]', "leaves a single indicator"),
    "missing exposure": ('exposures = ["other"]', 'exposures = ["othr"]', "unknown column 'othr'.*'other'"),
    "exposure is a control": ('exposures = ["other"]', 'exposures = ["control_1"]', "has another role"),
    "unknown model": ('models = ["grouped"]', 'models = ["groupd"]', "unknown model 'groupd'.*'grouped'"),
    "model of another kind": ('models = ["grouped"]', 'models = ["plain"]', "of kind 'twfe'"),
    "unsuited model": ("ladder = false", 'ladder = false\nerrors = "student_t"', "cannot be put beside"),
    "twice": ('exposures = ["other"]', 'exposures = ["other", "other"]', "names 'other' twice"),
    "unknown key": ("draws = 5", "draw = 5", r"\[measurement\].*unknown key 'draw'.*'draws'"),
    "shift without logs": ("draws = 5", 'draws = 0\nlogs = ["none"]\nlog_shift = 1.0', "log_shift belongs"),
    "other weights": ('name = "made"\nindex = "entropy"', 'name = "made"\nindex = "equal"', "draws belong"),
    "unknown overlap": (
        "[measurement]",
        '[[overlap]]\nconcept = "x"\ncolumns = ["firts", "second"]\n[measurement]',
        "unknown column 'firts'.*'first'",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), BAD.values(), ids=BAD)
def test_bad_input(old, new, message, tmp_path):
    assert old in STUDY
    with pytest.raises(BayesNppError, match=message) as caught:
        check_study(load_study(write(tmp_path, STUDY.replace(old, new))))
    assert caught.value.exit_code == 2


def test_bad_input_at_the_command_line(tmp_path, capsys, monkeypatch):
    write(tmp_path, STUDY.replace('index = "made"\nmodels', 'index = "other"\nmodels'))
    monkeypatch.setattr("sys.argv", ["bayes-npp", "check", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_collapsed_sampler_does_not_have_is_not_measured():
    """`check` says so: it was an error in the midst of the run."""
    options = {"name": "m", "kind": "hierarchical", "slopes": "group", "errors": "period_scale"}
    assert measured_model("m", [HierarchicalModel(**options)]).name == "m"
    with pytest.raises(SpecError, match="no scales of periods beside period effects of groups"):
        measured_model("m", [HierarchicalModel(**options, group_time_effects="group")])
