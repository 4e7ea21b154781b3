"""Errors of mediators and outcome that correlate: the truth at the true correlation, where conclusions end."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.confounding import at_rho, averaged, crossings, sensitivity
from bayes_npp.bayesian.priors.sets import load_priors, prior_set
from bayes_npp.errors import SpecError
from tests.bayesian.mediation.panels import GROUPED, SPEC, flat_slopes, simulated


@pytest.mark.slow(minutes=1)
def test_jobs_crosses_zero_where_published(jobs):
    found = crossings(jobs).iloc[0]
    assert found["mean_crosses"] == pytest.approx(-0.27347, abs=0.01)
    assert np.isnan(found["interval_includes"])
    assert "already" in found["note"]
    at = sensitivity(jobs, (-0.27347, 0.0)).set_index("rho")
    assert abs(at.loc[-0.27347, "estimate"]) < 0.001
    unmoved = jobs.estimates().select(estimand="indirect").iloc[0]
    assert at.loc[0.0, "estimate"] == pytest.approx(unmoved["estimate"])
    assert at.loc[0.0, "lo"] == pytest.approx(unmoved["lo"], abs=2e-4)


def test_flat_priors_and_independent_errors_have_the_closed_form():
    """b moves by delta = s rho / (s_m sqrt(1 - rho^2)), direct by -delta a, the total not at all, in every draw."""
    fixed = bn.Spec(outcome="outcome", exposure="exposure", unit_effects="fixed", time_effects="fixed")
    fit = bn.mediate(
        simulated(n_units=20, n_periods=6, seed=5), fixed, ["mediator_1"], flat_slopes(), draws=250, seed=1
    )
    moved = at_rho(fit, {"mediator_1": 0.4})
    sd = {
        name: fit.parameters[name]["error_sd"] * fit.equations[name].design.scales.outcome_sd
        for name in ("mediator_1", "outcome")
    }
    delta = sd["outcome"] / sd["mediator_1"] * 0.4 / np.sqrt(1 - 0.4**2)
    a, b = fit.path_a[:, 0, 0], fit.path_b[:, 0, 0]
    np.testing.assert_allclose(moved.indirect[:, 0, 0], a * (b - delta), rtol=1e-9)
    np.testing.assert_allclose(moved.direct[:, 0], fit.direct[:, 0] + delta * a, rtol=1e-9)
    np.testing.assert_allclose(moved.indirect.sum(axis=1) + moved.direct, fit.indirect.sum(axis=1) + fit.direct)
    assert moved.k_hat == -np.inf  # nothing to weight


def with_memory(rho, memory=(0.7, 0.3), n_units=150, n_periods=10):
    """Paths .5, .4 and .2; errors of mediator and outcome with memory, whose innovations correlate."""
    random = np.random.default_rng(3)
    shocks = random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], (n_units, n_periods))
    errors = np.empty_like(shocks)
    errors[:, 0] = shocks[:, 0] / np.sqrt(1 - np.square(memory))
    for t in range(1, n_periods):
        errors[:, t] = np.array(memory) * errors[:, t - 1] + shocks[:, t]
    x = random.standard_normal((n_units, n_periods)) + random.standard_normal((n_units, 1))
    mediator = 0.5 * x + random.standard_normal((n_units, 1)) + errors[..., 0]
    outcome = 0.4 * mediator + 0.2 * x + random.standard_normal((n_units, 1)) + errors[..., 1]
    frame = pd.DataFrame({"unit": np.repeat([f"u{i:03d}" for i in range(n_units)], n_periods)})
    frame["time"] = np.tile(np.arange(n_periods), n_units)
    frame = frame.assign(exposure=x.ravel(), mediator_1=mediator.ravel(), outcome=outcome.ravel())
    return bn.read_panel(frame, unit="unit", time="time")


@pytest.mark.parametrize(
    ("errors", "mediator_errors", "memory", "n_units"),
    [
        pytest.param("ar1", "ar1", (0.6, 0.6), 150, marks=pytest.mark.slow(minutes=1)),
        ("ar1", "ar1", (0.7, 0.3), 30),
        ("ar1+unit_scale", "ar1", (0.5, 0.4), 30),
    ],
)
def test_innovations_of_errors_with_memory_correlate(errors, mediator_errors, memory, n_units):
    spec, panel = SPEC.model_copy(update={"errors": errors}), with_memory(0.5, memory, n_units)
    fit = bn.mediate(panel, spec, ["mediator_1"], mediator_errors=mediator_errors, draws=500, seed=1)
    moved = at_rho(fit, np.array([0.5]))
    weights = np.exp(moved.log_weights)
    weights /= weights.sum()
    naive, found = fit.indirect[:, 0, 0], moved.indirect[:, 0, 0]
    mean = weights @ found
    sd = np.sqrt(weights @ (found - mean) ** 2)
    assert moved.k_hat < 0.7
    assert abs(naive.mean() - 0.2) > 3 * naive.std()
    assert abs(mean - 0.2) < 3 * sd


def test_where_the_draws_do_not_reach_nothing_is_said():
    """Errors of the mediator as if they had no memory: at a large rho other scales and shapes of the outcome's fit."""
    spec = SPEC.model_copy(update={"errors": "ar1"})
    fit = bn.mediate(with_memory(0.5), spec, ["mediator_1"], mediator_errors="iid", draws=500, seed=1)
    limits = crossings(fit).iloc[0]
    assert -0.9 < limits["lowest"] < 0 < limits["highest"] < 0.9
    curve = sensitivity(fit, (0.0, 0.9)).set_index("rho")
    assert curve.loc[0.0, "estimate"] == pytest.approx(fit.indirect.mean())
    assert curve.loc[0.9, "k_hat"] > 0.7
    assert curve.loc[0.9, ["estimate", "lo", "hi", "prob_positive"]].isna().all()


def test_paths_that_a_prior_ties_are_taken_as_independent():
    paths = {f"g{i}": (0.2 + 0.1 * i,) for i in range(3)}
    panel = simulated(n_units=18, n_periods=6, path_a=paths, path_b=paths, seed=1)
    tied = bn.mediate(panel, GROUPED, ["mediator_1"], path_correlation=True, draws=250, seed=1)
    untied = bn.mediate(panel, GROUPED, ["mediator_1"], path_correlation=False, draws=250, seed=1)
    np.testing.assert_array_equal(at_rho(tied, np.array([0.2])).indirect, at_rho(untied, np.array([0.2])).indirect)


@pytest.mark.parametrize("rho", [(0.6,), (0.5, -0.4)])
def test_the_true_rho_recovers_the_truth(rho):
    """With correlated errors the naive indirect effect is off, and the one at the true rho is not."""
    n = len(rho)
    truth = {"path_a": {"all": (0.5, 0.3)[:n]}, "path_b": {"all": (0.4, 0.4)[:n]}, "direct": {"all": 0.2}}
    panel = simulated(n_units=200, n_periods=10, **truth, rho=rho, seed=5)
    fit = bn.mediate(panel, SPEC, [f"mediator_{k + 1}" for k in range(n)], flat_slopes(), draws=250, seed=1)
    moved = at_rho(fit, np.array(rho))
    for k in range(n):
        value = truth["path_a"]["all"][k] * 0.4
        naive, adjusted = fit.indirect[:, k, 0], moved.indirect[:, k, 0]
        assert abs(naive.mean() - value) > 6 * naive.std()
        assert abs(adjusted.mean() - value) < 4 * adjusted.std()
    assert abs(moved.direct.mean() - 0.2) < 4 * moved.direct.std()
    assert moved.k_hat < 0.7  # effects of units and periods have priors that are not flat


def test_one_mediators_formula_is_wrong_for_two():
    """Each mediator moved by itself: off where the errors of both correlate with the outcome's."""
    panel = simulated(
        n_units=200, n_periods=10, path_a={"all": (0.5, 0.3)}, path_b={"all": (0.4, 0.4)}, rho=(0.6, 0.6), seed=5
    )
    fit = bn.mediate(panel, SPEC, ["mediator_1", "mediator_2"], priors=flat_slopes(), draws=250, seed=1)
    jointly = at_rho(fit, np.array([0.6, 0.6])).indirect[:, 0, 0]
    alone = at_rho(fit, {"mediator_1": 0.6}).indirect[:, 0, 0]
    assert abs(jointly.mean() - 0.2) < 4 * jointly.std()
    assert abs(alone.mean() - 0.2) > 4 * alone.std()


def test_priors_are_met_by_reweighting():
    """A posterior moved under a tight prior equals the one fitted to an outcome moved by what rho adds."""
    panel = simulated(n_units=40, n_periods=8, seed=2)
    content = dict(load_priors("weakly_informative").prior)
    kind = type(content["controls"])
    tight = kind(family="normal", mu=0.0, sigma=0.1, reason="a test")
    priors = prior_set("tight", {**content, "controls": tight})
    fit = bn.mediate(panel, SPEC, ["mediator_1"], priors=priors, draws=1500, seed=1)
    moved = at_rho(fit, np.array([0.2]))
    weights = np.exp(moved.log_weights - moved.log_weights.max())
    weights /= weights.sum()
    # The same by quadrature-free algebra: b has precision 1 / se^2 from the data about its flat estimate less delta.
    flat = bn.mediate(panel, SPEC, ["mediator_1"], priors=flat_slopes(), draws=1500, seed=1)
    outcome = fit.equations["outcome"].design.scales
    unit = outcome.outcome_sd / outcome.divisors["mediator_1"]
    b = flat.path_b[:, 0, 0] / unit
    delta = float((flat.path_b - at_rho(flat, np.array([0.2])).indirect / flat.path_a)[:, 0, 0].mean()) / unit
    precision = 1 / b.var() + 1 / 0.1**2
    expected = (b.mean() - delta) / b.var() / precision
    found = weights @ (moved.indirect / fit.path_a)[:, 0, 0] / unit
    assert moved.k_hat < 0.7
    assert found == pytest.approx(expected, abs=0.1 / np.sqrt(precision))


def test_averaging_over_a_prior_on_rho_widens_the_interval(jobs):
    rho = np.random.default_rng(0).uniform(-0.3, 0.3, 1000)
    row = averaged(jobs, rho).iloc[0]
    plain = jobs.estimates().select(estimand="indirect").iloc[0]
    assert row["hi"] - row["lo"] > plain["hi"] - plain["lo"]
    assert averaged(jobs, np.zeros(10)).iloc[0]["estimate"] == pytest.approx(plain["estimate"])


def test_bad_rho(jobs):
    with pytest.raises(SpecError, match="no correlation"):
        sensitivity(jobs, (0.0, 1.0))
    with pytest.raises(SpecError, match="unknown mediator"):
        at_rho(jobs, {"age": 0.2})
    panel = simulated(n_units=20, n_periods=6, path_a={"all": (0.5, 0.3)}, path_b={"all": (0.4, 0.4)}, seed=1)
    fit = bn.mediate(panel, SPEC, ["mediator_1", "mediator_2"], draws=200, seed=1)
    with pytest.raises(SpecError, match="impossible together"):
        at_rho(fit, np.array([0.9, 0.9]))
    in_full = replace(fit.equations["outcome"], engine="nuts")
    other = replace(fit, equations={**fit.equations, "outcome": in_full})
    with pytest.raises(SpecError, match="normal errors"):
        sensitivity(other, (0.1,))


def test_a_grid_of_rho_leaves_out_what_is_impossible_together():
    panel = simulated(n_units=20, n_periods=6, path_a={"all": (0.5, 0.3)}, path_b={"all": (0.4, 0.4)}, seed=1)
    fit = bn.mediate(panel, SPEC, ["mediator_1", "mediator_2"], draws=200, seed=1)
    curve = sensitivity(fit, (-0.9, 0.0, 0.5, 0.9))
    assert set(curve.loc[curve["mediator"] == "mediator_1", "rho"]) == {-0.9, 0.0, 0.5, 0.9}
    assert set(curve.loc[curve["mediator"] == "all together", "rho"]) == {0.0, 0.5}
    together = curve[(curve["mediator"] == "all together") & (curve["rho"] == 0.0)].iloc[0]
    assert together["estimate"] == pytest.approx(fit.indirect.sum(axis=1).mean())


def test_where_the_interval_first_includes_zero():
    """A clear indirect effect: its lower end reaches zero before its mean does, both for a positive rho."""
    fit = bn.mediate(simulated(n_units=60, n_periods=8, seed=4), SPEC, ["mediator_1"], seed=1)
    row = crossings(fit).iloc[0]
    assert 0 < row["interval_includes"] < row["mean_crosses"] < 1
    at = sensitivity(fit, (row["interval_includes"], row["mean_crosses"]))
    scale = fit.indirect.std()
    assert at["lo"].iloc[0] == pytest.approx(0, abs=0.02 * scale)
    assert at["estimate"].iloc[1] == pytest.approx(0, abs=0.02 * scale)
