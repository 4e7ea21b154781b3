"""Bayesian models of a study: fitted, or taken from where an earlier run stored them."""

from dataclasses import dataclass
from pathlib import Path

from bayes_npp.bayesian.equations import declared_paths, equation_designs
from bayes_npp.bayesian.fit import Fit, choose_engine, fit_design, make_sampler, prepare, restore
from bayes_npp.bayesian.mediation import Mediation, assemble
from bayes_npp.bayesian.priors import PriorSet
from bayes_npp.bayesian.sample import Sampler
from bayes_npp.design import Design, build_design
from bayes_npp.errors import SpecError
from bayes_npp.records import content_hash
from bayes_npp.results import FitRecord
from bayes_npp.spec import HierarchicalModel, MediationModel
from bayes_npp.store import read_tree, versions, write_tree
from bayes_npp.study import Study

QUICK_DRAWS = 1000


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
    designs, n_dropped = equation_designs(study.panel, spec, mediators, paths, model.missing)
    for design in reversed(designs):
        prepare(design)  # what is not identified is found before anything is sampled
    equations, records = {}, []
    for number, design in enumerate(designs):
        outcome = design.spec.outcome
        name = f"{model.name}--{outcome}"
        equations[outcome], reused = _stored_or_fitted(study, model, name, design, number, settings)
        records.append(fit_record(name, equations[outcome], reused))
    seed = study.header.seed if settings.seed is None else settings.seed
    return assemble(spec, mediators, paths, equations, n_dropped, seed), tuple(records)


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
        raise SpecError(
            "the stored fit is missing, or made from other data, settings or versions",
            place=str(path),
            fix="Run the study again: bayes-npp run",
        )
    fit = fit_design(design, priors, sampler, engine)
    fit.tree.attrs["key"] = key
    if path is not None:
        write_tree(fit.tree, path)
    return fit, False


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
