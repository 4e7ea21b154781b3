"""Tables in the layout of the re-analysed paper: models in columns, coefficients in rows, diagnostics below."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.blocks import Heading
from bayes_npp.reporting.base.cells import Table, interval, number, p_relation, p_text, reason, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import lower, variable_word
from bayes_npp.reporting.tables.equality import other_equality_tables
from bayes_npp.reporting.tables.paths import path_models
from bayes_npp.reporting.tables.slopes import group_table

SHOWN_LATER = ("scale", "slope_difference")
MECHANISM = ("path_a", "path_b", "indirect", "total_indirect", "direct", "total", "proportion_mediated")


def paper_tables(result: Result) -> list[Table]:
    """The declared tables of the paper."""
    return [
        column_table(f"table_{t.number}", f"Table {t.number}. {t.title}", t.columns, result, t.note)
        for t in result.study.tables
    ]


def further_models(result: Result) -> list[Heading | Table]:
    """Models in no declared table and in no comparison: those with one slope side by side, then slopes by group."""
    frame, study = result.estimates.frame, result.study
    beside = {record.model for record in result.ladder_fits} | {record.model for record in result.robustness}
    beside |= {record.model for record in result.posterior_influence.fits} if result.posterior_influence else set()
    declared = frame[~frame["model"].isin(beside)]
    shown = {name for table in study.tables for name in table.columns}
    shown |= {mechanism.model for mechanism in result.mechanisms} | set(path_models(result))
    compared = {name for c in result.comparisons for name in (c.subsample_model, c.interacted_model, c.pooled_model)}
    single, by_group = [], []
    for model, rows in declared.groupby("model", sort=False):
        if model in shown:
            continue
        if (rows["group"] == "").all():
            single.append(str(model))
        elif model not in compared:
            by_group.append(str(model))
    title = "Further models" if study.tables else "Baseline"
    outcome = lower(variable_word(study, study.roles.outcome, unit=False))
    tables = [column_table("baseline", f"{title}: {outcome}", single, result)] if single else []
    tables += [group_table(result, model) for model in by_group]
    tables += other_equality_tables(result)
    return [Heading(title, level=2), *tables] if tables else []


def column_table(name: str, title: str, models: Sequence[str], result: Result, note: str = "") -> Table:
    """Models side by side: a column for each model, outcome and subsample.

    Cells hold the estimate, its standard error (or posterior SD) in round brackets and its p-value in square ones (of
    a posterior: P(> 0)).
    """
    frame = result.estimates.frame
    columns: dict[str, pd.DataFrame] = {}
    for model in models:
        rows = frame[(frame["model"] == model) & ~frame["estimand"].isin(SHOWN_LATER)]
        rows = rows[(rows["estimand"] != "long_run") | (rows["term"] == result.study.roles.exposure)]
        for (outcome, sample), part in rows.groupby(["outcome", "sample"], sort=False):
            label = "" if len(models) == 1 else model
            columns[_header(label, rows, str(outcome), str(sample))] = part
    cells: dict[str, dict[str, str]] = {}
    for header, rows in columns.items():
        for _, row in rows.iterrows():
            if not _is_dummy(row["term"]):
                cells.setdefault(_label(row), {})[header] = _cell(row)
    constant = [label for label in cells if label == "intercept"]
    long_run = [label for label in cells if label.endswith(", long run")]
    order = [label for label in cells if label not in (*constant, *long_run)] + constant + long_run
    table = pd.DataFrame.from_dict({label: cells[label] for label in order}, orient="index", columns=list(columns))
    estimated = len(table)
    table = pd.concat([table.fillna(""), _foot(columns, result)])
    return Table(
        name=name,
        title=title,
        frame=table.rename_axis("").reset_index(),
        notes=(*_notes(columns), *([note] if note else [])),
        rules=(estimated,),
    )


def _header(model: str, rows: pd.DataFrame, outcome: str, sample: str) -> str:
    """The model's name, and its outcome or sample where it has several."""
    several = [rows["outcome"].nunique() > 1, rows["sample"].nunique() > 1]
    parts = [part for part, needed in zip((outcome, sample), several, strict=True) if needed]
    return ": ".join(part for part in (model, ", ".join(parts)) if part) or rows["model"].iloc[0]


def _label(row: pd.Series) -> str:
    if row["estimand"] == "long_run":
        return f"{row['term']}, long run"
    if row["estimand"] in MECHANISM:  # one term has several of these
        return f"{row['term']}, {ESTIMANDS[row['estimand']]}"
    if row["group"] and row["estimand"] != "subsample_slope" and row["sample"] == "all":
        return f"{row['term']}, {row['group']}"
    return str(row["term"])


def _cell(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return reason(row)
    spread = interval(row) if pd.isna(row["spread"]) else f"({number(row['spread'])})"
    if row["paradigm"] == "bayesian":
        return f"{number(row['estimate'])} {spread} [P(> 0) {relation(row['prob_positive'])}]"
    return f"{number(row['estimate'])} {spread}{p_text(row)}"


def _is_dummy(term: str) -> bool:
    return term.startswith("time[")


def _foot(columns: dict[str, pd.DataFrame], result: Result) -> pd.DataFrame:
    """Estimator, sample size and, of GMM, the tests a reader of a dynamic panel looks for."""
    lines: dict[str, dict[str, str]] = {}
    for header, rows in columns.items():
        first = rows.iloc[0]
        lines.setdefault("outcome", {})[header] = first["outcome"]
        lines.setdefault("estimator", {})[header] = first["estimator"]
        lines.setdefault("spread", {})[header] = first["covariance"] or "posterior SD"
        for label, column in (("observations", "n_obs"), ("units", "n_units"), ("periods", "n_periods")):
            lines.setdefault(label, {})[header] = str(first[column])
        tests = result.gmm.get(first["model"])
        if tests is not None:
            lines.setdefault("instruments", {})[header] = str(tests["n_instruments"])
            for name, label in (("ar1", "AR(1)"), ("ar2", "AR(2)"), ("hansen", "Hansen"), ("sargan", "Sargan")):
                lines.setdefault(label, {})[header] = _test(tests, name)
    return pd.DataFrame.from_dict(lines, orient="index", columns=list(columns)).fillna("")


def _test(tests: dict[str, Any], name: str) -> str:
    if name in tests["not_computable"]:
        return str(tests["not_computable"][name])
    df = f"({tests[f'{name}_df']})" if f"{name}_df" in tests else ""
    return f"{tests[name]:.2f}{df} [{p_relation(tests[f'{name}_p'])}]"


def _notes(columns: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    every = pd.concat(columns.values())
    notes = [
        "Estimate (standard error or posterior SD), p-value or P(> 0) in square brackets. No stars: two columns with "
        "and without them do not differ for it."
    ]
    named = every[~every["estimand"].isin(["coefficient", "short_run", "long_run"])]
    for estimand, rows in named.groupby("estimand", sort=False):
        models = ", ".join(dict.fromkeys(rows["model"]))
        notes.append(f"{', '.join(dict.fromkeys(rows['term']))} in {models}: {ESTIMANDS[str(estimand)]}.")
    if "short_run" in set(every["estimand"]):
        notes.append(
            "Beside a lagged outcome coefficients are short-run effects: they cannot be put beside a static slope. "
            "Long run, of the exposure: its coefficients over one less the lags' sum, delta method."
        )
    if every["term"].map(_is_dummy).any():
        notes.append("Time dummies are estimated and not shown.")
    frequentist = every[every["paradigm"] == "frequentist"]
    for (covariance, convention), rows in frequentist.groupby(["covariance", "convention"], sort=False):
        notes.append(f"{', '.join(dict.fromkeys(rows['model']))}: standard errors {covariance}, {convention}.")
    posterior = every[every["paradigm"] == "bayesian"]
    for (covariance, convention), rows in posterior.groupby(["covariance", "convention"], sort=False):
        notes.append(f"{', '.join(dict.fromkeys(rows['model']))}: posterior, {covariance}, {convention}.")
    for note, rows in every[(every["note"] != "") & every["estimate"].notna()].groupby("note", sort=False):
        terms = "" if rows["term"].nunique() > 3 else f" ({', '.join(dict.fromkeys(rows['term']))})"
        notes.append(f"{', '.join(dict.fromkeys(rows['model']))}{terms}: {note}.")
    return tuple(notes)
