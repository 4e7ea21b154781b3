"""Leads and lags in both paradigms, declared by `study.event_time`, drawn by `reporting.figures.event_time`.

A posterior of flat effects with wide priors is least squares: within a tenth of its standard error.
"""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis import event_time as module
from bayes_npp.analysis.event_time import posterior_rows
from bayes_npp.analysis.settings import run_settings
from bayes_npp.bayesian.fitting.diagnostics import Diagnostics
from bayes_npp.design.event_time import event_columns
from bayes_npp.errors import SpecError
from bayes_npp.reporting.figures.event_time import event_time_blocks
from bayes_npp.study.event_time import EventTime
from tests.conftest import report_text
from tests.study import pairs

PASSED = Diagnostics(r_hat=1.0, ess_bulk=1000.0, ess_tail=1000.0, divergences=0, e_bfmi=1.0, worst="")


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


@pytest.mark.parametrize(
    ("lags", "fails", "errors", "why"),
    [
        (1, False, "iid", "leads and lags leave too few periods for it"),  # five
        (0, False, "factor", ""),
        (0, True, "iid", "with it the sampler failed its diagnostics"),
    ],
)
def test_a_posterior_without_the_factor_says_why(lags, fails, errors, why, tmp_path, monkeypatch):
    own = module.fit_model

    def fitted(sample, model, settings):
        fit, reused = own(sample, model, settings)
        failed = fails and model.errors == "factor"
        return replace(fit, diagnostics=replace(PASSED, divergences=int(failed))), reused

    monkeypatch.setattr(module, "fit_model", fitted)
    monkeypatch.setattr(module, "fit_record", lambda name, fit, reused: fit.spec.errors)
    pairs.write_panels(tmp_path)
    chosen = {str(one): one for some in pairs.settings("hierarchical").values() for one in some}
    content = pairs.content("hierarchical", (chosen["errors factor"],))
    pairs.write_study(tmp_path, {**content, "event_time": {"leads": 1, "lags": lags}})
    study = bn.load_study(tmp_path)
    found = module.event_times(study, (), run_settings(study))
    assert (found.errors, found.fit, found.without_factor) == (errors, errors, why)
    (beside,) = event_time_blocks(SimpleNamespace(study=study, event_time=found))
    said = "This posterior has no common factor, unlike the one behind the verdicts"
    assert (said in beside.right[1].text) == bool(why)
    assert why in beside.right[1].text
