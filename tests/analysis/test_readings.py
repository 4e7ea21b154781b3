"""Readings: signs at their thresholds, ranges over rows, placebos, reproductions, ways to pool."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bayes_npp.analysis.readings import (
    by_interval,
    by_probability,
    placebos,
    read_mechanism,
    read_paths,
    read_replication,
    robustness_ranges,
)
from bayes_npp.analysis.records import Ladder, Mechanism, PoolingRung, RobustnessRecord
from bayes_npp.analysis.stacking import ladder_accuracy
from bayes_npp.bayesian.comparison.scores import Accuracy, stacking
from bayes_npp.estimates import estimates_from_rows
from bayes_npp.reporting.tables.mechanism import chain_sentence, mediator_sentence

BAYES = {"paradigm": "bayesian", "spread_kind": "sd", "interval": "eti", "level": 0.95, "covariance": "iid errors"}
CLASSIC = {"paradigm": "frequentist", "spread_kind": "se", "interval": "ci", "level": 0.95, "covariance": "clustered"}
SHARED = {"outcome": "y", "estimator": "e", "spread": 0.1, "estimate": 0.5, "lo": -1.0, "hi": 1.0}


@pytest.mark.parametrize(
    ("p", "sign"),
    [(0.975, "clearly positive"), (0.9749, "undecided"), (0.0251, "undecided"), (0.025, "clearly negative")],
)
def test_sign_by_probability(p, sign):
    found = by_probability(pd.Series({"prob_positive": p}))
    assert (found.sign, found.clear) == (sign, sign != "undecided")


@pytest.mark.parametrize(
    ("lo", "hi", "sign"),
    [
        (0.01, 1, "clearly positive"),
        (0.0, 1, "undecided"),
        (-1, 0.0, "undecided"),
        (-1, -0.01, "clearly negative"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_sign_by_interval(lo, hi, sign):
    assert by_interval(pd.Series({"lo": lo, "hi": hi})).sign == sign


def mediation(**probability):
    """Rows of a mediation model whose P(> 0) are given by estimand; a chain and two differences beside."""
    rows = [
        {"estimand": estimand, "term": "m", "prob_positive": probability[estimand]}
        for estimand in ("path_a", "path_b", "indirect")
    ]
    rows.append({"estimand": "proportion_mediated", "term": "m", "prob_positive": 0.9})
    rows.append({"estimand": "indirect", "term": "m", "group": "north", "prob_positive": 0.01})
    rows.append({"estimand": "indirect", "term": "m -> n", "prob_positive": 0.99})
    rows.append({"estimand": "indirect", "term": "m - n", "prob_positive": 0.01})
    rows.append({"estimand": "indirect", "term": "m", "group": "north - south", "prob_positive": 0.5})
    return estimates_from_rows([{**SHARED, **row} for row in rows], model="mechanism", **BAYES)


def a_fit(sampled=True, **checks):
    predictive = tuple(SimpleNamespace(name=name, passed=passed) for name, passed in checks.items())
    return SimpleNamespace(diagnostics=SimpleNamespace(passed=sampled), predictive=predictive)


def test_a_mechanism_is_read_once():
    crossings = pd.DataFrame({"mediator": ["m", "m"], "group": ["north", ""], "mean_crosses": [0.9, 0.3]})
    crossings["interval_includes"] = [0.8, 0.1]
    fits = (a_fit(serial=True, spread=False), a_fit(sampled=False, cross=False, spread=False))
    mechanism = Mechanism("mechanism", ("m",), fits, None, crossings, missing="WARNING: filled")
    found = read_mechanism(mechanism, mediation(path_a=0.99, path_b=0.9, indirect=0.98))
    (mediator,) = found.mediators
    assert (mediator.path_a.sign, mediator.path_b.sign) == ("clearly positive", "undecided")
    assert mediator.indirect.sign == "clearly positive"
    assert mediator.crossing["mean_crosses"] == 0.3
    assert [own.sign for own in found.contrasts] == ["clearly negative", "undecided"]
    assert [(own.row["term"], own.sign) for own in found.chains] == [("m -> n", "clearly positive")]
    assert (found.sampled, found.failing, found.warns) == (False, ("cross", "spread"), True)
    text = mediator_sentence(mediator, "x", "y", str)
    assert "is clearly positive" in text
    assert "correlated by +0.10 would let its interval include zero, by +0.30" in text
    assert "M -> N: the indirect association along this chain is clearly positive" in chain_sentence(found, str.upper)


@pytest.mark.parametrize(
    ("path_a", "path_b", "why"),
    [
        (0.9, 0.99, "the sign of x to m (P(> 0) = 0.900) is undecided"),
        (0.9, 0.1, "the sign of x to m (P(> 0) = 0.900) and m to y (P(> 0) = 0.100) is undecided"),
        (0.99, 0.01, "both paths are clear, their product is not"),
    ],
)
def test_open_paths_are_named(path_a, path_b, why):
    mechanism = Mechanism("mechanism", ("m",), (a_fit(),), None, None)
    found = read_mechanism(mechanism, mediation(path_a=path_a, path_b=path_b, indirect=0.9))
    assert (found.sampled, found.failing, found.warns) == (True, (), False)
    text = mediator_sentence(found.mediators[0], "x", "y", str)
    assert text.startswith("m: no indirect association is established")
    assert text.endswith(f"{why}.")


def test_paths_by_least_squares_as_far_as_they_go():
    rows = [
        {"estimand": "path_a", "term": "m", "lo": 0.1, "hi": 0.9},
        {"estimand": "path_a", "term": "n", "lo": -0.1, "hi": 0.9},
        {"estimand": "path_b", "term": "m", "lo": -0.9, "hi": -0.1},
    ]
    table = estimates_from_rows([{**SHARED, **row} for row in rows], model="steps", **CLASSIC)
    m, n = read_paths("steps", table)
    assert (m.path_a.sign, m.path_b.sign, m.indirect) == ("clearly positive", "clearly negative", None)
    assert (n.mediator, n.path_a.clear, n.path_b) == ("n", False, None)


def robustness(**estimates):
    """Rows of robustness of the model m with their slopes; `lead` is a placebo of the exposure's lead."""
    records = []
    for name in estimates:
        placebo = "F1.x" if name == "lead" else ""
        records.append(RobustnessRecord("m", f"m.{name}", SimpleNamespace(), "x", "altered", placebo, ""))
    rows = [{"model": f"m.{name}", "estimate": value} for name, value in estimates.items()] + [{"model": "m"}]
    rows += [{"model": f"m.{name}", "term": "F1.x", "lo": 0.1} for name in estimates if name == "lead"]
    table = estimates_from_rows([{**SHARED, "estimand": "coefficient", "term": "x", **r} for r in rows], **CLASSIC)
    return records, table


def test_range_over_rows_leaves_out_the_placebo():
    records, table = robustness(early=0.2, lead=9.0, late=-0.3, all=0.1)
    (found,) = robustness_ranges(records, table, "x")
    assert (found.declared, found.own["estimate"]) == ("m", 0.5)
    assert (found.lowest[0]["estimate"], found.lowest[1].model) == (-0.3, "m.late")
    assert (found.highest[0]["estimate"], found.highest[1].model) == (0.2, "m.early")
    (placebo,) = placebos(records, table)
    assert (placebo.model, placebo.slope.sign, placebo.slope.row["term"]) == ("m.lead", "clearly positive", "F1.x")


def test_one_row_is_no_range():
    assert robustness_ranges(*robustness(early=0.2), "x") == ()


def test_a_reproduction_counts_what_is_printed():
    records = pd.DataFrame(
        {
            "model": "m", "sample": "all", "outcome": "y", "term": ["x", "x", "w", "w"],
            "quantity": ["estimate", "se", "estimate", "se"], "difference": [-0.2, 0.9, np.nan, np.nan],
            "within": pd.Series([True, False, None, None], dtype=object), "reason": ["", "", "no row", "no row"],
        }
    )  # fmt: skip
    found = read_replication(records)
    assert (found.printed, found.reproduced, found.whole, found.worst) == (4, 1, False, 0.2)
    assert (list(found.outside["quantity"]), list(found.unmatched["term"])) == (["se"], ["w"])
    whole = read_replication(records[:1])
    assert (whole.whole, whole.worst) == (True, 0.2)


def test_ways_to_pool_are_compared_within_part_and_method():
    labels = ("a", "b", "c")

    def score(method, *values, reason=""):
        return Accuracy(method, labels, np.array(values), np.zeros(3), reason=reason)

    rungs = (
        PoolingRung("slopes", "none", "m--none", False, (score("leave_one_row_out", -1.0, -3.0, -1.0),)),
        PoolingRung("slopes", "partial", "m", True, (score("leave_one_row_out", -1.5, -1.5, -1.5),)),
        PoolingRung("units", "fixed", "m--fixed", False, (score("leave_one_unit_out", reason="no new unit"),)),
        PoolingRung("units", "partial", "m", True, (score("leave_one_unit_out", -1.0, -1.0, -2.0),)),
    )
    by_errors = {
        "iid": score("leave_one_unit_out", -2.0, -2.0, -2.0),
        "ar1": score("leave_one_unit_out", -1.0, -1.0, -1.0),
    }
    errors = SimpleNamespace(unit_scores=by_errors)
    found = ladder_accuracy([Ladder("m", errors, rungs)])
    assert list(zip(found["part"], found["model"], found["defined"], strict=True)) == [
        ("slopes", "partial", True),
        ("slopes", "none", True),
        ("units", "partial", True),
        ("units", "fixed", False),
        ("errors", "ar1", True),
        ("errors", "iid", True),
    ]
    assert found["elpd_diff"].tolist()[:3] == pytest.approx([0.0, -0.5, 0.0])
    weights = stacking([np.full(3, -1.5), np.array([-1.0, -3.0, -1.0])])
    assert found["weight"].tolist()[:2] == pytest.approx(weights.tolist())
    assert found["note"].iloc[3] == "undefined: no new unit"
    assert found["weight"].iloc[4:].tolist() == pytest.approx([1.0, 0.0], abs=1e-3)
    assert ladder_accuracy([]).empty
