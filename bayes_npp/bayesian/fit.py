"""Fit a hierarchical model: from panel, specification and priors to a posterior with its diagnostics and estimates."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayes_npp.bayesian.diagnostics import Diagnostics, diagnose
from bayes_npp.bayesian.model import ModelData, build_model, fitted_values, model_data, separate
from bayes_npp.bayesian.predictive import DRAWS, PredictiveCheck, error_checks
from bayes_npp.bayesian.priors import GROUP_PRIORS, PRIOR_OF, PriorSet, load_priors
from bayes_npp.bayesian.sample import Sampler, compile_model, draw
from bayes_npp.design import Design, build_design, check_identified, group_pairs, twfe_weights
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import Estimates, estimates_from_rows
from bayes_npp.panel import Panel
from bayes_npp.spec import Spec

if TYPE_CHECKING:
    import xarray as xr

LEVEL = 0.95
EFFECT_DIMS = {
    "slope_offset": ("group",),
    "control_slope": ("control",),
    "unit_effect": ("unit",),
    "time_effect": ("time",),
    "unit_between": ("unit_part",),
    "time_between": ("time_part",),
    "group_slope": ("group",),
}


@dataclass(frozen=True)
class Fit:
    """A posterior and what it was made from.

    Attributes
    ----------
    data : ModelData
    priors : PriorSet
    sampler : Sampler
    tree : DataTree
        Groups posterior, sample_stats, log_likelihood, log_prior, observed_data, constant_data. Parameters are on the
        standardised scale; `group_slope` (and `slope` without groups) is in the data's units.
    diagnostics : Diagnostics
    """

    data: ModelData
    priors: PriorSet
    sampler: Sampler
    tree: "xr.DataTree"
    diagnostics: Diagnostics

    @property
    def design(self) -> Design:
        return self.data.design

    @property
    def spec(self) -> Spec:
        return self.design.spec

    def values(self, name: str) -> np.ndarray:
        """Posterior draws of a variable with chains stacked, shape (S, ...)."""
        array = self.tree["posterior"][name].to_numpy()
        return array.reshape(-1, *array.shape[2:])

    @cached_property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1)), one column a group."""
        return self.values("group_slope") if self.design.groups else self.values("slope")[:, None]

    def estimates(self) -> Estimates:
        """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
        design, scales = self.design, self.design.scales
        note = "" if self.diagnostics.passed else f"sampler diagnostics {self.diagnostics.verdict}"
        rows = [_row(draws, **labels) for labels, draws in self._slope_quantities()]
        if design.spec.controls:
            slopes = self.values("control_slope") * scales.outcome_sd / scales.of(*design.spec.controls)
            rows += [
                _row(slopes[:, k], term=name, estimand="coefficient") for k, name in enumerate(design.spec.controls)
            ]
        for name in ("slope_sd", "unit_sd", "time_sd", "error_sd"):
            if name in self.tree["posterior"]:
                unit = scales.outcome_sd / (scales.divisors[design.spec.exposure] if name == "slope_sd" else 1.0)
                rows.append(_row(self.values(name) * unit, term=name, estimand="scale"))
        return estimates_from_rows(
            rows,
            paradigm="bayesian",
            estimator="hierarchical" + (f" x {design.spec.slopes}" if design.spec.slopes else ""),
            covariance=f"{design.spec.errors} errors",
            outcome=design.spec.outcome,
            spread_kind="sd",
            level=LEVEL,
            interval="eti",
            n_obs=design.n_obs,
            n_units=len(design.units),
            n_periods=len(design.times),
            sample="all",
            convention=f"priors: {self.priors.name}",
            note=note,
        )

    def predictive_checks(self) -> tuple[PredictiveCheck, ...]:
        """Posterior predictive checks of the errors' serial correlation and spread by unit."""
        residuals, error_sd = self.residuals()
        times = np.array(self.design.times)[self.design.time]
        return error_checks(residuals, error_sd, self.design.unit, times, seed=self.sampler.seed)

    def residuals(self) -> tuple[np.ndarray, np.ndarray]:
        """Standardised residuals (S, n) and error SDs (S,) of evenly spaced posterior draws."""
        names = self.tree["posterior"].data_vars
        total = self.values("error_sd").shape[0]
        some = np.linspace(0, total - 1, min(DRAWS, total)).astype(int)
        parameters = {str(name): self.values(str(name))[some] for name in names}
        return self.data.outcome - fitted_values(parameters, self.data), parameters["error_sd"]

    def _slope_quantities(self) -> list[tuple[dict[str, str], np.ndarray]]:
        """Every quantity of the exposure's slopes with its labels: averages, groups, differences."""
        design, term = self.design, self.design.spec.exposure
        targets_twfe = design.spec.correlated_means
        if not design.groups:
            estimand = "average_slope_twfe_weighted" if targets_twfe else "coefficient"
            return [({"term": term, "estimand": estimand}, self.slopes[:, 0])]
        n_groups = len(design.groups)
        averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_groups, 1 / n_groups)}
        if targets_twfe:
            averages = {"average_slope_twfe_weighted": twfe_weights(design), **averages}
        out = [({"term": term, "estimand": e}, self.slopes @ w) for e, w in averages.items()]
        for g, label in enumerate(design.groups):
            out.append(({"term": term, "group": label, "estimand": "group_slope"}, self.slopes[:, g]))
        for g, h in group_pairs(n_groups):
            label = f"{design.groups[g]} - {design.groups[h]}"
            labels = {"term": term, "group": label, "estimand": "slope_difference"}
            out.append((labels, self.slopes[:, g] - self.slopes[:, h]))
        return out


def fit(
    panel: Panel,
    spec: Spec,
    priors: str | PriorSet = "weakly_informative",
    engine: Literal["auto", "nuts"] = "auto",
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
    tune: int = 1000,
    target_accept: float = 0.98,
) -> Fit:
    """Fit the hierarchical model of a specification.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Without `slopes` the exposure has one common slope; with a grouping column each group has its own, partially
        pooled towards their mean (offsets sum to zero).
    priors : str or PriorSet
        A named set of `models/priors`, or a .toml file.
    engine : {"auto", "nuts"}
        "nuts" is the full PyMC model sampled with nutpie; "auto" picks it too, as the only engine.
    draws, chains, tune, target_accept, seed
        Of the sampler.

    Raises
    ------
    DesignError, SpecError, PanelError
    """
    if engine not in ("auto", "nuts"):
        raise SpecError(f"unknown engine '{engine}'", fix="Use 'auto' or 'nuts'")
    sampler = Sampler(draws=draws, tune=tune, chains=chains, target_accept=target_accept, seed=seed)
    return fit_design(build_design(panel, spec), load_priors(priors), sampler)


def fit_design(design: Design, priors: PriorSet, sampler: Sampler) -> Fit:
    """Fit a design: see `fit`."""
    data = prepare(design, priors)
    trace = draw(compile_model(build_model(data, priors)), sampler)
    return _assemble(data, priors, sampler, trace)


def prepare(design: Design, priors: PriorSet) -> ModelData:
    """The model's arrays, after checking that every slope is identified under the given priors."""
    data = model_data(design)
    names = (*([f"{design.spec.exposure}:{g}" for g in design.groups] or [design.spec.exposure]), *design.spec.controls)
    columns = np.column_stack([data.slope_columns, data.control_columns])
    raw = np.column_stack([design.slope_columns, design.controls])
    fixed = _both_fixed(design.spec)
    check_identified(raw / raw.std(axis=0), columns, names, "the hierarchical model")
    if fixed and not design.spec.correlated_means:
        raise DesignError(
            "fixed unit and period effects with correlated_means = false",
            fix="Fixed effects absorb the means: leave correlated_means at true",
        )
    return data


def _assemble(data: ModelData, priors: PriorSet, sampler: Sampler, trace: "xr.DataTree") -> Fit:
    """Separate the sampled coordinates into parameters and lay out the tree."""
    import xarray as xr

    design, scales = data.design, data.design.scales
    draws = {str(name): array.to_numpy() for name, array in trace["posterior"].data_vars.items()}
    parameters = separate(draws, data, priors, seed=sampler.seed)
    slope = parameters["exposure_slope"][..., None] + parameters.get("slope_offset", 0.0)
    slope = slope * scales.outcome_sd / scales.divisors[design.spec.exposure]
    parameters["group_slope" if design.groups else "slope"] = slope if design.groups else slope[..., 0]
    coords = {
        "group": list(design.groups),
        "control": list(design.spec.controls),
        "unit": list(design.units),
        "time": list(design.times),
    }

    def dataset(arrays: dict[str, np.ndarray], extra: tuple[str, ...] = ()) -> xr.Dataset:
        variables = {k: (("chain", "draw", *extra, *EFFECT_DIMS.get(k, ())), v) for k, v in arrays.items()}
        used = {dim for dims, _ in variables.values() for dim in dims}
        return xr.Dataset(variables, coords={k: v for k, v in coords.items() if k in used})

    fitted = fitted_values(parameters, data)
    sd = parameters["error_sd"][..., None]
    log_likelihood = -0.5 * ((data.outcome - fitted) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    log_prior = {
        name: priors[slot].log_density(parameters[name])
        for name, slot in PRIOR_OF.items()
        if name in parameters and priors[slot].family != "flat"
    }
    observation = [f"{design.units[u]} {design.times[t]}" for u, t in zip(design.unit, design.time, strict=True)]
    tree = xr.DataTree.from_dict(
        {
            "posterior": dataset(parameters),
            "sample_stats": trace["sample_stats"].dataset,
            "log_likelihood": xr.Dataset(
                {"y": (("chain", "draw", "observation"), log_likelihood)}, {"observation": observation}
            ),
            "log_prior": dataset(log_prior),
            "observed_data": xr.Dataset({"y": ("observation", data.outcome)}, {"observation": observation}),
            "constant_data": xr.Dataset(
                {
                    "exposure": ("observation", design.exposure),
                    "controls": (("observation", "control"), design.controls),
                    "unit_index": ("observation", design.unit),
                    "time_index": ("observation", design.time),
                },
                {"observation": observation, "control": list(design.spec.controls)},
            ),
        }
    )
    for name, array in tree["posterior"].data_vars.items():
        role = "top" if name in PRIOR_OF else "group" if name in GROUP_PRIORS else "derived"
        array.attrs["prior_role"] = role
    diagnostics = diagnose(trace)
    tree.attrs = {
        "spec": design.spec.model_dump_json(),
        "priors": priors.model_dump_json(),
        "sampler": json.dumps(sampler.as_dict()),
        "scales": json.dumps(scales.as_dict()),
        "diagnostics": json.dumps(diagnostics.as_dict()),
    }
    return Fit(data, priors, sampler, tree, diagnostics)


def restore(tree: "xr.DataTree", design: Design, priors: PriorSet, sampler: Sampler) -> Fit:
    """A Fit from a stored tree and the design, priors and sampler it was made with."""
    diagnostics = Diagnostics(**json.loads(tree.attrs["diagnostics"]))
    return Fit(prepare(design, priors), priors, sampler, tree, diagnostics)


def _both_fixed(spec: Spec) -> bool:
    return spec.unit_effects == spec.time_effects == "fixed"


def _row(draws: np.ndarray, **labels: str) -> dict[str, Any]:
    lo, hi = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {
        **labels,
        "estimate": float(draws.mean()),
        "spread": float(draws.std(ddof=1)),
        "lo": float(lo),
        "hi": float(hi),
        "prob_positive": float((draws > 0).mean()) if labels["estimand"] != "scale" else np.nan,
    }
