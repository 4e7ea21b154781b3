"""The ladder of errors: its order, the rule that picks, and `bn.fit(errors="auto")`; `quantities` by their fits."""

import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting.error_ladder import (
    ERRORS,
    ONE_FACTOR,
    WITHOUT_FACTORS,
    beyond_of,
    choose_errors,
    climb_errors,
    decisive,
    richer,
    rule,
)
from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck


def checks(*values):
    """Checks of these tail probabilities."""
    names = ("serial correlation", "spread by unit", "cross-sectional dependence", "spread by period")
    return tuple(PredictiveCheck(name, "", 0.0, 0.0, 0.0, p) for name, p in zip(names, values, strict=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "iid"),
        ({"autocorrelation": 0.7}, "ar1"),
        ({"unit_scale_sd": 0.8}, "unit_scale"),
        pytest.param(
            {"autocorrelation": 0.7, "unit_scale_sd": 0.8}, "ar1+unit_scale", marks=pytest.mark.slow(minutes=1)
        ),
    ],
)
def test_the_rule_finds_the_errors_of_a_simulated_world(options, expected):
    frame = bn.simulate(40, 12, {"a": 0.3, "b": 0.3}, error_sd=0.4, seed=21, **options).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    tried = WITHOUT_FACTORS[: WITHOUT_FACTORS.index(expected) + 1]
    assert tried[0] == "iid"
    said = []
    fit = bn.fit(panel, spec, errors="auto", seed=1, progress=said.append)
    assert fit.spec.errors == expected
    assert tuple(rung.errors for rung in fit.ladder) == tried
    assert len(said) == len(tried)
    assert (
        [rung.passed for rung in fit.ladder]
        == [rung.chosen for rung in fit.ladder]
        == [False] * (len(tried) - 1) + [True]
    )
    assert all(rung.fit.diagnostics.passed and rung.checks == rung.fit.checks for rung in fit.ladder)
    for rung in fit.ladder[:-1]:  # why the next was climbed: a check that failed, and what was seen
        failed = next(check for check in rung.checks if not check.passed and check.name in decisive())
        assert f"{failed.name} {failed.observed:.2f}, the model makes {failed.lo:.2f} to {failed.hi:.2f}" in rung.why
    if expected == "ar1":  # the same fit as by hand
        for own, errors in ((spec, "ar1"), (bn.Spec(**{**spec.model_dump(), "errors": "ar1"}), None)):
            direct = bn.fit(panel, own, errors=errors, seed=1)
            assert direct.ladder == ()
            assert direct.estimates().frame.equals(fit.estimates().frame)
    failing = dict.fromkeys(WITHOUT_FACTORS, fit.ladder[0].checks)
    if expected != "iid":
        assert choose_errors(failing) == "ar1+unit_scale"  # all fail alike: the one with most parts


def test_the_order_is_written_once():
    assert WITHOUT_FACTORS == ("iid", "ar1", "unit_scale", "ar1+unit_scale", "period_scale")
    one = ("factor", "ar1+factor", "unit_scale+factor", "ar1+unit_scale+factor", "period_scale+factor")
    assert (*WITHOUT_FACTORS, *one, *(errors.replace("factor", "factor2") for errors in one)) == ERRORS
    plain = {"serial correlation", "spread by unit", "spread by period"}
    assert set(decisive()) == plain
    assert set(decisive(ERRORS)) == plain | {"cross-sectional dependence"}
    assert (*WITHOUT_FACTORS, *one) == ONE_FACTOR
    assert "then with two (nine)" in rule(ERRORS)
    assert "but not with two" in rule(ONE_FACTOR)
    assert "common factor" not in rule(WITHOUT_FACTORS)


def test_the_default_study_passes_with_a_factor_beside_both():
    """Checks as measured on the default study: no rung without a factor passes, AR(1) and unit scales with one do."""
    found = dict.fromkeys(ERRORS[:8], checks(0.0, 0.0, 0.0, 0.47))
    found["ar1+unit_scale+factor"] = checks(0.1025, 0.51, 0.2025, 0.3)
    assert choose_errors(found, ERRORS) == "ar1+unit_scale+factor"
    found["unit_scale+factor"] = checks(0.5, 0.5, 0.01, 0.5)  # cross-sectional dependence decides where factors mend it
    assert choose_errors(found, ERRORS) == "ar1+unit_scale+factor"
    assert choose_errors({"iid": checks(0.5, 0.5, 0.0, 0.5)}) == "iid"


def test_richer_errors_have_all_parts_and_more():
    assert richer("ar1", "iid")
    assert richer("ar1+unit_scale", "unit_scale")
    assert richer("ar1+unit_scale+factor2", "ar1+unit_scale+factor")
    assert not richer("period_scale", "unit_scale")
    assert not richer("unit_scale+ar1", "ar1+unit_scale")
    assert not richer("factor", "factor2")


def test_beyond_a_rung_lie_richer_ones_of_as_many_factors_and_its_own_with_one_more():
    def beyond(first):
        return [errors for errors in ERRORS if beyond_of(errors, first)]

    assert beyond("iid") == ["ar1", "unit_scale", "ar1+unit_scale", "period_scale", "factor"]
    assert beyond("ar1") == ["ar1+unit_scale", "ar1+factor"]
    assert beyond("ar1+factor") == ["ar1+unit_scale+factor", "ar1+factor2"]
    assert beyond("ar1+unit_scale+factor") == ["ar1+unit_scale+factor2"]


def test_the_climb_is_lazy_and_goes_beyond_on_demand():
    passing = {"ar1": checks(0.5, 0.5, 0.0, 0.5), "ar1+unit_scale": checks(0.4, 0.4, 0.0, 0.4)}
    asked = []

    def fit(errors):
        asked.append(errors)
        return None if errors == "unit_scale" else (errors.upper(), passing.get(errors, checks(0.0, 0.0, 0.0, 0.0)))

    rungs = climb_errors(WITHOUT_FACTORS, fit)
    assert asked == ["iid", "ar1"]
    assert [(rung.errors, rung.fit, rung.passed, rung.chosen) for rung in rungs] == [
        ("iid", "IID", False, False),
        ("ar1", "AR1", True, True),
    ]
    assert [rung.errors for rung in climb_errors(WITHOUT_FACTORS, fit, beyond=True)] == ["iid", "ar1", "ar1+unit_scale"]
    passing.clear()
    asked.clear()
    failed = climb_errors(ERRORS, fit)  # all fail alike: the one with most parts
    assert asked == list(ERRORS)
    assert "unit_scale" not in [rung.errors for rung in failed]
    assert [rung.errors for rung in failed if rung.chosen] == ["ar1+unit_scale+factor"]
    assert climb_errors(ERRORS, lambda errors: None) == ()


def test_no_rung_passes_whose_sampler_failed():
    """Checks of draws that are not the posterior's say nothing, and no verdict rests on them while there is another."""
    passing, failing = checks(0.5, 0.5, 0.5, 0.5), checks(0.0, 0.5, 0.5, 0.5)
    rungs = climb_errors(WITHOUT_FACTORS, lambda errors: (errors, passing), sampled=lambda fit: fit != "iid")
    assert [(rung.errors, rung.passed, rung.chosen) for rung in rungs] == [("iid", False, False), ("ar1", True, True)]
    assert rungs[0].why == "its sampler failed its diagnostics"
    found = {"iid": failing, "ar1": passing}
    assert choose_errors(found, WITHOUT_FACTORS) == "ar1"
    assert choose_errors(found, WITHOUT_FACTORS, frozenset({"ar1"})) == "iid"
    both = climb_errors(("iid", "ar1"), lambda errors: (errors, found[errors]), sampled=lambda fit: fit == "iid")
    assert [rung.errors for rung in both if rung.chosen] == ["iid"]
    assert not any(rung.passed for rung in both)
    none = climb_errors(("iid", "ar1"), lambda errors: (errors, found[errors]), sampled=lambda fit: False)
    assert [rung.errors for rung in none if rung.chosen] == ["ar1"]  # all failed: fewest failed checks


def test_rungs_that_do_not_go_with_the_specification_are_left_out():
    """A lagged outcome takes no AR(1) and no factors; five periods carry no factor."""
    frame = bn.simulate_dynamic(30, 6, seed=3).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="outcome", exposure="exposure", dynamic=True)
    options = {"seed": 1, "draws": 300, "chains": 2}
    fit = bn.fit(panel, spec, errors="auto", **options)
    assert {rung.errors for rung in fit.ladder} <= {"iid", "unit_scale"}
    short = bn.read_panel(bn.simulate(10, 5, error_sd=0.4, autocorrelation=0.9, seed=1).frame, unit="unit", time="time")
    tried = bn.fit(short, bn.Spec(outcome="outcome", exposure="exposure"), errors="auto", **options).ladder
    assert not any("factor" in rung.errors for rung in tried)


def test_left_to_the_ladder_independent_errors_must_be_possible():
    from bayes_npp.errors import BayesNppError, SpecError

    frame = bn.simulate(10, 5, seed=1).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(SpecError, match=r"errors = 'auto'.*bn\.fit"):
        bn.Spec(outcome="outcome", exposure="exposure", errors="auto")
    with pytest.raises(BayesNppError, match="belong together"):
        bn.fit(panel, bn.Spec(outcome="outcome", exposure="exposure", errors="known", se="control_1"), errors="auto")
