"""The table of robustness rows: the model as declared, then every row, failures included."""

import pandas as pd

from bayes_npp.analysis.records import FitRecord, RobustnessRecord
from bayes_npp.bayesian.fitting.predictive_checks import errors_verdict
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.cells import Table, cell, frequentist_note, number, posterior_note
from bayes_npp.reporting.base.result import Result


def robustness_table(result: Result) -> Table | None:
    """Row, coefficient, estimate with interval and p-value or P(> 0), sample, and what was altered; None without rows.

    A model with slopes by group shows its average slope, one in subsamples each subsample.
    """
    if not result.robustness:
        return None
    rows, notes = [], []
    for declared in dict.fromkeys(record.declared for record in result.robustness):
        own = next((fit for fit in result.fits if fit.model == declared), None)
        estimates = result.estimates.select(model=declared)
        rows += _rows(declared, "as declared", estimates, (result.study.roles.exposure,), "", own)
        first = estimates.iloc[0]
        notes.append(f"{declared}: {(posterior_note if first['paradigm'] == 'bayesian' else frequentist_note)(first)}")
        for record in result.robustness:
            if record.declared == declared:
                terms = tuple(t for t in (record.placebo, record.exposure) if t)
                rows += _rows(
                    declared,
                    record.model.removeprefix(f"{declared}."),
                    result.estimates.select(model=record.model),
                    terms,
                    _changed(record),
                    record.fit,
                )
    frame = pd.DataFrame(rows)
    if frame["model"].nunique() == 1:
        frame = frame.drop(columns="model")
    if (frame["warning"] == "").all():
        frame = frame.drop(columns="warning")
    notes += [
        "Every row that the study declares is shown. Each is the same estimator on altered data, so rows share most of "
        "their data and are not independent evidence; they are not counted.",
        "Weights of an average slope and degrees of freedom are those of each row's own regression; the convention's K "
        "counts the trends and dummies that it adds. A lead of the exposure is a placebo: under "
        "strict exogeneity its coefficient is zero. Every coefficient is in estimates.csv.",
    ]
    return Table("robustness", "Robustness", frame, tuple(notes))


def _rows(
    model: str, name: str, estimates: pd.DataFrame, terms: tuple[str, ...], changed: str, fit: FitRecord | None
) -> list[dict[str, str]]:
    out = []
    for term in terms:
        found = estimates[estimates["term"] == term]
        overall = found[found["group"] == ""].head(1)
        shown = found[found["group"] != ""] if overall.empty else overall
        for _, row in shown.iterrows():
            label = f"{term}, {row['group']}" if row["group"] else term
            out.append(
                {
                    "model": model,
                    "row": name,
                    "coefficient of": f"{label} ({ESTIMANDS[row['estimand']]})",
                    "estimate": cell(row),
                    "standard error or posterior SD": number(row["spread"]),
                    "n": f"{row['n_obs']} ({row['n_units']} units, {row['n_periods']} periods)",
                    "what was altered": changed,
                    "warning": _warning(fit),
                }
            )
    return out


def _changed(record: RobustnessRecord) -> str:
    return "; ".join(part for part in (record.changed, record.note) if part)


def _warning(fit: FitRecord | None) -> str:
    if fit is None:
        return ""
    if not fit.diagnostics.passed:
        return f"the sampler {fit.diagnostics.verdict}"
    return "" if fit.errors_fit else f"its errors {errors_verdict(fit.predictive)}"
