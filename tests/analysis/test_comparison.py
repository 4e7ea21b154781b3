"""Like with like: the table's schema, comparisons refused, decisions and the text rendered from them, escaping."""

from dataclasses import replace

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.comparison import difference, heterogeneity, sign_reading
from bayes_npp.analysis.readings import Readings
from bayes_npp.errors import EstimatesError
from bayes_npp.estimates import concat, estimates_from_rows
from bayes_npp.reporting.base.cells import Table, number, probability
from bayes_npp.reporting.findings import findings

BAYES = {"paradigm": "bayesian", "spread_kind": "sd", "interval": "eti", "level": 0.95, "covariance": "iid errors"}
CLASSIC = {"paradigm": "frequentist", "spread_kind": "se", "interval": "ci", "level": 0.95, "covariance": "clustered"}


def rows(model, kind, slopes, gap_probability=0.99, p=0.01):
    averages = ("average_slope_twfe_weighted", "average_slope", "mean_group_slope")
    base = {"spread": 0.1, "lo": 0.0, "hi": 1.0, "term": "x", "outcome": "y", "estimator": model, "model": model}
    extra = {"prob_positive": gap_probability} if kind is BAYES else {"p_value": p}
    names = list(slopes)
    out = [{"estimand": e, "estimate": sum(slopes.values()) / len(slopes)} for e in averages]
    out += [{"estimand": "group_slope", "group": g, "estimate": v} for g, v in slopes.items()]
    out.append(
        {
            "estimand": "slope_difference",
            "group": f"{names[0]} - {names[1]}",
            "estimate": slopes[names[0]] - slopes[names[1]],
        }
    )
    return estimates_from_rows([{**extra, **row} for row in out], **base, **kind)


@pytest.fixture
def comparison():
    subsamples = estimates_from_rows(
        [
            {"group": "East", "estimate": 0.6, "p_value": 0.01, "n_units": 10},
            {"group": "West", "estimate": 0.1, "p_value": 0.4, "n_units": 11},
        ],
        estimand="subsample_slope", model="sub", term="x", outcome="y", spread=0.1, lo=0.0, hi=1.0, **CLASSIC,
    )  # fmt: skip
    table = concat(
        [subsamples, rows("int", CLASSIC, {"East": 0.5, "West": 0.0}), rows("bay", BAYES, {"East": 0.45, "West": 0.1})]
    )
    return heterogeneity(table, "region", "bay", "int", "sub")


def test_shrinkage_runs_from_the_interacted_to_the_pooled_slope_only(comparison):
    assert [s.shrinkage for s in comparison.slopes] == pytest.approx([-0.05, 0.1])
    with pytest.raises(EstimatesError, match="cannot be differenced"):
        difference(comparison.slopes[0].pooled, comparison.slopes[0].subsample)


def test_a_group_without_a_test_is_neither_significant_nor_not(comparison):
    first, second = comparison.slopes
    untested = replace(second, subsample=second.subsample.to_frame().T.assign(p_value=float("nan")).iloc[0])
    some = replace(comparison, slopes=(first, untested))
    assert some.significance_pattern == (("East",), ())


def test_decisions(comparison):
    assert comparison.significance_pattern == (("East",), ("West",))
    assert [d.reading for d in comparison.differences] == ["clearly positive"]
    assert [sign_reading(p) for p in (0.975, 0.974, 0.026, 0.025)] == [
        "clearly positive",
        "undecided",
        "undecided",
        "clearly negative",
    ]


def test_text_follows_the_decision(comparison):
    from types import SimpleNamespace

    roles = SimpleNamespace(exposure="openness", outcome="npp")
    nothing_else = {"ladders": (), "gmm": {}, "mechanisms": (), "robustness": (), "measurement": ()}
    nothing_else |= {"ledger": None, "readings": Readings({}, (), (), (), None)}
    nothing_else["study"] = SimpleNamespace(roles=roles, models=(), overlaps=(), variables=(), labels=None)
    record = SimpleNamespace(model="bay", predictive=(), diagnostics=SimpleNamespace(passed=True))
    texts = [
        f.text
        for f in findings(
            SimpleNamespace(comparisons=(comparison,), fits=(record,), every_fit=(record,), **nothing_else)
        )
    ]
    assert any("p < 0.05 in East (10 units) and not in West (11 units)" in text for text in texts)
    assert any("the sign is clear for East - West" in text for text in texts)
    pooled = comparison.differences[0].pooled.copy()
    pooled["prob_positive"] = 0.9
    open_ = replace(comparison, differences=(replace(comparison.differences[0], pooled=pooled),))
    failed = SimpleNamespace(model="bay", predictive=(), diagnostics=SimpleNamespace(passed=False, verdict="failed: x"))
    found = findings(SimpleNamespace(comparisons=(open_,), fits=(failed,), every_fit=(failed,), **nothing_else))
    assert any("no sign is clear: East - West" in f.text for f in found)
    assert [f.status for f in found if "did not pass" in f.text] == ["failure"]


def test_compare_keeps_estimands_on_their_own_lines():
    wide = bn.compare([rows("a", CLASSIC, {"E": 1.0, "W": 0.0}), rows("b", BAYES, {"E": 0.8, "W": 0.2})])
    assert list(dict.fromkeys(wide.columns.get_level_values(0))) == ["a", "b"]
    assert wide.loc[("y", "group_slope", "x", "E"), ("b", "estimate")] == 0.8
    with pytest.raises(EstimatesError, match="no row has the estimand"):
        bn.compare([rows("a", CLASSIC, {"E": 1.0, "W": 0.0})], estimand="long_run")
    with pytest.raises(EstimatesError, match="two rows of 'a'"):
        bn.compare([rows("a", CLASSIC, {"E": 1.0, "W": 0.0})] * 2)


@pytest.mark.parametrize(
    ("column", "value"),
    [("estimand", "slope"), ("paradigm", "Bayes"), ("spread", -1.0), ("p_value", 1.2), ("lo", 5.0), ("surprise", 1)],
)
def test_schema_refuses(column, value):
    frame = rows("a", CLASSIC, {"E": 1.0, "W": 0.0}).frame.assign(**{column: value})
    with pytest.raises(EstimatesError):
        bn.Estimates(frame)


def test_numbers_never_pretend():
    assert [number(v) for v in (0.0, 0.31567, 0.00123, -0.45)] == ["0.000", "0.316", "0.0012", "-0.450"]
    assert [probability(v) for v in (1.0, 0.9995, 0.9994, 0.9748, 0.0)] == [
        "> 0.999",
        "> 0.999",
        "0.999",
        "0.9748",
        "< 0.001",
    ]


def test_what_a_file_says_is_escaped():
    nasty = "<script>alert(1)</script>"
    table = Table("t", nasty, pd.DataFrame({nasty: [nasty]}), (nasty,))
    assert nasty not in table.html()
    assert "&lt;script&gt;" in table.html()
