"""Mediator-outcome confounding: what a mediation posterior becomes if errors of mediators and outcome correlate.

With rho_k = corr(e_m_k, e_y), D R D the covariance of the mediators' errors and s the outcome's error SD given the
mediators, the outcome equation estimates b + delta in place of b, delta = s D^-1 R^-1 rho / sqrt(1 - rho'R^-1 rho), and
direct - sum_k delta_k a_k in place of direct; the total does not move. That is where errors are independent and priors
flat; `correlated_errors` has the general case: rho is then of innovations, the errors less what memory predicts of them
and over their own scales. See docs/statistics.md, section 3.

References
----------
Imai, Keele & Yamamoto (2010), Statistical Science: one mediator and independent errors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from bayes_npp.bayesian.fitting.posterior import spaced
from bayes_npp.bayesian.fitting.psis import BAD_K, FLAT, normalised, smoothed
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.errors import SpecError
from bayes_npp.estimates import TAILS, drawn_share, positive

Root = Callable[[float], float]
Summary = tuple[float, float, float, float]  # mean, lo, hi, P(> 0)
STEPS = 40  # of the grid on which a crossing is looked for, to each side
MOST_CELLS, FEWEST = 16_000_000, 400  # rows times draws that are looked at, and the fewest draws
GRID = np.round(np.linspace(-0.9, 0.9, 37), 3)


@dataclass(frozen=True)
class Shifted:
    """Indirect (S, K, G) and direct (S, G) effects at one rho; log weights (S,) of the draws and their Pareto k."""

    indirect: np.ndarray
    direct: np.ndarray
    log_weights: np.ndarray
    k_hat: float


def sensitivity(mediation: Mediation, rhos: Sequence[float] = tuple(GRID)) -> pd.DataFrame:
    """Posterior of every mediator's indirect effect at each rho, one mediator's errors correlated at a time.

    Returns
    -------
    DataFrame
        mediator, group (empty: average over observations), rho, estimate, lo, hi, prob_positive, k_hat. Mediator "all
        together": the total indirect effect where every mediator has the same rho, as far as that is possible. Numbers
        are blank where k_hat is above 0.7.

    Raises
    ------
    SpecError
        A rho outside (-1, 1), a mediation without a closed form (`obstacle`).
    """
    rows = []
    _check(mediation, np.array(rhos))
    mediation = _ready(mediation)
    for name, vector in _directions(mediation).items():
        limit = _limit(mediation, vector)
        for rho in (rho for rho in rhos if abs(rho) < limit):
            found, k_hat = _effects_at(mediation, name, rho * vector)
            for group, summary in found.items():
                rows.append((name, group, rho, *(summary if k_hat <= BAD_K else [np.nan] * 4), k_hat))
    names = ["mediator", "group", "rho", "estimate", "lo", "hi", "prob_positive", "k_hat"]
    return pd.DataFrame(rows, columns=names)


def crossings(mediation: Mediation) -> pd.DataFrame:
    """The rho at which each indirect effect's posterior mean is zero, and the first whose interval includes zero.

    Returns
    -------
    DataFrame
        mediator, group, mean_crosses, interval_includes, lowest, highest, note; NaN where there is none, with the
        reason in `note` where it is known. It is looked for from `lowest` to `highest`: as far from zero as the weights
        of the draws can be trusted (k_hat up to 0.7), or rho can be.
    """
    rows = []
    mediation = _ready(mediation)
    for name, vector in _directions(mediation).items():
        limit = 0.999 * _limit(mediation, vector)
        grid = limit * np.linspace(-1, 1, 2 * STEPS + 1)
        on_grid, k_hats = zip(*(_effects_at(mediation, name, rho * vector) for rho in grid), strict=True)
        within = _reached(np.array(k_hats))
        lowest, highest = grid[within][[0, -1]]
        for group in _weights(mediation):
            here = np.array([effects[group] for effects in on_grid])
            mean = _nearest_root(_along(mediation, name, vector, group, 0), grid[within], here[within, 0])
            _, lo, hi, _ = here[STEPS]
            first, note = np.nan, ""
            if lo <= 0 <= hi:
                note = "the interval includes zero at rho = 0 already"
            else:
                end = 1 if lo > 0 else 2
                first = _nearest_root(_along(mediation, name, vector, group, end), grid[within], here[within, end])
            rows.append((name, group, mean, first, lowest, highest, note))
    names = ["mediator", "group", "mean_crosses", "interval_includes", "lowest", "highest", "note"]
    return pd.DataFrame(rows, columns=names)


def _along(mediation: Mediation, name: str, vector: np.ndarray, group: str, index: int) -> Root:
    """One number of a summary (0 mean, 1 lo, 2 hi) as a function of rho."""
    return lambda rho: _effects_at(mediation, name, rho * vector)[0][group][index]


def _reached(k_hats: np.ndarray) -> np.ndarray:
    """Which points of a symmetric grid have good weights, and all points between them and its middle too."""
    middle = len(k_hats) // 2
    good = k_hats <= BAD_K
    good[middle] = True  # rho = 0: the draws themselves
    below, above = np.logical_and.accumulate(good[middle::-1]), np.logical_and.accumulate(good[middle:])
    return np.concatenate([below[:0:-1], above])


def _ready(mediation: Mediation) -> Mediation:
    """Without ties, and of a large panel evenly spaced draws alone."""
    own = mediation if mediation.correlation is None else mediation.with_ties(False)
    n_draws, most = len(own.direct), max(FEWEST, MOST_CELLS // own.design.n_obs)
    if n_draws <= most:
        return own
    some = spaced(n_draws, most)
    thinned = {name: {v: draws[some] for v, draws in each.items()} for name, each in own.parameters.items()}
    return replace(own, parameters=thinned)


def _effects_at(mediation: Mediation, name: str, rho: np.ndarray) -> tuple[dict[str, Summary], float]:
    """Summary, in every group, of the indirect effect through one mediator (all its chains), or through any; k_hat."""
    moved = at_rho(mediation, rho)
    through = [name in chain or name not in mediation.mediators for chain in mediation.chains]
    draws = moved.indirect[:, through].sum(axis=1)
    found = {group: _summary(draws @ weights, moved.log_weights) for group, weights in _weights(mediation).items()}
    return found, moved.k_hat


def averaged(mediation: Mediation, rho: np.ndarray, seed: int = 1) -> pd.DataFrame:
    """Indirect effects averaged over a prior on rho, every mediator's errors with the same one.

    Parameters
    ----------
    rho : ndarray
        Draws from the prior; one is dealt to every posterior draw at random. The data say nothing about rho.

    Returns
    -------
    DataFrame
        mediator, group, estimate, lo, hi, prob_positive.
    """
    _check(mediation, rho)
    mediation = _ready(mediation)
    random = np.random.default_rng(seed)
    n_draws = len(mediation.direct)
    dealt = random.choice(np.asarray(rho, dtype=float), n_draws)
    moved = _moved(mediation, dealt[:, None] * np.ones(len(mediation.mediators)))
    rows = []
    for group, weights in _weights(mediation).items():
        draws = moved.indirect @ weights
        for k, name in enumerate(mediation.terms):
            rows.append((name, group, *_summary(draws[:, k], moved.log_weights)))
    return pd.DataFrame(rows, columns=["mediator", "group", "estimate", "lo", "hi", "prob_positive"])


def at_rho(mediation: Mediation, rho: np.ndarray | Mapping[str, float]) -> Shifted:
    """Effects if the errors of each mediator and of the outcome correlate by rho, shape (K,) or by mediator's name.

    Slopes move exactly given scales and shapes, whose draws are weighted: `k_hat` says how well. It is -inf where all
    draws weigh the same, as with flat priors and independent errors. Paths that a prior ties are taken as independent.
    """
    if isinstance(rho, Mapping):
        unknown = [name for name in rho if name not in mediation.mediators]
        if unknown:
            raise SpecError(f"unknown mediator '{unknown[0]}'", fix=f"Use {', '.join(mediation.mediators)}")
        rho = np.array([rho.get(name, 0.0) for name in mediation.mediators])
    _check(mediation, rho)
    mediation = _ready(mediation)
    return _moved(mediation, np.broadcast_to(rho, (len(mediation.direct), len(mediation.mediators))))


def _moved(mediation: Mediation, rho: np.ndarray) -> Shifted:
    """Effects under the rho (S, K) of every draw."""
    found, outcome = mediation.correlated_errors, mediation.spec.outcome
    kappa, own = _kappa(found.correlation, rho), mediation.parameters[outcome]
    by_draw = {name: np.einsum("sk,sk...->s...", kappa, moves) for name, moves in found.moves.items()}
    there = {**own, **{name: own[name] - move for name, move in by_draw.items()}}
    log_ratio = (kappa * found.gradient).sum(axis=1) - 0.5 * np.einsum("sj,sjk,sk->s", kappa, found.curvature, kappa)
    for name, slot in found.stated:
        prior = mediation.equations[outcome].priors[slot]
        change = prior.log_density(there[name]) - prior.log_density(own[name])
        log_ratio = log_ratio + change.reshape(len(change), -1).sum(axis=1)
    if np.ptp(log_ratio) < FLAT * max(1.0, np.abs(log_ratio).max()):
        log_weights, k_hat = np.full(len(kappa), -np.log(len(kappa))), -np.inf
    elif np.isfinite(log_ratio).all():
        log_weights, k_hat = smoothed(log_ratio)
    else:  # a slope is moved to where its prior is zero
        log_weights, k_hat = log_ratio, np.inf
    moved = replace(mediation, parameters={**mediation.parameters, outcome: there})
    return Shifted(moved.indirect, moved.direct, log_weights, k_hat)


def obstacle(mediation: Mediation) -> SpecError | None:
    """Why a mediation has no closed form of its sensitivity to confounding; None where it has one."""
    if mediation.missing.imputed:
        return SpecError(
            "the sensitivity to confounding has no closed form with imputed cells",
            fix="Use another treatment of missing cells, with errors = 'iid'",
        )
    if any(mediation.paths.lags):
        return SpecError(
            "the sensitivity to confounding takes equations of the same rows, and lagged paths have others",
            fix="Fit the mediation with lags = [0, 0]",
        )
    for fit in mediation.equations.values():
        if not fit.is_collapsed:
            return SpecError(
                f"the sensitivity to confounding takes normal errors, not '{fit.spec.errors}'",
                fix="Fit the mediation with errors = 'iid', or 'ar1', with scales of units or factors",
            )
        if "y_total" in fit.tree["log_likelihood"]:
            return SpecError(
                "the sensitivity to confounding takes every unit's effects, which a panel as large does not keep",
                fix="Ask it of a sample of units",
            )
    return None


def _check(mediation: Mediation, rho: np.ndarray) -> None:
    outside = np.asarray(rho)[~(np.abs(rho) < 1)]
    if outside.size:
        raise SpecError(f"rho = {outside.flat[0]:g} is no correlation of errors", fix="Use values inside (-1, 1)")
    error = obstacle(mediation)
    if error is not None:
        raise error


def _kappa(correlation: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """R^-1 rho / sqrt(1 - rho'R^-1 rho) of every draw; correlation (S, K, K), rho and result (S, K)."""
    solved = np.linalg.solve(correlation, rho[..., None])[..., 0]
    left = 1 - (rho * solved).sum(axis=1)
    if (left <= 0).any():
        raise SpecError(
            "these rho of the mediators are impossible together", fix="Use values nearer to zero: rho'R^-1 rho < 1"
        )
    return solved / np.sqrt(left)[:, None]


def _limit(mediation: Mediation, vector: np.ndarray) -> float:
    """The largest multiple of a direction of rho that is possible in every draw."""
    if len(vector) == 1:
        return 1.0
    correlation = mediation.correlated_errors.correlation
    solved = np.linalg.solve(correlation, np.broadcast_to(vector, (1, len(vector)))[..., None])
    return min(1.0, float(1 / np.sqrt((vector * solved[..., 0]).sum(axis=1).max())))


def _directions(mediation: Mediation) -> dict[str, np.ndarray]:
    """Each mediator alone, and all together where there are several."""
    unit = np.eye(len(mediation.mediators))
    out = dict(zip(mediation.mediators, unit, strict=True))
    return out if len(out) == 1 else {**out, "all together": np.ones(len(unit))}


def _weights(mediation: Mediation) -> dict[str, np.ndarray]:
    groups = mediation.groups
    return {"": mediation.shares, **{label: np.eye(len(groups))[g] for g, label in enumerate(groups)}}


def _summary(draws: np.ndarray, log_weights: np.ndarray) -> Summary:
    """Weighted mean, equal-tailed interval and P(> 0)."""
    if not np.isfinite(draws).all():
        return np.nan, np.nan, np.nan, np.nan
    weights = normalised(log_weights)
    order = np.argsort(draws)
    cumulative = np.cumsum(weights[order]) - weights[order] / 2
    lo, hi = np.interp(TAILS, cumulative, draws[order])
    above = drawn_share(weights @ positive(draws), effective=1 / (weights**2).sum())
    return float(weights @ draws), float(lo), float(hi), float(above)


def _nearest_root(function: Root, grid: np.ndarray, values: np.ndarray) -> float:
    """The root nearest to zero, from a function's values on a grid; NaN without one."""
    signs = np.sign(values)
    changes = np.flatnonzero(signs[:-1] * signs[1:] <= 0)
    if not len(changes):
        return np.nan
    at = changes[np.argmin(np.abs(grid[changes] + grid[changes + 1]))]
    return float(brentq(function, grid[at], grid[at + 1], xtol=1e-4))
