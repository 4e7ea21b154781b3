"""What is kept beside fits is read again under its own key, and computed again where it is damaged or of another."""

import pytest

from bayes_npp.analysis.cache import json_form, recalled, remembered
from bayes_npp.errors import SpecError

FORM = json_form(lambda found: list(found), lambda content: tuple(float(x) for x in content))


def counted():
    calls = []

    def compute():
        calls.append(1)
        return (0.1, 0.2)

    return compute, calls


def test_computed_once_under_one_key(tmp_path):
    path, (compute, calls) = tmp_path / "kept.json", counted()
    assert remembered(path, "a", FORM, compute) == (0.1, 0.2)
    assert remembered(path, "a", FORM, compute) == (0.1, 0.2)
    assert len(calls) == 1
    remembered(path, "b", FORM, compute)
    assert len(calls) == 2
    assert recalled(path, "a", FORM) is None
    remembered(path, "b", FORM, compute, again=True)
    assert len(calls) == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"key": "a"}', '{"key": "a", "found": 3}', '{"key": "a", "found": ["x"]}']
)
def test_a_damaged_file_is_computed_again(tmp_path, text):
    path, (compute, calls) = tmp_path / "kept.json", counted()
    path.write_text(text)
    assert remembered(path, "a", FORM, compute) == (0.1, 0.2)
    assert len(calls) == 1
    assert recalled(path, "a", FORM) == (0.1, 0.2)


def test_nothing_is_computed_where_it_may_not_be(tmp_path):
    compute, calls = counted()
    with pytest.raises(SpecError, match="the stored variants are missing"):
        remembered(tmp_path / "none.json", "a", FORM, compute, stored_only=True)
    assert not calls


def test_without_a_path_nothing_is_kept():
    compute, calls = counted()
    remembered(None, "a", FORM, compute)
    remembered(None, "a", FORM, compute)
    assert len(calls) == 2
