"""Codes for missing values that stand apart from a column: named with their rows, never changed."""

import re

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.panels.notices import rows_in_words, stand_apart

APART = {
    "far below": ([1.0, 2, -99, 4, 5, -99], "'x' is -99 in rows 3, 6 and from 1 to 5 elsewhere"),
    "far above": ([100, 200, 9999, 150, 120, 110], "'x' is 9999 in row 3 and from 100 to 200 elsewhere"),
    "two codes": ([0.1, 0.2, -999, 0.3, 0.1, -99], "'x' is -99 in row 6.*'x' is -999 in row 3"),
}


@pytest.mark.parametrize("case", APART)
def test_values_that_stand_apart_are_named(case):
    values, message = APART[case]
    with pytest.warns(bn.PanelWarning) as said:
        panel = bn.read_panel(pd.DataFrame({"unit": "a", "year": range(6), "x": values}), unit="unit", time="year")
    assert re.search(message, " ".join(str(warning.message) for warning in said))
    np.testing.assert_array_equal(panel.numbers("x"), values)  # nothing is changed
    codes = [value for value in values if abs(value) in (99, 999, 9999)]
    blank = bn.read_panel(panel.frame, unit="unit", time="year", missing=codes)
    assert np.isnan(blank.numbers("x")).sum() == len(codes)


@pytest.mark.parametrize(
    "values", [[-99, -80, -120, 10, 20, 30], [9000, 9999, 12000, 8000, 7000, 1], [999] * 6, [np.nan] * 6]
)
def test_values_among_others_are_no_codes(values):
    frame = pd.DataFrame({"unit": "a", "year": range(6), "x": values})
    assert not bn.read_panel(frame, unit="unit", time="year").notices


def test_rows_are_those_of_the_file():
    frame = pd.DataFrame({"x": [-99.0, 1, 2, 3], "label": list("abcd")})
    (notice,) = stand_apart(frame, np.array([7, 3, 4, 5]))
    assert notice.column == "x"
    assert "is -99 in row 7 and from 1 to 3" in str(notice)
    assert rows_in_words(np.arange(2, 10)) == "rows 2, 3, 4, 5, 6 and 3 more"
