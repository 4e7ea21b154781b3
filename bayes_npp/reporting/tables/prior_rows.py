"""Claims under the named sets of priors, as the run computed them: a row a claim."""

import pandas as pd

from bayes_npp.claims.choices import Choices
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import chance
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import errors_word

SETS = " priors"  # ends the name of a variant that is a named set


def prior_rows_table(result: Result) -> Table | None:
    """Every claim as answered, and under every named set of priors; None without claims."""
    if result.ledger is None or not result.ledger.records:
        return None
    rows = [_row(record, result.choices[record.name]) for record in result.ledger.records]
    frame = pd.DataFrame(rows).fillna("not run")
    errors = list(dict.fromkeys(errors_word(result.study, record.errors) for record in result.ledger.records))
    notes = (
        f"Probability of the claim. Errors: {'; '.join(errors)}. A named set changes "
        "every prior of the model, the explorer those of slopes alone. All choices: [choices.csv](choices.csv).",
    )
    return Table("prior_rows", "The claims under named sets of priors, as computed", frame, notes)


def _row(record: ClaimRecord, choices: Choices) -> dict[str, str]:
    row = {"claim": record.claim.text, "as declared": chance(record.probability)}
    (lane,) = (lane for lane in choices.lanes if lane.kind == "priors")
    for variant, probability in lane.marks:
        if variant.endswith(SETS):
            row[variant.removesuffix(SETS).replace("_", " ")] = chance(probability)
    for variant, _ in lane.unanswered:
        if variant.endswith(SETS):
            row[variant.removesuffix(SETS).replace("_", " ")] = "not answered"
    return row
