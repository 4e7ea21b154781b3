"""The ladder of a hierarchical model: its neighbours in errors and in pooling, and the rule that picks the errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck
from bayes_npp.bayesian.model.error_models import BASE, parts
from bayes_npp.study.models import HierarchicalModel

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


def has_ladder(model: HierarchicalModel) -> bool:
    """Whether errors and pooling can be varied: static group slopes in levels, sampled collapsed, not declined."""
    plain = model.slopes is not None and not model.slopes.endswith("unit") and model.transform == "levels"
    return model.ladder and plain and not model.dynamic and model.engine != "nuts" and model.errors == "iid"


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
