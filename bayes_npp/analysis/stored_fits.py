"""Bayesian models of a study: fitted, or taken from where an earlier run stored them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.analysis.records import FitRecord
from bayes_npp.bayesian.fitting.fit import Fit, choose_engine, fit_design, make_sampler, restore
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.mediation.joint_fit import TUNE, check_imputable, fit_jointly, on_observed_scales
from bayes_npp.bayesian.mediation.mediation import Mediation, assemble
from bayes_npp.bayesian.mediation.missing import Treated, missing_mediators, treat
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design, build_design
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.records import content_hash
from bayes_npp.store import read_tree, versions, write_tree
from bayes_npp.study.models import HierarchicalModel, MediationModel, declared_paths
from bayes_npp.study.study import Study

QUICK_DRAWS = 1000
MISSING_TREATMENTS: dict[str, dict[str, str]] = {
    "rows dropped": {"missing": "drop"},
    "interpolated inside": {"missing": "interpolate"},
    "extrapolated along a line": {"missing": "extrapolate"},
    "extrapolated, nearest year carried": {"missing": "extrapolate", "extrapolation": "carry"},
    "imputed": {"missing": "impute"},
}


@dataclass(frozen=True)
class FitSettings:
    """How Bayesian models are fitted in one run: where fits are stored, whether they may be sampled, with what seed."""

    folder: Path | None = None
    quick: bool = False
    seed: int | None = None
    refit: bool = False
    stored_only: bool = False

    def path(self, model: str, ending: str) -> Path | None:
        """Where something of a model's fit is stored."""
        return None if self.folder is None else self.folder / "fits" / f"{model}{ending}"

    def fitted_before(self) -> "FitSettings":
        """The same for models that this run has fitted already: a run that fits all anew fits each once."""
        return replace(self, refit=False)


def fit_model(study: Study, model: HierarchicalModel, settings: FitSettings) -> tuple[Fit, bool]:
    """Fit a hierarchical model; whether it was taken from storage."""
    design = build_design(study.panel, study.spec(model), study.scales)
    return _stored_or_fitted(study, model, model.name, design, 0, settings)


def fit_mediation(
    study: Study, model: MediationModel, settings: FitSettings
) -> tuple[Mediation, tuple[FitRecord, ...]]:
    """Fit every equation of a mediation model; stored as <model>--<what it explains>."""
    spec, mediators = study.spec(model), study.mediators(model)
    paths = declared_paths(model)
    treated = treated_equations(study, model)
    for design in reversed(treated.designs):
        prepare(design)  # what is not identified is found before anything is sampled
    equations: dict[str, Fit] = {}
    records: list[FitRecord] = []
    if treated.unknown:
        equations, reused = _stored_or_jointly_fitted(study, model, treated, settings)
        records = [fit_record(f"{model.name}--{name}", fit, reused) for name, fit in equations.items()]
    else:
        for number, design in enumerate(treated.designs):
            outcome = design.spec.outcome
            name = f"{model.name}--{outcome}"
            equations[outcome], reused = _stored_or_fitted(study, model, name, design, number, settings)
            records.append(fit_record(name, equations[outcome], reused))
    seed = study.header.seed if settings.seed is None else settings.seed
    return assemble(spec, mediators, paths, equations, treated.missing, seed), tuple(records)


def missing_treatments(
    study: Study, model: MediationModel, own: Mediation, settings: FitSettings
) -> pd.DataFrame | None:
    """Indirect effects under every treatment of mediators' missing cells; None where there are none, or by declaration.

    Equations have the errors of the model as declared, so that treatments differ in the cells alone.

    Returns
    -------
    DataFrame
        treatment, mediator, filled (cells), n_obs, estimate, lo, hi, prob_positive, passed (the samplers' diagnostics),
        why (no estimate: the reason).
    """
    wanting = missing_mediators(study.panel, own.mediators)
    if not wanting or not model.compare_missing or model.missing == "error":
        return None
    errors = own.equations[own.mediators[0]].spec.errors
    rows: list[dict[str, Any]] = []
    for label, options in MISSING_TREATMENTS.items():
        changes = {"extrapolation": "linear", "mediator_errors": errors, **options}
        slug = "_".join(options.values())
        variant = model.model_copy(update={**changes, "name": f"{model.name}.{slug}"})
        declared = all(getattr(model, name) == value for name, value in changes.items() if name != "mediator_errors")
        why = "" if declared else _why_not(study, variant)
        if why:
            rows += [{"treatment": label, "mediator": name, "why": why} for name in wanting]
            continue
        mediation = own if declared else fit_mediation(study, variant, settings)[0]
        found = mediation.estimates()
        for name in wanting:
            row = found.select(estimand="indirect", term=name, group="").iloc[0]
            numbers = {key: float(row[key]) for key in ("estimate", "lo", "hi", "prob_positive")}
            cells = {"filled": mediation.missing.filled.get(name, 0), "n_obs": mediation.design.n_obs}
            labels: dict[str, Any] = {"treatment": label, "mediator": name, "why": "", "passed": not mediation.failures}
            rows.append({**labels, **cells, **numbers})
    columns = ("treatment", "mediator", "filled", "n_obs", "estimate", "lo", "hi", "prob_positive", "passed", "why")
    return pd.DataFrame(rows, columns=list(columns))


def _why_not(study: Study, model: MediationModel) -> str:
    """Why a treatment of missing cells cannot be fitted; empty where it can."""
    try:
        treated = treated_equations(study, model)
        for design in treated.designs:
            prepare(design)
        if treated.unknown:
            check_imputable(treated.designs, treated.unknown, study.priors(model))
    except BayesNppError as error:
        return error.problem
    return ""


def treated_equations(study: Study, model: MediationModel) -> Treated:
    """Equations of a mediation model on a study's data, missing cells of mediators treated as declared."""
    spec, mediators = study.spec(model), study.mediators(model)
    declared = (model.missing, model.extrapolation, model.mediator_errors)
    return treat(study.panel, spec, mediators, declared_paths(model), *declared)


def mediation_sampler(study: Study, model: MediationModel, settings: FitSettings) -> Sampler:
    """Settings of a mediation's sampler where missing cells are imputed."""
    return make_sampler(
        "collapsed",
        min(model.draws, QUICK_DRAWS) if settings.quick else model.draws,
        model.chains,
        study.header.seed if settings.seed is None else settings.seed,
        TUNE if model.tune is None else model.tune,
    )


def _stored_or_jointly_fitted(
    study: Study, model: MediationModel, treated: Treated, settings: FitSettings
) -> tuple[dict[str, Fit], bool]:
    """Fit equations with the missing cells of mediators, or take all of them from storage."""
    priors, sampler = study.priors(model), mediation_sampler(study, model, settings)
    unknown = {name: rows.tolist() for name, rows in treated.unknown.items()}
    keys = [_fit_key(design, priors, sampler, "gibbs") for design in treated.designs]
    key = content_hash({"equations": keys, "unknown": unknown})
    names = [design.spec.outcome for design in treated.designs]
    paths = [settings.path(f"{model.name}--{name}", ".nc") for name in names]
    if not settings.refit and all(path is not None and path.is_file() for path in paths):
        trees = [read_tree(path) for path in paths if path is not None]
        if all(tree.attrs.get("key") == key for tree in trees):
            designs = on_observed_scales(treated.designs, treated.unknown)
            restored = [restore(tree, one, priors, sampler) for tree, one in zip(trees, designs, strict=True)]
            return dict(zip(names, restored, strict=True)), True
    if settings.stored_only:
        raise _not_stored(paths[0])
    fits = fit_jointly(treated.designs, treated.unknown, priors, sampler)
    for fit, path in zip(fits.values(), paths, strict=True):
        fit.tree.attrs["key"] = key
        if path is not None:
            write_tree(fit.tree, path)
    return fits, False


def _stored_or_fitted(
    study: Study,
    model: HierarchicalModel | MediationModel,
    name: str,
    design: Design,
    number: int,
    settings: FitSettings,
) -> tuple[Fit, bool]:
    """Fit a design, or take the stored fit made from the same data, specification, settings and versions."""
    priors = study.priors(model)
    engine = choose_engine(design.spec, model.engine if isinstance(model, HierarchicalModel) else "auto")
    sampler = make_sampler(
        engine,
        min(model.draws, QUICK_DRAWS) if settings.quick else model.draws,
        model.chains,
        (study.header.seed if settings.seed is None else settings.seed) + number,
        model.tune,
        model.target_accept,
    )
    key = _fit_key(design, priors, sampler, engine)
    path = settings.path(name, ".nc")
    if path is not None and path.is_file() and not settings.refit:
        tree = read_tree(path)
        if tree.attrs.get("key") == key:
            return restore(tree, design, priors, sampler), True
    if settings.stored_only:
        raise _not_stored(path)
    fit = fit_design(design, priors, sampler, engine)
    fit.tree.attrs["key"] = key
    if path is not None:
        write_tree(fit.tree, path)
    return fit, False


def _not_stored(path: Path | None) -> SpecError:
    return SpecError(
        "the stored fit is missing, or made from other data, settings or versions",
        place=str(path),
        fix="Run the study again: bayes-npp run",
    )


def _fit_key(design: Design, priors: PriorSet, sampler: Sampler, engine: str) -> str:
    """Hash of everything a fit is made from: a stored one is taken only if all of it is the same."""
    arrays = ("outcome", "exposure", "controls", "unit", "time", "group", "group_time", "se", "lag", "initial")
    values = [(name, getattr(design, name)) for name in arrays]
    return content_hash(
        {
            "data": [[name, None if value is None else value.tolist()] for name, value in values],
            "labels": [list(design.units), list(design.times), list(design.groups), list(design.group_times)],
            "spec": design.spec.content_hash(),
            "priors": priors.content_hash(),
            "sampler": sampler.as_dict(),
            "engine": engine,
            "scales": design.scales.as_dict(),
            "versions": versions(),
        }
    )


def fit_record(model: str, fit: Fit, reused: bool) -> FitRecord:
    """What the report says of a fit."""
    return FitRecord(
        model=model,
        priors=fit.priors,
        sampler=fit.sampler,
        diagnostics=fit.diagnostics,
        predictive=fit.predictive_checks(),
        saturated=tuple(name for name, effect in fit.data.effects.items() if effect.saturated),
        between=tuple((name, e.rank, e.size - 1) for name, e in fit.data.effects.items() if e.rank),
        reused=reused,
    )
