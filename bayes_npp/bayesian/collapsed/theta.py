"""Theta of the collapsed posterior: what is sampled, which part each element plays, and its prior."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.packed import Layout, Priors
from bayes_npp.bayesian.model.terms import WHOLE, ModelData, Term, terms
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet

ERROR_PARTS = (
    "iid",
    "known",
    "ar1",
    "unit_scale",
    "period_scale",
    "factor",
    "factor2",
)  # what `lay_out`, `cross_products` and the compiled density have


@dataclass(frozen=True)
class Element:
    """One element of theta: the variable of the posterior it belongs to, its position there and its prior."""

    variable: str
    at: int
    prior: PriorSpec


def lay_out(
    data: ModelData,
    columns: tuple[Term, ...],
    effects: tuple[Term, ...],
    priors: PriorSet,
    kept: tuple[Term, ...] | None = None,
    more: tuple["Element", ...] = (),
) -> tuple[Layout, Priors, np.ndarray, tuple[Element, ...]]:
    """Theta, what each element does, the priors and the prior means of the collapsed coefficients.

    Elements of `more` follow those that have a part in `Layout`.
    """
    spec, parts = data.design.spec, data.design.spec.error_parts
    priors = priors.on_within_scale(data.design.scales)
    if kept is None:
        names = {term.variable for term in columns}
        kept = tuple(term for term in terms(data, priors) if term.variable not in names)
    elements: list[Element] = []
    position: dict[tuple[str, int], int] = {}

    def add(variable: str, slot: str, at: int = WHOLE) -> int:
        if (variable, at) not in position:
            position[variable, at] = len(elements)
            elements.append(Element(variable, at, priors[slot]))
        return position[variable, at]

    scale, sd, means = [], [], []
    for term in columns:
        prior = priors[term.slot].parameters if term.slot and not term.scale else {}
        code = add(term.scale, term.slot, term.at) if term.scale else (kernel.KNOWN_SD if prior else kernel.FLAT_SD)
        scale += [code] * term.width
        between = priors["between"].parameters["sigma"] * np.sqrt(data.time.size)
        known = 0.0 if term.scale else prior.get("sigma", 1.0)
        sd += [between] * term.rank + [known] * (term.width - term.rank)
        means += [prior.get("mu", 0.0)] * term.width
    effect_scale = [add(term.scale, term.slot, term.at) if term.scale else kernel.FLAT_SD for term in effects]
    correlation = add("slope_correlation", "slope_correlation") if spec.slope_correlation else kernel.ABSENT
    autocorrelation = add("autocorrelation", "autocorrelation") if "ar1" in parts else kernel.ABSENT
    error_scale = kernel.ABSENT if spec.errors == "known" else add("error_sd", "error_sd")
    moved = []
    for term in kept:
        for k in range(term.width):
            single = term.variable in ("exposure_slope", "persistence")
            moved.append(add(term.variable, term.slot, WHOLE if single else k))
    spread = add("unit_scale_sd", "unit_scale_sd") if "unit_scale" in parts else kernel.ABSENT
    elements += more
    encoded = encode([e.prior for e in elements], len(data.segments) if spread != kernel.ABSENT else 0)
    layout = Layout(
        column_scale=np.array(scale, dtype=np.int64),
        column_sd=np.array(sd, dtype=float),
        kept=np.array(moved, dtype=np.int64),
        effect_scale=np.array(effect_scale, dtype=np.int64),
        correlation=correlation,
        error_scale=error_scale,
        autocorrelation=autocorrelation,
        unit_scales=len(elements) if spread != kernel.ABSENT else kernel.ABSENT,
        unit_spread=spread,
        centred=int(spread != kernel.ABSENT and "unit_scale" in data.centred_errors),
    )
    return layout, encoded, np.array(means), tuple(elements)


def encode(priors: list[PriorSpec], n_more: int) -> Priors:
    """Priors as the arrays of the compiled density; `n_more` elements at the end have a prior of their own there."""
    d = len(priors) + n_more
    support, family = np.zeros(d, dtype=np.int64), np.zeros(d, dtype=np.int64)
    parameters, lower, upper, constant = np.zeros((d, 3)), np.zeros(d), np.ones(d), np.zeros(d)
    for j, prior in enumerate(priors):
        definition, p = prior.definition, prior.parameters
        support[j], family[j] = getattr(kernel, definition.support), getattr(kernel, definition.code)
        values = definition.coded(**p)
        parameters[j, : len(values)] = values
        bounded = support[j] == kernel.INTERVAL
        lower[j] = p.get("lower", -1.0) if bounded else 0.0
        upper[j] = p.get("upper", 1.0) if bounded else prior.typical
        constant[j] = _constant(prior, 0.5 * (lower[j] + upper[j]) if bounded else 1.0)
    return Priors(support, family, parameters, lower, upper, constant)


@lru_cache(maxsize=4096)  # a grid of priors asks for few of them many times
def _constant(prior: PriorSpec, inside: float) -> float:
    """What the compiled log density of a prior leaves out, from its value at a point inside."""
    parameters = np.zeros(3)
    values = prior.definition.coded(**prior.parameters)
    parameters[: len(values)] = values
    density = kernel.prior_density(getattr(kernel, prior.definition.code), parameters, inside)[0]
    return float(prior.log_density(np.array(inside))) - float(density)
