"""Simulated panels obey the equations they state: with next to no errors least squares finds their truths."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.errors import BayesNppError
from bayes_npp.panels.simulation import simulate, simulate_dynamic, simulate_mediation


def test_slopes_with_next_to_no_errors_are_found():
    """Errors of a millionth: without any the regression is refused, since its variance would be rounding."""
    slopes = {"north": 0.8, "south": -0.2}
    made = simulate(12, 6, slopes, controls=(0.5,), error_sd=1e-6, missing=0.1, seed=2)
    assert made.truth["slopes"] == slopes
    panel = bn.read_panel(made.frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    rows = bn.twfe(panel, spec).frame
    found = rows[rows["estimand"] == "group_slope"].set_index("group")["estimate"]
    assert found.to_dict() == pytest.approx(slopes, abs=5e-6)
    assert rows.loc[rows["term"] == "control_1", "estimate"].item() == pytest.approx(0.5, abs=5e-6)


def test_a_dynamic_panel_without_errors_is_its_recursion():
    frame = simulate_dynamic(15, 6, 0.6, 0.4, time_sd=0.0, error_sd=0.0, burn_in=5, seed=1).frame
    frame = frame.sort_values(["unit", "time"])
    lag = frame.groupby("unit")["outcome"].shift()
    effect = frame["outcome"] - 0.6 * lag - 0.4 * frame["exposure"]
    assert lag.isna().sum() == 15
    assert effect.groupby(frame["unit"]).std().max() < 1e-9
    assert effect.groupby(frame["unit"]).first().std() > 0.1


def test_the_same_seed_is_the_same_panel():
    for function in (simulate, simulate_dynamic, simulate_mediation):
        first, again, other = (function(seed=seed).frame for seed in (1, 1, 2))
        assert first.equals(again)
        assert not np.allclose(first["outcome"], other["outcome"])


def test_impossible_sizes_are_refused():
    for call in (lambda: simulate(1, 6), lambda: simulate_dynamic(persistence=1.0), lambda: simulate(missing=1.5)):
        with pytest.raises(BayesNppError):
            call()
