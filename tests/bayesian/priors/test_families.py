"""Every family of priors in every place it stands in: density, draws, PyMC, compiled density, mixture, parameters."""

import itertools

import numpy as np
import pytest
from scipy import integrate

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.theta import encode
from bayes_npp.bayesian.priors.families import FAMILIES, PriorSpec, families_of
from bayes_npp.bayesian.priors.sets import check_support, load_priors, slots
from bayes_npp.design.scales import Scales
from bayes_npp.errors import SpecError

EXAMPLES = {
    "normal": {"mu": 0.3, "sigma": 0.7},
    "student_t": {"nu": 4.0, "mu": 0.3, "sigma": 0.7},
    "laplace": {"mu": -0.2, "scale": 0.7},
    "truncated_normal": {"mu": 0.3, "sigma": 0.7, "lower": -0.9, "upper": 0.8},
    "uniform": {"lower": -0.8, "upper": 0.9},
    "flat": {},
    "half_normal": {"sigma": 0.6},
    "half_student_t": {"nu": 3.0, "sigma": 0.6},
    "half_cauchy": {"scale": 0.6},
    "exponential": {"scale": 0.5},
    "gamma": {"alpha": 2.5, "beta": 1.5},
    "inverse_gamma": {"alpha": 2.5, "beta": 1.5},
    "log_normal": {"mu": 0.3, "sigma": 0.7},
    "scaled_beta": {"alpha": 2.5, "beta": 1.5},
    "lkj": {"eta": 2.5},
}
PROPER = [name for name, family in FAMILIES.items() if family.proper]
LIMITS = {"REAL_LINE": (-np.inf, np.inf), "POSITIVE": (0.0, np.inf)}
DRAWS = 20_000
PYTENSOR = 1e-7  # its log-gamma is off by up to 3e-8 (math.lgamma sides with scipy), and a density has up to three


def prior_of(family):
    return PriorSpec(family=family, **EXAMPLES[family], reason="a test")


def support(prior):
    p = prior.parameters
    return LIMITS.get(prior.definition.support, (p.get("lower", -1.0), p.get("upper", 1.0)))


def inner(prior, number=9):
    """Values inside the support, where densities are smooth."""
    lower, upper = support(prior)
    start = -2.05 if np.isinf(lower) else lower
    return start + (np.arange(number) + 0.5) / number * ((4.1 + max(start, 0) if np.isinf(upper) else upper) - start)


def density(prior, value):
    return float(np.exp(prior.log_density(np.array(value))))


def mass(prior, lower, upper):
    """The density's integral, split at the mode of Laplace and at the bulk of long tails."""
    cuts = [lower, *(c for c in (-0.2, 0.3, 5.0) if lower < c < upper), upper]
    return sum(
        integrate.quad(lambda v: density(prior, v), a, b, epsabs=1e-11, epsrel=1e-10, limit=200)[0]
        for a, b in itertools.pairwise(cuts)
    )


def test_every_family_has_an_example():
    assert set(EXAMPLES) == set(FAMILIES)


@pytest.mark.parametrize("family", PROPER)
def test_density_integrates_to_one_over_its_support(family):
    prior = prior_of(family)
    lower, upper = support(prior)
    assert mass(prior, lower, upper) == pytest.approx(1, abs=1e-7)
    outside = [bound + step for bound, step in ((lower, -0.1), (upper, 0.1)) if np.isfinite(bound)]
    assert all(density(prior, value) == 0 for value in outside)


@pytest.mark.parametrize("family", PROPER)
def test_density_is_pymcs(family):
    import pymc as pm

    prior = prior_of(family)
    with pm.Model() as model:
        prior.definition.pymc("x", None, **prior.parameters)
    (variable,) = model.free_RVs
    beta = variable.name != "x"  # x = 2 Beta - 1
    for value in inner(prior, 3):
        expected = float(pm.logp(variable, (value + 1) / 2 if beta else value).eval()) - np.log(2) * beta
        assert prior.log_density(np.array(value)) == pytest.approx(expected, rel=1e-9, abs=PYTENSOR)


def test_flat_prior_is_flat_in_every_place():
    import pymc as pm

    prior = prior_of("flat")
    assert (prior.log_density(np.array([-3.0, 0.0, 9.0])) == 0).all()
    with pm.Model():
        variable = prior.definition.pymc("x", None)
    assert float(pm.logp(variable, 3.0).eval()) == 0
    with pytest.raises(SpecError, match="no draws"):
        prior.draw(np.random.default_rng(1), (3,))


@pytest.mark.parametrize("family", PROPER)
def test_draws_have_the_density(family):
    """Shares of draws below some values, within 4.5 standard errors: one family in ten thousand fails by chance."""
    prior = prior_of(family)
    drawn = prior.draw(np.random.default_rng(11), (DRAWS,))
    assert drawn.shape == (DRAWS,)
    lower = support(prior)[0]
    for value in inner(prior, 5):
        expected = mass(prior, lower, value)
        spread = np.sqrt(expected * (1 - expected) / DRAWS)
        assert abs((drawn <= value).mean() - expected) < 4.5 * spread + 1e-9


@pytest.mark.parametrize("family", list(FAMILIES))
def test_compiled_density_and_its_derivative_are_the_record_s(family):
    prior = prior_of(family)
    coded = encode([prior], 0)
    assert coded.support[0] == getattr(kernel, prior.definition.support)
    for value in inner(prior):
        found, slope = kernel.prior_density(coded.family[0], coded.parameters[0], value)
        assert found + coded.constant[0] == pytest.approx(prior.log_density(np.array(value)), rel=1e-10, abs=1e-10)
        up, down = prior.log_density(np.array([value + 1e-6, value - 1e-6]))
        assert slope == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-6)  # central differences


@pytest.mark.parametrize("family", list(FAMILIES))
def test_theta_reaches_the_whole_support(family):
    """`kernel.constrain` maps the line onto the support; a positive one in units of the prior's typical value."""
    prior = prior_of(family)
    coded = encode([prior], 0)
    values, slopes = np.empty(1), np.empty(1)
    lower, upper = support(prior)
    ends = []
    for theta in (-12.0, 12.0):
        log_jacobian = kernel.constrain(np.array([theta]), coded, values, slopes)
        assert log_jacobian == pytest.approx(np.log(slopes[0]))
        ends.append(values[0])
    assert ends[0] == pytest.approx(-12.0 if np.isinf(lower) else lower, abs=1e-4)
    if np.isfinite(upper):
        assert ends[1] == pytest.approx(upper, abs=1e-4)
    elif np.isfinite(lower):
        assert ends[1] == pytest.approx(12 * prior.typical, rel=1e-4)


@pytest.mark.parametrize("family", families_of("positive"))
def test_typical_value_is_of_the_priors_order(family):
    prior = prior_of(family)
    assert 0.05 < mass(prior, 0.0, prior.typical) < 0.95


@pytest.mark.parametrize(
    "family", [*families_of("positive"), *(name for name in families_of("real") if name != "flat")]
)
def test_scaled_prior_is_of_the_multiple(family):
    prior = prior_of(family)
    values = inner(prior)
    for multiple in (0.25, 4.0):
        expected = prior.log_density(values / multiple) - np.log(multiple)
        inside = np.isfinite(expected)
        own = prior.scaled(multiple).log_density(values)
        np.testing.assert_allclose(own[inside], expected[inside], rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(np.isfinite(own), inside)


def test_effects_and_level_have_priors_on_the_total_scale():
    """In units of a within SD of 2 where the total one is 10: five times as wide, and everything else as declared."""
    base = load_priors("weakly_informative").replaced(
        intercept=PriorSpec(family="normal", mu=0.4, sigma=1.5, reason="a test")
    )
    taken = base.on_within_scale(Scales(0.0, 2.0, {}, 10.0))
    assert taken["intercept"].parameters == {"mu": 2.0, "sigma": 7.5}
    for slot in ("between", "unit_sd", "time_sd", "group_time_sd"):
        assert taken[slot].parameters["sigma"] == 5 * base[slot].parameters["sigma"]
    others = set(base.prior) - {"intercept", "between", "unit_sd", "time_sd", "group_time_sd"}
    assert all(taken[slot] == base[slot] for slot in others)
    assert taken.of("loading_between") == base["between"]
    assert taken.of("unit_between") == taken["between"]


@pytest.mark.parametrize("family", [name for name in PROPER if FAMILIES[name].mixture])
def test_mixture_of_normals_is_the_prior(family):
    prior = prior_of(family)
    mean, sds, log_weights = prior.mixture()
    assert np.exp(log_weights).sum() == pytest.approx(1)
    values = np.linspace(-3, 3, 61)
    normals = np.exp(-0.5 * ((values[:, None] - mean) / sds) ** 2) / sds / np.sqrt(2 * np.pi)
    # A Laplace density has a peak that no mixture of finitely many normals has.
    away = np.abs(values - mean) > (0.05 if family == "laplace" else -1)
    expected = np.exp(prior.log_density(values))
    np.testing.assert_allclose((normals @ np.exp(log_weights))[away], expected[away], rtol=2e-3)


def test_coefficients_integrate_out_where_the_prior_is_one_normal():
    for family, record in FAMILIES.items():
        single = record.mixture is not None and len(prior_of(family).mixture().sds) == 1
        assert record.collapses == single, family


def test_families_without_a_mixture_are_named():
    with pytest.raises(SpecError, match=r"no mixture of normals.*normal, student_t, laplace, flat"):
        prior_of("uniform").mixture()


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("slot", list(slots()))
def test_a_parameter_takes_the_families_of_its_kind(family, slot):
    allowed = slots()[slot] in FAMILIES[family].kinds
    if allowed:
        check_support(slot, prior_of(family))
    else:
        with pytest.raises(SpecError, match=f"'{slot}' cannot have a {family} prior"):
            check_support(slot, prior_of(family))


@pytest.mark.parametrize("kind", ["correlation", "persistence"])
def test_priors_of_correlations_stay_between_minus_one_and_one(kind):
    slot = next(name for name, own in slots().items() if own == kind)
    wide = PriorSpec(family="uniform", lower=-1.0, upper=1.5, reason="too wide")
    with pytest.raises(SpecError, match=r"leaves \(-1, 1\)"):
        check_support(slot, wide)
