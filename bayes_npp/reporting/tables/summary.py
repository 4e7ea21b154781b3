"""Summary of findings: one row a claim, with its posterior as dots, its probability under every choice, its verdict."""

import re

import pandas as pd

from bayes_npp.claims.choices import DECLARED, VARIED, Choices, Lane
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.claims.verdicts import ERRORS_FAIL, FIRM, fragile
from bayes_npp.design.propositions import Quantity
from bayes_npp.reporting.base.blocks import Cards, Cell
from bayes_npp.reporting.base.keys import key_of, keyed
from bayes_npp.reporting.base.numbers import chance, decimals_of, p_value, rounded, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import dots, icon, lanes
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.base.words import (
    KINDS,
    MODELS,
    counted,
    errors_word,
    sentence,
    variable_word,
    variant_word,
    whose,
)
from bayes_npp.reporting.tables.mechanism import crossing_word

PUBLISHED = ("claim", "table", "column", "model", "sample", "estimator", "outcome", "term")
_LABEL = re.compile(r"[A-Z]{1,3}\d+[a-z]?")  # a claim's number in the paper, such as H1; other ids are for files
SHOWN = 4  # choices named in a row; the others are behind the marks


def summary_cards(result: Result) -> Cards | None:
    """One row a claim; None without claims."""
    ledger = result.ledger
    if ledger is None:
        return None
    columns: list[tuple[str, str]] = [
        (f"{sentence(whose(result.study))} claim", ""),
        ("The paper printed", ""),
    ]
    columns += [
        ("The same test, these data", "estimate, 95 % interval"),
        ("Posterior", "40 equally likely values; 95 % interval"),
    ]
    columns += [("Probability the claim holds", "and under other choices"), ("Verdict", ""), ("What would move it", "")]
    widths: tuple[int, ...] = (16, 12, 11, 16, 21, 11, 13)
    printed = any(len(record.printed) for record in ledger.records)
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    groups = [("The association and how it comes about", False), ("Where it is said to be stronger", True)]
    for heading, difference in groups:
        own = [record for record in ledger.records if record.claim.parsed.is_difference == difference]
        if own and len(own) < len(ledger.records):
            rows.append(("", (Cell(heading),)))
        for record in own:
            cells = _row(record, result.choices[record.name], ledger, result)
            rows.append(("claim", cells if printed else (cells[0], *cells[2:])))
            if reasons := _reasons(record, ledger):
                rows.append(("why", (Cell(f"Why {record.verdict.name}", reasons),)))
    rules = ledger.rules
    common = {record.errors for record in ledger.records}
    same = f"Errors behind every claim: {errors_word(result.study, common.pop())}. " if len(common) == 1 else ""
    shared = set.intersection(*(set(record.verdict.because) for record in ledger.records))
    weak = "; ".join(sorted(why for why in shared if not why.startswith("probability ")))
    same += f"Of every claim: {weak}. " if weak and len(ledger.records) > 1 else ""
    notes = (
        f"Supported: probability of at least {_bar(rules.support)}, and for a difference a Bayes factor that speaks "
        f"for different slopes. Contradicted: at most {_bar(rules.contradict)}. Negligible: with a probability of "
        f"{_bar(rules.support)} it differs from the claim's number by less than the smallest effect. Fragile: not so "
        "under every choice, or something else speaks against it, such as errors that fail their checks. The whole "
        "rule is under [methods](#methods).",
        same + " ".join((*_tested(ledger, result), "Choices share their data and are no independent evidence.")),
    )
    caption = (
        "Filled dots favour the claim. In the column of probabilities the line is this run's answer, marks are answers "
        "under other choices, shaded ends are where a claim would be supported or contradicted."
    )
    if not printed:
        columns, widths = columns[:1] + columns[2:], (20, 12, 18, 24, 12, 14)
    return Cards("sof", caption, tuple(columns), tuple(rows), widths, notes)


def _tested(ledger: Ledger, result: Result) -> list[str]:
    """What stands behind the tests, and what marks for errors are, where there are any."""
    said = {
        (False,): "Tests are two-sided, with errors clustered by unit.",
        (True,): "Tests are two-sided, by what the study declares.",
        (False, True): "Tests are two-sided; those of slopes have errors clustered by unit, those of mechanisms what "
        "the study declares.",
    }
    out = [said[tuple(sorted({record.claim.parsed.is_mechanism for record in ledger.records}))]]
    lanes = [lane for record in ledger.records for lane in result.choices[record.name].lanes]
    if any(lane.kind == "errors" and lane.marks for lane in lanes):
        out.append(
            "Marks for errors show what every other error model tried would say; a verdict counts those that have all "
            "parts of its own and more, and pass their checks."
        )
    return out


def _bar(value: float) -> str:
    return f"{100 * value:g} %"


def _row(record: ClaimRecord, found: Choices, ledger: Ledger, result: Result) -> tuple[Cell, ...]:
    rules = ledger.rules
    p, place = record.claim.parsed, f"claims.csv:{record.claim.id}"
    spread = (record.hi - record.lo) / 4
    mean = tagged(rounded(record.estimate, spread), record.estimate, f"{place}:estimate")
    ends = [
        tagged(rounded(getattr(record, end), spread), getattr(record, end), f"{place}:{end}") for end in ("lo", "hi")
    ]
    cuts = (rules.support, rules.contradict)
    probability = tagged(chance(record.probability, cuts), record.probability, f"{place}:probability")
    names = [(KINDS[lane.kind], [q for _, q in lane.marks]) for lane in found.lanes]
    varied = ", ".join(f"{KINDS[lane.kind]} {len(lane.marks)}" for lane in found.lanes if lane.marks)
    favour = sum(p.sign * (q - p.threshold) > 0 for q in record.quantiles)
    seen = f"{favour} of {len(record.quantiles)} dots favour the claim"
    span = f"Probability {chance(record.probability, cuts)}; from {chance(record.lowest)} to {chance(record.highest)}"
    return (
        Cell(record.claim.text, (record.claim.id,) if _LABEL.fullmatch(record.claim.id) else ()),
        printed_cell(record, result),
        _test(record),
        Cell(
            "",
            (f"{mean} [{ends[0]}, {ends[1]}]", *_errors(record, ledger, result)),
            dots(record.quantiles, p.threshold, p.sign, seen),
            mark="wide",
        ),
        Cell(
            probability,
            (*_monte_carlo(record, cuts), f"Tried: {varied}" if varied else "No other choice was tried"),
            lanes(record.probability, names, (rules.contradict, rules.support), span),
            _behind(record, found, result),
            "Choices behind the marks",
            "big wide",
        ),
        Cell(record.verdict.name, art=icon(record.verdict.name), mark="verdict"),
        Cell("", (*movers(found, result), *weakened(record), *_confounded(record, result)), mark="wide"),
    )


def _monte_carlo(record: ClaimRecord, cuts: tuple[float, ...]) -> list[str]:
    """The Monte Carlo error of a claim's probability, where the digits shown do not hide it."""
    _, point, digits = chance(record.probability, cuts).partition(".")
    if not point or not record.mcse >= 0.5 * 10.0 ** -len(digits):
        return []
    key = "/".join((record.claim.id, record.errors, DECLARED, DECLARED, DECLARED))
    return [f"Monte Carlo error {tagged(f'{record.mcse:.3f}', record.mcse, f'choices.csv:{key}:mcse')}"]


def _errors(record: ClaimRecord, ledger: Ledger, result: Result) -> list[str]:
    """The errors behind a claim, where claims differ in them."""
    same = {own.errors for own in ledger.records} == {record.errors}
    return [] if same else [sentence(errors_word(result.study, record.errors))]


def _reasons(record: ClaimRecord, ledger: Ledger) -> tuple[str, ...]:
    """Why the verdict is what it is, less the probability that stands beside it and what holds of every claim."""
    every = (
        set.intersection(*(set(own.verdict.because) for own in ledger.records)) if len(ledger.records) > 1 else set()
    )
    own = [why for why in record.verdict.because if not why.startswith("probability ") and why not in every]
    return tuple(sentence(decimals_of(why, f"claims.csv:{record.claim.id}:because")) for why in own)


def _test(record: ClaimRecord) -> Cell:
    test, place = record.test, f"claims.csv:{record.claim.id}"
    if test is None:
        return Cell("", (f"No test: {record.no_test.split('; ')[0].rsplit(': ', 1)[-1]}",))
    found = [
        tagged(rounded(value, test.se), value, f"{place}:test_{name}")
        for name, value in (("estimate", test.estimate), ("lo", test.lo), ("hi", test.hi))
    ]
    below = (f"[{found[1]}, {found[2]}]", p_value(test.p_value, f"{place}:frequentist_p"))
    return Cell(found[0], below, mark="big")


def printed_cell(record: ClaimRecord, result: Result) -> Cell:
    """What the paper prints of the claim: its columns, its stars, and what it did not test."""
    rows = record.printed
    if not len(rows):
        return Cell("nothing printed")
    p = record.claim.parsed
    labels = [label.lower() for quantity in p.quantities for label in quantity.labels]
    if p.is_difference and labels:
        own = rows[[any(label in str(sample).lower() for label in labels) for sample in rows["sample"]]]
        parts = [f"{row['sample']} {_printed(row)}".strip() for _, row in (own if len(own) else rows).iterrows()]
        return Cell("; ".join(parts), ("The difference is not tested",))
    outcome = result.study.roles.outcome
    if p.is_mechanism and not (rows["outcome"] == outcome).any():
        parts = [_printed(row) for _, row in rows.iterrows()]
        return Cell("; ".join(parts), ("On the path to the mediator only",))
    shares = rows["significance"].value_counts()
    ref = f"published.csv:{key_of(rows.iloc[0], PUBLISHED)}:significance"
    stars = "; ".join(
        f"{decimals_of(_spaced(str(stars)), ref)} in {count} of {len(rows)} regressions"
        for stars, count in shares.items()
        if stars
    )
    numbers = [row for _, row in rows.iterrows() if _is_printed(row)][:3]
    below = tuple(
        f"{_number(row)} ({MODELS.get(row['estimator']) or variable_word(result.study, row['estimator'])})"
        for row in numbers
    )
    return Cell(stars or counted(len(rows), "regression"), below)


def _number(row: pd.Series) -> str:
    return tagged(f"{row['estimate']}", float(row["estimate"]), f"published.csv:{key_of(row, PUBLISHED)}:estimate")


def _is_printed(row: pd.Series) -> bool:
    return pd.notna(row["estimate"]) and str(row["estimate"]) != ""


def _printed(row: pd.Series) -> str:
    stars = decimals_of(_spaced(str(row["significance"] or "")), f"published.csv:{key_of(row, PUBLISHED)}:significance")
    number = _number(row) if _is_printed(row) else ""
    return ", ".join(part for part in (number, stars) if part and part != "nan")


def _spaced(stars: str) -> str:
    return stars.replace("<", " < ").replace(">", " > ").replace("  ", " ").strip()


def movers(found: Choices, result: Result) -> tuple[str, ...]:
    """Which choices take the claim across a threshold, or that none does."""
    sides = (("Supported under", found.above), ("Contradicted under", found.below), ("Undecided under", found.between))
    out = []
    for words, moved in sides:
        if moved:
            priors = sum(kind == "priors" for kind, *_ in moved)
            names = [variant_word(result.study, kind, variant) for kind, variant, _ in moved if kind != "priors"]
            if len(names) > SHOWN:
                names = [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
            if priors:
                tried = next(len(lane.marks) for lane in found.lanes if lane.kind == "priors")
                names.append(f"{priors} of {tried} priors")
            out.append(f"{words}: {'; '.join(names)}")
    if out:
        return tuple(out)
    if not any(lane.marks for lane in found.lanes):
        return ("No other choice was tried",)
    return ("No choice tried crosses a threshold",)


def weakened(record: ClaimRecord) -> tuple[str, ...]:
    """What makes a verdict fragile that no choice shows: errors that fail their checks."""
    weak = record.verdict.name in map(fragile, FIRM) and ERRORS_FAIL in record.verdict.because
    return ("Fragile as it is: its errors fail checks",) if weak else ()


def _confounded(record: ClaimRecord, result: Result) -> tuple[str, ...]:
    """The correlation of errors from which the interval of an indirect effect includes zero, where it is looked for."""
    p = record.claim.parsed
    mechanism = next((own for own in result.mechanisms if own.model == record.claim.model), None)
    if p.left.name != "indirect" or isinstance(p.right, Quantity) or mechanism is None or mechanism.crossings is None:
        return ()
    mediator, group = p.left.labels[0], "".join(p.left.labels[1:])
    rows = keyed(mechanism.crossings, ["mediator"])
    own = rows[(rows["mediator"] == mediator) & (rows["group"] == group)]
    if not len(own) or own["note"].iloc[0]:  # a chain of mediators; an interval that includes zero already
        return ()
    row = own.iloc[0]
    found = decimals_of(
        crossing_word(row, "interval_includes"),
        f"tables/confounding_{mechanism.model}.csv:{row['key']}:interval includes zero from rho",
    )
    outcome = result.study.roles.outcome
    return (f"Errors of {mediator} and {outcome} that correlate let the interval include zero: {found}",)


def _behind(record: ClaimRecord, found: Choices, result: Result) -> tuple[tuple[str, str], ...]:
    """The marks in words: every one of few, the ends of many."""
    out = []
    for lane in found.lanes:
        marks = lane.marks if len(lane.marks) <= 12 else (lane.marks[0], lane.marks[-1])
        for variant, probability in marks:
            ends = "" if marks is lane.marks else (" (lowest)" if variant == lane.marks[0][0] else " (highest)")
            key = choice_key(record, lane, variant)
            value = tagged(chance(probability), probability, f"choices.csv:{key}:probability")
            out.append((f"{sentence(variant_word(result.study, lane.kind, variant))}{ends}", value))
        if lane.unanswered:
            out.append((f"{sentence(KINDS[lane.kind])} without an answer", str(len(lane.unanswered))))
    return tuple(out)


def choice_key(record: ClaimRecord, lane: Lane, variant: str) -> str:
    """What a choice is called in choices.csv."""
    own = {"errors": record.errors, "priors": DECLARED, "measure": DECLARED, "sample": DECLARED}
    own[VARIED[lane.kind]] = variant
    return "/".join((record.claim.id, *own.values()))


def claim_lines(result: Result) -> list[str]:
    """One line a claim for a terminal: its name, its verdict, its probability; none without claims."""
    if result.ledger is None:
        return []
    worded, records = wording(result.study), result.ledger.records
    return [f"{worded(own.claim.id)}: {own.verdict.name} (probability {chance(own.probability)})" for own in records]
