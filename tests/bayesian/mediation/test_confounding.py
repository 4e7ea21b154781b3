"""Errors of mediators and outcome that correlate: the truth at the true correlation, where conclusions end."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.confounding import at_rho, averaged, crossings, sensitivity
from bayes_npp.bayesian.priors.sets import load_priors, prior_set
from bayes_npp.errors import SpecError
from tests.bayesian.mediation.panels import SPEC, flat_slopes, simulated


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


def test_total_does_not_depend_on_rho(jobs):
    moved = at_rho(jobs, {"job_seek": 0.4})
    before = jobs.indirect.sum(axis=1) + jobs.direct
    np.testing.assert_allclose(moved.indirect.sum(axis=1) + moved.direct, before, rtol=1e-10)


@pytest.mark.parametrize("rho", [(0.6,), (0.5, -0.4)])
def test_the_true_rho_recovers_the_truth(rho):
    """With correlated errors the naive indirect effect is off, and the one at the true rho is not."""
    n = len(rho)
    truth = {"path_a": {"all": (0.5, 0.3)[:n]}, "path_b": {"all": (0.4, 0.4)[:n]}, "direct": {"all": 0.2}}
    panel = simulated(n_units=400, n_periods=10, **truth, rho=rho, seed=5)
    fit = bn.mediate(panel, SPEC, [f"mediator_{k + 1}" for k in range(n)], priors=flat_slopes(), seed=1)
    moved = at_rho(fit, np.array(rho))
    for k in range(n):
        value = truth["path_a"]["all"][k] * 0.4
        naive, adjusted = fit.indirect[:, k, 0], moved.indirect[:, k, 0]
        assert abs(naive.mean() - value) > 6 * naive.std()
        assert abs(adjusted.mean() - value) < 4 * adjusted.std()
    assert abs(moved.direct.mean() - 0.2) < 4 * moved.direct.std()
    assert moved.k_hat == -np.inf  # flat priors: nothing to weight


def test_one_mediators_formula_is_wrong_for_two():
    """Each mediator moved by itself: off where the errors of both correlate with the outcome's."""
    panel = simulated(
        n_units=400, n_periods=10, path_a={"all": (0.5, 0.3)}, path_b={"all": (0.4, 0.4)}, rho=(0.6, 0.6), seed=5
    )
    fit = bn.mediate(panel, SPEC, ["mediator_1", "mediator_2"], priors=flat_slopes(), seed=1)
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
    fit = bn.mediate(panel, SPEC, ["mediator_1"], priors=priors, draws=4000, seed=1)
    moved = at_rho(fit, np.array([0.2]))
    weights = np.exp(moved.log_weights - moved.log_weights.max())
    weights /= weights.sum()
    # The same by quadrature-free algebra: b has precision 1 / se^2 from the data about its flat estimate less delta.
    flat = bn.mediate(panel, SPEC, ["mediator_1"], priors=flat_slopes(), draws=4000, seed=1)
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
    rho = np.random.default_rng(0).uniform(-0.3, 0.3, 4000)
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
    other = bn.mediate(panel, bn.Spec(**{**SPEC.model_dump(), "errors": "ar1"}), ["mediator_1"], draws=200, seed=1)
    with pytest.raises(SpecError, match="independent errors"):
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
