"""Sampled posteriors against TWFE, against an independent sampler of the collapsed posterior, and against the truth.

A fit's `diagnostics` are here too.
"""

import arviz_stats
import numpy as np
import pytest
from scipy import linalg, stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.terms import model_data
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design, twfe_weights
from tests.bands import normal_band
from tests.bayesian.quick import quick_mode
from tests.conftest import SLOPES

SAMPLER = Sampler(draws=1000, tune=1000, chains=4, target_accept=0.98, seed=11)


@pytest.fixture(scope="module", params=["collapsed", pytest.param("nuts", marks=pytest.mark.slow(minutes=3))])
def posterior(request, unbalanced, grouped_spec):
    return fit_design(build_design(unbalanced, grouped_spec), load_priors("weakly_informative"), SAMPLER, request.param)


def mcse(draws):
    """Monte Carlo standard error of a mean from draws (chain, draw)."""
    return draws.std(ddof=1) / np.sqrt(
        float(arviz_stats.ess(draws[None] if draws.ndim == 1 else draws, chain_axis=0, draw_axis=1))
    )


def test_converged(posterior):
    assert posterior.diagnostics.passed, posterior.diagnostics.verdict


@pytest.fixture(scope="module")
def metropolis(unbalanced, grouped_spec):
    """Random-walk Metropolis on the four scales, every coefficient integrated out by dense linear algebra."""
    data, priors = model_data(build_design(unbalanced, grouped_spec)), load_priors("weakly_informative")
    priors = priors.on_within_scale(data.design.scales)
    names = ("slope_sd", "unit_sd", "time_sd", "error_sd")
    x, n = data.slope_columns, data.design.n_obs
    groups = x.shape[1]
    contrast = np.eye(groups) - 1 / groups
    one = np.ones((n, n))
    mean_part = np.outer(x.sum(axis=1), x.sum(axis=1)) * priors["exposure"].sigma ** 2
    mean_part += data.control_columns @ data.control_columns.T * priors["controls"].sigma ** 2
    mean_part += one * priors["intercept"].sigma ** 2
    slope_part = x @ contrast @ x.T
    effect_parts = {}
    for name, effect in data.effects.items():
        same = (effect.index[:, None] == effect.index).astype(float)
        part = effect.basis[effect.index][:, : effect.rank]
        mean_part += part @ part.T * effect.size * priors["between"].sigma ** 2
        effect_parts[name] = same

    def log_posterior(log_scale):
        scale = dict(zip(names, np.exp(log_scale), strict=True))
        covariance = mean_part + scale["slope_sd"] ** 2 * slope_part + scale["error_sd"] ** 2 * np.eye(n)
        covariance += scale["unit_sd"] ** 2 * effect_parts["unit"] + scale["time_sd"] ** 2 * effect_parts["time"]
        factor = linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        solved = linalg.solve_triangular(factor, data.outcome, lower=True, check_finite=False)
        prior = sum(float(priors[name].log_density(scale[name])) for name in names)
        return -np.log(np.diag(factor)).sum() - 0.5 * solved @ solved + prior + log_scale.sum()

    random = np.random.default_rng(3)
    draws = []
    for _ in range(2):
        state = np.log([0.4, 0.5, 0.2, 0.3]) + 0.1 * random.standard_normal(4)
        value, kept = log_posterior(state), []
        step = np.array([0.6, 0.17, 0.6, 0.07])
        for _ in range(6000):
            proposal = state + step * random.standard_normal(4)
            new = log_posterior(proposal)
            if np.log(random.random()) < new - value:
                state, value = proposal, new
            kept.append(np.exp(state))
        draws.append(kept[500:])
    return dict(zip(names, np.moveaxis(np.array(draws), -1, 0), strict=True))


def test_agrees_with_an_independent_sampler_of_the_collapsed_posterior(posterior, metropolis):
    for name, theirs in metropolis.items():
        ours = posterior.tree["posterior"][name].to_numpy()
        error = np.hypot(mcse(ours), mcse(theirs))
        assert abs(ours.mean() - theirs.mean()) < normal_band(len(metropolis)) * error, name


def test_log_likelihood_and_log_prior_are_conditional_densities(posterior):
    tree, at = posterior.tree, (1, 17)
    draw = {str(k): v.to_numpy()[at] for k, v in tree["posterior"].data_vars.items()}
    data = posterior.data
    fitted = draw["intercept"] + data.slope_columns @ (draw["exposure_slope"] + draw["slope_offset"])
    fitted = fitted + data.control_columns @ draw["control_slope"]
    for name, effect in data.effects.items():
        between = np.sqrt(effect.size) * effect.basis[:, : effect.rank] @ draw[f"{name}_between"]
        fitted = fitted + (draw[f"{name}_effect"] + between)[effect.index]
    expected = stats.norm.logpdf(data.outcome, fitted, draw["error_sd"])
    np.testing.assert_allclose(tree["log_likelihood"]["y"].to_numpy()[at], expected, rtol=1e-8)
    top = {"intercept", "exposure_slope", "control_slope", "slope_sd", "unit_sd", "time_sd", "error_sd"}
    top |= {"unit_between", "time_between"}
    assert set(tree["log_prior"].data_vars) == top
    np.testing.assert_allclose(
        tree["log_prior"]["slope_sd"].to_numpy()[at], stats.halfnorm.logpdf(draw["slope_sd"], scale=0.5)
    )
    roles = {str(k): v.attrs["prior_role"] for k, v in tree["posterior"].data_vars.items()}
    assert {k for k, role in roles.items() if role == "top"} == top
    assert {k for k, role in roles.items() if role == "group"} == {"slope_offset", "unit_effect", "time_effect"}
    assert tree["log_prior"]["unit_between"].dims == ("chain", "draw", "unit_part")


def test_estimates_are_in_the_data_units(posterior):
    frame = posterior.estimates().frame
    slopes = posterior.slopes
    groups = frame[frame["estimand"] == "group_slope"]
    np.testing.assert_allclose(groups["estimate"], slopes.mean(axis=0))
    np.testing.assert_allclose(groups["lo"], np.quantile(slopes, 0.025, axis=0))
    average = frame[frame["estimand"] == "average_slope_twfe_weighted"].iloc[0]
    assert average["estimate"] == pytest.approx(float((slopes @ twfe_weights(posterior.design)).mean()))
    assert (frame["group"].iloc[:3] == "").all()
    gap = frame[frame["group"] == "north - west"].iloc[0]
    above, draws = int((slopes[:, 0] > slopes[:, 2]).sum()), len(slopes)
    share = (above + 0.5) / (draws + 1)  # never 0 or 1: draws say no more
    # exact slopes give the mean of normal tails, of which the share of draws is the noisier estimate
    band = 1e-9 if posterior.engine == "nuts" else 5 * np.sqrt(share * (1 - share) / draws)
    assert abs(gap["prob_positive"] - share) < band
    for label, (_, row) in zip(SLOPES, groups.iterrows(), strict=True):
        assert row["group"] == label
        assert abs(row["estimate"] - SLOPES[label]) < 4 * row["spread"]


def test_partial_pooling_lies_between_no_and_complete_pooling(posterior, unbalanced):
    interacted = bn.twfe(unbalanced, posterior.spec).frame.query("estimand == 'group_slope'")["estimate"].to_numpy()
    pooled = posterior.slopes.mean(axis=0)
    assert np.ptp(pooled) < np.ptp(interacted)


def test_flat_priors_and_fixed_effects_give_twfe(unbalanced, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None, "unit_effects": "fixed", "time_effects": "fixed"})
    flat = PriorSpec(family="flat", reason="the identity with TWFE")
    priors = load_priors("weakly_informative").replaced(exposure=flat, controls=flat)
    fit = fit_design(build_design(unbalanced, spec), priors, SAMPLER, "collapsed")
    expected = bn.twfe(unbalanced, spec, covariance="classical").frame.iloc[0]
    slope = fit.tree["posterior"]["slope"].to_numpy()
    assert abs(slope.mean() - expected["estimate"]) < 4 * mcse(slope)
    assert slope.std() == pytest.approx(expected["spread"], rel=0.08)
    assert "exposure_slope" not in fit.tree["log_prior"]
    assert fit.estimates().frame["estimand"].iloc[0] == "average_slope_twfe_weighted"
    assert not {"unit_sd", "time_sd"} & set(fit.tree["posterior"].data_vars)


def test_what_passed_is_said_with_its_name():
    """A sampler that passes says nothing of the errors: repr, notes and verdict name both."""
    frame = bn.simulate(20, 10, {"a": 0.3, "b": 0.3}, error_sd=0.4, autocorrelation=0.7, seed=21).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    fit = bn.fit(panel, spec, seed=1)
    serial = next(check for check in fit.checks if check.name == "serial correlation")
    assert fit.diagnostics.passed
    assert not fit.passed
    seen = f"serial correlation {serial.observed:.2f}, the model makes {serial.lo:.2f} to {serial.hi:.2f}"
    failed = sum(not check.passed for check in fit.checks)
    assert fit.verdict.startswith(f"sampler: passed; errors: failed {failed} of 4 checks (")
    assert seen in fit.verdict
    assert repr(fit).startswith(
        f"Fit: hierarchical x group, iid errors; 200 rows, 20 units, 10 periods; {fit.verdict[:60]}"
    )
    assert set(fit.estimates().frame["note"]) == {fit.verdict}
    mended = bn.fit(panel, fit.spec, errors="ar1", seed=1)
    assert mended.verdict == "sampler: passed; errors: passed 4 checks"
    assert set(mended.estimates().frame["note"]) == {""}
    few = bn.fit(panel, fit.spec, errors="ar1", draws=50, chains=2, seed=1)
    assert set(few.estimates().frame["note"]) == {few.verdict}
    assert str(few.diagnostics) == f"sampler: failed {few.diagnostics.failures}"
    assert few.verdict.startswith("sampler: failed ")


def test_iid_errors_pass_their_checks_and_ar1_errors_fail(posterior):
    assert all(check.passed for check in posterior.predictive_checks())
    from bayes_npp.bayesian.fitting.predictive_checks import error_checks
    from bayes_npp.bayesian.model.likelihood import innovations

    own, sd = innovations(posterior.parameters(200), posterior.data)
    residuals = own / sd

    unit = posterior.design.unit
    times = np.array(posterior.design.times)[posterior.design.time]
    drift = np.sin(times) * 4
    serial, _, between, _ = error_checks(residuals + drift, unit, times, seed=1)
    assert (serial.name, serial.verdict) == ("serial correlation", "failed")
    assert (between.name, between.verdict) == ("cross-sectional dependence", "failed")
    wild = residuals * np.where(unit == 0, 6.0, 1.0)
    spread = error_checks(wild, unit, times, seed=1)[1]
    assert (spread.name, spread.verdict) == ("spread by unit", "failed")
    crisis = residuals * np.where(times == times[0], 3.0, 1.0)
    spread = error_checks(crisis, unit, times, seed=1)[3]
    assert (spread.name, spread.verdict) == ("spread by period", "failed")


def test_stored_fit_comes_back(posterior, tmp_path):
    from bayes_npp.bayesian.fitting.fit import restore
    from bayes_npp.store import read_tree, write_tree

    write_tree(posterior.tree, tmp_path / "fit.nc")
    again = restore(read_tree(tmp_path / "fit.nc"), posterior.design, posterior.priors, posterior.sampler)
    assert again.diagnostics == posterior.diagnostics
    assert again.estimates().frame.equals(posterior.estimates().frame)


def test_a_failed_fit_says_so_in_every_row(posterior):
    from dataclasses import replace

    failed = replace(posterior, diagnostics=replace(posterior.diagnostics, divergences=3))
    assert failed.diagnostics.verdict == "failed: divergences 3 (needs = 0)"
    assert failed.estimates().frame["note"].str.contains("divergences 3").all()


@pytest.mark.parametrize("kinds", [("none", "none"), ("fixed", "partial"), ("partial", "none"), ("none", "fixed")])
def test_every_combination_of_effects_has_a_finite_gradient(kinds, unbalanced, grouped_spec):
    from bayes_npp.bayesian.model.pymc_model import build_model

    unit, time = kinds
    spec = bn.Spec(**{**grouped_spec.model_dump(), "unit_effects": unit, "time_effects": time})
    model = build_model(model_data(build_design(unbalanced, spec)), load_priors("diffuse"))
    function = model.logp_dlogp_function(ravel_inputs=True, mode=quick_mode())
    function.set_extra_values({})
    start = np.full(sum(int(np.prod(v.shape)) for v in model.initial_point().values()), 0.1)
    value, gradient = function(start)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_unidentified_slopes_and_unknown_engines_are_refused(unbalanced, grouped_spec):
    frame = unbalanced.with_column("fixed", unbalanced.frame["unit"].factorize()[0].astype(float))
    spec = bn.Spec(outcome="outcome", exposure="fixed", controls=())
    with pytest.raises(bn.BayesNppError, match="'fixed' does not vary once the effects are removed"):
        bn.fit(frame, spec)
    with pytest.raises(bn.BayesNppError, match="unknown engine"):
        bn.fit(unbalanced, grouped_spec, engine="metropolis")
    with pytest.raises(bn.BayesNppError, match="Student-t errors do not integrate out"):
        bn.fit(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "errors": "student_t"}), engine="collapsed")
