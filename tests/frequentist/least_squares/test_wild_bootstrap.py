"""The fast wild cluster bootstrap against a literal one that refits every draw, and its size under the null."""

import itertools

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.least_squares.wild_bootstrap import wild_bootstrap, wild_weights
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.panels.simulation import simulate
from tests.bands import share_band

DRAWS = 199
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
GROUPED = bn.Spec(**{**SPEC.model_dump(), "slopes": "group"})


def panel_of(missing=0.0, n_units=15, seed=5, slopes=None):
    slopes = slopes or {"north": 0.4, "south": 0.0}
    frame = simulate(n_units, 6, slopes, missing=missing, unit_scale_sd=0.4, autocorrelation=0.4, seed=seed).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def everything(design, effects):
    """Regressors and all dummies as plain columns, of full rank."""
    spec, blocks = design.spec, [design.slope_columns, design.controls]
    unit, time = (np.eye(n) for n in (len(design.units), len(design.times)))
    if effects == "none":
        blocks.append(np.ones((design.n_obs, 1)))
    if effects in ("unit", "two-way"):
        blocks.append(unit[design.unit])
        if spec.unit_trends:
            blocks.append(unit[design.unit] * np.array(design.times)[design.time][:, None])
    if effects in ("time", "two-way"):
        cells = np.eye(len(design.group_times))[design.group_time] if spec.group_time_effects else time[design.time]
        blocks.append(cells)
    kept: list[np.ndarray] = []
    for column in np.column_stack(blocks).T:
        if np.linalg.matrix_rank(np.column_stack([*kept, column])) > len(kept):
            kept.append(column)
    return np.column_stack(kept)


def studentised(columns, outcome, unit, combination, null):
    """(c'b - null) / its clustered standard error without factor, by least squares on all columns."""
    bread = np.linalg.inv(columns.T @ columns)
    beta = bread @ columns.T @ outcome
    residuals = outcome - columns @ beta
    scores = columns * residuals[:, None]
    sums = np.array([scores[unit == u].sum(axis=0) for u in np.unique(unit)])
    direction = bread @ combination
    return (combination @ beta - null) / np.sqrt(((sums @ direction) ** 2).sum())


def literal_p(design, effects, combination, null, weights, enumerated):
    """Refits the restricted model, and the full one for every draw."""
    columns = everything(design, effects)
    padded = np.append(combination, np.zeros(columns.shape[1] - len(combination)))
    bread = np.linalg.inv(columns.T @ columns)
    beta = bread @ columns.T @ design.outcome
    restricted = beta - bread @ padded * (padded @ beta - null) / (padded @ bread @ padded)
    fitted, residuals = columns @ restricted, design.outcome - columns @ restricted
    own = abs(studentised(columns, design.outcome, design.unit, padded, null))
    drawn = np.array(
        [
            abs(studentised(columns, fitted + residuals * draw[design.unit], design.unit, padded, null))
            for draw in weights
        ]
    )
    count = (drawn >= own * (1 - 1e-8)).sum()
    return count / len(weights) if enumerated else (1 + count) / (1 + len(weights))


CASES = [
    ("two-way", {}, 0.0),
    ("two-way", {}, 0.3),
    ("unit", {}, 0.3),
    ("time", {}, 0.3),
    ("none", {}, 0.3),
    ("two-way", {"unit_trends": True}, 0.0),
    ("two-way", {"group_time_effects": "group"}, 0.2),
]


@pytest.mark.parametrize(("effects", "options", "missing"), CASES)
@pytest.mark.parametrize("weights", ["rademacher", "webb"])
def test_p_values_and_interval_ends_of_a_literal_bootstrap(effects, options, missing, weights):
    panel = panel_of(missing)
    design = build_design(panel, bn.Spec(**{**GROUPED.model_dump(), **options}))
    fit = within_fit(design, effects)
    size = len(fit.names)
    combinations = np.zeros((3, size))
    combinations[0, 0] = combinations[1, 0] = combinations[2, 2] = 1.0
    combinations[1, 1] = -1.0
    drawn = np.concatenate(list(wild_weights(len(design.units), weights, DRAWS, 7)))
    assert drawn.shape == (DRAWS, 15)
    rows = wild_bootstrap(design, effects, fit, combinations, weights=weights, draws=DRAWS, seed=7)
    for combination, row in zip(combinations, rows, strict=True):
        # The constant of pooled OLS stands last among our coefficients and among the literal columns.
        assert row.p_value == pytest.approx(literal_p(design, effects, combination, 0.0, drawn, False), abs=1e-12)
        width = row.hi - row.lo
        for end, inward in ((row.lo, 1), (row.hi, -1)):
            accepted = literal_p(design, effects, combination, end + inward * 1e-7 * width, drawn, False)
            rejected = literal_p(design, effects, combination, end - inward * 1e-7 * width, drawn, False)
            assert accepted > 0.05 >= rejected


def test_all_sign_vectors_of_few_units():
    panel = panel_of(n_units=7)
    design = build_design(panel, SPEC)
    fit = within_fit(design, "two-way")
    row = wild_bootstrap(design, "two-way", fit, np.eye(2)[:1], draws=999)[0]
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=7)))
    assert row.p_value == pytest.approx(literal_p(design, "two-way", np.array([1.0, 0.0]), 0.0, every, True), abs=1e-12)
    frame = bn.twfe(panel, SPEC, covariance="wild_bootstrap", draws=999).frame
    assert frame["convention"].str.contains("all 128 sign vectors").all()
    assert frame["p_value"].iloc[0] == row.p_value
    drawn = bn.twfe(panel, SPEC, covariance="wild_bootstrap", draws=127).frame
    assert drawn["convention"].str.contains("127 draws, seed 1").all()


def test_the_table_holds_clustered_errors_and_bootstrap_intervals(simulated, grouped_spec):
    clustered = bn.twfe(simulated, grouped_spec).frame
    options = {"covariance": "wild_bootstrap", "weights": "webb", "draws": 999, "seed": 3}
    wild = bn.twfe(simulated, grouped_spec, **options).frame
    pd.testing.assert_frame_equal(
        wild[["term", "group", "estimand", "estimate", "spread"]],
        clustered[["term", "group", "estimand", "estimate", "spread"]],
    )
    assert (wild["lo"] < wild["estimate"]).all()
    assert (wild["estimate"] < wild["hi"]).all()
    # The interval and the p-value are the same test.
    outside = (wild["lo"] > 0) | (wild["hi"] < 0)
    assert (outside == (wild["p_value"] <= 0.05)).all()
    assert set(wild["covariance"]) == {"clustered by unit, wild bootstrap-t"}
    for word in ("null imposed", "Webb weights", "999 draws, seed 3", "test inversion", "stata"):
        assert wild["convention"].str.contains(word).all()
    pd.testing.assert_frame_equal(wild, bn.twfe(simulated, grouped_spec, **options).frame)
    other = bn.twfe(simulated, grouped_spec, **{**options, "seed": 4}).frame
    assert (other["p_value"] != wild["p_value"]).any()


def test_four_units_give_no_interval():
    panel = panel_of(n_units=4, slopes={"all": 0.3})
    frame = bn.twfe(panel, SPEC, covariance="wild_bootstrap").frame
    assert np.isneginf(frame["lo"]).all()
    assert np.isposinf(frame["hi"]).all()
    assert (frame["p_value"] >= 0.125).all()
    assert frame["note"].str.contains("the smallest possible p-value is 0.125").all()
    assert frame["note"].str.contains("the interval has no end there").all()


def test_three_units_give_no_p_value():
    """Before: p = 0.25 at least, and with two units p = 0 beside "the smallest possible p-value is 0.5"."""
    for n_units in (2, 3):
        panel = panel_of(n_units=n_units, slopes={"all": 0.3})
        frame = bn.twfe(panel, SPEC, covariance="wild_bootstrap").frame
        assert frame[["lo", "hi", "p_value"]].isna().all(axis=None)
        assert frame["estimate"].notna().all()
    design = build_design(panel_of(n_units=2, slopes={"all": 0.3}), SPEC)
    row = wild_bootstrap(design, "two-way", within_fit(design, "two-way"), np.eye(2)[:1])[0]
    assert np.isnan(row.p_value)
    assert "not positive" in row.note


def test_chunks_do_not_change_the_draws(monkeypatch):
    whole = np.concatenate(list(wild_weights(15, "webb", 500, 1)))
    monkeypatch.setattr("bayes_npp.frequentist.least_squares.wild_bootstrap.CHUNK_CELLS", 15 * 64)
    np.testing.assert_array_equal(np.concatenate(list(wild_weights(15, "webb", 500, 1))), whole)
    assert np.abs(whole.mean()) < 0.05
    assert np.abs((whole**2).mean() - 1) < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [({"weights": "normal"}, "unknown weights 'normal'"), ({"draws": 50}, "at least 99 draws"), ({"seed": -1}, "seed")],
)
def test_options_that_do_not_fit(options, message, produc, produc_spec):
    with pytest.raises(SpecError, match=message):
        bn.twfe(produc, produc_spec, covariance="wild_bootstrap", **options)


def test_joint_tests_refuse_the_bootstrap(produc, produc_spec):
    from bayes_npp.frequentist.least_squares.static import linear_fit

    with pytest.raises(SpecError, match="gives no covariance"):
        linear_fit(build_design(produc, produc_spec), "two-way", "wild_bootstrap", "stata")


@pytest.mark.slow(minutes=3)
def test_size_under_the_null_with_twelve_heteroskedastic_units(seed):
    """Nominal 5 %: 1,000 worlds; t with clustered errors rejects no less often, beyond the chance of a fair coin."""
    replications, rejected = 1000, []
    for own in range(seed, seed + replications):
        panel = panel_of(n_units=12, seed=1000 + own, slopes={"all": 0.0})
        design = build_design(panel, SPEC)
        row = wild_bootstrap(design, "two-way", within_fit(design, "two-way"), np.eye(2)[:1], draws=399, seed=own)[0]
        rejected.append((row.p_value <= 0.05, bn.twfe(panel, SPEC).frame["p_value"].iloc[0] <= 0.05))
    wild, plain = np.array(rejected).T
    lo, hi = share_band(replications, 0.05)
    assert lo <= wild.mean() <= hi
    only_wild, differ = (wild & ~plain).sum(), (wild != plain).sum()
    assert only_wild <= max(differ, 1) * share_band(max(differ, 1), 0.5)[1]
