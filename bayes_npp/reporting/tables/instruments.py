"""Models with instruments: how strong they are, which slopes they leave, and what direct effects would change."""

from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.analysis.records import InstrumentRecord
from bayes_npp.frequentist.instruments.iv import ar_words
from bayes_npp.reporting.base.blocks import Block, Cards, Cell, Heading, Paragraph
from bayes_npp.reporting.base.cells import Table, number, probability, relation
from bayes_npp.reporting.base.keys import estimate_key
from bayes_npp.reporting.base.numbers import interval_of, of_row, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import axis, axis_range, intervals
from bayes_npp.reporting.base.words import lower, model_word, sentence, variable_word
from bayes_npp.reporting.tables.rungs import baseline_row

NARROWED = "SD of the slope over what priors alone leave"  # its row of tests.csv


def instrument_blocks(result: Result) -> list[Block]:
    """Every model with instruments beside two-way fixed effects; nothing without one."""
    if not (result.instruments or result.instrument_posteriors):
        return []
    exposure = lower(variable_word(result.study, result.study.roles.exposure, unit=False))
    text = (
        f"An instrument moves {exposure}, and the outcome through {exposure} alone. How strongly it does the first is "
        "tested here; the second no test can show. Where an instrument is weak its interval is too short, and the set "
        "of Anderson and Rubin, which holds its level, says what the data leave open."
    )
    posteriors = [paragraph for record in result.instrument_posteriors for paragraph in _learned(record, result)]
    return [Heading("Is the exposure given from outside?"), Paragraph(text), _cards(result), *posteriors]


def exclusion_table(record: InstrumentRecord, result: Result) -> Table:
    """The slope, and the probability of every claim about slopes, where instruments may act directly."""
    claims = [own for own in result.excluded if own.model == record.model]
    rows = []
    for k, own in enumerate(record.under_exclusion):
        declared = " (declared)" if own.sd == record.exclusion else ""
        row = {"SD of direct effects": f"{own.sd:g}{declared}"}
        if own.why:
            row["slope"] = f"no posterior: {own.why}"
        else:
            row["slope"], row["95 % interval"] = number(own.estimate), f"[{number(own.lo)}, {number(own.hi)}]"
            row["P(slope > 0)"] = probability(own.probability)
        for claim in claims:
            chance = claim.probabilities[k]
            row[claim.claim] = "" if chance is None else probability(chance)
        rows.append(row)
    notes = [
        "Each instrument has a coefficient of its own in the equation of the outcome, normal around zero with this SD: "
        "in within SDs of the outcome per within SD of the instrument. At 0 it acts through the exposure alone. "
        "The slope is the average over observations."
    ]
    if claims:
        notes.append("Under a claim's name: its probability in this model, which has no part in the claim's verdict.")
    title = f"What direct effects of the instruments would change: {model_word(result.study, record.model)}"
    return Table(f"exclusion_{record.model}", title, pd.DataFrame(rows).fillna(""), tuple(notes))


def _learned(record: InstrumentRecord, result: Result) -> list[Block]:
    """How far the instruments narrow the slope, and what direct effects would change."""
    shown = _ratio(record)
    name = sentence(model_word(result.study, record.model))
    if record.learned.near_prior:
        text = (
            f"{name}: the posterior stays near its prior. Its SD is {shown} of the SD that the priors of slope and "
            "correlation leave without the instruments. They are weak, and say little of the slope."
        )
    else:
        text = (
            f"{name}: the SD of the slope is {shown} of the SD that the priors of slope and correlation leave without "
            "the instruments."
        )
    return [Paragraph(text), exclusion_table(record, result)]


def _cards(result: Result) -> Cards:
    own = {name: _exposure_row(result, name) for name in result.instruments}
    posteriors = {record.model: _average_row(result, record) for record in result.instrument_posteriors}
    base = baseline_row(result)
    shown = [*own.values(), *posteriors.values(), *([] if base is None else [base])]
    ends = axis_range([row[end] for row in shown for end in ("lo", "hi", "estimate")])
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    if base is not None:
        said = f"without instruments: {base['estimate']:.3g}, from {base['lo']:.3g} to {base['hi']:.3g}"
        art = intervals([("b", base["estimate"], base["lo"], base["hi"])], ends, said)
        slope = Cell(of_row(base), (interval_of(base),))
        rows.append(("", (Cell("Without instruments"), Cell("", (), art, mark="wide"), slope, Cell(""), Cell(""))))
    for name, tests in result.instruments.items():
        row = own[name]
        drawn = [("a", row["estimate"], row["lo"], row["hi"])]
        if tests["ar_shape"] == "interval":
            drawn.append(("c", np.nan, tests["ar_low"], tests["ar_high"]))
        said = f"{name}: {row['estimate']:.3g}, from {row['lo']:.3g} to {row['hi']:.3g}; {ar_words(tests)}"
        cells = (
            Cell(sentence(model_word(result.study, name)), (str(row["estimator"]),)),
            Cell("", (), intervals(drawn, ends, said), mark="wide"),
            Cell(of_row(row), (interval_of(row),)),
            _strength(name, tests),
            Cell("", (_not_rejected(name, tests), *_overidentified(name, tests))),
        )
        rows.append(("", cells))
    for record in result.instrument_posteriors:
        name, row = record.model, posteriors[record.model]
        said = f"{name}: {row['estimate']:.3g}, from {row['lo']:.3g} to {row['hi']:.3g}"
        art = intervals([("a", row["estimate"], row["lo"], row["hi"])], ends, said)
        cells = (
            Cell(sentence(model_word(result.study, name)), (str(row["estimator"]),)),
            Cell("", (), art, mark="wide"),
            Cell(of_row(row), (interval_of(row),)),
            Cell(f"SD ratio {_ratio(record)}", ("half or more: near the prior",), mark=_mark(record)),
            Cell(f"P(> 0) {_probability(row)}", ("a posterior: no test",)),
        )
        rows.append(("", cells))
    columns = (
        ("Model", ""),
        ("Slope, 95 % interval", axis(ends, "Axis of slopes")),
        ("Slope", ""),
        ("First-stage F", "below ten: weak"),
        ("What is not rejected", ""),
    )
    note = (
        "Circle: the instruments' slope and its interval; grey line below it: the Anderson-Rubin set where it is an "
        "interval. SD ratio: of a posterior, its SD over the SD that priors alone leave. With slopes that differ "
        "between groups instruments weight them in their own way, so that the two slopes are not differenced."
    )
    return Cards("instruments", "Models with instruments.", columns, tuple(rows), (22, 26, 16, 14, 22), (note,))


def _exposure_row(result: Result, model: str) -> pd.Series:
    return result.estimates.select(model=model, estimand="pooled_slope").iloc[0]


def _probability(row: pd.Series) -> str:
    share = float(row["prob_positive"])
    return tagged(relation(share), share, f"estimates.csv:{estimate_key(row)}:prob_positive")


def _ratio(record: InstrumentRecord) -> str:
    ratio = record.learned.ratio
    return tagged(f"{ratio:.2f}", ratio, f"tests.csv:{record.model}/{NARROWED}:statistic")


def _mark(record: InstrumentRecord) -> str:
    return "failed" if record.learned.near_prior else "passed"


def _average_row(result: Result, record: InstrumentRecord) -> pd.Series:
    """The row of the one slope, or of the groups' average."""
    return result.estimates.select(model=record.model).iloc[0]


def _strength(name: str, tests: dict[str, Any]) -> Cell:
    f = tests["first_stage_f"]
    below = [f"effective {number(tests['effective_f'])}"] if tests["n_instruments"] > 1 else []
    shown = tagged(f"{f:.1f}", f, f"tests.csv:{name}/first-stage F:statistic")
    return Cell(shown, tuple(below), mark="failed" if tests["weak"] else "passed")


def _not_rejected(name: str, tests: dict[str, Any]) -> str:
    """The Anderson-Rubin set, its ends tied to their file."""
    key = f"tests.csv:{name}/Anderson-Rubin, slope of zero"
    ends = (("lo", tests["ar_low"]), ("hi", tests["ar_high"]))
    return ar_words(tests, *(tagged(number(value), value, f"{key}:{column}") for column, value in ends))


def _overidentified(name: str, tests: dict[str, Any]) -> list[str]:
    if "hansen" in tests["not_computable"]:
        return []
    p = tests["hansen_p"]
    return [f"Hansen p = {tagged(f'{p:.3f}', p, f'tests.csv:{name}/Hansen:p_value')}"]
