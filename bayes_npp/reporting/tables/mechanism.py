"""What a mediation model says of each mediator: tables, the sentence about confounding."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from bayes_npp.analysis.readings import MEDIATOR_RULE, MechanismReading, MediatorReading
from bayes_npp.analysis.records import Mechanism
from bayes_npp.reporting.base.cells import Table, cell, interval, number, posterior_note, reason, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import period_word


def effect_table(mechanism: Mechanism, result: Result) -> Table:
    """Paths and effects, averages and groups in columns."""
    rows = result.estimates.select(model=mechanism.model)
    exposure, outcome = result.study.roles.exposure, rows["outcome"].iloc[0]
    effects = rows[~rows["group"].str.contains(" - ", regex=False)]
    cells: dict[str, dict[str, str]] = {}
    for _, row in effects.iterrows():
        label = _label(row, exposure, outcome)
        cells.setdefault(label, {})[row["group"] or "average"] = _effect(row)
    columns = ["average", *dict.fromkeys(g for g in effects["group"] if g)]
    frame = pd.DataFrame.from_dict(cells, orient="index", columns=columns).fillna("")
    notes = [
        posterior_note(rows.iloc[0]),
        "A group's indirect effect is the product of its paths in every draw; the average is over observations, so "
        "the covariance of paths over groups is in it. Share mediated: posterior median, withheld where the interval "
        "of the total includes zero.",
        "To read these as effects takes, beside strict exogeneity of the exposure, that nothing left out moves a "
        "mediator and the outcome together: no data can show that.",
        MEDIATOR_RULE,
    ]
    if mechanism.missing:
        notes.append(f"{mechanism.missing}.")
    if mechanism.why_not:
        notes.append(f"How much confounding it would take is not shown: {mechanism.why_not}.")
    return Table(
        f"mechanism_{mechanism.model}", f"Mechanism: {mechanism.model}", _indexed(frame, "effect"), tuple(notes)
    )


def contrast_table(mechanism: Mechanism, result: Result) -> Table | None:
    """Differences between mediators and between groups; None without any."""
    contrasts = result.readings.mechanisms[mechanism.model].contrasts
    if not contrasts:
        return None
    names = {"indirect": "indirect effect", "direct": "direct effect"}
    lines = [
        {
            "effect": f"{names[own.row['estimand']]} of {own.row['term']}",
            "groups": own.row["group"] or "average",
            "difference": cell(own.row),
            "sign": own.sign,
        }
        for own in contrasts
    ]
    note = "Differences tested as differences, one at a time; no correction is made for reading several."
    title = f"Differences between mediators and between groups: {mechanism.model}"
    return Table(f"contrasts_{mechanism.model}", title, pd.DataFrame(lines), (note,))


def confounding_table(mechanism: Mechanism, result: Result) -> Table | None:
    """The rho at which indirect effects vanish; None where the errors do not allow it."""
    if mechanism.crossings is None:
        return None
    lines = [
        {
            "mediator": row["mediator"],
            "group": row["group"] or "average",
            "posterior mean is zero at rho": crossing_word(row, "mean_crosses"),
            "interval includes zero from rho": row["note"] or crossing_word(row, "interval_includes"),
        }
        for _, row in mechanism.crossings.iterrows()
    ]
    notes = (
        "rho: correlation between the errors of a mediator and of the outcome, as something left out that moves both "
        "would cause; the data say nothing about it. One mediator at a time; 'all together': the sum of indirect "
        "effects where every mediator has the same rho.",
        "Where errors have memory or scales of their own, rho is that of innovations: of errors less what the row "
        "before predicts of them, over their scale. It is looked for as far from zero as the posterior's draws reach.",
    )
    title = f"How much confounding of mediator and outcome would it take? {mechanism.model}"
    return Table(f"confounding_{mechanism.model}", title, pd.DataFrame(lines), notes)


def missing_table(mechanism: Mechanism, result: Result) -> Table | None:
    """Indirect effects under every treatment of mediators' missing cells; None where no cell is missing."""
    if mechanism.treatments is None:
        return None
    period = period_word(result.study)
    lines = [
        {
            "mediator": row.mediator,
            f"missing {period}s": row.treatment,
            "cells filled": "" if row.why else str(int(row.filled)),
            "rows used": "" if row.why else str(int(row.n_obs)),
            "indirect effect": row.why or _treated_effect(row),
        }
        for row in mechanism.treatments.sort_values("mediator", kind="stable").itertuples()
    ]
    notes = (
        "Posterior mean, 95 % equal-tailed interval, P(> 0), averaged over observations. Treatments differ in the "
        "mediators' missing cells alone. Interpolated and extrapolated cells are treated as data: their intervals do "
        "not know that they were filled.",
        "Imputed cells are unknowns of the model, drawn with its coefficients. That takes ignorable missingness, and "
        f"where no unit has a {period} its common level is known from the prior of period effects alone.",
    )
    title = f"Indirect effects by treatment of missing {period}s: {mechanism.model}"
    return Table(f"missing_{mechanism.model}", title, pd.DataFrame(lines), notes)


def _treated_effect(row: Any) -> str:
    text = f"{number(row.estimate)} [{number(row.lo)}, {number(row.hi)}]; P(> 0) {relation(row.prob_positive)}"
    return text if row.passed else f"{text} (the sampler failed its diagnostics)"


def mediator_sentence(reading: MediatorReading, exposure: str, outcome: str, shown: Callable[[str], str]) -> str:
    """What may be said of a mediator, every variable by what `shown` calls it."""
    name, row = shown(reading.mediator), reading.indirect.row
    paths = ((f"{shown(exposure)} to {name}", reading.path_a), (f"{name} to {shown(outcome)}", reading.path_b))
    effect = f"{number(row['estimate'])}, 95 % interval {interval(row)}"
    probability = f"P(> 0) {relation(row['prob_positive'])}"
    if not reading.indirect.clear:
        open_ = " and ".join(
            f"{label} (P(> 0) {relation(path.row['prob_positive'])})" for label, path in paths if not path.clear
        )
        why = f"the sign of {open_} is undecided" if open_ else "both paths are clear, their product is not"
        return f"{name}: no indirect association is established ({effect}, {probability}); {why}."
    text = f"{name}: the indirect association is {reading.indirect.sign} ({effect}, {probability})"
    if reading.suppression:
        text += "; indirect and direct associations have opposite signs (suppression), so there is no share mediated"
    else:
        text += f"; share mediated {_share(reading.proportion)}"
    crossing = reading.crossing
    if crossing is None:
        return f"{text}."
    changes = (("interval_includes", "let its interval include zero"), ("mean_crosses", "bring its mean to zero"))
    would = [f"by {crossing_word(crossing, column)} would {change}" for column, change in changes]
    return f"{text}. Errors of {name} and {shown(outcome)} correlated {', '.join(would)}."


def chain_sentence(reading: MechanismReading, shown: Callable[[str], str]) -> str:
    """What may be said of every chain of serial mediators; empty without any."""
    found = [
        f"{' -> '.join(map(shown, own.row['term'].split(' -> ')))}: the indirect association along this chain is "
        f"{own.sign} ({number(own.row['estimate'])}, 95 % interval {interval(own.row)}, "
        f"P(> 0) {relation(own.row['prob_positive'])})."
        for own in reading.chains
    ]
    return " ".join(found)


def _share(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return reason(row)
    return f"{number(row['estimate'])}, 95 % interval {interval(row)}"


def _label(row: pd.Series, exposure: str, outcome: str) -> str:
    match row["estimand"]:
        case "path_a":
            return f"{exposure} to {row['term']} (a)"
        case "path_b":
            return f"{row['term']} to {outcome} (b)"
        case "indirect":
            return f"indirect through {row['term']}"
        case "proportion_mediated":
            return f"share mediated by {row['term']}"
        case "coefficient":
            return str(row["term"]).replace("_", " ")
    return str(row["estimand"]).replace("_", " ")


def _effect(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return reason(row)
    if row["estimand"] == "proportion_mediated" and not 0 <= row["estimate"] <= 1:
        return "suppression: indirect and direct associations have opposite signs, there is no share"
    return cell(row)


def crossing_word(row: pd.Series, column: str) -> str:
    """The correlation of errors in a column of `confounding.crossings`, with its sign, or where there is none."""
    if pd.notna(row[column]):
        return f"{row[column]:+.2f}"
    return f"none from {row['lowest']:+.2f} to {row['highest']:+.2f}"


def _indexed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame.rename_axis(name).reset_index()
