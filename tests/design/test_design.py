"""The identities of the design, on balanced and unbalanced panels: no sampling, closed forms only.

A `spec` that makes no sense is refused in the tests of the models that read it.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.model.terms import model_data
from bayes_npp.design.design import build_design, twfe_weights
from bayes_npp.design.projection import contrast_basis, part_basis, two_way_parts
from bayes_npp.frequentist.least_squares.static import linear_fit, replace_slopes


def posterior_mode_of_slopes(data, unit_sd, time_sd, error_sd, between_sd=1.0):
    """Slopes by generalised least squares with unit and period effects integrated out: flat priors on slopes."""
    design = data.design
    columns = np.column_stack([data.slope_columns, data.control_columns, np.ones(design.n_obs)])
    covariance = error_sd**2 * np.eye(design.n_obs)
    for effect, sd in ((data.unit, unit_sd), (data.time, time_sd)):
        variance = effect.basis * (between_sd**2 * effect.size * effect.has_part + sd**2) @ effect.basis.T
        covariance += variance[np.ix_(effect.index, effect.index)]
    weight = np.linalg.inv(covariance)
    return np.linalg.solve(columns.T @ weight @ columns, columns.T @ weight @ data.outcome)[:-1]


@pytest.mark.parametrize("scales", [(1.0, 0.3, 0.5), (0.05, 2.0, 1.0), (10.0, 0.01, 0.2)])
@pytest.mark.parametrize("slopes", ["group", None])
def test_slopes_equal_twfe_for_any_effect_variances(simulated, grouped_spec, scales, slopes):
    design = build_design(simulated, replace_slopes(grouped_spec, slopes))
    data = model_data(design)
    expected = linear_fit(design, "two-way", "clustered", "stata").coefficients
    n_slopes = data.slope_columns.shape[1]
    factor = design.scales.outcome_sd / np.concatenate(
        [np.repeat(design.scales.of("exposure"), n_slopes), design.scales.of("control_1", "control_2")]
    )
    ours = posterior_mode_of_slopes(data, *scales) * factor
    np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-9)


def test_random_effects_without_means_are_not_twfe(simulated, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None, "correlated_means": False})
    design = build_design(simulated, spec)
    ours = posterior_mode_of_slopes(model_data(design), 1.0, 0.3, 0.5)[0]
    ours *= design.scales.outcome_sd / design.scales.divisors["exposure"]
    expected = linear_fit(design, "two-way", "clustered", "stata").coefficients[0]
    assert abs(ours - expected) > 0.005


def test_weights_reproduce_twfe(simulated, grouped_spec):
    design = build_design(simulated, grouped_spec)
    weights = twfe_weights(design)
    slopes = linear_fit(design, "two-way", "clustered", "stata").coefficients[:3]
    plain = linear_fit(build_design(simulated, replace_slopes(grouped_spec, None)), "two-way", "clustered", "stata")
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights @ slopes == pytest.approx(plain.coefficients[0], rel=1e-10)


def test_effect_basis_is_orthonormal_and_spans_the_parts():
    random = np.random.default_rng(0)
    parts = random.standard_normal((12, 3))
    parts = np.column_stack([parts, parts.sum(axis=1)])
    leading = part_basis(parts)
    basis, rank = contrast_basis(leading), leading.shape[1]
    assert (basis.shape, rank) == ((12, 11), 3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(11), atol=1e-12)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-12)
    centred = parts - parts.mean(axis=0)
    np.testing.assert_allclose(basis[:, :rank] @ (basis[:, :rank].T @ centred), centred, atol=1e-12)


def test_saturated_period_effects_are_said_and_leave_slopes_alone(simulated, grouped_spec):
    keep = simulated.frame["time"].to_numpy() <= 4
    design = build_design(simulated, grouped_spec, where=keep)
    data = model_data(design)
    assert (data.time.saturated, data.time.rank) == (True, 0)
    assert not data.unit.saturated
    expected = linear_fit(design, "two-way", "clustered", "stata").coefficients[:3]
    factor = design.scales.outcome_sd / design.scales.divisors["exposure"]
    np.testing.assert_allclose(posterior_mode_of_slopes(data, 1.0, 0.3, 0.5)[:3] * factor, expected, rtol=1e-7)


def test_parts_of_a_large_panel_match_dense_projection():
    random = np.random.default_rng(1)
    unit, time = np.repeat(np.arange(60), 8), np.tile(np.arange(8), 60)
    keep = random.random(480) > 0.3
    unit, time = unit[keep], time[keep]
    column = random.standard_normal((keep.sum(), 2))
    parts = two_way_parts(column, unit, time)
    dummies = np.column_stack([unit[:, None] == np.arange(60), time[:, None] == np.arange(8)]).astype(float)
    expected = column - dummies @ np.linalg.lstsq(dummies, column, rcond=None)[0]
    np.testing.assert_allclose(parts.residual, expected, atol=1e-10)
