"""One model under many priors or with many outcomes: refits through the collapsed sampler, without compiling."""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.kernel import identity_callback
from bayes_npp.bayesian.collapsed.parts import alone
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.diagnostics import Diagnostics, Gate, diagnose
from bayes_npp.bayesian.fitting.importance import resampled, weigh, why_not
from bayes_npp.bayesian.fitting.modes import Mode, find_mode
from bayes_npp.bayesian.fitting.posterior import in_data_units
from bayes_npp.bayesian.fitting.sample import CAREFUL, CAREFUL_TUNE, Sampler, draw_density
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.errors import ImportanceError

# A nearly round density: long steps give an effective sample size above 400 in the fewest evaluations.
SHORT = Sampler(draws=900, tune=250, chains=2, target_accept=0.7)
FEW_POINTS = 32  # of each of 16 scramblings, where that is enough
ATTEMPTS, AGAIN = 3, 10_000_000  # runs of a few chains each, and what sets their seeds apart


@dataclass(frozen=True)
class Refit:
    """The posterior under one prior set.

    Attributes
    ----------
    priors : PriorSet
    draws : dict of ndarray, shapes (S, ...)
        By variable of the posterior; slopes of the exposure in the data's units as in `Fit.tree`.
    diagnostics : Diagnostics
        Of theta, from weights or from chains: given theta the other coefficients are drawn independently.
    """

    priors: PriorSet
    draws: dict[str, np.ndarray]
    diagnostics: Gate

    @property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1))."""
        return self.draws["group_slope"] if "group_slope" in self.draws else self.draws["slope"][:, None]


def refit(collapsed: Collapsed, prior_sets: Sequence[PriorSet], sampler: Sampler = SHORT) -> list[Refit]:
    """Fit the same data under each of several prior sets.

    Each is weighted points of its own (`weigh`), found from the mode of the first, or chains where those are not good.

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
    return refit_each([(_under(collapsed, priors), priors) for priors in prior_sets], sampler)


def refit_each(targets: Sequence[tuple[Collapsed, PriorSet]], sampler: Sampler = SHORT) -> list[Refit]:
    """Fit each of several collapsed posteriors, such as one model with many outcomes.

    Parameters
    ----------
    targets : sequence of (Collapsed, PriorSet)
    sampler : Sampler
        Its seed is the first one's; the others count on.

    Returns
    -------
    list of Refit
        In the order of the targets.
    """
    start = Start.of(targets[0][0]) if targets else None

    def one(k: int) -> Refit:
        own = replace(sampler, seed=sampler.seed + k)
        return sample_until_passed(*targets[k], own, sampler.draws * sampler.chains, with_units=False, start=start)

    with workers() as pool:
        return list(pool.map(one, range(len(targets))))


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """A thread a core, and one thread of BLAS under all of them.

    The limit is set around the pool: where each thread sets its own, the first to end lifts that of the others, and
    threads of BLAS that wait for each other take several times as long. For the same reason scipy's warnings of line
    searches are silenced here: its BFGS does so itself, but for the whole process, and one thread lifts it for others.
    """
    with (
        threadpool_limits(limits=1),
        warnings.catch_warnings(),
        ThreadPoolExecutor(os.cpu_count() or 1, initializer=alone) as pool,
    ):
        warnings.filterwarnings("ignore", message="The line search algorithm did not converge")
        yield pool


@dataclass(frozen=True)
class Start:
    """The mode of a posterior, from which climbs to the modes of others like it start."""

    collapsed: Collapsed
    mode: Mode

    @classmethod
    def of(cls, collapsed: Collapsed) -> "Start | None":
        """The mode of a posterior; None where importance sampling does not suit it, or there is no scale."""
        try:
            return None if why_not(collapsed) or not collapsed.size else cls(collapsed, find_mode(collapsed))
        except ImportanceError:
            return None

    def near(self, other: Collapsed) -> np.ndarray | None:
        """The same scales and shapes as theta (d,) of another posterior; None where it has others."""
        if not _same_theta(self.collapsed, other):
            return None
        moved = self.collapsed.moved_to(other, self.mode.at[None])[0][0]
        return moved if np.isfinite(moved).all() else None


def sample_until_passed(
    collapsed: Collapsed,
    priors: PriorSet,
    sampler: Sampler,
    keep: int,
    with_units: bool = True,
    start: Start | None = None,
) -> Refit:
    """Weighted points, or a short run, or a longer one if its diagnostics fail; coefficients at `keep` draws."""
    flat, diagnostics = sample_thetas(collapsed, sampler, start)
    some = np.ascontiguousarray(flat[np.linspace(0, len(flat) - 1, keep).astype(int)])
    draws = collapsed.coefficients(some, sampler.seed, with_units=with_units)
    return Refit(priors, {**draws, **in_data_units(draws, collapsed.data)}, diagnostics)


def sample_thetas(
    collapsed: Collapsed, sampler: Sampler, start: Start | None = None, points: int = FEW_POINTS
) -> tuple[np.ndarray, Gate]:
    """Draws of theta (S, d) from weighted points, or of chains where those are not good."""
    if not why_not(collapsed):
        try:
            near = None if start is None else start.near(collapsed)
            found = weigh(collapsed, sampler.seed, sampler.chains, points, near)
        except ImportanceError:
            return sample_chains(collapsed, sampler)
        if found.diagnostics.passed:
            thetas = resampled(found, sampler.draws, sampler.chains, sampler.seed)
            return thetas.reshape(sampler.chains * sampler.draws, collapsed.size), found.diagnostics
    return sample_chains(collapsed, sampler)


def sample_chains(collapsed: Collapsed, sampler: Sampler) -> tuple[np.ndarray, Diagnostics]:
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
        how = (collapsed.packed, collapsed.start, own, collapsed.metric)
        runs.append(draw_density(collapsed.callback, identity_callback, *how))
        thetas = np.concatenate([draws for draws, _ in runs])
        diagnostics = diagnose(collapsed.judged(thetas), xr.concat([stats for _, stats in runs], "chain"))
        if diagnostics.passed or diagnostics.divergences:
            break
    return thetas, diagnostics


def _same_theta(one: Collapsed, other: Collapsed) -> bool:
    """Whether an element of theta means the same in two posteriors, up to the unit of its prior."""
    here, there = ([(e.variable, e.at) for e in own.elements] for own in (one, other))
    return here == there and one.size == other.size and one.layout.centred == other.layout.centred


def _under(collapsed: Collapsed, priors: PriorSet) -> Collapsed:
    """The data under other priors; collapsed again only where a coefficient moves in or out of theta."""
    return collapsed.with_priors(priors) if collapsed.same_theta(priors) else collapse(collapsed.data, priors)
