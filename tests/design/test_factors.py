"""The exposure's own factors against a singular value decomposition, missing cells, and the default study's figures."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.factors import components, exposure_factors
from bayes_npp.design.projection import two_way_parts
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.least_squares.absorbed import absorb
from tests.frequentist.factors.test_interactive import PLAIN, SPEC, world


def with_factor(spec, **changes):
    return bn.Spec(**{**spec.model_dump(), "exposure_factor": "fixed", **changes})


@pytest.mark.parametrize(("count", "slope", "se"), [(1, 0.0344, 0.0410), (2, 0.0315, 0.0553)])
def test_figures_of_the_default_study(count, slope, se, study):
    row = bn.twfe(study.panel, with_factor(SPEC, exposure_factors=count), convention="cr1").frame.iloc[0]
    assert row["estimate"] == pytest.approx(slope, abs=5.1e-5)  # as printed, docs/statistics.md section 6
    assert row["spread"] == pytest.approx(se, abs=5.1e-5)


def test_unit_trends_in_the_default_study(study):
    row = bn.twfe(study.panel, bn.Spec(**{**SPEC.model_dump(), "unit_trends": True})).frame.iloc[0]
    assert row["estimate"] == pytest.approx(0.00037, abs=5.1e-6)  # as printed, docs/statistics.md section 6


def test_the_first_factor_of_exposure_and_controls_in_the_default_study(study):
    """Two-way residuals of the four columns, each over its own SD, stacked by unit; the loadings as dense dummies."""
    design = build_design(study.panel, SPEC)
    columns = np.column_stack([design.outcome, design.exposure, design.controls])
    residual = two_way_parts(columns, design.unit, design.time).residual
    tables = np.zeros((columns.shape[1], len(design.units), len(design.times)))
    tables[:, design.unit, design.time] = (residual / residual.std(axis=0)).T
    factor = components(tables[1:].reshape(-1, tables.shape[2]), 1)[:, 0]
    units, periods = np.eye(tables.shape[1])[design.unit], np.eye(tables.shape[2])[design.time]
    dummies = np.column_stack([units, units * factor[design.time][:, None], periods])
    left = columns - dummies @ np.linalg.lstsq(dummies, columns, rcond=None)[0]
    y, x = left[:, 0], left[:, 1:]
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    scores = units.T @ (x * (y - x @ slopes)[:, None])
    bread = np.linalg.inv(x.T @ x)
    n_units = tables.shape[1]
    assert slopes[0] == pytest.approx(-0.0098, abs=5.1e-5)  # as printed, docs/statistics.md section 6
    variance = (bread @ scores.T @ scores @ bread)[0, 0] * n_units / (n_units - 1)
    assert np.sqrt(variance) == pytest.approx(0.0304, abs=5.1e-5)


def test_columns_are_singular_vectors_of_what_two_way_effects_leave():
    design = build_design(world(1), PLAIN)
    table = np.zeros((30, 9))
    table[design.unit, design.time] = design.exposure
    table = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    right = np.linalg.svd(table)[2][:2]
    own = exposure_factors(design, 2)
    np.testing.assert_allclose(np.abs(own.T @ right.T) / 3, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(own.T @ own / 9, np.eye(2), atol=1e-10)


def test_missing_cells_are_fitted_and_not_zero():
    """Of an exposure of exactly one factor nothing is left, whatever cells are missing."""
    frame = world(1, missing=0.2, units=40).frame
    f = np.array([0.0, 1, 3, 2, 5, 4, 7, 9, 6])
    loading = frame.groupby("unit").ngroup() / 10
    panel = bn.read_panel(frame.assign(exposure=loading * f[frame["time"]]), unit="unit", time="time")
    spec = bn.Spec(outcome="outcome", exposure="exposure")
    design = build_design(panel, with_factor(spec))
    own = exposure_factors(design)[:, 0]
    # Up to the rounds' end: changes below 1e-12 a round, at a linear rate.
    assert abs(np.corrcoef(own, f)[0, 1]) > 1 - 1e-9
    left = absorb(design.exposure[:, None], design, "two-way").residual
    assert np.abs(left).max() < 1e-5 * design.exposure.std()


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("more", [{}, {"unit_trends": True}, {"exposure_factors": 2}], ids=["one", "trends", "two"])
def test_absorbed_equals_dense_loadings(more, missing):
    panel = world(6, 1, missing, units=16)
    spec = with_factor(PLAIN, **more)
    design = build_design(panel, spec)
    unit, time = np.eye(16)[design.unit], np.eye(9)[design.time]
    columns = [np.ones(9), *exposure_factors(design, spec.exposure_factors).T]
    columns += [np.arange(9.0)] if spec.unit_trends else []
    every = np.column_stack([time, *(unit * column[design.time][:, None] for column in columns)])
    x = np.column_stack([design.exposure, design.controls])
    x, y = (v - every @ np.linalg.lstsq(every, v, rcond=None)[0] for v in (x, design.outcome))
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    e, inverse = y - x @ beta, np.linalg.inv(x.T @ x)
    df = len(y) - np.linalg.matrix_rank(every) - 2
    ours = bn.twfe(panel, spec, covariance="classical").frame
    np.testing.assert_allclose(ours["estimate"], beta, rtol=1e-7)
    np.testing.assert_allclose(ours["spread"], np.sqrt(np.diag(inverse) * (e @ e) / df), rtol=1e-7)


def test_invariant_to_functions_of_unit_and_of_period():
    panel = world(8, 1, 0.1)
    frame = panel.frame
    moved = frame.assign(exposure=frame["exposure"] + 5 * frame.groupby("unit").ngroup() - 3 * frame["time"] ** 2)
    other = bn.read_panel(moved, unit="unit", time="time", group="group")
    own, shifted = (bn.twfe(p, with_factor(PLAIN)).frame.iloc[0] for p in (panel, other))
    assert shifted["estimate"] == pytest.approx(own["estimate"], rel=1e-7)


@pytest.mark.slow
def test_a_weak_shared_factor_leaves_the_nominal_rate(seed):
    """True slope zero, loadings of SD .25 on a factor that the exposure shares: TWFE rejects far too often."""
    rejected = np.zeros((300, 2))
    for k in range(len(rejected)):
        panel = _weak(seed + k)
        rejected[k] = [bn.twfe(panel, spec, convention="cr1").frame["p_value"].iloc[0] < 0.05 for spec in PAIR]
    own, plain = rejected.mean(axis=0)
    assert own < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert plain > 0.3


SIMPLE = bn.Spec(outcome="outcome", exposure="exposure")
PAIR = (with_factor(SIMPLE), SIMPLE)


def _weak(seed):
    import pandas as pd

    random = np.random.default_rng(seed)
    f, shared = random.standard_normal(9), random.standard_normal(30)
    x = np.outer(shared, f) + random.standard_normal((30, 9))
    loading = 0.25 * (0.8 * shared + 0.6 * random.standard_normal(30))
    y = np.outer(loading, f) + 0.5 * random.standard_normal((30, 9))
    index = np.indices(x.shape).reshape(2, -1)
    frame = pd.DataFrame({"unit": index[0], "time": index[1], "outcome": y.ravel(), "exposure": x.ravel()})
    return bn.read_panel(frame, unit="unit", time="time")


def test_what_does_not_exist_is_an_error():
    panel = world(1)
    with pytest.raises(SpecError, match="exposure_factor without unit effects"):
        bn.pooled_ols(panel, with_factor(PLAIN))
    with pytest.raises(SpecError, match=r"9 factor.s. of the exposure are more than 30 units and 9 periods carry"):
        bn.twfe(panel, with_factor(PLAIN, exposure_factors=9))
    with pytest.raises(SpecError, match="exposure_factors belongs to exposure_factor"):
        bn.Spec(outcome="a", exposure="b", exposure_factors=2)
