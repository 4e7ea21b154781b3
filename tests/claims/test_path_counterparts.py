"""Claims about paths in rows that a mediation model cannot be fitted to: least squares answers (`path_counterparts`).

Tolerances: the same algebra, 1e-9 relative; shares of 100,000 draws, four binomial standard errors.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.analysis.settings import run_settings
from bayes_npp.claims.path_counterparts import DRAWS, OF_GROUPS, OTHER_PATHS, by_least_squares, leads_of_paths
from bayes_npp.claims.path_variants import rows_of_least_squares
from bayes_npp.claims.paths import about_paths
from bayes_npp.claims.specification_curve import OWN_FACTOR
from bayes_npp.claims.verdicts import SUPPORTED
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.estimates import estimates_from_rows
from bayes_npp.study.study import load_study

STUDY = """
[study]
title = "Paths"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "outcome"
exposure = "exposure"
mediators = ["mediator_1"]
[[model]]
name = "plain"
kind = "twfe"
[[model]]
name = "paths"
kind = "mediation"
slopes = "group"
draws = 500
{model}
[[robustness]]
name = "trends"
unit_trends = true
[[robustness]]
name = "factors"
factors = 1
[[robustness]]
name = "later"
lead = 1
[[claim]]
id = "path"
text = "It does so through the mediator."
proposition = "indirect[mediator_1] > 0"
model = "paths"
"""
TREND = "trends, by least squares"


def study_of(folder, frame, model=""):
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(STUDY.format(model=model))
    return load_study(folder)


def trending(seed=3):
    """No path at all: units of mediator, outcome and exposure share their trends."""
    frame = bn.simulate_mediation(24, 8, {"a": (0.0,), "b": (0.0,)}, {"a": (0.0,), "b": (0.0,)}, seed=seed).frame
    slope = np.random.default_rng(seed).standard_normal(24).repeat(8) * (frame["time"] - 4.5)
    for name in ("exposure", "mediator_1", "outcome"):
        frame[name] += 0.4 * slope + 0.1 * np.random.default_rng(seed).standard_normal(len(frame))
    return frame


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(tmp_path_factory.mktemp("paths"), trending())


def answers(study, texts, smallest=None):
    propositions = [parse_proposition(text) for text in texts]
    rows = by_least_squares(study, study.model("paths"), rows_of_least_squares(study), propositions, smallest)
    return rows.set_index(["variant", "proposition"])


def tails(study):
    """P(a > 0) and P(b > 0) with unit trends, from the rows of two-way fixed effects."""
    panel = bn.read_panel(study.panel.frame, unit="unit", time="time")
    first = bn.Spec(outcome="mediator_1", exposure="exposure", unit_trends="fixed")
    second = bn.Spec(outcome="outcome", exposure="exposure", controls=("mediator_1",), unit_trends="fixed")
    found = []
    for spec, term in ((first, "exposure"), (second, "mediator_1")):
        row = bn.twfe(panel, spec).frame.set_index("term").loc[term]
        found.append(float(stats.t.cdf(row["estimate"] / row["spread"], 23)))
        assert 2 * min(found[-1], 1 - found[-1]) == pytest.approx(row["p_value"], rel=1e-9)
    return found


def test_a_single_path_answers_with_the_tail_of_its_own_t(study):
    found = answers(study, ["path_a[mediator_1] > 0", "path_b[mediator_1] < 0", "direct > 0"])
    a, b = tails(study)
    assert found.loc[(TREND, "path_a[mediator_1] > 0"), "probability"] == pytest.approx(a, rel=1e-9)
    assert found.loc[(TREND, "path_b[mediator_1] < 0"), "probability"] == pytest.approx(1 - b, rel=1e-9)
    assert found["counted"].all()
    assert set(found.index.get_level_values("variant")) == {
        TREND,
        "factors, by least squares",
        "the exposure's own factor, by least squares",
    }


def test_a_product_is_positive_where_both_paths_have_one_sign(study):
    found = answers(study, ["indirect[mediator_1] > 0"], {"indirect[mediator_1] > 0": 0.05})
    a, b = tails(study)
    wanted = a * b + (1 - a) * (1 - b)
    error = 4 * np.sqrt(wanted * (1 - wanted) / DRAWS)
    row = found.loc[(TREND, "indirect[mediator_1] > 0")]
    assert row["probability"] == pytest.approx(wanted, abs=error)
    assert row["lo"] < row["mean"] < row["hi"]
    assert 0 < row["within"] <= 1


def test_what_has_no_counterpart_is_named_and_not_counted(study, tmp_path):
    found = answers(study, ["indirect[mediator_1, a] > indirect[mediator_1, b]", "path_a[mediator_1, a] > 0"])
    assert set(found["reason"]) == {OF_GROUPS}
    lagged = answers(study_of(tmp_path, trending(), "lags = [1, 0]"), ["indirect[mediator_1] > 0"])
    assert set(lagged["reason"]) == {OTHER_PATHS}
    assert not found["counted"].any()
    assert not lagged["counted"].any()


def test_leads_of_every_equation_are_looked_at(study, tmp_path):
    assert leads_of_paths(study, study.model("paths")) == ("later",)
    clean = bn.simulate_mediation(24, 8, {"a": (0.5,), "b": (0.5,)}, seed=1).frame
    assert leads_of_paths(study_of(tmp_path, clean), load_study(tmp_path).model("paths")) == ()


def test_a_path_that_trends_make_is_not_firm(study):
    """Before: rows that the mediation model cannot be fitted to were named, and the claim was supported."""
    settings = run_settings(study, quick=True)
    (record,) = about_paths(study, study.model("paths"), list(study.claims), estimates_from_rows([]), settings)
    assert record.probability > 0.975
    assert record.verdict.name != SUPPORTED
    variants = record.variants.set_index("variant")
    assert variants.loc[TREND, "probability"] < 0.975
    assert pd.notna(variants.loc["the exposure's own factor, by least squares", "probability"])
    assert OWN_FACTOR not in variants.index
    assert "fragile to specification" in "; ".join(record.verdict.because)
