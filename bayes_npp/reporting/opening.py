"""The first screen: the answer, the verdicts counted, warnings said once, and whose data these are."""

import math
import re

from bayes_npp.claims.ledger import Ledger
from bayes_npp.claims.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED, VERDICTS
from bayes_npp.reporting.base.blocks import Lead
from bayes_npp.reporting.base.numbers import interval_of, of_row, rounded, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import (
    baseline_word,
    counted,
    errors_word,
    listed,
    lower,
    model_word,
    sentence,
    unit_word,
    variable_word,
    whose,
)
from bayes_npp.reporting.tables.ladder import average_row
from bayes_npp.reporting.tables.rungs import baseline_row, main_ladder, moves_from

ALWAYS = (SUPPORTED, CONTRADICTED, UNDECIDED)  # counted even where no claim has it
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def lead(result: Result) -> Lead:
    """The first screen of a run."""
    ledger, header = result.ledger, result.study.header
    counts: tuple[tuple[str, int], ...] = ()
    said = ""
    if ledger is not None:
        names = [record.verdict.name for record in ledger.records]
        counts = tuple((name, names.count(name)) for name in VERDICTS if name in ALWAYS or name in names)
        said = f"Verdicts on {counted(len(names), 'claim')}"
    facts = []
    warned = warnings(result)
    if warned:
        facts.append(("Before you read any number", warned))
    data = [header.data_are] if header.data_are and not header.data_are_not else []
    if header.data_are_not:
        data = [*_first_sentences(header.data_are_not, 2), "More under [the data](#data)."]
    if data:
        facts.append((_about_the_data(header.data_are_not), tuple(data)))
    return Lead(answer(result), counts, said, tuple(facts))


def _about_the_data(are_not: str) -> str:
    """The heading: what goes on from "They are not" says the opposite below any other, unless it begins with "Not"."""
    if not are_not:
        return "The data"
    return "Whose data these are" if are_not.startswith("Not ") else "What the data are not"


def answer(result: Result) -> str:
    """The answer in a sentence or two: reproduction, verdicts, and how far the average slope moves with the errors."""
    parts = []
    reproduction, ledger = result.readings.reproduction, result.ledger
    if reproduction is not None:
        whole = (
            "all of them" if reproduction.reproduced == reproduction.printed else f"{reproduction.reproduced} of them"
        )
        parts.append(
            f"The paper prints {reproduction.printed} numbers that can be computed from its own data; {whole} "
            "are reproduced."
        )
    if ledger is not None:
        parts.append(_verdicts(ledger, result))
    parts.append(_slopes(result))
    return " ".join(part for part in parts if part)


def _verdicts(ledger: Ledger, result: Result) -> str:
    names = [record.verdict.name for record in ledger.records]
    total = len(names)
    where = "On its own data" if result.study.header.replicates else "On these data"
    if total == 1:
        return f"{where} {whose(result.study)} claim is {names[0]}."
    said: list[str] = []
    for name in VERDICTS[:-1]:
        count = names.count(name)
        if count or name in ALWAYS:
            of = "" if said else f" of {whose(result.study)} {_word(total)} claims"
            said.append(f"{_word(count)}{of} {'is' if count < 2 else 'are'} {name}")
    return f"{where} {listed(said)}."


def _slopes(result: Result) -> str:
    baseline, ladder = baseline_row(result), main_ladder(result)
    study = result.study
    exposure, outcome = (variable_word(study, name) for name in (study.roles.exposure, study.roles.outcome))
    if baseline is None and ladder is None:
        return ""
    unit = f"{lower(outcome)} for one unit of {lower(exposure)}"
    if ladder is None:
        found = baseline
        assert found is not None
        kind = model_word(study, str(found["model"]))
        return f"The slope by {kind} is {of_row(found)} {interval_of(found)}: {unit}.{per_sd(result)}"
    own = average_row(result, ladder.errors.record.model)
    errors = errors_word(study, ladder.errors.chosen)
    baseline = moves_from(result, own)
    if baseline is not None:
        regression = baseline_word(result.study)
        text = f"{regression} finds an average slope of {of_row(baseline)}; with the errors that the "
        text += f"checks ask for ({errors}) it is {of_row(own)} {interval_of(own)}."
    else:
        text = f"The average slope is {of_row(own)} {interval_of(own)} ({errors})."
    if not ladder.errors.passed:
        text += " No error model tried passes every check, so no verdict is firm."
    return f"{text} A slope is {unit}; brackets are 95 % intervals.{per_sd(result)}"


def per_sd(result: Result) -> str:
    """What one SD of the exposure is, beside the first slope, or its two values where it has no others."""
    exposure = result.study.roles.exposure
    found = result.descriptives[result.descriptives["variable"] == exposure]
    if found.empty:
        return ""
    n, mean, sd, low, high = (float(found[name].iloc[0]) for name in ("n", "mean", "sd", "min", "max"))
    if n > 1 and math.isclose(sd**2 * (n - 1), n * (high - mean) * (mean - low), rel_tol=1e-9):  # of two values alone
        return f" The exposure is {low:g} or {high:g}."
    key = f"{found['role'].iloc[0]}/{exposure}"
    return f" One SD of the exposure is {tagged(rounded(sd, sd), sd, f'descriptives.csv:{key}:sd')}."


def warnings(result: Result) -> tuple[str, ...]:
    """What stands against reading any slope as it looks: each said once, here and not at every claim."""
    out = [*_failed(result), *_placebo(result), *_trends(result), *_shared(result), *_instruments(result)]
    return tuple(out[:5])


def _failed(result: Result) -> list[str]:
    failed = [record.model for record in result.every_fit if not record.diagnostics.passed]
    if not failed:
        return []
    names = listed([model_word(result.study, name) for name in failed[:3]])
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return [f"The sampler failed its diagnostics in {counted(len(failed), 'fit')} ({names}{more}): do not use it."]


def _placebo(result: Result) -> list[str]:
    return [
        f"Placebo: the exposure of a later period has a slope of {of_row(placebo.slope.row)} "
        f"{interval_of(placebo.slope.row)}, where strict exogeneity says zero."
        for placebo in result.readings.placebos
        if placebo.slope.clear
    ][:1]


def _trends(result: Result) -> list[str]:
    baseline = baseline_row(result)
    if baseline is None:
        return []
    for record in result.robustness:
        if record.declared == baseline["model"] and getattr(record.estimated, "unit_trends", False):
            rows = result.estimates.select(model=record.model, term=result.study.roles.exposure, group="")
            if len(rows):
                row, unit = rows.iloc[0], unit_word(result.study)
                return [f"A linear trend for each {unit} takes {of_row(baseline)} to {of_row(row)} {interval_of(row)}."]
    return []


def _shared(result: Result) -> list[str]:
    roles = result.study.roles
    both = [
        overlap.what
        for overlap in result.study.overlaps
        if {roles.outcome, roles.exposure} <= {name for _, name, _ in overlap.parts}
    ]
    if not both:
        return []
    return [f"Outcome and exposure share {listed(both[:2])}: part of their association holds by construction."]


def _instruments(result: Result) -> list[str]:
    warned = [model for model, tests in result.gmm.items() if tests["warnings"]]
    if not warned:
        return []
    names = listed([model_word(result.study, model) for model in warned[:2]])
    more = f" and {len(warned) - 2} more" if len(warned) > 2 else ""
    return [f"{sentence(names)}{more}: the tests of instruments warn (see [dynamics](#robustness))."]


def _word(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def _first_sentences(text: str, most: int) -> list[str]:
    found = re.split(r"(?<=[.!?])\s+", text.strip())
    return [" ".join(found[:most])]
