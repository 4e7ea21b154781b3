"""Scores kept beside a stored fit: the same when read back, and never those of another fit."""

import json

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.analysis.scores import HOMOGENEITY, LOO, scores
from bayes_npp.errors import SpecError

WANTED = (HOMOGENEITY, LOO, "leave_one_row_out", "leave_future_out")


@pytest.fixture(scope="module")
def fit():
    frame = bn.simulate(12, 6, {"north": 0.5, "south": 0.1}, seed=2).frame
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", time_effects="fixed")
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    fit = bn.fit(panel, spec, draws=400, chains=2, seed=1)
    fit.tree.attrs["key"] = "this"
    return fit


def same(first, second) -> bool:
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second, equal_nan=True)
    return first == second


def test_read_back_they_are_the_same(fit, tmp_path, monkeypatch):
    path = tmp_path / "fit.scores.json"
    computed = scores(fit, WANTED, path)
    assert not computed["leave_future_out"].defined  # fixed periods: the reason is kept too
    for name in ("homogeneity", "loo", "accuracy"):
        monkeypatch.setattr(f"bayes_npp.analysis.scores.{name}", lambda *_, **__: pytest.fail("computed again"))
    read = scores(fit, WANTED, path)
    for name in WANTED:
        fields = vars(computed[name])
        assert all(same(value, getattr(read[name], field)) for field, value in fields.items()), name


@pytest.mark.parametrize("damage", ["another key", "half a file", "another score"])
def test_others_are_computed_again(fit, tmp_path, damage):
    path = tmp_path / "fit.scores.json"
    before = scores(fit, (HOMOGENEITY,), path)[HOMOGENEITY]
    text = path.read_text(encoding="utf-8")
    if damage == "another key":
        path.write_text(text.replace('"this"', '"that"'), encoding="utf-8")
    elif damage == "half a file":
        path.write_text(text[: len(text) // 2], encoding="utf-8")
    else:
        path.write_text(text.replace('"factor"', '"size"'), encoding="utf-8")
    assert scores(fit, (HOMOGENEITY,), path)[HOMOGENEITY] == before
    assert json.loads(path.read_text(encoding="utf-8"))["made_from"]["fit"] == "this"


def test_nothing_is_written_without_a_folder(fit):
    assert scores(fit, (LOO,), None)[LOO].defined


def test_unknown_score(fit):
    with pytest.raises(SpecError, match="unknown method"):
        scores(fit, ("luck",), None)
