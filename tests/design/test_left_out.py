"""Rows that a model does not use are counted once each, by their first reason."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design


@pytest.fixture
def panel():
    frame = bn.simulate(6, 5, {"a": 0.5, "b": 0.1}, seed=3).frame
    frame.loc[3, "outcome"] = np.nan
    frame["group"] = frame["group"].astype(object).where(frame["unit"] != frame["unit"].iloc[-1], None)
    return bn.read_panel(frame, unit="unit", time="time")


def test_blanks_groups_and_periods(panel):
    spec = bn.Spec(outcome="outcome", exposure="exposure")
    one = build_design(panel, spec).left_out
    assert (one.blank, one.no_period, one.no_group, one.of) == (1, 0, 0, 30)
    grouped = build_design(panel, bn.Spec(outcome="outcome", exposure="exposure", slopes="group")).left_out
    assert (grouped.blank, grouped.no_group, grouped.total) == (1, 5, 6)
    changes = bn.Spec(outcome="outcome", exposure="exposure", transform="first_difference", time_effects="fixed")
    moved = build_design(panel, changes).left_out
    assert (moved.blank, moved.no_period) == (1, 7)  # six first periods, and the row after the blank cell
    assert moved.total == 30 - build_design(panel, changes).n_obs


def test_said_in_words(panel):
    design = build_design(panel, bn.Spec(outcome="outcome", exposure="exposure", slopes="group"))
    text = str(design.left_out)
    assert "1 with blank cells" in text
    assert "5 of unknown group" in text
    assert pd.isna(panel.frame["group"]).sum() == 5
