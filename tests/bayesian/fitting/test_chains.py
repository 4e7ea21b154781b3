"""Chains that start from those of a posterior like theirs."""

import os

import numpy as np
import pytest
from arviz_stats.base import array_stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.packed import framed
from bayes_npp.bayesian.fitting.chains import Neighbour, draw_chains, pinned
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.refit import SHORT, Start, refit, sample_chains
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

PRIORS = load_priors("weakly_informative")
MCSE = 4  # of a mean; chance leaves four of them once in ten thousand


def half_normal(sigma):
    return PriorSpec(family="half_normal", sigma=sigma, reason="a point of the grid")


def collapsed_of(panel, spec, errors):
    return collapse(prepare(build_design(panel, bn.Spec(**{**spec.model_dump(), "errors": errors}))), PRIORS)


@pytest.fixture(scope="module")
def scaled(unbalanced, grouped_spec):
    return collapsed_of(unbalanced, grouped_spec, "unit_scale")


@pytest.mark.parametrize("errors", ["unit_scale", "factor"])
def test_coordinates_of_a_frame_carry_the_density(errors, unbalanced, grouped_spec):
    """What nutpie calls in a frame is the density at theta and its gradient in z."""
    import ctypes

    collapsed = collapsed_of(unbalanced, grouped_spec, errors)
    d, random = collapsed.size, np.random.default_rng(1)
    centre, axes = collapsed.start + 0.1, np.eye(d) + 0.1 * random.standard_normal((d, d))
    packed = framed(collapsed.packed, centre, axes)
    z, gradient, value = 0.1 * random.standard_normal(d), np.empty(d), np.empty(1)
    reals = ctypes.POINTER(ctypes.c_double)
    code = collapsed.callback.ctypes(d, *(a.ctypes.data_as(reals) for a in (z, gradient, value, packed)))
    expected, slope = collapsed.log_density(centre + axes @ z)
    assert code == 0
    assert value[0] + collapsed.constant == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, axes.T @ slope, rtol=1e-9, atol=1e-9)


def test_a_frame_takes_correlations_away_the_more_the_better_they_are_known():
    random = np.random.default_rng(3)
    root = np.array([[1.0, 0.0], [1.9, 0.6]])
    thetas = random.standard_normal((4000, 2)) @ root.T
    known = Neighbour(thetas, 0.4, 0.9, 1e9)
    centre, axes = known.frame()
    z = np.linalg.solve(axes, (thetas - centre).T)
    np.testing.assert_allclose(np.cov(z), np.eye(2), atol=1e-6)
    barely = Neighbour(thetas, 0.4, 0.9, 1e-9).frame()[1]
    np.testing.assert_allclose(barely, np.diag(thetas.std(axis=0, ddof=1)), atol=1e-6)
    assert known.step_for(0.9) == pytest.approx(0.4)
    assert known.step_for(0.8) == pytest.approx(0.4 * 1.263, rel=1e-3)  # the cube root of .2533 / .1257


def test_the_misfit_of_a_frame_is_none_at_its_normal_density_and_grows_with_the_distance():
    from types import SimpleNamespace

    random = np.random.default_rng(4)
    known = Neighbour(3.0 + random.standard_normal((4000, 3)) * [1.0, 10.0, 0.1], 0.4, 0.9, 1e9)
    centre, axes = known.frame()

    def normal(at):
        precision = np.linalg.inv(axes @ axes.T)
        return SimpleNamespace(log_density=lambda theta: (0.0, -precision @ (theta - at)))

    assert known.misfit(normal(centre)) == pytest.approx(0.0, abs=1e-9)
    away = known.misfit(normal(centre + axes @ [5.0, 0.0, 0.0]))
    assert away == pytest.approx(5.0 / np.sqrt(3), rel=1e-6)


def chains_of(thetas, diverging):
    import xarray as xr

    shape, energy = thetas.shape[:2], np.random.default_rng(0).standard_normal(thetas.shape[:2])
    flags = np.zeros(shape, dtype=bool)
    flags[0, :diverging] = True
    values = {"diverging": flags, "energy": energy, "step_size": np.full(shape, 0.3), "n_steps": np.full(shape, 7)}
    return thetas, xr.Dataset({name: (("chain", "draw"), own) for name, own in values.items()})


@pytest.mark.parametrize(
    ("near", "found", "expected"),
    [
        (False, ["good"], ["scratch 0.8"]),
        (False, ["few", "few", "good"], ["scratch 0.8"] * 3),  # three times as many draws would be enough
        (False, ["slow", "good"], ["scratch 0.8", "scratch 0.9"]),  # ten times as many would
        (False, ["slowish", "slow", "good"], ["scratch 0.8", "scratch 0.9", "scratch 0.9"]),  # the longest last
        (False, ["hopeless"], ["scratch 0.8"]),
        (False, ["diverges", "good"], ["scratch 0.8", "near 0.98"]),
        (False, ["diverges", "diverges", "good"], ["scratch 0.8", "near 0.98", "scratch 0.98"]),
        (True, ["good"], ["near 0.8"]),
        (True, ["diverges", "good"], ["near 0.8", "near 0.98"]),
        (True, ["hopeless", "good"], ["near 0.8", "scratch 0.8"]),
    ],
)
def test_what_diverges_is_run_again_with_short_steps(near, found, expected, scaled, monkeypatch):
    """From a neighbour where there is one; what diverges is one; from scratch at last."""
    from bayes_npp.bayesian.fitting import refit as module

    random, left, asked = np.random.default_rng(7), list(found), []

    def drawn(collapsed, sampler, neighbour=None):
        asked.append(f"{'scratch' if neighbour is None else 'near'} {sampler.target_accept}")
        kind = left.pop(0)
        thetas = random.standard_normal((2, 900, scaled.size))
        if moves := {"few": 5, "slowish": 13, "slow": 20, "hopeless": 150}.get(kind):  # a chain stays so long
            thetas = np.repeat(thetas[:, ::moves], moves, axis=1)[:, :900]
        return chains_of(thetas, 3 * (kind == "diverges"))

    monkeypatch.setattr(module, "draw_chains", drawn)
    monkeypatch.setattr(module, "TOO_FAR", np.inf)
    start = Start(scaled, Neighbour(random.standard_normal((100, scaled.size)), 0.3, 0.8, 400.0)) if near else None
    run = sample_chains(scaled, SHORT, start)
    assert asked == expected
    assert run.diagnostics.passed == (found[-1] != "hopeless")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["good"], ["scratch 0.8"]),
        (["slow", "good"], ["scratch 0.8", "scratch 0.95"]),
        (["very slow", "good"], ["scratch 0.8", "scratch 0.95"]),
        (["slow", "very slow", "good"], ["scratch 0.8", "scratch 0.95", "scratch 0.95"]),
        (["slow", "very slow", "diverges", "good"], ["scratch 0.8", "scratch 0.95", "scratch 0.95", "scratch 0.98"]),
        (["slow", "hopeless"], ["scratch 0.8", "scratch 0.95"]),
        (["diverges", "good"], ["scratch 0.8", "scratch 0.95"]),
        (["diverges", "very slow", "good"], ["scratch 0.8", "scratch 0.95", "scratch 0.95"]),
        (["diverges", "diverges", "good"], ["scratch 0.8", "scratch 0.95", "scratch 0.98"]),
    ],
)
def test_where_units_pin_factors_down_every_run_starts_from_scratch(
    found, expected, unbalanced, grouped_spec, monkeypatch
):
    from bayes_npp.bayesian.fitting import refit as module

    collapsed = collapsed_of(unbalanced, grouped_spec, "unit_scale+factor")
    random, left, asked = np.random.default_rng(7), list(found), []

    def drawn(collapsed, sampler, neighbour=None):
        asked.append(f"{'scratch' if neighbour is None else 'near'} {sampler.target_accept}")
        kind = left.pop(0)
        thetas = random.standard_normal((2, 3000, collapsed.size))
        if moves := {"slow": 40, "very slow": 100, "hopeless": 500}.get(kind):  # a chain stays so long
            thetas = np.repeat(thetas[:, ::moves], moves, axis=1)[:, :3000]
        return chains_of(thetas, 3 * (kind == "diverges"))

    monkeypatch.setattr(module, "draw_chains", drawn)
    start = Start(collapsed, Neighbour(random.standard_normal((100, collapsed.size)), 0.3, 0.8, 400.0))
    run = sample_chains(collapsed, SHORT, start)
    assert asked == expected
    assert run.diagnostics.passed == (found[-1] != "hopeless")
    assert pinned(collapsed)
    assert not any(pinned(collapsed_of(unbalanced, grouped_spec, errors)) for errors in ("unit_scale", "factor"))


def test_a_neighbour_that_is_far_off_is_not_used(scaled):
    spread = 1e-3 * np.random.default_rng(1).standard_normal((200, scaled.size))
    start = Start(scaled, Neighbour(spread + 3.0, 1e-3, 0.8, 400.0))
    run = sample_chains(scaled, SHORT, start)
    assert run.diagnostics.passed
    assert run.step > 0.1  # of chains from scratch, in a frame of their own


def test_a_neighbour_saves_the_warm_up_and_not_the_agreement(scaled):
    """Priors a factor of four apart: means as from scratch, in fewer steps for each effective draw."""
    start = Start(scaled, sample_chains(scaled, SHORT).as_neighbour())
    other = scaled.with_priors(PRIORS.replaced(unit_scale_sd=half_normal(0.25), slope_sd=half_normal(2.0)))
    near = start.chains_near(other)
    warm = draw_chains(other, Sampler(draws=1000, tune=50, chains=4, target_accept=0.8, seed=5), near)
    cold = draw_chains(other, Sampler(draws=1000, tune=500, chains=4, target_accept=0.9, seed=6))
    for j in range(other.size):
        means, errors = [], []
        for thetas, _ in (warm, cold):
            means.append(thetas[..., j].mean())
            errors.append(float(array_stats.mcse(thetas[..., j], chain_axis=0, draw_axis=1, method="mean")))
        assert abs(means[0] - means[1]) < MCSE * np.hypot(*errors)
    assert not warm[1]["diverging"].any()
    ess = [float(np.min(array_stats.ess(t, chain_axis=0, draw_axis=1, method="bulk"))) for t, _ in (warm, cold)]
    steps = [float(stats["n_steps"].sum()) for _, stats in (warm, cold)]
    assert steps[0] / ess[0] < 1.2 * steps[1] / ess[1]


def test_refits_are_the_same_whatever_the_cores(scaled, monkeypatch):
    sets = [PRIORS.replaced(slope_sd=half_normal(width)) for width in (0.2, 0.5, 1.0)]
    found = refit(scaled, sets)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    again = refit(scaled, sets)
    assert all(one.diagnostics.passed for one in found)
    assert all(np.array_equal(a.slopes, b.slopes) for a, b in zip(found, again, strict=True))


def test_a_stored_fit_starts_refits_as_the_fit_does(unbalanced, grouped_spec, tmp_path):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": "unit_scale"})
    fit = fit_design(build_design(unbalanced, spec), PRIORS, make_sampler("collapsed", 500, 2, 3), "collapsed")
    fit.save(tmp_path / "fit.nc")
    start, stored = Start.of_fit(fit), Start.of_fit(bn.Fit.load(tmp_path / "fit.nc"))
    assert np.array_equal(start.known.thetas, stored.known.thetas)
    assert (start.known.step, start.known.effective) == (stored.known.step, stored.known.effective)


def test_what_differs_in_its_scales_gets_no_start(scaled, unbalanced, grouped_spec):
    plain = collapsed_of(unbalanced, grouped_spec, "iid")
    start = Start(scaled, Neighbour(np.zeros((10, scaled.size)), 0.5, 0.8, 400.0))
    assert start.chains_near(plain) is None
    assert start.mode_near(scaled) is None
    assert Start.of(plain).mode_near(scaled) is None
    assert Start.of(scaled) is None
