"""Contrasts of slopes under many priors from one posterior, by weighting: no sampling where the weights are good."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.slope_likelihood import (
    SlopeLikelihood,
    SlopeTable,
    log_tau_weights,
    slope_likelihood,
    slope_marginal,
    slope_table,
)
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.importance import POINTS
from bayes_npp.bayesian.fitting.psis import MAX_K_HAT, normalised, smoothed
from bayes_npp.bayesian.fitting.refit import SHORT, Refit, Start, refit, sample_thetas, workers
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.slope_contrasts import Contrasts
from bayes_npp.estimates import TAILS, drawn_share, summarise

SWEPT_DRAWS = 2000  # draws of the scales and shapes
MIN_WEIGHTED = 500  # effective number of weighted draws


@dataclass(frozen=True)
class Answers:
    """Contrasts of slopes under one prior set, arrays of shape (P,), in the data's units.

    Attributes
    ----------
    probability : ndarray
        Of each contrast's inequality.
    mcse : ndarray
        Monte Carlo standard error of the probability.
    mean, lo, hi : ndarray
        Posterior mean and 95 % equal-tailed interval of w'slopes.
    k_hat : float
        Pareto k of the weights; NaN where the posterior was sampled.
    passed : bool
        The diagnostics of the draws, and of their weights.
    """

    probability: np.ndarray
    mcse: np.ndarray
    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    k_hat: float
    passed: bool


@dataclass(frozen=True)
class _Base:
    """A posterior whose scales and shapes others are weighted from."""

    collapsed: Collapsed
    priors: PriorSet
    thetas: np.ndarray
    tau: np.ndarray | None
    log_likelihood: np.ndarray  # (S,) slopes integrated out under its own priors
    efficiency: float  # effective number of draws per draw
    passed: bool


def sweep(fit: Fit, sets: Sequence[PriorSet], asked: Contrasts, sampler: Sampler = SHORT) -> list[Answers]:
    """Ask contrasts of slopes under each of several prior sets.

    The slopes and their SD are integrated out numerically (`slope_likelihood`), so that priors of theirs, however
    narrow or wide, change the weights of the other scales and shapes only a little. Where the weights are not good
    (Pareto k above `MAX_K_HAT` or fewer than `MIN_WEIGHTED` effective draws) a set is sampled, and serves the others.

    Parameters
    ----------
    fit : Fit
        Of a static model whose slopes do not vary by unit.
    sets : sequence of PriorSet
    asked : Contrasts
        Of the design of the fit.
    sampler : Sampler
        Of the sets that have to be sampled; the seed also of the draws of slopes.

    Returns
    -------
    list of Answers
        In the order of the sets.
    """
    if fit.spec.slope_pooling == "none" or not _mixable(fit.priors):
        return [_of_draws(one, asked) for one in refit(fit.collapsed, sets, sampler, Start.of_fit(fit))]
    out: dict[int, Answers] = {}
    plain = [k for k, own in enumerate(sets) if not (_mixable(own) and _same_rest(fit, own))]
    start = Start.of_fit(fit)
    for k, one in zip(plain, refit(fit.collapsed, [sets[k] for k in plain], sampler, start), strict=True):
        out[k] = _of_draws(one, asked)
    bases, chosen = [_base_of(fit, sampler.seed)], [-1]
    left = [k for k in range(len(sets)) if k not in out]
    for attempt in count(1):
        for origin, base in zip(chosen, bases, strict=True):
            missing = {k: sets[k] for k in left if k not in out and (k == origin or k not in chosen)}
            out.update(_weighted(base, fit, missing, asked, sampler.seed, origin))
        left = [k for k in left if k not in out]
        if not left:
            return [out[k] for k in range(len(sets))]
        chosen = sorted({left[0], left[len(left) // 2]})
        settings = [replace(sampler, seed=sampler.seed + 1000 * attempt + k) for k in chosen]
        with workers() as pool:
            bases = list(pool.map(lambda k, own: _sampled(fit, sets[k], own, start), chosen, settings))
    raise AssertionError("unreachable")


def _mixable(priors: PriorSet) -> bool:
    return priors["exposure"].definition.mixture is not None


def _same_rest(fit: Fit, priors: PriorSet) -> bool:
    """Whether the controls are integrated out, or not, as in the fit."""
    if not fit.spec.controls:
        return True
    here, there = (own["controls"].collapses for own in (fit.priors, priors))
    return here == there


def _collapsible(priors: PriorSet) -> PriorSet:
    """The set with an exposure prior that the collapsed sampler integrates out."""
    prior = priors["exposure"]
    if prior.collapses:
        return priors
    near = PriorSpec(
        family="normal", mu=prior.mixture().mean, sigma=prior.typical, reason="Near it, and weighted to it."
    )
    return priors.replaced(exposure=near)


def _base_of(fit: Fit, seed: int) -> _Base:
    """The fit's own posterior, where it was sampled collapsed and without the common slope in theta."""
    if not fit.is_collapsed or not fit.priors["exposure"].collapses:
        return _sampled(fit, fit.priors, replace(SHORT, seed=seed), None)
    thetas = fit.thetas
    some = np.linspace(0, len(thetas) - 1, min(SWEPT_DRAWS, len(thetas))).astype(int)
    ess = fit.diagnostics.effective if len(fit.collapsed.elements) else float(len(thetas))
    return _base(fit.collapsed, fit.priors, thetas[some], min(1.0, ess / len(some)), fit.diagnostics.passed)


def _sampled(fit: Fit, priors: PriorSet, sampler: Sampler, start: Start | None) -> _Base:
    near = _collapsible(priors)
    collapsed = collapse(fit.data, near)
    thetas, diagnostics = sample_thetas(collapsed, replace(sampler, draws=2 * sampler.draws), start, POINTS)
    efficiency = min(1.0, diagnostics.effective / len(thetas))
    return _base(collapsed, near, thetas, efficiency, diagnostics.passed)


def _base(collapsed: Collapsed, priors: PriorSet, thetas: np.ndarray, efficiency: float, passed: bool) -> _Base:
    tau = collapsed.constrained(thetas).get("slope_sd")
    own, _ = _over_tau(
        slope_marginal(slope_likelihood(collapsed, thetas), priors["exposure"]), _tau_weights(tau, priors)
    )
    return _Base(collapsed, priors, thetas, tau, own, efficiency, passed)


def _tau_weights(tau: np.ndarray | None, priors: PriorSet) -> np.ndarray:
    return log_tau_weights(None if tau is None else priors["slope_sd"])


def _under(base: _Base, priors: PriorSet) -> tuple[Collapsed, np.ndarray, np.ndarray]:
    """The posterior under a set but for the common slope, whose prior is integrated elsewhere; `Collapsed.moved_to`."""
    own = base.collapsed.with_priors(priors.replaced(exposure=base.priors["exposure"]))
    return own, base.collapsed.moved_to(own, base.thetas), base.collapsed.prior_ratio(own, base.thetas)


def _weighted(
    base: _Base, fit: Fit, sets: dict[int, PriorSet], asked: Contrasts, seed: int, origin: int
) -> dict[int, Answers]:
    """Answers under the sets whose weights are good; under the one the base was sampled for, `origin`, in any case."""
    likelihoods: dict[str, SlopeLikelihood] = {}
    by_table: dict[tuple[str, str], list[int]] = {}
    for k, own in sets.items():
        rest = "; ".join(str(own[slot]) for slot in ("controls", "intercept", "between"))
        if rest not in likelihoods:
            likelihoods[rest] = slope_likelihood(*_under(base, own)[:2])
        by_table.setdefault((rest, str(own["exposure"])), []).append(k)

    def answer(item: tuple[tuple[str, str], list[int]]) -> list[tuple[int, Answers | None]]:
        (rest, _), members = item
        table = slope_table(likelihoods[rest], sets[members[0]]["exposure"], seed)
        drawn = _drawn(table, fit, asked)
        return [(k, _answer(base, table, drawn, sets[k], k == origin)) for k in members]

    with workers() as pool:
        found = [pair for pairs in pool.map(answer, by_table.items()) for pair in pairs]
    return {k: one for k, one in found if one is not None}


@dataclass(frozen=True)
class _Drawn:
    """Draws of every contrast from a table, shape (P, S, T), and where its inequality holds, as 0 and 1.

    `order` (P, S * T) sorts the flattened values.
    """

    values: np.ndarray
    holds: np.ndarray
    order: np.ndarray


def _drawn(table: SlopeTable, fit: Fit, asked: Contrasts) -> _Drawn:
    design = fit.design
    unit = design.scales.outcome_sd / design.scales.divisors[design.spec.exposure or ""]
    coefficients = asked.weights.sum(axis=1, keepdims=True)
    if table.drawn.shape[2] > 1:
        coefficients = np.hstack([coefficients, asked.weights @ fit.data.slope_basis])
    values = unit * np.moveaxis(table.drawn @ coefficients.T, 2, 0)
    flat = values.reshape(len(coefficients), -1)
    return _Drawn(values, asked.holds(flat).reshape(values.shape), np.argsort(flat, axis=1))


def _answer(base: _Base, table: SlopeTable, drawn: _Drawn, priors: PriorSet, in_any_case: bool) -> Answers | None:
    marginal, inner = _over_tau(table.log_marginal, _tau_weights(base.tau, priors))
    _, _, log_ratio = _under(base, priors)
    if base.tau is not None:  # integrated out, so its draws do not matter
        log_ratio = log_ratio - priors["slope_sd"].log_density(base.tau) + base.priors["slope_sd"].log_density(base.tau)
    log_ratio = log_ratio + marginal - base.log_likelihood
    if not np.isfinite(log_ratio).any():
        return None
    if np.ptp(log_ratio) < 1e-9:
        weights, k_hat = np.full(len(log_ratio), 1 / len(log_ratio)), np.nan
    else:
        log_weights, k_hat = smoothed(log_ratio)
        weights = normalised(log_weights)
    effective = base.efficiency / (weights**2).sum()
    good = not k_hat >= MAX_K_HAT and effective >= MIN_WEIGHTED
    if not good and not in_any_case:
        return None
    given = np.einsum("pst,st->ps", drawn.holds, inner)
    probability = drawn_share(given @ weights, effective=effective)
    mcse = np.sqrt(((weights * (given - probability[:, None])) ** 2).sum(axis=1) / base.efficiency)
    cells = (weights[:, None] * inner).ravel()
    bounds = np.array([_quantiles(v.ravel(), o, cells) for v, o in zip(drawn.values, drawn.order, strict=True)])
    return Answers(
        probability=probability,
        mcse=mcse,
        mean=np.einsum("pst,st->ps", drawn.values, inner) @ weights,
        lo=bounds[:, 0],
        hi=bounds[:, 1],
        k_hat=k_hat,
        passed=base.passed and good,
    )


def _over_tau(log_marginal: np.ndarray, log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood with the slopes' SD integrated out too, shape (S,), and each value's share of it, (S, T)."""
    joint = log_marginal + log_weights
    top = joint.max(axis=1, keepdims=True)
    shares = np.exp(joint - top)
    total = shares.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], shares / total


def _quantiles(values: np.ndarray, order: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bounds of the equal-tailed interval of weighted values."""
    if not np.isfinite(values).all():
        return np.full(2, np.nan)
    reached = np.cumsum(weights[order])
    at = np.searchsorted(reached, TAILS).clip(max=len(order) - 1)
    return values[order[at]]


def of_fit(fit: Fit, asked: Contrasts) -> Answers:
    """Answers of the fit itself, under its own priors: the numbers of its estimates."""
    summary = summarise(asked.values(fit.slopes), axis=1)
    each = list(zip(asked.weights, asked.cutoffs, asked.signs, strict=True))
    return Answers(
        probability=np.array([fit.probability(*one) for one in each]),
        mcse=np.array([fit.monte_carlo_error(*one) for one in each]),
        mean=summary["mean"],
        lo=summary["lo"],
        hi=summary["hi"],
        k_hat=np.nan,
        passed=fit.diagnostics.passed,
    )


def _of_draws(one: Refit, asked: Contrasts) -> Answers:
    """Answers from draws of the slopes."""
    values = asked.values(one.slopes)
    probability = drawn_share(asked.holds(values), axis=1)
    summary = summarise(values, axis=1)
    effective = min(one.diagnostics.effective, values.shape[1])
    return Answers(
        probability=probability,
        mcse=np.sqrt(probability * (1 - probability) / effective),
        mean=summary["mean"],
        lo=summary["lo"],
        hi=summary["hi"],
        k_hat=np.nan,
        passed=one.diagnostics.passed,
    )
