"""Claims about slopes, under other priors, measures and samples."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.cache import Form, json_form, remembered
from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.records import FitRecord, Ladder, MeasurementRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.priors.grid import load_grid
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.sensitivity.power_scaling import CONFLICT
from bayes_npp.bayesian.sensitivity.sensitivity import NAMED_SETS, Sensitivity, sensitivity
from bayes_npp.claims.cache import data_of, plain_frame, plain_sensitivity, restored_frame, restored_sensitivity
from bayes_npp.claims.entry import SAMPLER_FAILED, VARIANTS, Source, claim_record
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.specification_curve import DECLARED, specification_curve
from bayes_npp.design.propositions import Proposition, Quantity
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.errors import BayesNppError
from bayes_npp.frequentist.hypotheses.proposition import PropositionTest, proposition_test, regression_of
from bayes_npp.study.claims import Claim
from bayes_npp.study.measurement import SOURCES
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import Study

FORM: Form[tuple[Sensitivity, pd.DataFrame]] = json_form(
    lambda found: [plain_sensitivity(found[0]), plain_frame(found[1])],
    lambda content: (restored_sensitivity(content[0]), restored_frame(content[1])),
)


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
    seed = settings.seed
    grid = load_grid(study.claim_rules.grid, settings.home)
    declared = {} if settings.quick or name == model.name else {model: fit_model(study.sample, model, before)[0]}
    compared = declared | {behind: fit}
    made_from = {
        "propositions": [str(p) for p in propositions],
        "models": [[study.spec(m).content_hash(), settings.priors(m).content_hash()] for m in compared],
        "sampler": fit.sampler.as_dict(),
        "sets": [load_priors(one).content_hash() for one in NAMED_SETS],
        "grid": grid.model_dump(mode="json"),
        "seed": seed,
        "quick": settings.quick,
        **data_of(study.sample, study.robustness),
        "fit": fit.tree.attrs["key"],
        **made_by("bayes_npp.bayesian.sensitivity.sensitivity", "bayes_npp.claims.specification_curve"),
    }
    answers, curve = remembered(
        settings.path(name, ".claims.json"),
        made_from,
        FORM,
        lambda: (
            sensitivity(fit, propositions, grid, NAMED_SETS, seed=seed, quick=settings.quick),
            specification_curve(study, compared, propositions, replace(SHORT, seed=seed)),
        ),
        again=settings.refit,
        say=settings.say,
    )
    out = []
    for claim in claims:
        p = claim.parsed
        weights = slope_weights(p, fit.design)
        draws = fit.slopes @ weights
        variants = pd.concat(
            [over_priors(answers, p), over_measures(measured, name, p), over_samples(curve, behind, p)]
        )
        power = answers.power[(answers.power["quantity"] == str(p)) & (answers.power["diagnosis"] == CONFLICT)]
        conflict = ", ".join(slot for slot in power["prior"] if slot != "all")
        homogeneity = ladder.errors.homogeneity[ladder.errors.chosen] if ladder and p.is_difference else None
        tested = _tested(study, model, p)
        scepticism = next(one for one in answers.reverse if one.proposition == p)
        source = Source(name, behind.errors, record.diagnostics.passed, record.errors_fit)
        probability = fit.probability(weights, p.threshold, p.sign)
        out.append(
            claim_record(study, claim, source, draws, variants, tested, conflict, scepticism, homogeneity, probability)
        )
    return out, answers, curve


def over_priors(answers: Sensitivity, proposition: Proposition) -> pd.DataFrame:
    """Probabilities over the grid and the named sets; none (NaN), here and below, where the reason says so."""
    rows = []
    for row in answers.grid[answers.grid["proposition"] == str(proposition)].to_dict("records"):
        rows.append(("priors", f"cell {row['cell']} of the grid", *_if(row["passed"], row["probability"])))
    for row in answers.sets[answers.sets["proposition"] == str(proposition)].to_dict("records"):
        rows.append(("priors", f"{row['priors']} priors", *_if(row["passed"], row["probability"])))
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
                    rows.append(("measurement", variant, *_if(variant not in failed, found)))
    return pd.DataFrame(rows, columns=VARIANTS)


def _if(passed: bool, probability: float) -> tuple[float, str]:
    """A probability and no reason, or none and the sampler's failure."""
    return (probability, "") if passed else (np.nan, SAMPLER_FAILED)


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
    """Probabilities in the study's other samples, by the model behind the verdicts."""
    own = curve[
        (curve["proposition"] == str(proposition))
        & (curve["estimator"] == f"hierarchical, {behind.errors} errors")
        & (curve["sample"] != DECLARED)
    ]
    shown = own["probability"].where(own["reason"] == "")
    rows = [("specification", *cell) for cell in zip(own["sample"], shown, own["reason"], strict=True)]
    return pd.DataFrame(rows, columns=VARIANTS)


def _tested(study: Study, model: HierarchicalModel, proposition: Proposition) -> tuple[PropositionTest | None, str]:
    try:
        design = study.sample.design(regression_of(study.spec(model), proposition))
        return proposition_test(design, proposition, study.panel.source), ""
    except BayesNppError as error:
        return None, error.problem
