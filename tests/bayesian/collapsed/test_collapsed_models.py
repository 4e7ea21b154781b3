"""Every model the collapsed sampler can fit, against dense linear algebra, finite differences and PyTensor's autodiff.

`test_collapsed` tests the sampler's parts on one panel; here every combination of errors, effects and slopes is held to
an oracle (`dense`) that is written from the model's formulas and shares no code with the sampler.

Tolerances: densities of the same model from two routes of linear algebra differ by rounding (1e-9 relative); central
differences of a density of size 1e2 to 1e3 with step 1e-5 are right to about 1e-7 absolute, taken as 1e-5 relative.
Statistics of draws are held to 5 standard errors, since each test looks at hundreds of them.
"""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec, families_of
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate
from tests.bayesian import dense
from tests.bayesian.priors.test_families import EXAMPLES
from tests.bayesian.quick import quick_mode

GROUPS = {"north": 0.8, "south": 0.2, "west": -0.3}
ERRORS = ("iid", "known", "ar1", "unit_scale", "ar1+unit_scale")
KINDS = ("none", "partial", "fixed")
SLOPES = {
    "common": {},
    "without means": {"correlated_means": False},
    "levels alone": {"exposure": None, "controls": ()},
    "group": {"slopes": "group"},
    "exchangeable": {"slopes": "group", "slope_pooling": "exchangeable"},
    "unpooled": {"slopes": "group", "slope_pooling": "none"},
    "group, varying": {"slopes": "group", "varying": ("control_2",)},
    "group, group by time": {"slopes": "group", "group_time_effects": "group"},
    "unit": {"slopes": "unit"},
    "unit, correlated": {"slopes": "unit", "slope_correlation": True},
    "unit, correlated, without means": {"slopes": "unit", "slope_correlation": True, "correlated_means": False},
    "unit, varying": {"slopes": "unit", "varying": ("control_1", "control_2")},
    "nested": {"slopes": "group/unit"},
    "nested, varying": {"slopes": "group/unit", "varying": ("control_1",)},
}


def is_allowed(slopes, unit, time):
    options = SLOPES[slopes]
    if options.get("slope_correlation") and unit != "partial":
        return False
    return not (unit == time == "fixed" and not options.get("correlated_means", True))


CASES = [case for case in itertools.product(ERRORS, KINDS, KINDS, SLOPES) if is_allowed(case[3], case[1], case[2])]
every_model = pytest.mark.parametrize("case", CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])


@cache
def panel(n_units=13, missing=0.3):
    """Unbalanced, with gaps of one to several periods, and known standard errors."""
    frame = simulate(n_units, 8, GROUPS, controls=(0.5, -0.4), missing=missing, seed=3).frame
    frame["se"] = 0.3 + 0.4 * np.random.default_rng(5).random(len(frame))
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def a_spec(errors="iid", unit="partial", time="partial", **options):
    options = {"exposure": "exposure", "controls": ("control_1", "control_2"), **options}
    se = "se" if errors == "known" else None
    return bn.Spec(outcome="outcome", unit_effects=unit, time_effects=time, errors=errors, se=se, **options)


@cache
def data_of(errors, unit, time, slopes):
    return prepare(build_design(panel(), a_spec(errors, unit, time, **SLOPES[slopes])))


def prior(family, **parameters):
    return PriorSpec(family=family, reason="a test", **parameters)


@cache
def shifted_priors():
    """Proper normal priors with means and SDs of their own, so that a prior taken for another is seen."""
    return load_priors("weakly_informative").replaced(
        exposure=prior("normal", mu=0.4, sigma=0.7),
        controls=prior("normal", mu=-0.3, sigma=1.3),
        intercept=prior("normal", mu=0.2, sigma=0.8),
        between=prior("normal", mu=0.0, sigma=1.7),
    )


def a_theta(collapsed, seed):
    return 0.7 * np.random.default_rng(seed).standard_normal(collapsed.size) - 0.3


def values_at(collapsed, theta):
    """Scales, shapes and kept coefficients at one theta; vector-valued ones as arrays."""
    return {
        name: np.asarray(v[0]) if v.ndim > 1 else float(v[0]) for name, v in collapsed.constrained(theta[None]).items()
    }


def numeric_gradient(function, theta, step=1e-5):
    out = []
    for j in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[j] = step
        out.append((function(theta + shift) - function(theta - shift)) / (2 * step))
    return np.array(out)


def assert_gradient(collapsed, theta):
    for likelihood_only in (False, True):
        value, gradient = collapsed.log_density(theta, likelihood_only)
        assert np.isfinite(value)
        numeric = numeric_gradient(lambda t, flag=likelihood_only: collapsed.log_density(t, flag)[0], theta)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5 * np.abs(gradient).max(initial=1.0))


def natural(collapsed, theta):
    """Every element of theta on its natural scale, units' error scales as logs, in the order of theta."""
    values = collapsed.constrained(theta[None])
    out = [values[e.variable][0] if e.at < 0 else values[e.variable][0, e.at] for e in collapsed.elements]
    return np.array([*out, *np.log(values["unit_scale"][0])] if "unit_scale" in values else out, dtype=float)


def log_prior(collapsed, theta):
    """Log prior density of theta: densities on the natural scale, and the log determinant of a numeric Jacobian."""
    values = natural(collapsed, theta)
    total = sum(float(e.prior.log_density(v)) for e, v in zip(collapsed.elements, values, strict=False))
    if collapsed.layout.unit_scales >= 0:
        spread = values_at(collapsed, theta)["unit_scale_sd"]
        total += stats.norm.logpdf(values[len(collapsed.elements) :], 0, spread).sum()
    jacobian = numeric_gradient(lambda t: natural(collapsed, t), theta)
    return total + np.linalg.slogdet(jacobian.reshape(len(theta), len(theta)))[1]


def assert_density(collapsed, priors, theta):
    expected = dense.log_likelihood(collapsed.data, priors, values_at(collapsed, theta))
    assert collapsed.log_density(theta, likelihood_only=True)[0] == pytest.approx(expected, rel=1e-9, abs=1e-8)
    # The numeric Jacobian is good to 1e-9 an element.
    assert collapsed.log_density(theta)[0] == pytest.approx(expected + log_prior(collapsed, theta), rel=1e-8, abs=1e-6)


@every_model
def test_density_and_gradient_of_every_model(case):
    data, priors = data_of(*case), shifted_priors()
    collapsed = collapse(data, priors)
    theta = a_theta(collapsed, seed=1)
    assert_density(collapsed, priors, theta)
    assert_gradient(collapsed, theta)


@pytest.mark.parametrize("centred", [False, True], ids=["offsets", "centred"])
@pytest.mark.parametrize("slopes", ["group", "unit, correlated"])
@pytest.mark.parametrize("errors", ["unit_scale", "ar1+unit_scale"])
def test_both_parametrisations_of_error_scales(errors, slopes, centred):
    data = replace(
        data_of(errors, "partial", "partial", slopes), centred_errors=frozenset({"unit_scale"} if centred else ())
    )
    collapsed = collapse(data, shifted_priors())
    assert collapsed.layout.centred == centred
    theta = a_theta(collapsed, seed=2)
    assert_density(collapsed, shifted_priors(), theta)
    assert_gradient(collapsed, theta)


SCALES = ("slope_sd", "unit_slope_sd", "unit_sd", "time_sd", "group_time_sd", "error_sd", "unit_scale_sd")


@pytest.mark.parametrize("errors", ["iid", "ar1+unit_scale"])
@pytest.mark.parametrize("family", families_of("positive"))
def test_every_prior_of_scales(family, errors):
    priors = shifted_priors().replaced(**{slot: prior(family, **EXAMPLES[family]) for slot in SCALES})
    spec = a_spec(errors, slopes="group/unit", varying=("control_1",), group_time_effects="group")
    collapsed = collapse(prepare(build_design(panel(), spec)), priors)
    theta = a_theta(collapsed, seed=3)
    assert_density(collapsed, priors, theta)
    assert_gradient(collapsed, theta)


@pytest.mark.parametrize("family", families_of("correlation"))
def test_every_prior_of_correlations(family):
    given = prior(family, **EXAMPLES[family])
    priors = shifted_priors().replaced(autocorrelation=given, slope_correlation=given)
    collapsed = collapse(data_of("ar1", "partial", "partial", "unit, correlated"), priors)
    theta = a_theta(collapsed, seed=4)
    assert_density(collapsed, priors, theta)
    assert_gradient(collapsed, theta)


@pytest.mark.parametrize("slopes", ["common", "group", "unpooled", "unit, correlated", "nested, varying"])
@pytest.mark.parametrize("errors", ["iid", "known", "ar1+unit_scale"])
@pytest.mark.parametrize("family", [family for family in families_of("real") if family != "normal"])
def test_every_prior_of_coefficients(family, errors, slopes):
    """A prior that is not normal moves its coefficient into theta; a flat one is projected out."""
    data, given = data_of(errors, "partial", "partial", slopes), prior(family, **EXAMPLES[family])
    for slots in (("exposure",), ("controls",), ("exposure", "controls")):
        priors = shifted_priors().replaced(**dict.fromkeys(slots, given))
        collapsed = collapse(data, priors)
        assert len(collapsed.layout.kept) == (0 if family == "flat" else sum(_width(data, slot) for slot in slots))
        theta = a_theta(collapsed, seed=5)
        assert_density(collapsed, priors, theta)
        assert_gradient(collapsed, theta)


def _width(data, slot):
    if slot == "controls":
        return len(data.design.spec.controls)
    return len(data.design.groups) if data.design.spec.slope_pooling == "none" else 1


@pytest.mark.parametrize("rho", [0.999999, -0.999999])
def test_density_near_the_unit_root(rho):
    """The stationary density has a limit as rho goes to one; the gradient stays right on the way."""
    collapsed = collapse(data_of("ar1", "partial", "partial", "group"), shifted_priors())
    theta = a_theta(collapsed, seed=6)
    theta[collapsed.layout.autocorrelation] = np.log((1 + rho) / (1 - rho))
    value, gradient = collapsed.log_density(theta)
    # The dense covariance has entries of 1 / (1 - rho^2) = 5e5 and loses as many digits.
    expected = dense.log_likelihood(collapsed.data, shifted_priors(), values_at(collapsed, theta))
    assert collapsed.log_density(theta, likelihood_only=True)[0] == pytest.approx(expected, rel=1e-6)
    numeric = numeric_gradient(lambda t: collapsed.log_density(t)[0], theta)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())
    assert np.isfinite(value)


@pytest.mark.parametrize(
    "case", [("iid", "partial", "partial", "group"), ("ar1", "partial", "none", "unit, correlated")]
)
def test_value_and_gradient_equal_autodiff_of_a_dense_normal(case):
    """The same density as one multivariate normal in PyTensor, differentiated by PyTensor."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    data, priors = data_of(*case), shifted_priors()
    collapsed = collapse(data, priors)
    elements = [e.variable for e in collapsed.elements]
    theta = pt.dvector("theta")
    level = data.design.scales.level
    unit = {"slope_sd": 0.5, "unit_slope_sd": 0.5, "unit_sd": level, "time_sd": 0.5 * level, "error_sd": 1.0}
    values, logp = {}, 0.0
    for j, name in enumerate(elements):
        if name in unit:
            values[name] = unit[name] * pt.softplus(theta[j])
            logp += pm.logp(pm.HalfNormal.dist(unit[name]), values[name]) + pt.log(unit[name] * pt.sigmoid(theta[j]))
        else:
            inside = pt.sigmoid(theta[j])
            values[name] = 2 * inside - 1
            logp += pt.log(2 * inside * (1 - inside))
            beta = 2.0 if name == "slope_correlation" else 1.0  # LKJ(2) and a uniform, both as a scaled beta
            logp += pm.logp(pm.Beta.dist(beta, beta), inside) - np.log(2)
    # The covariance is a sum of constant matrices times functions of the scales, and the errors' part.
    ones = {"slope_sd": 1.0, "unit_sd": 1.0, "time_sd": 1.0, "unit_slope_sd": 1.0, "slope_correlation": 0.0}
    covariance, mean = 0.0, np.zeros(data.design.n_obs)
    n_units = len(data.design.units)
    for block in dense.blocks(data, priors, ones):
        names = tuple(block.variables)
        part = block.columns @ block.covariance @ block.columns.T
        mean += block.columns @ block.mean
        if names == ("unit_effect", "unit_slope"):
            one, two = block.columns[:, :n_units], block.columns[:, n_units:]
            a, b, r = values["unit_sd"], values["unit_slope_sd"], values["slope_correlation"]
            covariance += a**2 * (one @ one.T) + b**2 * (two @ two.T) + r * a * b * (one @ two.T + two @ one.T)
            continue
        scale = {"slope_offset": "slope_sd", "unit_effect": "unit_sd", "time_effect": "time_sd"}.get(names[0])
        covariance += part * (values[scale] ** 2 if scale else 1.0)
    same = (data.design.unit[:, None] == data.design.unit).astype(float)
    if "autocorrelation" in values:
        times = np.array(data.design.times)[data.design.time]
        rho = values["autocorrelation"]
        same = same * pt.abs(rho) ** np.abs(times[:, None] - times) / (1 - rho**2)  # at rho > 0 only
    else:
        same = np.eye(data.design.n_obs)
    covariance += values["error_sd"] ** 2 * same
    logp += pm.logp(pm.MvNormal.dist(mean, cov=covariance), data.outcome)
    function = pytensor.function([theta], [logp, pt.grad(logp, theta)], mode=quick_mode())
    for seed in range(3):
        point = a_theta(collapsed, seed)
        if "autocorrelation" in values:
            point[collapsed.layout.autocorrelation] = 0.4 + 0.5 * seed
        expected, slope = function(point)
        value, gradient = collapsed.log_density(point)
        assert value == pytest.approx(float(expected), rel=1e-9)
        np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-7 * np.abs(slope).max())


MOMENTS = [
    ("iid", "partial", "partial", "group, varying"),
    ("known", "partial", "none", "unit"),
    ("ar1", "partial", "partial", "unit, correlated"),
    ("unit_scale", "partial", "fixed", "exchangeable"),
    ("ar1+unit_scale", "fixed", "partial", "nested, varying"),
    ("iid", "none", "none", "unpooled"),
    ("iid", "fixed", "fixed", "group"),
    ("ar1", "none", "partial", "group, group by time"),
]


@pytest.mark.parametrize("case", MOMENTS, ids=["-".join(case) for case in MOMENTS])
def test_draws_of_coefficients_have_the_conditional_moments(case):
    data, priors = data_of(*case), shifted_priors()
    collapsed = collapse(data, priors)
    theta = a_theta(collapsed, seed=7)
    size = 20_000
    draws = collapsed.coefficients(np.tile(theta, (size, 1)), seed=8, with_units=True)
    names, mean, covariance = dense.conditional(data, priors, values_at(collapsed, theta))
    columns = []
    for name, j in names:
        variable, _, at = name.partition(" ")
        values = draws[variable][:, int(at)] if at else draws[variable]
        columns.append(values if values.ndim == 1 else values[:, j])
    ours = np.column_stack(columns)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((ours.mean(axis=0) - mean) / (sd / np.sqrt(size))).max() < 5
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.abs((np.cov(ours.T) - covariance) / error).max() < 5


def test_draws_of_kept_coefficients_condition_on_them():
    """With a Student-t prior the exposure's slope is part of theta and the rest is drawn given it."""
    data = data_of("ar1", "partial", "partial", "group")
    priors = shifted_priors().replaced(exposure=prior("student_t", nu=4.0, mu=0.0, sigma=1.0))
    collapsed = collapse(data, priors)
    theta, size = a_theta(collapsed, seed=7), 20_000
    values = values_at(collapsed, theta)
    draws = collapsed.coefficients(np.tile(theta, (size, 1)), seed=9, with_units=True)
    assert (draws["exposure_slope"] == values["exposure_slope"]).all()
    names, mean, covariance = dense.conditional(data, priors, values)
    ours = np.column_stack([draws[name][:, j] if draws[name].ndim > 1 else draws[name] for name, j in names])
    sd = np.sqrt(np.diag(covariance))
    assert np.abs((ours.mean(axis=0) - mean) / (sd / np.sqrt(size))).max() < 5


@pytest.mark.parametrize("errors", ["iid", "ar1+unit_scale"])
@pytest.mark.parametrize("slopes", ["group, varying", "unit, correlated", "unpooled"])
def test_new_priors_equal_collapsing_again(errors, slopes):
    data = data_of(errors, "partial", "partial", slopes)
    before = load_priors("weakly_informative")
    for first, second in ((before, shifted_priors()), (shifted_priors(), load_priors("diffuse"))):
        ours, again = collapse(data, first).with_priors(second), collapse(data, second)
        theta = a_theta(again, seed=10)
        (value, gradient), (expected, slope) = ours.log_density(theta), again.log_density(theta)
        assert value == pytest.approx(expected, rel=1e-11)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9 * np.abs(slope).max())
        draws = ours.coefficients(theta[None], 1, with_units=True)
        for name, values in again.coefficients(theta[None], 1, with_units=True).items():
            np.testing.assert_allclose(draws[name], values, rtol=1e-8, atol=1e-9)


def test_new_priors_that_move_a_coefficient_are_refused():
    moved = shifted_priors().replaced(exposure=prior("laplace", mu=0.0, scale=1.0))
    for before, after in ((shifted_priors(), moved), (moved, shifted_priors())):
        collapsed = collapse(data_of("iid", "partial", "partial", "group"), before)
        assert not collapsed.same_theta(after)
        with pytest.raises(bn.BayesNppError, match="move a coefficient in or out of theta"):
            collapsed.with_priors(after)
