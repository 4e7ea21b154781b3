"""Mediation: published numbers, recovery with and without confounding, what is withheld, bad input."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.model.terms import fitted_values
from bayes_npp.errors import DesignError
from tests.bands import share_band
from tests.bayesian.mediation.panels import GROUPED, SPEC, TWO, simulated


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


@pytest.mark.slow(minutes=6)
def test_coverage_over_simulated_panels(seed):
    """200 panels, two mediators, four groups whose paths a and b correlate: 95 % intervals of average effects cover
    within binomial error; those of groups too, their truths drawn from a normal population as the model assumes."""
    n_panels, covered, seen = 200, {}, {}
    for number in range(n_panels):
        own = seed + number
        random = np.random.default_rng([9, own])
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
            seed=own,
        )
        fit = bn.mediate(panel, GROUPED, ["mediator_1", "mediator_2"], draws=500, chains=2, seed=own + 1)
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
    lo, hi = share_band(n_panels, 0.95, comparisons=len(seen))  # groups of one panel are not independent
    for key, count in seen.items():
        assert lo <= covered[key] / count <= hi, (key, covered[key] / count)


def test_errors_of_mediators_correlate_as_their_residuals_do():
    """The correlation of errors in a draw, by hand."""
    panel = simulated(n_units=12, n_periods=6, **TWO)
    found = bn.mediate(panel, GROUPED, ["mediator_1", "mediator_2"], draws=250, seed=1)
    fits = [found.equations[name] for name in found.mediators]
    correlation = found.correlated_errors.correlation
    residuals = []
    for fit in fits:
        own = {name: draws[7:8] for name, draws in fit.parameters(len(found.direct)).items()}
        residuals.append((fit.data.outcome - fitted_values(own, fit.data))[0])
    first, second = residuals
    expected = first @ second / np.sqrt((first @ first) * (second @ second))
    assert correlation[7, 0, 1] == pytest.approx(expected, rel=1e-10)
