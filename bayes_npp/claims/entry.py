"""One claim's entry in the ledger: what is known of it, and the verdict that follows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.claims.evidence import type_s_m
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.verdicts import Known, verdict
from bayes_npp.estimates import drawn_share, positive, summarise
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest
from bayes_npp.study.claims import Claim
from bayes_npp.study.study import Study

VARIANTS = ["kind", "variant", "probability", "reason"]
DOTS = 40  # of a quantile dotplot
SAMPLER_FAILED = "sampler diagnostics failed"


@dataclass(frozen=True)
class Source:
    """What answers a claim, and whether its sampler and its error model pass."""

    model: str
    errors: str
    sampled: bool
    errors_fit: bool


def claim_record(
    study: Study,
    claim: Claim,
    source: Source,
    draws: np.ndarray,
    variants: pd.DataFrame,
    tested: tuple[PropositionTest | None, str],
    conflict: str = "",
    scepticism: Scepticism | None = None,
    homogeneity: Homogeneity | None = None,
    probability: float | None = None,
) -> ClaimRecord:
    """What is known of a claim, and its verdict.

    Parameters
    ----------
    source : Source
    draws : ndarray, shape (S,)
        Of what the proposition compares with its number.
    variants : DataFrame
        kind, variant, probability; NaN where there is none, with the reason.
    tested : pair
        The same proposition tested by least squares, or why it is not.
    conflict : str
        Priors in conflict with the data.
    scepticism, homogeneity : optional
        Reverse Bayes; the Bayes factor of equal slopes.
    probability : float, optional
        Of the proposition, where it is known better than from the draws.
    """
    test, no_test = tested
    p = claim.parsed
    probability = float(drawn_share(positive(p.sign * (draws - p.threshold)))) if probability is None else probability
    equivalent = None
    if claim.equivalence is not None:
        equivalent = float(drawn_share(positive(claim.equivalence - np.abs(draws - p.threshold))))
    lowest = []
    for kind, some in variants.dropna(subset="probability").groupby("kind", sort=False):
        row = some.loc[some["probability"].idxmin()]
        lowest.append((str(kind), str(row["variant"]), float(row["probability"])))
    known = Known(
        probability=probability,
        sampled=source.sampled,
        errors_fit=source.errors_fit,
        factor=None if homogeneity is None else homogeneity.factor,
        lowest=tuple(lowest),
        unanswered=int((variants["reason"] == SAMPLER_FAILED).sum()),
        conflict=conflict,
    )
    rules = study.claim_rules
    summary = summarise(draws)
    return ClaimRecord(
        claim=claim,
        printed=printed_rows(study, claim),
        model=source.model,
        errors=source.errors,
        estimate=summary["mean"],
        lo=summary["lo"],
        hi=summary["hi"],
        probability=probability,
        equivalent=equivalent,
        test=test,
        no_test=no_test,
        variants=variants.reset_index(drop=True),
        conflict=conflict,
        scepticism=scepticism,
        homogeneity=homogeneity,
        risks=() if test is None else tuple((effect, type_s_m(effect, test.se)) for effect in claim.effects),
        verdict=verdict(known, rules.support, rules.contradict),
        quantiles=tuple(float(q) for q in np.quantile(draws, (np.arange(DOTS) + 0.5) / DOTS)),
    )


def printed_rows(study: Study, claim: Claim) -> pd.DataFrame:
    """The paper's rows of a claim that are about the exposure."""
    rows = study.published
    if rows is None:
        return pd.DataFrame()
    return rows[(rows["claim"] == (claim.published or claim.id)) & (rows["term"] == study.roles.exposure)]
