"""What errors that correlate do to the outcome's equation, against the posterior of an outcome changed by hand."""

from dataclasses import replace

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.mediation.correlated_errors import SLOPES, correlated_errors
from bayes_npp.bayesian.model.likelihood import innovations_of
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from tests.bayesian.mediation.panels import GROUPED, TWO, simulated

WHITENED = ["iid", "ar1", "unit_scale", "ar1+unit_scale"]


def fitted(errors, effects="partial", **options):
    frame = simulated(n_units=12, n_periods=8, **TWO, seed=4).frame
    panel = bn.read_panel(frame.drop(index=frame.index[[5, 17, 18, 60]]), unit="unit", time="time", group="group")
    changes = {"errors": errors, "unit_effects": effects, "controls": ("mediator_1",)}
    spec = GROUPED.model_copy(update=changes)
    return bn.fit(panel, spec, engine="collapsed", draws=20, chains=1, tune=60, seed=1, **options)


@pytest.mark.parametrize("errors", [*WHITENED, "period_scale", "factor"])
@pytest.mark.parametrize("effects", ["partial", "fixed"])
def test_a_changed_outcome_has_the_posterior_that_is_computed_for_it(errors, effects):
    """Means of coefficients and log likelihood of y - u, at the same scales and shapes."""
    fit = fitted(errors, effects)
    thetas = fit.thetas[:3]
    u = 0.3 * np.random.default_rng(2).standard_normal((3, fit.design.n_obs, 2))
    coefficients, kept, products, squares = HeldOut(fit.collapsed, fit.priors).regressed(thetas, u)
    assert not kept.size
    own = fit.collapsed.coefficients(thetas, 7, with_units=False)
    for j in range(2):
        for draw in range(3):
            data = replace(fit.data, outcome=fit.data.outcome - u[draw, :, j])
            there = collapse(data, fit.priors).coefficients(thetas, 7, with_units=False)
            moved = own["collapsed_coefficients"][draw] - there["collapsed_coefficients"][draw]
            np.testing.assert_allclose(coefficients[draw, :, j], moved, rtol=1e-6, atol=1e-7)
            gained = there["collapsed_log_likelihood"][draw] - own["collapsed_log_likelihood"][draw]
            assert products[draw, j] - 0.5 * squares[draw, j, j] == pytest.approx(gained, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("errors", WHITENED)
def test_what_effects_explain_is_taken_by_least_squares(errors):
    """Whitened rows on every column and dummies of units, by a dense solver: slopes stay, the rest goes."""
    fit = fitted(errors)
    thetas, n_obs = fit.thetas[:3], fit.design.n_obs
    u = np.random.default_rng(2).standard_normal((3, n_obs, 1))
    terms = fit.collapsed.columns
    columns = np.column_stack([term.rows(slice(None)) for term in terms])
    columns = np.column_stack([columns, np.eye(len(fit.design.units))[fit.design.unit]])
    slope = np.repeat([term.variable in SLOPES for term in terms], [term.width for term in terms])
    effects = np.flatnonzero(~np.append(slope, np.zeros(len(fit.design.units), dtype=bool)))
    held, left = HeldOut(fit.collapsed, fit.priors), np.empty_like(u)
    for draw in range(3):
        scales = {name: values[[draw]] for name, values in fit.parameters(len(fit.thetas)).items()}
        own, sd = innovations_of(np.vstack([columns.T, u[draw].T]), scales, fit.data)
        white = (own / sd).T
        means = np.linalg.lstsq(white[:, :-1], white[:, -1], rcond=1e-10)[0]
        left[draw, :, 0] = u[draw, :, 0] - columns[:, effects] @ means[effects]
    for found, expected in zip(held.regressed(thetas, u, SLOPES), held.regressed(thetas, left), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_slopes_whose_priors_are_not_normal_move_too():
    """A Student-t prior that says next to nothing, in theta, beside a flat one, integrated out."""
    moves = {}
    for name, stated in {
        "theta": PriorSpec(family="student_t", mu=0.0, sigma=50.0, nu=4.0, reason="a test"),
        "integrated": PriorSpec(family="normal", mu=0.0, sigma=50.0, reason="a test"),
    }.items():
        priors = load_priors("weakly_informative").replaced(exposure=stated)
        panel = simulated(n_units=12, n_periods=6, seed=4)
        found = bn.mediate(panel, bn.Spec(outcome="outcome", exposure="exposure"), ["mediator_1"], priors, seed=1)
        fits = [found.equations[one] for one in ("mediator_1", "outcome")]
        own = correlated_errors(fits[:1], fits[1], 400)
        assert [slope for slope, _ in own.stated] == (["exposure_slope"] if name == "theta" else [])
        moves[name] = own.moves["exposure_slope"][:, 0]
    se = moves["theta"].std() / np.sqrt(100)
    assert moves["theta"].mean() == pytest.approx(moves["integrated"].mean(), abs=4 * np.sqrt(2) * se)
