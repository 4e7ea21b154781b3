"""The wild bootstrap with Driscoll-Kraay and two-way errors against one that refits every sign vector."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.least_squares.few_clusters import measured
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.frequentist.least_squares.wild_bootstrap import wild_p_value, wild_weights
from bayes_npp.frequentist.least_squares.wild_sandwich import wild_sandwich
from bayes_npp.panels.simulation import simulate
from tests.bands import share_band

SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
GROUPED = {**SPEC.model_dump(), "slopes": "group"}
ERRORS = {"driscoll_kraay": ("driscoll_kraay", "unit"), "two-way": ("clustered", ("unit", "time"))}
CASES = [
    ("two-way", {}, 0.0),
    ("two-way", {}, 0.3),
    ("unit", {}, 0.3),
    ("time", {}, 0.3),
    ("none", {}, 0.3),
    ("two-way", {"unit_trends": True}, 0.0),
    ("two-way", {"exposure_factor": "fixed"}, 0.0),
    ("two-way", {"group_time_effects": "group"}, 0.2),
]


def panel_of(n_units, n_times, missing=0.0, seed=5):
    slopes = {"north": 0.4, "south": 0.0}
    frame = simulate(n_units, n_times, slopes, missing=missing, unit_scale_sd=0.4, autocorrelation=0.4, seed=seed).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def refitted(design, effects, errors, combination, draws):
    """p-value and infeasible draws: every outcome made anew, every standard error by the covariance itself."""
    fit = linear_fit(design, effects, errors[0], "stata", cluster=errors[1])
    h = fit.solved.influence @ combination
    restricted = fit.residuals + h * (combination @ fit.coefficients) / (h @ h)
    index = min(fit.spread.clusters, key=lambda one: one.size).index
    own = (combination @ fit.coefficients) ** 2 / (combination @ fit.covariance @ combination)
    extreme = infeasible = 0
    for draw in draws:
        drawn = linear_fit(
            replace(design, outcome=restricted * draw[index]), effects, errors[0], "stata", cluster=errors[1]
        )
        variance = combination @ drawn.covariance @ combination
        if not variance > 1e-12 * (combination @ fit.covariance @ combination):
            infeasible += 1
        elif (combination @ drawn.coefficients) ** 2 / variance >= own * (1 - 1e-8):
            extreme += 1
    return extreme / (len(draws) - infeasible), infeasible


@pytest.mark.parametrize("errors", list(ERRORS.values()), ids=list(ERRORS))
@pytest.mark.parametrize(("effects", "options", "missing"), CASES)
def test_p_values_of_a_literal_bootstrap(effects, options, missing, errors):
    design = build_design(panel_of(12, 6, missing), bn.Spec(**{**GROUPED, **options}))
    fit = linear_fit(design, effects, errors[0], "stata", cluster=errors[1])
    combination = np.zeros(len(fit.names))
    combination[:2] = 1.0, -1.0
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
    wanted, infeasible = refitted(design, effects, errors, combination, every)
    found = wild_sandwich(design, effects, fit.solved, fit.spread, combination)
    assert found.p_value == pytest.approx(wanted, abs=1e-12)
    assert (found.clusters, found.size, found.draws, 2 * found.infeasible) == ("periods", 6, 32, infeasible)


def test_units_are_drawn_where_they_are_fewer():
    design = build_design(panel_of(6, 14), SPEC)
    errors = ERRORS["two-way"]
    fit = linear_fit(design, "two-way", errors[0], "stata", cluster=errors[1])
    found = wild_sandwich(design, "two-way", fit.solved, fit.spread, np.array([1.0, 0.0]))
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
    wanted, _ = refitted(design, "two-way", errors, np.array([1.0, 0.0]), every)
    assert (found.clusters, found.size) == ("units", 6)
    assert found.p_value == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("effects", "options", "missing"), CASES)
def test_with_units_as_clusters_it_is_the_fast_bootstrap(effects, options, missing):
    design = build_design(panel_of(12, 6, missing), bn.Spec(**{**GROUPED, **options}))
    fit = linear_fit(design, effects, "clustered", "stata")
    one = np.eye(len(fit.names))[0]
    for draws in (199, 9999):
        found = wild_sandwich(design, effects, fit.solved, fit.spread, one, draws=draws, seed=3)
        assert found.p_value == pytest.approx(wild_p_value(design, effects, fit.solved, one, draws, 3), abs=1e-12)


def test_draws_without_a_positive_variance_are_left_out_and_named():
    """Two-way variances may be negative: boottest deletes such draws."""
    errors, one = ERRORS["two-way"], np.array([1.0, 0.0])
    seeds = []
    for seed in range(20):
        panel = panel_of(12, 5, seed=seed)
        design = build_design(panel, SPEC)
        fit = linear_fit(design, "two-way", errors[0], "stata", cluster=errors[1])
        found = wild_sandwich(design, "two-way", fit.solved, fit.spread, one)
        if np.isnan(found.p_value):
            assert np.isnan(fit.spread.variance(one))
        elif found.infeasible:
            seeds.append(seed)
            note = bn.twfe(panel, SPEC, cluster=("unit", "time")).frame["note"].iloc[0]
            assert f"{found.infeasible} of 16 draws have no positive variance" in note
    assert seeds


def test_many_clusters_are_drawn():
    design = build_design(panel_of(24, 20), SPEC)
    fit = linear_fit(design, "two-way", "driscoll_kraay", "stata")
    one = np.array([0.0, 1.0])
    found = wild_sandwich(design, "two-way", fit.solved, fit.spread, one, draws=199, seed=7)
    drawn = np.concatenate(list(wild_weights(20, "rademacher", 199, 7)))
    share, _ = refitted(design, "two-way", ERRORS["driscoll_kraay"], one, drawn)
    assert found.p_value == pytest.approx((1 + share * 199) / 200, abs=1e-12)


@pytest.mark.parametrize("errors", list(ERRORS.values()), ids=list(ERRORS))
def test_rows_with_few_periods_show_it(errors):
    panel = panel_of(30, 9)
    frame = bn.twfe(panel, SPEC, errors[0], cluster=errors[1]).frame
    fit = linear_fit(build_design(panel, SPEC), "two-way", errors[0], "stata", cluster=errors[1])
    cell = measured("TWFE", f"wild_{fit.spread.kind}", 30, 9)
    assert (cell.units, cell.periods, cell.panels) == (30, 9, 1000)
    for one, note in zip(np.eye(2), frame["note"], strict=True):
        p = wild_sandwich(fit.design, "two-way", fit.solved, fit.spread, one).p_value
        assert f"wild bootstrap of periods, null imposed: p = {p:.3g} (all 512 sign vectors of 9 periods" in note
        assert str(cell) in note
    plenty = bn.twfe(panel_of(30, 12), SPEC, errors[0], cluster=errors[1]).frame["note"]
    assert not plenty.str.contains("wild").any()
    grouped = bn.twfe(panel, bn.Spec(**GROUPED), errors[0], cluster=errors[1]).frame.set_index("estimand")
    share = measured("slope difference", f"wild_{fit.spread.kind}", 15, 9)
    assert str(share) in grouped.loc["slope_difference", "note"]


def test_its_measured_size():
    """Independent noise, 30 units: at most 5 % and Monte Carlo error."""
    for kind in ("wild_driscoll_kraay", "wild_two_way_clustered"):
        for estimator in ("pooled OLS", "FE unit", "FE time", "TWFE"):
            for periods in (9, 30):
                cell = measured(estimator, kind, 30, periods)
                assert (cell.units, cell.periods) == (30, periods)
                assert cell.share <= share_band(1000, 0.05)[1]
