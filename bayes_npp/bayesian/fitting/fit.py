"""Fit a hierarchical model: from panel, specification and priors to a posterior with its diagnostics and estimates."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.collapsed.collapsed import collapse, on_grid, why_not_collapsible
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.unit_summaries import slopes_of_units, summarise_units
from bayes_npp.bayesian.fitting.diagnostics import Diagnostics, diagnose
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS, POINTWISE_CELLS, build_tree, reported
from bayes_npp.bayesian.fitting.predictive_checks import CHECKED_DRAWS, PredictiveCheck, checks_at
from bayes_npp.bayesian.fitting.sample import Sampler, compile_model, draw, draw_density
from bayes_npp.bayesian.fitting.slope_probabilities import NormalSlopes, Weights, normal_slopes
from bayes_npp.bayesian.model.dynamic import long_run_summary, quantities
from bayes_npp.bayesian.model.error_models import ERROR_MODELS, top_priors
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import PriorSet, check_priors, load_priors
from bayes_npp.design.design import Design, build_design, group_pairs, twfe_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import LEVEL, NOT_PASSED, Estimates, drawn_share, estimates_from_rows, row_of_draws
from bayes_npp.panels.panel import Panel

if TYPE_CHECKING:
    import xarray as xr

ENGINES = ("auto", "collapsed", "nuts")
# Of each engine where the user does not say: the collapsed posterior has few dimensions and is nearly round.
TARGET_ACCEPT = {"collapsed": 0.9, "nuts": 0.98}
TUNE = {"collapsed": 500, "nuts": 1000}


@dataclass(frozen=True)
class Fit:
    """A posterior and what it was made from.

    Attributes
    ----------
    data : ModelData
    priors : PriorSet
    sampler : Sampler
    engine : "collapsed", "nuts" or "gibbs" (`joint_fit`)
        What sampled it.
    tree : DataTree
        Groups posterior, sample_stats, log_likelihood, log_prior, observed_data, constant_data. Parameters are on the
        standardised scale; `group_slope` (`slope` without groups, `slope_of_unit`) is in the data's units.
    diagnostics : Diagnostics
    """

    data: ModelData
    priors: PriorSet
    sampler: Sampler
    engine: str
    tree: "xr.DataTree"
    diagnostics: Diagnostics

    @property
    def design(self) -> Design:
        return self.data.design

    @property
    def spec(self) -> Spec:
        return self.design.spec

    @cached_property
    def collapsed(self) -> Collapsed:
        """The collapsed posterior of the same model; `SpecError` where there is none."""
        return collapse(self.data, self.priors)

    def values(self, name: str) -> np.ndarray:
        """Posterior draws of a variable with chains stacked, shape (S, ...)."""
        array = self.tree["posterior"][name].to_numpy()
        return array.reshape(-1, *array.shape[2:])

    @cached_property
    def thetas(self) -> np.ndarray:
        """Draws of the collapsed sampler's theta on the unconstrained scale, shape (S, d)."""
        if self.engine != "collapsed":
            raise SpecError(f"engine '{self.engine}' has no collapsed draws", fix="Fit it with engine = 'collapsed'")
        theta = self.tree["sample_stats"]["theta"].to_numpy()
        return np.ascontiguousarray(theta.reshape(theta.shape[0] * theta.shape[1], theta.shape[2]))

    def parameters(self, draws: int) -> dict[str, np.ndarray]:
        """Every variable of the posterior at that many evenly spaced draws, shape (draws, ...)."""
        names = [str(name) for name in self.tree["posterior"].data_vars]
        total = len(self.values(names[0]))
        some = np.linspace(0, total - 1, min(draws, total)).astype(int)
        if "y_total" in self.tree["log_likelihood"]:  # the effects of units are not among the stored draws
            return self.collapsed.coefficients(self.thetas[some], self.sampler.seed, with_units=True)
        return {name: self.values(name)[some] for name in names}

    @cached_property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1)), one column a group."""
        return self.values("group_slope") if self.design.groups else self.values("slope")[:, None]

    @cached_property
    def normal_slopes(self) -> NormalSlopes | None:
        """The slopes given the scales and shapes, draw by draw; None where they are not normal then."""
        return normal_slopes(self.collapsed, self.priors, self.thetas) if self.engine == "collapsed" else None

    def probability(self, weights: np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Probability of sign * (weights'slopes - cutoff) > 0: the mean of normal tails, or else a share of draws."""
        if normal := self.normal_slopes:
            return normal.probability(weights, cutoff, sign)
        return float(drawn_share(sign * (self.slopes @ weights - cutoff) > 0))

    def slopes_of_units(self) -> np.ndarray:
        """Draws of units' slopes in the data's units, shape (S, N); drawn here where the tree keeps only moments."""
        if "slope_of_unit" in self.tree["posterior"]:
            return self.values("slope_of_unit")
        names = [name for name in ("exposure_slope", "slope_offset") if name in self.tree["posterior"]]
        coefficients = self.tree["sample_stats"]["collapsed_coefficients"].to_numpy()
        draws = {name: self.values(name) for name in names}
        draws["collapsed_coefficients"] = np.ascontiguousarray(coefficients.reshape(-1, coefficients.shape[-1]))
        return slopes_of_units(self.collapsed, self.thetas, draws, self.sampler.seed)

    def estimates(self) -> Estimates:
        """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
        design, scales, spec = self.design, self.design.scales, self.spec
        note = "" if self.diagnostics.passed else f"{NOT_PASSED} {self.diagnostics.verdict}"
        rows = [self._slope_row(labels, of_slopes) for labels, of_slopes in self._slope_quantities()]
        if spec.controls:
            slopes = self.values("control_slope") * scales.outcome_sd / scales.of(*spec.controls)
            rows += [_row(slopes[:, k], term=name, estimand="coefficient") for k, name in enumerate(spec.controls)]
        if not spec.exposure and not spec.dynamic:
            level = scales.outcome_mean + scales.outcome_sd * self.values("intercept")
            rows.append(_row(level, term="intercept", estimand="coefficient"))
        for name, kind in scales_and_shapes().items():
            if name in self.tree["posterior"]:
                unit = scales.outcome_sd if kind else 1.0
                unit = unit / scales.divisors[spec.exposure] if kind == "slope" and spec.exposure else unit
                estimand = "scale" if name.endswith("_sd") else "coefficient"
                draws = self.values(name) * unit
                for k, own in enumerate(draws.T if draws.ndim == 2 else [draws], start=1):
                    rows.append(_row(own, term=f"{name} {k}" if k > 1 else name, estimand=estimand))
        for row in rows:
            row["note"] = "; ".join(part for part in (row.get("note", ""), note) if part)
        return estimates_from_rows(
            rows,
            paradigm="bayesian",
            estimator=self.label,
            covariance=f"{spec.errors} errors",
            outcome=spec.outcome,
            spread_kind="sd",
            level=LEVEL,
            interval="eti",
            n_obs=design.n_obs,
            n_units=len(design.units),
            n_periods=len(design.times),
            left_out=str(design.left_out),
            sample="all",
            convention=f"priors: {self.priors.name}",
        )

    @property
    def label(self) -> str:
        """The estimator's name in tables."""
        differences = ", first differences" if self.spec.transform == "first_difference" else ""
        dynamics = ", dynamic" if self.spec.dynamic else ""
        return "hierarchical" + (f" x {self.spec.slopes}" if self.spec.slopes else "") + differences + dynamics

    def predictive_checks(self) -> tuple[PredictiveCheck, ...]:
        """Checks of the errors; imputed cells as each draw has them, scales of units and periods drawn anew."""
        stats, seed = self.tree["sample_stats"], self.sampler.seed
        if "innovation" not in stats:
            parameters = self.parameters(max(20, min(CHECKED_DRAWS, CHUNK_CELLS // self.design.n_obs)))
            return checks_at(parameters, self.data, seed)
        at = stats["checked_draw"].to_numpy()
        parameters = {str(name): self.values(str(name))[at] for name in self.tree["posterior"].data_vars}
        return checks_at(parameters, self.data, seed, stats["innovation"].to_numpy())

    def _slope_row(self, labels: dict[str, str], of_slopes: np.ndarray | Weights) -> dict[str, Any]:
        """A row from draws, or from weights on the groups' slopes."""
        if not isinstance(of_slopes, Weights):
            return _row(of_slopes, **labels)
        return _row((self.slopes @ (w := of_slopes.on_groups)), **labels) | {"prob_positive": self.probability(w)}

    def _slope_quantities(self) -> list[tuple[dict[str, str], np.ndarray | Weights]]:
        """Every quantity of the exposure's slopes with its labels: averages, groups, differences."""
        design, spec = self.design, self.spec
        if spec.dynamic:
            return [*quantities(design, self.slopes if spec.exposure else np.empty(0), self.values("persistence"))]
        if spec.exposure is None:
            return []
        term, targets_twfe = {"term": spec.exposure}, spec.correlated_means and not spec.unit_slopes
        if spec.unit_slopes:
            return [*self._unit_slope_quantities(term)]
        if not design.groups:
            estimand = "average_slope_twfe_weighted" if targets_twfe else "coefficient"
            return [({**term, "estimand": estimand}, Weights(np.ones(1)))]
        n_groups = len(design.groups)
        averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_groups, 1 / n_groups)}
        if targets_twfe:
            averages = {"average_slope_twfe_weighted": twfe_weights(design), **averages}
        out = [({**term, "estimand": e}, Weights(w)) for e, w in averages.items()]
        return [*out, *self._population(term), *self._group_quantities(term)]

    def _unit_slope_quantities(self, term: dict[str, str]) -> list[tuple[dict[str, str], np.ndarray]]:
        """Slopes of units, their average over observations, and groups' slopes where units are nested in groups."""
        design, of_unit = self.design, self.slopes_of_units()
        out = [({**term, "estimand": "average_slope"}, of_unit @ (np.bincount(design.unit) / design.n_obs))]
        out += self._population(term)
        if design.groups:
            out += [(labels, self.slopes @ own.on_groups) for labels, own in self._group_quantities(term)]
        for i, label in enumerate(design.units):
            out.append(({**term, "group": label, "estimand": "group_slope"}, of_unit[:, i]))
        return out

    def _population(self, term: dict[str, str]) -> list[tuple[dict[str, str], np.ndarray]]:
        """The hyper-mean of exchangeable slopes."""
        if self.design.groups and self.spec.slope_pooling != "exchangeable":
            return []
        scales = self.design.scales
        unit = scales.outcome_sd / scales.divisors[term["term"]]
        return [({**term, "estimand": "population_slope"}, self.values("exposure_slope") * unit)]

    def _group_quantities(self, term: dict[str, str]) -> list[tuple[dict[str, str], Weights]]:
        groups, only = self.design.groups, np.eye(len(self.design.groups))
        out = []
        for g, label in enumerate(groups):
            out.append(({**term, "group": label, "estimand": "group_slope"}, Weights(only[g])))
        for g, h in group_pairs(len(groups)):
            labels = {**term, "group": f"{groups[g]} - {groups[h]}", "estimand": "slope_difference"}
            out.append((labels, Weights(only[g] - only[h])))
        return out


def fit(
    panel: Panel,
    spec: Spec,
    priors: str | PriorSet = "weakly_informative",
    engine: str = "auto",
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
    tune: int | None = None,
    target_accept: float | None = None,
) -> Fit:
    """Fit the hierarchical model of a specification.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Without `slopes` the exposure has one common slope; with a grouping column each group has its own, partially
        pooled towards their mean; with "unit", or "<group>/unit", each unit.
    priors : str or PriorSet
        A named set of `models/priors`, or a .toml file.
    engine : {"auto", "collapsed", "nuts"}
        "collapsed" integrates all coefficients out and samples scales and shapes; "nuts" is the full PyMC model sampled
        with nutpie; "auto" takes the collapsed sampler wherever it is exact. `Fit.engine` says which it was.
    draws, chains, seed
        Of the sampler.
    tune, target_accept : optional
        Default: what suits the engine (`TUNE`, `TARGET_ACCEPT`).

    Raises
    ------
    DesignError, SpecError, PanelError
    """
    engine = choose_engine(spec, engine)
    sampler = make_sampler(engine, draws, chains, seed, tune, target_accept)
    return fit_design(build_design(panel, spec), load_priors(priors), sampler, engine)


def fit_design(design: Design, priors: PriorSet, sampler: Sampler, engine: str) -> Fit:
    """Fit a design with one of the two engines."""
    check_priors(priors, design.spec)
    data = prepare(design)
    if engine == "collapsed":
        return sample_collapsed(collapse(data, priors), priors, sampler)
    return sample_full(data, priors, sampler)


def make_sampler(
    engine: str, draws: int, chains: int, seed: int, tune: int | None = None, target_accept: float | None = None
) -> Sampler:
    """Settings of a run, with the engine's defaults where none are given."""
    return Sampler(
        draws=draws,
        tune=TUNE[engine] if tune is None else tune,
        chains=chains,
        target_accept=TARGET_ACCEPT[engine] if target_accept is None else target_accept,
        seed=seed,
    )


def choose_engine(spec: Spec, engine: str) -> str:
    """The engine that runs: with "auto" the collapsed sampler wherever it is exact."""
    if engine not in ENGINES:
        raise SpecError(f"unknown engine '{engine}'", fix=f"Use {', '.join(ENGINES)}")
    if engine == "auto":
        return "nuts" if why_not_collapsible(spec) else "collapsed"
    return engine


def sample_collapsed(collapsed: Collapsed, priors: PriorSet, sampler: Sampler, start: np.ndarray | None = None) -> Fit:
    """Sample a collapsed posterior and draw its coefficients."""
    from bayes_npp.bayesian.collapsed.kernel import identity_callback

    draws = draw_density(collapsed.callback, identity_callback, collapsed.packed, collapsed.start, sampler)
    return assemble_collapsed(collapsed, priors, sampler, *draws)


def assemble_collapsed(
    collapsed: Collapsed, priors: PriorSet, sampler: Sampler, thetas: np.ndarray, stats: "xr.Dataset"
) -> Fit:
    """Coefficients, tree and diagnostics from draws of theta, shape (chain, draw, d)."""
    data, shape = collapsed.data, thetas.shape[:2]
    flat = np.ascontiguousarray(thetas.reshape(thetas.shape[0] * thetas.shape[1], thetas.shape[2]))
    large = data.design.n_obs * len(flat) > POINTWISE_CELLS
    if large and on_grid(data.design.spec):
        raise SpecError(
            f"{len(flat)} draws of {data.design.n_obs} rows with errors = '{data.design.spec.errors}' are too many",
            fix=f"Take at most {POINTWISE_CELLS // data.design.n_obs} draws in all",
        )
    draws = collapsed.coefficients(flat, sampler.seed, with_units=not large)
    totals = None
    stats = stats.assign(theta=(("chain", "draw", "element"), thetas))
    if large:
        summaries = summarise_units(collapsed, flat, draws, sampler.seed)
        totals = {"log_likelihood": summaries.log_likelihood.reshape(shape), **summaries.moments}
        if summaries.level is not None:
            draws["intercept"] = summaries.level
        # What draws of the units' effects on request start from.
        coefficients = draws["collapsed_coefficients"].reshape(*shape, -1)
        stats = stats.assign(collapsed_coefficients=(("chain", "draw", "column"), coefficients))
    marginal = draws.pop("collapsed_log_likelihood").reshape(shape)
    draws.pop("collapsed_coefficients")
    parameters = {name: values.reshape(*shape, *values.shape[1:]) for name, values in draws.items()}
    stats = stats.assign(collapsed_log_likelihood=(("chain", "draw"), marginal))
    return _finish(data, priors, sampler, "collapsed", parameters, stats, totals)


def sample_full(data: ModelData, priors: PriorSet, sampler: Sampler) -> Fit:
    """Sample the full PyMC model and separate its coordinates into parameters."""
    trace = draw(compile_model(build_model(data, priors)), sampler)
    draws = {str(name): array.to_numpy() for name, array in trace["posterior"].data_vars.items()}
    parameters = separate(draws, data, priors, seed=sampler.seed)
    judged = None if loads(data.design.spec) else draws  # signs of factors are free
    return _finish(data, priors, sampler, "nuts", parameters, trace["sample_stats"].dataset, sampled=judged)


def _finish(
    data: ModelData,
    priors: PriorSet,
    sampler: Sampler,
    engine: str,
    parameters: dict[str, np.ndarray],
    stats: "xr.Dataset",
    totals: dict[str, np.ndarray] | None = None,
    sampled: dict[str, np.ndarray] | None = None,
) -> Fit:
    tree = build_tree(parameters, data, priors, stats, totals)
    diagnostics = diagnose(reported(parameters) if sampled is None else sampled, stats, parameters)
    tree.attrs = {
        "spec": data.design.spec.model_dump_json(),
        "priors": priors.model_dump_json(),
        "sampler": json.dumps(sampler.as_dict()),
        "engine": engine,
        "scales": json.dumps(data.design.scales.as_dict()),
        "diagnostics": json.dumps(diagnostics.as_dict()),
    }
    return Fit(data, priors, sampler, engine, tree, diagnostics)


def restore(tree: "xr.DataTree", design: Design, priors: PriorSet, sampler: Sampler) -> Fit:
    """A Fit from a stored tree and the design, priors and sampler it was made with."""
    diagnostics = Diagnostics(**json.loads(tree.attrs["diagnostics"]))
    return Fit(prepare(design), priors, sampler, tree.attrs["engine"], tree, diagnostics)


def scales_and_shapes() -> dict[str, str]:
    """Rows beside the slopes, and the unit of each: "outcome", "slope" (outcome over exposure), or "" for none."""
    outcome = {name for part in ERROR_MODELS.values() for name in part.in_outcome_units}
    return {
        "slope_sd": "slope",
        "unit_slope_sd": "slope",
        "unit_sd": "outcome",
        "time_sd": "outcome",
        "group_time_sd": "outcome",
        "unit_trend_sd": "outcome",
        "exposure_loading_sd": "outcome",
        **{name: "outcome" if name in outcome else "" for name in top_priors()},
        "slope_correlation": "",
    }


def _row(draws: np.ndarray, **labels: str) -> dict[str, Any]:
    row = row_of_draws(draws, **labels)
    return {**row, **long_run_summary(draws, labels.get("note", ""))} if labels["estimand"] == "long_run" else row
