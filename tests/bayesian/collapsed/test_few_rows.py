"""Many units with slopes of their own: few rows in their place, and moments of their effects, change no number.

The moments are of `pair_summaries`.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import products as products_module
from bayes_npp.bayesian.collapsed import unit_summaries
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.few_rows import few_rows, gauss_rule
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate

PRIORS = load_priors("weakly_informative")
ROUNDING = 1e-9  # of a log density of thousands, of sums that agree to 1e-11 of their largest term


def collapsed_of(n_units, missing=0.0, **options):
    frame = simulate(n_units=n_units, n_periods=6, seed=2, unit_slope_sd=0.2, missing=missing).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="unit", **options)
    return collapse(prepare(build_design(panel, spec)), PRIORS)


@pytest.fixture(scope="module", params=[0.0, 0.2], ids=["balanced", "gaps"])
def pair(request):
    """A posterior, and the same with a row a unit. The column with slopes has nothing of units, with gaps too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products_module, "few_rows", lambda cross, gram: None)
        whole = collapsed_of(1000, request.param)
    return collapsed_of(1000, request.param), whole


def test_a_rule_has_the_sums_it_says():
    """Exactly those of 1, x, and of 1 / (x + s) with its square at the poles; nearly those of s between them."""
    random = np.random.default_rng(1)
    at, poles = random.chisquare(3, 800), np.array([0.05, 1.0, 20.0])
    vectors = random.standard_normal((800, 4)) * np.sqrt(at)[:, None]
    nodes, values = gauss_rule(at, vectors, poles)
    assert len(nodes) == 4 * (1 + len(poles))
    assert nodes.min() > 0
    exact = [lambda x: 1.0 + 0 * x, lambda x: x, lambda x: 1 / (x + 1.0), lambda x: (x + 20.0) ** -2.0]
    for f in exact:
        expected = vectors.T @ (f(at)[:, None] * vectors)
        np.testing.assert_allclose(
            values.T @ (f(nodes)[:, None] * values), expected, atol=1e-11 * np.abs(expected).max()
        )


@pytest.mark.parametrize("away", [0.0, 3.0, 8.0])
def test_few_rows_change_no_density(away, pair):
    """At the centre of the priors and far from it: SDs of e^-8 of their priors' units, and of nine of them."""
    random, (large, whole) = np.random.default_rng(3), pair
    assert len(large.products.unit_cross) < len(whole.products.unit_cross) / 2
    assert large.products.unit_count.sum() == pytest.approx(2 * len(whole.products.unit_count), rel=1e-10)
    for _ in range(4):
        theta = random.uniform(-away, away, large.size)
        (value, slope), (expected, its_slope) = large.log_density(theta), whole.log_density(theta)
        assert value == pytest.approx(expected, rel=ROUNDING)
        np.testing.assert_allclose(slope, its_slope, rtol=1e-6, atol=1e-9 * abs(expected))
    thetas = random.uniform(-1, 1, (5, large.size))
    ours, theirs = (one.coefficients(thetas, 4, with_units=False) for one in (large, whole))
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-6, atol=1e-8)


def test_where_effects_meet_there_are_no_few_rows():
    """Effects that correlate, effects without a scale, columns that are not orthogonal, few units."""
    for options in ({"slope_correlation": True}, {"unit_effects": "fixed"}):
        assert len(collapsed_of(600, **options).products.unit_cross) == 600
    cross, gram = np.ones((600, 1, 2, 3)), np.tile(np.eye(2), (600, 1, 1, 1))
    assert few_rows(cross[:400], gram[:400]) is None
    gram[5, 0, 0, 1] = gram[5, 0, 1, 0] = 0.1
    assert few_rows(cross, gram) is None


def test_a_unit_that_does_not_vary_counts_for_nothing():
    random = np.random.default_rng(4)
    gram = random.chisquare(5, 700)
    gram[:3] = 0.0
    cross = random.standard_normal((700, 1, 1, 4)) * np.sqrt(gram)[:, None, None, None]
    rows, nodes, counts = few_rows(cross, gram[:, None, None, None])
    assert counts.sum() == pytest.approx(697, rel=1e-10)
    expected = np.einsum("ia,ib->ab", cross[:, 0, 0] / (gram + 2.0)[:, None], cross[:, 0, 0])
    found = np.einsum("ra,rb->ab", rows[:, 0, 0] / (nodes[:, 0, 0] + 2.0), rows[:, 0, 0])
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("options", [{}, {"slope_correlation": True, "missing": 0.2}])
def test_moments_are_averages_of_what_is_known_given_each_draw(options):
    """The likelihood at the very draws that come on request; means and SDs from many draws of the effects."""
    collapsed = collapsed_of(130, **options)
    thetas = 0.3 * np.random.default_rng(5).standard_normal((3000, collapsed.size))
    draws = collapsed.coefficients(thetas, 6, with_units=False)
    found = unit_summaries.summarise_units(collapsed, thetas, draws, 7)
    drawn = unit_summaries.from_draws(collapsed, thetas, draws, 7)
    np.testing.assert_allclose(found.log_likelihood, drawn.log_likelihood, rtol=1e-9)
    assert set(found.moments) == set(drawn.moments)
    for name in ("unit_effect", "unit_slope", "slope_of_unit"):
        mean, sd = (found.moments[f"{name}_{moment}"] for moment in ("mean", "sd"))
        its_mean, its_sd = (np.ravel(drawn.moments[f"{name}_{moment}"]) for moment in ("mean", "sd"))
        assert np.abs((mean - its_mean) / its_sd).max() < 5 / np.sqrt(3000)
        np.testing.assert_allclose(sd, its_sd, rtol=5 / np.sqrt(2 * 3000))
