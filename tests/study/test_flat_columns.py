"""A column that is constant up to rounding, from a study's file to its robustness rows and index variants."""

import numpy as np
import pytest

from bayes_npp.errors import BayesNppError
from bayes_npp.pipeline import run_study
from bayes_npp.study.checks import check_study
from bayes_npp.study.study import load_study
from tests.panels.test_variation import proportional

HEADER = """
[study]
title = "A flat column"
panel = "panel.csv"
unit = "unit"
time = "time"
[roles]
outcome = "{outcome}"
exposure = "x"
[[variable]]
name = "ratio"
ratio = ["part", "whole"]
[[model]]
name = "twfe"
kind = "twfe"
[[model]]
name = "bayes"
kind = "hierarchical"
"""
ROW = '[[robustness]]\nname = "flat"\nmodels = ["{model}"]\n{change}\n'
INDEX = """
[[variable]]
name = "index"
index = "{method}"
positive = ["one", "two", "{third}"]
shift = 1e-4
[measurement]
index = "index"
models = ["bayes"]
weights = ["entropy", "equal", "critic", "pca"]
logs = ["none", "ln"]
leave_one_out = true
exposures = [{exposures}]
draws = 2
"""


def study_of(folder, tail, outcome="y"):
    frame = proportional().frame.drop(columns="ratio")
    random = np.random.default_rng(1)
    frame = frame.assign(**{name: random.uniform(1, 2, len(frame)) for name in ("one", "two", "three")})
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(HEADER.format(outcome=outcome) + tail)
    return folder


@pytest.mark.parametrize("model", ["twfe", "bayes"])
@pytest.mark.parametrize(
    "change",
    [
        'exposure = "ratio"',
        'controls = ["ratio"]',
        'outcome = "ratio"\nrescale = true',
        'exposure = "ratio"\nlead = 1',
        'exposure = "ratio"\nlag = 1',
        'controls = ["ratio"]\nwinsorise = 0.05',
    ],
)
def test_a_robustness_row_names_it_before_anything_is_estimated(tmp_path, model, change):
    folder = study_of(tmp_path, ROW.format(model=model, change=change))
    for act in (lambda: check_study(load_study(folder)), lambda: run_study(folder, folder / "out", quick=True)):
        with pytest.raises(BayesNppError, match=r"robustness 'flat'.*column 'ratio' (does not vary|is constant)"):
            act()
    assert not (folder / "out" / "estimates.csv").exists()


@pytest.mark.parametrize("method", ["entropy", "equal", "critic", "pca"])
def test_an_index_names_an_indicator_that_is_flat(tmp_path, method):
    folder = study_of(tmp_path, INDEX.format(method=method, third="ratio", exposures=""), outcome="index")
    with pytest.raises(BayesNppError, match="'ratio'"):
        check_study(load_study(folder))


def test_another_exposure_of_the_measurement_is_named(tmp_path):
    folder = study_of(tmp_path, INDEX.format(method="entropy", third="three", exposures='"ratio"'), outcome="index")
    with pytest.raises(BayesNppError, match="variant 'exposure ratio' does not vary"):
        check_study(load_study(folder))
    plain = study_of(tmp_path, INDEX.format(method="entropy", third="three", exposures='"m"'), outcome="index")
    check_study(load_study(plain))
