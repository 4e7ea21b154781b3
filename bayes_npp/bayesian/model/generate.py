"""Draws from the model: parameters from their priors, outcomes from parameters, years and units not yet seen."""

import numpy as np

from bayes_npp.bayesian.model.error_models import factors_of, parts
from bayes_npp.bayesian.model.likelihood import new_scales, simulate_errors
from bayes_npp.bayesian.model.loadings import (
    PART,
    factors_from,
    loading_terms,
    loads,
    part_term,
    sloped_coefficients,
    sloped_terms,
)
from bayes_npp.bayesian.model.projected import stored
from bayes_npp.bayesian.model.terms import WHOLE, ModelData, Term, common_and_offsets, fitted_values, terms, unit_terms
from bayes_npp.bayesian.priors.sets import PriorSet


def prior_parameters(data: ModelData, priors: PriorSet, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Draw every parameter from its prior; flat effects are zero.

    Parameters
    ----------
    data : ModelData
        Columns, bases and scales; the outcome is not used.
    draws, seed : int

    Returns
    -------
    dict of ndarray, shapes (draws, ...)
        By variable of the posterior, standardised units.

    Raises
    ------
    SpecError
        A flat prior of the exposure or the controls, from which nothing can be drawn.
    """
    random = np.random.default_rng(seed)
    priors = priors.on_within_scale(data.design.scales)
    spec, n_units = data.design.spec, len(data.design.units)
    errors = parts(spec.errors)
    shapes = [name for part in errors if not part.factors for name in part.priors] + [
        "slope_correlation"
    ] * spec.slope_correlation
    out = {name: priors[name].draw(random, (draws,)) for name in shapes}
    for part in errors:
        out.update(new_scales(part, out, data, random))
    for term in terms(data, priors):
        _draw_term(term, term.width, priors, random, draws, out)
        if term.rank:
            between = priors["between"].draw(random, (draws, term.rank))
            out[f"{term.variable.removesuffix('_effect')}_between"] = between
    for term in unit_terms(data):
        _draw_term(term, n_units, priors, random, draws, out)
    if "slope_correlation" in out:
        r = out["slope_correlation"][:, None]
        own = out["unit_slope"] / out["unit_slope_sd"][:, None]
        common = out["unit_effect"] / out["unit_sd"][:, None]
        out["unit_slope"] = out["unit_slope_sd"][:, None] * (r * common + np.sqrt((1 - r) * (1 + r)) * own)
    if "intercept" not in out:
        out["intercept"] = np.zeros(draws)
    if loads(spec):
        out = _with_loadings(out, data, priors, random)
    if "free_slope" in out:
        out.update(common_and_offsets(out.pop("free_slope")))
    return out


def _with_loadings(
    out: dict[str, np.ndarray], data: ModelData, priors: PriorSet, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draws with factors, coefficients of units on columns of time, and the shifts that columns with slopes bring."""
    draws, n_units, n_times = len(out["intercept"]), len(data.design.units), len(data.design.times)
    n_factors = factors_of(data.design.spec.errors)
    if n_factors:
        out["factor"] = factors_from(random.standard_normal((draws, n_factors * (n_times - 1))), n_times)
    for term in loading_terms(data):
        shared = term.scale in out and term.at == WHOLE  # one SD for all factors of the exposure
        known = out[term.scale] if shared and term.scale else None
        _draw_term(term, n_units, priors, random, draws, out)
        if known is not None and term.scale:
            out[term.variable] *= (known / out[term.scale])[:, None]
            out[term.scale] = known
    every = tuple(sloped_terms(data, priors))
    out[PART] = priors[PART].draw(random, (draws, part_term(data, every).width))
    return stored(out, data, sloped_coefficients(out, data, priors))


def outcomes(parameters: dict[str, np.ndarray], data: ModelData, seed: int, in_data_units: bool = False) -> np.ndarray:
    """Draw outcomes given parameters, shape (S, n): prior or posterior predictive draws of the observed rows.

    Of a dynamic model one period ahead: each row given the observed outcome of the period before.
    """
    drawn = fitted_values(parameters, data) + simulate_errors(parameters, data, np.random.default_rng(seed))
    scales = data.design.scales
    return scales.outcome_mean + scales.outcome_sd * drawn if in_data_units else drawn


def _draw_term(
    term: Term, width: int, priors: PriorSet, random: np.random.Generator, draws: int, out: dict[str, np.ndarray]
) -> None:
    """Coefficients of a term, with the SD they are pooled under where they have one."""
    if not term.slot:
        values = np.zeros((draws, width))
    elif term.scale:
        sd = priors[term.slot].draw(random, (draws,))
        values = sd[:, None] * random.standard_normal((draws, width))
        out[term.scale] = sd if term.at == WHOLE else _appended(out.get(term.scale), sd)
    else:
        values = priors[term.slot].draw(random, (draws, width))
    values = term.values(values)
    if term.variable in ("intercept", "exposure_slope", "persistence"):
        values = values[:, 0]
    out[term.variable] = values if term.at == WHOLE else _appended(out.get(term.variable), values)


def _appended(before: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """Stack the positions of a vector-valued variable along its second axis."""
    stacked = values[:, None]
    return stacked if before is None else np.concatenate([before, stacked], axis=1)
