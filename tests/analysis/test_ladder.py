"""The rule that picks the errors, on simulated worlds."""

import pytest

import bayes_npp as bn


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "iid"),
        ({"autocorrelation": 0.7}, "ar1"),
        ({"unit_scale_sd": 0.8}, "unit_scale"),
        ({"autocorrelation": 0.7, "unit_scale_sd": 0.8}, "ar1+unit_scale"),
    ],
)
def test_the_rule_finds_the_errors_of_a_simulated_world(options, expected):
    from bayes_npp.analysis.ladder import WITHOUT_FACTORS as ERRORS
    from bayes_npp.analysis.ladder import choose_errors

    frame = bn.simulate(40, 12, {"a": 0.3, "b": 0.3}, error_sd=0.4, seed=21, **options).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    tried = ERRORS[: ERRORS.index(expected) + 1]
    assert tried[0] == "iid"
    fits = {errors: bn.fit(panel, bn.Spec(**{**spec.model_dump(), "errors": errors}), seed=1) for errors in tried}
    assert all(fit.diagnostics.passed for fit in fits.values())
    checks = {errors: fit.predictive_checks() for errors, fit in fits.items()}
    assert choose_errors(checks) == expected
    failing = {errors: fits["iid"].predictive_checks() for errors in ERRORS}
    if expected != "iid":
        assert choose_errors(failing) == "ar1+unit_scale"  # all fail alike: the one with most parts


def test_the_order_is_written_once():
    from bayes_npp.analysis.ladder import ERRORS, WITHOUT_FACTORS, decisive, rule

    assert WITHOUT_FACTORS == ("iid", "ar1", "unit_scale", "ar1+unit_scale", "period_scale")
    one = ("factor", "ar1+factor", "unit_scale+factor", "ar1+unit_scale+factor", "period_scale+factor")
    assert (*WITHOUT_FACTORS, *one, *(errors.replace("factor", "factor2") for errors in one)) == ERRORS
    plain = {"serial correlation", "spread by unit", "spread by period"}
    assert set(decisive()) == plain
    assert set(decisive(ERRORS)) == plain | {"cross-sectional dependence"}
    assert "common factor" in rule(ERRORS)
    assert "common factor" not in rule(WITHOUT_FACTORS)


def test_the_default_study_passes_with_a_factor_beside_both():
    """Checks as measured on the default study: no rung without a factor passes, AR(1) and unit scales with one do."""
    from bayes_npp.analysis.ladder import ERRORS, choose_errors
    from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck

    def checks(*values):
        names = ("serial correlation", "spread by unit", "cross-sectional dependence", "spread by period")
        return tuple(PredictiveCheck(name, "", 0.0, 0.0, 0.0, p) for name, p in zip(names, values, strict=True))

    found = dict.fromkeys(ERRORS[:8], checks(0.0, 0.0, 0.0, 0.47))
    found["ar1+unit_scale+factor"] = checks(0.1025, 0.51, 0.2025, 0.3)
    assert choose_errors(found, ERRORS) == "ar1+unit_scale+factor"
    found["unit_scale+factor"] = checks(0.5, 0.5, 0.01, 0.5)  # cross-sectional dependence decides where factors mend it
    assert choose_errors(found, ERRORS) == "ar1+unit_scale+factor"
    assert choose_errors({"iid": checks(0.5, 0.5, 0.0, 0.5)}) == "iid"


@pytest.mark.parametrize("declared", ["ar1", "unit_scale+ar1", "period_scale+ar1"])
def test_declared_errors_are_one_rung_and_the_ladder_starts_at_the_simplest(declared):
    from bayes_npp.analysis.ladder import WITHOUT_FACTORS as ERRORS
    from bayes_npp.analysis.ladder import rungs
    from bayes_npp.study.models import HierarchicalModel

    model = HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=declared)
    assert model.has_ladder
    errors = [rung for rung in rungs(model) if rung.part == "errors"]
    assert errors[0].label == "iid"
    own = [rung for rung in errors if rung.declared]
    assert [rung.model for rung in own] == [model]
    assert len(errors) == len(ERRORS) + (set(declared.split("+")) not in [set(e.split("+")) for e in ERRORS])


@pytest.mark.parametrize("errors", ["student_t", "known"])
def test_errors_that_are_data_or_do_not_collapse_have_no_ladder(errors):
    from bayes_npp.study.models import HierarchicalModel

    se = "se" if errors == "known" else None
    assert not HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=errors, se=se).has_ladder


def test_richer_errors_have_all_parts_and_more():
    from bayes_npp.analysis.ladder import richer

    assert richer("ar1", "iid")
    assert richer("ar1+unit_scale", "unit_scale")
    assert richer("ar1+unit_scale+factor2", "ar1+unit_scale+factor")
    assert not richer("period_scale", "unit_scale")
    assert not richer("unit_scale+ar1", "ar1+unit_scale")
    assert not richer("factor", "factor2")
