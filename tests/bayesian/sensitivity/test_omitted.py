"""A posterior beside an omitted confounder: the flat limit, draws moved one by one, a known root.

Tolerances: the flat limit is the t row's normal within the spread of sigma (0.005 of a probability); the same algebra
1e-10.
"""

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.sensitivity.omitted import confounded, table
from bayes_npp.design.omitted import Benchmark, bias_factor
from bayes_npp.errors import SpecError


@pytest.fixture(scope="module")
def fitted(simulated, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None, "unit_effects": "fixed", "time_effects": "fixed"})
    return bn.fit(simulated, spec, priors="weakly_informative", draws=1000, seed=3)


@pytest.fixture(scope="module")
def beside(fitted, simulated):
    one = bn.confounding(simulated, bn.Spec(**{**fitted.spec.model_dump()}))
    return confounded(fitted, np.ones(1), 0.0, 1.0, one.df), one


def test_without_a_confounder_the_probability_is_the_fit_s_own(fitted, beside):
    assert beside[0].probability(0.0, 0.0) == pytest.approx(fitted.probability(np.ones(1)), abs=1e-12)


def test_the_bias_is_that_of_least_squares_where_priors_are_wide(beside):
    """SE sqrt(df) of a draw is sigma over the length of what is left of the exposure: on average the classical one."""
    found, one = beside
    assert np.average(found.errors, weights=found.slopes.weights) == pytest.approx(one.se * np.sqrt(one.df), rel=0.03)
    r2 = (0.2, 0.3)
    adjusted = one.adjusted(*r2)[0]
    expected = stats.norm.cdf(adjusted / one.se)
    assert found.probability(*r2) == pytest.approx(expected, abs=0.02)


def test_every_draw_is_moved_by_its_own_bias(beside):
    found, _ = beside
    mean, sd = found.slopes.mean[:, 0], np.sqrt(found.slopes.covariance[:, 0, 0])
    moved = mean - float(bias_factor(0.1, 0.2)) * found.errors
    assert found.probability(0.1, 0.2) == pytest.approx(found.slopes.weights @ stats.norm.cdf(moved / sd), abs=1e-12)
    assert found.probability(0.1, 0.2, -1.0) > found.probability(0.0, 0.0) > found.probability(0.1, 0.2)


def test_the_multiple_at_which_it_falls_is_a_root(beside):
    found, one = beside
    benchmark = Benchmark("control", 0.05, 0.05)
    start = found.probability(0.0, 0.0)
    threshold = start - 0.05
    k = found.falls_to(benchmark, threshold)
    assert found.beside(benchmark, k) == pytest.approx(threshold, abs=1e-4)
    assert found.falls_to(benchmark, min(start + 0.01, 1.0)) == 0.0
    assert found.falls_to(Benchmark("nothing", 0.0, 0.0), threshold) == np.inf
    assert np.isnan(found.beside(Benchmark("strong", 0.6, 0.1), 1.0))
    rows = table(found, one.benchmarks, (1.0, 2.0))
    assert list(rows.columns) == ["benchmark", "k", "probability"]
    assert len(rows) == 2 * len(one.benchmarks)


def test_a_prior_on_the_strength_draws_the_probability_towards_a_half(beside):
    found, _ = beside
    weak, strong = Benchmark("weak", 0.001, 0.001), Benchmark("strong", 0.2, 0.3)
    start = found.probability(0.0, 0.0)
    assert found.under_prior(weak) == pytest.approx(start, abs=0.01)
    assert abs(found.under_prior(strong, 2.0) - 0.5) < abs(start - 0.5)


def test_a_fit_whose_slopes_are_not_normal_is_refused(simulated, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": "unit"})
    other = bn.fit(simulated, spec, draws=300, chains=2, seed=1)
    with pytest.raises(SpecError, match="not normal given its scales and shapes"):
        confounded(other, np.ones(1), 0.0, 1.0, 100)


@pytest.mark.parametrize("pooling", ["sum_to_zero", "exchangeable"])
def test_a_difference_is_that_of_least_squares_however_slopes_are_pooled(pooling, unbalanced, grouped_spec):
    """An average and exchangeable deviations are one slope more than the data tell apart: their precision is singular.

    Before: LinAlgError, or where rounding hid it a standard error that was rounding.
    """
    effects = {"unit_effects": "fixed", "time_effects": "fixed"}
    spec = bn.Spec(**{**grouped_spec.model_dump(), **effects, "slope_pooling": pooling})
    fit = bn.fit(unbalanced, spec, draws=500, seed=3)
    found = confounded(fit, np.array([1.0, -1.0, 0.0]), 0.0, 1.0, 100)
    plain = bn.twfe(unbalanced, grouped_spec, covariance="classical").select(estimand="slope_difference")
    row = plain[plain["group"] == f"{fit.design.groups[0]} - {fit.design.groups[1]}"].iloc[0]
    assert np.average(found.errors, weights=found.slopes.weights) == pytest.approx(row["spread"] * 10, rel=0.03)
