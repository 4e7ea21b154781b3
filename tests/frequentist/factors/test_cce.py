"""Common correlated effects against dense dummies, units' own regressions and the default study's figures."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.factors.cce import cce_fit
from bayes_npp.frequentist.factors.checks import check_averages
from tests.frequentist.factors.test_interactive import PLAIN, SPEC, world

AVERAGES = ("outcome", "exposure")


def test_figures_of_the_default_study(study):
    row = bn.cce(study.panel, SPEC, averages=("npp", "openness")).frame.iloc[0]
    assert row["estimand"] == "pooled_slope"
    assert row["estimate"] == pytest.approx(0.00027, abs=5.1e-6)  # as printed, docs/statistics.md section 6
    assert row["spread"] == pytest.approx(0.01702, abs=5.1e-6)


def averaged(design):
    columns = np.column_stack([design.outcome, design.exposure])
    means = [[columns[design.time == t, j].mean() for j in range(2)] for t in range(len(design.times))]
    return np.column_stack([np.ones(len(means)), means])


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["balanced", "unbalanced"])
def test_pooled_equals_dense_least_squares(missing):
    design = build_design(world(4, 1, missing, units=12), PLAIN)
    unit = np.eye(12)[design.unit]
    every = np.column_stack([unit * column[design.time][:, None] for column in averaged(design).T])
    x = np.column_stack([design.exposure, design.controls])
    x, y = (v - every @ np.linalg.lstsq(every, v, rcond=None)[0] for v in (x, design.outcome))
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    sums = unit.T @ (x * (y - x @ beta)[:, None])
    fit = cce_fit(design, AVERAGES)
    np.testing.assert_allclose(fit.coefficients, beta, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, inverse @ sums.T @ sums @ inverse, rtol=1e-8)
    assert fit.solved.counts.n_all == np.linalg.matrix_rank(every) + 2


@pytest.mark.parametrize("missing", [0.0, 0.1], ids=["balanced", "unbalanced"])
def test_mean_group_is_the_mean_of_units(missing):
    panel = world(4, 1, missing, units=12)
    design = build_design(panel, PLAIN)
    means, own = averaged(design), []
    for i in range(12):
        rows = design.unit == i
        x = np.column_stack([means[design.time[rows]], design.exposure[rows], design.controls[rows]])
        if rows.sum() > x.shape[1]:
            own.append(np.linalg.lstsq(x, design.outcome[rows], rcond=None)[0][3])
    row = bn.cce(panel, PLAIN, averages=AVERAGES, pooled=False).frame.iloc[0]
    assert row["estimand"] == "mean_unit_slope"
    assert row["estimate"] == pytest.approx(np.mean(own), rel=1e-8)
    assert row["spread"] == pytest.approx(np.std(own, ddof=1) / np.sqrt(len(own)), rel=1e-8)


def test_mean_group_by_group():
    panel = world(4)
    frame = bn.cce(panel, bn.Spec(**{**PLAIN.model_dump(), "slopes": "group"}), AVERAGES, pooled=False).frame
    plain = bn.cce(panel, PLAIN, AVERAGES, pooled=False).frame.iloc[0]
    whole = frame[frame["estimand"] == "mean_unit_slope"].iloc[0]
    assert (whole["estimate"], whole["spread"]) == pytest.approx((plain["estimate"], plain["spread"]))
    own = frame[frame["estimand"] == "group_slope"].set_index("group")
    difference = frame[frame["estimand"] == "slope_difference"].iloc[0]
    assert difference["estimate"] == pytest.approx(own.loc["even", "estimate"] - own.loc["odd", "estimate"])
    assert difference["spread"] == pytest.approx(np.hypot(own.loc["even", "spread"], own.loc["odd", "spread"]))


def test_units_without_slopes_of_their_own_are_said():
    frame = world(4).frame
    short = frame[~((frame["unit"] == "u00") & (frame["time"] > 3))]
    panel = bn.read_panel(short, unit="unit", time="time", group="group")
    assert "1 unit(s) whose rows do not identify" in bn.cce(panel, PLAIN, AVERAGES, pooled=False).frame["note"].iloc[0]


BAD = {
    "unknown": ({"averages": ("outcom",)}, SpecError, "averages names 'outcom', which has no role here"),
    "twice": ({"averages": ("outcome", "outcome")}, SpecError, "twice"),
    "empty": ({"averages": ()}, SpecError, "averages is empty"),
    "covariance": ({"covariance": "driscoll_kraay"}, SpecError, "has no covariance 'driscoll_kraay'"),
    "mean group": ({"covariance": "classical", "pooled": False}, SpecError, "are those of pooled slopes"),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=BAD)
def test_what_does_not_exist_is_an_error(options, error, message):
    with pytest.raises(error, match=message):
        bn.cce(world(1), PLAIN, **options)


def test_more_averages_than_periods():
    design = build_design(world(1, periods=4), PLAIN)
    with pytest.raises(DesignError, match="3 averages, a constant take 4 of 4 periods"):
        check_averages(design, None, True, "")
