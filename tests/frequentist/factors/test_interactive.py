"""Interactive fixed effects against Bai's own iteration, dense algebra, known truth and the default study's figures."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.factors.checks import check_factors
from bayes_npp.frequentist.factors.grid import grid_of, project
from bayes_npp.frequentist.factors.interactive import interactive_fit, least_squares
from bayes_npp.frequentist.factors.slopes import slope_rows

SPEC = bn.Spec(outcome="npp", exposure="openness", controls=("ln_gdp_pc", "urbanization", "tax_share"))
# As printed, docs/statistics.md section 6: Bai's fixed point by another program; StatsPAI .011014 and .004219.
PRINTED = {1: (0.01101, 0.01847, 0.01963), 2: (0.00422, 0.01433, 0.01411)}
PLAIN = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))


def world(seed, factors=1, missing=0.0, units=30, periods=9, slope=0.15):
    """A panel with unit and period effects and factors that the exposure shares."""
    random = np.random.default_rng(seed)
    f = random.standard_normal((periods, factors))
    loadings = random.standard_normal((units, factors))
    noise = random.standard_normal((3, units, periods))
    control = noise[0]
    x = noise[1] + 0.8 * loadings @ f.T + random.standard_normal((units, 1))
    y = slope * x + 0.5 * control + loadings @ f.T + 0.3 * noise[2] + random.standard_normal((1, periods))
    index = np.indices(x.shape).reshape(2, -1)
    import pandas as pd

    frame = pd.DataFrame({"unit": [f"u{i:02d}" for i in index[0]], "time": index[1], "outcome": y.ravel()})
    frame = frame.assign(exposure=x.ravel(), control_1=control.ravel())
    frame = frame.assign(group=np.where(index[0] % 2 == 0, "even", "odd"))
    keep = random.random(len(frame)) >= missing
    return bn.read_panel(frame[keep], unit="unit", time="time", group="group")


def fixed_point(design, factors, rounds=20000):
    """Bai's iteration by hand; missing cells filled with what the model says (EM), effects by dense dummies."""
    n, t = len(design.units), len(design.times)
    here = np.zeros((n, t), dtype=bool)
    here[design.unit, design.time] = True
    columns = np.column_stack([design.slope_columns, design.controls])
    x = np.zeros((n, t, columns.shape[1]))
    y = np.zeros((n, t))
    x[design.unit, design.time], y[design.unit, design.time] = columns, design.outcome

    def two_way(table):
        return table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()

    rest = np.zeros((n, t))
    beta = np.zeros(columns.shape[1])
    for _ in range(rounds):
        beta_new = np.linalg.lstsq(x[here], (y - rest)[here], rcond=None)[0]
        full = np.where(here, y - x @ beta_new, rest)
        left, size, right = np.linalg.svd(two_way(full), full_matrices=False)
        new = full - two_way(full) + (left[:, :factors] * size[:factors]) @ right[:factors]
        if np.abs(new - rest).max() < 1e-13 and np.abs(beta_new - beta).max() < 1e-13:
            break
        rest, beta = new, beta_new
    return beta, float(((y - x @ beta - rest)[here] ** 2).sum())


@pytest.mark.parametrize("factors", PRINTED)
def test_figures_of_the_default_study(factors, study):
    slope, clustered, homoskedastic = PRINTED[factors]
    own = bn.interactive_fe(study.panel, SPEC, factors)
    row = own.frame.iloc[0]
    assert (row["estimand"], row["group"], row["note"]) == ("pooled_slope", "", "")
    assert own.diagnostics["agree"] == own.diagnostics["starts"] == 8
    assert own.diagnostics["df"] == (30 - 1 - factors) * (9 - 1 - factors) - 4
    assert row["estimate"] == pytest.approx(slope, abs=5.1e-6)
    assert row["spread"] == pytest.approx(clustered, abs=5.1e-6)
    other = bn.interactive_fe(study.panel, SPEC, factors, "classical").frame.iloc[0]
    assert other["spread"] == pytest.approx(homoskedastic, abs=5.1e-6)


def test_share_of_the_residuals_in_one_factor(study):
    design = build_design(study.panel, SPEC)
    assert least_squares(design, 1).sum_of_squares == pytest.approx(0.0132, abs=5.1e-5)
    assert least_squares(design, 2).sum_of_squares == pytest.approx(0.0034, abs=5.1e-5)


# The iteration stops within 1e-13 a round at a linear rate, the search at a slope of 1e-10.
@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("factors", [1, 2])
def test_the_minimum_is_that_of_the_iteration(factors, missing):
    design = build_design(world(3, 2, missing, units=20), PLAIN)
    found = least_squares(design, factors)
    beta, squares = fixed_point(design, factors)
    np.testing.assert_allclose(found.coefficients, beta, atol=2e-6)
    assert found.sum_of_squares == pytest.approx(squares, rel=1e-8)
    assert found.sum_of_squares == pytest.approx((found.residuals**2).sum(), rel=1e-12)
    np.testing.assert_allclose(found.factors.T @ found.factors / len(design.times), np.eye(factors), atol=1e-8)


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["balanced", "unbalanced"])
def test_projection_equals_dense_least_squares(missing):
    design = build_design(world(5, 1, missing, units=8, periods=6), PLAIN)
    random = np.random.default_rng(1)
    known = np.column_stack([np.ones(6), random.standard_normal(6)])
    slopes = np.column_stack([np.ones(8), random.standard_normal(8)])
    columns = np.column_stack([design.exposure, design.controls])
    grid = grid_of(design)
    own = project(grid.laid_out(columns), grid.here, known, slopes)
    unit, time = np.eye(8)[design.unit], np.eye(6)[design.time]
    loadings = [unit * known[design.time][:, [j]] for j in range(2)]
    every = np.column_stack([*loadings, *(time * slopes[design.unit][:, [j]] for j in range(2))])
    residual = columns - every @ np.linalg.lstsq(every, columns, rcond=None)[0]
    np.testing.assert_allclose(grid.rows(own.residual), residual, atol=1e-10)
    assert own.unit_rank + own.period_rank == np.linalg.matrix_rank(every)


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["balanced", "unbalanced"])
def test_covariances_by_hand(missing):
    panel = world(7, 1, missing, units=14)
    design = build_design(panel, PLAIN)
    found = least_squares(design, 1)
    unit, time = np.eye(len(design.units))[design.unit], np.eye(len(design.times))[design.time]
    moved = [unit, time, unit * found.factors[design.time], time * found.loadings[design.unit]]
    every = np.column_stack(moved)
    x = np.column_stack([design.exposure, design.controls])
    x = x - every @ np.linalg.lstsq(every, x, rcond=None)[0]
    e = found.residuals[design.unit, design.time]
    inverse = np.linalg.inv(x.T @ x)
    sums = unit.T @ (x * e[:, None])
    clustered = inverse @ sums.T @ sums @ inverse * len(design.units) / (len(design.units) - 1)
    df = design.n_obs - np.linalg.matrix_rank(every) - 2
    for covariance, expected in (("clustered", clustered), ("classical", inverse * (e @ e / df))):
        ours = bn.interactive_fe(panel, PLAIN, 1, covariance).frame["spread"]
        np.testing.assert_allclose(ours, np.sqrt(np.diag(expected)), rtol=1e-6)


def test_slopes_by_group_average_and_differ():
    design = build_design(world(2), bn.Spec(**{**PLAIN.model_dump(), "slopes": "group"}))
    fit, _ = interactive_fit(design, 1)
    rows = {(row["estimand"], row.get("group", "")): row["estimate"] for row in slope_rows(fit)}
    even, odd = rows["group_slope", "even"], rows["group_slope", "odd"]
    assert rows["slope_difference", "even - odd"] == pytest.approx(even - odd)
    assert rows["mean_group_slope", ""] == pytest.approx((even + odd) / 2)


@pytest.mark.slow(minutes=1)
def test_a_shared_factor_biases_two_way_effects_and_not_these():
    slopes = [
        (bn.interactive_fe(panel, PLAIN).frame.iloc[0], bn.twfe(panel, PLAIN).frame.iloc[0])
        for panel in (world(seed) for seed in range(12))
    ]
    own, plain = (np.array([pair[k]["estimate"] for pair in slopes]) for k in (0, 1))
    # 12 panels: the mean of the estimates is within four of its Monte Carlo standard errors of .15, TWFE far from it.
    assert abs(own.mean() - 0.15) < 4 * own.std(ddof=1) / np.sqrt(12)
    assert plain.mean() > 0.4


def test_starts_that_end_elsewhere_are_said(monkeypatch):
    from bayes_npp.frequentist.factors import interactive

    monkeypatch.setattr(interactive, "SADDLES", 1)  # starts may then end in saddle points
    panel = world(11, 3, units=12, periods=7)
    notes = [interactive.interactive_fe(panel, PLAIN, 1, seed=seed).frame["note"].iloc[0] for seed in range(8)]
    assert any("starts end in the minimum reported" in note for note in notes)


BAD = {
    "none": (PLAIN, {"factors": 0}, SpecError, "factors = 0"),
    "many": (PLAIN, {"factors": 8}, DesignError, "8 factor.s. are more than 30 units and 9 periods .270 rows. carry"),
    "trends": (PLAIN, {"unit_trends": True}, SpecError, "do not go with unit_trends"),
    "unit slopes": (PLAIN, {"slopes": "unit"}, SpecError, "one slope or one of each group"),
    "covariance": (PLAIN, {"covariance": "driscoll_kraay"}, SpecError, "has no covariance 'driscoll_kraay'"),
}


@pytest.mark.parametrize(("spec", "change", "error", "message"), BAD.values(), ids=BAD)
def test_what_does_not_exist_is_an_error(spec, change, error, message):
    options = {key: value for key, value in change.items() if key in ("factors", "covariance")}
    own = {key: value for key, value in change.items() if key not in options}
    with pytest.raises(error, match=message):
        bn.interactive_fe(world(1), bn.Spec(**{**spec.model_dump(), **own}), **options)


def test_missing_rows_count_against_factors():
    design = build_design(world(1, 1, 0.5, units=8, periods=6), PLAIN)
    with pytest.raises(DesignError, match="carry"):
        check_factors(design, 3, "")
