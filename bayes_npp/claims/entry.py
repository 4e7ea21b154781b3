"""One claim's entry in the ledger: what is known of it, and the verdict that follows."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.fitting.diagnostics import Gate
from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.claims.evidence import type_s_m
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.verdicts import DIFFERENT, Known, Seen, Variant, verdict
from bayes_npp.design.propositions import Proposition
from bayes_npp.estimates import drawn_share, positive, summarise
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest
from bayes_npp.study.claims import Claim
from bayes_npp.study.study import Study

NUMBERS = ("mean", "lo", "hi", "mcse")  # of what the proposition is about; mcse of its probability
VARIANTS = ["kind", "variant", "probability", "reason", "within", "differ", "counted", *NUMBERS]
DECLARED = ("specification", "errors")  # kinds of variants whose opposite answer is a conflict
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
    leads: tuple[str, ...] = (),
    weights: str = "",
    mcse: float = np.nan,
) -> ClaimRecord:
    """What is known of a claim, and its verdict.

    Parameters
    ----------
    source : Source
    draws : ndarray, shape (S,)
        Of what the proposition compares with its number.
    variants : DataFrame
        Columns `VARIANTS`, see `ledger.ClaimRecord`.
    tested : pair
        The same proposition tested by least squares, or why it is not.
    conflict : str
        Priors in conflict with the data.
    scepticism, homogeneity : optional
        Reverse Bayes; the Bayes factor of equal slopes.
    probability : float, optional
        Of the proposition, where it is known better than from the draws.
    leads : tuple of str
        Rows in which a lead of the exposure has an interval that excludes zero.
    weights : str
        What is wrong with the weights of the average that the claim is about.
    mcse : float
        Monte Carlo error of the probability.
    """
    test, no_test = tested
    p = claim.parsed
    share, inside = shares_of(p, draws, claim.smallest_effect)
    probability = share if probability is None else probability
    within = None if claim.smallest_effect is None else inside
    differ = None if homogeneity is None else homogeneity.factor < DIFFERENT
    known = Known(
        seen=Seen(probability, within, differ, answered=source.sampled),
        variants=tuple(_variant(row) for row in variants.to_dict("records")),
        errors_fit=source.errors_fit,
        conflict=conflict,
        factor=None if homogeneity is None else homogeneity.factor,
        factors=None if homogeneity is None else homogeneity.range,
        leads=leads,
        weights=weights,
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
        within=within,
        test=test,
        no_test=no_test,
        variants=variants.reset_index(drop=True),
        conflict=conflict,
        scepticism=scepticism,
        homogeneity=homogeneity,
        risks=() if test is None else tuple((effect, type_s_m(effect, test.se)) for effect in claim.effects),
        verdict=verdict(known, rules.support, rules.contradict),
        mcse=mcse,
        quantiles=tuple(float(q) for q in np.quantile(draws, (np.arange(DOTS) + 0.5) / DOTS)),
    )


def shares_of(proposition: Proposition, draws: np.ndarray, smallest: float | None) -> tuple[float, float]:
    """Probability of a proposition, and of a distance from its number below the smallest effect (NaN without one)."""
    away = draws - proposition.threshold
    holds = float(drawn_share(positive(proposition.sign * away)))
    return holds, np.nan if smallest is None else float(drawn_share(positive(smallest - np.abs(away))))


def variant_row(
    kind: str,
    name: str,
    probability: float,
    reason: str = "",
    within: float = np.nan,
    differ: float = np.nan,
    counted: bool = True,
    numbers: Mapping[Any, Any] | None = None,
) -> tuple[object, ...]:
    """A row of `VARIANTS`; none of its numbers where there is a reason.

    `differ` is 1, 0 or NaN; `numbers` has some of `NUMBERS`.
    """
    found = [np.nan if reason else value for value in (probability, within)]
    shown = [np.nan if reason else float((numbers or {}).get(name, np.nan)) for name in NUMBERS]
    return kind, name, found[0], reason, found[1], differ, counted, *shown


def drawn_numbers(draws: np.ndarray, probability: float, gates: Sequence[Gate]) -> dict[str, float]:
    """`NUMBERS` of draws (S,) that pass through samplers with these diagnostics."""
    effective = min(len(draws), *(gate.effective for gate in gates))
    return {**summarise(draws), "mcse": float(np.sqrt(probability * (1 - probability) / effective))}


def _variant(row: dict[Hashable, Any]) -> Variant:
    seen = Seen(
        probability=float(row["probability"]),
        within=None if np.isnan(row["within"]) else float(row["within"]),
        differ=None if np.isnan(row["differ"]) else bool(row["differ"]),
        answered=not row["reason"],
        counted=bool(row["counted"]),
    )
    return Variant(row["kind"], row["variant"], seen, opposes=row["kind"] in DECLARED)


def printed_rows(study: Study, claim: Claim) -> pd.DataFrame:
    """The paper's rows of a claim that are about the exposure."""
    rows = study.published
    if rows is None:
        return pd.DataFrame()
    return rows[(rows["claim"] == (claim.published or claim.id)) & (rows["term"] == study.roles.exposure)]
