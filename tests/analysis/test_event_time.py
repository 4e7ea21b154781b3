"""Leads and lags in both paradigms, declared by `study.event_time`, drawn by `reporting.figures.event_time`.

A posterior of flat effects with wide priors is least squares: within a tenth of its standard error.
"""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.event_time import posterior_rows
from bayes_npp.design.event_time import event_columns
from bayes_npp.errors import SpecError
from bayes_npp.study.event_time import EventTime
from tests.conftest import report_text


def test_a_flat_posterior_is_least_squares(unbalanced, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None, "unit_effects": "fixed", "time_effects": "fixed"})
    panel, names = event_columns(unbalanced, "exposure", 1, 1)
    wide = bn.Spec(**{**spec.model_dump(), "controls": (*names, *spec.controls)})
    fit = bn.fit(panel, wide, draws=2000, seed=4)
    rows = {row["term"]: row for row in posterior_rows(fit, "exposure")}
    assert list(rows) == ["exposure", "F1.exposure", "L1.exposure"]
    own = bn.event_time(unbalanced, spec, 1, 1, covariance="classical").frame.set_index("term")
    for term, row in rows.items():
        assert row["estimate"] == pytest.approx(own.loc[term, "estimate"], abs=0.15 * own.loc[term, "spread"]), term
        width = own.loc[term, "hi"] - own.loc[term, "lo"]
        assert row["hi"] - row["lo"] == pytest.approx(width, rel=0.1)


def test_the_run_has_both_paradigms_and_a_figure(tiny_run):
    found = tiny_run.event_time
    assert found.frame["place"].tolist() == [-1, 0, 1, -1, 0, 1]
    assert set(found.frame["paradigm"]) == {"frequentist", "bayesian"}
    assert found.errors == next(ladder.errors.chosen for ladder in tiny_run.ladders)
    assert found.fit in tiny_run.every_fit
    assert (tiny_run.out / "figures" / "event_time.svg").is_file()
    written = pd.read_csv(tiny_run.out / "event_time.csv")
    assert written["estimate"].to_numpy() == pytest.approx(found.frame["estimate"].to_numpy(), rel=1e-8)
    assert "Does the outcome move first?" in report_text(tiny_run.out)


def test_a_model_that_cannot_have_leads_is_named(tiny_run):
    with pytest.raises(SpecError, match="'dynamic' is no static hierarchical model"):
        EventTime(model="dynamic").beside(tiny_run.study.models)
