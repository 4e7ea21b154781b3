"""Bayesian models of a study: fitted, or taken from where an earlier run stored them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.analysis.cache import Form, key_of, not_stored, recalled, stamp
from bayes_npp.analysis.latent_parts import error_scales, factor_rows
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.records import FitRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.bayesian.fitting.error_ladder import Checks, carried, climb_errors
from bayes_npp.bayesian.fitting.fit import Fit, choose_engine, fit_design, make_sampler, restore
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.mediation.joint_fit import TUNE, check_imputable, fit_jointly, on_observed_scales
from bayes_npp.bayesian.mediation.mediation import Mediation, assemble
from bayes_npp.bayesian.mediation.missing import Treated, design_with_errors, missing_mediators
from bayes_npp.bayesian.model.error_models import BASE
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design
from bayes_npp.errors import BayesNppError, ImportanceError, SpecError
from bayes_npp.store import read_tree, write_tree
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.sample import Sample

MISSING_TREATMENTS: dict[str, dict[str, str]] = {
    "rows dropped": {"missing": "drop"},
    "interpolated inside": {"missing": "interpolate"},
    "extrapolated along a line": {"missing": "extrapolate"},
    "extrapolated, nearest year carried": {"missing": "extrapolate", "extrapolation": "carry"},
    "imputed": {"missing": "impute"},
}


def fit_model(sample: Sample, model: HierarchicalModel, settings: RunSettings) -> tuple[Fit, bool]:
    """Fit a hierarchical model; whether it was taken from storage."""
    return _stored_or_fitted(model, model.name, sample.design(model.spec(sample.roles)), 0, settings)


def fit_mediation(
    sample: Sample, model: MediationModel, settings: RunSettings
) -> tuple[Mediation, tuple[FitRecord, ...]]:
    """Fit every equation of a mediation model with named errors; stored as <model>--<what it explains>."""
    treated = model.treated(sample)
    for design in reversed(treated.designs):
        prepare(design)  # what is not identified is found before anything is sampled
    equations: dict[str, Fit] = {}
    records: list[FitRecord] = []
    if treated.unknown:
        equations, reused = _stored_or_jointly_fitted(model, treated, settings)
        records = [fit_record(f"{model.name}--{name}", fit, reused) for name, fit in equations.items()]
    else:
        for number, design in enumerate(treated.designs):
            outcome = design.spec.outcome
            name = f"{model.name}--{outcome}"
            equations[outcome], reused = _stored_or_fitted(model, name, design, number, settings)
            records.append(fit_record(name, equations[outcome], reused))
    spec, mediators = model.spec(sample.roles), model.own_mediators(sample.roles)
    return assemble(spec, mediators, model.paths, equations, treated.missing, settings.seed), tuple(records)


def climb_mediation(
    sample: Sample, model: MediationModel, settings: RunSettings
) -> tuple[MediationModel, tuple[FitRecord, ...]]:
    """The model with the errors that the ladder of each equation picks, and the records of every rung tried.

    Rungs are stored as <model>--<what it explains>--errors-<rung>, those picked as equations of the model too. With
    `mediator_errors` the outcome's equation alone climbs.
    """
    simplest = model.with_errors(BASE)
    treated = simplest.treated(sample)
    if treated.unknown:
        raise SpecError("errors = 'auto' does not combine with missing = 'impute'", fix="Name the errors")
    own: dict[str, str] = {}
    records: list[FitRecord] = []
    for number, design in enumerate(treated.designs):
        outcome = design.spec.outcome
        if design is not treated.designs[-1] and model.mediator_errors is not None:
            continue

        def fit(errors: str, design: Design = design, number: int = number) -> tuple[Fit, Checks] | None:
            rung = carried(lambda: design_with_errors(design, errors), errors)
            if rung is None:
                return None
            settings.say(f"{model.name}: errors {errors} of {design.spec.outcome}")
            label = f"{model.name}--{design.spec.outcome}--errors-{errors.replace('+', '-')}"
            found, stored = _stored_or_fitted(model, label, rung, number, settings)
            records.append(fit_record(label, found, stored))
            return found, found.checks

        climbed = climb_errors(model.rungs, fit, sampled=lambda one: one.diagnostics.passed)
        chosen = next(rung for rung in climbed if rung.chosen)
        keep_as(f"{model.name}--{outcome}", chosen.fit, settings)
        own[outcome] = chosen.errors
    errors = own.pop(treated.designs[-1].spec.outcome)
    mediators = model.mediator_errors if own == {} else tuple(own.items())
    return model.model_copy(update={"errors": errors, "mediator_errors": mediators}), tuple(records)


def missing_treatments(
    sample: Sample, model: MediationModel, own: Mediation, settings: RunSettings
) -> pd.DataFrame | None:
    """Indirect effects under every treatment of mediators' missing cells; None where there are none, or by declaration.

    Equations have the errors of the model as declared, so that treatments differ in the cells alone.

    Returns
    -------
    DataFrame
        treatment, mediator, filled (cells), n_obs, estimate, lo, hi, prob_positive, passed (the samplers' diagnostics),
        why (no estimate: the reason).
    """
    wanting = missing_mediators(sample.panel, own.mediators)
    if not wanting or not model.compare_missing or model.missing == "error":
        return None
    errors = tuple((name, own.equations[name].spec.errors) for name in own.mediators)
    rows: list[dict[str, Any]] = []
    for label, options in MISSING_TREATMENTS.items():
        changes = {"extrapolation": "linear", "mediator_errors": errors, **options}
        slug = "_".join(options.values())
        variant = model.model_copy(update={**changes, "name": f"{model.name}.{slug}"})
        declared = all(getattr(model, name) == value for name, value in changes.items() if name != "mediator_errors")
        why = "" if declared else _why_not(sample, variant, settings)
        if why:
            rows += [{"treatment": label, "mediator": name, "why": why} for name in wanting]
            continue
        mediation = own if declared else fit_mediation(sample, variant, settings)[0]
        found = mediation.estimates()
        for name in wanting:
            row = found.select(estimand="indirect", term=name, group="").iloc[0]
            numbers = {key: float(row[key]) for key in ("estimate", "lo", "hi", "prob_positive")}
            cells = {"filled": mediation.missing.filled.get(name, 0), "n_obs": mediation.design.n_obs}
            labels: dict[str, Any] = {"treatment": label, "mediator": name, "why": "", "passed": not mediation.failures}
            rows.append({**labels, **cells, **numbers})
    columns = ("treatment", "mediator", "filled", "n_obs", "estimate", "lo", "hi", "prob_positive", "passed", "why")
    return pd.DataFrame(rows, columns=list(columns))


def _why_not(sample: Sample, model: MediationModel, settings: RunSettings) -> str:
    """Why a treatment of missing cells cannot be fitted; empty where it can."""
    try:
        treated = model.treated(sample)
        for design in treated.designs:
            prepare(design)
        if treated.unknown:
            check_imputable(treated.designs, treated.unknown, settings.priors(model))
    except BayesNppError as error:
        return error.problem
    return ""


def _stored_or_jointly_fitted(
    model: MediationModel, treated: Treated, settings: RunSettings
) -> tuple[dict[str, Fit], bool]:
    """Fit equations with the missing cells of mediators, or take all of them from storage."""
    priors = settings.priors(model)
    tune = TUNE if model.tune is None else model.tune
    sampler = make_sampler("collapsed", settings.draws(model.draws), model.chains, settings.seed, tune)
    unknown = {name: rows.tolist() for name, rows in treated.unknown.items()}
    equations = [_made_from(design, priors, sampler, "gibbs") for design in treated.designs]
    made_from = {
        "equations": [{name: own[name] for name in ("data", "labels", "specification")} for own in equations],
        "missing cells": unknown,
        **{name: equations[0][name] for name in ("priors", "sampler", "engine")},
        "scales": [own["scales"] for own in equations],
        **made_by("bayes_npp.bayesian.mediation.joint_fit"),
    }
    names = [design.spec.outcome for design in treated.designs]
    paths = [settings.path(f"{model.name}--{name}", ".nc") for name in names]
    if not settings.refit:
        designs = on_observed_scales(treated.designs, treated.unknown)
        forms = [_form(design, priors, sampler) for design in designs]
        found = [recalled(path, made_from, form, settings.say) for path, form in zip(paths, forms, strict=True)]
        whole = [fit for fit in found if fit is not None]
        if len(whole) == len(names):
            return dict(zip(names, whole, strict=True)), True
    if settings.stored_only:
        raise not_stored("fit is", paths[0])
    fits = fit_jointly(treated.designs, treated.unknown, priors, sampler)
    for fit, path in zip(fits.values(), paths, strict=True):
        _keep(fit, made_from, path)
    return fits, False


def _stored_or_fitted(
    model: BayesianModel, name: str, design: Design, number: int, settings: RunSettings
) -> tuple[Fit, bool]:
    """Fit a design, or take the stored fit made from the same data, specification, settings and versions."""
    priors = settings.priors(model)
    engine = choose_engine(design.spec, model.engine if isinstance(model, HierarchicalModel) else "auto")
    sampler = make_sampler(
        engine,
        settings.draws(model.draws),
        model.chains,
        settings.seed + number,
        model.tune,
        model.target_accept,
    )
    made_from = {**_made_from(design, priors, sampler, engine), **made_by("bayes_npp.bayesian.fitting.fit")}
    path = settings.path(name, ".nc")
    if not settings.refit:
        kept = recalled(path, made_from, _form(design, priors, sampler), settings.say)
        if kept is not None:
            return kept, True
    if settings.stored_only:
        raise not_stored("fit is", path)
    try:
        fit = fit_design(design, priors, sampler, engine)
    except ImportanceError as error:  # to a script a message; in a study a chain, so that the other fits go on
        fit = replace(fit_design(design, priors, sampler, "collapsed"), why=error.problem)
        fit.tree.attrs["why"] = error.problem  # goes with it into its file
    _keep(fit, made_from, path)
    return fit, False


def _made_from(design: Design, priors: PriorSet, sampler: Sampler, engine: str) -> dict[str, Any]:
    """Everything a fit is made from beside code: a stored one is taken only if all of it is the same."""
    arrays = ("outcome", "exposure", "controls", "unit", "time", "group", "group_time", "se", "lag", "initial")
    values = [(name, getattr(design, name)) for name in arrays]
    return {
        "data": [[name, None if value is None else value.tolist()] for name, value in values],
        "labels": [list(design.units), list(design.times), list(design.groups), list(design.group_times)],
        "specification": design.spec.content_hash(),
        "priors": priors.content_hash(),
        "sampler": sampler.as_dict(),
        "engine": engine,
        "scales": design.scales.as_dict(),
    }


def _form(design: Design, priors: PriorSet, sampler: Sampler) -> Form[Fit]:
    """How the fit of a design lies in a file."""

    def read(path: Path) -> tuple[dict[str, Any], str, Callable[[], Fit]]:
        tree = read_tree(path)
        made_from = json.loads(tree.attrs.get("made_from", "{}"))
        made = Sampler(**json.loads(tree.attrs["sampler"])) if "sampler" in tree.attrs else sampler
        return made_from, tree.attrs["content"], lambda: restore(tree, design, priors, made)

    return Form(lambda path, made_from, fit: write_tree(fit.tree, path), read)


def _keep(fit: Fit, made_from: dict[str, Any], path: Path | None) -> None:
    """Mark a fit with what it was made from, and store it."""
    fit.tree.attrs |= {"key": key_of(made_from), "made_from": json.dumps(stamp(made_from))}
    if path is not None:
        write_tree(fit.tree, path)


def keep_as(name: str, fit: Fit, settings: RunSettings) -> None:
    """Store a fit under another name too."""
    if (path := settings.path(name, ".nc")) is not None:
        write_tree(fit.tree, path)


def fit_record(model: str, fit: Fit, reused: bool) -> FitRecord:
    """What the report says of a fit."""
    return FitRecord(
        model=model,
        priors=fit.priors,
        sampler=fit.sampler,
        diagnostics=fit.diagnostics,
        predictive=fit.checks,
        saturated=tuple(name for name, effect in fit.data.effects.items() if effect.saturated),
        between=tuple((name, e.rank, e.size - 1) for name, e in fit.data.effects.items() if e.rank),
        reused=reused,
        outcome=fit.spec.outcome,
        scales=fit.design.scales,
        engine=fit.engine,
        why=fit.why,
        error_scales=error_scales(fit),
        factors=factor_rows(model, fit),
    )
