"""Many priors on one model, the Bayes factor of equal slopes, calibration, the rule that picks the errors."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.bayesian.fitting.refit import SHORT, refit, sample_until_passed, workers
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.calibration import RANKED_DRAWS, Calibration, calibrate
from bayes_npp.design.design import build_design
from tests.bands import miscalibrated


@pytest.fixture(scope="module")
def fit(unbalanced, grouped_spec):
    return bn.fit(unbalanced, grouped_spec, seed=4)


def half_normal(sigma):
    return PriorSpec(family="half_normal", sigma=sigma, reason="a point of the grid")


def normal(sigma):
    return PriorSpec(family="normal", mu=0.0, sigma=sigma, reason="a point of the grid")


def test_refits_equal_fits(fit, unbalanced, grouped_spec):
    base = load_priors("weakly_informative")
    student = PriorSpec(family="student_t", nu=4.0, mu=0.0, sigma=1.0, reason="moves the slope into theta")
    sets = [base.replaced(slope_sd=half_normal(width), exposure=normal(0.3)) for width in (0.05, 0.3, 0.5, 0.6, 2.0)]
    sets += [
        base.replaced(exposure=student),
        base.replaced(error_sd=PriorSpec(family="exponential", scale=1.0, reason="x")),
    ]
    found = refit(fit.collapsed, sets)
    assert [one.priors for one in found] == sets
    again = refit(fit.collapsed, sets)
    assert all(np.array_equal(a.slopes, b.slopes) for a, b in zip(found, again, strict=True))
    for one, priors in zip(found, sets, strict=True):
        assert one.diagnostics.passed, one.diagnostics.verdict
        whole = bn.fit(unbalanced, grouped_spec, priors=priors, seed=9)
        for g in range(3):
            theirs = whole.tree["posterior"]["group_slope"].to_numpy()[..., g]
            error = float(array_stats.mcse(theirs, chain_axis=0, draw_axis=1, method="mean"))
            ours = one.slopes[:, g]
            # At least 400 effective draws of a refit.
            assert abs(ours.mean() - theirs.mean()) < 4 * np.hypot(error, ours.std() / np.sqrt(400))
            assert ours.std() == pytest.approx(theirs.std(), rel=4 / np.sqrt(2 * 400))


def test_bayes_factor_equals_the_ratio_of_marginal_likelihoods(fit):
    """Both marginal likelihoods by importance sampling from a t distribution, without the Savage-Dickey ratio."""
    collapsed = fit.collapsed
    at = [element.variable for element in collapsed.elements].index("slope_sd")
    random = np.random.default_rng(2)

    def log_marginal(thetas, density):
        proposal = stats.multivariate_t(thetas.mean(axis=0), 1.3 * np.cov(thetas.T), df=5, seed=random)
        points = proposal.rvs(6000)
        log_weights = np.array([density(point) for point in points]) - proposal.logpdf(points)
        top = log_weights.max()
        weights = np.exp(log_weights - top)
        return top + np.log(weights.mean()), weights.std() / weights.mean() / np.sqrt(len(weights))

    unequal, first = log_marginal(fit.thetas, lambda theta: collapsed.log_density(theta)[0])
    unit = collapsed.priors.upper[at]
    zero = -40.0
    own = float(fit.priors["slope_sd"].log_density(np.array(0.0))) + np.log(unit) + zero  # prior and Jacobian of the SD

    def equal_density(rest):
        return collapsed.log_density(np.insert(rest, at, zero))[0] - own

    # Chains with the SD near zero give a proposal for the other elements.
    narrow = fit.priors.replaced(slope_sd=half_normal(1e-3))
    alike = refit(collapsed, [narrow])[0]
    moved = np.column_stack([alike.draws[e.variable] for e in collapsed.elements if e.variable != "slope_sd"])
    units = np.delete(collapsed.priors.upper, at)
    thetas = np.log(np.expm1(moved / units))
    equal, second = log_marginal(thetas, equal_density)
    found = homogeneity(fit)
    # Three Monte Carlo errors, on the log scale.
    assert abs(np.log(found.factor) - (equal - unequal)) < 4 * np.sqrt(found.mcse**2 + first**2 + second**2)
    assert found.by_scale[2] == (1.0, pytest.approx(found.factor))
    assert found.reading == "slopes differ"


def test_a_fit_of_the_full_model_has_its_factor_from_a_run_beside_it(fit):
    own, beside = homogeneity(fit), homogeneity(replace(fit, engine="nuts"))
    assert np.log(beside.factor) == pytest.approx(np.log(own.factor), abs=4 * np.hypot(own.mcse, beside.mcse))
    assert beside.factor != own.factor


def test_prior_scale_of_the_bayes_factor_needs_no_other_fit(fit, unbalanced, grouped_spec):
    wide = fit.priors.replaced(slope_sd=half_normal(1.0))
    direct = homogeneity(bn.fit(unbalanced, grouped_spec, priors=wide, seed=8))
    ours = dict(homogeneity(fit).by_scale)[2.0]
    assert np.log(ours) == pytest.approx(np.log(direct.factor), abs=4 * np.hypot(direct.mcse, homogeneity(fit).mcse))


def test_equal_slopes_are_called_alike():
    frame = bn.simulate(60, 8, {"a": 0.3, "b": 0.3, "c": 0.3}, error_sd=0.3, seed=12).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    found = homogeneity(bn.fit(panel, spec, seed=1))
    assert found.factor > 3
    with pytest.raises(bn.BayesNppError, match="one slope"):
        homogeneity(bn.fit(panel, bn.Spec(outcome="outcome", exposure="exposure"), seed=1))


@pytest.mark.slow(minutes=1)
def test_calibration_finds_what_is_wrong(unbalanced, grouped_spec):
    data, priors = prepare(build_design(unbalanced, grouped_spec)), load_priors("weakly_informative")
    found = calibrate(data, priors, replications=60, seed=3)
    assert found.failed == 0
    assert all(found.bands().values())
    assert {"log likelihood", "slope[north]", "slope_sd", "control_slope[1]"} <= set(found.ranks)
    biased = Calibration({name: np.minimum(r + 60, RANKED_DRAWS) for name, r in found.ranks.items()}, 0)
    assert not any(biased.bands().values())


@pytest.mark.slow(minutes=4)
@pytest.mark.parametrize(
    ("errors", "worlds", "first"), [("ar1", 200, 3), ("ar1+unit_scale", 100, 3), ("ar1+unit_scale", 100, 1003)]
)
def test_calibration_of_other_errors(errors, worlds, first, unbalanced, grouped_spec, seed):
    """Two hundred worlds each; those with a scale for each unit in two tests, since one takes ten minutes at most."""
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": errors})
    data = prepare(build_design(unbalanced, spec))
    found = calibrate(data, load_priors("weakly_informative"), worlds, seed=seed + first)
    assert miscalibrated(found.ranks, RANKED_DRAWS) == {}


def test_a_model_without_scales_is_refitted_exactly():
    """Known errors and flat effects leave nothing to sample: draws of the coefficients alone."""
    frame = pd.DataFrame([(u, t) for u in "abcdef" for t in range(5)], columns=["unit", "time"])
    rng = np.random.default_rng(5)
    frame["x"], frame["se"] = rng.standard_normal(30), 0.5
    frame["y"] = 2 * frame["x"] + 0.5 * rng.standard_normal(30)
    fixed = {"unit_effects": "fixed", "time_effects": "fixed", "errors": "known", "se": "se"}
    known = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="y", exposure="x", **fixed)
    priors = load_priors("diffuse")
    collapsed = collapse(prepare(build_design(known, spec)), priors)
    assert collapsed.size == 0
    found = sample_until_passed(collapsed, priors, SHORT, keep=400)
    twfe = bn.twfe(known, spec.model_copy(update={"errors": "iid", "se": None})).frame["estimate"].iloc[0]
    assert found.draws["slope"].mean() == pytest.approx(twfe, abs=0.05)


def test_threads_do_not_lift_each_others_filters_of_warnings():
    """scipy's BFGS silences its line searches for the process, until the first of several threads has ended one."""
    from scipy.optimize import line_search

    def search(_):
        return line_search(lambda x: -x @ x, lambda x: -2 * x, np.ones(1), np.ones(1))[0]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="line search"):
            search(0)
        with workers() as pool:
            assert list(pool.map(search, range(4))) == [search(0)] * 4
        with pytest.raises(RuntimeWarning, match="line search"):
            search(0)
