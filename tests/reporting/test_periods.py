"""A quarter stays a quarter, and a month a month, in captions, notes and samples of the report."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.descriptives import describe
from bayes_npp.reporting.base.words import period_word
from bayes_npp.reporting.tables.descriptives import descriptive_table
from bayes_npp.reporting.tables.panel import association, multiples, panel_line
from bayes_npp.study.robustness import alter

STUDY = """
[study]
title = "By {word}"
panel = "panel.csv"
unit = "city"
time = "when"
window = [{window}]
[roles]
outcome = "y"
exposure = "x"
[[variable]]
name = "filled"
interpolate = "x"
[[model]]
name = "twfe"
kind = "twfe"
[[robustness]]
name = "late"
models = ["twfe"]
window = [{late}]
"""
KEYS = {
    "quarter": ("Q", '"2018Q2", "2020Q1"', '"2018Q4", "2020Q1"', ("2018Q2", "2018Q4", "2020Q1")),
    "month": ("M", '"2018-02", "2018-10"', '"2018-04", "2018-10"', ("2018-02", "2018-04", "2018-10")),
}


@pytest.fixture(params=KEYS)
def case(request, tmp_path):
    frequency, window, late, labels = KEYS[request.param]
    random, times = np.random.default_rng(5), pd.period_range("2018-01", periods=10, freq=frequency)
    frame = pd.DataFrame({"city": np.repeat(list("abcdef"), 10), "when": np.tile(times.astype(str), 6)})
    frame["x"], frame["y"] = random.normal(size=60), random.normal(size=60)
    frame.loc[4, "x"] = np.nan
    frame.to_csv(tmp_path / "panel.csv", index=False)
    (tmp_path / "study.toml").write_text(STUDY.format(word=request.param, window=window, late=late), encoding="utf-8")
    return request.param, bn.load_study(tmp_path), labels


def test_captions_and_notes_have_the_keys_of_the_file(case):
    word, study, (first, later, last) = case
    result = SimpleNamespace(study=study, descriptives=describe(study.panel, study.roles))
    assert period_word(study) == word
    assert f"{first} to {last}, each line" in multiples(result).caption
    assert f"Over periods {first} to {last}, " in descriptive_table(result).notes[0]
    assert f"in any {word}," in association(result).text
    filled = panel_line(result).text
    assert f"a unit's own {word}s: filled, a " in filled
    assert f"a {study.panel.calendar.label(study.panel.frame['when'].iloc[4])} (" in filled
    altered = alter(study.sample, study.models[0], study.robustness[0])
    assert altered.sample == f"{later} to {last}"


def test_years_are_years(study):
    assert period_word(study) == "year"
