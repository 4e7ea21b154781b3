"""Joint covariances of several equations against dense algebra (1e-8); draws within four Monte Carlo errors."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.frequentist.mediation.equations import path_equations
from bayes_npp.frequentist.mediation.stacked import stack
from tests.frequentist.mediation.panels import SPEC, TWO, by_estimand


def dense_stack(panel, effects, covariance, lags=2):
    """Coefficients total, a_1, a_2, b_1, b_2, direct and their joint HC0 covariance, with a dummy for every effect."""
    frame = panel.frame
    unit, time = (pd.get_dummies(frame[key]).to_numpy(float) for key in ("unit", "time"))
    parts = {"two-way": [unit, time[:, 1:]], "unit": [unit], "time": [time], "none": [np.ones((len(frame), 1))]}
    base = np.column_stack([frame["exposure"], frame["age"], *parts[effects]])
    full = np.column_stack([frame["exposure"], frame["age"], frame[list(TWO)], *parts[effects]])
    equations = [("outcome", base, [0]), *((m, base, [0]) for m in TWO), ("outcome", full, [2, 3, 0])]
    coefficients, influence, residuals = [], [], []
    for outcome, x, wanted in equations:
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ x.T @ frame[outcome].to_numpy()
        e = frame[outcome].to_numpy() - x @ beta
        for j in wanted:
            coefficients.append(beta[j])
            influence.append(x @ inverse[j])
            residuals.append(e)
    v, e = np.column_stack(influence), np.column_stack(residuals)
    if covariance == "classical":
        counts = np.array([len(frame) - base.shape[1]] * 3 + [len(frame) - full.shape[1]] * 3)
        sigma = e.T @ e / np.sqrt(np.outer(counts, counts))
        return np.array(coefficients), sigma * (v.T @ v)
    if covariance == "robust":
        return np.array(coefficients), (v * e).T @ (v * e)
    if covariance == "clustered":
        sums = unit.T @ (v * e)
        return np.array(coefficients), sums.T @ sums
    sums = time.T @ (v * e)
    n_times = len(sums)
    kernel = np.clip(1 - np.abs(np.subtract.outer(range(n_times), range(n_times))) / (lags + 1), 0, None)
    return np.array(coefficients), sums.T @ kernel @ sums


def own_stack(panel, effects, covariance, convention="hc0"):
    equations = path_equations(panel, SPEC, TWO, effects)
    wanted = [
        (equations.total, "exposure"),
        *((design, "exposure") for design in equations.by_mediator),
        *((equations.outcome, name) for name in TWO),
        (equations.outcome, "exposure"),
    ]
    return stack(wanted, effects, covariance, convention, 2 if covariance == "driscoll_kraay" else None, "")


@pytest.mark.parametrize("covariance", ["classical", "robust", "clustered", "driscoll_kraay"])
@pytest.mark.parametrize("effects", ["two-way", "unit", "time", "none"])
def test_joint_covariance_equals_dense_algebra(panel, effects, covariance):
    ours = own_stack(panel, effects, covariance)
    coefficients, joint = dense_stack(panel, effects, covariance)
    np.testing.assert_allclose(ours.coefficients, coefficients, rtol=1e-8)
    # Small elements are compared on the scale of the standard errors they belong to.
    spread = np.sqrt(np.diag(joint))
    np.testing.assert_allclose(ours.covariance / np.outer(spread, spread), joint / np.outer(spread, spread), atol=1e-8)


def test_diagonal_is_that_of_the_equations_one_by_one(panel):
    """With a small-sample factor too: it differs between equations, whose numbers of slopes differ."""
    ours = own_stack(panel, "two-way", "clustered", "stata")
    mediator = bn.twfe(panel, bn.Spec(outcome=TWO[0], exposure="exposure", controls=("age",))).frame
    outcome = bn.twfe(panel, bn.Spec(outcome="outcome", exposure="exposure", controls=("age", *TWO))).frame
    assert ours.spreads[1] == pytest.approx(mediator["spread"].iloc[0], rel=1e-10)
    np.testing.assert_allclose(ours.spreads[[5, 3, 4]], outcome["spread"].iloc[[0, 2, 3]], rtol=1e-10)


@pytest.mark.parametrize("effects", ["two-way", "none"])
def test_effects_add_up_and_delta_is_the_gradient(panel, effects):
    """Total = direct + sum of a b, an identity of least squares on one sample; and delta errors from dense algebra."""
    table = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", effects=effects, convention="hc0"))
    theta, joint = dense_stack(panel, effects, "clustered")
    a, b = theta[1:3], theta[3:5]
    ours = table["estimate"]
    assert ours["total", "exposure"] == pytest.approx(
        ours["direct", "exposure"] + ours["total_indirect", "exposure"], rel=1e-10
    )
    whole = theta[0]
    gradients = {
        ("indirect", TWO[0]): [0, b[0], 0, a[0], 0, 0],
        ("indirect", TWO[1]): [0, 0, b[1], 0, a[1], 0],
        ("total_indirect", "exposure"): [0, *b, *a, 0],
        ("indirect", f"{TWO[0]} - {TWO[1]}"): [0, b[0], -b[1], a[0], -a[1], 0],
        ("proportion_mediated", TWO[0]): [-a[0] * b[0] / whole**2, b[0] / whole, 0, a[0] / whole, 0, 0],
    }
    values = [a[0] * b[0], a[1] * b[1], a @ b, a[0] * b[0] - a[1] * b[1], a[0] * b[0] / whole]
    for (label, gradient), value in zip(gradients.items(), values, strict=True):
        se = np.sqrt(np.array(gradient) @ joint @ gradient)
        row = table.loc[label]
        assert row["estimate"] == pytest.approx(value, rel=1e-8)
        assert row["spread"] == pytest.approx(se, rel=1e-8)
        assert row["hi"] == pytest.approx(value + stats.norm.ppf(0.975) * se, rel=1e-8)
        assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(value) / se), rel=1e-6)
    assert "differ in sign" in table.loc[("proportion_mediated", TWO[1]), "note"]


def test_monte_carlo_has_the_moments_of_the_joint_normal(panel):
    """Var(ab) = (b, a) V (b, a)' + V_a V_b + C_ab^2 for normal paths; quantiles against draws made here."""
    draws = 40_000
    table = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", interval="monte_carlo", draws=draws, seed=5))
    stacked = own_stack(panel, "two-way", "clustered", "stata")
    theta, joint = stacked.coefficients, stacked.covariance
    row = table.loc[("indirect", TWO[0])]
    gradient = np.array([theta[3], theta[1]])
    own = joint[np.ix_([1, 3], [1, 3])]
    variance = gradient @ own @ gradient + own[0, 0] * own[1, 1] + own[0, 1] ** 2
    assert row["spread"] == pytest.approx(np.sqrt(variance), rel=4 * np.sqrt(1 / (2 * draws)) * 1.5)
    other = np.random.default_rng(6).multivariate_normal(theta[1:5], joint[1:5, 1:5], size=draws)
    product = (other[:, :2] * other[:, 2:]).sum(axis=1)
    every = table.loc[("total_indirect", "exposure")]
    for end, q in (("lo", 0.025), ("hi", 0.975)):
        noise = 4 * 2.67 * every["spread"] * np.sqrt(2 / draws)
        assert every[end] == pytest.approx(np.quantile(product, q), abs=noise)
    assert every["p_value"] == pytest.approx(2 * min((product <= 0).mean(), (product >= 0).mean()), abs=0.01)
    # Paths keep the t intervals of their regressions.
    plain = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product"))
    assert table.loc[("path_b", TWO[1]), "lo"] == plain.loc[("path_b", TWO[1]), "lo"]
