"""Studies of other shapes than the default one: each makes a page whose numbers hold, and nothing that is not there."""

import re

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.study.study import load_study
from tests.conftest import report_text
from tests.reporting.test_references import read_page, unresolved

HEADER = """[study]
title = "A study"
panel = "panel.csv"
unit = "city_id"
time = "year"
{header}
[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1"]
"""
PLAIN = '[[model]]\nname = "plain"\nkind = "twfe"\n'
COMMON = '[[model]]\nname = "whole"\nkind = "hierarchical"\ndraws = 1500\nchains = 2\nladder = false\n'
GROUPS = COMMON.replace("ladder = false", 'slopes = "group"\nladder = false')
CLAIM = '[[claim]]\nid = "H1"\ntext = "More of it, more of that."\nproposition = "average_slope > 0"\nmodel = "whole"\n'
FAILING = GROUPS.replace("1500", "100")
STATIC = {
    "no hierarchical model": ("", PLAIN),
    "no groups": ("", PLAIN + '[[model]]\nname = "pooled"\nkind = "pooled_ols"\n'),
    "eighty units": ("", PLAIN + '[[robustness]]\nname = "early"\nwindow = [1, 4]\n'),
    "said what the data are not": ('data_are_not = "Data of any place."', PLAIN),
    "two groups": ('group = "group"', PLAIN + '[[model]]\nname = "by_group"\nkind = "twfe"\nslopes = "group"\n'),
}
SAMPLED = {
    "no claims": ('group = "group"', PLAIN + GROUPS),
    "one claim": ("", PLAIN + COMMON + CLAIM),
    "two groups, a ladder": ('group = "group"', PLAIN + GROUPS.replace("ladder = false", "") + CLAIM),
    "a ladder without correlated means": (
        'group = "group"',
        PLAIN + GROUPS.replace("ladder = false", "correlated_means = false") + CLAIM,
    ),
    "a failed fit": ('group = "group"', FAILING + CLAIM),
}


def study_of(shape, folder):
    header, models = {**STATIC, **SAMPLED}[shape]
    units = 80 if shape == "eighty units" else 14
    groups = {"东部": 0.5, "west": 0.1} if "group" in header else None
    frame = bn.simulate(units, 6, groups, seed=4).frame.rename(columns={"unit": "city_id", "time": "year"})
    rng = np.random.default_rng(1)
    frame["control_1"] += rng.normal(scale=0.01, size=len(frame))
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(HEADER.format(header=header) + models, encoding="utf-8")
    return load_study(folder)


def page_holds(shape, folder):
    result = bn.run_study(study_of(shape, folder), folder / "out", quick=True, seed=1)
    text = report_text(folder / "out")
    assert unresolved(folder / "out") == []
    assert read_page(folder / "out").loose == []
    assert re.search(r"\b(?:nan|None|inf|NaN)\b", text) is None
    assert "cities" in text
    markdown = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\b(?:nan|None|inf|NaN)\b", markdown) is None
    assert len(markdown.encode()) < 40_000
    assert ("They are not" in text) == ("data_are_not" in {**STATIC, **SAMPLED}[shape][0])
    return result, text


@pytest.mark.parametrize("shape", STATIC)
def test_a_study_without_sampling(shape, tmp_path):
    page_holds(shape, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SAMPLED)
def test_a_study_with_sampling(shape, tmp_path):
    result, text = page_holds(shape, tmp_path)
    assert (result.ledger is None) == ("claim" not in SAMPLED[shape][1])
    assert ("Do not use it" in text) == (not result.passed)
    assert not (result.passed and shape == "a failed fit")
    board = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert ("(the sampler failed its diagnostics: do not use it)" in board) == (not result.passed)
    assert ("lets the slopes of groups share a prior" in text) == ("slopes =" in SAMPLED[shape][1])
    assert "those of mechanisms" not in text


def test_units_that_are_numbers_have_their_word_and_only_what_is_there_is_spoken_of(tmp_path):
    """Of a panel of persons by number, without a paper and without a Bayesian model."""
    study_of("no groups", tmp_path)
    panel = pd.read_csv(tmp_path / "panel.csv").rename(columns={"city_id": "nr"})
    panel["nr"] = panel["nr"].str.removeprefix("unit ").astype(int) + 3000
    panel.to_csv(tmp_path / "panel.csv", index=False)
    text = (tmp_path / "study.toml").read_text(encoding="utf-8").replace("city_id", "nr")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    bn.run_study(load_study(tmp_path), tmp_path / "out")
    shown = report_text(tmp_path / "out")
    assert re.search(r"\bnrs?\b", shown) is None
    assert re.search(r"Units 30\d\d, 30\d\d.* and 30\d\d hold", shown)
    assert re.search(r"without unit 30\d\d: ", shown)
    assert "The data: 14 units" in shown
    assert "Who decides the slope" in shown
    for absent in ("paper", "Bayesian", "hierarchical", "placebo", "the answer moves", "(plain)): "):
        assert absent not in shown, absent
