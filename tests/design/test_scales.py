"""Scales of the priors: within SDs by dense projection, and what moves them."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.equations import Paths, equation_designs
from bayes_npp.bayesian.mediation.joint_fit import on_observed_scales
from bayes_npp.design.design import build_design
from bayes_npp.design.scales import removed_effects, within_sds
from bayes_npp.panels.simulation import simulate_mediation
from bayes_npp.study.study import load_study
from tests.conftest import TINY

EXACT = {"rtol": 1e-10}  # sums of a few hundred numbers, in another order


def dense(columns, unit, time, removed):
    """sqrt(RSS / (n - rank)) by least squares on dummies."""
    dummies = [np.ones((len(columns), 1))]
    dummies += [np.eye(index.max() + 1)[index] for name, index in (("unit", unit), ("time", time)) if name in removed]
    everything = np.hstack(dummies)
    left = columns - everything @ np.linalg.lstsq(everything, columns, rcond=None)[0]
    return np.sqrt((left**2).sum(axis=0) / (len(columns) - np.linalg.matrix_rank(everything)))


@pytest.mark.parametrize("removed", [(), ("unit",), ("time",), ("unit", "time")])
@pytest.mark.parametrize("shape", [(9, 6), (5, 14)], ids=["units", "periods"])
@pytest.mark.parametrize("kind", ["balanced", "gaps", "two parts"])
def test_within_sds_are_those_of_a_projection_on_dummies(removed, shape, kind):
    random = np.random.default_rng(3)
    unit, time = (index.ravel() for index in np.indices(shape))
    keep = np.ones(len(unit), dtype=bool)
    if kind == "gaps":
        keep = random.random(len(unit)) > 0.3
    if kind == "two parts":  # units that share no period with the others leave a dummy to spare
        keep = (unit < shape[0] // 2) == (time < shape[1] // 2)
    unit, time = (np.unique(index[keep], return_inverse=True)[1] for index in (unit, time))
    columns = random.standard_normal((keep.sum(), 3)) + 5 * unit[:, None] + time[:, None] ** 2
    sds, absorbed = within_sds(columns, unit, time, removed)
    np.testing.assert_allclose(sds, dense(columns, unit, time, removed), **EXACT)
    assert not absorbed.any()


def test_functions_of_unit_plus_functions_of_period_do_not_move_them(unbalanced, grouped_spec):
    frame, names = unbalanced.frame.copy(), ("outcome", "exposure", "control_1", "control_2")
    random = np.random.default_rng(1)
    for name in names:
        units = {unit: 40 * random.standard_normal() for unit in frame["unit"].unique()}
        times = {time: 10 * random.standard_normal() for time in frame["time"].unique()}
        frame[name] += frame["unit"].map(units) + frame["time"].map(times)
    moved = build_design(bn.read_panel(frame, unit="unit", time="time", group="group"), grouped_spec).scales
    own = build_design(unbalanced, grouped_spec).scales
    assert moved.outcome_sd == pytest.approx(own.outcome_sd, rel=1e-10)
    np.testing.assert_allclose(moved.of(*names[1:]), own.of(*names[1:]), **EXACT)
    assert moved.total_sd > 10 * own.total_sd
    assert moved.level == moved.total_sd / moved.outcome_sd


def test_a_column_that_effects_absorb_keeps_its_total_sd(simulated):
    by_unit = pd.factorize(simulated.frame["unit"])[0].astype(float)
    panel = simulated.with_column("by_unit", by_unit)
    scales = build_design(panel, bn.Spec(outcome="outcome", exposure="exposure", controls=("by_unit",))).scales
    assert scales.absorbed == ("by_unit",)
    assert scales.divisors["by_unit"] == pytest.approx(by_unit.std(ddof=1))


@pytest.mark.parametrize(
    ("keys", "removed"),
    [
        ({}, ("unit", "time")),
        ({"time_effects": "fixed", "unit_effects": "fixed"}, ("unit", "time")),
        ({"slopes": "unit", "time_effects": "none"}, ("unit",)),
        ({"slopes": "unit"}, ("unit", "time")),
        ({"unit_effects": "none", "time_effects": "none"}, ()),
        ({"unit_effects": "none", "transform": "first_difference"}, ("unit", "time")),
        ({"dynamic": True}, ("unit", "time")),
    ],
)
def test_which_effects_are_removed(simulated, keys, removed):
    spec = bn.Spec(outcome="outcome", exposure="exposure", **keys)
    assert removed_effects(spec, simulated) == removed
    assert build_design(simulated, spec).scales.removed == removed


def test_a_cross_section_has_total_sds(simulated):
    frame = simulated.frame.groupby("unit", as_index=False)[["outcome", "exposure"]].mean()
    panel = bn.read_panel(frame, unit="unit", time=None)
    spec = bn.Spec(outcome="outcome", exposure="exposure", time_effects="none", correlated_means=False)
    scales = build_design(panel, spec).scales
    assert scales.removed == ()
    assert scales.outcome_sd == pytest.approx(scales.total_sd)
    assert scales.total_sd == pytest.approx(frame["outcome"].std())
    assert scales.divisors["exposure"] == pytest.approx(frame["exposure"].std())


def test_first_differences_have_the_scales_of_levels(simulated):
    levels = bn.Spec(outcome="outcome", exposure="exposure")
    changes = bn.Spec(outcome="outcome", exposure="exposure", transform="first_difference")
    design = build_design(simulated, changes)
    kept = simulated.frame.set_index(["unit", "time"])
    before = kept.index.map(lambda key: (key[0], key[1] - 1) in kept.index)
    own = build_design(simulated, levels, where=np.array(before)).scales
    assert design.scales == own


def test_a_baseline_s_scales_stay_and_further_columns_follow_its_effects(simulated):
    baseline = build_design(simulated, bn.Spec(outcome="outcome", exposure="exposure")).scales
    later = simulated.frame["time"].to_numpy() > 3
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), time_effects="none")
    scales = build_design(simulated, spec, baseline, where=later).scales
    own = build_design(simulated, bn.Spec(outcome="outcome", exposure="control_1"), where=later).scales
    assert scales.outcome_sd == baseline.outcome_sd
    assert scales.divisors == {**baseline.divisors, "control_1": own.divisors["control_1"]}


def test_a_study_s_scales_are_within_the_effects_of_its_first_hierarchical_model(tmp_path):
    (tmp_path / "panel.csv").write_bytes((TINY / "panel.csv").read_bytes())
    for effects, removed in (("partial", ("unit", "time")), ("none", ("unit",))):
        (tmp_path / "study.toml").write_text(
            '[study]\ntitle = "Scales"\npanel = "panel.csv"\nunit = "unit"\ntime = "time"\n'
            '[roles]\noutcome = "first"\nexposure = "exposure"\n'
            '[[model]]\nname = "plain"\nkind = "twfe"\n'
            f'[[model]]\nname = "pooled"\nkind = "hierarchical"\ntime_effects = "{effects}"\n'
        )
        assert load_study(tmp_path).scales.removed == removed


def test_equations_of_a_mediation_share_one_scale_of_each_column():
    simulated = simulate_mediation(20, 8, seed=2)
    panel = bn.read_panel(simulated.frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure")
    designs, _ = equation_designs(panel, spec, ("mediator_1",), Paths())
    assert designs[0].scales.outcome_sd == designs[1].scales.divisors["mediator_1"]
    lagged, _ = equation_designs(panel, spec, ("mediator_1",), Paths(lags=(1, 1)))
    shared = panel.frame["time"] >= panel.frame["time"].min() + 2
    assert lagged[0].n_obs > lagged[1].n_obs == shared.sum()
    rows = panel.frame[shared]
    unit, time = (pd.factorize(rows[name])[0] for name in ("unit", "time"))
    expected = within_sds(rows[["mediator_1", "outcome"]].to_numpy(), unit, time, ("unit", "time"))[0]
    assert [design.scales.outcome_sd for design in lagged] == pytest.approx(list(expected))


def test_missing_cells_leave_a_mediator_s_scale_to_the_observed_ones():
    simulated = simulate_mediation(12, 6, seed=2)
    panel = bn.read_panel(simulated.frame, unit="unit", time="time", group="group")
    designs, _ = equation_designs(panel, bn.Spec(outcome="outcome", exposure="exposure"), ("mediator_1",), Paths())
    missing = np.random.default_rng(1).random(designs[0].n_obs) < 0.2
    both = on_observed_scales(designs, {"mediator_1": missing})
    seen = ~missing
    expected = within_sds(
        designs[0].outcome[seen, None], designs[0].unit[seen], designs[0].time[seen], ("unit", "time")
    )[0][0]
    assert both[0].scales.outcome_sd == both[1].scales.divisors["mediator_1"] == pytest.approx(expected)
    assert both[0].scales.total_sd == pytest.approx(designs[0].outcome[seen].std(ddof=1))
