"""Mediation: published numbers, recovery with and without confounding, what is withheld, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.mediation.confounding import at_rho, averaged, crossings, sensitivity
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.bayesian.priors.sets import load_priors, prior_set
from bayes_npp.errors import DesignError, SpecError
from tests.conftest import REFERENCE

pytestmark = pytest.mark.xdist_group("collapsed")
SPEC = bn.Spec(outcome="outcome", exposure="exposure")
GROUPED = bn.Spec(outcome="outcome", exposure="exposure", slopes="group")


def simulated(**truth) -> bn.Panel:
    frame = bn.simulate_mediation(**truth).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def flat_slopes():
    """The weak set with flat priors of exposure and controls: the shift by rho is then exact."""
    content = dict(load_priors("weakly_informative").prior)
    flat = {"family": "flat", "reason": "a test"}
    kind = type(content["exposure"])
    return prior_set("flat slopes", {**content, "exposure": kind(**flat), "controls": kind(**flat)})


@pytest.fixture(scope="module")
def jobs() -> Mediation:
    """jobs II: treatment to job search to depression, a cross-section."""
    frame = pd.read_csv(REFERENCE / "jobs.csv")
    frame["person"] = [f"person {i}" for i in range(len(frame))]
    spec = bn.Spec(
        outcome="depress2",
        exposure="treat",
        controls=("econ_hard", "sex", "age"),
        unit_effects="none",
        time_effects="none",
        correlated_means=False,
    )
    panel = bn.read_panel(frame, unit="person", time=None)
    return bn.mediate(panel, spec, ("job_seek",), priors="diffuse", draws=4000, seed=2)


def test_jobs_agrees_with_the_published_effects(jobs):
    """Imai et al.'s indirect, direct and total within .15 posterior SD; the share of means; the share withheld."""
    frame = jobs.estimates().frame.set_index("estimand")
    published = {
        "indirect": -0.015745,
        "direct": -0.040265,
        "total": -0.056009,
        "path_a": 0.065615,
        "path_b": -0.239955,
    }
    for estimand, value in published.items():
        assert abs(frame.loc[estimand, "estimate"] - value) < 0.15 * frame.loc[estimand, "spread"], estimand
    ratio = jobs.indirect.mean() / (jobs.indirect.mean() + jobs.direct.mean())
    assert ratio == pytest.approx(0.281, abs=0.01)
    proportion = frame.loc["proportion_mediated"]
    assert np.isnan(proportion["estimate"])
    assert "includes zero" in proportion["note"]
    assert jobs.failures == ()


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


TWO = {
    "path_a": {"east": (0.6, 0.2), "west": (0.1, 0.4)},
    "path_b": {"east": (0.5, -0.3), "west": (0.2, 0.1)},
    "direct": {"east": 0.3, "west": -0.2},
}


def test_two_mediators_with_paths_by_group_are_recovered():
    """Every effect within 4 posterior SDs of its truth on a large panel; the average holds the paths' covariance."""
    panel = simulated(n_units=300, n_periods=8, **TWO, seed=3)
    fit = bn.mediate(panel, GROUPED, ("mediator_1", "mediator_2"), seed=1)
    frame = fit.estimates().frame.set_index(["estimand", "term", "group"])
    for group in ("east", "west"):
        a, b = TWO["path_a"][group], TWO["path_b"][group]
        truth = {("direct", "exposure"): TWO["direct"][group]}
        for k in range(2):
            name = f"mediator_{k + 1}"
            truth |= {("path_a", name): a[k], ("path_b", name): b[k], ("indirect", name): a[k] * b[k]}
        truth["total_indirect", "exposure"] = a[0] * b[0] + a[1] * b[1]
        truth["total", "exposure"] = truth["total_indirect", "exposure"] + TWO["direct"][group]
        for (estimand, term), value in truth.items():
            row = frame.loc[estimand, term, group]
            assert abs(row["estimate"] - value) < 4 * row["spread"], (estimand, term, group)
            assert row["spread"] < 0.1
    average = frame.loc["indirect", "mediator_1", ""]
    assert abs(average["estimate"] - (0.6 * 0.5 + 0.1 * 0.2) / 2) < 4 * average["spread"]
    product = frame.loc["path_a", "mediator_1", ""]["estimate"] * frame.loc["path_b", "mediator_1", ""]["estimate"]
    assert average["estimate"] - product == pytest.approx(0.25 * 0.15, abs=0.02)  # the covariance of a and b
    contrast = frame.loc["indirect", "mediator_1", "east - west"]
    assert abs(contrast["estimate"] - (0.30 - 0.02)) < 4 * contrast["spread"]
    between = frame.loc["indirect", "mediator_1 - mediator_2", ""]
    assert abs(between["estimate"] - (0.16 - (-0.06 + 0.04) / 2)) < 4 * between["spread"]


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


def test_a_share_is_shown_where_the_total_is_clear():
    fit = bn.mediate(simulated(n_units=60, n_periods=8, seed=4), SPEC, ["mediator_1"], seed=1)
    row = fit.estimates().select(estimand="proportion_mediated").iloc[0]
    assert row["lo"] < 0.5 < row["hi"]
    assert row["lo"] < row["estimate"] < row["hi"]
    assert "posterior median" in row["note"]


def test_paths_that_do_not_vary():
    panel = simulated(n_units=40, n_periods=6, **TWO, seed=3)
    fit = bn.mediate(panel, GROUPED, ["mediator_1"], varying=("a",), draws=500, seed=1)
    np.testing.assert_array_equal(fit.path_b[..., 0], fit.path_b[..., 1])
    np.testing.assert_array_equal(fit.direct[..., 0], fit.direct[..., 1])
    assert np.ptp(fit.path_a.mean(axis=0)) > 0.1


def test_incomplete_rows_leave_every_equation():
    frame = bn.simulate_mediation(20, 6, seed=1).frame
    frame.loc[frame["time"] == 6, "mediator_1"] = np.nan
    panel = bn.read_panel(frame, unit="unit", time="time")
    fit = bn.mediate(panel, SPEC, ["mediator_1"], draws=200, seed=1)
    assert fit.n_dropped == 20
    assert {equation.design.n_obs for equation in fit.equations.values()} == {100}
    with pytest.raises(DesignError, match="'mediator_1' is missing"):
        bn.mediate(panel, SPEC, ["mediator_1"], missing="error")


@pytest.mark.parametrize(
    ("mediators", "changes", "message"),
    [
        ((), {}, "no mediator"),
        (("outcome",), {}, "is the outcome too"),
        (("exposure",), {}, "is the exposure too"),
        (("mediator_1", "mediator_1"), {}, "named twice"),
        (("mediator_1",), {"varying": ("c",)}, "unknown path"),
        (("mediator_1",), {"missing": "guess"}, "unknown missing"),
        (("fixed",), {}, "does not vary once the effects are removed"),
        (("absent",), {}, "absent"),
    ],
)
def test_bad_input(mediators, changes, message):
    frame = bn.simulate_mediation(12, 5, seed=1).frame
    frame["fixed"] = frame["unit"].astype("category").cat.codes * 1.0
    panel = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(bn.BayesNppError, match=message):
        bn.mediate(panel, SPEC, mediators, **changes)


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


def eight_groups(correlation: float) -> bn.Panel:
    """Eight groups whose paths a and b correlate."""
    random = np.random.default_rng(1)
    covariance = 0.16 * np.array([[1, correlation], [correlation, 1]])
    paths = random.multivariate_normal([0.3, 0.3], covariance, 8)
    a, b = ({f"g{i}": (float(pair[j]),) for i, pair in enumerate(paths)} for j in range(2))
    return simulated(n_units=64, n_periods=8, path_a=a, path_b=b, seed=3)


def test_tied_paths_equal_weighted_draws():
    """The tie in closed form against weights of the untied draws themselves, by an independent route."""
    panel = eight_groups(0.8)
    plain = bn.mediate(panel, GROUPED, ["mediator_1"], draws=2000, seed=1)
    tied = bn.mediate(panel, GROUPED, ["mediator_1"], draws=2000, path_correlation=True, seed=1)
    basis = plain.equations["outcome"].data.slope_basis
    values = {name: fit.values for name, fit in plain.equations.items()}
    u = values["mediator_1"]("slope_offset") @ basis / values["mediator_1"]("slope_sd")[:, None]
    v = values["outcome"]("control_offset")[:, 0] @ basis / values["outcome"]("control_slope_sd")[:, [0]]
    rho = load_priors("weakly_informative")["slope_correlation"].draw(np.random.default_rng(5), (len(u), 20))
    squares, product = (u**2 + v**2).sum(axis=1)[:, None], (u * v).sum(axis=1)[:, None]
    log_weights = -3.5 * np.log1p(-(rho**2)) - (rho**2 * squares - 2 * rho * product) / (2 * (1 - rho**2))
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    assert tied.k_hat < 0.7
    mean = (weights * rho).sum()
    sd = np.sqrt((weights * rho**2).sum() - mean**2)
    assert tied.correlation.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(1000))
    assert tied.correlation.std() == pytest.approx(sd, rel=0.1)
    per_draw = weights.sum(axis=1)
    for name in ("path_a", "path_b", "indirect"):
        before, after = getattr(plain, name)[:, 0], getattr(tied, name)[:, 0]
        mean = per_draw @ before
        sd = np.sqrt(per_draw @ before**2 - mean**2)
        np.testing.assert_allclose((after.mean(axis=0) - mean) / sd, 0, atol=4 / np.sqrt(1000))
        np.testing.assert_allclose(after.std(axis=0) / sd, 1, atol=0.1)
    # Without the tie the means are others: the test can fail.
    moved = np.abs((plain.path_b[:, 0].mean(axis=0) - per_draw @ plain.path_b[:, 0]) / plain.path_b[:, 0].std(axis=0))
    assert moved.max() > 4 / np.sqrt(1000)


def test_the_tie_follows_the_truth():
    """Posterior of the correlation: above its prior where paths correlate, below where they correlate negatively."""
    positive, negative = (
        bn.mediate(eight_groups(c), GROUPED, ["mediator_1"], draws=1000, path_correlation=True, seed=1)
        for c in (0.9, -0.9)
    )
    assert (positive.correlation > 0).mean() > 0.7
    assert (negative.correlation > 0).mean() < 0.3
    row = positive.estimates().select(term="path_correlation, mediator_1").iloc[0]
    assert row["estimate"] == pytest.approx(positive.correlation.mean())


def test_a_tie_takes_paths_by_group():
    with pytest.raises(SpecError, match="vary by group"):
        bn.mediate(eight_groups(0.5), SPEC, ["mediator_1"], path_correlation=True)
    with pytest.raises(SpecError, match="vary by group"):
        bn.mediate(eight_groups(0.5), GROUPED, ["mediator_1"], path_correlation=True, varying=("a",))


def test_do_gives_the_same_natural_effects():
    """pm.do on the joint model, draw by draw: the exposure moved in the mediator's equation alone, in the outcome's
    alone, in both. Effects and correlated means stand for units and are held at what was observed."""
    import pymc as pm

    panel = simulated(n_units=30, n_periods=6, **TWO, seed=3)
    fit = bn.mediate(panel, GROUPED, ["mediator_1", "mediator_2"], draws=100, chains=2, seed=1)
    design = fit.design
    group, shares = design.group, fit.shares
    mediators = design.controls  # observed
    with pm.Model() as joint:
        x_m, x_y = pm.Data("x_m", design.exposure), pm.Data("x_y", design.exposure)
        a, b = pm.Flat("a", shape=(2, 2)), pm.Flat("b", shape=(2, 2))
        direct = pm.Flat("direct", shape=2)
        total = direct[group] * x_y
        for k in range(2):
            rest = mediators[:, k] - a[k, group] * design.exposure
            total += b[k, group] * (rest + a[k, group] * x_m)
        pm.Deterministic("y", total)
    import xarray as xr

    posterior = xr.Dataset(
        {
            "a": (("chain", "draw", "k", "g"), fit.path_a.reshape(2, 100, 2, 2)),
            "b": (("chain", "draw", "k", "g"), fit.path_b.reshape(2, 100, 2, 2)),
            "direct": (("chain", "draw", "g"), fit.direct.reshape(2, 100, 2)),
        }
    )

    def outcome(**moved):
        with pm.do(joint, {name: design.exposure + 1.0 for name in moved if moved[name]}) as intervened:
            found = pm.compute_deterministics(posterior, model=intervened, var_names=["y"], progressbar=False)
        return found["y"].to_numpy().reshape(200, -1)

    base = outcome(x_m=False)
    natural_indirect = outcome(x_m=True) - base
    natural_direct = outcome(x_y=True) - base
    total = outcome(x_m=True, x_y=True) - base
    np.testing.assert_allclose(natural_indirect.mean(axis=1), fit.indirect.sum(axis=1) @ shares, rtol=1e-8)
    np.testing.assert_allclose(natural_direct.mean(axis=1), fit.direct @ shares, rtol=1e-8)
    np.testing.assert_allclose(total, natural_indirect + natural_direct, atol=1e-10)
    for g in range(2):
        np.testing.assert_allclose(
            natural_indirect[:, group == g].mean(axis=1), fit.indirect.sum(axis=1)[:, g], rtol=1e-8
        )


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


@pytest.mark.slow
def test_coverage_over_simulated_panels():
    """200 panels, two mediators, four groups whose paths a and b correlate: 95 % intervals of average effects cover
    within binomial error; those of groups too, their truths drawn from a normal population as the model assumes."""
    n_panels, covered, seen = 200, {}, {}
    for seed in range(n_panels):
        random = np.random.default_rng([9, seed])
        groups = [f"g{i}" for i in range(4)]
        common = random.normal(0.3, 0.3, 4)  # a and b of the two mediators
        a, b = np.empty((4, 2)), np.empty((4, 2))
        for k in range(2):
            pair = random.multivariate_normal(common[[k, 2 + k]], 0.04 * np.array([[1, 0.5], [0.5, 1]]), 4)
            a[:, k], b[:, k] = pair.T
        direct = random.normal(0.2, 0.2, 4)
        panel = simulated(
            n_units=32,
            n_periods=8,
            path_a={g: tuple(a[i]) for i, g in enumerate(groups)},
            path_b={g: tuple(b[i]) for i, g in enumerate(groups)},
            direct={g: float(direct[i]) for i, g in enumerate(groups)},
            seed=seed,
        )
        fit = bn.mediate(panel, GROUPED, ["mediator_1", "mediator_2"], draws=500, chains=2, seed=seed + 1)
        order = [groups.index(g) for g in fit.groups]
        truth = {"direct": direct[order], "total": ((a * b).sum(axis=1) + direct)[order]}
        found = {"direct": fit.direct, "total": fit.indirect.sum(axis=1) + fit.direct}
        for k in range(2):
            truth[f"indirect {k}"], found[f"indirect {k}"] = (a * b)[order, k], fit.indirect[:, k]
        for name, value in truth.items():
            for kind, draws, at in (
                ("average", found[name] @ fit.shares, value @ fit.shares),
                *(("group", found[name][:, g], value[g]) for g in range(4)),
            ):
                lo, hi = np.quantile(draws, [0.025, 0.975])
                covered[kind, name] = covered.get((kind, name), 0) + (lo <= at <= hi)
                seen[kind, name] = seen.get((kind, name), 0) + 1
    for key, count in seen.items():
        assert stats.binomtest(int(covered[key]), count, 0.95).pvalue > 0.001, (key, covered[key] / count)
