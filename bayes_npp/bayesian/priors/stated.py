"""Priors as a user states them: a few changed over a named set, on the standardised or on the data's scale."""

from collections.abc import Mapping
from typing import Any

from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet, check_support, load_priors, slots
from bayes_npp.design.design import Design
from bayes_npp.design.spec import error_registry
from bayes_npp.errors import SpecError, nearest

SCALES = ("standardised", "data")
BASE = "weakly_informative"
SLOPES = ("exposure", "slope_sd", "unit_slope_sd")  # in units of the outcome over units of the exposure
LOADINGS = ("unit_trend_sd", "exposure_loading_sd")  # in units of the outcome, on its within scale
EFFECTS = ("unit_sd", "time_sd", "group_time_sd")  # the same, on its total scale

Stated = str | PriorSet | Mapping[str, Any]


def stated_priors(given: Stated, design: Design) -> PriorSet:
    """The set that a name, a set or a mapping stands for.

    Parameters
    ----------
    given : str, PriorSet or mapping
        A mapping has a prior by parameter, such as {"exposure": {"family": "normal", "sigma": 0.1, "scale": "data"}};
        "set" names the set that has the others (weakly_informative without it). Where a family has a parameter called
        scale, "units" says the same as "scale": "standardised" (the default) or "data". `mu` is 0 and `reason` that
        it was stated where they are left out.
    design : Design
        Whose scales the data's units are.

    Raises
    ------
    SpecError
        An unknown parameter, family or scale; the data's scale for a parameter that has no unit, or for several
        controls at once.
    """
    if not isinstance(given, Mapping):
        return load_priors(given)
    base = load_priors(given.get("set", BASE))
    changed = {slot: _prior(slot, table, design) for slot, table in given.items() if slot != "set"}
    return base.replaced(**changed) if changed else base


def _prior(slot: str, table: Any, design: Design) -> PriorSpec:
    place = f"priors['{slot}']"
    if slot not in slots():
        raise SpecError(f"unknown prior '{slot}'", place="priors", fix=nearest(slot, [*slots(), "set"]))
    if isinstance(table, PriorSpec):
        check_support(slot, table)
        return table
    if not isinstance(table, Mapping):
        raise SpecError("a prior is a table", place=place, fix="Write {'family': 'normal', 'sigma': 0.5}")
    keys = dict(table)
    scale = keys.pop("units", None)
    if isinstance(keys.get("scale"), str):
        scale = keys.pop("scale")
    if scale not in (None, *SCALES):
        raise SpecError(f"unknown scale '{scale}'", place=place, fix=f"Use {' or '.join(map(repr, SCALES))}")
    if keys.get("family") in ("normal", "student_t", "laplace"):
        keys.setdefault("mu", 0.0)
    keys = {name: float(value) if isinstance(value, int) else value for name, value in keys.items()}
    prior = PriorSpec.parse({"reason": "stated for this fit", **keys}, place)
    if scale == "data":
        try:
            prior = _from_data(slot, prior, design)
        except SpecError as error:
            raise error.at(place) from None
    check_support(slot, prior)
    return prior


def _from_data(slot: str, prior: PriorSpec, design: Design) -> PriorSpec:
    """A prior in the data's units as one of the standardised parameter."""
    scales, spec = design.scales, design.spec
    within = {*LOADINGS, *(name for part in error_registry().ERROR_MODELS.values() for name in part.in_outcome_units)}
    if slot in SLOPES and spec.exposure:
        return prior.scaled(scales.divisors[spec.exposure] / scales.outcome_sd)
    if slot == "controls" and len(spec.controls) == 1:
        return prior.scaled(scales.divisors[spec.controls[0]] / scales.outcome_sd)
    if slot in within:
        return prior.scaled(1 / scales.outcome_sd)
    if slot in EFFECTS:
        return prior.scaled(1 / scales.total_sd)
    if slot == "intercept" and prior.family == "normal":
        moved = {**prior.parameters, "mu": prior.parameters["mu"] - scales.outcome_mean}
        return PriorSpec(family=prior.family, reason=prior.reason, **moved).scaled(1 / scales.total_sd)
    why = "each control has units of its own" if slot == "controls" else f"'{slot}' has no unit of the data"
    raise SpecError(f"no prior on the data's scale: {why}", fix="State it on the standardised scale")
