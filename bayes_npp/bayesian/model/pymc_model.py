"""ModelData + priors -> pm.Model, on the standardised scale: the full model, every coefficient sampled.

y = level + X slope + C gamma + unit + period + error. With correlated means, columns with a slope enter as their
two-way residual and their unit (period) parts as an orthonormal basis whose coefficients ("between") have a prior of
their own, so slopes target the same estimand as two-way fixed effects whatever the pooling of the effects.

The sampled parametrisation is exact, not an approximation: between coefficients and effects of units (periods) are
merged into one vector of contrasts, each coordinate normal with variance between^2 J + sd^2 where a part acts and
sd^2 elsewhere, and the intercept with the effects' means into one level. `separate` draws the parts given their sums.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.model.caches import prepare_pytensor
from bayes_npp.bayesian.model.error_models import effects as error_effects
from bayes_npp.bayesian.model.error_models import factors_of, memory_of, parts, shape_of, top_priors
from bayes_npp.bayesian.model.loadings import PART, aligned, loads, sloped_coefficients
from bayes_npp.bayesian.model.projected import stored
from bayes_npp.bayesian.model.pymc_loadings import loaded
from bayes_npp.bayesian.model.terms import WHOLE, Effect, ModelData, common_and_offsets
from bayes_npp.bayesian.priors.families import BOUNDS, PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet

if TYPE_CHECKING:
    import pymc as pm

# Variables of the posterior that the model samples (or derives) under their own names, beside those of the errors.
OWN_NAMES = (
    *("exposure_slope", "slope_sd", "slope_offset", "control_slope", "control_offset", "control_slope_sd"),
    *("unit_sd", "time_sd", "group_time_sd", "group_time_effect", "unit_slope", "unit_slope_sd"),
    *("unit_control_slope", "unit_control_slope_sd", "slope_correlation", "unit_effect", "unit_between"),
    *("unit_trend_sd", "exposure_loading_sd", "persistence"),
)


def build_model(data: ModelData, priors: PriorSet) -> "pm.Model":
    """The PyMC model; prior hyper-parameters and data are `pm.Data`, so that a refit needs no compilation."""
    prepare_pytensor()
    import pymc as pm
    import pytensor.tensor as pt

    priors = priors.on_within_scale(data.design.scales)
    design, spec = data.design, data.design.spec
    coords = {
        "observation": np.arange(design.n_obs),
        "slope_column": np.arange(data.slope_columns.shape[1]),
        "group": list(design.groups),
        "control": list(spec.controls),
        "varying": list(spec.varying),
        "unit": list(design.units),
        "time": list(design.times),
        "group_time": list(design.group_times),
        "factor_number": np.arange(factors_of(spec.errors)),
        "unit_part": np.arange(data.unit.rank),
        **{f"{name}_contrast": np.arange(e.n_contrasts) for name, e in data.effects.items() if e.n_contrasts},
    }
    with pm.Model(coords=coords) as model:
        fitted = pt.zeros(design.n_obs)
        if spec.exposure:
            x = pm.Data("slope_columns", data.slope_columns, dims=("observation", "slope_column"))
            free = spec.slope_pooling == "none"
            dims = "group" if free else None
            slopes = _prior("free_slope" if free else "exposure_slope", "exposure", priors["exposure"], dims=dims)
            if design.groups and not free:
                sd = _prior("slope_sd", "slope_sd", priors["slope_sd"])
                slopes = slopes + _offsets("slope_offset", sd, data, data.slopes_centred)
            fitted += x @ (slopes if design.groups else slopes[None])
        if spec.controls:
            c = pm.Data("control_columns", data.control_columns, dims=("observation", "control"))
            fitted += c @ _prior("control_slope", "controls", priors["controls"], dims="control")
        if data.lag is not None:
            fitted += _prior("persistence", "persistence", priors["persistence"]) * pm.Data("lag", data.lag)
        if spec.varying and design.groups:
            sds = _prior("control_slope_sd", "slope_sd", priors["slope_sd"], dims="varying")
            offsets = [_offsets(f"offset_{v}", sds[v], data, data.varying_centred[v]) for v in range(len(spec.varying))]
            pm.Deterministic("control_offset", pt.stack(offsets), dims=("varying", "group"))
            for offset, columns in zip(offsets, data.varying_columns, strict=True):
                fitted += pt.as_tensor(columns) @ offset
        fitted += _unit_slopes(data, priors)
        if design.group_time is not None:
            sd = _prior("group_time_sd", "group_time_sd", priors["group_time_sd"])
            raw = pm.Normal("group_time_raw", 0.0, 1.0, dims="group_time")
            fitted += pm.Deterministic("group_time_effect", sd * raw, dims="group_time")[design.group_time]
        level, effects = _level_and_effects(data, priors)
        errors = None
        if loads(spec):
            errors = _errors(data, priors)
            fitted += loaded(data, priors, partial(_loading_sd, priors), *errors)
        _likelihood(level + fitted + effects, data, priors, errors)
    return model


def _level_and_effects(data: ModelData, priors: PriorSet) -> tuple[Any, Any]:
    """The common level, and the sum of the effects of units and periods and of their between parts."""
    import pymc as pm
    import pytensor.tensor as pt

    effects = pt.zeros(data.design.n_obs)
    between_sd = pm.Data("between_sigma", priors["between"].parameters["sigma"])
    level_variance = pm.Data("intercept_sigma", priors["intercept"].parameters["sigma"]) ** 2
    for name, effect in data.effects.items():
        if name == "unit" and data.design.spec.slope_correlation:
            if effect.rank:
                coefficients = pm.Normal("unit_between", 0.0, between_sd, dims="unit_part")
                effects += pt.dot(effect.leading * np.sqrt(effect.size), coefficients)[effect.index]
            continue  # the effects themselves come with their slopes
        if not effect.n_contrasts:
            continue
        variance = between_sd**2 * effect.size * effect.has_part
        if effect.kind == "partial":
            sd = _prior(f"{name}_sd", f"{name}_sd", priors[f"{name}_sd"])
            variance = variance + sd**2
            level_variance = level_variance + sd**2 / effect.size
        effects += _contrasts(name, effect, variance)[effect.index]
    if data.has_flat_level:
        return pm.Flat("level"), effects
    return pm.Normal(
        "level", pm.Data("intercept_mu", priors["intercept"].parameters["mu"]), pt.sqrt(level_variance)
    ), effects


def _offsets(name: str, sd: Any, data: ModelData, centred: bool) -> Any:
    """Groups' deviations from the common slope, shape (G,)."""
    import pymc as pm

    if data.design.spec.slope_pooling == "exchangeable":
        if centred:
            return pm.Normal(name, 0.0, sd, dims="group")
        return pm.Deterministic(name, sd * pm.Normal(f"{name}_raw", 0.0, 1.0, dims="group"), dims="group")
    if centred:
        return pm.ZeroSumNormal(name, sigma=sd, dims="group")
    return pm.Deterministic(name, sd * pm.ZeroSumNormal(f"{name}_raw", sigma=1.0, dims="group"), dims="group")


def _unit_slopes(data: ModelData, priors: PriorSet) -> Any:
    """What slopes of units add to the mean; with a correlation, their effects too."""
    import pymc as pm
    import pytensor.tensor as pt

    design, spec = data.design, data.design.spec
    total = pt.zeros(design.n_obs)
    if not spec.unit_slopes:
        return total
    columns = data.unit_slope_columns
    raw = pm.Normal("unit_slope_raw", 0.0, 1.0, dims="unit")
    sd = _prior("unit_slope_sd", "unit_slope_sd", priors["unit_slope_sd"])
    if spec.slope_correlation:
        r = _prior("slope_correlation", "slope_correlation", priors["slope_correlation"])
        unit_sd = _prior("unit_sd", "unit_sd", priors["unit_sd"])
        unit_raw = pm.Normal("unit_effect_raw", 0.0, 1.0, dims="unit")
        total += pm.Deterministic("unit_effect", unit_sd * unit_raw, dims="unit")[design.unit]
        raw = r * unit_raw + pt.sqrt((1 - r) * (1 + r)) * raw
    total += pm.Deterministic("unit_slope", sd * raw, dims="unit")[design.unit] * columns[:, 0]
    if spec.varying:
        sds = _prior("unit_control_slope_sd", "unit_slope_sd", priors["unit_slope_sd"], dims="varying")
        raw = pm.Normal("unit_control_slope_raw", 0.0, 1.0, dims=("varying", "unit"))
        slopes = pm.Deterministic("unit_control_slope", sds[:, None] * raw, dims=("varying", "unit"))
        total += (slopes[:, design.unit] * columns[:, 1:].T).sum(axis=0)
    return total


def _loading_sd(priors: PriorSet, name: str, slot: str, at: int) -> Any:
    return _prior(name, slot, priors[slot], dims=None if at == WHOLE else "factor_number")


def _errors(data: ModelData, priors: PriorSet) -> tuple[Any, Any]:
    """SDs of innovations of one step, and share and variance of the errors' memory (None without)."""
    errors = data.design.spec.errors

    def prior(name: str) -> Any:
        return _prior(name, name, priors[name])

    sd = None
    for part in parts(errors):
        if part.scale:
            sd = part.scale.pymc(data, prior, sd)
    memory = memory_of(errors)
    return sd, memory.pymc(data, prior) if memory else None


def _likelihood(fitted: Any, data: ModelData, priors: PriorSet, errors: tuple[Any, Any] | None) -> None:
    """The outcome given the rows before it, by the parts of the error model."""
    import pymc as pm
    import pytensor.tensor as pt

    observed = pm.Data("outcome", data.outcome, dims="observation")
    options = {"observed": observed, "dims": "observation"}

    def prior(name: str) -> Any:
        return _prior(name, name, priors[name])

    sd, memory = _errors(data, priors) if errors is None else errors
    shape = shape_of(data.design.spec.errors)
    if memory:
        share, variance = memory
        later, error = np.flatnonzero(data.gaps > 0), observed - fitted
        fitted = pt.inc_subtensor(fitted[later], share * error[later - 1])
        sd = sd * pt.sqrt(variance)
    if shape:
        shape.pymc("y", prior, fitted, sd, **options)
    else:
        pm.Normal("y", fitted, sd, **options)


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
        intercept, {unit,time}_effect, {unit,time}_between, `OWN_NAMES` and those of the errors, where the model has
        them.
    """
    random = np.random.default_rng(seed)
    priors = priors.on_within_scale(data.design.scales)
    out = {name: draws[name] for name in (*OWN_NAMES, *top_priors(), *error_effects()) if name in draws}
    if "free_slope" in draws:
        out.update(common_and_offsets(draws["free_slope"]))
    shape = draws["level"].shape
    correlated = data.design.spec.slope_correlation
    intercept_prior = priors["intercept"].parameters
    means = {
        name: draws[f"{name}_sd"] ** 2 / effect.size
        for name, effect in data.effects.items()
        if effect.kind == "partial" and not (name == "unit" and correlated)
    }
    remaining = draws["level"] - intercept_prior["mu"]
    own_variance = np.inf if data.has_flat_level else intercept_prior["sigma"] ** 2
    total = own_variance + np.sum(list(means.values()), axis=0)
    for name, effect in data.effects.items():
        if not effect.n_contrasts or (name == "unit" and correlated):
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
            spread = np.sqrt(variance * (1 - variance / total))
            mean = remaining * variance / total + spread * random.standard_normal(shape)
            remaining, total = remaining - mean, total - variance
            out[f"{name}_effect"] = own @ effect.basis.T + mean[..., None]
        else:
            own = contrasts * (1 - effect.has_part)  # all of it for a fixed effect, nothing where there is none
            if effect.kind == "fixed":
                out[f"{name}_effect"] = contrasts @ effect.basis.T
        if effect.rank:
            out[f"{name}_between"] = (contrasts - own)[..., : effect.rank] / np.sqrt(effect.size)
    out["intercept"] = remaining + intercept_prior["mu"]
    return _with_loadings(out, draws, data, priors) if loads(data.design.spec) else out


def _with_loadings(
    out: dict[str, np.ndarray], draws: dict[str, np.ndarray], data: ModelData, priors: PriorSet
) -> dict[str, np.ndarray]:
    """Parameters as stored: all that a unit has of each column of time, shifts, signs of factors aligned."""
    shape = draws["level"].shape
    whole = {**out, **{name: draws[name] for name in ("free_slope", PART) if name in draws}}
    deviations = [draws[f"loading_{k}_deviation"] for k in range(factors_of(data.design.spec.errors))]
    if deviations:
        whole["loading"] = np.stack(deviations, axis=-2)
    whole |= {column.variable: draws[f"{column.variable}_deviation"] for column in data.time_columns}
    made = int(np.prod(shape))  # -1 says nothing of a variable without elements
    flat = {name: values.reshape(made, *values.shape[2:]) for name, values in whole.items()}
    flat = stored(flat, data, sloped_coefficients(flat, data, priors))
    flat.pop("free_slope", None)
    if deviations:
        flat = aligned(flat, sum(bool(column.scale) for column in data.time_columns))
    return {name: values.reshape(*shape, *values.shape[1:]) for name, values in flat.items()}


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

    known = pm.modelcontext(None).named_vars
    data = {}
    for key, value in prior.parameters.items():
        label = f"{slot}_{key}"
        data[key] = known[label] if label in known else pm.Data(label, value)
    # Bounds fix the transformation of the sampler, so they and what stands beside them are not data.
    given = prior.parameters if set(BOUNDS) & set(data) else data
    return prior.definition.pymc(name, dims, **given)
