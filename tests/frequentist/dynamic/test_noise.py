"""The measured shares beside GMM's p-values: the table is the benchmark's, the cell the nearest."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.frequentist.dynamic import noise
from tests.bands import normal_band
from tests.conftest import ROOT

CELLS = json.loads((ROOT / "benchmarks" / "gmm_noise.json").read_text(encoding="utf-8"))
TABLE = ROOT / "bayes_npp" / "frequentist" / "dynamic" / noise.TABLE
COLLAPSED = {"gmm": [("y", 2, 4), ("x", 1, 3)], "collapse": True}
ALL_LAGS = {"gmm": [("y", 2, None), ("x", 1, None)]}


def panel_of(units, periods, seed):
    random = np.random.default_rng(seed)
    y, x = random.normal(size=(2, units, 1)) + random.normal(size=(2, units, periods))
    unit, period = np.indices((units, periods)).reshape(2, -1)
    frame = pd.DataFrame({"unit": unit, "period": 2001 + period, "y": y.ravel(), "x": x.ravel()})
    return bn.read_panel(frame, unit="unit", time="period")


def test_the_table_is_the_benchmarks():
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {cell["panels"] for cell in CELLS.values()} == {1000}
    assert len(rows) == sum(len(cell["rejected"]) for cell in CELLS.values()) == 6 * 2 * 2 * 4 * 2 * 3
    for row in rows:
        cell = CELLS[f"{row['units']} units, {row['periods']} periods"]
        key = " | ".join(row[name] for name in ("estimator", "instruments", "errors", "reference", "estimand"))
        printed = cell["panels"] - cell["no_p"][key]
        assert (int(row["panels"]), row["share"]) == (printed, f"{cell['rejected'][key] / printed:.4f}"), key


@pytest.mark.parametrize(
    ("units", "periods", "nearest"),
    [(4, 3, (10, 5)), (17, 6, (10, 5)), (18, 8, (30, 9)), (31, 40, (30, 9)), (60, 7, (100, 5)), (5000, 9, (100, 9))],
)
def test_the_nearest_cell(units, periods, nearest):
    found = noise.measured("system", "collapsed", "two-step Windmeijer", "t", units, periods)
    assert (found.units, found.periods) == nearest


@pytest.mark.parametrize("estimator", [bn.difference_gmm, bn.system_gmm])
@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({"steps": 1}, "one-step robust"),
        ({"steps": 1, "robust": False}, "one-step classical"),
        ({"steps": 2}, "two-step Windmeijer"),
        ({"steps": 2, "windmeijer": False}, "two-step uncorrected"),
        ({"steps": 2, "robust": False}, "two-step uncorrected"),
    ],
)
def test_every_p_value_has_its_share_beside_it(estimator, options, errors):
    kind = "difference" if estimator is bn.difference_gmm else "system"
    dummies = "differenced" if kind == "difference" else "level"
    for small, instruments in ((False, COLLAPSED), (True, ALL_LAGS)):
        table = estimator(
            panel_of(40, 6, 1),
            outcome="y",
            regressors=["L1.y", "x"],
            small=small,
            time_dummies=dummies,
            **instruments,
            **options,
        )
        own = ("collapsed" if instruments is COLLAPSED else "by period", errors, "t" if small else "normal")
        found = noise.measured(kind, *own, 30, 5)
        assert table.frame["note"].str.contains(str(found), regex=False).all()
        assert f"{100 * found.below['short run']:.1f} % (short run)" in table.frame["note"][0]


@pytest.mark.slow(minutes=2)
def test_shares_are_found_again(seed):
    """Other panels, through the public functions: the band of two shares' difference."""
    units, periods, panels = 10, 5, 300
    found = {"lagged outcome": 0, "short run": 0}
    for number in range(panels):
        table = bn.difference_gmm(
            panel_of(units, periods, [seed, number]),
            outcome="y",
            regressors=["L1.y", "x"],
            time_dummies="differenced",
            **COLLAPSED,
        ).frame
        found["lagged outcome"] += table["p_value"][0] < 0.05
        found["short run"] += table[table["estimand"] == "short_run"]["p_value"].item() < 0.05
    shares = noise.measured("difference", "collapsed", "two-step Windmeijer", "normal", units, periods).below
    for estimand, count in found.items():
        error = np.sqrt(shares[estimand] * (1 - shares[estimand]) * (1 / panels + 1 / 1000))
        assert abs(count / panels - shares[estimand]) < normal_band(2) * error, estimand
