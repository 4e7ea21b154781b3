"""Mediator-outcome confounding: what a mediation posterior becomes if errors of mediators and outcome correlate.

With rho_k = corr(e_m_k, e_y), D R D the covariance of the mediators' errors and s the outcome's error SD given the
mediators, the outcome equation estimates b + delta in place of b, delta = s D^-1 R^-1 rho / sqrt(1 - rho'R^-1 rho), and
direct - sum_k delta_k a_k in place of direct; the total does not move. Where mediator j explains mediator k by a link
l_jk, b_j moves by delta_j - sum_k l_jk delta_k. See docs/statistics.md, section 3.

References
----------
Imai, Keele & Yamamoto (2010), Statistical Science: one mediator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.psis import normalised, smoothed
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.errors import SpecError
from bayes_npp.estimates import TAILS, drawn_share, positive

Root = Callable[[float], float]
STEPS = 40  # of the grid on which a crossing is looked for, to each side
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
        together": the total indirect effect where every mediator has the same rho, as far as that is possible.

    Raises
    ------
    SpecError
        A rho outside (-1, 1), a mediation without a closed form (`obstacle`).
    """
    rows = []
    _check(mediation, np.array(rhos))
    for name, vector in _directions(mediation).items():
        limit = _limit(mediation, vector)
        for rho in (rho for rho in rhos if abs(rho) < limit):
            k_hat = at_rho(mediation, rho * vector).k_hat
            for group, summary in _effects_at(mediation, name, rho * vector).items():
                rows.append((name, group, rho, *summary, k_hat))
    names = ["mediator", "group", "rho", "estimate", "lo", "hi", "prob_positive", "k_hat"]
    return pd.DataFrame(rows, columns=names)


def crossings(mediation: Mediation) -> pd.DataFrame:
    """The rho at which each indirect effect's posterior mean is zero, and the first whose interval includes zero.

    Returns
    -------
    DataFrame
        mediator, group, mean_crosses, interval_includes; NaN with the reason in `note` where there is none.
    """
    rows = []
    for name, vector in _directions(mediation).items():
        limit = 0.999 * _limit(mediation, vector)
        grid = limit * np.linspace(-1, 1, 2 * STEPS + 1)
        on_grid = [_effects_at(mediation, name, rho * vector) for rho in grid]
        for group in _weights(mediation):
            here = np.array([effects[group] for effects in on_grid])
            mean = _nearest_root(_along(mediation, name, vector, group, 0), grid, here[:, 0])
            _, lo, hi, _ = here[STEPS]
            first, note = np.nan, ""
            if lo <= 0 <= hi:
                note = "the interval includes zero at rho = 0 already"
            else:
                end = 1 if lo > 0 else 2
                first = _nearest_root(_along(mediation, name, vector, group, end), grid, here[:, end])
            rows.append((name, group, mean, first, note))
    return pd.DataFrame(rows, columns=["mediator", "group", "mean_crosses", "interval_includes", "note"])


def _along(mediation: Mediation, name: str, vector: np.ndarray, group: str, index: int) -> Root:
    """One number of a summary (0 mean, 1 lo, 2 hi) as a function of rho."""
    return lambda rho: _effects_at(mediation, name, rho * vector)[group][index]


def _effects_at(mediation: Mediation, name: str, rho: np.ndarray) -> dict[str, tuple[float, float, float, float]]:
    """Summary, in every group, of the indirect effect through one mediator (all its chains), or through any."""
    moved = at_rho(mediation, rho)
    through = [name in chain or name not in mediation.mediators for chain in mediation.chains]
    draws = moved.indirect[:, through].sum(axis=1)
    return {group: _summary(draws @ weights, moved.log_weights) for group, weights in _weights(mediation).items()}


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

    Exact where errors are independent and of one scale and slopes have flat priors; other priors are met by reweighting
    the draws, and `k_hat` says how well.
    """
    if isinstance(rho, Mapping):
        unknown = [name for name in rho if name not in mediation.mediators]
        if unknown:
            raise SpecError(f"unknown mediator '{unknown[0]}'", fix=f"Use {', '.join(mediation.mediators)}")
        rho = np.array([rho.get(name, 0.0) for name in mediation.mediators])
    _check(mediation, rho)
    return _moved(mediation, np.broadcast_to(rho, (len(mediation.direct), len(mediation.mediators))))


def _moved(mediation: Mediation, rho: np.ndarray) -> Shifted:
    """Effects under the rho (S, K) of every draw."""
    delta = _delta(mediation, rho)[..., None]
    to_direct = (delta * mediation.path_a).sum(axis=1)
    from_b = np.repeat(delta, to_direct.shape[1], axis=2)
    for (cause, effect), link in mediation.links.items():
        from_b[:, mediation.mediators.index(cause)] -= link * delta[:, mediation.mediators.index(effect)]
    log_weights, k_hat = _reweight(mediation, from_b, to_direct)
    return Shifted(mediation.through(mediation.path_b - from_b), mediation.direct + to_direct, log_weights, k_hat)


def obstacle(mediation: Mediation) -> SpecError | None:
    """Why a mediation has no closed form of its sensitivity to confounding; None where it has one."""
    if mediation.missing.imputed:
        return SpecError(
            "the sensitivity to confounding has no closed form with imputed cells",
            fix="Use another treatment of missing cells, with errors = 'iid'",
        )
    errors = next((fit.spec.errors for fit in mediation.equations.values() if fit.spec.error_parts), "")
    if errors:
        return SpecError(
            f"the sensitivity to confounding takes independent errors, not '{errors}'",
            fix="Fit the mediation with errors = 'iid'",
        )
    if any(mediation.paths.lags):
        return SpecError(
            "the sensitivity to confounding has no closed form with lagged paths",
            fix="Fit the mediation with lags = [0, 0]",
        )
    equations = list(mediation.equations.values())
    wanting = [fit.spec.outcome for fit in equations[:-1] if fit.design.groups and not equations[-1].design.groups]
    if not set(mediation.mediators) <= set(equations[-1].spec.varying):
        links = mediation.paths.serial
        wanting += [cause for cause, effect in links if cause in mediation.equations[effect].spec.varying]
    if wanting:
        return SpecError(
            f"paths of '{wanting[0]}' vary by group where the outcome's equation has one slope",
            fix="The sensitivity to confounding takes 'b' and 'direct' in varying, where 'a' or 'serial' are",
        )
    return None


def _check(mediation: Mediation, rho: np.ndarray) -> None:
    outside = np.asarray(rho)[~(np.abs(rho) < 1)]
    if outside.size:
        raise SpecError(f"rho = {outside.flat[0]:g} is no correlation of errors", fix="Use values inside (-1, 1)")
    error = obstacle(mediation)
    if error is not None:
        raise error


def _delta(mediation: Mediation, rho: np.ndarray) -> np.ndarray:
    """What confounding adds to each path b, shape (S, K), in the data's units; rho (S, K)."""
    sd = np.stack([_error_sd(mediation, name) for name in mediation.mediators], axis=1)
    given = _error_sd(mediation, mediation.spec.outcome)
    if rho.shape[1] == 1:
        return rho * given[:, None] / sd / np.sqrt(1 - rho**2)
    solved = np.linalg.solve(mediation.error_correlation, rho[..., None])[..., 0]
    left = 1 - (rho * solved).sum(axis=1)
    if (left <= 0).any():
        raise SpecError(
            "these rho of the mediators are impossible together", fix="Use values nearer to zero: rho'R^-1 rho < 1"
        )
    return given[:, None] * solved / sd / np.sqrt(left)[:, None]


def _limit(mediation: Mediation, vector: np.ndarray) -> float:
    """The largest multiple of a direction of rho that is possible in every draw."""
    if len(vector) == 1:
        return 1.0
    solved = np.linalg.solve(mediation.error_correlation, np.broadcast_to(vector, (1, len(vector)))[..., None])
    return min(1.0, float(1 / np.sqrt((vector * solved[..., 0]).sum(axis=1).max())))


def _error_sd(mediation: Mediation, name: str) -> np.ndarray:
    return mediation.parameters[name]["error_sd"] * mediation.equations[name].design.scales.outcome_sd


def _reweight(mediation: Mediation, from_b: np.ndarray, to_direct: np.ndarray) -> tuple[np.ndarray, float]:
    """Log weights (S,) that turn the priors of paths as estimated into those of paths as moved; their Pareto k.

    from_b (S, K, G) is taken from paths b, to_direct (S, G) added to the direct path.
    """
    fit = mediation.equations[mediation.spec.outcome]
    scales, values = fit.design.scales, mediation.parameters[mediation.spec.outcome]
    total = np.zeros(len(to_direct))
    for k, name in enumerate(mediation.mediators):
        own = values["control_slope"][:, fit.spec.controls.index(name)]
        moved = -from_b[:, k] * scales.divisors[name] / scales.outcome_sd
        total += _log_ratio(fit, "controls", own, own + moved.mean(axis=1))
        if name in fit.spec.varying:
            at = fit.spec.varying.index(name)
            total += _offset_ratio(values["control_offset"][:, at], moved, values["control_slope_sd"][:, at])
    moved = to_direct * scales.divisors[fit.spec.exposure or ""] / scales.outcome_sd
    common = values["exposure_slope"]
    total += _log_ratio(fit, "exposure", common, common + moved.mean(axis=1))
    if fit.design.groups:
        total += _offset_ratio(values["slope_offset"], moved, values["slope_sd"])
    if np.ptp(total) < 1e-12:
        return np.full(len(total), -np.log(len(total))), -np.inf
    return smoothed(total)


def _offset_ratio(offset: np.ndarray, moved: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Log prior of group offsets (S, G) moved, less that of those as estimated; sd (S,)."""
    shifted = offset + moved - moved.mean(axis=1, keepdims=True)
    return ((offset**2 - shifted**2) / (2 * sd[:, None] ** 2)).sum(axis=1)


def _log_ratio(fit: Fit, slot: str, own: np.ndarray, moved: np.ndarray) -> np.ndarray:
    prior = fit.priors[slot]
    return prior.log_density(moved) - prior.log_density(own)


def _directions(mediation: Mediation) -> dict[str, np.ndarray]:
    """Each mediator alone, and all together where there are several."""
    unit = np.eye(len(mediation.mediators))
    out = dict(zip(mediation.mediators, unit, strict=True))
    return out if len(out) == 1 else {**out, "all together": np.ones(len(unit))}


def _weights(mediation: Mediation) -> dict[str, np.ndarray]:
    groups = mediation.groups
    return {"": mediation.shares, **{label: np.eye(len(groups))[g] for g, label in enumerate(groups)}}


def _summary(draws: np.ndarray, log_weights: np.ndarray) -> tuple[float, float, float, float]:
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
