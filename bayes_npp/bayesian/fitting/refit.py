"""One model under many priors or with many outcomes: refits through the collapsed sampler, without compiling."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.kernel import identity_callback
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.diagnostics import Diagnostics, diagnose
from bayes_npp.bayesian.fitting.posterior import in_data_units
from bayes_npp.bayesian.fitting.psis import MAX_K_HAT, normalised, smoothed
from bayes_npp.bayesian.fitting.sample import Sampler, draw_density
from bayes_npp.bayesian.priors.sets import PriorSet

# A nearly round density: long steps give an effective sample size above 400 in the fewest evaluations.
SHORT = Sampler(draws=900, tune=250, chains=2, target_accept=0.7)
ATTEMPTS, AGAIN = 3, 10_000_000  # runs of a few chains each, and what sets their seeds apart
CAREFUL, CAREFUL_TUNE = (0.9, 0.98), 600  # target acceptance and warm-up of runs after divergences
FEW_SCALES = 12  # of theta; weights of more are rarely good, and trying them takes longer than sampling
MIN_WEIGHTED = 500  # effective number of weighted draws
TRIED, PROMISING = 100, 0.7  # draws weighted first, and the share of MIN_WEIGHTED they must promise


@dataclass(frozen=True)
class Refit:
    """The posterior under one prior set.

    Attributes
    ----------
    priors : PriorSet
    draws : dict of ndarray, shapes (S, ...)
        By variable of the posterior; slopes of the exposure in the data's units as in `Fit.tree`.
    diagnostics : Diagnostics
        Of theta: given theta the other coefficients are drawn independently. Of a reweighted posterior, those of the
        draws it was reweighted from, with the effective sizes its weights leave of theirs.
    k_hat : float, optional
        Pareto k of the importance weights, where the posterior was reweighted; None where it was sampled.
    """

    priors: PriorSet
    draws: dict[str, np.ndarray]
    diagnostics: Diagnostics
    k_hat: float | None = None

    @property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1))."""
        return self.draws["group_slope"] if "group_slope" in self.draws else self.draws["slope"][:, None]


@dataclass(frozen=True)
class _Base:
    """A sampled posterior that others may be reweighted from."""

    collapsed: Collapsed
    refit: Refit
    thetas: np.ndarray


def refit(collapsed: Collapsed, prior_sets: Sequence[PriorSet], sampler: Sampler = SHORT) -> list[Refit]:
    """Fit the same data under each of several prior sets.

    A posterior is reweighted from one sampled before it, exactly, where the importance weights are good (Pareto k
    below `MAX_K_HAT`, at least `MIN_WEIGHTED` effective draws; Vehtari et al. 2024), and sampled where they are not.
    Both carry their diagnostics.

    Parameters
    ----------
    collapsed : Collapsed
        Such as `Fit.collapsed`.
    prior_sets : sequence of PriorSet
    sampler : Sampler
        Its seed is the first refit's; the others count on.

    Returns
    -------
    list of Refit
        In the order of the prior sets.

    Raises
    ------
    SpecError
        A prior set without a prior the model needs.
    """
    targets = [(_under(collapsed, priors), priors) for priors in prior_sets]
    return refit_each(targets, sampler, near=collapsed.size <= FEW_SCALES)


def refit_each(
    targets: Sequence[tuple[Collapsed, PriorSet]], sampler: Sampler = SHORT, near: bool = True
) -> list[Refit]:
    """Fit each of several collapsed posteriors, such as one model with many outcomes.

    Parameters
    ----------
    targets : sequence of (Collapsed, PriorSet)
    sampler : Sampler
        Its seed is the first one's; the others count on.
    near : bool
        Whether the posteriors are near to each other, so that reweighting (see `refit`) is worth a try.

    Returns
    -------
    list of Refit
        In the order of the targets.
    """
    with workers() as pool:
        if not near:
            seeds = [replace(sampler, seed=sampler.seed + k) for k in range(len(targets))]
            return list(pool.map(partial(_alone, sampler.draws), targets, seeds))
        out: dict[int, Refit] = {}
        left = list(enumerate(targets))
        while left:
            # Two of those left are sampled, and serve the others they are near to.
            chosen = [left[i] for i in sorted({0, len(left) // 2})]
            seeds = [replace(sampler, seed=sampler.seed + k) for k, _ in chosen]
            new = list(pool.map(_sample, *zip(*(target for _, target in chosen), strict=True), seeds))
            out.update({k: base.refit for (k, _), base in zip(chosen, new, strict=True)})
            left = [item for item in left if item[0] not in out]
            seeds_left = [sampler.seed + k for k, _ in left]
            tried = list(pool.map(partial(_reweight, new), [target for _, target in left], seeds_left))
            out.update({k: found for (k, _), found in zip(left, tried, strict=True) if found is not None})
            left = [item for item in left if item[0] not in out]
    return [out[k] for k in range(len(targets))]


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """A thread a core, and one thread of BLAS under all of them.

    The limit is set around the pool: where each thread sets its own, the first to end lifts that of the others, and
    threads of BLAS that wait for each other take several times as long.
    """
    with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield pool


def _alone(keep: int, target: tuple[Collapsed, PriorSet], sampler: Sampler) -> Refit:
    return sample_until_passed(*target, sampler, keep, with_units=False)


def sample_until_passed(
    collapsed: Collapsed, priors: PriorSet, sampler: Sampler, keep: int, with_units: bool = True
) -> Refit:
    """A short run, or a longer one if its diagnostics fail; coefficients at `keep` evenly spaced draws."""
    flat, diagnostics = sample_thetas(collapsed, sampler)
    some = np.ascontiguousarray(flat[np.linspace(0, len(flat) - 1, keep).astype(int)])
    draws = collapsed.coefficients(some, sampler.seed, with_units=with_units)
    return Refit(priors, {**draws, **in_data_units(draws, collapsed.data)}, diagnostics)


def sample_thetas(collapsed: Collapsed, sampler: Sampler) -> tuple[np.ndarray, Diagnostics]:
    """Draws of theta (S, d) of a short run, or of one with shorter steps where that diverges."""
    thetas, diagnostics = _until_passed(collapsed, sampler)
    for target_accept in CAREFUL:
        if not diagnostics.divergences:  # which more chains do not avoid
            break
        careful = replace(sampler, tune=CAREFUL_TUNE, target_accept=target_accept)
        thetas, diagnostics = _until_passed(collapsed, careful)
    return np.ascontiguousarray(thetas.reshape(thetas.shape[0] * thetas.shape[1], thetas.shape[2])), diagnostics


def _until_passed(collapsed: Collapsed, sampler: Sampler) -> tuple[np.ndarray, Diagnostics]:
    """A run, with as many chains again while they are too few or do not agree, and none diverges."""
    import xarray as xr

    runs = []
    for attempt in range(ATTEMPTS):
        own = replace(sampler, seed=sampler.seed + attempt * AGAIN)
        runs.append(draw_density(collapsed.callback, identity_callback, collapsed.packed, collapsed.start, own))
        thetas = np.concatenate([draws for draws, _ in runs])
        diagnostics = diagnose(collapsed.judged(thetas), xr.concat([stats for _, stats in runs], "chain"))
        if diagnostics.passed or diagnostics.divergences:
            break
    return thetas, diagnostics


def sample_short(
    collapsed: Collapsed, priors: PriorSet, sampler: Sampler, with_units: bool = False
) -> tuple[Refit, np.ndarray]:
    """Sample a collapsed posterior and draw its coefficients, those of units only on request; and theta (S, d)."""
    thetas, stats = draw_density(collapsed.callback, identity_callback, collapsed.packed, collapsed.start, sampler)
    flat = np.ascontiguousarray(thetas.reshape(thetas.shape[0] * thetas.shape[1], thetas.shape[2]))
    draws = collapsed.coefficients(flat, sampler.seed, with_units=with_units)
    draws = {**draws, **in_data_units(draws, collapsed.data)}
    return Refit(priors, draws, diagnose(collapsed.judged(thetas), stats)), flat


def _sample(collapsed: Collapsed, priors: PriorSet, sampler: Sampler) -> _Base:
    thetas, diagnostics = sample_thetas(collapsed, sampler)
    draws = collapsed.coefficients(thetas, sampler.seed, with_units=False)
    return _Base(collapsed, Refit(priors, {**draws, **in_data_units(draws, collapsed.data)}, diagnostics), thetas)


def _reweight(bases: Sequence[_Base], target: tuple[Collapsed, PriorSet], seed: int) -> Refit | None:
    """Another posterior by importance resampling from the first base whose weights are good."""
    random = np.random.default_rng(seed)
    own, priors = target
    for base in bases:
        if not _same_theta(base.collapsed, own) or not base.refit.diagnostics.passed:
            continue
        thetas, log_ratio = base.collapsed.moved_to(own, base.thetas)
        if not np.isfinite(log_ratio).all() or not _promising(base, own, thetas, log_ratio, seed):
            continue
        draws = own.coefficients(thetas, seed, with_units=False)
        log_ratio += draws["collapsed_log_likelihood"] - base.refit.draws["collapsed_log_likelihood"]
        log_weights, k_hat = smoothed(log_ratio)
        weights = normalised(log_weights)
        diagnostics = _weighted(base.refit.diagnostics, share=1 / (len(weights) * (weights**2).sum()))
        if k_hat < MAX_K_HAT and diagnostics.ess_bulk >= MIN_WEIGHTED and diagnostics.passed:
            # Systematic resampling: the number of copies of a draw is its expectation rounded up or down.
            points = (np.arange(len(weights)) + random.uniform()) / len(weights)
            some = np.searchsorted(np.cumsum(weights), points).clip(max=len(weights) - 1)
            resampled = {name: values[some] for name, values in draws.items()}
            resampled |= in_data_units(resampled, own.data)
            return Refit(priors, resampled, diagnostics, k_hat)
    return None


def _weighted(diagnostics: Diagnostics, share: float) -> Diagnostics:
    """Diagnostics of draws of which weights leave a share effective."""
    return replace(diagnostics, ess_bulk=share * diagnostics.ess_bulk, ess_tail=share * diagnostics.ess_tail)


def _promising(base: _Base, own: Collapsed, thetas: np.ndarray, log_ratio: np.ndarray, seed: int) -> bool:
    """Whether weights of a few draws are good enough to compute all of them."""
    some = np.linspace(0, len(thetas) - 1, TRIED).astype(int)
    there = own.coefficients(thetas[some], seed, with_units=False)["collapsed_log_likelihood"]
    log_weights = log_ratio[some] + there - base.refit.draws["collapsed_log_likelihood"][some]
    weights = np.exp(log_weights - log_weights.max())
    share = weights.sum() ** 2 / (weights**2).sum() / len(some)
    return bool(share * base.refit.diagnostics.ess_bulk >= PROMISING * MIN_WEIGHTED)


def _same_theta(one: Collapsed, other: Collapsed) -> bool:
    """Whether an element of theta means the same in two posteriors, up to the unit of its prior."""
    here, there = ([(e.variable, e.at) for e in own.elements] for own in (one, other))
    return here == there and one.size == other.size and one.layout.centred == other.layout.centred


def _under(collapsed: Collapsed, priors: PriorSet) -> Collapsed:
    """The data under other priors; collapsed again only where a coefficient moves in or out of theta."""
    return collapsed.with_priors(priors) if collapsed.same_theta(priors) else collapse(collapsed.data, priors)
