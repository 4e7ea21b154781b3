"""The PyMC model against hand-written densities, its gradient, and the exactness of the reparametrisation."""

import numpy as np
import pytest
from scipy import stats

from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.model.terms import fitted_values, model_data
from bayes_npp.bayesian.priors.sets import ALWAYS, load_priors
from bayes_npp.design.design import build_design
from tests.bayesian.quick import quick_mode

OTHER = {
    "exposure": {"mu": 0.4, "sigma": 0.3},
    "controls": {"mu": -0.2, "sigma": 2.0},
    "intercept": {"mu": 1.0, "sigma": 0.5},
    "between": {"mu": 0.0, "sigma": 3.0},
    "slope_sd": {"sigma": 2.0},
    "unit_sd": {"sigma": 3.0},
    "time_sd": {"sigma": 3.0},
    "error_sd": {"sigma": 3.0},
}


@pytest.fixture(scope="module")
def data(unbalanced, grouped_spec):
    return model_data(build_design(unbalanced, grouped_spec))


@pytest.fixture(scope="module")
def priors():
    return load_priors("weakly_informative")


@pytest.fixture(scope="module")
def model(data, priors):
    return build_model(data, priors)


@pytest.fixture(scope="module")
def log_density(model):
    return model.compile_fn(model.logp(jacobian=False), inputs=model.value_vars, point_fn=False, mode=quick_mode())


def a_point(model, seed=0):
    random, start = np.random.default_rng(seed), model.initial_point()  # compiled at every call
    return {v.name: np.asarray(0.6 * random.standard_normal(start[v.name].shape)) for v in model.value_vars}


def constrained(point):
    return {k.removesuffix("_log__"): np.exp(v) if k.endswith("_log__") else v for k, v in point.items()}


def zero_sum(values):
    """PyMC's map from the n - 1 free values of a ZeroSumNormal to n values that sum to zero."""
    n = values.shape[-1] + 1
    norm = values.sum(axis=-1, keepdims=True) / (np.sqrt(n) + n)
    fill = norm - values.sum(axis=-1, keepdims=True) / np.sqrt(n)
    return np.concatenate([values, fill], axis=-1) - norm


def parameters_of(point, data, priors):
    values = constrained(point)
    priors = priors.on_within_scale(data.design.scales)
    draws = {k: v[None, None] for k, v in values.items() if not k.endswith("_raw") and "zerosum" not in k}
    free = next(v for k, v in point.items() if k.startswith("slope_offset"))
    scale = 1.0 if data.slopes_centred else values["slope_sd"]
    draws["slope_offset"] = scale * zero_sum(free)[None, None]
    between = priors["between"].parameters["sigma"]
    for name, effect in data.effects.items():
        if f"{name}_contrasts_raw" in values:
            sd = np.sqrt(between**2 * effect.size * effect.has_part + values[f"{name}_sd"] ** 2)
            draws[f"{name}_contrasts"] = (values[f"{name}_contrasts_raw"] * sd)[None, None]
    return draws


def written_out(point, data, priors):
    """Log density by hand: priors, coordinates of the effects, level, likelihood; no Jacobian."""
    draws = {k: v[0, 0] for k, v in parameters_of(point, data, priors).items()}
    priors = priors.on_within_scale(data.design.scales)
    values = constrained(point)
    total = priors["exposure"].log_density(draws["exposure_slope"]).sum()
    total += priors["controls"].log_density(draws["control_slope"]).sum()
    for name in ("slope_sd", "unit_sd", "time_sd", "error_sd"):
        total += priors[name].log_density(draws[name])
    offset, spread = draws["slope_offset"], draws["slope_sd"]
    scale = spread if data.slopes_centred else 1.0
    # A normal on the n - 1 free dimensions of offsets that sum to zero.
    free = len(offset) - 1
    total += -0.5 * ((offset / spread) ** 2).sum() - free * (np.log(scale) + 0.5 * np.log(2 * np.pi))
    intercept = priors["intercept"].parameters
    variance = intercept["sigma"] ** 2
    fitted = draws["level"] + data.slope_columns @ (draws["exposure_slope"] + offset)
    fitted = fitted + data.control_columns @ draws["control_slope"]
    between = priors["between"].parameters["sigma"]
    for name, effect in data.effects.items():
        sd = np.sqrt(between**2 * effect.size * effect.has_part + draws[f"{name}_sd"] ** 2)
        if f"{name}_contrasts_raw" in values:
            total += stats.norm.logpdf(values[f"{name}_contrasts_raw"]).sum()
        else:
            total += stats.norm.logpdf(draws[f"{name}_contrasts"], 0, sd).sum()
        variance += draws[f"{name}_sd"] ** 2 / effect.size
        fitted = fitted + (effect.basis @ draws[f"{name}_contrasts"])[effect.index]
    total += stats.norm.logpdf(draws["level"], intercept["mu"], np.sqrt(variance))
    return total + stats.norm.logpdf(data.outcome, fitted, draws["error_sd"]).sum(), fitted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_log_density_written_out_by_hand(seed, model, log_density, data, priors):
    point = a_point(model, seed)
    assert float(log_density(*[point[v.name] for v in model.value_vars])) == pytest.approx(
        written_out(point, data, priors)[0], rel=1e-9
    )


def test_gradient_equals_finite_differences(model):
    function = model.logp_dlogp_function(ravel_inputs=True, mode=quick_mode())
    function.set_extra_values({})
    start = np.concatenate([np.ravel(a_point(model, 3)[v.name]) for v in model.value_vars])
    _, gradient = function(start)
    step = 1e-6
    for j in range(0, len(start), 3):
        shift = np.zeros_like(start)
        shift[j] = step
        numeric = (function(start + shift)[0] - function(start - shift)[0]) / (2 * step)
        assert gradient[j] == pytest.approx(numeric, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("slot", ALWAYS)
def test_every_declared_prior_reaches_the_log_density(slot, model, log_density):
    point = [a_point(model, 1)[v.name] for v in model.value_vars]
    before = float(log_density(*point))
    for parameter, value in OTHER[slot].items():
        name = f"{slot}_{parameter}"
        if name not in model.named_vars:
            assert (slot, parameter) == ("between", "mu")  # between coefficients are centred on zero
            continue
        old = model[name].get_value()
        model.set_data(name, np.asarray(value, dtype=float))
        after = float(log_density(*point))
        model.set_data(name, old)
        assert after != pytest.approx(before, rel=1e-9), name


def test_separated_parameters_reproduce_the_fitted_values(model, data, priors):
    point = a_point(model, 5)
    draws = parameters_of(point, data, priors)
    parameters = separate(draws, data, priors, seed=1)
    np.testing.assert_allclose(fitted_values(parameters, data)[0, 0], written_out(point, data, priors)[1], atol=1e-10)
    assert parameters["slope_offset"].sum() == pytest.approx(0, abs=1e-12)


def test_separation_has_the_prior_distribution_it_should(data, priors):
    """Level and contrasts drawn from their marginals separate into intercept, effects and between as in the prior."""
    random = np.random.default_rng(0)
    size, sds, level = 40_000, {"unit": 0.7, "time": 0.4}, data.design.scales.level
    draws = {"error_sd": np.ones((1, size)), "exposure_slope": np.zeros((1, size))}
    variance = level**2
    for name, effect in data.effects.items():
        draws[f"{name}_sd"] = np.full((1, size), sds[name])
        spread = np.sqrt(level**2 * effect.size * effect.has_part + sds[name] ** 2)
        draws[f"{name}_contrasts"] = spread * random.standard_normal((1, size, effect.n_contrasts))
        variance += sds[name] ** 2 / effect.size
    draws["level"] = np.sqrt(variance) * random.standard_normal((1, size))
    out = separate(draws, data, priors, seed=2)
    assert out["intercept"].std() == pytest.approx(level, rel=0.02)
    for name, effect in data.effects.items():
        effects = out[f"{name}_effect"][0]
        np.testing.assert_allclose(effects.std(axis=0), sds[name], rtol=0.03)
        assert abs(np.corrcoef(effects[:, 0], effects[:, 1])[0, 1]) < 0.02
        assert abs(np.corrcoef(effects.mean(axis=1), out["intercept"][0])[0, 1]) < 0.02
        np.testing.assert_allclose(out[f"{name}_between"][0].std(axis=0), level, rtol=0.03)
        assert effects.shape == (size, effect.size)
