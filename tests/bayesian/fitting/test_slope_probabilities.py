"""Probabilities about slopes: the mean of normal tails is what exact draws of the slopes come to, far out as well."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting.slope_probabilities import normal_slopes
from bayes_npp.errors import SpecError
from bayes_npp.estimates import drawn_share, summarise

DRAWS = 400  # of the slopes given each theta


@pytest.fixture(
    scope="module",
    params=["sum_to_zero", "exchangeable", "one slope", pytest.param("factor", marks=pytest.mark.slow(minutes=1))],
)
def fit(request, simulated, grouped_spec):
    changes = {"one slope": {"slopes": None}, "factor": {"errors": "factor"}}.get(
        request.param, {"slope_pooling": request.param}
    )
    spec = bn.Spec(**{**grouped_spec.model_dump(), **changes})
    return bn.fit(simulated, spec, draws=500, chains=2, seed=3)


def test_moments_and_tails_are_those_of_exact_draws(fit):
    """Slopes drawn many times given each of a few thetas, by the sampler's own exact draws."""
    thetas = fit.thetas[:: len(fit.thetas) // 20]
    found = normal_slopes(fit.collapsed, fit.priors, thetas)
    draws = fit.collapsed.coefficients(np.repeat(thetas, DRAWS, axis=0), 1, with_units=False)
    offsets = draws.get("slope_offset", 0.0)
    scales = fit.design.scales
    unit = scales.outcome_sd / scales.divisors[fit.spec.exposure]
    slopes = (unit * (draws["exposure_slope"][:, None] + offsets)).reshape(len(thetas), DRAWS, -1)
    sd = np.sqrt(np.einsum("sgg->sg", found.covariance))
    # Monte Carlo: a mean has sd / sqrt(DRAWS), 4.5 of them; an SD has 1 / sqrt(2 DRAWS) of itself.
    assert (np.abs(slopes.mean(axis=1) - found.mean) < 4.5 * sd / np.sqrt(DRAWS)).all()
    assert (np.abs(slopes.std(axis=1, ddof=1) / sd - 1) < 4.5 / np.sqrt(2 * DRAWS)).all()
    weights = np.linspace(1, 2, slopes.shape[2])
    cutoff = float(np.quantile(slopes @ weights, 0.8))
    share = (slopes @ weights > cutoff).mean()
    assert found.probability(weights, cutoff) == pytest.approx(share, abs=4.5 * np.sqrt(0.16 / slopes[..., 0].size))
    assert found.probability(weights, cutoff, -1) == pytest.approx(1 - found.probability(weights, cutoff), abs=1e-12)


def test_the_fit_says_what_its_draws_say_with_less_noise(fit):
    weights = np.ones(fit.slopes.shape[1]) / fit.slopes.shape[1]
    draws = fit.slopes @ weights
    for level in (0.1, 0.5, 0.9):
        cutoff = float(np.quantile(draws, level))
        assert fit.probability(weights, cutoff) == pytest.approx(1 - level, abs=0.06)
    assert 0 < fit.probability(weights, draws.max() + draws.std()) < 1 / len(draws)
    assert 0 < fit.probability(weights, 1e9) < fit.probability(weights, -1e9) < 1


def test_a_proposition_is_asked_by_its_text(fit):
    size = fit.slopes.shape[1]
    mean, text = np.ones(size) / size, "mean_group_slope < 0.1"
    assert fit.probability(text) == fit.probability(mean, 0.1, -1)
    assert fit.monte_carlo_error(text) == fit.monte_carlo_error(mean, 0.1, -1)


@pytest.mark.parametrize(
    "asked", ["text", "slope[Nowhere] > 0", "indirect[m] > 0", None, 3, ["a"], np.ones(9), [np.nan]]
)
def test_what_is_no_proposition_and_no_weights_is_one_error_that_says_how_to_mend_it(fit, asked):
    for method in (fit.probability, fit.monte_carlo_error):
        with pytest.raises(SpecError) as caught:
            method(asked)
        assert caught.value.place == "the probability asked for"
        assert caught.value.fix


def test_estimates_hold_the_same_probability(fit):
    frame = fit.estimates().frame
    row = frame[frame["estimand"] == "average_slope_twfe_weighted"].iloc[0]
    share = drawn_share(fit.slopes @ np.full(fit.slopes.shape[1], 1 / fit.slopes.shape[1]) > 0)
    assert row["prob_positive"] == pytest.approx(share, abs=0.06)
    assert frame["prob_positive"].dropna().between(0, 1, inclusive="neither").all()


def test_a_share_of_draws_is_never_zero_or_one():
    assert drawn_share(np.ones(999) > 0) == pytest.approx(999.5 / 1000)
    assert drawn_share(np.zeros((2, 9)) > 0, axis=1).tolist() == [0.05, 0.05]
    assert drawn_share(np.array(1.0), effective=99.0) == pytest.approx(99.5 / 100)
    assert summarise(np.ones(9))["prob_positive"] == pytest.approx(0.95)


def test_models_whose_slopes_are_not_normal_take_draws(simulated, grouped_spec):
    fit = bn.fit(simulated, bn.Spec(**{**grouped_spec.model_dump(), "slopes": "unit"}), draws=100, chains=2, seed=3)
    assert fit.normal_slopes is None
