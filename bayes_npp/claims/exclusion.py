"""Claims about slopes under a hierarchical model with instruments, and under direct effects of these."""

from collections.abc import Sequence
from dataclasses import dataclass

from bayes_npp.analysis.records import InstrumentRecord
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.errors import SpecError
from bayes_npp.study.study import Study


@dataclass(frozen=True)
class ClaimUnderExclusion:
    """A claim's probability where instruments may act directly.

    Attributes
    ----------
    model, claim : str
        The model with instruments, and the claim's id.
    probabilities : tuple of float or None
        At each of the record's `under_exclusion`; None where there is no posterior.
    """

    model: str
    claim: str
    probabilities: tuple[float | None, ...]


def claims_under_exclusion(study: Study, records: Sequence[InstrumentRecord]) -> tuple[ClaimUnderExclusion, ...]:
    """Every claim about slopes that a model with instruments has an estimate of, whichever model it is put to.

    Quantities are of the same groups and weights: those of the model's specification without its instruments.
    """
    out = []
    for record in records:
        design = study.sample.design(study.spec(study.model(record.model)))
        for claim in study.claims:
            proposition = claim.parsed
            try:
                weights = slope_weights(proposition, design)
            except SpecError:  # a path, or groups that this model does not tell apart
                continue
            cutoff, sign = proposition.threshold, float(proposition.sign)
            found = (own.slopes for own in record.under_exclusion)
            chances = (None if one is None else one.probability(weights, cutoff, sign) for one in found)
            out.append(ClaimUnderExclusion(record.model, claim.id, tuple(chances)))
    return tuple(out)
