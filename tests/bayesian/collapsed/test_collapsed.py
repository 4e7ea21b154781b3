"""The collapsed density against dense algebra, finite differences and its own full model; exact draws; large panels."""

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import products as products_module
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.kernel import density_callback, log_density
from bayes_npp.bayesian.collapsed.packed import framed, pack
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import terms, unit_terms
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

CASES = {
    "iid": {},
    "no groups": {"slopes": None},
    "exchangeable": {"slope_pooling": "exchangeable"},
    "no pooling": {"slope_pooling": "none"},
    "ar1": {"errors": "ar1"},
    "unit scale": {"errors": "unit_scale"},
    "ar1 and unit scale": {"errors": "ar1+unit_scale"},
    "known": {"errors": "known", "se": "se"},
    "unit slopes": {"slopes": "unit"},
    "correlated unit slopes": {"slopes": "unit", "slope_correlation": True, "errors": "ar1"},
    "nested, varying control": {"slopes": "group/unit", "varying": ("control_1",)},
    "raw unit slopes": {"slopes": "unit", "correlated_means": False},
    "group-by-period effects": {"group_time_effects": "group"},
    "no unit effects": {"unit_effects": "none"},
    "no period effects": {"time_effects": "none", "errors": "unit_scale"},
    "random effects without means": {"correlated_means": False},
}
FLAT_CASES = {
    "fixed units": {"unit_effects": "fixed"},
    "fixed periods": {"time_effects": "fixed"},
    "both fixed, ar1": {"unit_effects": "fixed", "time_effects": "fixed", "errors": "ar1"},
    "fixed units, unit slopes": {"unit_effects": "fixed", "slopes": "unit"},
    "fixed units, unit scale": {"unit_effects": "fixed", "errors": "unit_scale"},
}
KEPT = {
    "student_t": PriorSpec(family="student_t", nu=4.0, mu=0.1, sigma=0.5, reason="kept in theta"),
    "laplace": PriorSpec(family="laplace", mu=0.1, scale=0.5, reason="kept in theta"),
    "truncated_normal": PriorSpec(family="truncated_normal", mu=0.1, sigma=0.5, lower=-2.0, upper=2.0, reason="kept"),
}
SCALES = [
    PriorSpec(family="half_normal", sigma=0.7, reason="a test"),
    PriorSpec(family="half_student_t", nu=3.0, sigma=0.7, reason="a test"),
    PriorSpec(family="half_cauchy", scale=0.7, reason="a test"),
    PriorSpec(family="exponential", scale=0.7, reason="a test"),
    PriorSpec(family="gamma", alpha=2.0, beta=3.0, reason="a test"),
    PriorSpec(family="inverse_gamma", alpha=2.0, beta=0.5, reason="a test"),
    PriorSpec(family="log_normal", mu=-0.5, sigma=0.6, reason="a test"),
]


@pytest.fixture(scope="module")
def panel(unbalanced):
    random = np.random.default_rng(7)
    return unbalanced.with_column("se", random.uniform(0.2, 0.6, len(unbalanced.frame)))


@pytest.fixture(scope="module")
def priors():
    """Prior means off zero, so that a mean that is forgotten shows."""
    base = load_priors("weakly_informative")
    normal = {"family": "normal", "reason": "a mean off zero"}
    return base.replaced(
        exposure=PriorSpec(mu=0.3, sigma=0.8, **normal),
        controls=PriorSpec(mu=-0.2, sigma=0.9, **normal),
        intercept=PriorSpec(mu=0.4, sigma=1.1, **normal),
    )


def posterior_of(panel, base, priors, changes):
    spec = bn.Spec(**{**base.model_dump(), **changes})
    return collapse(prepare(build_design(panel, spec)), priors)


def a_theta(collapsed, seed=0):
    return 0.5 * np.random.default_rng(seed).standard_normal(collapsed.size) - 0.4


def dense(collapsed, theta, priors):
    """Mean and covariance of the outcome given theta, every coefficient integrated out, with dense matrices.

    Kept coefficients are part of theta: their columns times their values are part of the mean.
    """
    data = collapsed.data
    priors = priors.on_within_scale(data.design.scales)
    values = {name: array[0] for name, array in collapsed.constrained(theta[None]).items()}
    n, unit = data.design.n_obs, data.design.unit
    mean, covariance = np.zeros(n), np.zeros((n, n))
    for term in terms(data, priors):
        columns = term.rows(slice(None))
        if term.variable in values and not term.scale:
            mean += columns @ np.atleast_1d(values[term.variable])
            continue
        sd = values[term.scale] if term.scale else priors[term.slot].parameters["sigma"]
        sd = sd[term.at] if term.at >= 0 else sd
        variance = np.full(term.width, sd**2)
        variance[: term.rank] += priors["between"].parameters["sigma"] ** 2 * data.time.size
        covariance += (columns * variance) @ columns.T
        if not term.scale:
            mean += columns.sum(axis=1) * priors[term.slot].parameters["mu"]
    own = list(unit_terms(data))
    if own:
        columns = np.column_stack([term.columns for term in own])
        sds = [values[term.scale] if term.at < 0 else values[term.scale][term.at] for term in own]
        between = np.diag(np.square(sds))
        if "slope_correlation" in values:
            between[0, 1] = between[1, 0] = values["slope_correlation"] * sds[0] * sds[1]
        same = unit[:, None] == unit
        covariance += np.where(same, columns @ between @ columns.T, 0.0)
    return mean, covariance + error_covariance(data, values)


def error_covariance(data, values):
    if data.se is not None:
        return np.diag(data.se**2)
    unit = data.design.unit
    time = np.array(data.design.times)[data.design.time]
    sd = values["error_sd"] * values.get("unit_scale", np.ones(len(data.design.units)))[unit]
    rho = values.get("autocorrelation", 0.0)
    correlation = np.where(unit[:, None] == unit, rho ** np.abs(time[:, None] - time) / (1 - rho**2), 0.0)
    return np.outer(sd, sd) * correlation


@pytest.mark.parametrize("case", list(CASES))
def test_likelihood_equals_the_dense_normal(case, panel, grouped_spec, priors):
    collapsed = posterior_of(panel, grouped_spec, priors, CASES[case])
    for seed in (0, 1):
        theta = a_theta(collapsed, seed)
        mean, covariance = dense(collapsed, theta, priors)
        expected = stats.multivariate_normal.logpdf(collapsed.data.outcome, mean, covariance)
        # Two routes of a few hundred floating-point operations on condition numbers up to 1e6.
        assert collapsed.log_density(theta, likelihood_only=True)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("family", list(KEPT))
def test_coefficients_with_other_priors_stay_in_theta(family, panel, grouped_spec, priors):
    other = priors.replaced(exposure=KEPT[family], controls=KEPT[family])
    collapsed = posterior_of(panel, grouped_spec, other, {})
    assert {"exposure_slope", "control_slope"} <= {element.variable for element in collapsed.elements}
    theta = a_theta(collapsed)
    mean, covariance = dense(collapsed, theta, other)
    expected = stats.multivariate_normal.logpdf(collapsed.data.outcome, mean, covariance)
    assert collapsed.log_density(theta, likelihood_only=True)[0] == pytest.approx(expected, rel=1e-9)
    check_gradient(collapsed, theta)


@pytest.mark.parametrize("case", [*CASES, *FLAT_CASES])
def test_gradient_equals_finite_differences(case, panel, grouped_spec, priors):
    collapsed = posterior_of(panel, grouped_spec, priors, {**CASES, **FLAT_CASES}[case])
    check_gradient(collapsed, a_theta(collapsed, 2))


def check_gradient(collapsed, theta):
    gradient = collapsed.log_density(theta)[1]
    step = 1e-5
    steps = step * np.eye(len(theta))
    numeric = [(collapsed.log_density(theta + s)[0] - collapsed.log_density(theta - s)[0]) / (2 * step) for s in steps]
    # Central differences: error of order step^2 times the third derivative, and rounding / step.
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("prior", SCALES, ids=lambda prior: prior.family)
def test_prior_of_a_scale_enters_with_its_jacobian(prior, panel, grouped_spec, priors):
    other = priors.replaced(slope_sd=prior, error_sd=prior)
    collapsed = posterior_of(panel, grouped_spec, other, {})
    theta = a_theta(collapsed)
    taken = other.on_within_scale(collapsed.data.design.scales)
    values = {name: array[0] for name, array in collapsed.constrained(theta[None]).items()}
    expected = collapsed.log_density(theta, likelihood_only=True)[0]
    for j, element in enumerate(collapsed.elements):
        step = 1e-6
        up, down = (collapsed.constrained((theta + s * np.eye(len(theta))[j])[None]) for s in (step, -step))
        slope = (up[element.variable][0] - down[element.variable][0]) / (2 * step)
        expected += float(taken[element.variable].log_density(values[element.variable])) + np.log(slope)
    assert collapsed.log_density(theta)[0] == pytest.approx(expected, rel=1e-8)
    check_gradient(collapsed, theta)


@pytest.mark.parametrize("case", ["fixed units", "both fixed, ar1", "fixed units, unit scale"])
def test_fixed_effects_are_the_limit_of_wide_ones(case, panel, grouped_spec, priors):
    """Differences of the density in theta: constants aside, flat is a normal prior with a growing SD."""
    changes = FLAT_CASES[case]
    flat = posterior_of(panel, grouped_spec, priors, changes)
    wide_spec = {**changes, "unit_effects": "partial"}
    wide = posterior_of(panel, grouped_spec, priors, wide_spec)
    names = [e.variable for e in wide.elements]
    at = names.index("unit_sd")
    random = np.random.default_rng(3)
    points = 0.3 * random.standard_normal((2, flat.size)) - 0.3
    values = []
    for point in points:
        theta = np.insert(point, at, 1e4)  # a softplus is linear there: SD 1e4
        values.append(wide.log_density(theta, likelihood_only=True)[0])
    expected = values[1] - values[0]
    ours = flat.log_density(points[1], True)[0] - flat.log_density(points[0], True)[0]
    # The wide model keeps a proper intercept and between part; both vanish against SD 1e4 (relative 1e-8).
    assert ours == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("case", ["iid", "ar1 and unit scale", "correlated unit slopes", "known"])
def test_draws_of_the_coefficients_are_the_conditional_normal(case, panel, grouped_spec, priors):
    collapsed = posterior_of(panel, grouped_spec, priors, CASES[case])
    theta, size = a_theta(collapsed), 20_000
    draws = collapsed.coefficients(np.tile(theta, (size, 1)), seed=5, with_units=True)
    mean, covariance = dense(collapsed, theta, priors)
    solved = np.linalg.solve(covariance, collapsed.data.outcome - mean)
    values = {name: array[0] for name, array in collapsed.constrained(theta[None]).items()}
    unit = collapsed.data.design.unit
    x = collapsed.data.slope_columns.sum(axis=1)
    prior = priors["exposure"].parameters
    expected_mean = prior["mu"] + prior["sigma"] ** 2 * x @ solved
    expected_sd = np.sqrt(prior["sigma"] ** 2 - prior["sigma"] ** 4 * x @ np.linalg.solve(covariance, x))
    # 20,000 independent draws: the mean within 4.5 of its standard errors, the SD within 4.5 / sqrt(2 n).
    drawn = draws["exposure_slope"]
    assert abs(drawn.mean() - expected_mean) < 4.5 * expected_sd / np.sqrt(size)
    assert drawn.std() == pytest.approx(expected_sd, rel=4.5 / np.sqrt(2 * size))
    if "slope_correlation" in values:
        slope, sd = collapsed.data.unit_slope_columns[:, 0], (values["unit_sd"], values["unit_slope_sd"])
        load = np.where(unit == 3, sd[0] ** 2 + values["slope_correlation"] * sd[0] * sd[1] * slope, 0.0)
    else:
        load = np.where(unit == 3, values["unit_sd"] ** 2, 0.0)
    expected = load @ solved
    spread = np.sqrt(values["unit_sd"] ** 2 - load @ np.linalg.solve(covariance, load))
    assert abs(draws["unit_effect"][:, 3].mean() - expected) < 4.5 * spread / np.sqrt(size)
    assert draws["unit_effect"][:, 3].std() == pytest.approx(spread, rel=4.5 / np.sqrt(2 * size))
    again = collapsed.coefficients(np.tile(theta, (size, 1)), seed=5, with_units=True)
    assert all(np.array_equal(draws[name], again[name]) for name in draws)


def test_compression_changes_nothing(grouped_spec, priors, monkeypatch):
    frame = bn.simulate(150, 5, {"north": 0.8, "south": 0.2}, controls=(0.5, -0.4), missing=0.2, seed=8).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    small = posterior_of(panel, grouped_spec, priors, {"errors": "ar1"})
    plain = posterior_of(panel, grouped_spec, priors, {})
    assert len(plain.products.unit_cross) < 150
    theta = a_theta(plain)
    compressed = plain.log_density(theta), small.log_density(a_theta(small))
    monkeypatch.setattr(products_module, "compress", lambda cross, gram: (cross, gram, np.ones(len(cross))))
    monkeypatch.setattr(products_module, "CHUNK", 40)  # and a pass over the rows in many chunks
    for errors, point, (value, gradient) in (("iid", theta, compressed[0]), ("ar1", a_theta(small), compressed[1])):
        again = posterior_of(panel, grouped_spec, priors, {"errors": errors})
        assert len(again.products.unit_cross) == 150
        assert again.log_density(point)[0] == pytest.approx(value, rel=1e-11)
        np.testing.assert_allclose(again.log_density(point)[1], gradient, rtol=1e-8, atol=1e-8)


def test_other_priors_need_no_rows(panel, grouped_spec, priors):
    before = posterior_of(panel, grouped_spec, load_priors("weakly_informative"), {})
    moved, fresh = before.with_priors(priors), posterior_of(panel, grouped_spec, priors, {})
    theta = a_theta(fresh)
    assert moved.log_density(theta)[0] == pytest.approx(fresh.log_density(theta)[0], rel=1e-12)
    np.testing.assert_allclose(moved.log_density(theta)[1], fresh.log_density(theta)[1], rtol=1e-9, atol=1e-9)
    one = np.tile(theta, (5, 1))
    for name, values in moved.coefficients(one, 1, True).items():
        np.testing.assert_allclose(values, fresh.coefficients(one, 1, True)[name], rtol=1e-7, atol=1e-9)
    assert not before.same_theta(priors.replaced(exposure=KEPT["laplace"]))


def test_callback_and_packing_give_the_density(panel, grouped_spec, priors):
    import ctypes

    collapsed = posterior_of(panel, grouped_spec, priors, {"errors": "ar1+unit_scale"})
    theta = a_theta(collapsed)
    gradient, value = np.empty(len(theta)), np.empty(1)
    reals = ctypes.POINTER(ctypes.c_double)
    pointers = [a.ctypes.data_as(reals) for a in (theta, gradient, value, framed(collapsed.packed))]
    assert density_callback.ctypes(len(theta), *pointers) == 0
    expected, slope = collapsed.log_density(theta)
    assert value[0] + collapsed.constant == pytest.approx(expected, rel=1e-13)
    np.testing.assert_array_equal(gradient, slope)
    plain = np.empty(len(theta))
    packed = pack(collapsed.products, collapsed.layout, collapsed.priors)
    assert log_density.py_func is not None
    assert log_density(theta, packed, plain, False) == value[0]
    far = np.full(len(theta), 800.0)  # overflows: reported as a divergence, never as a number
    assert density_callback.ctypes(len(theta), far.ctypes.data_as(reals), *pointers[1:]) == 4


def test_large_panels_keep_sums_and_moments_instead_of_rows(grouped_spec, monkeypatch):
    from bayes_npp.bayesian.fitting import collapsed_draws

    frame = bn.simulate(60, 6, {"north": 0.8, "south": 0.2}, controls=(0.5, -0.4), missing=0.2, seed=9).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    whole = bn.fit(panel, grouped_spec, seed=2, draws=2000)
    monkeypatch.setattr(collapsed_draws, "POINTWISE_CELLS", 1000)
    large = bn.fit(panel, grouped_spec, seed=2, draws=2000)
    assert "unit_effect" not in large.tree["posterior"]
    np.testing.assert_array_equal(large.values("exposure_slope"), whole.values("exposure_slope"))
    rows = whole.tree["log_likelihood"]["y"].to_numpy().sum(axis=-1).ravel()
    sums = large.tree["log_likelihood"]["y_total"].to_numpy().ravel()
    # 8,000 nearly independent draws: means within 5 standard errors, SDs within 5 %.
    assert abs(rows.mean() - sums.mean()) < 5 * rows.std() * np.sqrt(2 / 4000)
    assert sums.std() == pytest.approx(rows.std(), rel=0.05)
    effects = whole.values("unit_effect")
    moments = large.tree["unit_moments"]
    error = effects.std(axis=0) / np.sqrt(4000)
    assert (np.abs(moments["unit_effect_mean"].to_numpy() - effects.mean(axis=0)) < 5 * error).all()
    np.testing.assert_allclose(moments["unit_effect_sd"].to_numpy(), effects.std(axis=0), rtol=0.06)
    assert large.parameters(20)["unit_effect"].shape == (20, 60)
    assert [check.name for check in large.predictive_checks()] == [c.name for c in whole.predictive_checks()]
    unit_slopes = bn.Spec(**{**grouped_spec.model_dump(), "slopes": "unit"})
    sums = bn.fit(panel, unit_slopes, seed=2).tree["log_likelihood"]["y_total"].to_numpy()
    monkeypatch.undo()
    rows = bn.fit(panel, unit_slopes, seed=2).tree["log_likelihood"]["y"].to_numpy().sum(axis=-1)
    assert abs(rows.mean() - sums.mean()) < 5 * rows.std() * np.sqrt(2 / 2000)


def test_prior_draws_have_the_model_covariance(panel, grouped_spec, priors):
    """Outcomes drawn from the prior at fixed scales have the dense mean and covariance."""
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": "ar1+unit_scale", "slopes": "group/unit"})
    data = prepare(build_design(panel, spec))
    tight = {"family": "log_normal", "sigma": 1e-6, "reason": "fixed"}
    names = ("slope_sd", "unit_slope_sd", "unit_sd", "time_sd", "error_sd")
    fixed = {name: PriorSpec(mu=float(np.log(0.3 + 0.1 * k)), **tight) for k, name in enumerate(names)}
    rho = PriorSpec(family="uniform", lower=0.499999, upper=0.500001, reason="fixed")
    fixed |= {"autocorrelation": rho, "unit_scale_sd": PriorSpec(mu=-20.0, **tight)}
    other = priors.replaced(**fixed)
    drawn = outcomes(prior_parameters(data, other, 40_000, seed=1), data, seed=2)
    collapsed = collapse(data, other)
    unit, taken = collapsed.priors.upper, other.on_within_scale(data.design.scales)
    theta = np.array([np.log(np.expm1(np.exp(taken[e.variable].mu) / u)) if e.variable in names else 0.0
                      for e, u in zip(collapsed.elements, unit, strict=False)])  # fmt: skip
    theta = np.append(theta, np.zeros(collapsed.size - len(theta)))
    if collapsed.layout.centred:
        theta[collapsed.layout.unit_scales :] = fixed["error_sd"].mu
    theta[[e.variable for e in collapsed.elements].index("unit_scale_sd")] = -30.0
    mean, covariance = dense(collapsed, theta, other)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 * np.sqrt(covariance.diagonal().max() / 40_000))
    direction = np.random.default_rng(4).standard_normal((len(mean), 6))
    ours, expected = (drawn @ direction).var(axis=0), np.einsum("ij,ik,kj->j", direction, covariance, direction)
    np.testing.assert_allclose(ours, expected, rtol=5 * np.sqrt(2 / 40_000))
