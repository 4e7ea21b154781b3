"""The ladder of a hierarchical model: its neighbours in errors and in pooling, and the rule that picks the errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import ErrorChoice, Estimated, FitRecord, Ladder, PoolingRung
from bayes_npp.analysis.scores import HOMOGENEITY, LOO, scores
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model, fit_record
from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck
from bayes_npp.bayesian.model.error_models import BASE, parts
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.sample import Sample

ERRORS = ("iid", "ar1", "unit_scale", "ar1+unit_scale")
RULE = (
    "Error models are tried from the simplest on: independent errors of one scale, AR(1) errors within units, a scale "
    "for each unit, both. The first that passes the posterior predictive checks of serial correlation and of spread by "
    "unit stands behind the verdicts; if none passes, the last does, and the verdicts say so."
)
MAX_DRAWS = 1000


@dataclass(frozen=True)
class Rung:
    """One neighbour of a declared model.

    Attributes
    ----------
    part : "errors" | "slopes" | "units" | "periods"
        What differs from the declared model.
    label : str
    model : HierarchicalModel
    declared : bool
        The declared model itself.
    """

    part: str
    label: str
    model: HierarchicalModel
    declared: bool


def rungs(model: HierarchicalModel) -> tuple[Rung, ...]:
    """The neighbours of a model, the declared one in each part."""
    slopes: dict[str, dict[str, Any]] = {
        "complete": {"slopes": None, "varying": (), "slope_pooling": "sum_to_zero"},
        "partial": {},
        "none": {"slope_pooling": "none", "varying": ()},
    }
    effects = ("none", "partial", "fixed")
    out = [_rung(model, "errors", errors, {"errors": errors}) for errors in ERRORS]
    out += [_rung(model, "slopes", label, changes) for label, changes in slopes.items()]
    out += [_rung(model, "units", kind, {"unit_effects": kind}) for kind in effects]
    out += [_rung(model, "periods", kind, {"time_effects": kind}) for kind in effects]
    return tuple(out)


def pooled(steps: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """The rungs that differ in pooling."""
    return tuple(rung for rung in steps if rung.part != "errors")


def decisive(ladder: tuple[str, ...] = ERRORS) -> tuple[str, ...]:
    """The posterior predictive checks that an error model of the ladder can mend."""
    return tuple(dict.fromkeys(check for errors in ladder for part in parts(errors) for check in part.mends))


def choose_errors(checks: Mapping[str, tuple[PredictiveCheck, ...]]) -> str:
    """The error model behind the verdicts, by `RULE`, from the posterior predictive checks of each of `ERRORS`."""
    for errors in ERRORS:
        if all(check.passed for check in checks[errors] if check.name in decisive()):
            return errors
    return ERRORS[-1]


def _rung(model: HierarchicalModel, part: str, label: str, changes: dict[str, Any]) -> Rung:
    content = model.model_dump()
    if all(content[key] == value for key, value in changes.items()):
        return Rung(part, label, model, declared=True)
    name = f"{model.name}--{part}-{label.replace('+', '-')}"
    # A unit's scale that may be next to nothing has a long tail, which takes more draws.
    long_tail = any(own.effects for own in parts(changes.get("errors", BASE)))
    draws = model.draws if long_tail else min(model.draws, MAX_DRAWS)
    return Rung(part, label, HierarchicalModel(**{**content, **changes, "name": name, "draws": draws}), declared=False)


def behind_verdicts(model: HierarchicalModel, ladders: Sequence[Ladder]) -> HierarchicalModel:
    """The model behind the verdicts: the declared one with the errors that its ladder chose, or as it is."""
    ladder = next((ladder for ladder in ladders if ladder.model == model.name), None)
    if ladder is None:
        return model
    name = ladder.errors.record.model
    return next((rung.model for rung in rungs(model) if rung.model.name == name), model)


def climb(
    sample: Sample, model: HierarchicalModel, own: FitRecord, settings: RunSettings, progress: Progress
) -> tuple[Ladder, list[Estimated]]:
    """Fit the neighbours of a declared model in error model and pooling, and choose the error model.

    Returns
    -------
    Ladder
    list of Estimated
        The neighbours, in the order of the rungs.
    """
    steps = rungs(model)
    records = {model.name: own}
    fitted = {model.name: fit_model(sample, model, settings.fitted_before())[0]}
    neighbours: list[Estimated] = []
    others = [rung for rung in steps if not rung.declared]
    for rung in progress.track(f"neighbours of {model.name}", others, lambda rung: f"{rung.part} {rung.label}"):
        name = rung.model.name
        fitted[name], reused = fit_model(sample, rung.model, settings)
        records[name] = fit_record(name, fitted[name], reused)
        neighbours.append(Estimated(fitted[name].estimates().named(settings.study, name), fit=records[name]))
    progress.say(f"{model.name}: how well each neighbour predicts what it has not seen")
    errors = {rung.label: rung.model.name for rung in steps if rung.part == "errors"}
    own_scores = {
        name: scores(fitted[name], (HOMOGENEITY, LOO), settings.path(name, ".scores.json"), settings.say)
        for name in errors.values()
    }
    choice = ErrorChoice(
        model=model.name,
        records={label: records[name] for label, name in errors.items()},
        homogeneity={label: own_scores[name][HOMOGENEITY] for label, name in errors.items()},
        scores={label: own_scores[name][LOO] for label, name in errors.items()},
        chosen=choose_errors({label: records[name].predictive for label, name in errors.items()}),
    )
    pooling = []
    for rung in pooled(steps):
        name = rung.model.name
        further = ("leave_one_unit_out", "leave_future_out") if rung.part in ("slopes", "units") else ()
        found = scores(fitted[name], ("leave_one_row_out", *further), settings.path(name, ".scores.json"), settings.say)
        pooling.append(PoolingRung(rung.part, rung.label, name, rung.declared, tuple(found.values())))
    return Ladder(model.name, choice, tuple(pooling)), neighbours
