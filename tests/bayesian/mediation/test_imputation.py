"""Equations with missing cells of mediators: the ordinary equation where they start, dense algebra given the rest.

The sweep's parts are those of `gibbs_block`.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.equations import Paths
from bayes_npp.bayesian.mediation.gibbs import new_cells, pilot, starting_block
from bayes_npp.bayesian.mediation.imputation import build_equation
from bayes_npp.bayesian.mediation.joint_fit import on_observed_scales
from bayes_npp.bayesian.mediation.missing import treat
from bayes_npp.bayesian.model.terms import model_data
from tests.bayesian.dense import blocks
from tests.bayesian.mediation.late_panels import PRIORS, joint_parts, late, panel_of
from tests.bayesian.mediation.panels import SPEC, TWO


@pytest.mark.parametrize("changes", [{}, {"slopes": "group"}, {"slopes": "group", "unit_effects": "fixed"}])
def test_equation_with_cells_equals_the_ordinary_one(changes):
    """With the cells at their starting values the equation is the ordinary one: the same prior covariance of the mean;
    and the mean is linear in the cells with the loadings stated."""
    spec = bn.Spec(**{**SPEC.model_dump(), **changes})
    truth = TWO if spec.slopes else {"path_a": {"all": (0.5, 0.3)}, "path_b": {"all": (0.4, 0.4)}}
    frame = late(24, 14, **truth)
    designs, unknown = joint_parts(frame, spec, ("mediator_1", "mediator_2"))
    design = designs[-1]
    equation = build_equation(design, unknown)
    start = {"mediator_1": design.controls[unknown["mediator_1"], 0] / design.scales.divisors["mediator_1"]}
    data, more = equation.completed(start)
    ordinary = model_data(design)
    np.testing.assert_allclose(data.control_columns, ordinary.control_columns, atol=1e-10)
    np.testing.assert_allclose(data.varying_columns, ordinary.varying_columns, atol=1e-10)
    sides = ("time",) if spec.unit_effects == "fixed" else ("unit", "time")
    assert {term.variable for term in more} == {f"mediator_{side}_between" for side in sides}
    for side in sides:
        own = next(term.columns for term in more if term.variable == f"mediator_{side}_between")
        fixed = data.effects[side].leading * np.sqrt(data.effects[side].size)
        both, whole = np.column_stack([fixed, own]), ordinary.effects[side].leading
        np.testing.assert_allclose(both @ both.T, whole @ whole.T * len(whole), atol=1e-8)
    random = np.random.default_rng(1)
    one = equation.entering[0]
    slopes = {
        "control_slope": random.standard_normal(2),
        "control_offset": random.standard_normal((2, 2)),
        **{term.variable: random.standard_normal(term.width) for term in more},
    }

    def mean(cells):
        completed, terms = equation.completed({"mediator_1": cells})
        out = completed.control_columns @ slopes["control_slope"]
        for v, columns in enumerate(completed.varying_columns):
            out = out + columns @ slopes["control_offset"][v]
        return out + sum(term.rows(slice(None)) @ slopes[term.variable] for term in terms)

    moved = random.standard_normal(len(start["mediator_1"]))
    change = mean(start["mediator_1"] + moved) - mean(start["mediator_1"])
    np.testing.assert_allclose(change, equation.loadings(one, slopes) @ moved, atol=1e-9)


def dense_ar1(data, values):
    """Covariance of AR(1) errors (n, n), by the formula for two rows of a unit."""
    design, rho = data.design, float(values.get("autocorrelation", 0.0))
    time = np.array(design.times)[design.time]
    apart = np.abs(time[:, None] - time)
    same = design.unit[:, None] == design.unit
    return np.where(same, float(values["error_sd"]) ** 2 * rho**apart / (1 - rho**2), 0.0)


@pytest.mark.parametrize(
    "serial",
    [pytest.param((), marks=pytest.mark.slow(minutes=1)), (("mediator_1", "mediator_2"),)],
    ids=["parallel", "serial"],
)
def test_missing_given_the_rest_against_dense_algebra(serial):
    """Mean and covariance of the drawn cells against conditioning of one dense normal density of all rows."""
    truth = {"path_a": {"all": (0.5, 0.3)}, "path_b": {"all": (0.4, 0.4)}}
    frame = late(9, 6, **truth)
    frame = frame.drop(index=[8, 20])  # a gap in time, an early end
    designs, unknown = joint_parts(frame, SPEC, ("mediator_1", "mediator_2"), serial)
    equations = {design.spec.outcome: build_equation(design, unknown) for design in designs}
    start = {
        "mediator_1": designs[0].outcome[unknown["mediator_1"]] / designs[0].scales.outcome_sd,
    }
    random = np.random.default_rng(3)
    made = []
    for name, one in equations.items():
        block = starting_block(name, one, PRIORS, *pilot(one, start, PRIORS, 1), random)
        block.complete(start)
        block.move(random)
        made.append(block)
    draws = np.array([new_cells(made, start, random)["mediator_1"] for _ in range(4000)])
    # Dense: the mediator's rows with coefficients integrated out ...
    own, rows = made[0], np.flatnonzero(unknown["mediator_1"])
    data, values = own.collapsed.data, own.values
    covariance, mean = dense_ar1(data, values), np.zeros(len(data.outcome))
    for block in blocks(data, PRIORS, values):
        covariance = covariance + block.columns @ block.covariance @ block.columns.T
        mean = mean + block.columns @ block.mean
    seen = np.flatnonzero(~unknown["mediator_1"])
    gain = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, rows)]).T
    prior_mean = mean[rows] + gain @ (data.outcome[seen] - mean[seen])
    prior_covariance = covariance[np.ix_(rows, rows)] - gain @ covariance[np.ix_(seen, rows)]
    prior_mean = prior_mean + designs[0].scales.outcome_mean / designs[0].scales.outcome_sd
    # ... times the density of every equation the cells enter, given what multiplies them, by finite differences.
    precision, linear = np.linalg.inv(prior_covariance), np.linalg.solve(prior_covariance, prior_mean)
    for block in made[1:]:
        if not block.equation.entering:
            continue
        slopes, at = block.slopes(), block.equation.entering[0].control

        def without_cells(cells, block=block, slopes=slopes, at=at):
            data, more = block.equation.completed({"mediator_1": cells})
            parts = sum(term.rows(slice(None)) @ slopes[term.variable] for term in more)
            return data.outcome - data.control_columns[:, at] * slopes["control_slope"][at] - parts

        data = block.collapsed.data
        covariance = dense_ar1(data, block.values)
        for one in blocks(data, PRIORS, block.values):
            columns = np.delete(one.columns, at, axis=1) if "control_slope" in one.variables else one.columns
            covariance = covariance + columns @ one.covariance[: columns.shape[1], : columns.shape[1]] @ columns.T
        at_zero = without_cells(np.zeros(len(rows)))
        slope = np.column_stack([at_zero - without_cells(unit) for unit in np.eye(len(rows))])
        inverse = np.linalg.inv(covariance)
        precision = precision + slope.T @ inverse @ slope
        linear = linear + slope.T @ inverse @ at_zero
    exact = np.linalg.inv(precision)
    z = (draws.mean(axis=0) - exact @ linear) / np.sqrt(np.diag(exact) / len(draws))
    assert np.abs(z).max() < 4.5
    scaled = np.linalg.cholesky(precision).T @ (draws - exact @ linear).T
    np.testing.assert_allclose(np.cov(scaled), np.eye(len(rows)), atol=0.12)


def test_columns_without_correlated_effects_are_linear_in_the_cells():
    """Raw columns less their means; the mean moves by the loadings."""
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", correlated_means=False)
    frame = late(8, 6, **TWO)
    treated = treat(panel_of(frame), spec, ("mediator_1",), Paths(), "impute")
    design = on_observed_scales(treated.designs, treated.unknown)[-1]
    equation = build_equation(design, treated.unknown)
    start = design.controls[treated.unknown["mediator_1"], 0] / design.scales.divisors["mediator_1"]
    data, more = equation.completed({"mediator_1": start})
    ordinary = model_data(design)
    assert more == ()
    np.testing.assert_allclose(data.varying_columns, ordinary.varying_columns, atol=1e-12)
    slopes = {"control_slope": np.array([0.7]), "control_offset": np.array([[0.2, -0.2]])}
    moved = np.arange(len(start)) / 10.0
    other, _ = equation.completed({"mediator_1": start + moved})
    change = (other.varying_columns - data.varying_columns)[0] @ np.array([0.9, 0.5])
    np.testing.assert_allclose(change, equation.loadings(equation.entering[0], slopes) @ moved, atol=1e-12)
