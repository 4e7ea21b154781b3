"""Differences between groups, tested in every way a referee may ask for: a picture of p-values, then every test."""

import pandas as pd

from bayes_npp.analysis.differences import POSTERIOR, DifferenceRecord
from bayes_npp.frequentist.hypotheses.differences import ALL, TESTS
from bayes_npp.reporting.base.blocks import Block, Cards, Cell, Details, Heading, Paragraph
from bayes_npp.reporting.base.cells import Table, number, relation
from bayes_npp.reporting.base.numbers import chance, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import p_strip
from bayes_npp.reporting.base.words import counted, errors_word, lower, unit_word, variable_word

FILE = "differences.csv"
STATA = {
    "interaction": "xtreg y c.x##i.g controls i.year, fe vce(cluster unit)",
    "fully interacted": "the same with i.g## before every regressor and every year",
    "chow": "testparm i.g#c.(x controls) after it",
    "suest": "suest after one areg a group, vce(cluster unit)",
    "satterthwaite": "none; Welch's t on one xtreg a group",
    "wild bootstrap": "boottest after the fully interacted regression",
    "permutation": "bdiff, which prints the one-sided share",
    "permutation, studentised": "none",
}
SAID = {
    "interaction": "One regression, only the slope differs",
    "fully interacted": "One regression, everything differs",
    "chow": "All coefficients at once (Chow)",
    "suest": "Separate regressions, tested together (suest)",
    "satterthwaite": "Separate regressions, few units counted as few",
    "wild bootstrap": "Wild cluster bootstrap",
    "permutation": "Units change groups (Fisher)",
    "permutation, studentised": "Units change groups, over the standard error",
    "posterior": "Hierarchical model: P(difference > 0)",
    "bayes factor": "Hierarchical model: Bayes factor for equal slopes",
}


def difference_blocks(result: Result) -> list[Block]:
    """Every [[difference]]: what is asked, a picture of the p-values of each pair, every test folded away.

    The first grouping is in the open, others are folded away.
    """
    blocks: list[Block] = []
    for place, record in enumerate(result.differences):
        asked = f"Is the difference by {_group(record)} a difference?"
        shown: tuple[Block, ...] = (Paragraph(_lead(record, result)), _cards(record, result))
        adjusted = _adjusted(result) if place == 0 else ()
        every = Details(f"Every test of the differences by {_group(record)}", (_table(record, result), *adjusted))
        blocks += [Details(asked, (*shown, every))] if place else [Heading(asked), *shown, every]
    return blocks


def _group(record: DifferenceRecord) -> str:
    return record.declared.group.replace("_", " ")


def _lead(record: DifferenceRecord, result: Result) -> str:
    """What the tests ask and what they share, then what they say together."""
    units = unit_word(result.study, plural=True)
    exposure = lower(variable_word(result.study, record.tests.term, unit=False))
    text = (
        "One significant slope beside an insignificant one is no difference. Each test here asks whether the slope of "
        f"{exposure} is the same in two groups. They differ in what else may vary, and in what they assume of the "
        "errors. "
    )
    below = [f"{one} and {two}" for one, two, low, high in record.p_range if high < 0.05]
    some = [f"{one} and {two}" for one, two, low, high in record.p_range if low < 0.05 <= high]
    if below:
        text += f"Every test puts p below 5 % for {'; '.join(below)}. "
    if some:
        text += f"Some tests put p below 5 % and others do not for {'; '.join(some)}. "
    if record.p_range and not below and not some:
        text += "No test puts p below 5 % for any pair. "
    if record.untested:
        few = "; ".join(dict.fromkeys(reason for *_, reason in record.untested))
        text += f"No test by least squares for {counted(len(record.untested), 'pair')}: {few}. "
    small = [f"{label} ({count})" for label, count in record.tests.units.items() if 4 <= count < 10]
    if small:
        text += f"Groups with fewer than ten {units}, where p-values are approximate: {', '.join(small)}."
    return text.strip()


def _cards(record: DifferenceRecord, result: Result) -> Cards:
    frame = record.tests.frame
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for one, two in frame[["group_1", "group_2"]].drop_duplicates().itertuples(index=False):
        own = frame[(frame["group_1"] == one) & (frame["group_2"] == two) & (frame["group_1"] != ALL)]
        if own.empty:
            continue
        slopes = own[own["test"].isin(list(TESTS)) & (own["test"] != "chow")]
        p = slopes["p_value"].dropna()
        key = f"{record.declared.name}/{{}}/{one}/{two}"
        gaps = [
            f"{said} {tagged(number(row['estimate']), row['estimate'], f'{FILE}:{key.format(row["test"])}:estimate')}"
            for said, test in (("one regression", "interaction"), ("separate", "suest"))
            for _, row in slopes[slopes["test"] == test].iterrows()
            if not pd.isna(row["estimate"])
        ]
        drawn = Cell("no test", (_reason(slopes),))
        ends = Cell("")
        if len(p):
            words = f"p-values of {len(p)} tests of {one} against {two}, from {p.min():.3f} to {p.max():.3f}"
            drawn = Cell("", (), p_strip([float(value) for value in p], words), mark="wide")
            least, most = slopes.loc[p.idxmin()], slopes.loc[p.idxmax()]
            ends = Cell(
                " to ".join(
                    tagged(f"{row['p_value']:.3f}", row["p_value"], f"{FILE}:{key.format(row['test'])}:p_value")
                    for row in (least, most)
                ),
                (f"lowest: {lower(SAID[least['test']])}", f"highest: {lower(SAID[most['test']])}"),
            )
        posterior = own[own["test"] == "posterior"]
        shown = Cell("")
        if len(posterior):
            row = posterior.iloc[0]
            ref = f"{FILE}:{key.format('posterior')}"
            shown = Cell(
                tagged(chance(row["statistic"]), row["statistic"], f"{ref}:statistic"),
                (f"mean {tagged(number(row['estimate']), row['estimate'], f'{ref}:estimate')}",),
            )
        rows.append(("", (Cell(f"{one} less {two}", tuple(gaps)), drawn, ends, shown)))
    errors = f"; {errors_word(result.study, record.errors)}" if record.errors else ""
    factor = frame[frame["test"] == "bayes factor"]
    note = "A mark is the p-value of one test of the slope; shaded: below 0.05."
    if len(factor):
        value = factor.iloc[0]
        ref = f"{FILE}:{record.declared.name}/bayes factor/{ALL}/{ALL}:statistic"
        found = float(value["statistic"])
        factor_text = tagged(f"{found:.3g}" if found < 1000 else number(found), found, ref)
        note += f" Bayes factor for equal slopes in all groups: {factor_text} ({value['note']})."
    return Cards(
        f"difference_{record.declared.name}",
        f"Two slopes by {_group(record)}, tested against each other{errors}.",
        (
            ("Pair", "estimated difference"),
            ("P-values of every test", "square-root scale"),
            ("Lowest and highest p", ""),
            ("P(difference > 0)", "hierarchical model"),
        ),
        tuple(rows),
        (25, 31, 26, 18),
        (note,),
    )


def _reason(rows: pd.DataFrame) -> str:
    return str(rows["note"].iloc[0])


def _table(record: DifferenceRecord, result: Result) -> Table:
    """A row a test, a column a pair: p-values, adjusted ones in brackets."""
    frame, holm = record.tests.frame, record.tests.holm
    pairs = list(frame[["group_1", "group_2"]].drop_duplicates().itertuples(index=False, name=None))
    rows = []
    for test in [*TESTS, *POSTERIOR]:
        own = frame[frame["test"] == test]
        if own.empty:
            continue
        row = {"test": SAID[test]}
        for one, two in pairs:
            found = own[(own["group_1"] == one) & (own["group_2"] == two)]
            row["all groups" if one == ALL else f"{one} - {two}"] = _cell(found, holm) if len(found) else ""
        row["in Stata"] = STATA.get(test, "")
        rows.append(row)
    reasons = dict.fromkeys(frame.loc[~frame["applies"], "note"])
    notes = (
        "P-values, two-sided; in brackets adjusted for all pairs of the same test (Holm 1979). The last rows are a "
        "probability and a Bayes factor, not p-values.",
        *(f"No test: {reason}." for reason in reasons),
        f"Permutations and bootstrap: {record.tests.draws} draws, seed {record.tests.seed}, all arrangements where "
        f"they are fewer. Whole {unit_word(result.study, plural=True)} change groups. Standard errors, factors and "
        f"degrees of freedom of every cell: {FILE}.",
    )
    return Table(f"difference_tests_{record.declared.name}", f"By {_group(record)}", pd.DataFrame(rows), notes)


def _cell(found: pd.DataFrame, holm: pd.DataFrame) -> str:
    row = found.iloc[0]
    if row["test"] in POSTERIOR:
        return relation(row["statistic"]).removeprefix("= ") if row["test"] == "posterior" else number(row["statistic"])
    if not row["applies"]:
        return "none"
    adjusted = holm[
        (holm["test"] == row["test"]) & (holm["group_1"] == row["group_1"]) & (holm["group_2"] == row["group_2"])
    ]
    shown = _p(row["p_value"])
    return f"{shown} ({_p(adjusted.iloc[0]['p_holm'])})" if len(adjusted) else shown


def _p(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def _adjusted(result: Result) -> tuple[Block, ...]:
    """Claims about differences, their p-values adjusted for each other; once, below the first table."""
    frame = result.adjusted
    if frame is None or len(frame) < 2:
        return ()
    shown = pd.DataFrame(
        {
            "claim": frame["claim"],
            "p-value": [_p(value) for value in frame["p_value"]],
            "p-value, Holm over these claims": [_p(value) for value in frame["p_holm"]],
        }
    )
    note = "Two-sided, of the regression in which only the slope differs: the test in each claim's own row."
    return (Table("differences_adjusted", "Several claims that groups differ, read together", shown, (note,)),)
