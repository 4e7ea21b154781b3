"""Every robustness row under every estimator: the cells of a specification curve, failures included."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT, Start, sample_until_passed, workers
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.claims.counterparts import tail, twin, within
from bayes_npp.claims.entry import SAMPLER_FAILED, drawn_numbers, shares_of
from bayes_npp.design.design import Design
from bayes_npp.design.propositions import Proposition
from bayes_npp.design.slope_contrasts import contrasts, slope_weights
from bayes_npp.errors import BayesNppError
from bayes_npp.estimates import summarise
from bayes_npp.frequentist.factors.cce import cce_fit
from bayes_npp.frequentist.factors.interactive import interactive_fit
from bayes_npp.frequentist.hypotheses.proposition import proposition_test, regression_of
from bayes_npp.frequentist.least_squares.inference import LinearFit
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import CceModel, HierarchicalModel, InteractiveModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.sample import Sample
from bayes_npp.study.study import Study

CURVE_DRAWS = 1000
DECLARED = "as declared"
FREQUENTIST = "TWFE, clustered by unit"
OWN_FACTOR = "exposure_own_factor"  # the row that every study has
NUMBERS = ("estimate", "lo", "hi", "probability", "p_value", "tail", "within", "joint_p", "mcse")
COLUMNS = ["proposition", "sample", "estimator", *NUMBERS, "reason"]


def specification_curve(
    study: Study,
    fits: Mapping[HierarchicalModel, Fit],
    propositions: Sequence[Proposition],
    sampler: Sampler = SHORT,
    smallest: Mapping[str, float] | None = None,
    beside: Sequence[Fit] = (),
) -> pd.DataFrame:
    """Cells of every proposition: the study as declared and each of its robustness rows, by both paradigms.

    A row with a loading of each unit on the exposure's own factor is always among them.

    Parameters
    ----------
    fits : mapping of HierarchicalModel to Fit
        The same slopes under several error models, each with the fit of the study as declared, which answers there.
    propositions : sequence of Proposition
        About those slopes.
    smallest : dict of float, optional
        The smallest effect of interest of a proposition.
    beside : sequence of Fit
        Of the whole sample under other settings: a row that asks for one of them is not fitted again.

    Returns
    -------
    DataFrame
        proposition, sample (what was altered), estimator, estimate, lo, hi (95 %, confidence or equal-tailed) of what
        the proposition compares with its number, probability of the proposition, or the two-sided p_value with `tail`,
        P = F_t(t), and joint_p, that of equal slopes; within, the probability of a distance below the smallest effect;
        and the reason where a cell could not be estimated. No share of significant cells: cells are not independent.
    """
    smallest = smallest or {}
    samples = (None, *declared_rows(study))
    models = list(fits)
    with workers() as pool:
        cells = [(model, row) for row in samples[1:] for model in models]
        starts = {model: Start.of_fit(fit) for model, fit in fits.items()}

        def answered(cell: tuple[HierarchicalModel, Robustness]) -> list[dict[str, Any]]:
            return _bayesian(study, *cell, propositions, sampler, smallest, starts[cell[0]], beside)

        fitted = list(pool.map(answered, cells))
    fitted = [[_declared(model, fit, p, smallest) for p in propositions] for model, fit in fits.items()] + fitted
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(samples):
        rows += _frequentist(study, models[0], row, propositions, smallest)
        rows += [found for some in fitted[number * len(models) : (number + 1) * len(models)] for found in some]
    return pd.DataFrame(rows, columns=COLUMNS)


def declared_rows(study: Study) -> list[Robustness]:
    """The study's robustness rows that answer a claim, and the exposure's own factor where none of them has it."""
    rows = [row for row in study.robustness if not row.lead]
    return rows if any(row.exposure_factor for row in rows) else [*rows, own_factor()]


def own_factor() -> Robustness:
    """The row that every study has."""
    return Robustness(name=OWN_FACTOR, exposure_factor=True)


def _altered(study: Study, model: Any, row: Robustness | None) -> tuple[Sample, Any]:
    """The sample and model of one row."""
    if row is None:
        return study.sample, model
    altered = alter(study.sample, model, row)
    return altered.data, altered.model


def _frequentist(
    study: Study,
    model: HierarchicalModel,
    row: Robustness | None,
    propositions: Sequence[Proposition],
    smallest: Mapping[str, float],
) -> list[dict[str, Any]]:
    label = {"sample": DECLARED if row is None else row.name, "estimator": FREQUENTIST}
    try:
        own, altered = _altered(study, twin(model, model.slopes), row)
        spec = altered.spec(own.roles)
    except BayesNppError as error:
        return [_failed(p, label, error) for p in propositions]
    out = []
    for p in propositions:
        try:
            design = own.design(regression_of(spec, p))
            found = proposition_test(design, p, own.panel.source, regression(altered))
        except BayesNppError as error:
            out.append(_failed(p, label, error))
            continue
        cell = {"estimate": found.estimate, "lo": found.lo, "hi": found.hi, "p_value": found.p_value}
        cell |= {"tail": tail(found, p), "within": within(found, p, smallest.get(str(p))), "joint_p": found.joint_p}
        out.append({"proposition": str(p), **label, **cell, "probability": np.nan, "mcse": np.nan, "reason": ""})
    return out


def regression(model: ModelSpec) -> Callable[[Design], LinearFit] | None:
    """What estimates a robustness row that puts factors beside the effects; None: two-way fixed effects."""
    if isinstance(model, InteractiveModel):
        return lambda design: interactive_fit(design, model.factors, convention=model.convention, seed=model.seed)[0]
    if isinstance(model, CceModel):
        return lambda design: cce_fit(design, model.averages, convention=model.convention)
    return None


def _declared(model: HierarchicalModel, fit: Fit, p: Proposition, smallest: Mapping[str, float]) -> dict[str, Any]:
    """The cell of the study as declared: what the fit itself says, as everywhere else."""
    weights = slope_weights(p, fit.design)
    draws = fit.slopes @ weights
    summary = summarise(draws)
    return {
        "proposition": str(p),
        "sample": DECLARED,
        "estimator": f"hierarchical, {model.errors} errors",
        **{"estimate": summary["mean"], "lo": summary["lo"], "hi": summary["hi"]},
        **{"probability": fit.probability(weights, p.threshold, p.sign), "p_value": np.nan},
        "mcse": fit.monte_carlo_error(weights, p.threshold, p.sign),
        "within": shares_of(p, draws, smallest.get(str(p)))[1],
        "reason": "" if fit.diagnostics.passed else SAMPLER_FAILED,
    }


def _bayesian(
    study: Study,
    model: HierarchicalModel,
    row: Robustness,
    propositions: Sequence[Proposition],
    sampler: Sampler,
    smallest: Mapping[str, float],
    start: Start | None,
    beside: Sequence[Fit],
) -> list[dict[str, Any]]:
    label = {"sample": row.name, "estimator": f"hierarchical, {model.errors} errors"}
    try:
        own, altered = _altered(study, model, row)
        design = own.design(altered.spec(own.roles))
        priors = study.priors(model)
        known = next((fit for fit in beside if own.panel is study.panel and _same(fit, design, priors)), None)
        found = known or sample_until_passed(
            collapse(prepare(design), priors), priors, sampler, CURVE_DRAWS, with_units=False, start=start
        )
    except BayesNppError as error:
        return [_failed(p, label, error) for p in propositions]
    out = []
    for p in propositions:
        try:
            asked = contrasts([p], design)
        except BayesNppError as error:
            out.append(_failed(p, label, error))
            continue
        draws = asked.values(found.slopes)
        reason = "" if found.diagnostics.passed else SAMPLER_FAILED
        holds, inside = shares_of(p, draws[0], smallest.get(str(p)))
        numbers = drawn_numbers(draws[0], holds, [found.diagnostics])
        cell = {"estimate": numbers["mean"], **{name: numbers[name] for name in ("lo", "hi", "mcse")}}
        cell |= {"probability": holds, "within": inside}
        out.append({"proposition": str(p), **label, **cell, "reason": reason})
    return out


def _same(fit: Fit, design: Design, priors: PriorSet) -> bool:
    """Whether a fit is of a design on the same rows, and under the same priors."""
    return fit.spec == design.spec and fit.priors == priors


def _failed(proposition: Proposition, label: dict[str, str], error: BayesNppError) -> dict[str, Any]:
    blank = dict.fromkeys(NUMBERS, np.nan)
    return {"proposition": str(proposition), **label, **blank, "reason": error.problem}
