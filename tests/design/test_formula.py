"""Specifications written as formulas."""

import pytest

import bayes_npp as bn
from bayes_npp.design.formula import read_formula

CASES = {
    "npp ~ openness + ln_gdp_pc | province + year": {
        "outcome": "npp",
        "exposure": "openness",
        "controls": ("ln_gdp_pc",),
    },
    "y ~ x | fixed(u) + t": {"unit_effects": "fixed", "time_effects": "partial"},
    "y ~ x | u + fixed(t)": {"unit_effects": "partial", "time_effects": "fixed"},
    "y ~ x | time": {"unit_effects": "none", "time_effects": "partial"},
    "y ~ x | fixed(unit)": {"unit_effects": "fixed", "time_effects": "none"},
    "y ~ x + L1.z": {"controls": ("L1.z",), "unit_effects": "none", "time_effects": "none", "correlated_means": False},
    "y ~ x + `a name` + 省份": {"controls": ("a name", "省份")},
    "y ~ 1 + x": {"controls": ()},
}


@pytest.mark.parametrize("text", CASES)
def test_read_as_written(text):
    spec = bn.Spec.from_formula(text)
    assert {name: getattr(spec, name) for name in CASES[text]} == CASES[text]


def test_same_as_the_specification_by_keys(grouped_spec):
    names = " + ".join(grouped_spec.regressors)
    spec = bn.Spec.from_formula(f"{grouped_spec.outcome} ~ {names} | unit + time", slopes=grouped_spec.slopes)
    assert spec == grouped_spec


def test_exposure_and_the_panel_decide(unbalanced):
    spec = bn.Spec.from_formula("outcome ~ control_1 + exposure | time + unit", exposure="exposure", panel=unbalanced)
    assert (spec.exposure, spec.controls) == ("exposure", ("control_1",))
    assert bn.Spec.from_formula("outcome ~ exposure | time", panel=unbalanced).unit_effects == "none"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("y ~ log(x)", {}, "no column.*bn.derive"),
        ("y ~ x:z", {}, "no column"),
        ("y ~ x | u + t + g", {}, "more than two"),
        ("y ~ x | u | t", {}, "two bars"),
        ("y ~ x | u", {}, "may be the unit or the period"),
        ("y ~", {}, "no regressor"),
        ("x + z", {}, "no outcome"),
        ("y ~ x + (", {}, "cannot be read"),
        ("y ~ x", {"exposure": "q"}, "no term"),
        ("y ~ x | unit + unit", {}, "place of another"),
        ("y ~ x", {"slope": "g"}, "unknown key 'slope'"),
    ],
)
def test_bad_formulas_are_one_clear_error(text, options, message):
    with pytest.raises(bn.BayesNppError, match=message):
        bn.Spec.from_formula(text, **options)


def test_effects_of_the_formula_are_read_in_order():
    assert read_formula("y ~ x | fixed(b) + a").effects == (("b", "fixed"), ("a", "partial"))
