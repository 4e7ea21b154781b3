"""Claims about paths of a mediation model, under other priors, measures and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.cache import data_of, json_form, remembered
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.plain import plain, restored
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_mediation
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.fitting.refit import SHORT, Start, refit
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.bayesian.mediation.equal_paths import equal_paths
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.sensitivity.sensitivity import NAMED_SETS
from bayes_npp.claims.counterparts import smallest_effects
from bayes_npp.claims.entry import VARIANTS, Source, claim_record, drawn_numbers, shares_of, variant_row
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.path_counterparts import by_least_squares, leads_of_paths
from bayes_npp.claims.path_variants import path_variants, refitted, rows_of, rows_of_least_squares, stacked
from bayes_npp.design.propositions import Proposition
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest
from bayes_npp.study.claims import Claim
from bayes_npp.study.mediation_paths import MediationPathsModel
from bayes_npp.study.models import MediationModel
from bayes_npp.study.study import Study


def about_paths(
    study: Study,
    model: MediationModel,
    claims: list[Claim],
    estimates: Estimates,
    settings: RunSettings,
) -> list[ClaimRecord]:
    """Answer the claims of one mediation model."""
    mediation, fits = fit_mediation(study.sample, model, settings.fitted_before())
    source = Source(model.name, model.errors, not mediation.failures, all(record.errors_fit for record in fits))
    seed = settings.seed
    propositions = list(dict.fromkeys(claim.parsed for claim in claims))
    smallest = smallest_effects(claims)
    fits_of = {name: [fit.spec.content_hash(), fit.sampler.as_dict()] for name, fit in mediation.equations.items()}
    made_from = {
        "propositions": [str(p) for p in propositions],
        "equations": fits_of,
        "priors": settings.priors(model).content_hash(),
        "sets": [load_priors(one).content_hash() for one in NAMED_SETS],
        "measurement": None if study.measurement is None else study.measurement.model_dump(mode="json"),
        "seed": seed,
        "quick": settings.quick,
        "columns": VARIANTS,
        "smallest": smallest,
        **data_of(study.sample, study.robustness),
        "fits": [fit.tree.attrs["key"] for fit in mediation.equations.values()],
        **made_by(__name__),
    }
    under = remembered(
        settings.path(model.name, ".claims.json"),
        made_from,
        json_form(plain, restored),
        lambda: _path_variants(study, model, mediation, propositions, smallest, seed, settings.quick),
        again=settings.refit,
        say=settings.say,
    )
    of_slopes: dict[tuple[str, str], Homogeneity | None] = {}
    ahead = leads_of_paths(study, model)
    factors = {str(p): equal_paths(p, mediation, of_slopes) for p in propositions}
    out = []
    for claim in claims:
        p = claim.parsed
        variants = under.loc[under["proposition"] == str(p), VARIANTS]
        tested = _path_test(study, model, p, estimates)
        draws = path_draws(p, mediation)
        gates = [fit.diagnostics for fit in mediation.equations.values()]
        mcse = drawn_numbers(draws, shares_of(p, draws, None)[0], gates)["mcse"]
        alike = factors.get(str(p))
        out.append(
            claim_record(study, claim, source, draws, variants, tested, homogeneity=alike, leads=ahead, mcse=mcse)
        )
    return out


def _path_variants(
    study: Study,
    model: MediationModel,
    mediation: Mediation,
    propositions: Sequence[Proposition],
    smallest: Mapping[str, float],
    seed: int,
    quick: bool,
) -> pd.DataFrame:
    """Probabilities over priors, measures and samples, or the reason why there are none.

    A quick run varies the priors alone, and rows that least squares answers.
    """

    def beside() -> pd.DataFrame:
        return by_least_squares(study, model, rows_of_least_squares(study), propositions, smallest)

    if any(not fit.is_collapsed for fit in mediation.equations.values()):
        reason = "the equations have no collapsed posteriors of their own, from which variants are fitted"
        blank = variant_row("priors, measures and samples", "all", np.nan, reason, counted=False)
        rows = [(str(p), *blank) for p in propositions]
        return stacked([pd.DataFrame(rows, columns=["proposition", *VARIANTS]), beside()])
    priors = stacked(
        [
            _under_named_sets(mediation, propositions, smallest, seed),
            _otherwise_tied(mediation, propositions, smallest, seed),
        ]
    )
    if quick:
        return stacked([priors, beside()])
    others = path_variants(study, model, mediation, propositions, replace(SHORT, seed=seed), smallest)
    return stacked([priors, others])


def _under_named_sets(
    mediation: Mediation, propositions: Sequence[Proposition], smallest: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Probabilities under each named prior set."""
    sets = [load_priors(name) for name in NAMED_SETS]
    if mediation.paths.correlated:
        designs = {name: fit.design for name, fit in mediation.equations.items()}
        return stacked(
            [
                rows_of(refitted(mediation, designs, own, seed), "priors", f"{own.name} priors", propositions, smallest)
                for own in sets
            ]
        )
    found = {
        name: refit(fit.collapsed, sets, replace(SHORT, seed=seed + number), Start.of_fit(fit))
        for number, (name, fit) in enumerate(mediation.equations.items())
    }
    rows: list[pd.DataFrame] = []
    for position, own in enumerate(sets):
        shared = min(len(fits[position].slopes) for fits in found.values())
        parameters = {
            name: {v: draws[:shared] for v, draws in fits[position].draws.items() if v in mediation.parameters[name]}
            for name, fits in found.items()
        }
        other = replace(mediation, parameters=parameters)
        gates = [fits[position].diagnostics for fits in found.values()]
        rows.append(rows_of(other, "priors", f"{own.name} priors", propositions, smallest, gates))
    return stacked(rows)


def _otherwise_tied(
    mediation: Mediation, propositions: Sequence[Proposition], smallest: Mapping[str, float], seed: int
) -> pd.DataFrame:
    """Probabilities where paths a and b of a group may correlate, if they are independent a priori, or the reverse."""
    if not mediation.can_tie:
        return pd.DataFrame(columns=["proposition", *VARIANTS])
    correlated = not mediation.paths.correlated
    label = "paths of a group may correlate" if correlated else "paths of a group independent a priori"
    return rows_of(mediation.with_ties(correlated, seed), "priors", label, propositions, smallest)


def _path_test(
    study: Study, model: MediationModel, proposition: Proposition, estimates: Estimates
) -> tuple[PropositionTest | None, str]:
    """The row of the study's products of paths that tests a proposition against zero."""
    if proposition.is_difference or proposition.threshold or len(proposition.left.labels) > 1:
        return None, "least squares estimates no such contrast here"
    term = proposition.left.labels[0] if proposition.left.labels else study.spec(model).exposure
    why_not = "the study declares no product of paths by least squares"
    for other in study.models:
        if isinstance(other, MediationPathsModel) and other.method == "product":
            rows = estimates.select(model=other.name, estimand=proposition.left.name, term=term, group="")
            if not rows.empty and pd.isna(rows["p_value"].iloc[0]):
                why_not = f"{other.name}: {rows['note'].iloc[0]}"
            elif not rows.empty:
                row = rows.iloc[0]
                used = f"{row['estimator']}, {row['covariance']}, two-sided"
                estimate, se, lo, hi, p_value = (
                    float(row[name]) for name in ("estimate", "spread", "lo", "hi", "p_value")
                )
                return PropositionTest(estimate, se, lo, hi, p_value, used), ""
    return None, why_not
