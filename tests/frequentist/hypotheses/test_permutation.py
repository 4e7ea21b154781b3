"""Permutation of whole units: against regressions run one by one, its size among exchangeable units, unequal scales.

Tolerances: the same algebra, 1e-8 relative. Shares of rejected worlds: four binomial standard errors.
"""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.hypotheses.permutation import permute_units, subset_slopes, unit_moments

SPEC = bn.Spec(outcome="y", exposure="x", controls=("c",))


def world(rng, sizes, periods=6, scale=(1.0, 1.0), missing=0.0, persistence=0.6):
    """Equal slopes in two groups, errors AR(1), one error SD a group."""
    n = sum(sizes)
    group = np.repeat(["a", "b"], sizes)
    draws = rng.standard_normal((3, n, periods))
    for t in range(1, periods):
        draws[:, :, t] = persistence * draws[:, :, t - 1] + np.sqrt(1 - persistence**2) * draws[:, :, t]
    x, c, e = draws
    e = e * np.where(group == "a", *scale)[:, None]
    y = 0.5 * x + 0.3 * c + e + rng.standard_normal((n, 1)) + rng.standard_normal(periods)
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"u{i:02d}" for i in range(n)], periods),
            "time": np.tile(np.arange(periods), n),
            "group": np.repeat(group, periods),
            "y": y.ravel(),
            "x": x.ravel(),
            "c": c.ravel(),
        }
    )
    return frame[rng.random(len(frame)) >= missing].reset_index(drop=True)


def panel_of(frame):
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.mark.parametrize(("missing", "trends"), [(0.0, False), (0.2, False), (0.0, True)])
def test_any_set_of_units_is_its_own_regression(missing, trends):
    panel = panel_of(world(np.random.default_rng(5), (5, 4), missing=missing))
    spec = bn.Spec(**{**SPEC.model_dump(), "unit_trends": trends})
    design = build_design(panel, spec)
    members = np.array([[i in own for i in range(9)] for own in ((0, 1, 2, 3), (2, 4, 5, 7, 8), tuple(range(9)))])
    moments = unit_moments(design)
    slopes, variances = subset_slopes(moments, members)
    for own, slope, variance in zip(members, slopes, variances, strict=True):
        some = panel.frame[panel.frame["unit"].isin(np.array(design.units)[own])]
        row = bn.twfe(panel_of(some), spec, convention="cr1").frame.iloc[0]
        assert slope * moments.unit == pytest.approx(row["estimate"], rel=1e-8)
        assert np.sqrt(variance) * moments.unit == pytest.approx(row["spread"], rel=1e-8)


def test_all_arrangements_are_regressions_run_one_by_one():
    panel = panel_of(world(np.random.default_rng(7), (4, 4)))
    design = build_design(panel, SPEC)
    first = np.arange(8) < 4
    found = permute_units(design, first)

    @functools.cache  # every side is also the other one's
    def row_of(*units):
        some = panel.frame[panel.frame["unit"].isin(np.array(design.units)[list(units)])]
        return bn.twfe(panel_of(some), SPEC, convention="cr1").frame.iloc[0]

    gaps, ratios = [], []
    for chosen in itertools.combinations(range(8), 4):
        rows = [row_of(*chosen), row_of(*(unit for unit in range(8) if unit not in chosen))]
        gap = rows[0]["estimate"] - rows[1]["estimate"]
        gaps.append(gap)
        ratios.append(gap / np.hypot(rows[0]["spread"], rows[1]["spread"]))
    gaps, ratios = np.abs(gaps), np.abs(ratios)
    assert (found.exact, found.arrangements, found.strata) == (True, 70, 1)
    assert found.difference == pytest.approx(gaps[0] * np.sign(found.difference), rel=1e-8)
    assert abs(found.studentised) == pytest.approx(ratios[0], rel=1e-8)
    assert found.p_plain == pytest.approx((gaps >= gaps[0] * (1 - 1e-9)).mean())
    assert found.p_studentised == pytest.approx((ratios >= ratios[0] * (1 - 1e-9)).mean())


def test_draws_approach_all_arrangements_and_repeat_with_their_seed():
    design = build_design(panel_of(world(np.random.default_rng(8), (6, 6))), SPEC)
    first = np.arange(12) < 6
    exact = permute_units(design, first)
    drawn = permute_units(design, first, draws=900, seed=3)
    assert exact.exact
    assert not drawn.exact
    assert drawn.p_plain == pytest.approx(exact.p_plain, abs=4 * np.sqrt(0.25 / 900))
    assert drawn == permute_units(design, first, draws=900, seed=3)
    assert drawn.p_plain != permute_units(design, first, draws=900, seed=4).p_plain
    assert round(drawn.p_plain * 901) == pytest.approx(drawn.p_plain * 901)  # (1 + number) / (1 + draws)


def test_units_change_groups_among_units_with_the_same_periods():
    frame = world(np.random.default_rng(9), (6, 6))
    early = frame["unit"].isin([f"u{i:02d}" for i in (0, 1, 2, 6, 7, 8)])
    frame = frame[~(early & (frame["time"] == 5))]
    found = permute_units(build_design(panel_of(frame), SPEC), np.arange(12) < 6)
    assert (found.strata, found.arrangements) == (2, 20 * 20)
    lone = frame[~((frame["unit"] == "u03") & (frame["time"] == 4))]  # one unit with periods of its own stays
    assert permute_units(build_design(panel_of(lone), SPEC), np.arange(12) < 6).arrangements == 20 * 10
    ragged = world(np.random.default_rng(9), (6, 6), missing=0.3)
    assert permute_units(build_design(panel_of(ragged), SPEC), np.arange(12) < 6).strata == 0  # approximate, and said


@pytest.mark.slow(minutes=4)
def test_p_values_are_uniform_where_units_are_exchangeable(seed):
    """1,000 worlds of 8 and 8 units with the same error scale: both p-values, in tenths, and below 0.05."""
    rng = np.random.default_rng(20 + seed)
    first = np.arange(16) < 8
    found = [permute_units(build_design(panel_of(world(rng, (8, 8))), SPEC), first, 199, k) for k in range(1000)]
    for p in ([one.p_plain for one in found], [one.p_studentised for one in found]):
        counts = np.histogram(p, np.linspace(0, 1, 11) + 1e-9)[0]
        assert ((counts - 100) ** 2 / 100).sum() < 33.7  # chi-square(9): one in ten thousand
        assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1000))


@pytest.mark.slow(minutes=2)
def test_unequal_scales_break_the_plain_one_and_the_studentised_one_repairs_it(seed):
    """Twelve units with three times the error SD beside 36: equal slopes, so every rejection is false."""
    rng = np.random.default_rng(40 + seed)
    first = np.arange(48) < 12
    worlds = (world(rng, (12, 36), scale=(3.0, 1.0)) for _ in range(400))
    found = [permute_units(build_design(panel_of(one), SPEC), first, 199, k) for k, one in enumerate(worlds)]
    plain = np.mean([one.p_plain <= 0.05 for one in found])
    studentised = np.mean([one.p_studentised <= 0.05 for one in found])
    assert plain > 0.15
    # Valid asymptotically: with ten to fifteen units 0.04 to 0.09 of true nulls are rejected (docs/statistics.md, 8.2).
    assert studentised < 0.09 + 4 * np.sqrt(0.09 * 0.91 / 400)
    assert studentised < plain / 2
