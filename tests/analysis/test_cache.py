"""What is kept beside fits is read again under its own key, and computed again where it is damaged or of another."""

import pytest

from bayes_npp.analysis.cache import json_form, recalled, remembered, stamp
from bayes_npp.errors import SpecError
from bayes_npp.store import write_sealed_json

FORM = json_form(lambda found: list(found), lambda content: tuple(float(x) for x in content))
A, B = {"data": [1.0, 2.0], "seed": 1}, {"data": [1.0, 2.0], "seed": 2}


def counted():
    calls = []

    def compute():
        calls.append(1)
        return (0.1, 0.2)

    return compute, calls


def test_computed_once_under_one_key(tmp_path):
    path, (compute, calls) = tmp_path / "kept.json", counted()
    assert remembered(path, A, FORM, compute) == (0.1, 0.2)
    assert remembered(path, A, FORM, compute) == (0.1, 0.2)
    assert len(calls) == 1
    remembered(path, B, FORM, compute)
    assert len(calls) == 2
    assert recalled(path, A, FORM) is None
    remembered(path, B, FORM, compute, again=True)
    assert len(calls) == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"made_from": 3}', '{"key": "a", "found": 3}', '{"key": "a", "found": ["x"]}']
)
def test_a_damaged_file_is_computed_again(tmp_path, text):
    path, (compute, calls) = tmp_path / "kept.json", counted()
    path.write_text(text)
    assert remembered(path, A, FORM, compute) == (0.1, 0.2)
    assert len(calls) == 1
    assert recalled(path, A, FORM) == (0.1, 0.2)


def test_nothing_is_computed_where_it_may_not_be(tmp_path):
    compute, calls = counted()
    with pytest.raises(SpecError, match="the stored variants are missing"):
        remembered(tmp_path / "none.json", A, FORM, compute, stored_only=True)
    assert not calls


def test_without_a_path_nothing_is_kept():
    compute, calls = counted()
    remembered(None, A, FORM, compute)
    remembered(None, A, FORM, compute)
    assert len(calls) == 2


def said(path, made_from):
    lines = []
    assert recalled(path, made_from, FORM, lines.append) is None
    return lines


def test_why_something_kept_is_not_used(tmp_path):
    path, (compute, _) = tmp_path / "kept.json", counted()
    remembered(path, {**A, "version of": {"numba": "0.67"}}, FORM, compute)
    now = {"data": [1.0, 3.0], "seed": 2, "version of": {"numba": "0.68"}}
    assert said(path, now) == ["kept.json is stale (changed: data; seed 1, now 2; version of numba 0.67, now 0.68)"]
    path.write_text(path.read_text().replace("0.1", "0.3"))
    assert said(path, now) == ["kept.json is damaged (its content is not what was stored)"]
    path.write_text('{"key": "a", "found": [0.1, 0.2]}')
    assert said(path, now) == ["kept.json is stale (it carries no hash: an earlier version wrote it, or it is cut off)"]


@pytest.mark.parametrize("name", ["found", "made_from"])
def test_a_file_of_another_form_with_a_good_hash_is_computed_again(tmp_path, name):
    path, (compute, calls) = tmp_path / "kept.json", counted()
    write_sealed_json(path, {"made_from": stamp(A), "found": ["x"], name: [[]]})
    assert remembered(path, A, FORM, compute) == (0.1, 0.2)
    assert len(calls) == 1
