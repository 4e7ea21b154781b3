"""Rows of the window that a model leaves out, counted once each, by the first reason."""

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.design.left_out import LeftOut, left_out


def test_a_row_is_counted_once():
    frame = pd.DataFrame({"unit": "a", "year": range(6), "x": [1, np.nan, 3, 4, np.nan, 6], "z": 1.0})
    panel = bn.derive(bn.read_panel(frame, unit="unit", time="year"), [{"name": "before", "lag": "x"}])
    keep = np.array([True, True, True, True, True, False])
    used = np.array([False, False, False, True, False, True])
    unknown = np.array([False, True, False, False, False, False])
    found = left_out(panel, keep, used, ("x", "before"), unknown)
    assert found == LeftOut(blank=2, no_period=2, no_group=0, of=5)
    assert str(found) == "4 of 5 rows left out: 2 with blank cells, 2 without a lag or lead"
    assert left_out(panel, keep, used, ("z",), unknown) == LeftOut(blank=0, no_period=3, no_group=1, of=5)
    assert (str(LeftOut(of=5)), LeftOut(of=5).total) == ("", 0)


def test_rows_left_out_are_counted_by_reason():
    """Ten units, six years: a blank, an unknown group, and a first year without a lag."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(10), 6),
            "year": np.tile(np.arange(6), 10),
            "y": random.normal(size=60),
            "x": random.normal(size=60),
            "g": np.repeat(["a", "b"], 30),
        }
    )
    frame.loc[[3, 10], "x"] = np.nan
    frame.loc[[0, 30, 31], "g"] = None
    panel = bn.derive(bn.read_panel(frame, unit="unit", time="year"), [{"name": "l", "lag": "x"}])
    spec = {"outcome": "y", "exposure": "x"}
    cases = {
        "2 of 60 rows left out: 2 with blank cells": bn.twfe(panel, bn.Spec(**spec)),
        "5 of 60 rows left out: 2 with blank cells, 3 of unknown group": bn.twfe(panel, bn.Spec(**spec, slopes="g")),
        "14 of 60 rows left out: 2 with blank cells, 12 without a lag or lead": bn.twfe(
            panel, bn.Spec(**spec, controls=("l",))
        ),
        "12 of 60 rows left out: 2 with blank cells, 10 without a lag or lead": bn.dynamic_within(
            panel, outcome="y", regressors=["L1.y", "x"]
        ),
    }
    for text, table in cases.items():
        assert table.frame["note"].str.endswith(text).all(), table.frame["note"].iloc[0]
    gmm = bn.difference_gmm(panel, outcome="y", regressors=["L1.y", "x"], gmm=[("y", 2, 3)])
    assert gmm.frame["note"].str.contains("rows left out").all()
