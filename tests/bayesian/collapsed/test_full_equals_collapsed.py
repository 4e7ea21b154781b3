"""The full PyMC model against the collapsed density and against the stored log likelihood: exactly, without sampling.

Given scales and shapes, the full model's density is an exponential of a quadratic in the coefficients under normal
errors, so Laplace's approximation of their integral is the integral: log p(y, z*, theta) + k log(2 pi) / 2 -
log|-H| / 2, which must be the collapsed likelihood times the priors of theta. The Hessian H comes from differences of
the gradient, exact for a quadratic; what is left is rounding, 1e-7 relative for condition numbers up to 1e8.
"""

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.model.likelihood import log_likelihood
from bayes_npp.bayesian.model.loadings import LENGTH_DEGREES
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate
from tests.bayesian.quick import quick_mode

NORMAL = {
    "iid": {},
    "ar1, correlated unit slopes": {"errors": "ar1", "slopes": "unit", "slope_correlation": True},
    "ar1, unit scale, nested": {"errors": "ar1+unit_scale", "slopes": "group/unit", "varying": ("control_1",)},
    "known, exchangeable, group by period": {
        **{"errors": "known", "se": "se", "slope_pooling": "exchangeable", "group_time_effects": "group"},
    },
    "fixed units, unit scale": {"errors": "unit_scale", "unit_effects": "fixed", "slopes": None},
    "both fixed, unpooled": {"unit_effects": "fixed", "time_effects": "fixed", "slope_pooling": "none"},
    "fixed periods, varying": {"time_effects": "fixed", "varying": ("control_2",)},
    "no effects": {"unit_effects": "none", "time_effects": "none", "errors": "ar1"},
    "without means": {"correlated_means": False, "time_effects": "none"},
    "levels alone": {"exposure": None, "controls": (), "slopes": None, "errors": "known", "se": "se"},
}
STUDENT = {
    "student": {"errors": "student_t"},
    "student, ar1": {"errors": "student_t+ar1", "slopes": "unit", "slope_correlation": True},
    "student, unit scale": {"errors": "unit_scale+student_t", "unit_effects": "fixed", "slopes": None},
    "student, ar1, unit scale": {"errors": "ar1+unit_scale+student_t", "slopes": "group/unit"},
}
# Each compiles a model of its own; of these the fast lane has every part in another.
SLOW = {
    "ar1, correlated unit slopes",
    "ar1, unit scale, nested",
    "no effects",
    "both fixed, unpooled",
    "student",
    "student, ar1, unit scale",
}
CASES = [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in (*NORMAL, *STUDENT)]
SHAPES = ("autocorrelation", "slope_correlation", "unit_error_log", "unit_scale_raw", "degrees")
FREE = ("factor_direction", "period_scale_raw")  # of theta too, and without bounds


@pytest.fixture(scope="module")
def panel():
    frame = simulate(9, 8, {"north": 0.8, "south": 0.2, "west": -0.3}, controls=(0.5, -0.4), missing=0.3, seed=6).frame
    frame["se"] = 0.3 + 0.4 * np.random.default_rng(5).random(len(frame))
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.fixture(scope="module")
def priors():
    """Means off zero and SDs that differ, so that a prior taken for another shows."""
    normal = {"family": "normal", "reason": "a test"}
    return load_priors("weakly_informative").replaced(
        exposure=PriorSpec(mu=0.4, sigma=0.7, **normal),
        controls=PriorSpec(mu=-0.3, sigma=1.3, **normal),
        intercept=PriorSpec(mu=0.2, sigma=0.8, **normal),
        between=PriorSpec(mu=0.0, sigma=1.7, **normal),
    )


def data_of(panel, grouped_spec, changes):
    return prepare(build_design(panel, bn.Spec(**{**grouped_spec.model_dump(), **changes})))


class Full:
    """The full model as functions of one vector of sampled coordinates."""

    def __init__(self, data, priors):
        import pytensor
        import pytensor.tensor as pt

        model = build_model(data, priors)
        self.shapes = {v.name: model.initial_point()[v.name].shape for v in model.value_vars}
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        self.bounds = dict(
            zip(self.shapes, zip(np.cumsum([0, *sizes[:-1]]), np.cumsum(sizes), strict=True), strict=True)
        )
        self.size = sum(sizes)
        theta = pt.dvector("theta")
        given = {}
        for variable in model.value_vars:
            start, end = self.bounds[variable.name]
            given[variable] = theta[start:end].reshape(self.shapes[variable.name]).astype(variable.dtype)
        joint = model.logp(jacobian=False)
        rows = model.logp(vars=[model["y"]], sum=False)[0]
        mode = quick_mode()
        outputs = pytensor.graph.replace.clone_replace([joint, rows, *model.unobserved_value_vars], given)
        self.names = [v.name for v in model.unobserved_value_vars]
        self.density = pytensor.function([theta], [outputs[0], pt.grad(outputs[0], theta)], mode=mode)
        self.everything = pytensor.function([theta], outputs[1:], mode=mode)

    def parameters(self, point, data, priors):
        """Pointwise log density of the outcome, and the model's parameters, of one point."""
        rows, *values = self.everything(point)
        draws = {name: np.asarray(value)[None, None] for name, value in zip(self.names, values, strict=True)}
        return rows, {**draws, **separate(draws, data, priors, seed=1)}

    def is_scale(self):
        """Which coordinates are scales, shapes or factors; the rest are coefficients."""
        out = np.zeros(self.size, dtype=bool)
        for name, (start, end) in self.bounds.items():
            out[start:end] = name.startswith((*SHAPES, *FREE)) or "_sd_" in name
        return out


def a_point(full, seed):
    return 0.5 * np.random.default_rng(seed).standard_normal(full.size) - 0.2


@pytest.mark.parametrize("case", CASES)
def test_full_model(case, panel, grouped_spec, priors):
    data = data_of(panel, grouped_spec, {**NORMAL, **STUDENT}[case])
    full = Full(data, priors)
    for seed in (0, 1):
        rows, parameters = full.parameters(a_point(full, seed), data, priors)
        np.testing.assert_allclose(log_likelihood(parameters, data)[0, 0], rows, rtol=1e-7, atol=1e-8)
    if case in NORMAL:
        for seed in (2, 3):
            check_integral(full, data, priors, a_point(full, seed))


def check_integral(full, data, priors, point):
    """The integral of the full model's density over coefficients is the collapsed likelihood times priors of theta."""
    free = np.flatnonzero(~full.is_scale())
    gradient = full.density(point)[1][free]
    hessian = np.empty((len(free), len(free)))
    for k, j in enumerate(free):
        shift = np.zeros(full.size)
        shift[j] = 0.5  # no truncation error for a quadratic, and little rounding
        hessian[k] = full.density(point + shift)[1][free] - full.density(point - shift)[1][free]
    mode = point.copy()
    mode[free] -= np.linalg.solve(hessian, gradient)
    top, slope = full.density(mode)
    assert np.abs(slope[free]).max() < 1e-6 * np.abs(gradient).max()
    integral = top + 0.5 * len(free) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(-hessian)[1]

    _, parameters = full.parameters(point, data, priors)
    collapsed = collapse(data, priors)
    theta, prior = theta_of(collapsed, {name: value[0, 0] for name, value in parameters.items()})
    expected = collapsed.log_density(theta, likelihood_only=True)[0] + prior
    # Fixed effects of units: N flat coefficients there, a flat level and N - 1 flat orthonormal contrasts here.
    if data.unit.kind == "fixed":
        expected -= 0.5 * np.log(len(data.design.units))
    assert float(integral) == pytest.approx(expected, rel=1e-7, abs=1e-6)


def theta_of(collapsed, parameters):
    """The collapsed sampler's theta at given parameters, and the log prior density of scales and shapes there."""
    theta, prior = np.zeros(collapsed.size), 0.0
    for j, element in enumerate(collapsed.elements):
        value = float(parameters[element.variable] if element.at < 0 else parameters[element.variable][element.at])
        lower, upper = collapsed.priors.lower[j], collapsed.priors.upper[j]
        if element.variable in FREE:
            theta[j] = value
        elif collapsed.priors.support[j] == kernel.POSITIVE:
            theta[j] = np.log(np.expm1(value / upper))
        else:
            theta[j] = np.log((value - lower) / (upper - value))
        prior += float(element.prior.log_density(value))
        if element.variable == "slope_correlation":
            prior += np.log(2.0)  # the full model's coordinate is (1 + r) / 2
    if "factor_direction" in parameters:
        n_times = len(collapsed.data.design.times)
        lengths = np.linalg.norm(parameters["factor_direction"].reshape(-1, n_times - 1), axis=1)
        prior += max(0, LENGTH_DEGREES - (n_times - 1)) * np.log(lengths).sum()  # a length of as many normals
    if collapsed.layout.unit_scales >= 0:
        logs, spread = np.log(parameters["unit_scale"]), parameters["unit_scale_sd"]
        centred = collapsed.layout.centred
        theta[collapsed.layout.unit_scales :] = logs + np.log(parameters["error_sd"]) if centred else logs / spread
        prior += stats.norm.logpdf(logs, 0, spread).sum() if centred else stats.norm.logpdf(logs / spread).sum()
    return theta, prior


@pytest.mark.parametrize(("spread", "centred"), [(0.0, False), (0.2, False), (1.0, True)])
def test_error_scales_are_centred_only_where_they_clearly_differ(spread, centred):
    """Centred scales had divergences and an ESS of 40 where their spread may be zero; offsets cost little anywhere."""
    frame = simulate(24, 9, {"north": 0.8, "south": 0.2}, controls=(0.5, -0.4), unit_scale_sd=spread, seed=4).frame
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", errors="unit_scale")
    data = prepare(build_design(bn.read_panel(frame, unit="unit", time="time", group="group"), spec))
    assert ("unit_scale" in data.centred_errors) == centred


def test_offsets_of_a_control_have_a_parametrisation_of_their_own(grouped_spec):
    """Groups differ in the exposure's slope and in the first control's, not in the second's."""
    frame = simulate(40, 12, {"north": 3.0, "south": 0.0}, controls=(0.5, -0.4), seed=4).frame
    frame["outcome"] += 2.0 * frame["control_1"] * (frame["group"] == "north")
    spec = bn.Spec(**{**grouped_spec.model_dump(), "varying": ("control_1", "control_2")})
    data = prepare(build_design(bn.read_panel(frame, unit="unit", time="time", group="group"), spec))
    assert (data.slopes_centred, data.varying_centred) == (True, (True, False))
