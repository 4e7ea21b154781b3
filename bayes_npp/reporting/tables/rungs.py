"""The ladder in one picture: the slope by fixed effects, then under every error model, with the checks as marks."""

import pandas as pd

from bayes_npp.analysis.records import FitRecord, Ladder
from bayes_npp.reporting.base.blocks import Cards, Cell
from bayes_npp.reporting.base.numbers import interval_of, of_row, rounded, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import axis, axis_range, intervals, round_ticks
from bayes_npp.reporting.base.words import baseline_word, check_word, errors_word, period_word, sentence
from bayes_npp.reporting.tables.ladder import AVERAGE, average_row


def main_ladder(result: Result) -> Ladder | None:
    """The ladder behind the first claim about slopes, or the first there is."""
    names = [record.claim.model for record in result.ledger.records] if result.ledger else []
    found = [ladder for name in names for ladder in result.ladders if ladder.model == name]
    return next(iter([*found, *result.ladders]), None)


def baseline_row(result: Result) -> pd.Series | None:
    """The average slope of two-way fixed effects with the study's controls; else the first frequentist slope."""
    plain = next((c.plain for c in result.comparisons if c.plain is not None), None)
    if plain is not None:
        return plain
    exposure = result.study.roles.exposure
    rows = result.estimates.select(paradigm="frequentist", term=exposure, group="")
    rows = rows[rows["outcome"] == result.study.roles.outcome]
    static = rows[rows["estimand"] == AVERAGE]
    shown = static if len(static) else rows
    return None if shown.empty else shown.iloc[0]


def moves_from(result: Result, own: pd.Series) -> pd.Series | None:
    """The row of two-way fixed effects that an average slope may be set against: not one with other weights."""
    return baseline_row(result) if own["estimand"] == AVERAGE else None


def rung_cards(ladder: Ladder, result: Result) -> Cards:
    """One row an error model: interval, slope, and each check with what was seen and what the model produces."""
    study = result.study
    records = ladder.errors.records
    own = {errors: average_row(result, record.model) for errors, record in records.items()}
    baseline = baseline_row(result)
    every = [*own.values(), *([] if baseline is None else [baseline])]
    ends = axis_range([row[end] for row in every for end in ("lo", "hi", "estimate")])
    checks = list(dict.fromkeys(check.name for record in records.values() for check in record.predictive))
    ticks = ", ".join(f"{t:g}" for t in round_ticks(*ends))
    columns: tuple[tuple[str, str], ...] = (
        ("Errors assumed", ""),
        ("Average slope, 95 % interval", axis(ends, f"Axis with ticks {ticks}")),
    )
    columns += (("Slope", ""), *((check_word(study, name), "") for name in checks))
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    if baseline is not None and baseline["estimand"] == AVERAGE:
        first = [_slope(baseline, ends, "b"), _number(baseline)]
        blank = [
            Cell("", ("not checked: it has no error model",) if place == 0 else ()) for place in range(len(checks))
        ]
        said = Cell(baseline_word(study), (f"two-way fixed effects, errors {baseline['covariance']}",))
        rows.append(("", (said, *first, *blank)))
    for errors, record in records.items():
        chosen = errors == ladder.errors.chosen
        said = Cell(sentence(errors_word(study, errors)), ("behind the verdicts",) if chosen else ())
        if not record.diagnostics.passed:
            said = Cell(said.text, (*said.below, "the sampler FAILED its diagnostics: do not use it"))
        cells = (said, _slope(own[errors], ends, "a"), _number(own[errors]), *(_check(record, name) for name in checks))
        rows.append(("picked" if chosen else "", cells))
    left = 100 - 25 - 15 - 13
    widths = (25, 15, 13, *([left // max(1, len(checks))] * len(checks)))
    caption = "One coefficient under different assumptions about what the regression leaves unexplained."
    note = (
        "\u2713 what the residuals show lies inside the 95 % range that the error model produces; \u2715 "
        "outside. The range is below each. "
        f"Persistence: correlation of a unit's errors with the {period_word(study)} before. Spread: largest error SD "
        "of a unit over the median unit's. Across: root mean square correlation of two units' errors."
    )
    return Cards("why", caption, columns, tuple(rows), widths, (note,))


def _slope(row: pd.Series, ends: tuple[float, float], kind: str) -> Cell:
    text = f"{row['estimate']:.3g}, from {row['lo']:.3g} to {row['hi']:.3g}"
    return Cell("", (), intervals([(kind, row["estimate"], row["lo"], row["hi"])], ends, text), mark="wide")


def _number(row: pd.Series) -> Cell:
    return Cell(of_row(row), (interval_of(row),), mark="big")


def _check(record: FitRecord, name: str) -> Cell:
    check = next((own for own in record.predictive if own.name == name), None)
    if check is None:
        return Cell("", ("not checked",))
    key = f"{record.model}/posterior predictive: {check.name}"
    spread = (check.hi - check.lo) / 4
    seen, low, high = (
        tagged(rounded(value, spread), value, f"diagnostics.csv:{key}:{column}")
        for value, column in ((check.observed, "value"), (check.lo, "lo"), (check.hi, "hi"))
    )
    return Cell(seen, (f"{low} to {high}",), mark="passed" if check.passed else "failed")
