"""Fit a model with instruments: slopes, overall or by group, of an exposure that is correlated with the errors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bayes_npp.bayesian.fitting.collapsed_draws import enough_points, points_dataset, points_of
from bayes_npp.bayesian.fitting.diagnostics import Gate, diagnose, diagnostics_from
from bayes_npp.bayesian.fitting.drawn import Drawn
from bayes_npp.bayesian.fitting.fit import make_sampler
from bayes_npp.bayesian.fitting.importance import WeightedPoints, resampled, weigh
from bayes_npp.bayesian.fitting.sample import Sampler, compile_model, draw
from bayes_npp.bayesian.fitting.slope_probabilities import NormalSlopes
from bayes_npp.bayesian.instruments.density import KEPT, CollapsedInstruments, collapse_instruments
from bayes_npp.bayesian.instruments.equations import Equations, build_equations
from bayes_npp.bayesian.instruments.pymc_iv import build_iv_model
from bayes_npp.bayesian.instruments.rows import estimates_of_instruments
from bayes_npp.bayesian.instruments.strength import (
    EXCLUSIONS,
    FREE,
    Exclusion,
    Learned,
    as_dataset,
    from_dataset,
    missing,
)
from bayes_npp.bayesian.priors.sets import PriorSet, check_priors
from bayes_npp.bayesian.priors.stated import Stated, stated_priors
from bayes_npp.design.design import Design
from bayes_npp.design.slope_contrasts import weighed
from bayes_npp.design.spec import Spec
from bayes_npp.errors import ImportanceError, SpecError
from bayes_npp.estimates import TAILS, Estimates
from bayes_npp.panels.panel import Panel

if TYPE_CHECKING:
    import xarray as xr

ENGINES = ("auto", "importance", "nuts")


@dataclass(frozen=True, repr=False)
class InstrumentFit(Drawn):
    """The posterior of a model with instruments.

    Attributes
    ----------
    equations : Equations
    priors : PriorSet
    sampler : Sampler
    engine : "importance" or "nuts"
    tree : DataTree
        Groups posterior and sample_stats, of "importance" weighted_points too. Parameters are on the standardised
        scale; `group_slope` (`slope` without groups) is in the data's units.
    diagnostics : Diagnostics or WeightDiagnostics
    why : str
        Why the full model was sampled where weighted points might have done; empty otherwise.
    """

    equations: Equations
    priors: PriorSet
    sampler: Sampler
    engine: str
    tree: "xr.DataTree"
    diagnostics: Gate
    why: str = ""

    def headline(self) -> str:
        rows = f"{self.design.n_obs} rows, {len(self.design.units)} units, {len(self.design.times)} periods"
        return f"InstrumentFit: {self.label}, {self.spec.errors} errors; {rows}; {self.diagnostics}"

    @property
    def spec(self) -> Spec:
        return self.equations.spec

    @property
    def design(self) -> Design:
        """Of the outcome's equation; its controls are controls, then instruments."""
        return self.equations.design

    @property
    def passed(self) -> bool:
        """Whether the sampler passes its diagnostics."""
        return self.diagnostics.passed

    @property
    def label(self) -> str:
        """The estimator's name in tables."""
        by = f" x {self.spec.slopes}" if self.spec.slopes else ""
        return f"hierarchical IV{by}, instruments {', '.join(self.equations.instruments)}"

    @cached_property
    def collapsed(self) -> CollapsedInstruments:
        """The collapsed posterior."""
        return collapse_instruments(self.equations, self.priors)

    @property
    def unit(self) -> float:
        """A standardised slope of one, in the data's units."""
        return self.design.scales.outcome_sd / self.design.scales.divisors[str(self.spec.exposure)]

    @cached_property
    def normal_slopes(self) -> NormalSlopes:
        """The slopes given the scales and shapes, point by point or draw by draw."""
        if "weighted_points" in self.tree:
            thetas, weights = points_of(self.tree["weighted_points"].dataset)
        else:
            thetas = self.collapsed.theta_of({e.variable: self.values(e.variable) for e in self.collapsed.elements})
            weights = np.full(len(thetas), 1 / len(thetas))
        return _normal_slopes(self.collapsed, self.unit, thetas, weights)

    def probability(self, asked: str | np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Probability of a proposition, or of sign * (w'slopes - cutoff) > 0 for weights w: a mean of normal tails."""
        return self.normal_slopes.probability(*weighed(asked, self.design, cutoff, sign))

    @cached_property
    def learned(self) -> Learned:
        """Spread of the average slope where priors alone speak, and with the instruments."""
        prior = self.unit * self.priors["exposure"].parameters["sigma"]
        (alone,) = self.under_exclusion((FREE,))
        return Learned(prior, prior if alone.why else alone.spread, float((self.slopes @ self.average).std(ddof=1)))

    @property
    def average(self) -> np.ndarray:
        """Weights of the average slope over observations, shape (max(G, 1),)."""
        return self.design.group_shares

    def under_exclusion(self, sds: Sequence[float] = EXCLUSIONS) -> tuple[Exclusion, ...]:
        """The average slope where instruments have coefficients N(0, sd^2) of their own in the outcome's equation.

        References
        ----------
        Conley, Hansen & Rossi (2012), Review of Economics and Statistics 94.
        """
        kept = {own.sd: own for own in self._kept}
        return tuple(kept[float(sd)] if float(sd) in kept else self._under(float(sd)) for sd in sds)

    @property
    def exclusions(self) -> tuple[float, ...]:
        """The SDs that a report shows: those of `EXCLUSIONS` and the declared one, in order."""
        return tuple(sorted({*EXCLUSIONS, self.equations.exclusion}))

    @property
    def _kept(self) -> tuple[Exclusion, ...]:
        return from_dataset(self.tree["under_exclusion"].dataset) if "under_exclusion" in self.tree else ()

    def keep_exclusions(self) -> "InstrumentFit":
        """The fit, what a report shows under exclusion in its tree."""
        self.tree["under_exclusion"] = as_dataset(self.under_exclusion((*self.exclusions, FREE)))
        return self

    def _under(self, sd: float) -> Exclusion:
        if sd == self.equations.exclusion:
            found, slopes = self.normal_slopes, self.slopes @ self.average
        else:
            collapsed = collapse_instruments(self.equations.with_exclusion(sd), self.priors)
            try:
                points = weigh(collapsed, self.sampler.seed, self.sampler.chains, enough_points(self.sampler))
            except ImportanceError as error:
                return missing(sd, error.problem)
            if not points.diagnostics.passed:
                return missing(sd, str(points.diagnostics))
            thetas, weights = points_of(points_dataset(points))
            found = _normal_slopes(collapsed, self.unit, thetas, weights)
            drawn = _draws_of(collapsed, points, self.sampler)
            slopes = _group_slopes(drawn, self.unit).reshape(-1, len(self.average)) @ self.average
        lo, hi = np.quantile(slopes, TAILS)
        spread = float(slopes.std(ddof=1))
        chance = found.probability(self.average)
        return Exclusion(sd, float(slopes.mean()), spread, float(lo), float(hi), chance, slopes=found)

    def estimates(self) -> Estimates:
        """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
        return estimates_of_instruments(self)


def iv_hierarchical(
    panel: Panel,
    spec: Spec,
    instruments: Sequence[str],
    *,
    exclusion: float = 0.0,
    priors: Stated = "weakly_informative",
    engine: str = "auto",
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
    tune: int | None = None,
    target_accept: float | None = None,
) -> InstrumentFit:
    """The slope of an exposure that is correlated with the errors, by instruments, with pooled slopes of groups.

    Parameters
    ----------
    panel : Panel
        A lag or a shift-share instrument is a derived column (`lag`, `shift_share`).
    spec : Spec
        The exposure is endogenous, controls are exogenous. `slopes` is a grouping column or None; effects of units and
        periods are in both equations, flat or partially pooled; errors are "iid" or "ar1", with a serial correlation of
        the exposure's error and one of what the outcome's does not share with it.
    instruments : sequence of str
    exclusion : float
        SD of a normal prior on the instruments' own coefficients in the outcome's equation, in the outcome's within SD
        per within SD of the instrument. 0: they act through the exposure alone.
    priors : str, PriorSet or dict
        As in `bn.fit`. The exposure's must be normal: where instruments say nothing it is the posterior.
    engine : {"auto", "importance", "nuts"}
        "importance" integrates all coefficients out and weights points of the few scales and shapes left; "nuts" is the
        full PyMC model. "auto": the first, or where its weights are not good the second; `why` says why.
    draws, chains, seed, tune, target_accept
        Of the sampler.

    Returns
    -------
    InstrumentFit
        `estimates()`: `pooled_slope`, or averages, slopes and differences of groups; the first stage's coefficients;
        the errors' correlation. `learned`: whether the posterior stays near its prior, as it does where instruments are
        weak. `under_exclusion()`: what direct effects of the instruments would change.

    Raises
    ------
    SpecError, DesignError, PanelError
        Factors, scales of units or slopes of units with instruments; an instrument that is a regressor, not there,
        blank, constant within units where unit effects are in the model; a flat prior of the slope.

    Notes
    -----
    The errors (v, u) of exposure and outcome are jointly normal, their correlation uniform a priori. The slope is an
    effect only if the instruments are unrelated to the errors and act through the exposure alone (or, with `exclusion`,
    as little beside it as its prior says). docs/statistics.md, section 10.4.

    References
    ----------
    Rossi, Allenby & McCulloch (2005), Bayesian Statistics and Marketing, Wiley, chapter 7. Conley, Hansen & Rossi
    (2012), Review of Economics and Statistics 94.
    """
    equations = build_equations(panel, spec, instruments, exclusion)
    own = stated_priors(priors, equations.design)
    sampler = make_iv_sampler(engine, draws, chains, seed, tune, target_accept)
    return fit_equations(equations, own, sampler, engine)


def make_iv_sampler(
    engine: str, draws: int, chains: int, seed: int, tune: int | None = None, target_accept: float | None = None
) -> Sampler:
    """Settings of a run; its chains, if any, are of the full model."""
    if engine not in ENGINES:
        raise SpecError(f"engine = '{engine}' with instruments", fix=f"Use {', '.join(ENGINES)}")
    return make_sampler("nuts", draws, chains, seed, tune, target_accept)


def fit_equations(equations: Equations, priors: PriorSet, sampler: Sampler, engine: str = "auto") -> InstrumentFit:
    """Fit equations that are built."""
    check_priors(priors, equations.spec)
    collapsed = collapse_instruments(equations, priors)
    why = ""
    if engine != "nuts":
        try:
            points = weigh(collapsed, sampler.seed, sampler.chains, enough_points(sampler))
        except ImportanceError as error:
            if engine == "importance":
                raise
            why = error.problem
        else:
            if points.diagnostics.passed or engine == "importance":
                return _of_points(collapsed, priors, sampler, points)
            why = f"importance weights {points.diagnostics.verdict}"
    return _of_chains(collapsed, priors, sampler, why)


def _of_points(
    collapsed: CollapsedInstruments, priors: PriorSet, sampler: Sampler, points: WeightedPoints
) -> InstrumentFit:
    import xarray as xr

    drawn = _draws_of(collapsed, points, sampler)
    diagnostics = points.diagnostics.with_draws(drawn)
    return _assembled(collapsed, priors, sampler, "importance", drawn, xr.Dataset(), diagnostics, points=points)


def _draws_of(collapsed: CollapsedInstruments, points: WeightedPoints, sampler: Sampler) -> dict[str, np.ndarray]:
    """Equally weighted draws (chain, draw, ...) of slopes, scales and shapes."""
    thetas = resampled(points, sampler.draws, sampler.chains, sampler.seed)
    flat = np.ascontiguousarray(thetas.reshape(-1, thetas.shape[-1]))
    drawn = collapsed.coefficients(flat, sampler.seed)
    return {name: values.reshape(*thetas.shape[:2], *values.shape[1:]) for name, values in drawn.items()}


def _of_chains(collapsed: CollapsedInstruments, priors: PriorSet, sampler: Sampler, why: str) -> InstrumentFit:
    trace = draw(compile_model(build_iv_model(collapsed)), sampler)
    sampled = {str(name): array.to_numpy() for name, array in trace["posterior"].data_vars.items()}
    names = (*KEPT, *(element.variable for element in collapsed.elements), "error_correlation")
    drawn = {name: sampled[name] for name in names if name in sampled}
    stats = trace["sample_stats"].dataset
    return _assembled(collapsed, priors, sampler, "nuts", drawn, stats, diagnose(sampled, stats), why)


def _assembled(
    collapsed: CollapsedInstruments,
    priors: PriorSet,
    sampler: Sampler,
    engine: str,
    drawn: dict[str, np.ndarray],
    stats: "xr.Dataset",
    diagnostics: Gate,
    why: str = "",
    points: WeightedPoints | None = None,
) -> InstrumentFit:
    import xarray as xr

    equations = collapsed.equations
    design, spec = equations.design, equations.spec
    unit = design.scales.outcome_sd / design.scales.divisors[str(spec.exposure)]
    slopes = _group_slopes(drawn, unit)
    own = {"group_slope": slopes} if design.groups else {"slope": slopes[..., 0]}
    dims = {
        "slope_offset": ("group",),
        "group_slope": ("group",),
        "control_slope": ("control",),
        "exposure_control_slope": ("control",),
        "first_stage": ("instrument",),
        "exclusion": ("instrument",),
    }
    labels = {"group": design.groups, "control": spec.controls, "instrument": equations.instruments}
    variables = {name: (("chain", "draw", *dims.get(name, ())), values) for name, values in {**drawn, **own}.items()}
    used = {dim for held, _ in variables.values() for dim in held}
    coords = {name: list(values) for name, values in labels.items() if name in used}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords), "sample_stats": stats})
    if points is not None:
        tree["weighted_points"] = points_dataset(points)
    tree.attrs = {
        "spec": spec.model_dump_json(),
        "instruments": json.dumps(equations.instruments),
        "exclusion": equations.exclusion,
        "priors": priors.model_dump_json(),
        "sampler": json.dumps(sampler.as_dict()),
        "engine": engine,
        "why": why,
        "scales": json.dumps(design.scales.as_dict()),
        "diagnostics": json.dumps(diagnostics.as_dict()),
    }
    return InstrumentFit(equations, priors, sampler, engine, tree, diagnostics, why)


def restore_instruments(tree: "xr.DataTree", equations: Equations, priors: PriorSet, sampler: Sampler) -> InstrumentFit:
    """A fit from a stored tree and what it was made with."""
    diagnostics = diagnostics_from(json.loads(tree.attrs["diagnostics"]))
    return InstrumentFit(equations, priors, sampler, tree.attrs["engine"], tree, diagnostics, tree.attrs["why"])


def _group_slopes(drawn: dict[str, np.ndarray], unit: float) -> np.ndarray:
    """Slopes in the data's units, shape (chain, draw, max(G, 1))."""
    return np.asarray(unit * (drawn["exposure_slope"][..., None] + drawn.get("slope_offset", 0.0)))


def _normal_slopes(
    collapsed: CollapsedInstruments, unit: float, thetas: np.ndarray, weights: np.ndarray
) -> NormalSlopes:
    mean, covariance = collapsed.slopes(thetas)
    return NormalSlopes(unit * mean, unit**2 * covariance, weights)
