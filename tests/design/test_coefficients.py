"""Restrictions on coefficients as they are written, and the Wald statistic."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.coefficients import restrictions, wald_statistic

NAMES = ("x:East", "x:West", "L1.n", "b", "intercept")


@pytest.mark.parametrize(
    ("given", "matrix", "target"),
    [
        ({"restriction": "b = 2"}, [[0, 0, 0, 1, 0]], [2]),
        ({"formula": "`x:East` = `x:West`, L1.n = 0.5"}, [[1, -1, 0, 0, 0], [0, 0, 1, 0, 0]], [0, 0.5]),
        ({"restriction": ["x:East", "b"]}, [[1, 0, 0, 0, 0], [0, 0, 0, 1, 0]], [0, 0]),
        ({"formula": "2 * b + L1.n = 1"}, [[0, 0, 1, 2, 0]], [1]),
        ({"restriction": np.eye(5)[:2], "value": [1, 2]}, np.eye(5)[:2], [1, 2]),
        ({}, np.eye(5)[:4], np.zeros(4)),
    ],
)
def test_restrictions_as_written(given, matrix, target):
    found = restrictions(NAMES, **given)
    np.testing.assert_array_equal(found[0], matrix)
    np.testing.assert_array_equal(found[1], target)
    assert found[2]


@pytest.mark.parametrize(
    "given",
    [
        {"restriction": "c = 2"},
        {"restriction": "b ="},
        {"restriction": "b = 1, b = 2"},
        {"restriction": np.eye(3)},
        {"restriction": np.eye(5)[:2], "value": [1]},
        {"restriction": "b * b = 1"},
    ],
)
def test_bad_restrictions_are_one_clear_error(given):
    with pytest.raises(bn.BayesNppError, match="restriction"):
        restrictions(NAMES, **given)


def test_statistic_is_the_quadratic_form_and_refuses_a_singular_one():
    spread = np.array([[4.0, 1.0], [1.0, 1e-8]]) + np.diag([0.0, 1.0])
    gap = np.array([1.0, -2.0])
    assert wald_statistic(gap, spread) == pytest.approx(gap @ np.linalg.inv(spread) @ gap, rel=1e-12)
    with pytest.raises(bn.BayesNppError, match="singular"):
        wald_statistic(gap, np.ones((2, 2)))
