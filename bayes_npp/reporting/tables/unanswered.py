"""Variants of a claim that gave no probability, and why."""

import pandas as pd

from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.result import Result


def unanswered_table(result: Result) -> Table | None:
    """One line for each variant and reason, with the claims it leaves without an answer."""
    if result.ledger is None:
        return None
    claims: dict[tuple[str, str, str], list[str]] = {}
    for record in result.ledger.records:
        for row in record.unanswered.to_dict("records"):
            claims.setdefault((row["kind"], row["variant"], row["reason"]), []).append(record.name)
    if not claims:
        return None
    rows = [
        {"varied": kind, "variant": variant, "no answer for": "; ".join(names), "reason": reason}
        for (kind, variant, reason), names in claims.items()
    ]
    note = (
        "These variants give a claim no probability, so they are in no range of probabilities. Of the reasons only a "
        "sampler that failed makes a verdict fragile."
    )
    return Table("claim_unanswered", "Variants without an answer", pd.DataFrame(rows), (note,))
