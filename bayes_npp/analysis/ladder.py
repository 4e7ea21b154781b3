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
from bayes_npp.bayesian.model.error_models import BASE, named, parts
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.errors import BayesNppError
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.sample import Sample

WITHOUT_FACTORS = ("iid", "ar1", "unit_scale", "ar1+unit_scale", "period_scale")
ERRORS = (
    *WITHOUT_FACTORS,
    *(
        factors if errors == BASE else f"{errors}+{factors}"
        for factors in ("factor", "factor2")
        for errors in WITHOUT_FACTORS
    ),
)
RULE = (
    "Error models are tried from the simplest on, whatever the model declares: independent errors of one scale, AR(1) "
    "errors within units, a scale for each unit, both, a scale for each period{factors}. The first that passes the "
    "posterior predictive checks that one of them can mend ({checks}) stands behind the verdicts; after "
    "it only richer ones are fitted, which have all its parts and more. If none passes, the one that fails fewest of "
    "these checks does (of several the one with most parts), and the verdicts say so."
)
AND_FACTORS = (
    "; then these five with one common factor on which each unit has its own loading (six periods or more), then with "
    "two (nine)"
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
    out = [_rung(model, "errors", errors, {"errors": errors}) for errors in errors_of(model)]
    if not any(rung.declared for rung in out):
        out.append(Rung("errors", model.errors, model, declared=True))
    out += [_rung(model, "slopes", label, changes) for label, changes in slopes.items()]
    out += [_rung(model, "units", kind, {"unit_effects": kind}) for kind in effects]
    out += [_rung(model, "periods", kind, {"time_effects": kind}) for kind in effects]
    return tuple(out)


def pooled(steps: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """The rungs that differ in pooling."""
    return tuple(rung for rung in steps if rung.part != "errors")


def errors_of(model: HierarchicalModel) -> tuple[str, ...]:
    """The error models that the ladder of a model tries, from the simplest on."""
    return ERRORS if model.ladder == "factors" else WITHOUT_FACTORS


def rule(ladder: tuple[str, ...]) -> str:
    """How the errors behind the verdicts are picked, in words."""
    factors = AND_FACTORS if set(ladder) - set(WITHOUT_FACTORS) else ""
    return RULE.format(factors=factors, checks=", ".join(decisive(ladder)))


def decisive(ladder: tuple[str, ...] = WITHOUT_FACTORS) -> tuple[str, ...]:
    """The posterior predictive checks that an error model of the ladder can mend."""
    return tuple(dict.fromkeys(check for errors in ladder for part in parts(errors) for check in part.mends))


def choose_errors(checks: Mapping[str, tuple[PredictiveCheck, ...]], ladder: tuple[str, ...] = WITHOUT_FACTORS) -> str:
    """The error model behind the verdicts, by `rule`, from the posterior predictive checks of those tried."""
    tried = [errors for errors in ladder if errors in checks]

    def rank(errors: str) -> tuple[int, int]:
        failed = sum(not check.passed for check in checks[errors] if check.name in decisive(ladder))
        return failed, -len(named(errors)) if failed else 0

    return min(tried, key=rank)


def richer(errors: str, than: str) -> bool:
    """Whether an error model has all parts of another, and more; two common factors are one and another."""
    have, needed = (set(named(one)) - {BASE} for one in (errors, than))
    have |= {"factor"} if "factor2" in have else set()
    needed |= {"factor"} if "factor2" in needed else set()
    return needed < have


def passes(checks: tuple[PredictiveCheck, ...], ladder: tuple[str, ...]) -> bool:
    """Whether every check passes that some rung of the ladder can mend."""
    return all(check.passed for check in checks if check.name in decisive(ladder))


def _rung(model: HierarchicalModel, part: str, label: str, changes: dict[str, Any]) -> Rung:
    content = model.model_dump()
    declared = set(named(model.errors)) == set(named(changes["errors"])) if part == "errors" else None
    if declared or (declared is None and all(content[key] == value for key, value in changes.items())):
        return Rung(part, label, model, declared=True)
    name = f"{model.name}--{part}-{label.replace('+', '-')}"
    # A unit's scale that may be next to nothing has a long tail, which takes more draws.
    long_tail = any(own.effects for own in parts(changes.get("errors", BASE)))
    draws = model.draws if long_tail else min(model.draws, MAX_DRAWS)
    return Rung(part, label, HierarchicalModel(**{**content, **changes, "name": name, "draws": draws}), declared=False)


def _exists(sample: Sample, model: HierarchicalModel) -> bool:
    """Whether a panel carries the errors of a rung: factors take periods enough, and period effects."""
    try:
        prepare(sample.design(model.spec(sample.roles)))
    except BayesNppError:
        return False
    return True


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
    steps, ladder = rungs(model), errors_of(model)
    records = {model.name: own}
    fitted = {model.name: fit_model(sample, model, settings.fitted_before())[0]}
    neighbours: list[Estimated] = []

    def fit(rung: Rung) -> None:
        name = rung.model.name
        fitted[name], reused = fit_model(sample, rung.model, settings)
        records[name] = fit_record(name, fitted[name], reused)
        neighbours.append(Estimated(fitted[name].estimates().named(settings.study, name), fit=records[name]))

    errors, first = {}, ""
    for rung in steps:
        if rung.part != "errors" or not _exists(sample, rung.model):
            continue
        if first and not richer(rung.label, first):
            continue
        if not rung.declared:
            progress.say(f"{model.name}: errors {rung.label}")
            fit(rung)
        errors[rung.label] = rung.model.name
        if not first and rung.label in ladder and passes(records[rung.model.name].predictive, ladder):
            first = rung.label
    own_label = next(rung.label for rung in steps if rung.part == "errors" and rung.declared)
    errors.setdefault(own_label, model.name)
    others = [rung for rung in pooled(steps) if not rung.declared]
    for rung in progress.track(f"neighbours of {model.name}", others, lambda rung: f"{rung.part} {rung.label}"):
        fit(rung)
    progress.say(f"{model.name}: how well each neighbour predicts what it has not seen")
    own_scores = {
        name: scores(fitted[name], (HOMOGENEITY, LOO), settings.path(name, ".scores.json"), settings.say)
        for name in errors.values()
    }
    choice = ErrorChoice(
        model=model.name,
        records={label: records[name] for label, name in errors.items()},
        homogeneity={label: own_scores[name][HOMOGENEITY] for label, name in errors.items()},
        scores={label: own_scores[name][LOO] for label, name in errors.items()},
        chosen=choose_errors({label: records[name].predictive for label, name in errors.items()}, ladder),
        rule=rule(ladder),
    )
    pooling = []
    for rung in pooled(steps):
        name = rung.model.name
        further = ("leave_one_unit_out", "leave_future_out") if rung.part in ("slopes", "units") else ()
        found = scores(fitted[name], ("leave_one_row_out", *further), settings.path(name, ".scores.json"), settings.say)
        pooling.append(PoolingRung(rung.part, rung.label, name, rung.declared, tuple(found.values())))
    return Ladder(model.name, choice, tuple(pooling)), neighbours
