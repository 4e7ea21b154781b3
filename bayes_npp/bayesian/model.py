"""Design + priors -> pm.Model, on the standardised scale.

y = level + X slope + C gamma + unit + period + error. With correlated means, columns with a slope enter as their
two-way residual and their unit (period) parts as an orthonormal basis whose coefficients ("between") have a prior of
their own, so slopes target the same estimand as two-way fixed effects whatever the pooling of the effects.

The sampled parametrisation is exact, not an approximation: between coefficients and effects of units (periods) are
merged into one vector of contrasts, each coordinate normal with variance between^2 J + sd^2 where a part acts and
sd^2 elsewhere, and the intercept with the effects' means into one level. `separate` draws the parts given their sums.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.priors import PriorSet, PriorSpec
from bayes_npp.design import Design, effect_basis, two_way_parts

if TYPE_CHECKING:
    import pymc as pm

# Centred coordinates sample better where the data rule out a scale of zero: where the chi-square statistic of the
# effects exceeds its expectation by this much.
CENTRED_ABOVE = 20.0


@dataclass(frozen=True)
class Effect:
    """Effects of J units or periods in a basis of contrasts.

    Attributes
    ----------
    kind : "none" | "partial" | "fixed"
    index : ndarray of int, shape (n,)
    basis : ndarray, shape (J, J - 1)
    rank : int
        Leading coordinates on which a between part acts; 0 without correlated means or when saturated.
    saturated : bool
        The parts span all contrasts, so they are left out (columns enter as residuals; slopes are unaffected).
    centred : bool
        Parametrisation of the coordinates.
    """

    kind: str
    index: np.ndarray
    basis: np.ndarray
    rank: int
    saturated: bool
    centred: bool

    @property
    def size(self) -> int:
        return len(self.basis)

    @property
    def n_contrasts(self) -> int:
        """Coordinates to sample: all contrasts, or only those of the between part where there is no effect."""
        return self.rank if self.kind == "none" else self.size - 1

    @property
    def has_part(self) -> np.ndarray:
        """1 where a between part acts, shape (n_contrasts,)."""
        return (np.arange(self.n_contrasts) < self.rank).astype(float)


@dataclass(frozen=True)
class ModelData:
    """Standardised arrays of the hierarchical model.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
    slope_columns : ndarray, shape (n, max(G, 1))
    control_columns : ndarray, shape (n, K)
    unit, time : Effect
    slopes_centred : bool
        Parametrisation of the groups' offsets.
    """

    design: Design
    outcome: np.ndarray
    slope_columns: np.ndarray
    control_columns: np.ndarray
    unit: Effect
    time: Effect
    slopes_centred: bool

    @cached_property
    def effects(self) -> dict[str, Effect]:
        return {"unit": self.unit, "time": self.time}


def model_data(design: Design) -> ModelData:
    """Standardise, split columns into parts and residuals, choose bases and parametrisation."""
    spec, scales = design.spec, design.scales
    outcome = (design.outcome - scales.outcome_mean) / scales.outcome_sd
    exposure = design.slope_columns / scales.of(spec.exposure)
    n_slopes = exposure.shape[1]
    columns = np.column_stack([exposure, design.controls / scales.of(*spec.controls)])
    parts = two_way_parts(columns, design.unit, design.time)
    everything = two_way_parts(np.column_stack([outcome, columns]), design.unit, design.time)
    coefficients, rss = _least_squares(everything.residual)
    df = design.n_obs - len(design.units) - len(design.times) + 1 - columns.shape[1]
    effects = {}
    sides = (
        ("unit", design.unit, parts.unit, everything.unit, spec.unit_effects),
        ("time", design.time, parts.time, everything.time, spec.time_effects),
    )
    for name, index, part, both, kind in sides:
        acts = spec.correlated_means and kind != "fixed"
        basis, rank = effect_basis(part if acts else part[:, :0])
        saturated = rank == len(part) - 1
        rank = 0 if saturated else rank
        # Estimated effects in units of their standard error, on the coordinates that no between part shares.
        free = basis[:, rank:].T @ (both[:, 0] - both[:, 1:] @ coefficients)
        scaled = (free**2).sum() * design.n_obs / len(part) / (rss / df) if df > 0 and rss > 0 else 0.0
        strength = scaled - len(free)
        effects[name] = Effect(kind, index, basis, rank, saturated, centred=strength > CENTRED_ABOVE)
    used = parts.residual if spec.correlated_means else columns - columns.mean(axis=0)
    return ModelData(
        design=design,
        outcome=outcome,
        slope_columns=used[:, :n_slopes],
        control_columns=used[:, n_slopes:],
        unit=effects["unit"],
        time=effects["time"],
        slopes_centred=_slope_strength(everything.residual, n_slopes, df) > CENTRED_ABOVE,
    )


def build_model(data: ModelData, priors: PriorSet) -> "pm.Model":
    """The PyMC model; prior hyper-parameters and data are `pm.Data`, so that a refit needs no compilation."""
    import pymc as pm
    import pytensor.tensor as pt

    design = data.design
    coords = {
        "observation": np.arange(design.n_obs),
        "slope_column": list(design.groups) or [design.spec.exposure],
        "group": list(design.groups),
        "control": list(design.spec.controls),
        **{f"{name}_contrast": np.arange(e.n_contrasts) for name, e in data.effects.items() if e.n_contrasts},
    }
    with pm.Model(coords=coords) as model:
        x = pm.Data("slope_columns", data.slope_columns, dims=("observation", "slope_column"))
        mean_slope = _prior("exposure_slope", "exposure", priors["exposure"])
        if design.groups:
            slope_sd = _prior("slope_sd", "slope_sd", priors["slope_sd"])
            if data.slopes_centred:
                offset = pm.ZeroSumNormal("slope_offset", sigma=slope_sd, dims="group")
            else:
                raw = pm.ZeroSumNormal("slope_offset_raw", sigma=1.0, dims="group")
                offset = pm.Deterministic("slope_offset", slope_sd * raw, dims="group")
            slopes = mean_slope + offset
        else:
            slopes = mean_slope[None]
        fitted = x @ slopes
        if design.spec.controls:
            c = pm.Data("control_columns", data.control_columns, dims=("observation", "control"))
            fitted += c @ _prior("control_slope", "controls", priors["controls"], dims="control")
        between_sd = pm.Data("between_sigma", priors["between"].parameters["sigma"])
        level_variance = pm.Data("intercept_sigma", priors["intercept"].parameters["sigma"]) ** 2
        for name, effect in data.effects.items():
            if not effect.n_contrasts:
                continue
            variance = between_sd**2 * effect.size * effect.has_part
            if effect.kind == "partial":
                sd = _prior(f"{name}_sd", f"{name}_sd", priors[f"{name}_sd"])
                variance = variance + sd**2
                level_variance = level_variance + sd**2 / effect.size
            fitted += _contrasts(name, effect, variance)[effect.index]
        level_mean = pm.Data("intercept_mu", priors["intercept"].parameters["mu"])
        level = pm.Normal("level", level_mean, pt.sqrt(level_variance))
        error_sd = _prior("error_sd", "error_sd", priors["error_sd"])
        observed = pm.Data("outcome", data.outcome, dims="observation")
        pm.Normal("y", level + fitted, error_sd, observed=observed, dims="observation")
    return model


def separate(draws: dict[str, np.ndarray], data: ModelData, priors: PriorSet, seed: int) -> dict[str, np.ndarray]:
    """Turn sampled coordinates into the model's parameters, exactly.

    Given the scales, the intercept and the effects' means are jointly normal with a known sum (the level), and so are a
    between part and an effect on the same coordinate: each is drawn from its conditional distribution.

    Parameters
    ----------
    draws : dict of ndarray, shapes (chain, draw, ...)
    seed : int

    Returns
    -------
    dict of ndarray
        intercept, exposure_slope, slope_sd, slope_offset, control_slope, {unit,time}_sd, {unit,time}_effect,
        {unit,time}_between, error_sd, as far as the model has them.
    """
    random = np.random.default_rng(seed)
    kept = ("exposure_slope", "slope_sd", "slope_offset", "control_slope", "unit_sd", "time_sd", "error_sd")
    out = {name: draws[name] for name in kept if name in draws}
    shape = draws["error_sd"].shape
    intercept_prior = priors["intercept"].parameters
    means = {
        name: draws[f"{name}_sd"] ** 2 / effect.size
        for name, effect in data.effects.items()
        if effect.kind == "partial"
    }
    remaining = draws["level"] - intercept_prior["mu"]
    total = intercept_prior["sigma"] ** 2 + np.sum(list(means.values()), axis=0)
    for name, effect in data.effects.items():
        if not effect.n_contrasts:
            continue
        contrasts = draws[f"{name}_contrasts"]
        if effect.kind == "partial":
            sd = draws[f"{name}_sd"][..., None]
            ours = sd**2
            between = priors["between"].parameters["sigma"] ** 2 * effect.size * effect.has_part
            share = ours / (ours + between)
            noise = random.standard_normal(contrasts.shape)
            own = share * contrasts + np.sqrt(share * between) * noise
            # The effects' mean, given what is left of the level after the means drawn before it.
            variance = means[name]
            mean = remaining * variance / total + np.sqrt(variance * (1 - variance / total)) * random.standard_normal(
                shape
            )
            remaining, total = remaining - mean, total - variance
            out[f"{name}_effect"] = own @ effect.basis.T + mean[..., None]
        else:
            own = contrasts * (1 - effect.has_part)  # all of it for a fixed effect, nothing where there is none
            if effect.kind == "fixed":
                out[f"{name}_effect"] = contrasts @ effect.basis.T
        if effect.rank:
            out[f"{name}_between"] = (contrasts - own)[..., : effect.rank] / np.sqrt(effect.size)
    out["intercept"] = remaining + intercept_prior["mu"]
    return out


def fitted_values(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Conditional mean of the standardised outcome, shape (..., n), from separated parameters."""
    slopes = parameters["exposure_slope"][..., None]
    if "slope_offset" in parameters:
        slopes = slopes + parameters["slope_offset"]
    fitted = slopes @ data.slope_columns.T + parameters["intercept"][..., None]
    if "control_slope" in parameters:
        fitted = fitted + parameters["control_slope"] @ data.control_columns.T
    for name, effect in data.effects.items():
        if f"{name}_effect" in parameters:
            fitted = fitted + parameters[f"{name}_effect"][..., effect.index]
        if f"{name}_between" in parameters:
            part = parameters[f"{name}_between"] @ effect.basis[:, : effect.rank].T * np.sqrt(effect.size)
            fitted = fitted + part[..., effect.index]
    return fitted


def _contrasts(name: str, effect: Effect, variance: Any) -> Any:
    """Effects of J units or periods, shape (J,), from their contrasts in the basis."""
    import pymc as pm
    import pytensor.tensor as pt

    dim = f"{name}_contrast"
    if effect.kind == "fixed":
        contrasts = pm.Flat(f"{name}_contrasts", dims=dim)
    elif effect.kind == "none" or effect.centred:
        contrasts = pm.Normal(f"{name}_contrasts", 0.0, pt.sqrt(variance), dims=dim)
    else:
        raw = pm.Normal(f"{name}_contrasts_raw", 0.0, 1.0, dims=dim)
        contrasts = pm.Deterministic(f"{name}_contrasts", raw * pt.sqrt(variance), dims=dim)
    return pt.dot(effect.basis[:, : effect.n_contrasts], contrasts)


def _prior(name: str, slot: str, prior: PriorSpec, dims: str | None = None) -> Any:
    """A PyMC variable with the declared prior, its hyper-parameters as data named `<slot>_<parameter>`."""
    import pymc as pm

    data = {key: pm.Data(f"{slot}_{key}", value) for key, value in prior.parameters.items()}
    match prior.family:
        case "normal":
            return pm.Normal(name, **data, dims=dims)
        case "student_t":
            return pm.StudentT(name, **data, dims=dims)
        case "half_normal":
            return pm.HalfNormal(name, **data, dims=dims)
        case "half_student_t":
            return pm.HalfStudentT(name, **data, dims=dims)
        case "exponential":
            return pm.Exponential(name, **data, dims=dims)
        case _:
            return pm.Flat(name, dims=dims)


def _slope_strength(residual: np.ndarray, n_slopes: int, df: int) -> float:
    """Excess chi-square of the differences between groups' slopes, from the two-way residual of outcome and columns."""
    if n_slopes < 2 or df <= 0:
        return 0.0
    outcome, slopes, controls = residual[:, :1], residual[:, 1 : 1 + n_slopes], residual[:, 1 + n_slopes :]
    full = _least_squares(residual)[1]
    reduced = _least_squares(np.hstack([outcome, slopes.sum(axis=1, keepdims=True), controls]))[1]
    return (reduced - full) / (full / df) - (n_slopes - 1) if full > 0 else 0.0


def _least_squares(residual: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and residual sum of squares of the first column on the others."""
    outcome, columns = residual[:, 0], residual[:, 1:]
    coefficients = np.linalg.lstsq(columns, outcome, rcond=None)[0]
    return coefficients, float(((outcome - columns @ coefficients) ** 2).sum())
