"""Tables of the tests that groups have one slope: joint, and pair by pair."""

import pandas as pd

from bayes_npp.analysis.comparison import Heterogeneity
from bayes_npp.analysis.records import GroupTests
from bayes_npp.frequentist.hypotheses.equal_slopes import EqualityTest, PairTest
from bayes_npp.reporting.base.cells import Table, number, p_relation
from bayes_npp.reporting.base.result import Result


def equality_table(comparison: Heterogeneity, result: Result) -> Table | None:
    """Every declared model by the grouping of a comparison, its joint test and its pairs; None without one."""
    return next((_table(g, own) for g, own in _by_grouping(result) if g == comparison.grouping), None)


def other_equality_tables(result: Result) -> list[Table]:
    """The same for every grouping that no comparison is about."""
    compared = {comparison.grouping for comparison in result.comparisons}
    return [_table(g, own) for g, own in _by_grouping(result) if g not in compared]


def _by_grouping(result: Result) -> list[tuple[str, list[GroupTests]]]:
    groupings = dict.fromkeys(tests.grouping for tests in result.equality)
    return [(g, [tests for tests in result.equality if tests.grouping == g]) for g in groupings]


def _table(grouping: str, models: list[GroupTests]) -> Table:
    rows, notes = [], []
    for tests in models:
        test = tests.test
        if test is None:
            rows.append(_row(tests.model, "all groups", {"p-value": tests.reason}))
            continue
        joint = {"statistic": f"{number(test.statistic)}, {test.distribution}", "p-value": p_relation(test.p_value)}
        rows.append(_row(tests.model, "all groups: joint Wald test as F", joint))
        rows += [_row(tests.model, pair.groups, cells) for pair, cells in _pairs(test)]
        notes.append(
            f"{tests.model}: {test.name}; null: {test.null}. Standard errors {test.covariance}, {test.convention}; "
            f"{test.n_obs} observations, {test.n_units} units, {test.fewest_units} in the smallest group."
        )
    notes.append(
        "One regression a model: the differences are tested as differences. In the fully interacted regression "
        "coefficients equal those of separate regressions exactly, and its standard errors count the clusters of all "
        "groups together. Where a group has few clusters such tests reject too often. Holm: adjusted for all pairs of "
        "the model."
    )
    title = f"Is the slope the same in every {grouping}?"
    return Table(f"equality_{grouping.replace('/', '_')}", title, pd.DataFrame(rows).fillna(""), tuple(notes))


def _row(model: str, groups: str, cells: dict[str, str]) -> dict[str, str]:
    blank = dict.fromkeys(("difference (standard error)", "statistic", "p-value", "p-value, Holm"), "")
    return {"model": model, "groups": groups, **blank, **cells}


def _pairs(test: EqualityTest) -> list[tuple[PairTest, dict[str, str]]]:
    return [
        (
            pair,
            {
                "difference (standard error)": f"{number(pair.difference)} ({number(pair.se)})",
                "statistic": f"{number(pair.statistic)}, {pair.distribution}",
                "p-value": p_relation(pair.p_value),
                "p-value, Holm": p_relation(pair.p_holm),
            },
        )
        for pair in test.pairs
    ]
