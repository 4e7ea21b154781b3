"""The choice board of the page: every row of choices.csv, found by claim, errors, priors, measure and sample."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from bayes_npp.bayesian.sensitivity.sensitivity import MEASURES
from bayes_npp.claims.choices import DECLARED, choice_rows
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.reporting.base.blocks import Widget
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import MINUS, chance, rounded
from bayes_npp.reporting.base.rendering import widget_markup
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.base.words import errors_word, sentence, variant_word
from bayes_npp.reporting.explorer import embedded, inlined, said

KINDS = {"errors": "errors", "priors": "priors", "measure": "measurement", "sample": "specification"}
AXES = {"exposure": "average slope of the exposure"}
CELL = re.compile(r"cell (\d+) of the grid")
NOT_ANSWERED = "not answered: "
FAILED = "the sampler failed its diagnostics"  # as a verdict says why
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
WORDS = {
    "form": "Choices of the run",
    "claim": "Claim",
    "errors": "Errors",
    "priors": "Priors",
    "measure": "Measure",
    "sample": "Sample",
    "answer": "Computed: probability {probability} (Monte Carlo error {mcse}); mean {mean}, 95 % interval {lo} to "
    "{hi}.",
    "answer_without_error": "Computed: probability {probability}; mean {mean}, 95 % interval {lo} to {hi}.",
    "not_run": "This combination was not run. The run varies one choice at a time, the others as declared and with "
    "errors: {errors}.",
    "not_answered": "Run, and not answered: {reason}.",
    "axes": "A set of the grid states priors of, in this order: {axes}.",
    "note": "Only what was computed is shown, nothing in between. Every row:",
}


def board(result: Result) -> Widget | None:
    """The board of a run's claims; None without claims."""
    ledger = result.ledger
    if ledger is None or not ledger.records:
        return None
    data = board_data(result, ledger)

    def markup(say: Callable[[str], str]) -> str:
        words, own = said(WORDS, say, "words"), said(data, say)
        return widget_markup("board.html.jinja", words=words, data=embedded(own), script=inlined("board.js"))

    return Widget("board", markup(str), _table(result, ledger), markup)


def board_data(result: Result, ledger: Ledger) -> dict[str, Any]:
    """Names of the choices, and of every claim its rows as text: which choices differ, then what is shown."""
    frame = choice_rows(ledger, result.choices)
    names = {kind: list(dict.fromkeys([DECLARED, *frame[kind]])) for kind in ("measure", "sample")}
    names["errors"] = list(dict.fromkeys(frame["errors"]))
    reasons = list(dict.fromkeys(str(s) for s in frame["status"] if str(s).startswith(NOT_ANSWERED)))
    priors: list[dict[str, Any]] = []
    claims = []
    for record in ledger.records:
        own = frame[frame["claim_id"] == record.claim.id]
        described = priors_of(record, own, ledger, result)
        if described not in priors:
            priors.append(described)
        held = {**names, "priors": _names_of(described)}
        text = packed_rows([_row(row, record, held, reasons) for row in own.to_dict("records")])
        claims.append(
            {
                "id": record.claim.id,
                "text": f"{record.claim.text} (the sampler failed its diagnostics: do not use it)"
                if FAILED in record.verdict.because
                else record.claim.text,
                "errors": names["errors"].index(record.errors),
                "priors": priors.index(described),
                "rows": text,
            }
        )
    labelled = {
        kind: [_labelled(name, sentence(_word(kind, name, result))) for name in own] for kind, own in names.items()
    }
    told = [reason.removeprefix(NOT_ANSWERED) for reason in reasons]
    return {"words": WORDS, **labelled, "priors": priors, "reasons": told, "claims": claims}


def _word(kind: str, name: str, result: Result) -> str:
    if kind == "errors":
        return errors_word(result.study, name)
    return name if name == DECLARED else variant_word(result.study, KINDS[kind], name)


def _labelled(name: str, label: str) -> str | list[str]:
    return name if name == label else [name, label]


def priors_of(record: ClaimRecord, own: pd.DataFrame, ledger: Ledger, result: Result) -> dict[str, Any]:
    """Named priors, and the axes of the grid with the place of every cell on them."""
    named = [DECLARED, *sorted({name for name in own["priors"] if not CELL.fullmatch(name)} - {DECLARED})]
    labels = [_labelled(name, sentence(_word("priors", name, result))) for name in named]
    out: dict[str, Any] = {"named": labels, "axes": [], "cells": [], "digits": 1}
    if record.claim.model in ledger.sensitivities and own["priors"].map(lambda n: bool(CELL.fullmatch(n))).any():
        grid = ledger.sensitivities[record.claim.model].grid.drop_duplicates("cell").set_index("cell").sort_index()
        axes = [name for name in grid if name not in ("proposition", *MEASURES)]
        values = {axis: list(dict.fromkeys(grid[axis])) for axis in axes}
        last = int(grid.index.max())
        out["digits"] = max(len(_digits(len(own) - 1)) for own in values.values())
        digits = {
            axis: {value: _digits(place, out["digits"]) for place, value in enumerate(own)}
            for axis, own in values.items()
        }
        spelled = dict(zip(grid.index, zip(*(grid[axis].map(digits[axis]) for axis in axes), strict=True), strict=True))
        places = ["".join(spelled.get(cell, ())) for cell in range(1, last + 1)]
        worded = wording(result.study)
        titles = {axis: AXES.get(axis) or worded(axis) for axis in axes}
        out["axes"] = [{"title": titles[axis], "values": [_short(value) for value in values[axis]]} for axis in axes]
        out["cells"] = places
    return out


def _digits(place: int, width: int = 1) -> str:
    """A place on an axis in as many digits as every axis of a grid has."""
    rest, last = divmod(place, len(DIGITS))
    return (_digits(rest) if rest else "").rjust(width - 1, DIGITS[0]) + DIGITS[last]


def _short(prior: str) -> str:
    """A prior without the names of its parameters."""
    return re.sub(r"\w+ = ", "", prior)


def _names_of(described: dict[str, Any]) -> list[str]:
    named = [one if isinstance(one, str) else one[0] for one in described["named"]]
    return named + [f"cell {number} of the grid" for number in range(1, len(described["cells"]) + 1)]


def packed_rows(rows: Sequence[tuple[str, int, str]]) -> str:
    """Rows in the order of what they vary: blank where a name is the next one of its kind, or numbers are the same."""
    out, expected, before = [], "", ""
    for letters, place, told in sorted(rows):
        key = f"{letters}{place}" if letters else ""
        out.append(("" if key == expected and key else key or "own") + ("" if told == before else f",{told}"))
        expected, before = f"{letters}{place + 1}", told
    return ";".join(out)


def _row(
    row: dict[str, Any], record: ClaimRecord, names: dict[str, list[str]], reasons: Sequence[str]
) -> tuple[str, int, str]:
    """The choices that differ from the claim's own as letters and places, and what is shown of the numbers."""
    own = {"errors": record.errors, "priors": DECLARED, "measure": DECLARED, "sample": DECLARED}
    places = [(kind[0], names[kind].index(row[kind])) for kind in KINDS if row[kind] != own[kind]]
    *several, (letter, place) = places or [("", 0)]
    letters = "".join(f"{name}{number}" for name, number in several) + letter
    if str(row["status"]).startswith(NOT_ANSWERED):
        return letters, place, str(reasons.index(row["status"]))
    spread = (row["hi"] - row["lo"]) / 4
    error = row["mcse"]
    told = "" if pd.isna(error) else "< 0.001" if error < 0.0005 else f"{error:.3f}"
    shown = [chance(row["probability"]), told, *(rounded(row[name], spread) for name in ("mean", "lo", "hi"))]
    return letters, place, ",".join(re.sub(r"\b0\.", ".", text.replace(MINUS, "-")) for text in shown)


def _table(result: Result, ledger: Ledger) -> Table:
    """Of every claim and kind of choice how many were answered, and from which probability to which."""
    titles = {"priors": "priors", "measurement": "measures", "specification": "samples", "errors": "errors"}
    rows = []
    for record in ledger.records:
        row = {"claim": record.claim.text, "as answered": chance(record.probability)}
        for lane in result.choices[record.name].lanes:
            found = [probability for _, probability in lane.marks]
            ends = list(dict.fromkeys(chance(end(found)) for end in (min, max))) if found else []
            text = f"{' to '.join(ends)} ({len(found)} tried)" if found else "not varied"
            row[titles[lane.kind]] = f"{text}; {len(lane.unanswered)} not answered" if lane.unanswered else text
        rows.append(row)
    notes = ("Probability of the claim. One kind of choice is varied at a time, all others as declared.",)
    return Table("choice_ranges", "The claims under every choice that was run", pd.DataFrame(rows), notes)
