"""Run a study: estimate every model, compare, write the outputs whole."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.analysis.companions import comparisons, group_tests, specification_tests, spread_table, twfe_weight_table
from bayes_npp.analysis.descriptives import describe
from bayes_npp.analysis.ladder import choose_errors, has_ladder, pooled, rungs
from bayes_npp.analysis.measures import measure, measurement_rows
from bayes_npp.analysis.readings import read_run
from bayes_npp.analysis.records import (
    ErrorChoice,
    FitRecord,
    Ladder,
    MeasurementRecord,
    Mechanism,
    PoolingRung,
    RobustnessRecord,
)
from bayes_npp.analysis.replication import replicate
from bayes_npp.analysis.scores import HOMOGENEITY, LOO, scores
from bayes_npp.analysis.stacking import ladder_accuracy
from bayes_npp.analysis.stored_fits import (
    QUICK_DRAWS,
    FitSettings,
    fit_mediation,
    fit_model,
    fit_record,
    missing_treatments,
)
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.mediation.confounding import crossings, obstacle, sensitivity
from bayes_npp.claims.answer import answer_claims
from bayes_npp.errors import BayesNppError, OutputError, SpecError
from bayes_npp.estimates import Estimates, concat, write_csv
from bayes_npp.frequentist.dynamic.gmm import estimate_gmm
from bayes_npp.frequentist.dynamic.within import dynamic_within
from bayes_npp.frequentist.least_squares.static import fixed_effects, pooled_ols, twfe
from bayes_npp.frequentist.mediation.mediation import mediation_paths
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.report import write_report
from bayes_npp.store import file_hash, versions, write_json, write_text, write_whole
from bayes_npp.study.models import (
    DynamicWithinModel,
    FrequentistModel,
    GmmModel,
    HierarchicalModel,
    MediationModel,
    MediationPathsModel,
    ModelSpec,
    dynamic_regressors,
)
from bayes_npp.study.study import Study, check_study, load_study

Progress = Callable[[str], None]


def run_study(
    study: str | Path | Study,
    out: str | Path | None = None,
    quick: bool = False,
    seed: int | None = None,
    refit: bool = False,
    progress: Progress = lambda line: None,
    stored_only: bool = False,
) -> Result:
    """Estimate every model of a study and, with `out`, write the report and its tables.

    Parameters
    ----------
    study : path or Study
    out : path, optional
        Folder of the outputs; each file is replaced whole, and nothing is touched if the input is bad.
    quick : bool
        Fewer posterior draws.
    seed : int, optional
        Overrides the study's.
    refit : bool
        Sample again even where `out` holds the same fit.
    progress : callable
        Called with a line before each step.
    stored_only : bool
        Never sample: raise if `out` does not hold the fit of this very data, specification and settings.

    Raises
    ------
    BayesNppError
        Bad input (before anything is estimated), or an output that cannot be written.
    """
    study = study if isinstance(study, Study) else load_study(study)
    started = time.time()
    check_study(study)
    folder = Path(out) if out is not None else None
    if folder is not None and folder.exists() and not folder.is_dir():
        raise OutputError("the output folder is a file", place=str(folder), fix="Choose another --out")
    tables: list[Estimates] = []
    records: list[FitRecord] = []
    neighbours: list[FitRecord] = []
    ladders: list[Ladder] = []
    gmm: dict[str, dict[str, Any]] = {}
    mechanisms: list[Mechanism] = []
    walls: dict[str, float] = {}
    settings = FitSettings(folder, quick, seed, refit, stored_only)
    for number, model in enumerate(study.models, start=1):
        begun = time.time()
        progress(f"[{number}/{len(study.models)}] {model.name} ({model.kind.replace('_', ' ')})")
        try:
            table, record = estimate_model(study, model, settings)
            tables.append(table)
            mechanisms += [record] if isinstance(record, Mechanism) else []
            records += [record] if isinstance(record, FitRecord) else []
            if isinstance(model, GmmModel):
                gmm[model.name] = table.diagnostics
            if isinstance(record, FitRecord) and isinstance(model, HierarchicalModel) and has_ladder(model):
                ladder, ladder_tables, fits = climb(study, model, record, settings, progress)
                ladders.append(ladder)
                tables += ladder_tables
                neighbours += fits
        except BayesNppError as error:
            raise error.at(f"model '{model.name}'") from None
        walls[model.name] = round(time.time() - begun, 2)
    robustness, altered_tables = rerun_altered(study, settings, progress, walls)
    estimates = concat([*tables, *altered_tables])
    measurement: tuple[MeasurementRecord, ...] = ()
    if study.measurement is not None:
        begun = time.time()
        progress("[measurement] variants of the index, drawn weights, other exposures")
        measurement = measure(study, ladders, settings)
        walls["measurement"] = round(time.time() - begun, 2)
    begun = time.time()
    ledger = answer_claims(study, estimates, ladders, [*records, *neighbours], measurement, settings, progress)
    walls["claims"] = round(time.time() - begun, 2)
    replication = _replication(study, estimates)
    result = Result(
        study=study,
        estimates=estimates,
        fits=tuple(records),
        ladder_fits=tuple(neighbours),
        ladders=tuple(ladders),
        comparisons=tuple(comparisons(study, estimates, ladders)),
        weights=twfe_weight_table(study),
        spreads=spread_table(study, ladders),
        gmm=gmm,
        accuracy=ladder_accuracy(ladders),
        readings=read_run(study, estimates, mechanisms, robustness, replication),
        descriptives=describe(study.panel, study.roles),
        mechanisms=tuple(mechanisms),
        specification=specification_tests(study),
        robustness=robustness,
        equality=tuple(group_tests(study)),
        replication=replication,
        measurement=measurement,
        ledger=ledger,
        out=folder,
    )
    if folder is not None:
        progress(f"writing {folder}")
        write_outputs(result, folder)
        walls["total"] = round(time.time() - started, 2)
        content = {**manifest(result, walls, folder), "settings": {"quick": quick, "seed": seed}}
        write_json(folder / "manifest.json", content)
    return result


def rerender(folder: str | Path, progress: Progress = lambda line: None) -> Result:
    """Write report, tables and figures of an earlier run again, from its stored fits and its study file.

    Raises
    ------
    BayesNppError
        No manifest, no study file, or stored fits that do not belong to the study as it is now.
    """
    path = Path(folder) / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        study, settings = Path(folder) / content["study_file"], content["settings"]
        quick, seed = settings["quick"], settings["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SpecError("there is no run here", place=str(folder), fix="Give the --out folder of a run") from None
    return run_study(study, folder, quick=quick, seed=seed, progress=progress, stored_only=True)


def estimate_model(
    study: Study, model: ModelSpec, settings: FitSettings
) -> tuple[Estimates, FitRecord | Mechanism | None]:
    """Estimate one model of a study; a Bayesian one comes with its record."""
    if isinstance(model, HierarchicalModel):
        fit, reused = fit_model(study, model, settings)
        return _named(fit.estimates(), study, model), fit_record(model.name, fit, reused)
    if isinstance(model, MediationModel):
        return mediate_model(study, model, settings)
    if isinstance(model, MediationPathsModel):
        return _named(path_model(study, model, settings), study, model), None
    return _named(frequentist_model(study, model), study, model), None


def mediate_model(study: Study, model: MediationModel, settings: FitSettings) -> tuple[Estimates, Mechanism]:
    """Estimate a mediation model and its sensitivity to confounding of mediators and outcome."""
    mediation, records = fit_mediation(study, model, settings)
    why_not = obstacle(mediation)
    mechanism = Mechanism(
        model=model.name,
        mediators=mediation.mediators,
        fits=records,
        curve=None if why_not else sensitivity(mediation),
        crossings=None if why_not else crossings(mediation),
        why_not=why_not.problem if why_not else "",
        missing=mediation.missing.note,
        treatments=missing_treatments(study, model, mediation, settings),
    )
    return _named(mediation.estimates(), study, model), mechanism


def path_model(study: Study, model: MediationPathsModel, settings: FitSettings) -> Estimates:
    """Estimate mediation paths by least squares; intervals that are drawn take the run's seed."""
    options = ("method", "effects", "covariance", "interval", "convention", "lags")
    return mediation_paths(
        study.panel,
        study.spec(model),
        study.mediators(model),
        **{name: getattr(model, name) for name in options},
        draws=min(model.draws, QUICK_DRAWS) if settings.quick else model.draws,
        seed=study.header.seed if settings.seed is None else settings.seed,
    )


def climb(
    study: Study, model: HierarchicalModel, own: FitRecord, settings: FitSettings, progress: Progress
) -> tuple[Ladder, list[Estimates], list[FitRecord]]:
    """Fit the neighbours of a declared model in error model and pooling, and choose the error model."""
    tables: list[Estimates] = []
    records = {model.name: own}
    fitted: dict[str, Fit] = {}
    steps = rungs(model)
    progress(f"      its neighbours: {', '.join(f'{rung.part} {rung.label}' for rung in steps if not rung.declared)}")
    for rung in steps:
        name = rung.model.name
        if name in fitted:
            continue
        fitted[name], reused = fit_model(study, rung.model, settings)
        if not rung.declared:
            records[name] = fit_record(name, fitted[name], reused)
            tables.append(_named(fitted[name].estimates(), study, rung.model))
    progress("      how well each predicts what it has not seen")
    errors = {rung.label: rung.model.name for rung in steps if rung.part == "errors"}
    chosen = choose_errors({label: records[name].predictive for label, name in errors.items()})
    own_scores = {
        name: scores(fitted[name], (HOMOGENEITY, LOO), settings.path(name, ".scores.json")) for name in errors.values()
    }
    choice = ErrorChoice(
        model=model.name,
        records={label: records[name] for label, name in errors.items()},
        homogeneity={label: own_scores[name][HOMOGENEITY] for label, name in errors.items()},
        scores={label: own_scores[name][LOO] for label, name in errors.items()},
        chosen=chosen,
    )
    pooling = []
    for rung in pooled(steps):
        name = rung.model.name
        further = ("leave_one_unit_out", "leave_future_out") if rung.part in ("slopes", "units") else ()
        found = scores(fitted[name], ("leave_one_row_out", *further), settings.path(name, ".scores.json"))
        pooling.append(PoolingRung(rung.part, rung.label, name, rung.declared, tuple(found.values())))
    others = [record for name, record in records.items() if name != model.name]
    return Ladder(model.name, choice, tuple(pooling)), tables, others


def rerun_altered(
    study: Study, settings: FitSettings, progress: Progress, walls: dict[str, float]
) -> tuple[tuple[RobustnessRecord, ...], list[Estimates]]:
    """Estimate every robustness row of the study; `walls` gets its seconds."""
    records, tables = [], []
    for declared, row, altered in study.altered():
        begun, name = time.time(), altered.model.name
        progress(f"[robustness] {name}")
        try:
            table, fit = estimate_model(study.on(altered), altered.model, settings)
        except BayesNppError as error:
            raise error.at(f"robustness '{row.name}' of '{declared}'") from None
        frame = table.frame
        sample, note = frame["sample"].replace("all", ""), frame["note"]
        left = "" if altered.sample == "all" else altered.sample
        texts = {
            "sample": [("; ".join(p for p in (own, left) if p)) or "all" for own in sample],
            "note": ["; ".join(p for p in (own, altered.changed) if p) for own in note],
        }
        tables.append(Estimates(frame.assign(**texts), table.diagnostics))
        record = fit if isinstance(fit, FitRecord) else None
        records.append(RobustnessRecord(declared, name, altered, row.note, record))
        walls[name] = round(time.time() - begun, 2)
    return tuple(records), tables


def _replication(study: Study, estimates: Estimates) -> pd.DataFrame | None:
    """The paper's numbers beside ours, where the data are its own."""
    header = study.header
    if not header.replicates or study.published is None:
        return None
    names = [model.name for model in study.models]
    return replicate(study.published, estimates.frame, names, header.tolerance_estimate, header.tolerance_se)


def _named(table: Estimates, study: Study, model: ModelSpec) -> Estimates:
    return Estimates(table.frame.assign(study=study.name, model=model.name), table.diagnostics)


def frequentist_model(study: Study, model: FrequentistModel | DynamicWithinModel | GmmModel) -> Estimates:
    """Estimate a frequentist model of a study."""
    panel, spec = study.panel, study.spec(model)
    options: dict[str, Any]
    if isinstance(model, GmmModel):
        options = {name: getattr(model, name) for name in ("steps", "windmeijer", "robust", "small", "h")}
        return estimate_gmm(panel, study.equations(model), **options)
    if isinstance(model, DynamicWithinModel):
        regressors = dynamic_regressors(model, study.roles)
        options = {"covariance": model.covariance, "convention": model.convention}
        return dynamic_within(panel, outcome=spec.outcome, regressors=regressors, **options)
    names = ("covariance", "convention", "lags", "cluster", "weights", "draws", "seed")
    options = {name: getattr(model, name) for name in names}
    match model.kind:
        case "pooled_ols":
            return pooled_ols(panel, spec, **options)
        case "fixed_effects":
            return fixed_effects(panel, spec, model.effects or "unit", **options)
        case _:
            return twfe(panel, spec, **options, subsamples=model.subsamples)


def write_outputs(result: Result, folder: Path) -> None:
    """Write tables, figures and report; every file is replaced whole."""
    weights = result.study.panel.index_weights
    write_whole(folder / "estimates.csv", lambda path: write_csv(result.estimates, path))
    frames = {"diagnostics": result.diagnostics, "weights": weights}
    sensitivity = [measurement_rows(result.measurement)] if result.measurement else []
    if result.ledger is not None:
        frames["claims"] = result.ledger.frame()
        sensitivity.append(result.ledger.sensitivity_rows())
    if sensitivity:
        frames["sensitivity"] = pd.concat(sensitivity, ignore_index=True)
    for name, frame in frames.items():
        write_text(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    write_report(result, folder)


def manifest(result: Result, walls: dict[str, float], folder: Path) -> dict[str, object]:
    """Hashes of data and specification, versions, seeds, scales and wall times."""
    study = result.study
    return {
        "study": study.name,
        "study_file": Path(os.path.relpath(study.path.resolve(), folder.resolve())).as_posix(),
        "data_sha256": file_hash(study.panel_path),
        "study_sha256": study.content_hash(),
        "seeds": {record.model: record.sampler.seed for record in result.fits},
        "samplers": {record.model: record.sampler.as_dict() for record in result.fits},
        "priors_sha256": {record.model: record.priors.content_hash() for record in result.fits},
        "scales": study.scales.as_dict(),
        "versions": versions(),
        "wall_seconds": walls,
        "fits_reused": {record.model: record.reused for record in result.fits},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
