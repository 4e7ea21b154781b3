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
    from bayes_npp.analysis.ladder import ERRORS, choose_errors

    frame = bn.simulate(40, 12, {"a": 0.3, "b": 0.3}, error_sd=0.4, seed=21, **options).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    tried = ERRORS[: ERRORS.index(expected) + 1]
    fits = {errors: bn.fit(panel, bn.Spec(**{**spec.model_dump(), "errors": errors}), seed=1) for errors in tried}
    assert all(fit.diagnostics.passed for fit in fits.values())
    checks = {errors: fits[errors].predictive_checks() if errors in fits else () for errors in ERRORS}
    assert choose_errors(checks) == expected
    failing = {errors: fits["iid"].predictive_checks() for errors in ERRORS}
    if expected != "iid":
        assert choose_errors(failing) == ERRORS[-1]
