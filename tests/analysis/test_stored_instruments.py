"""`analysis.stored_instruments`: a model with instruments is fitted once, and taken from its file afterwards."""

from dataclasses import replace

import pytest

import bayes_npp as bn
from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_instruments import fit_instruments, instrument_fit_record, instrument_record
from bayes_npp.errors import SpecError
from tests.conftest import TINY


@pytest.fixture(scope="module")
def study():
    return bn.load_study(TINY)


def test_stored_and_taken_again(study, tmp_path):
    model, settings = study.model("instrumented"), run_settings(study, tmp_path, quick=True, seed=1)
    fit, reused = fit_instruments(study.sample, model, settings)
    assert not reused
    again, reused = fit_instruments(study.sample, model, replace(settings, stored_only=True))
    assert reused
    assert again.estimates().frame.equals(fit.estimates().frame)
    one, other = (instrument_record("instrumented", own) for own in (fit, again))
    assert one == other
    assert [own.sd for own in other.under_exclusion] == list(again.exclusions)
    for before, after in zip(one.under_exclusion, other.under_exclusion, strict=True):
        assert (before.slopes.mean == after.slopes.mean).all()
        assert (before.slopes.covariance == after.slopes.covariance).all()
    record = instrument_fit_record("instrumented", again, reused)
    assert record.reused
    assert record.errors_fit
    assert record.verdict.endswith("errors: not checked")


def test_another_model_is_not_taken(study, tmp_path):
    model, settings = study.model("instrumented"), run_settings(study, tmp_path, quick=True, seed=1)
    fit_instruments(study.sample, model, settings)
    for change in ({"exclusion": 0.3}, {"errors": "ar1"}, {"priors": "sceptical"}, {"slopes": None}):
        other = model.model_copy(update=change)
        with pytest.raises(SpecError, match="missing, or made from other data"):
            fit_instruments(study.sample, other, replace(settings, stored_only=True))


def test_importance_that_does_not_do_is_chains_in_a_study(study, monkeypatch):
    """As of other models: the other fits go on, and the record says why."""
    from bayes_npp.analysis import stored_instruments
    from bayes_npp.errors import ImportanceError

    own = stored_instruments.fit_equations

    def refused(equations, priors, sampler, engine):
        if engine == "importance":
            raise ImportanceError("the posterior has 2 modes")
        return replace(own(equations, priors, sampler, "importance"), engine="nuts")

    monkeypatch.setattr(stored_instruments, "fit_equations", refused)
    model = study.model("instrumented").model_copy(update={"engine": "importance"})
    fit, _ = fit_instruments(study.sample, model, run_settings(study, quick=True, seed=1))
    assert (fit.engine, fit.why) == ("nuts", "the posterior has 2 modes")
