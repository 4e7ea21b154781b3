"""Tables of what goes in: priors, weights of the indices, the paper's printed numbers."""

import pandas as pd

from bayes_npp.analysis.records import FitRecord
from bayes_npp.reporting.base.cells import Table, number
from bayes_npp.reporting.base.result import Result


def prior_table(record: FitRecord, result: Result) -> Table:
    """Priors with their reasons."""
    rows = [
        {"parameter": slot, "prior": str(prior), "reason": prior.reason} for slot, prior in record.priors.prior.items()
    ]
    title = f"Priors of '{record.model}': {record.priors.name}"
    return Table(f"priors_{record.model}", title, pd.DataFrame(rows), _scale_notes(record))


def _scale_notes(record: FitRecord) -> tuple[str, ...]:
    """What one unit of each scale is."""
    scales, word = record.scales, {"unit": "units", "time": "periods"}
    removed = " and ".join(word[name] for name in scales.removed)
    where = f"within {removed}" if removed else "over all rows"
    sds = {record.outcome: scales.outcome_sd, **scales.divisors}
    listed = ", ".join(f"{name} {number(sd)}" for name, sd in sds.items())
    notes = [
        f"Priors of slopes, of their SDs, of errors and of loadings are in SDs {where} ({listed}). Those of the "
        f"intercept, of effects and of between parts are in SDs of the outcome over all rows "
        f"({number(scales.total_sd)}). One baseline sample gives both."
    ]
    if removed:
        notes.append(
            f"Constants that {removed} add to a column do not move the first: least squares does not see them."
        )
    if scales.absorbed and scales.removed:
        notes.append(f"Nothing is left of {', '.join(scales.absorbed)} within them: its total SD stands in.")
    return tuple(notes)


def weight_table(result: Result) -> Table | None:
    """Weights of the indices; None without any."""
    weights = result.study.panel.index_weights
    if not len(weights):
        return None
    frame = weights.assign(
        weight=weights["weight"].map(lambda w: f"{w:.4f}"),
        entropy=weights["entropy"].map(lambda e: "" if pd.isna(e) else f"{e:.4f}"),
    )
    notes = (
        "Entropy: indicators min-max scaled over the window, weights proportional to 1 - entropy. PCA: loadings of the "
        "first principal component of the scaled indicators' correlation matrix. CRITIC: weights proportional to SD "
        "times the sum of 1 - correlation (Diakoulaki et al. 1995).",
    )
    return Table("index_weights", "How the indices are put together", frame, notes)


def published_table(result: Result) -> Table | None:
    """Numbers as the paper prints them; None where there are none, or where they are differenced with ours."""
    published = result.study.published
    if published is None or result.replication is not None:
        return None
    shown = ["claim", "table", "sample", "estimator", "outcome", "term", "estimate", "significance", "note"]
    return Table(
        name="published",
        title="The paper, with its own variables: as printed",
        frame=published[shown],
        notes=(
            "The paper's data are not public. These numbers are shown, never differenced with ours; a blank means that "
            "the paper's text does not print it.",
        ),
    )
