"""The exposure's own factor against a singular value decomposition."""

import numpy as np

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.design.factors import exposure_factors


def test_columns_are_singular_vectors_of_what_two_way_effects_leave():
    panel = bn.read_panel(bn.simulate(20, 8, {"a": 0.5}, seed=1).frame, unit="unit", time="time")
    design = build_design(panel, bn.Spec(outcome="outcome", exposure="exposure"))
    table = np.zeros((20, 8))
    table[design.unit, design.time] = design.exposure
    table = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    right = np.linalg.svd(table)[2][:2]
    np.testing.assert_allclose(np.abs(exposure_factors(design, 2).T @ right.T), np.sqrt(8) * np.eye(2), atol=1e-9)
