"""Confounding: Darfur's printed numbers, the bias formula by construction, contrasts of groups.

Tolerances: printed digits of Cinelli & Hazlett's program (1e-6 of robustness values, 5e-6 of bounds); the same algebra
1e-9 relative.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.hypotheses.confounding import confounding_of
from tests.conftest import REFERENCE
from tests.frequentist.hypotheses.test_permutation import SPEC, panel_of, world

GOLDEN = pd.read_csv(REFERENCE / "textbook.csv").query("dataset == 'Darfur'").set_index("term")["estimate"]


@pytest.fixture(scope="module")
def darfur():
    frame = pd.read_csv(REFERENCE / "darfur.csv")
    frame["village"] = "v" + pd.Series(pd.factorize(frame["village"])[0]).astype(str)
    frame["person"] = frame.groupby("village").cumcount()
    panel = bn.read_panel(frame, unit="village", time="person")
    controls = ("age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female")
    spec = bn.Spec(outcome="peacefactor", exposure="directlyharmed", controls=controls)
    return bn.confounding(panel, spec, ("female",), effects="unit")


def test_darfur(darfur):
    assert "robustness value 0.1388, at alpha = 0.05 0.0763" in repr(darfur)
    assert darfur.robustness_value == pytest.approx(GOLDEN["robustness value q=1"], abs=1e-6)
    assert darfur.robustness_value_alpha == pytest.approx(GOLDEN["robustness value alpha=.05"], abs=5e-8)
    assert darfur.partial_r2 == pytest.approx(GOLDEN["partial R2"], abs=5e-9)
    assert darfur.df == 783
    for k in (1, 2, 3):
        row = darfur.bounds[darfur.bounds["k"] == k].iloc[0]
        assert row["estimate"] == pytest.approx(GOLDEN[f"bound {k}x female"], abs=5e-6)


@pytest.fixture(scope="module")
def pair(simulated, grouped_spec):
    """The regression without control_2, and with it."""
    full = bn.Spec(**{**grouped_spec.model_dump(), "slopes": None})
    short = bn.Spec(**{**full.model_dump(), "controls": ("control_1",)})
    return simulated, short, full


def test_the_strength_of_a_control_that_was_left_out_gives_back_the_full_regression(pair):
    panel, short, full = pair
    found = bn.confounding(panel, short)
    row = bn.twfe(panel, full, covariance="classical").frame.iloc[0]
    own = next(one for one in bn.confounding(panel, full).benchmarks if one.name == "control_2")
    estimate, se = found.adjusted(own.r2_dx, own.r2_yx)
    gap = found.estimate - row["estimate"]
    moved = found.estimate - estimate
    assert abs(moved) == pytest.approx(abs(gap), rel=1e-9)
    assert se == pytest.approx(row["spread"], rel=1e-9)
    if np.sign(gap) == np.sign(found.estimate):  # the bias was away from zero: then the estimate itself comes back
        assert estimate == pytest.approx(row["estimate"], rel=1e-9)


def test_a_benchmark_that_is_the_omitted_control_itself(produc):
    """A copy of a control, made independent of the others, bounds itself: k = 1 gives its own strength."""
    rng = np.random.default_rng(1)
    n_units, n_times = 12, 8
    unit, time = np.repeat(np.arange(n_units), n_times), np.tile(np.arange(n_times), n_units)
    dummies = np.column_stack([np.eye(n_units)[unit], np.eye(n_times)[time]])
    draws = rng.standard_normal((len(unit), 3))
    draws -= dummies @ np.linalg.lstsq(dummies, draws, rcond=None)[0]
    benchmark, hidden, own = np.linalg.qr(draws)[0].T * np.sqrt(len(unit))
    x = 0.5 * benchmark + 0.5 * hidden + own
    y = 0.3 * x + 0.4 * benchmark + 0.4 * hidden + rng.standard_normal(len(unit))
    frame = pd.DataFrame({"unit": unit, "time": time, "x": x, "b": benchmark, "h": hidden})
    noise = y - 0.3 * x - 0.4 * benchmark - 0.4 * hidden
    every = np.column_stack([dummies, x, benchmark, hidden])
    noise -= every @ np.linalg.lstsq(every, noise, rcond=None)[0]
    frame["y"] = 0.3 * x + 0.4 * benchmark + 0.4 * hidden + noise
    panel = bn.read_panel(frame, unit="unit", time="time")
    short = bn.Spec(outcome="y", exposure="x", controls=("b",))
    row = bn.confounding(panel, short, multiples=(1,)).bounds.iloc[0]
    full = bn.twfe(panel, bn.Spec(**{**short.model_dump(), "controls": ("b", "h")}), covariance="classical").frame
    assert row["estimate"] == pytest.approx(full.iloc[0]["estimate"], rel=1e-9)
    assert row["estimate"] == pytest.approx(0.3, rel=1e-9)
    assert row["se"] == pytest.approx(full.iloc[0]["spread"], rel=1e-9)


def test_clustered_robustness_value_is_the_root(pair):
    """The strength at which the adjusted estimate is t_crit(G - 1) clustered errors, scaled as the classical."""
    panel, short, _ = pair
    found = bn.confounding(panel, short)
    clustered = bn.twfe(panel, short).frame.iloc[0]["spread"]
    critical = stats.t.ppf(0.975, len(panel.frame["unit"].unique()) - 1)

    def excess(r):
        estimate, se = found.adjusted(r, r)
        return abs(estimate) * np.sign(estimate * found.estimate) - critical * se * clustered / found.se

    root = brentq(excess, 0, 0.999) if excess(0) > 0 else 0.0
    assert found.robustness_value_alpha_clustered == pytest.approx(root, rel=1e-6)
    assert found.clusters == 24
    assert found.robustness_value_alpha != pytest.approx(found.robustness_value_alpha_clustered)


def test_robustness_value_takes_the_estimate_away(pair):
    panel, short, _ = pair
    found = bn.confounding(panel, short)
    assert found.adjusted(found.robustness_value, found.robustness_value)[0] == pytest.approx(0, abs=1e-10)
    half = bn.confounding(panel, short, q=0.5)
    kept = half.adjusted(half.robustness_value, half.robustness_value)[0]
    assert kept == pytest.approx(found.estimate / 2, rel=1e-9)
    grid = found.grid(np.array([0.0, 0.1]), np.array([0.0, 0.2]))
    assert grid[0] == pytest.approx([found.estimate] * 2)
    assert grid[1, 1] == pytest.approx(found.adjusted(0.1, 0.2)[0])


def test_a_difference_of_groups_is_the_coefficient_of_its_own_column(simulated, grouped_spec):
    """north less south by confounding_of, and by one regression in which that difference is a coefficient."""
    design = build_design(simulated, grouped_spec)
    weights = np.zeros(3)
    one, two = design.groups.index("north"), design.groups.index("south")
    weights[one], weights[two] = 1, -1
    found = confounding_of(design, weights)
    frame = simulated.frame.copy()
    member = {g: (frame["group"] == g).to_numpy(dtype=float) for g in design.groups}
    frame["first"] = frame["exposure"] * (member["north"] - member["south"]) / 2
    frame["both"] = frame["exposure"] * (member["north"] + member["south"])
    frame["rest"] = frame["exposure"] * member["west"]
    panel = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="outcome", exposure="first", controls=("control_1", "control_2", "both", "rest"))
    direct = bn.confounding(panel, spec, ("control_1", "control_2"))
    for name in ("estimate", "se", "df", "partial_r2", "robustness_value", "robustness_value_alpha"):
        assert getattr(found, name) == pytest.approx(getattr(direct, name), rel=1e-8), name
    numbers = ["r2_dz", "r2_yz", "estimate", "se", "lo", "hi"]
    assert found.bounds[numbers].to_numpy() == pytest.approx(direct.bounds[numbers].to_numpy(), rel=1e-7)


def test_a_difference_with_a_group_of_three_units_has_no_clustered_value():
    panel = panel_of(world(np.random.default_rng(3), (3, 12), periods=9))
    design = build_design(panel, bn.Spec(**{**SPEC.model_dump(), "slopes": "group"}))
    found = confounding_of(design, np.array([1.0, -1.0]))
    assert np.isnan(found.robustness_value_alpha_clustered)
    assert found.robustness_value > 0
    average = confounding_of(design, np.array([0.2, 0.8]))
    assert not np.isnan(average.robustness_value_alpha_clustered)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"benchmarks": ("control_3",)}, "benchmark 'control_3' is no control"),
        ({"benchmarks": ("exposure",)}, "benchmark 'exposure' is no control"),
        ({"multiples": (0.0,)}, "multiples"),
        ({"q": 0.0}, "q = 0"),
        ({"alpha": 1.0}, "alpha = 1"),
        ({"effects": "both"}, "unknown effects"),
    ],
)
def test_bad_input(pair, options, problem):
    panel, _, full = pair
    with pytest.raises(SpecError, match=problem):
        bn.confounding(panel, full, **options)


def test_slopes_and_impossible_strengths_are_refused(simulated, grouped_spec, pair):
    with pytest.raises(SpecError, match="one slope"):
        bn.confounding(simulated, grouped_spec)
    with pytest.raises(SpecError, match="partial R2"):
        bn.confounding(*pair[:2]).adjusted(1.0, 0.5)


def test_a_control_too_strong_says_so():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"unit": np.repeat(np.arange(20), 6), "time": np.tile(np.arange(6), 20)})
    frame["c"] = rng.standard_normal(120)
    frame["x"] = frame["c"] + 0.5 * rng.standard_normal(120)
    frame["y"] = frame["x"] + rng.standard_normal(120)
    spec = bn.Spec(outcome="y", exposure="x", controls=("c",))
    bounds = bn.confounding(bn.read_panel(frame, unit="unit", time="time"), spec).bounds
    assert bounds["estimate"].isna().all()
    assert bounds["note"].str.contains("would explain all of the exposure").all()
