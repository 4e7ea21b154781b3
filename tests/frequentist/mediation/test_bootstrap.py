"""The cluster bootstrap: copies of units, failed draws, clustered errors in a large panel."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import DesignError
from bayes_npp.frequentist.mediation.bootstrap import unit_products, weighted_paths
from bayes_npp.frequentist.mediation.equations import path_equations
from tests.frequentist.mediation.panels import SPEC, TWO, by_estimand, two_mediators


@pytest.mark.parametrize("effects", ["two-way", "unit", "time", "none"])
def test_weights_are_copies_of_units(panel, effects):
    """A draw computed from cross-products = the regressions on a panel in which copies are units of their own."""
    equations = path_equations(panel, SPEC, TWO, effects)
    n_units = len(equations.outcome.units)
    random = np.random.default_rng(8)
    weights = random.multinomial(n_units, np.full(n_units, 1 / n_units), size=3)
    paths = weighted_paths(unit_products(equations, effects), weights.astype(float))
    for own, counts in zip(paths, weights, strict=True):
        frames = []
        for label, count in zip(equations.outcome.units, counts, strict=True):
            rows = panel.frame[panel.frame["unit"] == label]
            frames += [rows.assign(unit=f"{label} copy {copy}") for copy in range(count)]
        copied = bn.read_panel(pd.concat(frames, ignore_index=True), unit="unit", time="time")
        table = by_estimand(bn.mediation_paths(copied, SPEC, TWO, "product", effects=effects))["estimate"]
        expected = [
            table["total", "exposure"],
            *(table["path_a", name] for name in TWO),
            *(table["path_b", name] for name in TWO),
            table["direct", "exposure"],
        ]
        np.testing.assert_allclose(own, expected, rtol=1e-8)


def test_a_period_that_no_drawn_unit_has_is_no_failure():
    """Even where it is the only rows of that period: the regression goes on without it."""
    frame = two_mediators(missing=0.0).frame
    first, late = frame["unit"].iloc[0], frame["time"].max()
    frame = frame[(frame["time"] < late) | (frame["unit"] == first)].reset_index(drop=True)
    panel = bn.read_panel(frame, unit="unit", time="time")
    equations = path_equations(panel, SPEC, TWO, "two-way")
    weights = np.ones((1, len(equations.outcome.units)))
    weights[0, equations.outcome.units.index(first)] = 0
    own = weighted_paths(unit_products(equations, "two-way"), weights)[0]
    rest = bn.read_panel(frame[frame["unit"] != first].reset_index(drop=True), unit="unit", time="time")
    table = by_estimand(bn.mediation_paths(rest, SPEC, TWO, "product"))["estimate"]
    assert own[0] == pytest.approx(table["total", "exposure"], rel=1e-8)
    assert own[3] == pytest.approx(table["path_b", TWO[0]], rel=1e-8)


def test_bootstrap_errors_are_the_clustered_ones_in_a_large_panel():
    """400 units: both estimate one sampling variance; the joint distribution too (errors of products)."""
    panel = two_mediators(400, 6, missing=0.1)
    boot = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", interval="cluster_bootstrap", draws=4000))
    delta = by_estimand(bn.mediation_paths(panel, SPEC, TWO, "product", convention="hc0"))
    labels = [label for label in delta.index if label[0] != "proportion_mediated"]
    ratio = boot.loc[labels, "spread"] / delta.loc[labels, "spread"]
    # Two of the ratio's own errors: 1 / sqrt(2 draws), and the clustered estimate's of order 1 / n_units.
    assert ratio.between(0.95, 1.05).all(), ratio
    assert boot.loc[("proportion_mediated", TWO[0]), "spread_kind"] == ""
    assert np.isnan(boot.loc[("proportion_mediated", TWO[0]), "spread"])
    assert boot.loc[("proportion_mediated", TWO[0]), "lo"] > 0


def test_same_seed_same_interval(panel):
    runs = [
        bn.mediation_paths(panel, SPEC, TWO, "product", interval="cluster_bootstrap", draws=299, seed=s)
        for s in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(runs[0].frame, runs[1].frame)
    assert not runs[0].frame["lo"].equals(runs[2].frame["lo"])


def rare_control(n_carriers):
    """A control that varies within a few units only: a draw without them does not identify the regressions."""
    frame = two_mediators(missing=0.0).frame
    carriers = frame["unit"].unique()[:n_carriers]
    hit = frame["unit"].isin(carriers) & (frame["time"] % 2 == 0)
    return bn.read_panel(frame.assign(age=hit.astype(float)), unit="unit", time="time")


def test_failed_draws_are_counted_and_named():
    table = bn.mediation_paths(rare_control(4), SPEC, TWO, "product", interval="cluster_bootstrap", draws=2000)
    failed = table.diagnostics["failed_draws"]
    expected = 2000 * (20 / 24) ** 24
    assert abs(failed - expected) < 4 * np.sqrt(expected)
    assert (table.frame["note"].str.contains(f"{failed} of 2000 bootstrap draws left out")).all()
    assert (table.frame["convention"].str.contains(f"{2000 - failed} draws")).any()
    with pytest.raises(DesignError, match=r"of 299 bootstrap draws do not identify"):
        bn.mediation_paths(rare_control(1), SPEC, TWO, "product", interval="cluster_bootstrap", draws=299)
