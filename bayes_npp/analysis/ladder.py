"""The ladder of a hierarchical model: its neighbours in errors and in pooling, fitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import ErrorChoice, Estimated, FitRecord, Ladder, PoolingRung
from bayes_npp.analysis.scores import HOMOGENEITY, LOO, UNIT_OUT, scores
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model, fit_record, keep_as
from bayes_npp.bayesian.collapsed.collapsed import why_not_collapsible
from bayes_npp.bayesian.fitting.diagnostics import Check, Diagnostics
from bayes_npp.bayesian.fitting.error_ladder import Checks, ErrorRung, carried, climb_errors, decisive, rule
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.model.error_models import BASE, factors_of, named, parts
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.errors import BayesNppError
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.sample import Sample

MAX_DRAWS = 1000
# Of rungs with factors or scales of periods, whose gradients cost most: a quarter of the draws, so many at least.
QUARTER, FEWEST, TUNE = 4, 500, 300
COLLAPSED = ("importance", "collapsed")  # engines that fit no rung of the full model's alone
CLEAR = 0.005  # tail probability of a check that fails whatever the Monte Carlo error of so few draws


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


def error_rungs(model: HierarchicalModel) -> tuple[Rung, ...]:
    """The neighbours of a model in errors, from the simplest on; declared ones that are no rung come last."""
    out = [_rung(model, "errors", errors, {"errors": errors}) for errors in model.rungs]
    if not model.leaves_errors and not any(rung.declared for rung in out):
        out.append(Rung("errors", model.errors, model, declared=True))
    return tuple(out)


def pooling_rungs(model: HierarchicalModel) -> tuple[Rung, ...]:
    """The neighbours of a model in pooling, itself among those of each part."""
    slopes: dict[str, dict[str, Any]] = {
        "complete": {"slopes": None, "varying": (), "slope_pooling": "sum_to_zero"},
        "partial": {},
        "none": {"slope_pooling": "none", "varying": ()},
    }
    effects = ("none", "partial", "fixed")
    out = [_rung(model, "slopes", label, changes) for label, changes in slopes.items()]
    out += [_rung(model, "units", kind, {"unit_effects": kind}) for kind in effects]
    out += [_rung(model, "periods", kind, {"time_effects": kind}) for kind in effects]
    return tuple(out)


def _rung(model: HierarchicalModel, part: str, label: str, changes: dict[str, Any]) -> Rung:
    content = model.model_dump()
    declared = set(named(model.errors)) == set(named(changes["errors"])) if part == "errors" else None
    if declared or (declared is None and all(content[key] == value for key, value in changes.items())):
        return Rung(part, label, model, declared=True)
    name = f"{model.name}--{part}-{label.replace('+', '-')}"
    # A unit's scale that may be next to nothing has a long tail, which takes more draws.
    long_tail = any(own.effects for own in parts(changes.get("errors", BASE)))
    made = {"draws": model.draws if long_tail or model.leaves_errors else min(model.draws, MAX_DRAWS)}
    own = changes.get("errors", BASE)
    if not model.leaves_errors and (factors_of(own) or "period_scale" in named(own)):
        made = {"draws": min(model.draws, max(FEWEST, model.draws // QUARTER)), "tune": model.tune or TUNE}
    return Rung(part, label, HierarchicalModel(**{**content, **changes, "name": name, **made}), declared=False)


def behind_verdicts(model: HierarchicalModel, ladders: Sequence[Ladder]) -> HierarchicalModel:
    """The model behind the verdicts: the declared one with the errors that its ladder chose, or as it is."""
    ladder = next((ladder for ladder in ladders if ladder.model == model.name), None)
    if ladder is None:
        return model
    if ladder.errors.chosen in ladder.errors.models:  # with the draws that it took
        return ladder.errors.models[ladder.errors.chosen]
    name = ladder.errors.record.model
    return next((rung.model for rung in error_rungs(model) if rung.model.name == name), model)


@dataclass(frozen=True)
class Fitted:
    """A model and its fit."""

    model: HierarchicalModel
    fit: Fit
    record: FitRecord

    def estimated(self, settings: RunSettings) -> Estimated:
        name = self.model.name
        return Estimated(self.fit.estimates().named(settings.study, name), fit=self.record)


def fitted_model(sample: Sample, model: HierarchicalModel, settings: RunSettings) -> Fitted:
    """Fit a model, or take it from storage; with what the report says of it."""
    fit, reused = fit_model(sample, model, settings)
    return Fitted(model, fit, fit_record(model.name, fit, reused))


def _climbed(
    sample: Sample,
    model: HierarchicalModel,
    own: Fitted | None,
    settings: RunSettings,
    progress: Progress,
    beyond: bool = True,
) -> tuple[ErrorRung[Fitted], ...]:
    """The rungs of a model in errors up to the first that passes, and those beyond it; its own fit among them."""
    steps = {rung.label: rung for rung in error_rungs(model)}

    def fit(errors: str) -> tuple[Fitted, Checks] | None:
        rung = steps[errors]
        spec = rung.model.spec(sample.roles)
        if model.engine in COLLAPSED and why_not_collapsible(spec):
            return None
        if carried(lambda: sample.design(spec), errors) is None:
            return None
        if rung.declared and own is not None:
            return own, own.record.predictive
        progress.say(f"{model.name}: errors {errors}")
        longer = rung.model.model_copy(update={"draws": model.draws, "tune": model.tune})
        found = _stored(sample, longer, settings) or fitted_model(sample, rung.model, settings)
        sampled = found.record.diagnostics.passed or ruled_out(found.record.predictive, model.rungs)
        if not sampled and longer not in (rung.model, found.model):
            progress.say(f"{model.name}: errors {errors} again, with all draws")
            found = fitted_model(sample, longer, settings)
        return found, found.record.predictive

    rungs = climb_errors(model.rungs, fit, beyond, lambda one: one.record.diagnostics.passed)
    return tuple(rung if rung.chosen or rung.fit is own else only_checked(rung, model) for rung in rungs)


def _stored(sample: Sample, model: HierarchicalModel, settings: RunSettings) -> Fitted | None:
    """A model as an earlier run stored it; None where it did not, or where all is to be fitted anew."""
    if settings.refit:
        return None
    try:
        return fitted_model(sample, model, replace(settings, stored_only=True, say=lambda line: None))
    except BayesNppError:
        return None


def ruled_out(checks: Checks, ladder: tuple[str, ...]) -> bool:
    """Whether a check fails so clearly that few draws are enough to see it."""
    decided = [check.p for check in checks if check.name in decisive(ladder)]
    return any(min(p, 1 - p) <= CLEAR for p in decided)


def only_checked(rung: ErrorRung[Fitted], model: HierarchicalModel) -> ErrorRung[Fitted]:
    """A rung that its checks rule out beyond doubt, its sampler held to what it takes to see that."""
    own = rung.fit.record.diagnostics
    if not isinstance(own, Diagnostics) or not ruled_out(rung.checks, model.rungs):
        return rung
    record = replace(rung.fit.record, diagnostics=CheckedDiagnostics(**own.as_dict()))
    return replace(rung, fit=replace(rung.fit, record=record))


class CheckedDiagnostics(Diagnostics):
    """Of chains of which only the posterior predictive checks are used, and these fail clearly."""

    max_r_hat: ClassVar[float] = 1.05
    min_ess: ClassVar[float] = 100

    @property
    def checks(self) -> tuple[Check, ...]:
        """The gate, of fewer draws."""
        loose = {
            "largest R-hat": (f"<= {self.max_r_hat}", self.r_hat <= self.max_r_hat),
            "smallest bulk ESS": (f">= {self.min_ess}", self.ess_bulk >= self.min_ess),
            "smallest tail ESS": (f">= {self.min_ess}", self.ess_tail >= self.min_ess),
        }
        out = []
        for one in super().checks:
            threshold, passed = loose.get(one.quantity, (one.threshold, one.passed))
            out.append(Check(one.quantity, one.value, f"{threshold} (only checked)", passed))
        return tuple(out)


def _picked(
    model: HierarchicalModel, rungs: tuple[ErrorRung[Fitted], ...], settings: RunSettings
) -> tuple[Fitted, tuple[ErrorRung[Fitted], ...]]:
    """The rung that the ladder picks under the name of the model that left its errors to it, and the rungs with it."""
    chosen = next(rung for rung in rungs if rung.chosen)
    resolved = chosen.fit.model.model_copy(update={"name": model.name})
    own = Fitted(resolved, chosen.fit.fit, replace(chosen.fit.record, model=model.name))
    keep_as(model.name, own.fit, settings)
    return own, tuple(replace(rung, fit=own) if rung is chosen else rung for rung in rungs)


def fit_behind_verdicts(sample: Sample, model: HierarchicalModel, settings: RunSettings) -> Fit:
    """The fit that a run's verdicts rest on: with the errors that the model's ladder picks, where it has one."""
    if not model.rungs:
        return fitted_model(sample, model, settings).fit
    rungs = _climbed(sample, model, None, settings, Progress(settings.say), beyond=False)
    return next(rung.fit.fit for rung in rungs if rung.chosen)


def climb(sample: Sample, model: HierarchicalModel, settings: RunSettings, progress: Progress) -> Estimated:
    """Fit a model and its neighbours in errors and, where it has a ladder, in pooling, and choose the errors.

    With `errors = "auto"` the model has the errors that are chosen, and its neighbours in pooling have them too.
    """
    own = None if model.leaves_errors else fitted_model(sample, model, settings)
    rungs = _climbed(sample, model, own, settings, progress)
    if own is None:
        own, rungs = _picked(model, rungs, settings)
    found = replace(own.estimated(settings), model=own.model)
    tried, chosen = {rung.errors: rung.fit for rung in rungs}, next(rung for rung in rungs if rung.chosen)
    beside = [one for one in tried.values() if one.model.name != own.model.name]
    if not own.model.has_ladder:
        return replace(found, neighbours=tuple(one.estimated(settings) for one in beside))
    tried.setdefault(next(rung.label for rung in error_rungs(own.model) if rung.declared), own)
    steps = [rung for rung in pooling_rungs(own.model) if _exists(sample, rung)]
    others = [rung for rung in steps if not rung.declared]
    pooled = {own.model.name: own.fit}
    for rung in progress.track(f"neighbours of {model.name}", others, lambda rung: f"{rung.part} {rung.label}"):
        beside.append(one := fitted_model(sample, rung.model, settings))
        pooled[rung.model.name] = one.fit
    progress.say(f"{model.name}: how well each neighbour predicts what it has not seen")

    def scored(name: str, fit: Fit, methods: tuple[str, ...]) -> dict[str, Any]:
        return scores(fit, methods, settings.path(name, ".scores.json"), settings.say)

    wanted = (HOMOGENEITY, LOO, UNIT_OUT)
    own_scores = {label: scored(one.model.name, one.fit, wanted) for label, one in tried.items()}
    choice = ErrorChoice(
        model=model.name,
        records={label: one.record for label, one in tried.items()},
        homogeneity={label: own_scores[label][HOMOGENEITY] for label in tried},
        scores={label: own_scores[label][LOO] for label in tried},
        unit_scores={label: own_scores[label][UNIT_OUT] for label in tried},
        chosen=chosen.errors,
        rule=rule(model.rungs),
        richer=tuple(rung.errors for rung in rungs if rung.passed and rung is not chosen),
        models={label: one.model for label, one in tried.items()},
    )
    pooling = []
    for rung in steps:
        name = rung.model.name
        further = ("leave_one_unit_out", "leave_future_out") if rung.part in ("slopes", "units") else ()
        by_method = scored(name, pooled[name], ("leave_one_row_out", *further))
        pooling.append(PoolingRung(rung.part, rung.label, name, rung.declared, tuple(by_method.values())))
    guard = _with_exposure_factor(sample, own.model, chosen, settings, progress)
    beside += [] if guard is None else [guard]
    ladder = Ladder(model.name, choice, tuple(pooling), None if guard is None else guard.record)
    return replace(found, ladder=ladder, neighbours=tuple(one.estimated(settings) for one in beside))


def _with_exposure_factor(
    sample: Sample, model: HierarchicalModel, chosen: ErrorRung[Fitted], settings: RunSettings, progress: Progress
) -> Fitted | None:
    """The model with the chosen errors and loadings on the exposure's own factor, where a firm verdict asks for it."""
    if not chosen.passed or model.exposure_factor != "none":
        return None
    other = with_exposure_factor(model, chosen.fit.model)
    if carried(lambda: sample.design(other.spec(sample.roles))) is None:
        return None
    progress.say(f"{model.name}: loadings on the exposure's own factor")
    return fitted_model(sample, other, settings)


def with_exposure_factor(model: HierarchicalModel, chosen: HierarchicalModel) -> HierarchicalModel:
    """A model with the errors that its ladder chose, and loadings on the exposure's own factor beside them."""
    draws = min(model.draws, 2 * chosen.draws)
    changes = {"exposure_factor": "fixed", "name": f"{model.name}--exposure-factor", "ladder": False, "draws": draws}
    return chosen.model_copy(update=changes)


def _exists(sample: Sample, rung: Rung) -> bool:
    """Whether a panel carries a way to pool beside what units load on: that takes period effects."""
    spec = rung.model.spec(sample.roles)
    return rung.declared or not loads(spec) or carried(lambda: sample.design(spec)) is not None
