"""Effects beyond units and periods against dense dummies and trends."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.least_squares.absorbed import absorb, slope_weights
from tests.conftest import SLOPES
from tests.frequentist.hypotheses.test_equal_slopes import dense

MORE = {
    "unit trends": {"unit_trends": True},
    "group by period": {"group_time_effects": "group"},
    "both": {"unit_trends": True, "group_time_effects": "group"},
}


def dummies_of(frame, spec, effects):
    """All dummies and trends of a specification, redundant ones included."""
    units = pd.get_dummies(frame["unit"]).to_numpy(dtype=float)
    parts = [units] if effects in ("unit", "two-way") else []
    if spec.unit_trends:
        parts.append(units * (frame[["time"]].to_numpy(dtype=float) - frame["time"].mean()))
    if effects in ("time", "two-way"):
        cells = frame["group"] + frame["time"].astype(str) if spec.group_time_effects else frame["time"]
        parts.append(pd.get_dummies(cells).to_numpy(dtype=float))
    return np.column_stack(parts)


def with_spec(spec, **changes):
    return bn.Spec(**{**spec.model_dump(), **changes})


def by_hand(panel, spec, effects):
    frame = panel.frame
    x = frame[["exposure", "control_1", "control_2"]].to_numpy()
    return dense(frame["outcome"].to_numpy(), x, dummies_of(frame, spec, effects), frame["unit"])


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_absorbed_effects_equal_dense_dummies(more, simulated, grouped_spec):
    spec = with_spec(grouped_spec, slopes=None, **more)
    beta, covariance = by_hand(simulated, spec, "two-way")
    ours = bn.twfe(simulated, spec, convention="hc0").frame
    np.testing.assert_allclose(ours["estimate"], beta, rtol=1e-8)
    np.testing.assert_allclose(ours["spread"], np.sqrt(np.diag(covariance)), rtol=1e-8)


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_conventions_count_the_dummies_that_they_are(more, simulated, grouped_spec):
    spec = with_spec(grouped_spec, slopes=None, **more)
    rank = np.linalg.matrix_rank(dummies_of(simulated.frame, spec, "two-way"), tol=1e-8)
    n, units = len(simulated.frame), simulated.frame["unit"].nunique()
    spread = {
        c: bn.twfe(simulated, spec, convention=c).frame["spread"].iloc[0] for c in ("hc0", "sss", "stata", "lsdv")
    }
    counted = {"sss": 3, "stata": 3 + rank - units + 1, "lsdv": 3 + rank}
    for convention, k in counted.items():
        factor = units / (units - 1) * (n - 1) / (n - k)
        assert (spread[convention] / spread["hc0"]) ** 2 == pytest.approx(factor, rel=1e-10), convention
    classical = bn.twfe(simulated, spec, "classical").frame.iloc[0]
    assert classical["convention"].endswith(f"K = {3 + rank} parameters; t({n - 3 - rank})")


@pytest.mark.parametrize(
    ("effects", "more"), [("unit", {"unit_trends": True}), ("time", {"group_time_effects": "group"})]
)
def test_one_way_effects_with_more(effects, more, unbalanced, grouped_spec):
    spec = with_spec(grouped_spec, slopes=None, **more)
    beta, covariance = by_hand(unbalanced, spec, effects)
    ours = bn.fixed_effects(unbalanced, spec, effects, convention="hc0").frame
    np.testing.assert_allclose(ours["estimate"], beta, rtol=1e-8)
    np.testing.assert_allclose(ours["spread"], np.sqrt(np.diag(covariance)), rtol=1e-8)


def test_residuals_are_orthogonal_to_what_is_absorbed(unbalanced, grouped_spec):
    design = build_design(unbalanced, with_spec(grouped_spec, **MORE["both"]))
    columns = np.column_stack([design.outcome, design.exposure]) + 1e6
    absorbed = absorb(columns, design, "two-way")
    dummies = dummies_of(unbalanced.frame, design.spec, "two-way")
    assert abs(dummies.T @ absorbed.residual).max() < 1e-6
    assert absorbed.n_units + absorbed.n_others + 1 == np.linalg.matrix_rank(dummies, tol=1e-8)


def test_a_trend_runs_by_time_and_not_by_row():
    """A gap of three periods counts as three: outcomes that are exact trends leave nothing."""
    frame = bn.simulate(8, 9, SLOPES, seed=3).frame
    frame = frame[~frame["time"].isin([3, 4])].reset_index(drop=True)
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", unit_trends=True)
    design = build_design(panel, spec)
    trend = (design.unit + 1) * np.array(design.times, dtype=float)[design.time]
    assert abs(absorb(trend[:, None], design, "two-way").residual).max() < 1e-9


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_average_of_group_slopes_keeps_its_identity(more, simulated, grouped_spec):
    spec = with_spec(grouped_spec, **more)
    grouped = bn.twfe(simulated, spec).frame
    plain = bn.twfe(simulated, with_spec(spec, slopes=None)).frame.iloc[0]
    average = grouped[grouped["estimand"] == "average_slope_twfe_weighted"].iloc[0]
    assert average["estimate"] == pytest.approx(plain["estimate"], rel=1e-8)
    assert slope_weights(build_design(simulated, spec)).sum() == pytest.approx(1.0)
