"""Models in which units load on columns of time: dense algebra, finite differences, fixed-effects GLS."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import (
    kernel,
    loading_density,
    loading_draws,
    loading_forms,
    loading_gradient,
    loading_kernel,
    packed,
    posterior,
)
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.loading_products import loading_data
from bayes_npp.bayesian.model.loadings import aligned, factors_from
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import fitted_values
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from tests.bayesian import dense

ROUNDING = 1e-8
DIFFERENCES = 1e-6  # central differences with steps of 1e-5: (1e-5)^2 times third derivatives, and rounding

FLAT = {"unit_trends": "fixed", "exposure_factor": "fixed", "time_effects": "fixed", "unit_effects": "fixed"}
# Errors, share of rows missing, changes of the specification, prior set.
MODELS = [
    ("factor", 0.0, {}, "weakly_informative"),
    ("factor", 0.3, {}, "enthusiastic"),
    ("ar1+factor", 0.3, {"varying": ("control_1",)}, "weakly_informative"),
    ("unit_scale+factor", 0.2, {"time_effects": "fixed"}, "weakly_informative"),
    ("ar1+unit_scale+factor", 0.2, {"slope_pooling": "exchangeable"}, "weakly_informative"),
    ("factor2", 0.15, {"unit_effects": "fixed", "time_effects": "fixed"}, "weakly_informative"),
    ("ar1+period_scale+unit_scale+factor2", 0.2, {"slope_pooling": "none"}, "diffuse"),
    ("ar1+factor2", 0.0, {"unit_effects": "none"}, "weakly_informative"),
    ("period_scale", 0.2, {}, "weakly_informative"),
    ("iid", 0.2, {"unit_trends": "partial"}, "weakly_informative"),
    ("ar1", 0.2, {"unit_trends": "fixed", "unit_effects": "fixed"}, "weakly_informative"),
    ("unit_scale", 0.2, {"exposure_factor": "partial"}, "weakly_informative"),
    ("iid", 0.0, {"exposure_factor": "fixed", "exposure_factors": 2}, "weakly_informative"),
    ("ar1+factor", 0.2, {"exposure_factor": "partial", "unit_trends": "fixed"}, "weakly_informative"),
    ("unit_scale", 0.2, {"unit_trends": "fixed", "time_effects": "fixed"}, "weakly_informative"),
    ("period_scale", 0.0, FLAT, "weakly_informative"),
    ("ar1+period_scale", 0.2, {"correlated_means": False}, "weakly_informative"),
]


def panel_of(missing, seed=5, n_units=12, n_periods=9):
    frame = bn.simulate(n_units, n_periods, {"a": 0.5, "b": 0.1}, controls=(0.4,), missing=missing, seed=seed).frame
    if missing >= 0.3:  # a unit with fewer rows than coefficients
        own = frame.index[frame["unit"] == frame["unit"].iloc[0]]
        frame = frame.drop(own[2:])
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def collapsed_of(errors, missing, changes, priors, **options):
    spec = {"outcome": "outcome", "exposure": "exposure", "controls": ("control_1",), "slopes": "group"}
    spec = bn.Spec(**{**spec, "errors": errors, **changes})
    return collapse(prepare(build_design(panel_of(missing, **options), spec)), load_priors(priors))


def values_at(collapsed, theta):
    return {name: values[0] for name, values in collapsed.constrained(theta[None]).items()}


def theta_for(collapsed, seed=1):
    return 0.6 * np.random.default_rng(seed).standard_normal(collapsed.size)


@pytest.mark.parametrize(("errors", "missing", "changes", "priors"), MODELS)
def test_density_is_the_dense_normal_s(errors, missing, changes, priors):
    """Also where a unit has fewer rows than coefficients, and after a gap."""
    collapsed = collapsed_of(errors, missing, changes, priors)
    if missing >= 0.3:
        assert np.bincount(collapsed.data.design.unit).min() <= 2
    theta = theta_for(collapsed)
    found = collapsed.log_density(theta, likelihood_only=True)[0]
    known = dense.log_likelihood(collapsed.data, load_priors(priors), values_at(collapsed, theta))
    assert found == pytest.approx(known, abs=ROUNDING * collapsed.data.design.n_obs)
    assert collapsed.log_likelihoods(theta[None])[0] == pytest.approx(found, abs=ROUNDING)


@pytest.mark.parametrize(("errors", "missing", "changes", "priors"), MODELS)
def test_gradient_is_that_of_finite_differences(errors, missing, changes, priors):
    collapsed = collapsed_of(errors, missing, changes, priors)
    theta = theta_for(collapsed, seed=2)
    gradient = collapsed.log_density(theta)[1]
    step = 1e-5 * np.eye(len(theta))
    known = [(collapsed.log_density(theta + e)[0] - collapsed.log_density(theta - e)[0]) / 2e-5 for e in step]
    np.testing.assert_allclose(gradient, known, rtol=DIFFERENCES, atol=DIFFERENCES * np.abs(gradient).max())


@pytest.mark.parametrize("errors", ["factor", "ar1+factor", "unit_scale+factor2", "ar1+unit_scale+period_scale+factor"])
def test_slopes_given_theta_are_fixed_effects_gls(errors):
    """With the factors interacted, whatever the variances of effects and loadings."""
    collapsed = collapsed_of(errors, 0.15, {}, "weakly_informative")
    data, theta = collapsed.data, theta_for(collapsed, seed=3)
    values = values_at(collapsed, theta)
    names = [term.variable for term in collapsed.columns for _ in range(term.width)]
    chosen = np.flatnonzero(np.isin(names, ("exposure_slope", "slope_offset", "control_slope")))
    blocks, _ = collapsed.slope_blocks(theta[None], chosen)
    found = np.linalg.solve(blocks[0, :-1, :-1], blocks[0, :-1, -1])
    design = data.design
    unit = dense.indicator(design.unit, len(design.units))
    time = dense.indicator(design.time, len(design.times))
    loaded = [unit * f[design.time][:, None] for f in values["factor"]]
    sloped = set(np.array(names)[chosen])
    x = np.hstack([term.rows(slice(None)) for term in collapsed.columns if term.variable in sloped])
    root = dense.error_root(data, values)
    known = np.linalg.lstsq(root @ np.hstack([x, unit, time, *loaded]), root @ data.outcome, rcond=None)[0]
    np.testing.assert_allclose(found, known[: x.shape[1]], rtol=ROUNDING, atol=ROUNDING)


LOADED = [model for model in MODELS if "factor" in model[0] or model[2].keys() & {"unit_trends", "exposure_factor"}]


@pytest.mark.parametrize(("errors", "missing", "changes", "priors"), [m for m in LOADED if m[3] != "diffuse"])
def test_draws_given_theta_have_the_fitted_values_of_all_coefficients(errors, missing, changes, priors):
    """What is stored, shifts and total loadings included, adds up to the mean: 2,000 draws, 5 standard errors."""
    collapsed = collapsed_of(errors, missing, changes, priors)
    theta = theta_for(collapsed, seed=4)
    draws = collapsed.coefficients(np.tile(theta, (2000, 1)), seed=1, with_units=True)
    fitted = fitted_values(draws, collapsed.data)
    known = dense.fitted_mean(collapsed.data, load_priors(priors), values_at(collapsed, theta))
    error = fitted.std(axis=0) / np.sqrt(len(fitted))
    assert (np.abs(fitted.mean(axis=0) - known) < 5 * error + ROUNDING).all()
    if "factor" in errors:
        assert {"factor", "loading", "unit_shift", "time_shift"} <= set(draws)


@pytest.mark.parametrize(
    ("errors", "missing", "n_units", "n_rows"),
    [("ar1+factor", 0.0, 200, 48), ("ar1+unit_scale+factor", 0.1, 19, 32), ("factor", 0.3, 19, 32)],
)
def test_rows_of_outer_products_and_rows_of_nothing_change_nothing(errors, missing, n_units, n_rows):
    """Many units of one pattern: as many rows as their data have dimensions, the same density and gradient.

    Rows come in lanes, filled up with rows of nothing: where each unit is a block with blocks of no unit.
    """
    collapsed = collapsed_of(errors, missing, {}, "weakly_informative", n_units=n_units)
    theta = theta_for(collapsed)
    value, gradient = collapsed.log_density(theta)
    assert len(collapsed.rows.weight) == n_rows
    assert len(collapsed.every_row.weight) == n_units
    object.__setattr__(collapsed, "packed", collapsed.packed_units)
    again, same = collapsed.log_density(theta)
    assert value == pytest.approx(again, abs=1e-6)
    np.testing.assert_allclose(gradient, same, rtol=1e-6, atol=1e-6 * np.abs(same).max())


@pytest.mark.parametrize(
    ("errors", "n_periods", "message"),
    [
        ("factor", 5, "in a panel of 5 periods"),
        ("factor2", 8, "carries 1 common factor"),
        ("ar1+factor", 3, "at least 6"),
    ],
)
def test_short_panels_carry_few_factors(errors, n_periods, message):
    with pytest.raises(DesignError, match=message):
        collapsed_of(errors, 0.0, {}, "weakly_informative", n_periods=n_periods)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors": "factor", "time_effects": "none"}, "without period effects"),
        ({"errors": "factor", "correlated_means": False}, "correlated_means = false"),
        ({"errors": "factor", "slopes": "unit"}, "does not combine with slopes of units"),
        ({"unit_trends": "partial", "group_time_effects": "group"}, "does not combine with period effects of groups"),
        ({"exposure_factor": "partial", "errors": "student_t"}, "does not combine with Student-t errors"),
    ],
)
def test_what_loadings_do_not_go_with(changes, message):
    with pytest.raises(SpecError, match=message):
        collapsed_of("iid", 0.0, changes, "weakly_informative")


def test_signs_and_order_of_factors_are_aligned():
    random = np.random.default_rng(1)
    truth = factors_from(random.standard_normal((1, 16)), 9)
    draws = factors_from(random.standard_normal((200, 16)) * 0.01, 9) * 0.01 + truth
    loading = random.standard_normal((200, 2, 5))
    common = np.einsum("skn,skt->snt", loading, draws)
    signs = random.choice([-1.0, 1.0], (200, 2, 1))
    order = random.permuted(np.tile([0, 1], (200, 1)), axis=1)[:, :, None]
    mixed = {
        "factor": np.take_along_axis(draws * signs, order, axis=1),
        "loading": np.take_along_axis(loading * signs, order, axis=1),
        "loading_sd": np.ones((200, 2)),
    }
    out = aligned(mixed)
    np.testing.assert_allclose(np.einsum("skn,skt->snt", out["loading"], out["factor"]), common, atol=1e-12)
    assert out["factor"].std(axis=0).max() < 0.1


def test_the_cache_s_key_holds_every_compiled_file():
    """Only entry points are cached, so a change of any of these files must change their key."""
    compiled = (loading_kernel, loading_forms, loading_gradient, loading_density, loading_draws)
    modules = (kernel, packed, *compiled)
    assert {module.__name__.rsplit(".", 1)[1] + ".py" for module in modules} == set(loading_draws.SOURCES)
    assert loading_draws.entries() is loading_draws.entries()


def test_every_unit_has_a_row_of_its_own_for_draws():
    collapsed = collapsed_of("factor", 0.2, {}, "weakly_informative")
    assert isinstance(collapsed, posterior.Collapsed)
    known = np.ones((9, 1))
    few, whole, unit = loading_data(collapsed.data, collapsed.columns, (1,), False, known)
    assert sorted(unit) == list(range(12))
    assert len(whole.weight) == 12
    assert few.units.sum() == whole.units.sum() == 12


@pytest.mark.parametrize("errors", ["ar1+unit_scale+factor", "factor2"])
def test_what_is_judged_does_not_know_signs_and_order(errors):
    """Draws that jump between the signs of a factor, and its order, are as converged as those that do not."""
    collapsed = collapsed_of(errors, 0.0, {}, "weakly_informative")
    layout, width = collapsed.loading_layout, 9 - 1
    thetas = np.random.default_rng(3).standard_normal((2, 40, collapsed.size))
    turned = thetas.copy()
    turned[:, ::3, layout.factors : layout.factors + width] *= -1
    if layout.n_factors == 2:
        sds = [j for j, element in enumerate(collapsed.elements) if element.variable == "loading_sd"]
        first, second = (range(layout.factors + k * width, layout.factors + (k + 1) * width) for k in range(2))
        here, there = [sds[0], *first, sds[1], *second], [sds[1], *second, sds[0], *first]
        turned[1, :, here] = turned[1, :, there]
    found, other = collapsed.judged(thetas), collapsed.judged(turned)
    assert found["theta"].shape[2] == collapsed.size - layout.n_factors * (width + 1)
    for name, values in found.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-12)
    assert not np.allclose(thetas, turned)


def test_points_where_rounding_leaves_no_density_are_no_error():
    """Importance weights meet them in the tails of diffuse priors: they have no density, and the others theirs."""
    collapsed = collapsed_of("period_scale", 0.0, FLAT, "diffuse")
    good = theta_for(collapsed)
    bad = np.array(
        [12.0 if e.variable == "period_scale_sd" else at for e, at in zip(collapsed.elements, good, strict=True)]
    )
    bad *= [1.0 if e.variable != "period_scale_raw" else 12.0 for e in collapsed.elements]
    thetas = np.array([good, bad])
    density, means = collapsed.evaluate(thetas)
    assert density[0] == pytest.approx(collapsed.log_density(good)[0], abs=ROUNDING)
    assert np.isfinite(means[0]).all()
    assert not np.isfinite(density[1])
    assert collapsed.log_density(bad)[0] == -np.inf
    assert np.isnan(collapsed.slope_blocks(thetas, np.array([0]))[1]).tolist() == [False, True]
