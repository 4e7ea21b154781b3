"""Codes that stand apart are said with their rows; values inside a column's range are not."""

import numpy as np
import pandas as pd

from bayes_npp.panels.notices import rows_in_words, stand_apart


def test_a_code_far_from_the_others_is_said():
    frame = pd.DataFrame({"share": [0.1, -99.0, 0.3, 0.2], "near": [-99.0, -80.0, -120.0, -90.0], "text": list("abcd")})
    (notice,) = stand_apart(frame, np.array([2, 3, 4, 5]))
    assert notice.column == "share"
    assert "is -99 in row 3" in notice.text
    assert "from 0.1 to 0.3 elsewhere" in notice.text


def test_no_code_no_notice():
    assert stand_apart(pd.DataFrame({"x": [1.0, 2.0, np.nan]}), np.arange(3)) == []
    assert stand_apart(pd.DataFrame({"x": [999.0, 999.0]}), np.arange(2)) == []


def test_many_rows_are_shortened():
    assert rows_in_words(np.array([7])) == "row 7"
    assert rows_in_words(np.arange(1, 9)) == "rows 1, 2, 3, 4, 5 and 3 more"
