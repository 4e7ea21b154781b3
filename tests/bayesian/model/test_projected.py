"""The projection of columns with slopes: numpy, compiled code and `pymc_loadings` alike; prior draws with loadings."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.likelihood import log_likelihood
from bayes_npp.bayesian.model.loadings import SLOPED
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.projected import project
from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

PRIORS = load_priors("weakly_informative")


def data_of(errors, **changes):
    frame = bn.simulate(10, 9, {"a": 0.5, "b": 0.1}, controls=(0.4,), missing=0.25, seed=5).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = {"outcome": "outcome", "exposure": "exposure", "controls": ("control_1",), "slopes": "group"}
    return prepare(build_design(panel, bn.Spec(**{**spec, "errors": errors, **changes})))


@pytest.mark.parametrize("errors", ["ar1+factor", "ar1+unit_scale+period_scale+factor2"])
def test_numpy_and_compiled_code_project_alike(errors):
    data = data_of(errors)
    collapsed = collapse(data, PRIORS)
    theta = 0.5 * np.random.default_rng(3).standard_normal(collapsed.size)
    at, design = collapsed.at(theta), data.design
    sloped = [term for term in collapsed.columns if term.variable in SLOPED]
    x = np.zeros((10, 9, sum(term.width for term in sloped)))
    x[design.unit, design.time] = np.hstack([term.rows(slice(None)) for term in sloped])
    present = np.zeros((10, 9), dtype=bool)
    present[design.unit, design.time] = True
    values = collapsed.constrained(theta[None])
    b = np.vstack([np.ones(9), values["factor"][0]]).T
    period, own, _, _ = project(x, present, at.precision, b)
    residual = (x - period - b @ own)[design.unit, design.time]
    first = np.cumsum([0, *(term.width for term in collapsed.columns)])
    where = [
        j
        for term, begin in zip(collapsed.columns, first, strict=False)
        if term.variable in SLOPED
        for j in range(begin, begin + term.width)
    ]
    np.testing.assert_allclose(at.rows[design.unit, design.time][:, where], residual, atol=1e-9)


@pytest.mark.parametrize(
    ("errors", "changes"),
    [
        ("ar1+factor", {}),
        ("factor2", {"unit_trends": "fixed", "varying": ("control_1",)}),
        ("unit_scale", {"exposure_factor": "partial", "exposure_factors": 2, "slope_pooling": "none"}),
        ("iid", {"exposure_factor": "fixed", "unit_trends": "fixed", "time_effects": "fixed"}),
    ],
)
def test_prior_draws_have_everything_the_posterior_has(errors, changes):
    data = data_of(errors, **changes)
    drawn = prior_parameters(data, PRIORS, 20, seed=1)
    simulated = outcomes(drawn, data, seed=2)
    assert np.isfinite(simulated).all()
    assert np.isfinite(log_likelihood(drawn, data)).all()
    collapsed = collapse(data, PRIORS)
    theta = 0.3 * np.random.default_rng(1).standard_normal((20, collapsed.size))
    posterior = collapsed.coefficients(theta, seed=1, with_units=True)
    for name, values in posterior.items():
        if not name.startswith("collapsed"):
            assert drawn[name].shape == values.shape, name


@pytest.mark.parametrize(
    ("errors", "changes"),
    [
        ("ar1+unit_scale+factor", {}),
        ("period_scale+factor2", {"unit_trends": "partial", "varying": ("control_1",)}),
        ("iid", {"exposure_factor": "partial", "slope_pooling": "none", "unit_effects": "fixed"}),
    ],
)
def test_pymc_has_the_likelihood_of_what_is_stored(errors, changes):
    """Row by row, at a random point of the full model's coordinates: the graph's projection and numpy's."""
    data = data_of(errors, **changes)
    model = build_model(data, PRIORS)
    rows = model.logp(vars=[model["y"]], sum=False, jacobian=False)
    names = [v.name for v in model.unobserved_value_vars]
    function = model.compile_fn(
        [*rows, *model.unobserved_value_vars], inputs=model.value_vars, point_fn=False, mode="FAST_COMPILE"
    )
    random, start = np.random.default_rng(3), model.initial_point()
    point = [start[v.name] + 0.3 * random.standard_normal(start[v.name].shape) for v in model.value_vars]
    found, *values = function(*point)
    draws = {name: np.asarray(value)[None, None] for name, value in zip(names, values, strict=True)}
    parameters = separate(draws, data, PRIORS, seed=1)
    np.testing.assert_allclose(log_likelihood(parameters, data)[0, 0], found, rtol=1e-7, atol=1e-7)
