"""A replication as a table and a sentence: published, ours, difference, row by row."""

import pandas as pd

from bayes_npp.analysis.readings import Reproduction
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.result import Result

NAMES = {"estimate": "coefficient", "se": "standard error", "p": "p"}
COUNTS = {"n_obs": "rows", "n_units": "units"}


def replication_table(result: Result) -> Table | None:
    """Printed numbers beside ours, one line a printed row; None where the data are not the paper's."""
    records, header = result.replication, result.study.header
    if records is None:
        return None
    lines = []
    for labels, rows in records.groupby(["model", "sample", "outcome", "term"], sort=False):
        own = {str(row["quantity"]): row for _, row in rows.iterrows()}
        lines.append(
            {
                **dict(zip(("model", "sample", "outcome", "term"), labels, strict=True)),
                "published": _cell({name: str(row["published"]) for name, row in own.items()}),
                "ours": _cell({name: _ours(row) for name, row in own.items()}),
                "difference": _cell({name: _difference(row) for name, row in own.items()}),
                "verdict": _verdict(rows),
            }
        )
    frame = pd.DataFrame(lines)
    if frame["sample"].nunique() == 1:
        frame = frame.drop(columns="sample")
    notes = (
        "Coefficient (standard error) [p-value]. The data are the paper's own, so its numbers are differenced with "
        "ours: ours less published. Ours are shown with the digits that were printed.",
        f"Tolerances: a coefficient {header.tolerance_estimate:g} or half a printed digit, whichever is more; a "
        f"standard error half a printed digit plus {header.tolerance_se:g}; a p-value half a printed digit plus what "
        "these two move it; rows and units exactly.",
    )
    return Table("replication", "The paper's numbers, reproduced", frame, notes)


def replication_sentence(found: Reproduction) -> str:
    """How many of the printed numbers are reproduced, and which are not."""
    text = f"The paper's numbers on its own data: {found.reproduced} of {found.printed} printed numbers are reproduced"
    if found.worst is not None:
        text += f" (coefficients to {found.worst:.1e})"
    if len(found.outside):
        text += "; not within their tolerance: " + "; ".join(_named(row) for _, row in found.outside.iterrows())
    if len(found.unmatched):
        named = "; ".join(
            f"{row['term']} in '{row['model']}' ({row['reason']})" for _, row in found.unmatched.iterrows()
        )
        text += f"; without a counterpart: {named}"
    return f"{text}."


def _named(row: pd.Series) -> str:
    what = {**NAMES, **COUNTS}[row["quantity"]]
    return f"{what} of {row['term']} in '{row['model']}' ({row['published']}, ours {_ours(row)})"


def _ours(row: pd.Series) -> str:
    return "" if pd.isna(row["ours"]) else f"{row['ours']:.{row['digits']}f}"


def _difference(row: pd.Series) -> str:
    return "" if pd.isna(row["ours"]) else f"{row['difference']:+.1e}"


def _cell(texts: dict[str, str]) -> str:
    """Coefficient (standard error) [p-value] of a printed row, as far as they are printed."""
    forms = {"estimate": "{}", "se": "({})", "p": "[{}]"}
    return " ".join(form.format(texts[name]) for name, form in forms.items() if texts.get(name))


def _verdict(rows: pd.DataFrame) -> str:
    reasons = [reason for reason in dict.fromkeys(rows["reason"]) if reason]
    names = {**NAMES, **COUNTS}
    outside = [names[q] for q, within in zip(rows["quantity"], rows["within"], strict=True) if within is False]
    if reasons:
        return f"not matched: {'; '.join(reasons)}"
    return f"differs: {', '.join(outside)}" if outside else "reproduced"
