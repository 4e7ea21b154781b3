"""Intervals drawn row by row beside their numbers: slopes of groups, rows of robustness, dynamic models."""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bayes_npp.analysis.comparison import Heterogeneity
from bayes_npp.reporting.base.blocks import Cards, Cell
from bayes_npp.reporting.base.keys import estimate_key
from bayes_npp.reporting.base.numbers import MINUS, chance, interval_of, of_row, p_value, rounded, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import axis, axis_range, intervals, round_ticks
from bayes_npp.reporting.base.words import (
    errors_word,
    model_word,
    row_word,
    sentence,
    unit_word,
    variable_word,
    with_titles,
)

type Rows = list[tuple[str, tuple[Cell, ...]]]

SEPARATE = "Separate regressions free controls and period effects as well as the slope, so they test no difference. "


def group_cards(result: Result) -> Cards | None:
    """Slopes of every grouping in one forest: separate regressions, one regression, the model behind the verdicts."""
    if not result.comparisons:
        return None
    shown = [
        row
        for c in result.comparisons
        for s in c.slopes
        for row in (s.interacted, s.chosen, s.pooled)
        if row is not None
    ]
    ends = trimmed(shown)
    separate = any(s.subsample is not None for c in result.comparisons for s in c.slopes)
    columns = [("Group", ""), ("Slope, 95 % interval", _axis(ends))]
    columns += [("Separate regressions", "another model; square")] if separate else []
    columns += [
        ("One regression, no pooling", "two-way fixed effects; diamond"),
        ("Partial pooling", "errors as the checks ask; circle"),
    ]
    rows: Rows = []
    for comparison in result.comparisons:
        verdict = (
            comparison.slopes[0].chosen if comparison.slopes[0].chosen is not None else comparison.slopes[0].pooled
        )
        errors = errors_word(result.study, str(verdict["covariance"]).removesuffix(" errors"))
        rows.append(("", (Cell(f"By {comparison.grouping.replace('_', ' ')} (partial pooling: {errors})"),)))
        for slope in comparison.slopes:
            posterior = slope.pooled if slope.chosen is None else slope.chosen
            lines = [("c", slope.subsample), ("b", slope.interacted), ("a", posterior)]
            drawn = [(kind, row["estimate"], row["lo"], row["hi"]) for kind, row in lines if row is not None]
            said = f"{slope.group}: {posterior['estimate']:.3g}, from {posterior['lo']:.3g} to {posterior['hi']:.3g}"
            cells = [
                Cell(slope.group, _units(slope.subsample, result)),
                Cell("", (), intervals(drawn, ends, said), mark="wide"),
            ]
            if separate:
                cells.append(number_cell(slope.subsample))
            rows.append(("", (*cells, number_cell(slope.interacted), number_cell(posterior))))
    widths = (16, 27, 19, 19, 19) if separate else (18, 34, 24, 24)
    note = (
        f"{SEPARATE if separate else ''}A line that reaches the edge goes on beyond it; a hollow mark has no interval, "
        "because it rests on too few units."
    )
    return Cards(
        "forest",
        f"Slope of {variable_word(result.study, result.study.roles.exposure)}.",
        tuple(columns),
        tuple(rows),
        widths,
        (note,),
    )


def _units(row: pd.Series | None, result: Result) -> tuple[str, ...]:
    return () if row is None else (f"{row['n_units']} {unit_word(result.study, plural=True)}",)


def differences_cards(result: Result) -> Cards | None:
    """Differences tested as differences; None without groups."""
    rows: Rows = []
    pairs = [(c, d) for c in result.comparisons for d in c.differences]
    if not pairs:
        return None
    ends = trimmed([row for _, d in pairs for row in (d.interacted, d.verdict)])
    for _, d in pairs:
        drawn = [(kind, row["estimate"], row["lo"], row["hi"]) for kind, row in (("b", d.interacted), ("a", d.verdict))]
        said = f"{d.label}: {d.verdict['estimate']:.3g}, from {d.verdict['lo']:.3g} to {d.verdict['hi']:.3g}"
        label = d.label.replace(" - ", f" {MINUS} ")
        cells = (Cell(label), Cell("", (), intervals(drawn, ends, said), mark="wide"), number_cell(d.interacted))
        rows.append(("", (*cells, number_cell(d.verdict), Cell(sentence(d.reading)))))
    columns = (
        ("Difference", ""),
        ("95 % interval", _axis(ends)),
        ("One regression", "diamond"),
        ("Partial pooling", "circle"),
    )
    note = "Each line tests the difference itself, one at a time; no correction is made for reading several."
    return Cards(
        "differences",
        "Differences between groups, tested as differences.",
        (*columns, ("Its sign", "")),
        tuple(rows),
        (18, 27, 20, 20, 15),
        (note,),
    )


def robustness_cards(result: Result) -> Cards | None:
    """The slope as declared and under every row of robustness, with what was altered; None without rows."""
    exposure = result.study.roles.exposure
    rows: Rows = []
    found: list[tuple[str, str, str, pd.Series, str]] = []
    for declared in dict.fromkeys(record.declared for record in result.robustness):
        found += [(declared, "as declared", "", row, "b") for row in _overall(result, declared, exposure)]
        for record in result.robustness:
            if record.declared == declared:
                term = record.placebo or record.exposure
                name = row_word(result.study, record.model.removeprefix(f"{declared}."))
                label = f"{name} (placebo)" if record.placebo else name
                changed = with_titles(result.study, record.changed)
                said = "; ".join(part for part in (changed, record.note) if part)
                failed = record.fit is not None and not record.fit.diagnostics.passed
                said += "; the sampler FAILED its diagnostics" if failed else ""
                found += [
                    (declared, label, said, row, "c" if record.placebo else "b")
                    for row in _overall(result, record.model, term)
                ]
    if not found:
        return None
    ends = trimmed([row for *_, row, _ in found])
    models = list(dict.fromkeys(declared for declared, *_ in found))
    for declared in models:
        if len(models) > 1:
            rows.append(("", (Cell(sentence(model_word(result.study, declared))),)))
        for model, label, changed, row, kind in found:
            if model == declared:
                said = f"{label}: {row['estimate']:.3g}, from {row['lo']:.3g} to {row['hi']:.3g}"
                art = intervals([(kind, row["estimate"], row["lo"], row["hi"])], ends, said)
                cells = (
                    Cell(sentence(label)),
                    Cell("", (), art, mark="wide"),
                    number_cell(row),
                    Cell("", (without_decimals(changed),) if changed else ()),
                )
                rows.append(("", cells))
    columns = (("Row", ""), ("Slope, 95 % interval", _axis(ends)), ("Estimate", ""), ("What was altered", ""))
    note = "Rows share most of their data and are no independent evidence."
    if any(record.placebo for record in result.robustness):
        note += " Grey square: a placebo, which strict exogeneity puts at zero."
    return Cards(
        "robust",
        "The same regression on altered data, one alteration a row.",
        columns,
        tuple(rows),
        (20, 28, 18, 34),
        (note,),
    )


def _overall(result: Result, model: str, term: str) -> list[pd.Series]:
    rows = result.estimates.select(model=model, term=term, group="")
    return [row for _, row in rows.head(1).iterrows()]


def dynamic_cards(result: Result) -> Cards | None:
    """Models with a lagged outcome: lag, short and long run, instruments and their test; None without any."""
    outcome, exposure = result.study.roles.outcome, result.study.roles.exposure
    frame = result.estimates.frame
    models = list(dict.fromkeys(frame.loc[frame["estimand"] == "short_run", "model"]))
    rows: Rows = []
    for model in models:
        own = frame[frame["model"] == model]
        parts = [own[own["term"] == f"L1.{outcome}"]]
        parts += [own[(own["term"] == exposure) & (own["estimand"] == e)] for e in ("short_run", "long_run")]
        numbers = [number_cell(None if part.empty else part.iloc[0]) for part in parts]
        tests = result.gmm.get(model)
        rows.append(
            ("", (Cell(sentence(model_word(result.study, model))), *numbers, *_instruments(model, tests, result)))
        )
    if not rows:
        return None
    columns: tuple[tuple[str, str], ...] = (
        ("Model", ""),
        ("Lagged outcome", ""),
        ("Short run", "of the exposure"),
        ("Long run", "of the exposure"),
    )
    columns += (("Instruments", ""), ("Hansen's test", "of the instruments"))
    note = "A short-run slope answers another question than a static one: they are never differenced."
    return Cards(
        "dynamic",
        "Models in which the outcome depends on its own past.",
        columns,
        tuple(rows),
        (20, 16, 16, 18, 14, 16),
        (note,),
    )


def _instruments(model: str, tests: dict[str, Any] | None, result: Result) -> tuple[Cell, Cell]:
    if tests is None:
        return Cell("none"), Cell("")
    units = int(result.estimates.select(model=model)["n_units"].iloc[0])
    count = Cell(
        str(tests["n_instruments"]), (f"{units} units",), mark="failed" if tests["n_instruments"] > units else ""
    )
    why = tests["not_computable"].get("hansen")
    if why:
        return count, Cell("", (str(why),))
    p, key = tests["hansen_p"], f"tests.csv:{model}/Hansen"
    statistic = tagged(rounded(tests["hansen"], 1.0), float(tests["hansen"]), f"{key}:statistic")
    below = [
        f"{statistic} on {tests['hansen_df']} df",
        *(sentence(w.split(" (")[0].split(":")[0]) for w in tests["warnings"]),
    ]
    return count, Cell(p_value(p, f"{key}:p_value"), tuple(below), mark="failed" if tests["warnings"] else "")


def number_cell(row: pd.Series | None) -> Cell:
    """An estimate, its interval, and its p-value or probability of being positive."""
    if row is None:
        return Cell("")
    if pd.isna(row["estimate"]):
        return Cell("", (without_decimals(str(row["note"]).split("; ")[0]),))
    key = f"estimates.csv:{estimate_key(row)}"
    below = [interval_of(row)]
    positive, p = float(row["prob_positive"]), float(row["p_value"])
    if row["paradigm"] == "bayesian" and pd.notna(positive):
        shown = tagged(chance(positive), positive, f"{key}:prob_positive")
        below.append(f"P(> 0) {_relation(shown, positive)}")
    elif pd.notna(p):
        below.append(p_value(p, f"{key}:p_value"))
    return Cell(of_row(row), tuple(below))


def _relation(text: str, value: float) -> str:
    return text if value > 0.999 or value < 0.001 else f"= {text}"


def without_decimals(text: str) -> str:
    """Words of a record that may hold settings with decimals, as code: they are no results."""
    return re.sub(r"(?<![\w.])(\d+\.\d+)(?!\w)", r"`\1`", text)


def trimmed(rows: Sequence[pd.Series]) -> tuple[float, float]:
    """Ends of an axis that shows every estimate and most intervals whole: no group of few units sets the scale."""
    frame = pd.DataFrame([(row["estimate"], row["lo"], row["hi"]) for row in rows], columns=["estimate", "lo", "hi"])
    low = min(frame["lo"].quantile(0.15), frame["estimate"].min())
    high = max(frame["hi"].quantile(0.85), frame["estimate"].max())
    return axis_range([low, high])


def _axis(ends: tuple[float, float]) -> str:
    return axis(ends, "Axis with ticks " + ", ".join(f"{tick:g}" for tick in round_ticks(*ends)))


def headline(comparison: Heterogeneity, result: Result) -> str:
    """Whether any difference between groups has a clear sign."""
    where = comparison.grouping.replace("_", " ")
    if comparison.clear:
        return f"by {where}: " + "; ".join(
            f"{d.label} is clearly {'positive' if d.verdict['estimate'] > 0 else 'negative'}" for d in comparison.clear
        )
    return f"by {where}: no difference has a clear sign"
