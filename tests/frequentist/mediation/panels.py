"""A simulated panel with two mediators, and how tests of mediation read a table."""

import numpy as np

import bayes_npp as bn

TWO = ("mediator_1", "mediator_2")
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("age",))


def two_mediators(n_units=24, n_periods=7, missing=0.2, seed=3):
    """A simulated panel with two mediators, a control and, by default, a fifth of its rows missing."""
    paths = {"path_a": {"all": (0.5, -0.3)}, "path_b": {"all": (0.4, 0.6)}}
    frame = bn.simulate_mediation(n_units, n_periods, **paths, seed=seed).frame
    random = np.random.default_rng(seed)
    frame["age"] = random.normal(size=len(frame)) + 0.4 * frame["exposure"]
    frame = frame[random.random(len(frame)) >= missing]
    return bn.read_panel(frame.reset_index(drop=True), unit="unit", time="time")


def by_estimand(table):
    return table.frame.set_index(["estimand", "term"]).sort_index()
