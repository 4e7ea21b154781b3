"""The ledger of claims: each proposition of a study under everything that could change the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.ladder import rungs
from bayes_npp.analysis.records import FitRecord, Ladder, MeasurementRecord
from bayes_npp.analysis.stored_fits import FitSettings, fit_mediation, fit_model
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.fitting.refit import SHORT, refit
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.bayesian.priors.families import load_priors
from bayes_npp.bayesian.priors.grid import load_grid
from bayes_npp.bayesian.sensitivity.power_scaling import CONFLICT
from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.bayesian.sensitivity.sensitivity import NAMED_SETS, Sensitivity, sensitivity
from bayes_npp.claims.cache import (
    data_of,
    plain_frame,
    plain_sensitivity,
    remembered,
    restored_frame,
    restored_sensitivity,
)
from bayes_npp.claims.evidence import type_s_m
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.claims.path_variants import path_variants
from bayes_npp.claims.specification_curve import SAMPLER_FAILED, specification_curve
from bayes_npp.claims.verdicts import Known, verdict
from bayes_npp.design.propositions import Proposition, Quantity
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest, proposition_test
from bayes_npp.study.claims import Claim
from bayes_npp.study.measurement import SOURCES
from bayes_npp.study.models import HierarchicalModel, MediationModel, MediationPathsModel
from bayes_npp.study.study import Study

VARIANTS = ["kind", "variant", "probability"]


def answer_claims(
    study: Study,
    estimates: Estimates,
    ladders: Sequence[Ladder],
    records: Sequence[FitRecord],
    measured: Sequence[MeasurementRecord],
    settings: FitSettings,
    progress: Callable[[str], None] = lambda line: None,
) -> Ledger | None:
    """Answer every claim of a study; None without claims.

    Parameters
    ----------
    estimates : Estimates
        Of the run, for the tests of paths.
    ladders, records : sequences
        Error models chosen, and every fit's checks.
    measured : sequence of MeasurementRecord
    """
    if not study.claims:
        return None
    found: dict[str, ClaimRecord] = {}
    sensitivities, curves = {}, {}
    for name in dict.fromkeys(claim.model for claim in study.claims):
        model = study.model(name)
        own = [claim for claim in study.claims if claim.model == name]
        progress(f"[claims] {name}: {', '.join(claim.id for claim in own)}")
        if isinstance(model, MediationModel):
            answers = _about_paths(study, model, own, estimates, settings)
        else:
            if not isinstance(model, HierarchicalModel):
                raise SpecError(f"no claim is answered by model '{name}'", fix="See bayes-npp check")
            answers, sensitivities[name], curves[name] = _about_slopes(
                study, model, own, ladders, records, measured, settings
            )
        found.update({f"{record.claim.id} {record.claim.proposition}": record for record in answers})
    ordered = tuple(found[f"{claim.id} {claim.proposition}"] for claim in study.claims)
    return Ledger(study.claim_rules, ordered, sensitivities, curves)


def _about_slopes(
    study: Study,
    model: HierarchicalModel,
    claims: list[Claim],
    ladders: Sequence[Ladder],
    records: Sequence[FitRecord],
    measured: Sequence[MeasurementRecord],
    settings: FitSettings,
) -> tuple[list[ClaimRecord], Sensitivity, pd.DataFrame]:
    ladder = next((ladder for ladder in ladders if ladder.model == model.name), None)
    name = ladder.errors.record.model if ladder else model.name
    behind = next((rung.model for rung in rungs(model) if rung.model.name == name), model)
    fit, _ = fit_model(study, behind, settings.fitted_before())
    record = next(record for record in records if record.model == name)
    propositions = list(dict.fromkeys(claim.parsed for claim in claims))
    seed = study.header.seed if settings.seed is None else settings.seed
    rules = study.claim_rules
    grid = load_grid(rules.grid, study.path.parent)
    compared = [behind] if settings.quick or name == model.name else [model, behind]
    own = {
        "propositions": [str(p) for p in propositions],
        "models": [[study.spec(m).content_hash(), study.priors(m).content_hash()] for m in compared],
        "sampler": fit.sampler.as_dict(),
        "sets": [load_priors(one).content_hash() for one in NAMED_SETS],
        "grid": grid.model_dump(mode="json"),
        "seed": seed,
        "quick": settings.quick,
        **data_of(study),
    }
    answers, curve = remembered(
        settings.path(name, ".claims.json"),
        own,
        lambda: (
            sensitivity(fit, propositions, grid, NAMED_SETS, seed=seed, quick=settings.quick),
            specification_curve(study, compared, propositions, replace(SHORT, seed=seed)),
        ),
        lambda found: [plain_sensitivity(found[0]), plain_frame(found[1])],
        lambda content: (restored_sensitivity(content[0]), restored_frame(content[1])),
        settings.refit,
    )
    out = []
    for claim in claims:
        p = claim.parsed
        draws = fit.slopes @ slope_weights(p, fit.design)
        variants = pd.concat(
            [over_priors(answers, p), over_measures(measured, name, p), over_samples(curve, behind, p)]
        )
        power = answers.power[(answers.power["quantity"] == str(p)) & (answers.power["diagnosis"] == CONFLICT)]
        conflict = ", ".join(slot for slot in power["prior"] if slot != "all")
        homogeneity = ladder.errors.homogeneity[ladder.errors.chosen] if ladder and p.is_difference else None
        tested = _tested(study, model, p)
        scepticism = next(one for one in answers.reverse if one.proposition == p)
        source = _Source(name, behind.errors, record.diagnostics.passed, record.errors_fit)
        out.append(_record(study, claim, source, draws, variants, tested, conflict, scepticism, homogeneity))
    return out, answers, curve


@dataclass(frozen=True)
class _Source:
    """What answers a claim, and whether its sampler and its error model pass."""

    model: str
    errors: str
    sampled: bool
    errors_fit: bool


def _record(
    study: Study,
    claim: Claim,
    source: _Source,
    draws: np.ndarray,
    variants: pd.DataFrame,
    tested: tuple[PropositionTest | None, str],
    conflict: str = "",
    scepticism: Scepticism | None = None,
    homogeneity: Homogeneity | None = None,
) -> ClaimRecord:
    test, no_test = tested
    p = claim.parsed
    probability = float((p.sign * (draws - p.threshold) > 0).mean())
    equivalent = None
    if claim.equivalence is not None:
        equivalent = float((np.abs(draws - p.threshold) < claim.equivalence).mean())
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
        unanswered=int(variants["probability"].isna().sum()),
        conflict=conflict,
    )
    rules = study.claim_rules
    lo, hi = np.quantile(draws, [0.025, 0.975])
    return ClaimRecord(
        claim=claim,
        printed=_printed(study, claim),
        model=source.model,
        errors=source.errors,
        estimate=float(draws.mean()),
        lo=float(lo),
        hi=float(hi),
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
    )


def _printed(study: Study, claim: Claim) -> pd.DataFrame:
    """The paper's rows of a claim that are about the exposure."""
    rows = study.published
    if rows is None:
        return pd.DataFrame()
    return rows[(rows["claim"] == claim.id) & (rows["term"] == study.roles.exposure)]


def over_priors(answers: Sensitivity, proposition: Proposition) -> pd.DataFrame:
    """Probabilities over the grid and the named sets; none (NaN), here and below, where the sampler failed."""
    rows = []
    for row in answers.grid[answers.grid["proposition"] == str(proposition)].to_dict("records"):
        rows.append(("priors", f"cell {row['cell']} of the grid", row["probability"] if row["passed"] else np.nan))
    for row in answers.sets[answers.sets["proposition"] == str(proposition)].to_dict("records"):
        rows.append(("priors", f"{row['priors']} priors", row["probability"] if row["passed"] else np.nan))
    return pd.DataFrame(rows, columns=VARIANTS)


def over_measures(measured: Sequence[MeasurementRecord], model: str, proposition: Proposition) -> pd.DataFrame:
    """Probabilities under other measures of outcome and exposure; of propositions with a row of estimates."""
    rows = []
    for record in (record for record in measured if record.model == model):
        mixed = record.averages.assign(variant=[f"average: {SOURCES[s]}" for s in record.averages["source"]])
        refitted = record.slopes["variant"] == record.variants["variant"].iloc[0]  # as declared: no variant
        failed = {*record.variants.loc[record.variants["verdict"] != "passed", "variant"]}
        failed |= {*mixed.loc[mixed["failed"] > 0, "variant"]}
        for frame in (record.slopes[~refitted], mixed):
            for variant, some in frame.groupby("variant", sort=False):
                found = positive_share(some, proposition)
                if found is not None:
                    rows.append(("measurement", variant, np.nan if variant in failed else found))
    return pd.DataFrame(rows, columns=VARIANTS)


def positive_share(rows: pd.DataFrame, proposition: Proposition) -> float | None:
    """Probability of a proposition with threshold zero from rows of slopes; None where no row answers it."""
    if proposition.threshold:
        return None
    name, group, flipped = proposition.left.name, "", False
    if isinstance(proposition.right, Quantity):
        if {proposition.left.name, proposition.right.name} != {"slope"}:
            return None
        first, second = proposition.left.labels[0], proposition.right.labels[0]
        name, group = "slope_difference", f"{first} - {second}"
        if not (rows["group"] == group).any():
            group, flipped = f"{second} - {first}", True
    elif proposition.left.labels:
        name, group = "group_slope", proposition.left.labels[0]
    found = rows[(rows["estimand"] == name) & (rows["group"] == group)]
    if found.empty:
        return None
    positive = float(found["prob_positive"].iloc[0])
    return positive if (proposition.sign > 0) != flipped else 1 - positive


def over_samples(curve: pd.DataFrame, behind: HierarchicalModel, proposition: Proposition) -> pd.DataFrame:
    """Probabilities in the other samples of the curve, of the model behind the verdict."""
    own = curve[
        (curve["proposition"] == str(proposition))
        & (curve["estimator"] == f"hierarchical, {behind.errors} errors")
        & (curve["sample"] != "as declared")
        & curve["reason"].isin(["", SAMPLER_FAILED])
    ]
    shown = own["probability"].where(own["reason"] == "")
    rows = [("specification", *cell) for cell in zip(own["sample"], shown, strict=True)]
    return pd.DataFrame(rows, columns=VARIANTS)


def _tested(study: Study, model: HierarchicalModel, proposition: Proposition) -> tuple[PropositionTest | None, str]:
    try:
        return proposition_test(study.panel, study.spec(model), proposition), ""
    except BayesNppError as error:
        return None, error.problem


def _about_paths(
    study: Study,
    model: MediationModel,
    claims: list[Claim],
    estimates: Estimates,
    settings: FitSettings,
) -> list[ClaimRecord]:
    mediation, fits = fit_mediation(study, model, settings.fitted_before())
    source = _Source(model.name, model.errors, not mediation.failures, all(record.errors_fit for record in fits))
    seed = study.header.seed if settings.seed is None else settings.seed
    propositions = list(dict.fromkeys(claim.parsed for claim in claims))
    fits_of = {name: [fit.spec.content_hash(), fit.sampler.as_dict()] for name, fit in mediation.equations.items()}
    own = {
        "propositions": [str(p) for p in propositions],
        "equations": fits_of,
        "priors": study.priors(model).content_hash(),
        "sets": [load_priors(one).content_hash() for one in NAMED_SETS],
        "measurement": None if study.measurement is None else study.measurement.model_dump(mode="json"),
        "seed": seed,
        "quick": settings.quick,
        **data_of(study),
    }
    under = remembered(
        settings.path(model.name, ".claims.json"),
        own,
        lambda: _path_variants(study, model, mediation, propositions, seed, settings.quick),
        plain_frame,
        restored_frame,
        settings.refit,
    )
    out = []
    for claim in claims:
        p = claim.parsed
        variants = under.loc[under["proposition"] == str(p), VARIANTS]
        tested = _path_test(study, model, p, estimates)
        out.append(_record(study, claim, source, path_draws(p, mediation), variants, tested))
    return out


def _path_variants(
    study: Study,
    model: MediationModel,
    mediation: Mediation,
    propositions: Sequence[Proposition],
    seed: int,
    quick: bool,
) -> pd.DataFrame:
    """Probabilities over priors, measures and samples; none where equations have no collapsed posterior of their own.

    A quick run varies the priors alone.
    """
    if mediation.correlation is not None or any(fit.engine != "collapsed" for fit in mediation.equations.values()):
        return pd.DataFrame(columns=["proposition", *VARIANTS])
    priors = _under_named_sets(mediation, propositions, seed)
    if quick:
        return priors
    return pd.concat([priors, path_variants(study, model, mediation, propositions, replace(SHORT, seed=seed))])


def _under_named_sets(mediation: Mediation, propositions: Sequence[Proposition], seed: int) -> pd.DataFrame:
    """Probabilities under each named prior set."""
    sets = [load_priors(name) for name in NAMED_SETS]
    found = {
        name: refit(fit.collapsed, sets, replace(SHORT, seed=seed + number))
        for number, (name, fit) in enumerate(mediation.equations.items())
    }
    rows = []
    for position, own in enumerate(sets):
        shared = min(len(fits[position].slopes) for fits in found.values())
        parameters = {
            name: {v: draws[:shared] for v, draws in fits[position].draws.items() if v in mediation.parameters[name]}
            for name, fits in found.items()
        }
        other = replace(mediation, parameters=parameters)
        passed = all(fits[position].diagnostics.passed for fits in found.values())
        for p in propositions:
            share = float((p.sign * (path_draws(p, other) - p.threshold) > 0).mean()) if passed else np.nan
            rows.append(
                {"proposition": str(p), "kind": "priors", "variant": f"{own.name} priors", "probability": share}
            )
    return pd.DataFrame(rows)


def _path_test(
    study: Study, model: MediationModel, proposition: Proposition, estimates: Estimates
) -> tuple[PropositionTest | None, str]:
    """The row of the study's products of paths that tests a proposition against zero."""
    if proposition.is_difference or proposition.threshold or len(proposition.left.labels) > 1:
        return None, "least squares estimates no such contrast here"
    term = proposition.left.labels[0] if proposition.left.labels else study.spec(model).exposure
    for other in study.models:
        if isinstance(other, MediationPathsModel) and other.method == "product":
            rows = estimates.select(model=other.name, estimand=proposition.left.name, term=term, group="")
            if not rows.empty and pd.notna(rows["p_value"].iloc[0]):
                row = rows.iloc[0]
                used = f"{row['estimator']}, {row['covariance']}, two-sided"
                estimate, se, lo, hi, p_value = (
                    float(row[name]) for name in ("estimate", "spread", "lo", "hi", "p_value")
                )
                return PropositionTest(estimate, se, lo, hi, p_value, used), ""
    return None, "the study declares no product of paths by least squares"
