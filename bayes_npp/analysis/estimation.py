"""How each kind of model is estimated: one row of `ESTIMATORS` a kind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bayes_npp.analysis.ladder import climb
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import Estimated, FitRecord, Mechanism
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import climb_mediation, fit_mediation, fit_model, fit_record, missing_treatments
from bayes_npp.analysis.stored_instruments import fit_instruments, instrument_fit_record, instrument_record
from bayes_npp.bayesian.mediation.confounding import crossings, obstacle, sensitivity
from bayes_npp.frequentist.dynamic.gmm import estimate_gmm
from bayes_npp.frequentist.dynamic.within import dynamic_within
from bayes_npp.frequentist.factors.cce import cce_estimates
from bayes_npp.frequentist.factors.interactive import interactive_estimates
from bayes_npp.frequentist.instruments.iv import iv_estimates
from bayes_npp.frequentist.least_squares.static import Errors, static_estimates, subsample_estimates
from bayes_npp.frequentist.mediation.mediation import Options, path_estimates
from bayes_npp.study.instruments import HierarchicalIvModel, IvModel
from bayes_npp.study.mediation_paths import MediationPathsModel
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import (
    CceModel,
    DynamicWithinModel,
    FrequentistModel,
    GmmModel,
    HierarchicalModel,
    InteractiveModel,
    MediationModel,
)
from bayes_npp.study.sample import Sample

STATIC_OPTIONS = ("covariance", "convention", "lags", "cluster", "weights", "draws", "seed")
GMM_OPTIONS = ("steps", "windmeijer", "robust", "small", "h")
PATH_OPTIONS = ("method", "effects", "covariance", "interval", "convention", "lags", "cluster")


def estimate_model(sample: Sample, model: ModelSpec, settings: RunSettings) -> Estimated:
    """Estimate one model on a sample; its rows bear the names of study and model."""
    found = ESTIMATORS[model.kind](sample, model, settings)
    return replace(found, table=found.table.named(settings.study, model.name))


def _static(sample: Sample, model: FrequentistModel, settings: RunSettings) -> Estimated:
    errors, source = Errors(**_options(model, STATIC_OPTIONS)), sample.panel.source
    if model.subsamples:
        return Estimated(subsample_estimates(model.subsample_designs(sample), model.subsamples, errors, source))
    return Estimated(static_estimates(model.design(sample), model.absorbed_effects, errors, source))


def _interactive_fe(sample: Sample, model: InteractiveModel, settings: RunSettings) -> Estimated:
    options = _options(model, ("factors", "covariance", "convention", "seed"))
    design = sample.design(model.spec(sample.roles))
    return Estimated(interactive_estimates(design, **options, source=sample.panel.source))


def _cce(sample: Sample, model: CceModel, settings: RunSettings) -> Estimated:
    options = _options(model, ("averages", "pooled", "covariance", "convention"))
    return Estimated(cce_estimates(sample.design(model.spec(sample.roles)), **options, source=sample.panel.source))


def _iv(sample: Sample, model: IvModel, settings: RunSettings) -> Estimated:
    options = _options(model, ("method", "covariance", "convention"))
    return Estimated(iv_estimates(model.equation(sample), **options, source=sample.panel.source))


def _iv_hierarchical(sample: Sample, model: HierarchicalIvModel, settings: RunSettings) -> Estimated:
    fit, reused = fit_instruments(sample, model, settings)
    record = instrument_fit_record(model.name, fit, reused)
    return Estimated(fit.estimates(), fit=record, instruments=instrument_record(model.name, fit))


def _dynamic_within(sample: Sample, model: DynamicWithinModel, settings: RunSettings) -> Estimated:
    outcome, regressors = sample.roles.outcome, model.regressors(sample.roles)
    options = _options(model, ("covariance", "convention"))
    return Estimated(dynamic_within(sample.panel, outcome=outcome, regressors=regressors, **options))


def _gmm(sample: Sample, model: GmmModel, settings: RunSettings) -> Estimated:
    return Estimated(estimate_gmm(sample.panel, model.equations(sample.roles), **_options(model, GMM_OPTIONS)))


def _mediation_paths(sample: Sample, model: MediationPathsModel, settings: RunSettings) -> Estimated:
    options = Options(**_options(model, PATH_OPTIONS), draws=settings.draws(model.draws), seed=settings.seed)
    return Estimated(path_estimates(model.equations(sample), options, sample.panel.source))


def _hierarchical(sample: Sample, model: HierarchicalModel, settings: RunSettings) -> Estimated:
    if model.leaves_errors:
        return climb(sample, model.model_copy(update={"ladder": False}), settings, Progress(settings.say))
    fit, reused = fit_model(sample, model, settings)
    return Estimated(fit.estimates(), fit=fit_record(model.name, fit, reused))


def _mediation(sample: Sample, model: MediationModel, settings: RunSettings) -> Estimated:
    """Every equation, and the sensitivity to confounding of mediators and outcome."""
    tried: tuple[FitRecord, ...] = ()
    if model.leaves_errors:
        model, tried = climb_mediation(sample, model, settings)
        settings = settings.fitted_before()
    mediation, records = fit_mediation(sample, model, settings)
    why_not = obstacle(mediation)
    mechanism = Mechanism(
        model=model.name,
        mediators=mediation.mediators,
        fits=records,
        tried=tried,
        curve=None if why_not else sensitivity(mediation),
        crossings=None if why_not else crossings(mediation),
        why_not=why_not.problem if why_not else "",
        missing=mediation.missing.cells,
        treatments=missing_treatments(sample, model, mediation, settings),
    )
    return Estimated(mediation.estimates(), mechanism=mechanism, model=model)


def _options(model: ModelSpec, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(model, name) for name in names}


# A kind's record is in `study.models.MODEL_RECORDS` under the same name.
ESTIMATORS: dict[str, Callable[[Sample, Any, RunSettings], Estimated]] = {
    "pooled_ols": _static,
    "fixed_effects": _static,
    "twfe": _static,
    "interactive_fe": _interactive_fe,
    "cce": _cce,
    "iv": _iv,
    "iv_hierarchical": _iv_hierarchical,
    "dynamic_within": _dynamic_within,
    "difference_gmm": _gmm,
    "system_gmm": _gmm,
    "hierarchical": _hierarchical,
    "mediation": _mediation,
    "mediation_paths": _mediation_paths,
}
