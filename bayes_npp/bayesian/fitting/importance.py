"""Posteriors of few scales and shapes without a chain: scrambled Sobol points with exact importance weights.

See docs/statistics.md, section 7.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.fitting.diagnostics import WeightDiagnostics
from bayes_npp.bayesian.fitting.modes import Density, Mode, find_mode
from bayes_npp.bayesian.fitting.pairs import pair
from bayes_npp.bayesian.fitting.proposal import Proposal, along_axes, missed
from bayes_npp.bayesian.fitting.psis import normalised, smoothed
from bayes_npp.errors import ImportanceError

MOST_SCALES = 8  # elements of theta; with more, points in place of a chain are too far apart
T_SHARE, ADDED_SHARE = 0.25, 0.2  # of points: of the split t, or half of it; of a part put where weights are large
TRADED = ("autocorrelation", "unit_sd")  # elements that trade off along a curve
SCRAMBLINGS = 16  # independent ones, at least: their spread is the Monte Carlo error
BITS = 30  # of a coordinate
POINTS = 128  # of each scrambling, a power of two


@dataclass(frozen=True)
class WeightedPoints:
    """Points of theta with the weights that make them the posterior.

    Attributes
    ----------
    thetas : ndarray, shape (R, n, d)
        Of R scramblings.
    weights : ndarray, shape (R, n)
        They sum to one over the scramblings of each chain, and over all of them to the number of chains.
    diagnostics : WeightDiagnostics
    mode : Mode, optional
        None where there is no scale or shape.
    """

    thetas: np.ndarray
    weights: np.ndarray
    diagnostics: WeightDiagnostics
    mode: Mode | None


def why_not(collapsed: Density) -> str:
    """Why importance sampling is not tried on a posterior; empty where it is."""
    if collapsed.layout.unit_scales != kernel.ABSENT:
        return "every unit has a scale of its own"
    if collapsed.size > MOST_SCALES:
        return f"{collapsed.size} scales and shapes, more than {MOST_SCALES}"
    return ""


def weigh(
    collapsed: Density, seed: int, chains: int = 4, points: int = POINTS, near: np.ndarray | None = None
) -> WeightedPoints:
    """Points of theta with importance weights.

    Parameters
    ----------
    collapsed : Density
    seed : int
        Of the scramblings.
    chains : int
        Scramblings are as many for each chain, `SCRAMBLINGS` or a few more in all.
    points : int
        Of each scrambling, a power of two; `POINTS` at least where these are not good.
    near : ndarray, shape (d,), optional
        Mode of a posterior like it: see `find_mode`.

    Raises
    ------
    ImportanceError
        `why_not`, or no single mode.

    Notes
    -----
    Weights are the posterior density over the proposal's, and are used as they are; Pareto k is of their largest ones.
    Where they do not pass, points are drawn anew with one more part in the proposal, twice at most.

    References
    ----------
    Owen (1997), SIAM Journal on Numerical Analysis 34: scrambled nets. Vehtari, Simpson, Gelman, Yao & Gabry (2024),
    Journal of Machine Learning Research 25: Pareto k.
    """
    if reason := why_not(collapsed):
        raise ImportanceError(reason, fix="Use engine = 'collapsed'")
    scramblings = chains * -(-SCRAMBLINGS // chains)
    if collapsed.size == 0:  # nothing to integrate over
        weights = np.full((scramblings, points), chains / (scramblings * points))
        exact = WeightDiagnostics(0.0, float(weights.size), 0.0, "")
        return WeightedPoints(np.empty((*weights.shape, 0)), weights, exact, None)
    mode = find_mode(collapsed, near)
    proposal = propose(collapsed, mode)
    for attempt, own in enumerate((points, max(points, POINTS), max(points, POINTS))):
        thetas = proposal.draw(scrambled(proposal.dimension, scramblings, own, (seed, attempt)))
        log_density, means = collapsed.evaluate(thetas)
        log_ratio = log_density - proposal.log_density(thetas)
        log_ratio = np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
        if not np.isfinite(log_ratio).any():
            raise ImportanceError("no point of the proposal has a density")
        weights = normalised(log_ratio.reshape(chains, -1), axis=1).reshape(scramblings, own)
        diagnostics = judge(collapsed, thetas, means, log_ratio, weights)
        found = WeightedPoints(thetas.reshape(*weights.shape, -1), weights, diagnostics, mode)
        part = None if diagnostics.passed else missed(mode, thetas, log_ratio)
        if part is None:
            break
        proposal = proposal.beside(part, ADDED_SHARE)
    return found


def propose(collapsed: Density, mode: Mode) -> Proposal:
    """A proposal around a mode: with serial correlation and partially pooled unit effects, a table of both in it."""
    tails, axes = along_axes(mode, lambda thetas: collapsed.evaluate(thetas)[0])
    names = [element.variable for element in collapsed.elements]
    if not set(TRADED) <= set(names):
        return Proposal((tails, axes), (T_SHARE, 1.0 - T_SHARE))
    both = pair(collapsed, mode, (names.index(TRADED[0]), names.index(TRADED[1])))
    return Proposal((tails, axes, both), (T_SHARE / 2, T_SHARE / 2, 1.0 - T_SHARE))


def scrambled(d: int, scramblings: int, points: int, seed: tuple[int, ...]) -> np.ndarray:
    """Uniform points of independently scrambled Sobol sequences, shape (scramblings, points, d), none 0 or 1.

    Linear matrix scramblings, always the same, each with a random digital shift, which makes every point uniform and
    the sequences independent.
    """
    shifts = np.random.default_rng(seed).integers(0, 2**BITS, (scramblings, 1, d), dtype=np.uint64)
    return ((nets(d, scramblings, points) ^ shifts) + 0.5) / 2.0**BITS


@cache
def nets(d: int, scramblings: int, points: int) -> np.ndarray:
    """Sobol points with scrambled matrices as integers of `BITS` bits, shape (scramblings, points, d)."""
    from scipy.stats import qmc

    seeds = np.random.SeedSequence(7).spawn(scramblings)
    engines = (qmc.Sobol(d, scramble=True, bits=BITS, rng=np.random.default_rng(own)) for own in seeds)
    return np.stack([np.round(engine.random(points) * 2**BITS).astype(np.uint64) for engine in engines])


def judge(
    collapsed: Density, thetas: np.ndarray, means: np.ndarray, log_ratio: np.ndarray, weights: np.ndarray
) -> WeightDiagnostics:
    """Pareto k, Kish's effective size, and how far the scramblings' means differ.

    Parameters
    ----------
    collapsed : Density
    thetas : ndarray, shape (R n, d)
    means : ndarray, shape (R n, p)
        Of the coefficients given theta.
    log_ratio : ndarray, shape (R n,)
        Log posterior density less the proposal's.
    weights : ndarray, shape (R, n)
    """
    natural = {name: values.reshape(len(thetas), -1) for name, values in collapsed.constrained(thetas).items()}
    functions = np.concatenate([*natural.values(), means], axis=1)
    names = [name for name, values in natural.items() for _ in range(values.shape[1])]
    names += [term.variable for term in collapsed.columns for _ in range(term.width)]
    finite = np.isfinite(functions).all(axis=1) & np.isfinite(log_ratio)
    lost = int((~finite & (weights.ravel() > 0)).sum())
    functions = np.where(finite[:, None], functions, 0.0)
    values = functions.reshape(*weights.shape, -1)
    total = weights.ravel() @ functions / weights.sum()
    spread = np.sqrt(weights.ravel() @ (functions - total) ** 2 / weights.sum())
    means = np.einsum("rn,rnf->rf", weights / weights.sum(axis=1, keepdims=True), values)
    errors = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    moving = spread > 1e-9 * (1.0 + np.abs(total))  # others are the same at every theta
    relative = np.where(moving, errors / np.where(moving, spread, 1.0), 0.0)
    k_hat = smoothed(np.maximum(log_ratio, log_ratio.max() - 700.0))[1]
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    worst = int(np.argmax(relative))
    return WeightDiagnostics(k_hat, kish, float(relative[worst]), names[worst], lost)


def resampled(found: WeightedPoints, draws: int, chains: int, seed: int) -> np.ndarray:
    """Equally weighted draws of theta, shape (chains, draws, d), from weighted points, chain by chain.

    Systematic: the copies of a point are their expectation rounded up or down. They are in random order, because
    neighbours in a Sobol sequence fill the space in turn: every second point of one leaves half of it empty.
    """
    random = np.random.default_rng([seed, 1])
    weights = found.weights.reshape(chains, -1)
    thetas = found.thetas.reshape(*weights.shape, found.thetas.shape[-1])
    out = np.empty((chains, draws, thetas.shape[2]))
    for c in range(chains):
        at = (np.arange(draws) + random.uniform()) / draws
        some = np.searchsorted(np.cumsum(weights[c]), at).clip(max=weights.shape[1] - 1)
        out[c] = thetas[c, random.permutation(some)]
    return out
