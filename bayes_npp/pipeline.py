"""Run a study: check it, estimate every model, answer its claims, write the outputs whole."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from bayes_npp import __version__
from bayes_npp.analysis.companions import (
    comparisons,
    group_tests,
    replication,
    specification_tests,
    spread_table,
    twfe_weight_table,
)
from bayes_npp.analysis.descriptives import describe
from bayes_npp.analysis.differences import study_differences
from bayes_npp.analysis.estimation import estimate_model
from bayes_npp.analysis.event_time import event_times
from bayes_npp.analysis.influence import influence
from bayes_npp.analysis.kept_results import keep_results, kept_results
from bayes_npp.analysis.ladder import climb
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.measures import measure
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.readings import read_run
from bayes_npp.analysis.records import Estimated
from bayes_npp.analysis.robustness_rows import rerun_altered
from bayes_npp.analysis.settings import RunSettings, run_settings
from bayes_npp.analysis.stacking import ladder_accuracy
from bayes_npp.analysis.without_units import posterior_influence
from bayes_npp.claims.answer import answer_claims
from bayes_npp.claims.choices import every_choice
from bayes_npp.claims.confounding import claims_confounded
from bayes_npp.claims.exclusion import claims_under_exclusion
from bayes_npp.claims.explorer import explorable
from bayes_npp.claims.multiplicity import differences_adjusted
from bayes_npp.errors import BayesNppError, OutputError, SpecError, located
from bayes_npp.estimates import concat
from bayes_npp.reporting.base.catalogue import CHOICES, ENGLISH
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.csv_files import csv_frames
from bayes_npp.reporting.report import write_report
from bayes_npp.store import file_hash, read_sealed_json, remove_leftovers, write_sealed_json, write_text
from bayes_npp.study.checks import check_study
from bayes_npp.study.instruments import IvModel
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import GmmModel, HierarchicalModel
from bayes_npp.study.notices import study_notices
from bayes_npp.study.study import Study, load_study

NUMBERS = ("bayes_npp.analysis.estimation", "bayes_npp.claims.answer")  # and what they import: all that makes a number
MODELS = "models"  # beside the parts of a result that is kept: with the errors that ladders picked


def run_study(
    study: str | Path | Study,
    out: str | Path | None = None,
    quick: bool = False,
    seed: int | None = None,
    refit: bool = False,
    progress: Progress | Callable[[str], None] | None = None,
    stored_only: bool = False,
    language: str = ENGLISH,
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
    progress : Progress or callable, optional
        A callable gets a line before each step.
    stored_only : bool
        Never sample: raise if `out` does not hold the fit of this very data, specification and settings.
    language : str
        Of the report: "en", "zh", or "both" on one page.

    Raises
    ------
    BayesNppError
        Bad input (before anything is estimated), or an output that cannot be written.
    """
    if language not in CHOICES:
        raise SpecError(f"there is no report in '{language}'", fix=f"Choose one of {', '.join(CHOICES)}")
    study = study if isinstance(study, Study) else load_study(study)
    shown = progress if isinstance(progress, Progress) else Progress(progress) if progress else Progress()
    clock = Clock()
    settings_in = partial(run_settings, study, quick=quick, seed=seed, stored_only=stored_only, say=shown.say)
    kept = kept_result(study, settings_in(Path(out))) if stored_only and out is not None else None
    if kept is None:  # what is kept was made from the same, and checked
        check_study(study)
    for notice in study_notices(study):
        shown.say(f"warning: {notice}")
    folder = _output_folder(out)
    settings = settings_in(folder, refit=refit)
    result = kept or results(study, settings, shown, clock)
    if folder is not None:
        shown.say(f"writing {folder}")
        write_outputs(result, folder, language)
        told = {} if language == ENGLISH else {"language": language}
        made = _made_before(folder) if kept else {}
        content = manifest(result, clock.total(), folder) | made | {"settings": {"quick": quick, "seed": seed, **told}}
        write_sealed_json(folder / "manifest.json", content)
    return result


def kept_result(study: Study, settings: RunSettings) -> Result | None:
    """What a run of a study gave, as it kept it; None where that was made from something else, or the study is bad."""
    with suppress(BayesNppError):
        if (kept := kept_results(study, settings, __name__)) is not None:
            models = {model.name: model for model in kept.pop(MODELS)}
            return Result(study=study.with_models(models), out=settings.out, **kept)
    return None


def results(study: Study, settings: RunSettings, progress: Progress, clock: "Clock") -> Result:
    """What a study, which has been checked, gives; it is kept."""
    found = compute(study, settings, progress, clock)
    own = [one.name for one in fields(found) if one.init and one.name not in ("study", "out")]
    parts = {name: getattr(found, name) for name in own}
    keep_results(study, settings, __name__, {**parts, MODELS: found.study.models})
    return found


def compute(study: Study, settings: RunSettings, progress: Progress, clock: "Clock") -> Result:
    """Estimate every model of a study, and answer its claims."""
    declared = estimate_models(study, settings, progress, clock)
    study = study.with_models({own.model.name: own.model for own in declared if own.model is not None})
    robustness, altered = rerun_altered(study, settings, progress, clock.seconds)
    estimates = concat([*(one.table for own in declared for one in (own, *own.neighbours)), *altered])
    fits = tuple(own.fit for own in declared if own.fit is not None)
    beside = tuple(one.fit for own in declared for one in own.neighbours if one.fit is not None)
    ladders = tuple(own.ladder for own in declared if own.ladder is not None)
    with clock.of("measurement"):
        measurement = measure(study, ladders, settings, progress)
    with clock.of("claims"):
        ledger = answer_claims(study, estimates, ladders, [*fits, *beside], measurement, settings, progress)
    decided = influence(study)
    with clock.of("influence"):
        played = posterior_influence(study, decided, estimates, ladders, settings, progress)
    if played is not None:
        estimates = concat([estimates, *played.tables])
    with clock.of("event time"):
        moments = event_times(study, ladders, settings)
    with clock.of("confounding"):
        hidden = claims_confounded(study, ledger, ladders, settings)
    with clock.of("differences"):
        differences = study_differences(study, estimates, ladders)
    instrumented = tuple(own.instruments for own in declared if own.instruments is not None)
    mechanisms = tuple(own.mechanism for own in declared if own.mechanism is not None)
    reproduced = replication(study, estimates)
    return Result(
        study=study,
        estimates=estimates,
        fits=fits,
        ladder_fits=beside,
        ladders=ladders,
        comparisons=tuple(comparisons(study, estimates, ladders)),
        weights=twfe_weight_table(study),
        spreads=spread_table(study, ladders),
        gmm=_diagnostics(study, declared, GmmModel),
        instruments=_diagnostics(study, declared, IvModel),
        instrument_posteriors=instrumented,
        excluded=claims_under_exclusion(study, instrumented),
        accuracy=ladder_accuracy(ladders),
        readings=read_run(study, estimates, mechanisms, robustness, reproduced),
        descriptives=describe(study.panel, study.roles),
        mechanisms=mechanisms,
        specification=specification_tests(study),
        influence=decided,
        posterior_influence=played,
        robustness=robustness,
        equality=tuple(group_tests(study)),
        replication=reproduced,
        measurement=measurement,
        ledger=ledger,
        differences=differences,
        adjusted=differences_adjusted(ledger),
        confounding=hidden,
        event_time=moments,
        choices=every_choice(ledger, ladders, estimates),
        explored=explorable(study, ledger, ladders, settings),
        out=settings.out,
    )


def _diagnostics(study: Study, declared: list[Estimated], kind: type[ModelSpec]) -> dict[str, dict[str, Any]]:
    """Tests beside the estimates of every model of a kind, by its name."""
    pairs = zip(study.models, declared, strict=True)
    return {model.name: own.table.diagnostics for model, own in pairs if isinstance(model, kind)}


@dataclass
class Clock:
    """Wall seconds of a run by step."""

    started: float = field(default_factory=time.time)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Time what is inside."""
        begun = time.time()
        yield
        self.seconds[step] = round(time.time() - begun, 2)

    def total(self) -> dict[str, float]:
        """Seconds of every step, and of all."""
        return {**self.seconds, "total": round(time.time() - self.started, 2)}


def estimate_models(study: Study, settings: RunSettings, progress: Progress, clock: Clock) -> list[Estimated]:
    """Estimate every declared model, with its neighbours where it has a ladder or leaves its errors to one."""
    out = []
    for model in progress.track("models", study.models, lambda m: f"{m.name} ({m.kind.replace('_', ' ')})"):
        with located(f"model '{model.name}'"), clock.of(model.name):
            if isinstance(model, HierarchicalModel) and (model.has_ladder or model.leaves_errors):
                out.append(climb(study.sample, model, settings, progress))
            else:
                out.append(estimate_model(study.sample, model, settings))
    return out


def _output_folder(out: str | Path | None) -> Path | None:
    folder = None if out is None else Path(out)
    if folder is not None and folder.exists():
        if not folder.is_dir():
            raise OutputError("the output folder is a file", place=str(folder), fix="Choose another --out")
        remove_leftovers(folder)
    return folder


def rerender(
    folder: str | Path, progress: Progress | Callable[[str], None] | None = None, language: str | None = None
) -> Result:
    """Write report, tables and figures of an earlier run again, from its stored fits and its study file.

    The language is that of the run, unless another is given.

    Raises
    ------
    BayesNppError
        No manifest, no study file, or stored fits that do not belong to the study as it is now.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise SpecError("there is no run here", place=str(folder), fix="Give the --out folder of a run")
    try:
        content, _ = read_sealed_json(path)
        study, settings = Path(folder) / content["study_file"], content["settings"]
        quick, seed, before = settings["quick"], settings["seed"], settings.get("language", ENGLISH)
    except (OutputError, KeyError, TypeError):
        raise SpecError(
            "the manifest is damaged or altered", place=str(path), fix="Run the study again: bayes-npp run"
        ) from None
    own = language or before
    return run_study(study, folder, quick=quick, seed=seed, progress=progress, stored_only=True, language=own)


def language_of(folder: Path) -> str:
    """The language in which the report of a run was written last."""
    content, _ = read_sealed_json(folder / "manifest.json")
    return str(content["settings"].get("language", ENGLISH))


def write_outputs(result: Result, folder: Path, language: str = ENGLISH) -> None:
    """Write tables, figures and report; every file is replaced whole."""
    for name, frame in csv_frames(result).items():
        write_text(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    write_report(result, folder, language)


def _made_before(folder: Path) -> dict[str, Any]:
    """What the manifest of a run says of how it was made, which a report from what is kept does not change."""
    try:
        content, _ = read_sealed_json(folder / "manifest.json")
    except OutputError:
        return {}
    return {name: content[name] for name in ("wall_seconds", "fits_reused") if name in content}


def manifest(result: Result, walls: dict[str, float], folder: Path) -> dict[str, object]:
    """Hashes of data, specification and csv files, versions, seeds, scales and wall times."""
    study = result.study
    return {
        "study": study.name,
        "study_file": Path(os.path.relpath(study.path.resolve(), folder.resolve())).as_posix(),
        "data_sha256": file_hash(study.panel_path),
        "study_sha256": study.content_hash(),
        "seeds": {record.model: record.sampler.seed for record in result.fits},
        "samplers": {record.model: record.sampler.as_dict() for record in result.fits},
        "engines": {record.model: record.engine for record in result.fits},
        "priors_sha256": {record.model: record.priors.content_hash() for record in result.fits},
        "scales": study.scales.as_dict(),
        "versions": {"bayes-npp": __version__, **made_by(*NUMBERS)["version of"]},
        "wall_seconds": walls,
        "fits_reused": {record.model: record.reused for record in result.fits},
        "csv_sha256": {path.name: file_hash(path) for path in sorted(folder.glob("*.csv"))},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
