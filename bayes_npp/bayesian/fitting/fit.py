"""Fit a hierarchical model: from panel, specification and priors to a posterior with its diagnostics and estimates."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayes_npp.bayesian.collapsed.collapsed import collapse, why_not_collapsible
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.unit_summaries import slopes_of_units
from bayes_npp.bayesian.fitting.coefficients import PosteriorCoefficients
from bayes_npp.bayesian.fitting.collapsed_draws import (
    ThetaDraws,
    draw_thetas,
    points_dataset,
    points_of,
    with_coefficients,
)
from bayes_npp.bayesian.fitting.diagnostics import Gate, diagnose, diagnostics_from
from bayes_npp.bayesian.fitting.drawn import Drawn
from bayes_npp.bayesian.fitting.error_ladder import AUTO, ERRORS, ErrorRung, carried, climb_errors, with_errors
from bayes_npp.bayesian.fitting.plots import Plots
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS, build_tree, reported, spaced
from bayes_npp.bayesian.fitting.predictive_checks import (
    CHECKED_DRAWS,
    Discrepancy,
    PredictiveCheck,
    discrepancies_at,
    errors_verdict,
)
from bayes_npp.bayesian.fitting.quantities import estimates_of
from bayes_npp.bayesian.fitting.sample import Sampler, compile_model, draw, make_sampler
from bayes_npp.bayesian.fitting.saved import read_fit, write_fit
from bayes_npp.bayesian.fitting.slope_probabilities import NormalSlopes, normal_slopes
from bayes_npp.bayesian.model.error_models import label_of
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import PriorSet, check_priors
from bayes_npp.bayesian.priors.stated import Stated, stated_priors
from bayes_npp.design.design import Design, build_design
from bayes_npp.design.slope_contrasts import weighed
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import Estimates, drawn_share, positive
from bayes_npp.panels.panel import Panel

if TYPE_CHECKING:
    import xarray as xr

ENGINES = ("auto", "importance", "collapsed", "nuts")


@dataclass(frozen=True, repr=False)
class Fit(PosteriorCoefficients, Drawn):
    """A posterior and what it was made from.

    It has the names of a regression (`PosteriorCoefficients`); `save(path)` keeps it, `Fit.load(path)` reads it.

    Attributes
    ----------
    data : ModelData
    priors : PriorSet
    sampler : Sampler
    engine : "importance", "collapsed", "nuts" or "gibbs" (`joint_fit`)
        What sampled it.
    tree : DataTree
        Groups posterior, sample_stats, log_likelihood, log_prior, observed_data, constant_data. Parameters are on the
        standardised scale; `group_slope` (`slope` without groups, `slope_of_unit`) is in the data's units. Draws are
        equally weighted; `weighted_points` has what those of "importance" were resampled from.
    diagnostics : Diagnostics or WeightDiagnostics
        Of the sampler alone; `checks` are those of the errors.
    why : str
        Why chains were run where importance weights might have been; empty otherwise.
    ladder : tuple of ErrorRung
        The error models tried, each with its own fit, where the errors were left to the ladder; else empty.
    """

    data: ModelData
    priors: PriorSet
    sampler: Sampler
    engine: str
    tree: "xr.DataTree"
    diagnostics: Gate
    why: str = ""
    ladder: tuple[ErrorRung["Fit"], ...] = ()

    def headline(self) -> str:
        rows = f"{self.design.n_obs} rows, {len(self.design.units)} units, {len(self.design.times)} periods"
        return f"Fit: {self.label}, {self.spec.errors} errors; {rows}; {self.verdict}"

    def save(self, path: str | Path) -> None:
        """Write the fit with its design as one netCDF file; the other rungs of a ladder are left out.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        write_fit(self.tree, self.design, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Fit":
        """The fit that `save` wrote; `OutputError` where there is none, or it was altered."""
        return restore(*read_fit(Path(path)))

    @cached_property
    def checks(self) -> tuple[PredictiveCheck, ...]:
        """Posterior predictive checks of the errors."""
        return self.predictive_checks()

    @property
    def plot(self) -> Plots:
        """Plots by arviz-plots: `fit.plot.forest()`, `.pooling()`, `.checks()`, `.factor()` and ArviZ's own by name."""
        return Plots(self, partial(_pooled_otherwise, self))

    @property
    def verdict(self) -> str:
        """What passed and what failed, of the sampler and of the errors."""
        return f"{self.diagnostics}; errors: {errors_verdict(self.checks)}"

    @property
    def passed(self) -> bool:
        """Whether the sampler passes its diagnostics, and the errors all their checks."""
        return self.diagnostics.passed and all(check.passed for check in self.checks)

    @property
    def is_collapsed(self) -> bool:
        """Whether the coefficients were integrated out."""
        return self.engine in ("importance", "collapsed")

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

    @cached_property
    def thetas(self) -> np.ndarray:
        """Draws of the collapsed sampler's theta on the unconstrained scale, shape (S, d)."""
        if not self.is_collapsed:
            raise SpecError(f"engine '{self.engine}' has no collapsed draws", fix="Fit it with engine = 'collapsed'")
        theta = self.tree["sample_stats"]["theta"].to_numpy()
        return np.ascontiguousarray(theta.reshape(theta.shape[0] * theta.shape[1], theta.shape[2]))

    def parameters(self, draws: int) -> dict[str, np.ndarray]:
        """Every variable of the posterior at that many evenly spaced draws, shape (draws, ...)."""
        names = [str(name) for name in self.tree["posterior"].data_vars]
        some = spaced(len(self.values(names[0])), draws)
        if "y_total" in self.tree["log_likelihood"]:  # the effects of units are not among the stored draws
            return self.collapsed.coefficients(self.thetas[some], self.sampler.seed, with_units=True)
        return {name: self.values(name)[some] for name in names}

    @cached_property
    def normal_slopes(self) -> NormalSlopes | None:
        """The slopes given the scales and shapes, draw by draw or point by point; None where they are not normal."""
        if "weighted_points" not in self.tree:
            return normal_slopes(self.collapsed, self.priors, self.thetas) if self.is_collapsed else None
        return normal_slopes(self.collapsed, self.priors, *points_of(self.tree["weighted_points"].dataset))

    def probability(self, asked: str | np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Probability of a proposition about slopes: the mean of normal tails, or else a share of draws.

        `asked` is one such as "slope[East] > slope[West]", or weights w of sign * (w'slopes - cutoff) > 0, one a group.
        `SpecError` where it is neither.
        """
        weights, cutoff, sign = weighed(asked, self.design, cutoff, sign)
        if normal := self.normal_slopes:
            return normal.probability(weights, cutoff, sign)
        return float(drawn_share(positive(sign * (self.slopes @ weights - cutoff))))

    def monte_carlo_error(self, asked: str | np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Standard error of `probability` that the number of draws leaves."""
        weights, cutoff, sign = weighed(asked, self.design, cutoff, sign)
        normal, share = self.normal_slopes, self.probability(weights, cutoff, sign)
        variance = normal.variance(weights, cutoff, sign) if normal else share * (1 - share)
        return float(np.sqrt(variance / min(self.diagnostics.effective, len(self.slopes))))

    def slopes_of_units(self) -> np.ndarray:
        """Draws of units' slopes in the data's units, shape (S, N); drawn here where the tree keeps only moments."""
        posterior = self.tree["posterior"]
        if "slope_of_unit" in posterior:
            return self.values("slope_of_unit")
        coefficients = self.tree["sample_stats"]["collapsed_coefficients"].to_numpy()
        draws = {name: self.values(name) for name in ("exposure_slope", "slope_offset") if name in posterior}
        draws["collapsed_coefficients"] = np.ascontiguousarray(coefficients.reshape(-1, coefficients.shape[-1]))
        return slopes_of_units(self.collapsed, self.thetas, draws, self.sampler.seed)

    def estimates(self) -> Estimates:
        """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
        return estimates_of(self)

    @property
    def label(self) -> str:
        """The estimator's name in tables."""
        differences = ", first differences" if self.spec.transform == "first_difference" else ""
        dynamics = ", dynamic" if self.spec.dynamic else ""
        return "hierarchical" + (f" x {self.spec.slopes}" if self.spec.slopes else "") + differences + dynamics

    def predictive_checks(self) -> tuple[PredictiveCheck, ...]:
        """Checks of the errors; imputed cells as each draw has them, scales of units and periods drawn anew."""
        return tuple(one.check for one in self.discrepancies())

    def discrepancies(self) -> tuple[Discrepancy, ...]:
        """Draws of what the checks of the errors compare."""
        stats, seed = self.tree["sample_stats"], self.sampler.seed
        if "innovation" not in stats:
            parameters = self.parameters(max(20, min(CHECKED_DRAWS, CHUNK_CELLS // self.design.n_obs)))
            return discrepancies_at(parameters, self.data, seed)
        at = stats["checked_draw"].to_numpy()
        parameters = {str(name): self.values(str(name))[at] for name in self.tree["posterior"].data_vars}
        return discrepancies_at(parameters, self.data, seed, stats["innovation"].to_numpy())


def fit(
    panel: Panel,
    spec: Spec,
    priors: Stated = "weakly_informative",
    engine: str = "auto",
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
    tune: int | None = None,
    target_accept: float | None = None,
    errors: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Fit:
    """Fit the hierarchical model of a specification.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Without `slopes` the exposure has one common slope; with a grouping column each group has its own, partially
        pooled towards their mean; with "unit", or "<group>/unit", each unit.
    priors : str, PriorSet or dict
        A named set of `models/priors`, a .toml file, or priors by parameter over a named set, on the standardised or
        the data's scale (`stated.stated_priors`); `bn.prior_preview` shows what they imply.
    engine : {"auto", "importance", "collapsed", "nuts"}
        "importance" and "collapsed" integrate all coefficients out; the scales and shapes left, where they are few, are
        weighted points, or sampled by NUTS. "nuts" is the full PyMC model sampled with nutpie. "auto" is the first of
        the three that is exact and passes its diagnostics: `Fit.engine` says which, `Fit.why` why not "importance".
    draws, chains, seed
        Of the sampler.
    tune, target_accept : optional
        Default: what suits the engine (`sample.make_sampler`).
    errors : str, optional
        In place of those of `spec`. "auto": the first rung of the ladder that passes its checks
        (`error_ladder.climb_errors`); `Fit.ladder` has every rung tried.
    progress : callable, optional
        Called with a line before each rung; by default lines on a terminal, and nothing elsewhere.

    Raises
    ------
    DesignError, SpecError, PanelError
    """

    def fitted(design: Design) -> Fit:
        chosen, own = choose_engine(design.spec, engine), stated_priors(priors, design)
        return fit_design(design, own, make_sampler(chosen, draws, chains, seed, tune, target_accept), chosen)

    if errors != AUTO:
        return fitted(build_design(panel, with_errors(spec, errors or spec.errors)))
    panel.check_distances("errors = 'auto', which tries AR(1) errors,")
    return fit_ladder(lambda tried: build_design(panel, with_errors(spec, tried)), fitted, progress)


def fit_ladder(
    build: Callable[[str], Design], fit: Callable[[Design], Fit], progress: Callable[[str], None] | None = None
) -> Fit:
    """The fit with the errors that the ladder picks, and the rungs with it.

    `build` makes the design with such errors; `progress` is called with a line before each rung (default: a terminal).
    """
    say = progress or (partial(print, file=sys.stderr) if sys.stderr.isatty() else lambda line: None)

    def rung(errors: str) -> tuple[Fit, tuple[PredictiveCheck, ...]] | None:
        if (design := carried(lambda: build(errors), errors)) is None:
            return None
        say(f"{design.spec.outcome}: errors {label_of(errors)}")
        return (one := fit(design)), one.checks

    climbed = climb_errors(ERRORS, rung, sampled=lambda one: one.diagnostics.passed)
    return replace(next(one.fit for one in climbed if one.chosen), ladder=climbed)


def fit_design(design: Design, priors: PriorSet, sampler: Sampler, engine: str) -> Fit:
    """Fit a design with what `choose_engine` gave."""
    check_priors(priors, design.spec)
    data = prepare(design)
    if engine == "nuts":
        return sample_full(data, priors, sampler)
    return fit_collapsed(collapse(data, priors), priors, sampler, engine)


def _pooled_otherwise(fit: Fit, slope_pooling: str) -> Fit:
    """The same model with each group's slope on its own ("none"), or with one slope ("complete")."""
    changes: dict[str, object] = {"slope_pooling": "none", "varying": ()}
    design = fit.design
    if slope_pooling == "complete":
        changes = {"slopes": None, "varying": (), "slope_pooling": "sum_to_zero"}
        design = replace(design, group=None, groups=())
    design = replace(design, spec=Spec(**{**design.spec.model_dump(), **changes}))
    return fit_design(design, fit.priors, fit.sampler, "nuts" if fit.engine == "nuts" else "auto")


def choose_engine(spec: Spec, engine: str) -> str:
    """The engine asked for; "nuts" in place of "auto" where coefficients do not integrate out."""
    if engine not in ENGINES:
        raise SpecError(f"unknown engine '{engine}'", fix=f"Use {', '.join(ENGINES)}")
    return "nuts" if engine == "auto" and why_not_collapsible(spec) else engine


def fit_collapsed(collapsed: Collapsed, priors: PriorSet, sampler: Sampler, engine: str = "collapsed") -> Fit:
    """Draw from a collapsed posterior by an engine (`draw_thetas`), its coefficients included."""
    return assemble_collapsed(collapsed, priors, sampler, draw_thetas(collapsed, sampler, engine))


def assemble_collapsed(collapsed: Collapsed, priors: PriorSet, sampler: Sampler, drawn: ThetaDraws) -> Fit:
    """Coefficients, tree and diagnostics from draws of theta."""
    parameters, stats, totals = with_coefficients(collapsed, sampler, drawn)
    engine = "collapsed" if drawn.points is None else "importance"
    made = drawn.sampler or sampler
    return _finish(collapsed.data, priors, made, engine, parameters, stats, totals, drawn=drawn)


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
    drawn: ThetaDraws | None = None,
) -> Fit:
    tree, why = build_tree(parameters, data, priors, stats, totals), drawn.why if drawn else ""
    diagnostics: Gate
    if drawn and drawn.points:
        diagnostics = drawn.points.diagnostics.with_draws(parameters)
        tree["weighted_points"] = points_dataset(drawn.points)
    else:
        diagnostics = diagnose(reported(parameters) if sampled is None else sampled, stats, parameters)
    tree.attrs = {
        "spec": data.design.spec.model_dump_json(),
        "priors": priors.model_dump_json(),
        "sampler": json.dumps(sampler.as_dict()),
        "engine": engine,
        "why": why,
        "scales": json.dumps(data.design.scales.as_dict()),
        "diagnostics": json.dumps(diagnostics.as_dict()),
    }
    return Fit(data, priors, sampler, engine, tree, diagnostics, why)


def restore(tree: "xr.DataTree", design: Design, priors: PriorSet, sampler: Sampler) -> Fit:
    """A Fit from a stored tree and the design, priors and sampler it was made with."""
    diagnostics = diagnostics_from(json.loads(tree.attrs["diagnostics"]))
    return Fit(prepare(design), priors, sampler, tree.attrs["engine"], tree, diagnostics, tree.attrs.get("why", ""))
