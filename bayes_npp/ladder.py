"""The ladder of a hierarchical model: its neighbours in errors and in pooling, and the rule that picks the errors."""

from dataclasses import dataclass
from typing import Any

from bayes_npp.results import FitRecord
from bayes_npp.spec import HierarchicalModel

ERRORS = ("iid", "ar1", "unit_scale", "ar1+unit_scale")
# What each failed posterior predictive check asks for.
REMEDIES = {"serial correlation": "ar1", "spread by unit": "unit_scale"}
RULE = (
    "Start from independent errors of one scale. If the posterior predictive check of serial correlation fails, add "
    "AR(1) errors within units; if the check of spread by unit fails, add a scale for each unit. The model so chosen "
    "stands behind the verdicts; if a check fails under it too, the verdicts say so."
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
    """Whether a model's errors and pooling can be varied: group slopes in levels, sampled collapsed, not declined."""
    plain = model.slopes is not None and not model.slopes.endswith("unit")
    return model.ladder and plain and model.engine != "nuts" and model.errors == "iid" and model.transform == "levels"


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


def choose_errors(independent: FitRecord) -> str:
    """The error model that the failed checks of independent errors ask for, by `RULE`."""
    failed = {check.name for check in independent.predictive if not check.passed}
    parts = [remedy for check, remedy in REMEDIES.items() if check in failed]
    return "+".join(parts) or "iid"


def _rung(model: HierarchicalModel, part: str, label: str, changes: dict[str, Any]) -> Rung:
    content = model.model_dump()
    if all(content[key] == value for key, value in changes.items()):
        return Rung(part, label, model, declared=True)
    name = f"{model.name}--{part}-{label.replace('+', '-')}"
    draws = min(model.draws, MAX_DRAWS)
    return Rung(part, label, HierarchicalModel(**{**content, **changes, "name": name, "draws": draws}), declared=False)
