"""What is kept comes back as it was: numbers bit by bit, types, blanks, shared objects."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bayes_npp.analysis.plain import WHEN_STORED, plain, restored
from bayes_npp.analysis.records import Ladder
from bayes_npp.design.spec import Spec
from bayes_npp.estimates import estimates_from_rows


def back(value):
    return restored(json.loads(json.dumps(plain(value))))


SCALARS = (
    None,
    True,
    3,
    0.1 + 0.2,
    -0.0,
    float("inf"),
    "=1+1 <b> \u4e2d",
    np.float64(1 / 3),
    np.int64(2**62),
    np.bool_(True),
)


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars(value):
    found = back(value)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_not_a_number():
    assert np.isnan(back((float("nan"),))[0])


def test_collections_keep_their_kind_and_order():
    value = {("b", 1): [1, (2.5, None)], "a": frozenset({"x", "y"}), 3: {"at": 0, "dict": []}}
    assert back(value) == value
    assert list(back(value)) == list(value)


def test_arrays():
    for array in (np.arange(6, dtype=np.int32).reshape(2, 3), np.array([]), np.array([1.5, np.nan]), np.array([True])):
        found = back(array)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_tables_and_rows():
    frame = pd.DataFrame(
        {
            "text": pd.array(["a", None], dtype="str"),
            "count": pd.array([1, None], dtype="Int64"),
            "mixed": np.array([None, 2.5], dtype=object),
            "number": [0.1, np.nan],
            "whole": [1, 2],
            "yes": [True, False],
        },
        index=pd.Index(["x", "y"], name="place"),
    )
    pd.testing.assert_frame_equal(back(frame), frame, check_exact=True)
    pd.testing.assert_frame_equal(back(frame.iloc[:0]), frame.iloc[:0])
    empty = pd.DataFrame(index=range(3))
    pd.testing.assert_frame_equal(back(empty), empty, check_column_type=False)
    for _, row in frame.reset_index(drop=True).iterrows():
        pd.testing.assert_series_equal(back(row), row)


def test_what_shares_an_object_shares_it_again():
    frame = pd.DataFrame({"a": [1.0]})
    one, other = back((frame, {"again": frame}))
    assert one is other["again"]


def test_records():
    spec = Spec(outcome="y", exposure="x", controls=("z",))
    assert back(spec) == spec
    table = estimates_from_rows([{"estimate": 1.0, "estimand": "coefficient", "paradigm": "frequentist"}])
    found = back(Ladder("a", table, ()))
    assert found.model == "a"
    pd.testing.assert_frame_equal(found.errors.frame, table.frame, check_exact=True)


def test_only_records_of_this_package():
    content = {"value": {"at": 0}, "objects": [{"record": "subprocess:Popen", "fields": [["args", "true"]]}]}
    with pytest.raises(ValueError, match="no record of this package"):
        restored(content)
    content["objects"][0]["record"] = "bayes_npp.store:write_text"
    with pytest.raises(ValueError, match="no record of this package"):
        restored(content)


def test_anything_else_has_no_form():
    with pytest.raises(TypeError, match="SimpleNamespace has no form"):
        plain((SimpleNamespace(),))
    with pytest.raises(TypeError, match="column"):
        plain(pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}))


@dataclass(frozen=True)
class Told:
    reused: bool = field(metadata={WHEN_STORED: True})


def test_what_a_field_is_when_it_comes_from_a_file():
    assert dict(plain(Told(False))["objects"][0]["fields"]) == {"reused": True}
