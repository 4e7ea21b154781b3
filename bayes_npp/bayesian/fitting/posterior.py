"""Draws of the parameters -> the tree every engine returns: same variables, same dimensions, same groups."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_npp.bayesian.model.error_models import effects
from bayes_npp.bayesian.model.likelihood import log_likelihood
from bayes_npp.bayesian.model.loadings import common_component
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import PriorSet, prior_of, role
from bayes_npp.panels.calendar import shown

if TYPE_CHECKING:
    import xarray as xr

CACHE_CELLS = 2_000_000  # draws x rows whose log likelihood is computed at once
PART_CELLS = 100_000  # and, above, in parts
CHUNK_CELLS = 10_000_000  # draws x rows laid out at a time
POINTWISE_CELLS = 50_000_000  # above this many draws x rows, sums and moments replace pointwise storage
DIMS = {
    "slope_offset": ("group",),
    "control_slope": ("control",),
    "control_slope_sd": ("varying",),
    "control_offset": ("varying", "group"),
    "unit_effect": ("unit",),
    "time_effect": ("time",),
    "group_time_effect": ("group_time",),
    "unit_slope": ("unit",),
    "unit_control_slope": ("varying", "unit"),
    "unit_control_slope_sd": ("varying",),
    "unit_between": ("unit_part",),
    "time_between": ("time_part",),
    "mediator_unit_between": ("mediator_unit_part",),
    "mediator_time_between": ("mediator_time_part",),
    "loading_sd": ("factor_number",),
    "loading_between": ("loading_part",),
    "unit_shift": ("unit",),
    "time_shift": ("time",),
    "common_component": ("unit", "time"),
    "missing_cell": ("missing",),
    "group_slope": ("group",),
    "slope_of_unit": ("unit",),
}
UNIT_LEVEL = (
    "unit_effect",
    "unit_slope",
    "unit_control_slope",
    "slope_of_unit",
    "unit_shift",
    "time_shift",
    "unit_trend",
)
TURNED = ("factor", "loading", "loading_sd", "loading_between", "common_component")


def reported(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the sampler's diagnostics judge: everything but the effects and slopes of single units.

    Signs and order of factors are free, so of factors only what does not depend on them: the root mean square over
    units, period by period, of what they give.
    """
    judged = {name: values for name, values in parameters.items() if name not in (*UNIT_LEVEL, *TURNED)}
    judged = {name: values for name, values in judged.items() if not re.fullmatch(r"exposure_loading(_\d+)?", name)}
    if "factor" in parameters:
        judged["common_component"] = np.sqrt((common_component(parameters) ** 2).mean(axis=-2))
    return judged


def dataset(arrays: dict[str, np.ndarray], data: ModelData, lead: tuple[str, ...] = ("chain", "draw")) -> "xr.Dataset":
    """Arrays as a Dataset with the labels of the design."""
    import xarray as xr

    design, dims = data.design, DIMS | effects()
    coords = {
        "group": list(design.groups),
        "control": list(design.spec.controls),
        "varying": list(design.spec.varying),
        "unit": list(design.units),
        "time": shown(design.times),
        "group_time": list(design.group_times),
    }
    dims |= {column.variable: ("unit",) for column in data.time_columns}
    variables = {name: ((*lead, *dims.get(name, ())), values) for name, values in arrays.items()}
    used = {dim for own, _ in variables.values() for dim in own}
    return xr.Dataset(variables, coords={name: labels for name, labels in coords.items() if name in used})


def build_tree(
    parameters: dict[str, np.ndarray],
    data: ModelData,
    priors: PriorSet,
    stats: "xr.Dataset",
    totals: dict[str, np.ndarray] | None = None,
    likelihood_of_rows: np.ndarray | None = None,
) -> "xr.DataTree":
    """Groups posterior, sample_stats, log_likelihood, log_prior, observed_data, constant_data.

    Parameters
    ----------
    parameters : dict of ndarray, shapes (chain, draw, ...)
    totals : dict, optional
        For a panel above `POINTWISE_CELLS`: `log_likelihood` (chain, draw), its sum over rows, in place of the rows;
        and moments of the effects of units, (N,) or (V, N), which are then not in the posterior.
    likelihood_of_rows : ndarray, shape (chain, draw, n), optional
        Log likelihood of every row where `data` alone does not give it: columns that differ from draw to draw.
    """
    import xarray as xr

    design = data.design
    parameters = {**parameters, **in_data_units(parameters, data)}
    if "factor" in parameters and parameters["intercept"].size * design.n_obs <= CACHE_CELLS:
        parameters["common_component"] = common_component(parameters)
    taken = priors.on_within_scale(design.scales)
    log_prior = {
        name: taken.of(name).log_density(parameters[name])
        for name in prior_of()
        if name in parameters and parameters[name].size and taken.of(name).proper
        if not (name == "intercept" and data.has_flat_level)
    }
    if data.design.spec.slope_pooling == "none" and "exposure_slope" in log_prior:
        slopes = parameters["exposure_slope"][..., None] + parameters["slope_offset"]
        log_prior["exposure_slope"] = priors["exposure"].log_density(slopes).sum(axis=-1)
    observation = np.arange(design.n_obs)
    if design.n_obs <= 100_000:
        labels = zip(design.unit, design.time, strict=True)
        observation = np.array([f"{design.units[u]} {design.times[t]}" for u, t in labels])
    if totals is None:
        own = pointwise(parameters, data) if likelihood_of_rows is None else likelihood_of_rows
        rows = {"y": (("chain", "draw", "observation"), own)}
        likelihood = xr.Dataset(rows, {"observation": observation})
    else:
        likelihood = xr.Dataset({"y_total": (("chain", "draw"), totals["log_likelihood"])})
    constants: dict[str, Any] = {
        "controls": (("observation", "control"), design.controls),
        "unit_index": ("observation", design.unit),
        "time_index": ("observation", design.time),
    }
    if design.exposure is not None:
        constants["exposure"] = ("observation", design.exposure)
    if design.se is not None:
        constants["se"] = ("observation", design.se)
    groups = {
        "posterior": dataset(parameters, data),
        "sample_stats": stats,
        "log_likelihood": likelihood,
        "log_prior": dataset(log_prior, data),
        "observed_data": xr.Dataset({"y": ("observation", data.outcome)}, {"observation": observation}),
        "constant_data": xr.Dataset(constants, {"observation": observation, "control": list(design.spec.controls)}),
    }
    if totals is not None and len(totals) > 1:
        moments = {n: (("varying", "unit")[-v.ndim :], v) for n, v in totals.items() if n != "log_likelihood"}
        groups["unit_moments"] = xr.Dataset(moments, {"unit": list(design.units)})
    tree = xr.DataTree.from_dict(groups)
    for name, array in tree["posterior"].data_vars.items():
        array.attrs["prior_role"] = role(str(name))
    return tree


def spaced(n_draws: int, some: int) -> np.ndarray:
    """Positions of evenly spaced draws."""
    return np.linspace(0, n_draws - 1, min(some, n_draws)).astype(int)


def pointwise(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log likelihood of every row, shape (chain, draw, n); beyond `CACHE_CELLS` for some draws at a time, which the
    processor's cache holds: several times as quick."""
    n_chains, n_draws = parameters["intercept"].shape
    n_obs = data.design.n_obs
    if n_chains * n_draws * n_obs <= CACHE_CELLS:
        return log_likelihood(parameters, data)
    out = np.empty((n_chains, n_draws, n_obs))
    step = max(1, PART_CELLS // n_obs)

    def fill(at: tuple[int, slice]) -> None:
        out[at] = log_likelihood({name: values[at] for name, values in parameters.items()}, data)

    parts = [(c, slice(begin, begin + step)) for c in range(n_chains) for begin in range(0, n_draws, step)]
    with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(fill, parts))
    return out


def in_data_units(parameters: dict[str, np.ndarray], data: ModelData) -> dict[str, np.ndarray]:
    """Slopes of the exposure in the data's units: `slope`, or `group_slope` and `slope_of_unit`."""
    design = data.design
    if design.spec.exposure is None:
        return {}
    unit = design.scales.outcome_sd / design.scales.divisors[design.spec.exposure]
    out = {}
    slopes = parameters["exposure_slope"][..., None] + parameters.get("slope_offset", 0.0)
    if design.groups:
        out["group_slope"] = slopes * unit
    else:
        out["slope"] = slopes[..., 0] * unit
    if "unit_slope" in parameters:
        group = np.zeros(len(design.units), dtype=int)
        if design.group is not None:
            group[design.unit] = design.group
        out["slope_of_unit"] = (slopes[..., group] + parameters["unit_slope"]) * unit
    return out
