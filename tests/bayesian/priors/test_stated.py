"""Priors stated by parameter, on the standardised and on the data's scale, and what they imply."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.priors.families import FAMILIES, PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.priors.stated import stated_priors
from bayes_npp.design.design import build_design


@pytest.fixture(scope="module")
def design(unbalanced, grouped_spec):
    return build_design(unbalanced, grouped_spec)


def test_what_is_not_stated_is_the_named_set(design):
    own = stated_priors({"set": "sceptical", "exposure": {"family": "normal", "sigma": 2}}, design)
    base = load_priors("sceptical")
    assert own["exposure"].parameters == {"mu": 0.0, "sigma": 2.0}
    assert {slot: prior for slot, prior in own.prior.items() if slot != "exposure"} == {
        slot: prior for slot, prior in base.prior.items() if slot != "exposure"
    }
    assert stated_priors("sceptical", design) == base
    assert stated_priors({}, design) == load_priors("weakly_informative")


def test_the_datas_scale_is_that_of_slopes_and_outcomes(design, grouped_spec):
    scales = design.scales
    slope = scales.divisors[grouped_spec.exposure] / scales.outcome_sd
    own = stated_priors(
        {
            "exposure": {"family": "normal", "mu": 0.2, "sigma": 0.1, "scale": "data"},
            "slope_sd": {"family": "half_normal", "sigma": 0.3, "scale": "data"},
            "error_sd": {"family": "exponential", "scale": 2.0, "units": "data"},
            "unit_sd": {"family": "half_normal", "sigma": 2.0, "scale": "data"},
            "intercept": {"family": "normal", "mu": scales.outcome_mean + 3, "sigma": 2.0, "scale": "data"},
        },
        design,
    )
    assert own["exposure"].parameters == pytest.approx({"mu": 0.2 * slope, "sigma": 0.1 * slope})
    assert own["slope_sd"].parameters == pytest.approx({"sigma": 0.3 * slope})
    assert own["error_sd"].parameters == pytest.approx({"scale": 2.0 / scales.outcome_sd})
    assert own["intercept"].parameters == pytest.approx({"mu": 3 / scales.total_sd, "sigma": 2 / scales.total_sd})
    assert own["unit_sd"].parameters == pytest.approx({"sigma": 2.0 / scales.total_sd})


def test_a_tight_prior_in_the_datas_units_pins_the_slope(unbalanced, grouped_spec):
    """Whatever the data say: the slope in the data's units is the prior's, by way of every engine's scales."""
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None})
    tight = {"exposure": {"family": "normal", "mu": 3.7, "sigma": 1e-4, "scale": "data"}}
    fit = bn.fit(unbalanced, spec, priors=tight, draws=50, chains=2, seed=1)
    assert fit.params[spec.exposure] == pytest.approx(3.7, abs=1e-3)
    preview = bn.prior_preview(unbalanced, spec, tight).set_index("quantity")
    assert preview.loc[f"slope of {spec.exposure}", "median"] == pytest.approx(3.7, abs=1e-4)


def test_preview_shows_slopes_and_outcomes_in_the_datas_units(unbalanced, grouped_spec):
    stated = {"exposure": {"family": "normal", "sigma": 0.1, "scale": "data"}}
    table = bn.prior_preview(unbalanced, grouped_spec, stated, seed=4).set_index("quantity")
    low, high = table.loc[f"slope of {grouped_spec.exposure}", ["lo", "hi"]]
    np.testing.assert_allclose([low, high], [-0.196, 0.196], rtol=0.1)  # 1,000 draws
    observed = table.loc["SD over all rows", "observed"]
    assert observed == pytest.approx(unbalanced.frame[grouped_spec.outcome].std(ddof=0), rel=1e-6)
    assert "distance between two groups' slopes" in table.index


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"exposre": {"family": "normal", "sigma": 1}}, "nearest known name is 'exposure'"),
        ({"exposure": {"family": "normal"}}, "sigma"),
        ({"exposure": {"family": "normal", "sigma": 1, "scale": "metric"}}, "unknown scale 'metric'"),
        ({"exposure": 2}, "a table"),
        ({"controls": {"family": "normal", "sigma": 1, "scale": "data"}}, "units of its own"),
        ({"between": {"family": "normal", "sigma": 1, "scale": "data"}}, "no unit"),
        ({"error_sd": {"family": "normal", "sigma": 1}}, "cannot have a normal"),
        ({"set": "nobody"}, "unknown prior set"),
        ({"exposure": {"family": "normal", "sigma": -1}}, "sigma"),
    ],
)
def test_bad_priors_are_one_clear_error(unbalanced, grouped_spec, given, message):
    spec = (
        bn.Spec(**{**grouped_spec.model_dump(), "controls": ("control_1", "control_2")})
        if "controls" in given
        else grouped_spec
    )
    with pytest.raises(bn.BayesNppError, match=message):
        stated_priors(given, build_design(unbalanced, spec))


PRIORS = {
    "normal": {"mu": 0.4, "sigma": 0.5},
    "student_t": {"nu": 4.0, "mu": -0.2, "sigma": 0.5},
    "laplace": {"mu": 0.3, "scale": 0.5},
    "half_normal": {"sigma": 0.5},
    "half_student_t": {"nu": 4.0, "sigma": 0.5},
    "half_cauchy": {"scale": 0.5},
    "log_normal": {"mu": 0.3, "sigma": 0.5},
    "exponential": {"scale": 0.5},
    "gamma": {"alpha": 2.0, "beta": 3.0},
    "inverse_gamma": {"alpha": 3.0, "beta": 2.0},
    "uniform": {"lower": 0.0, "upper": 2.0},
    "truncated_normal": {"mu": 0.2, "sigma": 0.5, "lower": 0.0, "upper": 2.0},
}


@pytest.mark.parametrize("family", [name for name, own in FAMILIES.items() if {"real", "positive"} & set(own.kinds)])
def test_density_of_a_multiple_is_that_of_the_change_of_variable(family):
    """p(m x) = p(x) / m."""
    if not FAMILIES[family].proper:
        pytest.skip("a flat prior has no scale")
    prior = PriorSpec(family=family, reason="test", **PRIORS[family])
    values = np.array([0.1, 0.5, 1.7])
    np.testing.assert_allclose(
        prior.scaled(2.5).log_density(2.5 * values), prior.log_density(values) - np.log(2.5), rtol=1e-10
    )
