"""Figures of common factors (`figures.factors`), from a run of a study whose outcome has one."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.reporting.base.blocks import Details, Figure
from bayes_npp.reporting.figures.factors import factor_figures, factors_drawn
from tests.bayesian.fitting.test_loadings_fit import GROWTH, shared_world

STUDY = """
[study]
title = "A common factor"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"

[roles]
outcome = "outcome"
exposure = "exposure"

[[model]]
name = "plain"
kind = "twfe"

[[model]]
name = "common"
kind = "hierarchical"
errors = "factor"
slopes = "group"
ladder = false
draws = 300
chains = 2

[[model]]
name = "one_slope"
kind = "hierarchical"
errors = "factor"
ladder = false
draws = 300
chains = 2
"""


@pytest.fixture(scope="module")
def factor_run(tmp_path_factory):
    home = tmp_path_factory.mktemp("factor_study")
    shared_world(3, n_units=16).frame.to_csv(home / "panel.csv", index=False)
    (home / "study.toml").write_text(STUDY, encoding="utf-8")
    return bn.run_study(bn.load_study(home), home / "out", quick=True, seed=1)


def test_factor_and_loadings_are_drawn_where_a_fit_has_them(factor_run):
    first, second = factor_figures(factor_run)
    assert isinstance(first, Figure)
    assert isinstance(second, Details)
    page = (factor_run.out / "report.html").read_text(encoding="utf-8")
    for name in ("common", "one_slope"):
        drawn = pd.read_csv(factor_run.out / "figures" / f"factors_{name}.csv")
        assert drawn["of"].value_counts().to_dict() == {"unit": 16, "period": 9}
        assert page.count(f'<figure id="figure-factors_{name}"><svg') == 1
        own = drawn.loc[drawn["of"] == "period", "mean"].to_numpy()
        assert np.corrcoef(own, GROWTH)[0, 1] > 0.97  # the sign is fixed: it ends above where it begins
    stored = pd.read_csv(factor_run.out / "factors.csv")
    assert {"common", "one_slope"} <= set(stored["fit"]) <= {record.model for record in factor_run.every_fit}
    assert not stored["key"].duplicated().any()


def test_without_a_factor_there_is_none(tiny_run):
    assert factor_figures(tiny_run) == []
    assert not (tiny_run.out / "factors.csv").exists()


def test_two_factors_and_many_units_are_drawn_too():
    rows = [
        {"factor": k, "of": of, "label": str(j), "mean": float(j - k), "sd": 1.0, "lo": j - k - 1.0, "hi": j - k + 1.0}
        for k in (1, 2)
        for of, size in (("period", 9), ("unit", 60))
        for j in range(size)
    ]
    figure = factors_drawn(pd.DataFrame(rows), "province")
    left, right = figure.axes
    assert len(left.lines) == 3  # two factors and zero
    assert right.get_ylabel() == "every province, by its loading"
