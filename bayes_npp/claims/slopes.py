"""Claims about slopes, under other priors, measures and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.cache import Form, data_of, json_form, remembered
from bayes_npp.analysis.ladder import behind_verdicts, with_exposure_factor
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.plain import plain, restored
from bayes_npp.analysis.records import FitRecord, Ladder, MeasurementRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity, homogeneity
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.priors.grid import load_grid
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.sensitivity.power_scaling import CONFLICT
from bayes_npp.bayesian.sensitivity.reverse_bayes import LEVELS
from bayes_npp.bayesian.sensitivity.sensitivity import NAMED_SETS, Sensitivity, sensitivity
from bayes_npp.claims.counterparts import leads, near, smallest_effects, wrong_weights
from bayes_npp.claims.entry import SAMPLER_FAILED, VARIANTS, Source, claim_record, shares_of, variant_row
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.specification_curve import DECLARED, FREQUENTIST, OWN_FACTOR, specification_curve
from bayes_npp.claims.verdicts import DIFFERENT, JOINT_LEVEL
from bayes_npp.design.propositions import Proposition, Quantity
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.errors import BayesNppError
from bayes_npp.estimates import summarise
from bayes_npp.frequentist.hypotheses.proposition import NO_TEST, PropositionTest, proposition_test, regression_of
from bayes_npp.study.claims import Claim
from bayes_npp.study.measurement import SOURCES
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import Study

NO_JOINT_TEST = "no test that slopes differ: a group has too few units"
FORM: Form[tuple[Sensitivity, pd.DataFrame]] = json_form(plain, restored)


def about_slopes(
    study: Study,
    model: HierarchicalModel,
    claims: list[Claim],
    ladders: Sequence[Ladder],
    records: Sequence[FitRecord],
    measured: Sequence[MeasurementRecord],
    settings: RunSettings,
) -> tuple[list[ClaimRecord], Sensitivity, pd.DataFrame]:
    """Answer the claims of one hierarchical model from the fit behind its verdicts.

    Returns
    -------
    list of ClaimRecord
    Sensitivity
        Over priors, of every proposition.
    DataFrame
        Over samples and estimators (`specification_curve`).
    """
    ladder = next((ladder for ladder in ladders if ladder.model == model.name), None)
    behind = behind_verdicts(model, ladders)
    name = behind.name
    before = settings.fitted_before()
    fit, _ = fit_model(study.sample, behind, before)
    record = next(record for record in records if record.model == name)
    propositions = list(dict.fromkeys(claim.parsed for claim in claims))
    smallest = smallest_effects(claims)
    levels = tuple(sorted({study.claim_rules.support, LEVELS[-1]}, reverse=True))
    seed = settings.seed
    grid = load_grid(study.claim_rules.grid, settings.home)
    declared = {} if settings.quick or name == model.name else {model: fit_model(study.sample, model, before)[0]}
    compared = declared | {behind: fit}
    guard = None if ladder is None else ladder.exposure_factor
    beside = [] if guard is None else [fit_model(study.sample, with_exposure_factor(model, behind), before)[0]]
    made_from = {
        "propositions": [str(p) for p in propositions],
        "models": [[study.spec(m).content_hash(), settings.priors(m).content_hash()] for m in compared],
        "sampler": fit.sampler.as_dict(),
        "sets": [load_priors(one).content_hash() for one in NAMED_SETS],
        "grid": grid.model_dump(mode="json"),
        "smallest": smallest,
        "levels": levels,
        "seed": seed,
        "quick": settings.quick,
        **data_of(study.sample, study.robustness),
        "fits": [own.tree.attrs["key"] for own in (fit, *beside)],
        **made_by("bayes_npp.bayesian.sensitivity.sensitivity", "bayes_npp.claims.specification_curve"),
    }
    answers, curve = remembered(
        settings.path(name, ".claims.json"),
        made_from,
        FORM,
        lambda: (
            sensitivity(fit, propositions, grid, NAMED_SETS, levels=levels, seed=seed, quick=settings.quick),
            specification_curve(study, compared, propositions, replace(SHORT, seed=seed), smallest, beside),
        ),
        again=settings.refit,
        say=settings.say,
    )
    tried = Tried(answers, curve, measured, _richer(study, ladder, before), ladder)
    return answered(study, claims, behind, fit, record, tried), answers, curve


@dataclass(frozen=True)
class Tried:
    """What was tried beside the fit behind the verdicts; what is empty was not varied.

    Attributes
    ----------
    answers : Sensitivity, optional
        Over priors, of every proposition asked.
    curve : DataFrame, optional
        Over samples and estimators (`specification_curve`).
    measured : sequence of MeasurementRecord
    richer : mapping of str to (Fit, FitRecord)
        Error models beyond the chosen one that pass every check.
    ladder : Ladder, optional
        Of the model, which has Bayes factors of equal slopes by error model.
    """

    answers: Sensitivity | None = None
    curve: pd.DataFrame | None = None
    measured: Sequence[MeasurementRecord] = ()
    richer: Mapping[str, tuple[Fit, FitRecord]] = field(default_factory=dict)
    ladder: Ladder | None = None


def answered(
    study: Study, claims: Sequence[Claim], behind: HierarchicalModel, fit: Fit, record: FitRecord, tried: Tried
) -> list[ClaimRecord]:
    """Answer claims from the fit behind the verdicts (of the model `behind`) and from what was tried beside it."""
    smallest = smallest_effects(claims)
    ahead = leads(study.sample, behind, study.robustness)
    factor = _factor(fit, tried.ladder) if any(claim.parsed.is_difference for claim in claims) else None
    out = []
    for claim in claims:
        p, delta = claim.parsed, smallest.get(str(claim.parsed))
        weights = slope_weights(p, fit.design)
        variants = [
            over_measures(tried.measured, behind.name, p, delta),
            over_errors(tried.richer, tried.ladder, p, delta),
        ]
        conflict, scepticism = "", None
        if tried.answers is not None:
            variants.insert(0, over_priors(tried.answers, p, delta))
            power = tried.answers.power
            power = power[(power["quantity"] == str(p)) & (power["diagnosis"] == CONFLICT)]
            conflict = ", ".join(slot for slot in power["prior"] if slot != "all")
            scepticism = next(one for one in tried.answers.reverse if one.proposition == p)
        if tried.curve is not None:
            variants.insert(-1, over_samples(tried.curve, behind, p))
        out.append(
            claim_record(
                study,
                claim,
                Source(behind.name, behind.errors, record.diagnostics.passed, record.errors_fit),
                fit.slopes @ weights,
                pd.concat(variants),
                _tested(study, behind, p),
                conflict,
                scepticism,
                factor if p.is_difference else None,
                fit.probability(weights, p.threshold, p.sign),
                ahead,
                wrong_weights(fit.design, p, fit.slopes.mean(axis=0), delta),
                fit.monte_carlo_error(weights, p.threshold, p.sign),
            )
        )
    return out


def _factor(fit: Fit, ladder: Ladder | None) -> Homogeneity:
    """The Bayes factor of equal slopes of the fit behind the verdicts: its ladder's, or its own where it has none."""
    found = ladder.errors.homogeneity.get(ladder.errors.chosen) if ladder else None
    return found or homogeneity(fit)


def _richer(study: Study, ladder: Ladder | None, settings: RunSettings) -> dict[str, tuple[Fit, FitRecord]]:
    """Fits and records of the error models beyond the chosen one that pass every check, by their name."""
    if ladder is None:
        return {}
    own = ladder.errors
    return {
        errors: (fit_model(study.sample, own.models[errors], settings)[0], own.records[errors]) for errors in own.richer
    }


def over_errors(
    richer: Mapping[str, tuple[Fit, FitRecord]],
    ladder: Ladder | None,
    proposition: Proposition,
    smallest: float | None = None,
) -> pd.DataFrame:
    """Probabilities under every richer error model that passes, a difference with its own Bayes factor."""
    rows = []
    for errors, (fit, record) in richer.items():
        weights = slope_weights(proposition, fit.design)
        draws = fit.slopes @ weights
        inside = shares_of(proposition, draws, smallest)[1]
        differ = np.nan
        if proposition.is_difference:
            found = None if ladder is None else ladder.errors.homogeneity.get(errors)
            differ = float((found or homogeneity(fit)).factor < DIFFERENT)
        holds = fit.probability(weights, proposition.threshold, proposition.sign)
        reason = "" if record.diagnostics.passed else SAMPLER_FAILED
        error = fit.monte_carlo_error(weights, proposition.threshold, proposition.sign)
        numbers = {**summarise(draws), "mcse": error}
        rows.append(variant_row("errors", errors, holds, reason, inside, differ, numbers=numbers))
    return pd.DataFrame(rows, columns=VARIANTS)


def over_priors(answers: Sensitivity, proposition: Proposition, smallest: float | None = None) -> pd.DataFrame:
    """Probabilities over the grid and the named sets; none (NaN), here and below, where the reason says so.

    That of a distance below the smallest effect is, here and over measures, the normal's with that mean and interval.
    """
    rows = []
    for table, named in ((answers.grid, "cell {cell} of the grid"), (answers.sets, "{priors} priors")):
        own = table[table["proposition"] == str(proposition)]
        for row, inside in zip(own.to_dict("records"), near(own, proposition, smallest), strict=True):
            reason = "" if row["passed"] else SAMPLER_FAILED
            rows.append(variant_row("priors", named.format(**row), row["probability"], reason, inside, numbers=row))
    return pd.DataFrame(rows, columns=VARIANTS)


def over_measures(
    measured: Sequence[MeasurementRecord], model: str, proposition: Proposition, smallest: float | None = None
) -> pd.DataFrame:
    """Probabilities under other measures of outcome and exposure; of propositions with a row of estimates."""
    rows = []
    for record in (record for record in measured if record.model == model):
        mixed = record.averages.assign(variant=[f"average: {SOURCES[s]}" for s in record.averages["source"]])
        refitted = record.slopes["variant"] == record.variants["variant"].iloc[0]  # as declared: no variant
        failed = {*record.variants.loc[record.variants["verdict"] != "passed", "variant"]}
        failed |= {*mixed.loc[mixed["failed"] > 0, "variant"]}
        for frame in (record.slopes[~refitted], mixed):
            for variant, some in frame.groupby("variant", sort=False):
                found = answering(some, proposition)
                if found is not None:
                    row, positive = found
                    reason = SAMPLER_FAILED if variant in failed else ""
                    inside = float(near(row, proposition, smallest)[0])
                    numbers = row.iloc[0].to_dict()
                    rows.append(variant_row("measurement", str(variant), positive, reason, inside, numbers=numbers))
    return pd.DataFrame(rows, columns=VARIANTS)


def answering(rows: pd.DataFrame, proposition: Proposition) -> tuple[pd.DataFrame, float] | None:
    """The row of slopes that answers a proposition with threshold zero, and its probability; None without one.

    Of a difference the other way round mean and interval are turned.
    """
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
    row = found.iloc[:1]
    if flipped:
        mean = "mean" if "mean" in row else "estimate"
        row = row.assign(**{mean: -row[mean], "lo": -row["hi"], "hi": -row["lo"]})
    return row, positive if (proposition.sign > 0) != flipped else 1 - positive


def over_samples(curve: pd.DataFrame, behind: HierarchicalModel, proposition: Proposition) -> pd.DataFrame:
    """Probabilities in the study's other samples, by the model behind the verdicts.

    A row that this model cannot be fitted to is answered by its regression, P = F_t(t) at its degrees of freedom. One
    without a test, because clusters are few, is not counted; nor is the exposure's own factor where the study does not
    declare it and nothing can be estimated beside it.
    """
    own = curve[(curve["proposition"] == str(proposition)) & (curve["sample"] != DECLARED)]
    fitted = own[own["estimator"] == f"hierarchical, {behind.errors} errors"]
    regressions = own[own["estimator"] == FREQUENTIST].set_index("sample")
    rows = []
    for cell in fitted.to_dict("records"):
        sample, beside = cell["sample"], regressions.loc[cell["sample"]]
        if not cell["reason"]:
            numbers = {**cell, "mean": cell["estimate"]}
            rows.append(variant_row("specification", sample, cell["probability"], "", cell["within"], numbers=numbers))
        elif cell["reason"] == SAMPLER_FAILED:
            rows.append(variant_row("specification", sample, np.nan, SAMPLER_FAILED))
        elif not beside["reason"] and proposition.is_difference and np.isnan(beside["joint_p"]):
            rows.append(variant_row("specification", sample, np.nan, NO_JOINT_TEST, counted=False))
        elif not beside["reason"]:
            differ = float(beside["joint_p"] <= JOINT_LEVEL) if proposition.is_difference else np.nan
            named = "the exposure's own factor" if sample == OWN_FACTOR else sample
            name = f"{named}, by least squares"
            numbers = {"mean": beside["estimate"], "lo": beside["lo"], "hi": beside["hi"]}
            rows.append(
                variant_row("specification", name, beside["tail"], "", beside["within"], differ, numbers=numbers)
            )
        else:
            counted = sample != OWN_FACTOR and not beside["reason"].startswith(NO_TEST)
            rows.append(variant_row("specification", sample, np.nan, beside["reason"], counted=counted))
    return pd.DataFrame(rows, columns=VARIANTS)


def _tested(study: Study, model: HierarchicalModel, proposition: Proposition) -> tuple[PropositionTest | None, str]:
    try:
        design = study.sample.design(regression_of(study.spec(model), proposition))
        return proposition_test(design, proposition, study.panel.source), ""
    except BayesNppError as error:
        return None, error.problem
