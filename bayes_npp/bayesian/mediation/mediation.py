"""Bayesian mediation: one equation a mediator and one of the outcome, their effects draw by draw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np

from bayes_npp.bayesian.fitting.error_ladder import AUTO, with_errors
from bayes_npp.bayesian.fitting.fit import Fit, choose_engine, fit_design, fit_ladder, make_sampler
from bayes_npp.bayesian.fitting.psis import BAD_K
from bayes_npp.bayesian.mediation.correlated_errors import CorrelatedErrors, correlated_errors
from bayes_npp.bayesian.mediation.equations import PATHS, Paths, can_tie, lagged, ties
from bayes_npp.bayesian.mediation.joint_fit import TUNE, fit_jointly
from bayes_npp.bayesian.mediation.missing import MissingCells, design_with_errors, treat
from bayes_npp.bayesian.mediation.path_correlation import tie
from bayes_npp.bayesian.model.error_models import BASE
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import PriorSet, load_priors
from bayes_npp.design.design import Design, group_pairs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import LEVEL, Estimates, Tabled, estimates_from_rows, proportion_mediated, row_of_draws
from bayes_npp.panels.panel import Panel

VARIABLES = (
    "exposure_slope",
    "slope_offset",
    "slope_sd",
    "control_slope",
    "control_offset",
    "control_slope_sd",
    "error_sd",
)


@dataclass(frozen=True, repr=False)
class Mediation(Tabled):
    """Posterior of a mediation model with K mediators, in the data's units.

    Attributes
    ----------
    spec : Spec
        Of the outcome without the mediators.
    mediators : tuple of str
    paths : Paths
        What varies by group, serial links, lags.
    equations : dict of Fit
        By the variable they explain; the outcome's last.
    parameters : dict of dict of ndarray
        Draws of every equation's slopes and scales by variable, aligned over the equations, shape (S, ...).
    correlation : ndarray, shape (S, K), optional
        Of the group offsets of paths a_k and b_k, where a prior ties them.
    k_hat : float
        Pareto k of the weights that tie the equations; -inf where nothing ties them.
    n_dropped : int
        Rows of the window left out because a variable is missing.
    missing : MissingCells
        How missing cells of mediators were treated.
    """

    spec: Spec
    mediators: tuple[str, ...]
    paths: Paths
    equations: dict[str, Fit]
    parameters: dict[str, dict[str, np.ndarray]]
    correlation: np.ndarray | None
    k_hat: float
    n_dropped: int
    missing: MissingCells

    def headline(self) -> str:
        named = f"Mediation of {self.spec.exposure} on {self.spec.outcome} through {', '.join(self.mediators)}"
        return f"{named}; {self.errors}; {self.design.n_obs} rows"

    @property
    def design(self) -> Design:
        return self.equations[self.spec.outcome].design

    @property
    def groups(self) -> tuple[str, ...]:
        return self.design.groups or self.equations[self.mediators[0]].design.groups

    @cached_property
    def shares(self) -> np.ndarray:
        """Share of observations in each group, shape (max(G, 1),): the weights of averages."""
        design = next((fit.design for fit in self.equations.values() if fit.design.groups), self.design)
        return design.group_shares

    @cached_property
    def path_a(self) -> np.ndarray:
        """Draws of exposure to mediator, given the mediators that explain it, shape (S, K, max(G, 1))."""
        return np.stack([self._exposure_slopes(name) for name in self.mediators], axis=1)

    @cached_property
    def path_b(self) -> np.ndarray:
        """Draws of mediator to outcome given the exposure, shape (S, K, max(G, 1))."""
        outcome, periods = self.spec.outcome, self.paths.lags[1]
        return np.stack([self._slopes(outcome, lagged(name, periods)) for name in self.mediators], axis=1)

    @cached_property
    def direct(self) -> np.ndarray:
        """Draws of the exposure's slope given the mediators, shape (S, max(G, 1))."""
        return self._exposure_slopes(self.spec.outcome)

    @cached_property
    def links(self) -> dict[tuple[str, str], np.ndarray]:
        """Draws of every serial path, from one mediator to another, shape (S, max(G, 1))."""
        return {(cause, effect): self._slopes(effect, cause) for cause, effect in self.paths.serial}

    @cached_property
    def chains(self) -> tuple[tuple[str, ...], ...]:
        """Ways from exposure to outcome through mediators: the K mediators, then serial ones."""
        return self.paths.chains(self.mediators)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the chains in tables."""
        return tuple(" -> ".join(chain) for chain in self.chains)

    @cached_property
    def correlated_errors(self) -> CorrelatedErrors:
        """What errors of mediators and outcome that correlate would do to the outcome's equation."""
        fits = [self.equations[name] for name in (*self.mediators, self.spec.outcome)]
        return correlated_errors(fits[:-1], fits[-1], len(self.direct))

    @cached_property
    def indirect(self) -> np.ndarray:
        """Draws of each chain's product of paths, shape (S, number of chains, max(G, 1)); a_k b_k comes first."""
        return self.through(self.path_b)

    def through(self, path_b: np.ndarray) -> np.ndarray:
        """Indirect effects with other paths b, shape (S, K, max(G, 1))."""
        out = []
        for chain in self.chains:
            first, last = self.mediators.index(chain[0]), self.mediators.index(chain[-1])
            steps = [self.links[link] for link in pairwise(chain)]
            out.append(math.prod(steps, start=self.path_a[:, first] * path_b[:, last]))
        return np.stack(out, axis=1)

    def _exposure_slopes(self, equation: str) -> np.ndarray:
        """Draws of the exposure's slope in one equation, in the data's units, shape (S, max(G, 1))."""
        fit, draws = self.equations[equation], self.parameters[equation]
        slopes = draws["exposure_slope"][:, None] + draws.get("slope_offset", 0.0)
        return self._by_group(
            slopes * fit.design.scales.outcome_sd / fit.design.scales.divisors[fit.spec.exposure or ""]
        )

    def _slopes(self, equation: str, name: str) -> np.ndarray:
        """Draws of a mediator's slope in one equation, in the data's units, shape (S, max(G, 1))."""
        fit, draws = self.equations[equation], self.parameters[equation]
        slopes = draws["control_slope"][:, [fit.spec.controls.index(name)]]
        if name in fit.spec.varying:
            slopes = slopes + draws["control_offset"][:, fit.spec.varying.index(name)]
        return self._by_group(slopes * fit.design.scales.outcome_sd / fit.design.scales.divisors[name])

    def _by_group(self, draws: np.ndarray) -> np.ndarray:
        """Draws (..., 1) or (..., G) as (..., G)."""
        return np.broadcast_to(draws, (*draws.shape[:-1], max(len(self.groups), 1)))

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not pass: samplers of equations, the weights that tie them."""
        out = [f"sampler diagnostics of {name}" for name, fit in self.equations.items() if not fit.diagnostics.passed]
        return (*out, *([f"weights of correlated paths (Pareto k = {self.k_hat:.2f})"] if self.k_hat > BAD_K else []))

    @property
    def verdict(self) -> str:
        """What failed: samplers, weights, checks of the errors by equation; empty where nothing did."""
        failed = {name: [c.name for c in fit.checks if not c.passed] for name, fit in self.equations.items()}
        wrong = [f"errors of {name} failed {', '.join(checks)}" for name, checks in failed.items() if checks]
        return "; ".join([*([f"failed: {', '.join(self.failures)}"] if self.failures else []), *wrong])

    @property
    def errors(self) -> str:
        """Error models of the outcome's equation and, where they differ, of the mediators'."""
        own = {name: self.equations[name].spec.errors for name in self.mediators}
        if set(own.values()) == {self.spec.errors}:
            return f"{self.spec.errors} errors"
        if len(set(own.values())) == 1:
            return f"{self.spec.errors} errors, {own[self.mediators[0]]} of mediators"
        return ", ".join([f"{self.spec.errors} errors", *(f"{errors} of {name}" for name, errors in own.items())])

    @property
    def can_tie(self) -> bool:
        """Whether a prior can tie paths a and b of a group."""
        return can_tie(self.paths, [fit.design for fit in self.equations.values()], self.missing.imputed)

    def with_ties(self, correlated: bool, seed: int = 1) -> "Mediation":
        """The same equations with paths a and b of a group that may correlate, or that are independent a priori."""
        own = replace(self.paths, correlated=correlated)
        return assemble(self.spec, self.mediators, own, self.equations, self.missing, seed)

    def estimates(self) -> Estimates:
        """Paths, indirect, direct and total effects: averages over observations, groups, contrasts.

        A group's indirect effect is a_g b_g in every draw, the average their mean over observations, so that the
        covariance of paths over groups is in it. The proportion mediated (posterior median) is withheld where the
        interval of the total effect includes zero.
        """
        rows = [*self._effect_rows(self.shares, "")]
        for g, label in enumerate(self.groups):
            rows += self._effect_rows(np.eye(len(self.groups))[g], label)
        for g, h in group_pairs(len(self.groups)):
            contrast = np.eye(len(self.groups))[g] - np.eye(len(self.groups))[h]
            rows += self._contrast_rows(contrast, f"{self.groups[g]} - {self.groups[h]}")
        average = self.indirect @ self.shares
        for k, j in group_pairs(len(self.chains)):
            term = f"{self.terms[k]} - {self.terms[j]}"
            rows.append(row_of_draws(average[:, k] - average[:, j], term=term, estimand="indirect"))
        if self.correlation is not None:
            for k, name in enumerate(self.mediators):
                rows.append(
                    row_of_draws(self.correlation[:, k], term=f"path_correlation, {name}", estimand="coefficient")
                )
        note = self.verdict
        for row in rows:
            row["note"] = "; ".join(part for part in (row.get("note", ""), self.missing.note, note) if part)
        fit = self.equations[self.spec.outcome]
        return estimates_from_rows(
            rows,
            paradigm="bayesian",
            estimator="mediation" + (f" x {self.spec.slopes}" if self.groups else ""),
            covariance=self.errors,
            outcome=self.spec.outcome,
            spread_kind="sd",
            level=LEVEL,
            interval="eti",
            n_obs=self.design.n_obs,
            n_units=len(self.design.units),
            n_periods=len(self.design.times),
            sample="all",
            convention=f"priors: {fit.priors.name}; averages over observations{self._tying()}{self._timing()}",
        )

    def _tying(self) -> str:
        """Whether paths of a group correlate, where they vary by group."""
        how = "may correlate" if self.paths.correlated else "independent a priori"
        return f"; paths a and b of a group {how}" if self.groups and {"a", "b"} <= set(self.paths.varying) else ""

    def _timing(self) -> str:
        """When causes stand, of paths with lags."""
        to_mediator, to_outcome = self.paths.lags
        if not any(self.paths.lags):
            return ""
        return (
            f"; lags: exposure to mediators {to_mediator}, mediators to outcome {to_outcome}, direct and total "
            f"{to_mediator + to_outcome}"
        )

    def _effect_rows(self, weights: np.ndarray, group: str) -> list[dict[str, Any]]:
        """Rows of one group, or of an average over groups."""
        exposure = self.spec.exposure or ""
        indirect, direct = self.indirect @ weights, self.direct @ weights
        total = indirect.sum(axis=1) + direct
        rows = []
        for k, name in enumerate(self.mediators):
            for estimand, draws in (("path_a", self.path_a), ("path_b", self.path_b)):
                rows.append(row_of_draws(draws[:, k] @ weights, term=name, group=group, estimand=estimand))
            rows.append(row_of_draws(indirect[:, k], term=name, group=group, estimand="indirect"))
        for (cause, effect), draws in self.links.items():
            rows.append(row_of_draws(draws @ weights, term=f"{cause} -> {effect}", group=group, estimand="coefficient"))
        for k in range(len(self.mediators), len(self.chains)):
            rows.append(row_of_draws(indirect[:, k], term=self.terms[k], group=group, estimand="indirect"))
        rows += [
            row_of_draws(indirect.sum(axis=1), term=exposure, group=group, estimand="total_indirect"),
            row_of_draws(direct, term=exposure, group=group, estimand="direct"),
            row_of_draws(total, term=exposure, group=group, estimand="total"),
        ]
        for k, name in enumerate(self.terms):
            rows.append({"term": name, "group": group, **proportion_mediated(indirect[:, k], total)})
        return rows

    def _contrast_rows(self, contrast: np.ndarray, label: str) -> list[dict[str, Any]]:
        """Rows of the difference between two groups."""
        rows = []
        for k, name in enumerate(self.terms):
            rows.append(row_of_draws(self.indirect[:, k] @ contrast, term=name, group=label, estimand="indirect"))
        rows.append(row_of_draws(self.direct @ contrast, term=self.spec.exposure or "", group=label, estimand="direct"))
        return rows


def mediate(
    panel: Panel,
    spec: Spec,
    mediators: Sequence[str],
    priors: str | PriorSet = "weakly_informative",
    *,
    varying: Sequence[str] = PATHS,
    serial: Sequence[tuple[str, str]] = (),
    lags: tuple[int, int] = (0, 0),
    path_correlation: bool | None = None,
    missing: str = "drop",
    extrapolation: str = "linear",
    errors: str | None = None,
    mediator_errors: str | Mapping[str, str] | None = None,
    draws: int = 1000,
    chains: int = 4,
    seed: int = 1,
) -> Mediation:
    """Fit the equations of one or several mediators, parallel or in series, and of the outcome.

    Each mediator is explained by the exposure and the controls, the outcome by these and all mediators; all with the
    effects and errors of `spec`. Reading the effects causally takes, beside strict exogeneity of the exposure, that
    nothing moves a mediator and the outcome together (see `confounding.sensitivity`).

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Of the outcome without mediators; with `slopes` a grouping column, or "unit", paths vary by group, or unit.
    mediators : sequence of str
    priors : str or PriorSet
        Of every equation, on its standardised scale: `exposure` of paths a and direct, `controls` of path b.
    varying : sequence of {"a", "b", "direct", "serial"}
        Paths that vary by group where `spec` has slopes; the direct one does where path b does, a where a serial path
        to its mediator does.
    serial : sequence of pairs
        (m1, m2): mediator m1 explains mediator m2 too. Indirect effects are then those of every chain, "m1 -> m2".
    lags : pair of int
        Periods from exposure to mediators, and from mediators to outcome; the direct path and the total take the sum.
        Controls and effects stay those of the period an equation explains.
    path_correlation : bool, optional
        Whether groups' offsets of a_k and b_k may correlate (prior `slope_correlation`). By default they may from eight
        groups on, where errors are normal and nothing is imputed; `Mediation.with_ties` gives the other answer.
    missing : {"drop", "error", "interpolate", "extrapolate", "impute"}
        Rows with a missing variable: left out of every equation, or an error. Of mediators alone: linear over time
        between a unit's observed years; also beyond them; or estimated jointly with the equations, missingness
        being ignorable. Filled cells are treated as data, which the note of every estimate says.
    extrapolation : {"linear", "carry"}
        Beyond a unit's observed years: the line through its two nearest, or the nearest.
    errors : str, optional
        In place of those of `spec`. "auto": every equation (with `mediator_errors`: the outcome's) has those that its
        own ladder picks; `Mediation.equations[...].ladder` has the rungs tried.
    mediator_errors : str or mapping, optional
        Errors of the mediators' equations, as in `Spec`, of all or by mediator; default those of the outcome's, with
        "impute" AR(1) added.
    draws, chains, seed
        Of the sampler; equations have seeds of their own.

    Raises
    ------
    SpecError
        A mediator that has another role, serial paths in a cycle, options that do not combine.
    DesignError
        Missing values with missing = "error"; a mediator that effects absorb; one to fill that is missing everywhere or
        in every year of a unit.
    """
    mediators = tuple(mediators)
    links = tuple((cause, effect) for cause, effect in serial)
    paths = Paths(tuple(varying), links, lags, path_correlation)
    climbs = errors == AUTO
    spec = with_errors(spec, BASE if climbs else errors or spec.errors)
    treated = treat(panel, spec, mediators, paths, missing, extrapolation, mediator_errors)
    own_priors = load_priors(priors)
    for design in reversed(treated.designs):
        prepare(design)  # what is not identified is found before anything is sampled
    equations: dict[str, Fit] = {}
    if treated.unknown:
        if climbs:
            raise SpecError("errors = 'auto' does not combine with missing = 'impute'", fix="Name the errors")
        sampler = make_sampler("collapsed", draws, chains, seed, TUNE)
        equations = fit_jointly(treated.designs, treated.unknown, own_priors, sampler)
    else:
        for number, design in enumerate(treated.designs):

            def fitted(own: Design, seed: int = seed + number) -> Fit:
                engine = choose_engine(own.spec, "auto")
                return fit_design(own, own_priors, make_sampler(engine, draws, chains, seed), engine)

            name = design.spec.outcome
            chosen = climbs and (name == spec.outcome or mediator_errors is None)
            equations[name] = fit_ladder(partial(design_with_errors, design), fitted) if chosen else fitted(design)
    spec = with_errors(spec, equations[spec.outcome].spec.errors)
    return assemble(spec, mediators, paths, equations, treated.missing, seed)


def assemble(
    spec: Spec,
    mediators: tuple[str, ...],
    paths: Paths,
    equations: dict[str, Fit],
    missing: MissingCells,
    seed: int = 1,
) -> Mediation:
    """A mediation from its fitted equations, the outcome's last."""
    paths = replace(paths, correlated=ties(paths, [fit.design for fit in equations.values()], missing.imputed))
    if paths.correlated:
        entering = [lagged(name, paths.lags[1]) for name in mediators]
        tied = tie(equations, entering, equations[spec.outcome].priors["slope_correlation"], seed)
        found = (tied.parameters, tied.correlation, tied.k_hat)
        return Mediation(spec, mediators, paths, equations, *found, missing.n_dropped, missing)
    parameters = {
        name: {v: fit.values(v) for v in VARIABLES if v in fit.tree["posterior"]} for name, fit in equations.items()
    }
    return Mediation(spec, mediators, paths, equations, parameters, None, -np.inf, missing.n_dropped, missing)
