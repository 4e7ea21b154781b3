"""The neighbours of a declared model."""

import pytest


@pytest.mark.parametrize("declared", ["ar1", "unit_scale+ar1", "period_scale+ar1"])
def test_declared_errors_are_one_rung_and_the_ladder_starts_at_the_simplest(declared):
    from bayes_npp.analysis.ladder import error_rungs
    from bayes_npp.bayesian.fitting.error_ladder import WITHOUT_FACTORS as ERRORS
    from bayes_npp.study.models import HierarchicalModel

    model = HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=declared)
    assert model.has_ladder
    errors = error_rungs(model)
    assert errors[0].label == "iid"
    own = [rung for rung in errors if rung.declared]
    assert [rung.model for rung in own] == [model]
    assert len(errors) == len(ERRORS) + (set(declared.split("+")) not in [set(e.split("+")) for e in ERRORS])


@pytest.mark.parametrize("errors", ["student_t", "known"])
def test_errors_that_are_data_or_do_not_collapse_have_no_ladder(errors):
    from bayes_npp.study.models import HierarchicalModel

    se = "se" if errors == "known" else None
    assert not HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=errors, se=se).has_ladder


@pytest.mark.parametrize(
    ("p", "r_hat", "ess", "expected"),
    [
        (0.001, 1.03, 150.0, True),  # ruled out beyond doubt: few draws are enough to see it
        (0.001, 1.06, 150.0, False),
        (0.001, 1.0, 90.0, False),
        (0.02, 1.03, 150.0, False),  # it fails, but not clearly
        (0.5, 1.03, 150.0, False),
    ],
)
def test_a_rung_that_isonly_checked_needs_fewer_draws(p, r_hat, ess, expected):
    from types import SimpleNamespace

    from bayes_npp.analysis.ladder import Fitted, only_checked
    from bayes_npp.analysis.records import FitRecord
    from bayes_npp.bayesian.fitting.diagnostics import Diagnostics
    from bayes_npp.bayesian.fitting.error_ladder import ErrorRung
    from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck
    from bayes_npp.study.models import HierarchicalModel

    model = HierarchicalModel(name="own", kind="hierarchical", slopes="group")
    checks = (PredictiveCheck("serial correlation", "", 0.3, -0.1, 0.1, p),)
    gate = Diagnostics(r_hat, ess, ess, 0, 1.0, "error_sd")
    assert not gate.passed
    unused = dict.fromkeys(("priors", "sampler", "predictive", "saturated", "between", "reused", "outcome", "scales"))
    record = FitRecord(model="own--errors-ar1", diagnostics=gate, **unused)
    rung = ErrorRung("ar1", Fitted(model, SimpleNamespace(), record), checks, passed=False, why="")
    found = only_checked(rung, model).fit.record.diagnostics
    assert found.passed == expected
    if p == 0.001:
        assert "only checked" in found.checks[0].threshold
        assert found.as_dict() == gate.as_dict()
    else:
        assert found is gate


def test_rungs_with_factors_take_a_quarter_of_the_draws():
    from bayes_npp.analysis.ladder import error_rungs
    from bayes_npp.study.models import HierarchicalModel

    def draws(**changes):
        model = HierarchicalModel(name="own", kind="hierarchical", slopes="group", ladder="factors", **changes)
        return {rung.label: rung.model.draws for rung in error_rungs(model) if not rung.declared}

    assert draws(draws=8000)["ar1+factor"] == 2000
    found = draws(draws=2000)
    assert (found["ar1"], found["unit_scale"], found["period_scale"], found["ar1+factor2"]) == (1000, 2000, 500, 500)
    assert draws(draws=300)["factor"] == 300


@pytest.mark.parametrize(("p", "expected"), [(0.001, [500]), (0.02, [500, 2000]), (0.5, [500, 2000])])
def test_a_rung_that_is_not_ruled_out_and_whose_sampler_failed_takes_all_draws(monkeypatch, p, expected):
    """What a run finds stored it does not fit again, be it the shorter run or the longer."""
    from types import SimpleNamespace

    from bayes_npp.analysis import ladder
    from bayes_npp.analysis.settings import RunSettings
    from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck
    from bayes_npp.errors import SpecError
    from bayes_npp.study.header import Roles
    from bayes_npp.study.models import HierarchicalModel

    fitted, stored = [], {}

    def fake(sample, model, settings):
        here = model.errors == "period_scale"
        if here and stored.get(model.name) != model:
            if settings.stored_only:
                raise SpecError("not stored")
            fitted.append(model.draws)
            stored[model.name] = model
        checks = (PredictiveCheck("spread by period", "", 2.0, 1.0, 1.5, p if here else 0.001),)
        record = SimpleNamespace(diagnostics=SimpleNamespace(passed=not here or model.draws > 500), predictive=checks)
        return ladder.Fitted(model, SimpleNamespace(model=model), record)

    monkeypatch.setattr(ladder, "fitted_model", fake)
    monkeypatch.setattr(ladder, "carried", lambda build, errors="": object())
    model = HierarchicalModel(name="own", kind="hierarchical", slopes="group", draws=2000)
    sample = SimpleNamespace(roles=Roles(outcome="outcome", exposure="exposure"))
    found = [ladder.fit_behind_verdicts(sample, model, RunSettings("study", 1)).model for _ in range(2)]
    assert found[0] == found[1]
    assert fitted == expected
    assert (found[0].errors == "period_scale") == (p == 0.5)
    if p == 0.5:
        assert found[0].draws == 2000


@pytest.mark.parametrize(("engine", "tried"), [("collapsed", False), ("auto", True)])
def test_what_only_the_full_model_samples_is_no_rung_of_a_collapsed_engine(engine, tried, monkeypatch):
    """Scales of periods beside period effects of groups: a run ended in an error after minutes."""
    from types import SimpleNamespace

    from bayes_npp.analysis import ladder
    from bayes_npp.analysis.settings import RunSettings
    from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck
    from bayes_npp.errors import SpecError
    from bayes_npp.study.header import Roles
    from bayes_npp.study.models import HierarchicalModel

    fitted = []

    def fake(sample, model, settings):
        if settings.stored_only:
            raise SpecError("not stored")
        fitted.append((model.errors, model.engine))
        checks = (PredictiveCheck("spread by period", "", 2.0, 1.0, 1.5, 0.001),)
        record = SimpleNamespace(diagnostics=SimpleNamespace(passed=True), predictive=checks)
        return ladder.Fitted(model, SimpleNamespace(model=model), record)

    monkeypatch.setattr(ladder, "fitted_model", fake)
    monkeypatch.setattr(ladder, "carried", lambda build, errors="": object())
    model = HierarchicalModel(
        name="own", kind="hierarchical", slopes="group", group_time_effects="group", engine=engine
    )
    sample = SimpleNamespace(roles=Roles(outcome="outcome", exposure="exposure"))
    ladder.fit_behind_verdicts(sample, model, RunSettings("study", 1))
    assert (("period_scale", engine) in fitted) == tried
    assert ("unit_scale", engine) in fitted
