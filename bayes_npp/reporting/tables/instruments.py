"""Models with instruments: how strong they are, and which slopes they do not reject."""

from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.frequentist.instruments.iv import ar_words
from bayes_npp.reporting.base.blocks import Block, Cards, Cell, Heading, Paragraph
from bayes_npp.reporting.base.cells import number
from bayes_npp.reporting.base.numbers import interval_of, of_row, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import axis, axis_range, intervals
from bayes_npp.reporting.base.words import lower, model_word, sentence, variable_word
from bayes_npp.reporting.tables.rungs import baseline_row


def instrument_blocks(result: Result) -> list[Block]:
    """Every model with instruments beside two-way fixed effects; nothing without one."""
    if not result.instruments:
        return []
    exposure = lower(variable_word(result.study, result.study.roles.exposure, unit=False))
    text = (
        f"An instrument moves {exposure}, and the outcome through {exposure} alone. How strongly it does the first is "
        "tested here; the second no test can show. Where an instrument is weak its interval is too short, and the set "
        "of Anderson and Rubin, which holds its level, says what the data leave open."
    )
    return [Heading("Is the exposure given from outside?"), Paragraph(text), _cards(result)]


def _cards(result: Result) -> Cards:
    own = {name: _exposure_row(result, name) for name in result.instruments}
    base = baseline_row(result)
    shown = [*own.values(), *([] if base is None else [base])]
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
    columns = (
        ("Model", ""),
        ("Slope, 95 % interval", axis(ends, "Axis of slopes")),
        ("Slope", ""),
        ("First-stage F", "below ten: weak"),
        ("What is not rejected", ""),
    )
    note = (
        "Circle: the instruments' slope and its interval; grey line below it: the Anderson-Rubin set where it is an "
        "interval. With slopes that differ between groups instruments weight them in their own way, so that the two "
        "slopes are not differenced."
    )
    return Cards("instruments", "Models with instruments.", columns, tuple(rows), (22, 26, 16, 14, 22), (note,))


def _exposure_row(result: Result, model: str) -> pd.Series:
    return result.estimates.select(model=model, estimand="pooled_slope").iloc[0]


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
