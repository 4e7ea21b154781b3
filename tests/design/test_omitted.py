"""Omitted variables: closed forms against roots, limits of what a variable can be."""

import numpy as np
import pytest
from scipy.optimize import brentq

from bayes_npp.design.omitted import Benchmark, bias_factor, robustness_value


@pytest.mark.parametrize(("f", "critical"), [(0.15, 0.0), (0.15, 0.07), (0.5, 0.2), (2.0, 0.1), (0.4, 0.39)])
def test_robustness_value_is_the_root(f, critical):
    """The strength r with both at which |t| adjusted, over sqrt(df - 1), is the critical value."""

    def excess(r):
        left = f - bias_factor(r, r)
        return left - critical * np.sqrt((1 - r) / (1 - r))

    assert robustness_value(f, critical) == pytest.approx(brentq(excess, 0, 1 - 1e-12), rel=1e-8)


def test_robustness_value_at_its_ends():
    assert robustness_value(0.1, 0.2) == 0.0
    assert robustness_value(0.0) == 0.0
    # A t so large that among strengths up to the value one weaker with the outcome is the worst.
    f, critical = 8.0, 0.5
    value = robustness_value(f, critical)
    r2_yz = np.linspace(0, value, 200_001)[:-1]
    ratios = (f - bias_factor(value, r2_yz)) / np.sqrt((1 - r2_yz) / (1 - value))
    assert ratios.min() == pytest.approx(critical, rel=1e-6)


def test_strength_of_a_benchmark():
    """k = 1: the same partial R2 with the exposure as the control has, in odds of what it leaves."""
    one = Benchmark("x", 0.2, 0.1)
    r2_dz, r2_yz = one.strength(1.0)
    assert r2_dz == pytest.approx(0.25)
    x = 0.2**2 / (0.8 * 0.8)
    assert r2_yz == pytest.approx(((1 + np.sqrt(x)) / np.sqrt(1 - x)) ** 2 * 0.1 / 0.9)
    assert one.most == pytest.approx(4.0)
    assert np.isnan(one.strength(4.0)).all()
    assert Benchmark("x", 0.1, 0.9).strength(1.0)[1] == 1.0  # never more than all
    assert Benchmark("x", 0.0, 0.5).most == np.inf
