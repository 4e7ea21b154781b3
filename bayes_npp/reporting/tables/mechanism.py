"""What a mediation model says of each mediator: readings, tables, the sentence about confounding."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayes_npp.analysis.comparison import sign_reading
from bayes_npp.analysis.records import Mechanism
from bayes_npp.reporting.base.cells import Table, cell, interval, number, posterior_note, reason, relation
from bayes_npp.reporting.base.result import Result

RULE = (
    "A mediator has an indirect association where the sign of its indirect effect is clear (P(> 0) at least 0.975 or "
    "at most 0.025); otherwise the paths whose signs are undecided are named, and no story is told."
)


@dataclass(frozen=True)
class Reading:
    """One mediator's rows averaged over observations, and what they say; decided here, rendered elsewhere."""

    mediator: str
    path_a: pd.Series
    path_b: pd.Series
    indirect: pd.Series
    proportion: pd.Series

    @property
    def sign(self) -> str:
        """Of the indirect effect: 'clearly positive', 'clearly negative' or 'undecided'."""
        return sign_reading(self.indirect["prob_positive"])

    @property
    def open_paths(self) -> tuple[str, ...]:
        """Paths whose sign is undecided."""
        rows = {"a": self.path_a, "b": self.path_b}
        return tuple(name for name, row in rows.items() if sign_reading(row["prob_positive"]) == "undecided")


def readings(mechanism: Mechanism, result: Result) -> tuple[Reading, ...]:
    """What the model says of each mediator, averaged over observations."""
    rows = result.estimates.select(model=mechanism.model, group="").set_index(["estimand", "term"])
    return tuple(
        Reading(name, *(rows.loc[(e, name)] for e in ("path_a", "path_b", "indirect", "proportion_mediated")))
        for name in mechanism.mediators
    )


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
        RULE,
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
    rows = result.estimates.select(model=mechanism.model)
    between = rows["term"].str.contains(" - ", regex=False) | rows["group"].str.contains(" - ", regex=False)
    if not between.any():
        return None
    names = {"indirect": "indirect effect", "direct": "direct effect"}
    lines = [
        {
            "effect": f"{names[row['estimand']]} of {row['term']}",
            "groups": row["group"] or "average",
            "difference": cell(row),
            "sign": sign_reading(row["prob_positive"]),
        }
        for _, row in rows[between].iterrows()
    ]
    note = "Differences tested as differences, one at a time; no correction is made for reading several."
    title = f"Differences between mediators and between groups: {mechanism.model}"
    return Table(f"contrasts_{mechanism.model}", title, pd.DataFrame(lines), (note,))


def confounding_table(mechanism: Mechanism) -> Table | None:
    """The rho at which indirect effects vanish; None where the errors do not allow it."""
    if mechanism.crossings is None:
        return None
    lines = [
        {
            "mediator": row.mediator,
            "group": row.group or "average",
            "posterior mean is zero at rho": _rho(row.mean_crosses),
            "interval includes zero from rho": row.note or _rho(row.interval_includes),
        }
        for row in mechanism.crossings.itertuples()
    ]
    notes = (
        "rho: correlation between the errors of a mediator and of the outcome, as something left out that moves both "
        "would cause; the data say nothing about it. One mediator at a time; 'all together': the sum of indirect "
        "effects where every mediator has the same rho.",
        "Exact for independent errors and flat priors of slopes; other priors are met by weighting the draws.",
    )
    title = f"How much confounding of mediator and outcome would it take? {mechanism.model}"
    return Table(f"confounding_{mechanism.model}", title, pd.DataFrame(lines), notes)


def missing_table(mechanism: Mechanism) -> Table | None:
    """Indirect effects under every treatment of mediators' missing cells; None where no cell is missing."""
    if mechanism.treatments is None:
        return None
    lines = [
        {
            "mediator": row.mediator,
            "missing years": row.treatment,
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
        "where no unit has a year its common level is known from the prior of period effects alone.",
    )
    title = f"Indirect effects by treatment of missing years: {mechanism.model}"
    return Table(f"missing_{mechanism.model}", title, pd.DataFrame(lines), notes)


def _treated_effect(row: Any) -> str:
    text = f"{number(row.estimate)} [{number(row.lo)}, {number(row.hi)}]; P(> 0) {relation(row.prob_positive)}"
    return text if row.passed else f"{text} (the sampler failed its diagnostics)"


def mechanism_tables(mechanism: Mechanism, result: Result) -> list[Table]:
    """Every table of a mediation model."""
    tables = (
        effect_table(mechanism, result),
        contrast_table(mechanism, result),
        missing_table(mechanism),
        confounding_table(mechanism),
    )
    return [table for table in tables if table is not None]


def mediator_sentence(reading: Reading, mechanism: Mechanism, exposure: str, outcome: str) -> str:
    """What may be said of a mediator."""
    name = reading.mediator
    paths = {"a": f"{exposure} to {name}", "b": f"{name} to {outcome}"}
    rows = {"a": reading.path_a, "b": reading.path_b}
    effect = f"{number(reading.indirect['estimate'])}, 95 % interval {interval(reading.indirect)}"
    probability = f"P(> 0) {relation(reading.indirect['prob_positive'])}"
    if reading.sign == "undecided":
        open_ = " and ".join(f"{paths[p]} (P(> 0) {relation(rows[p]['prob_positive'])})" for p in reading.open_paths)
        why = f"the sign of {open_} is undecided" if open_ else "both paths are clear, their product is not"
        return f"{name}: no indirect association is established ({effect}, {probability}); {why}."
    text = f"{name}: the indirect association is {reading.sign} ({effect}, {probability})"
    text += f"; share mediated {_share(reading.proportion)}"
    row = _crossing(mechanism, name)
    if row is None:
        return f"{text}."
    return (
        f"{text}. Errors of {name} and {outcome} correlated by {_rho(row['interval_includes'])} would let its interval "
        f"include zero, by {_rho(row['mean_crosses'])} would bring its mean to zero."
    )


def confounded_from(mechanism: Mechanism, mediator: str) -> str | None:
    """The correlation of errors from which a mediator's interval includes zero; None where it is not known."""
    row = _crossing(mechanism, mediator)
    return None if row is None else _rho(row["interval_includes"])


def _crossing(mechanism: Mechanism, mediator: str) -> pd.Series | None:
    if mechanism.crossings is None:
        return None
    found = mechanism.crossings
    return found[(found["mediator"] == mediator) & (found["group"] == "")].iloc[0]


def chain_sentence(mechanism: Mechanism, result: Result) -> str:
    """What may be said of every chain of serial mediators; empty without any."""
    rows = result.estimates.select(model=mechanism.model, estimand="indirect", group="")
    chains = rows[rows["term"].str.contains(" -> ", regex=False) & ~rows["term"].str.contains(" - ", regex=False)]
    found = [
        f"{row['term']}: the indirect association along this chain is {sign_reading(row['prob_positive'])} "
        f"({number(row['estimate'])}, 95 % interval {interval(row)}, P(> 0) {relation(row['prob_positive'])})."
        for _, row in chains.iterrows()
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
    return cell(row)


def _rho(value: float) -> str:
    return "none inside (-1, 1)" if pd.isna(value) else f"{value:+.2f}"


def _indexed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame.rename_axis(name).reset_index()
