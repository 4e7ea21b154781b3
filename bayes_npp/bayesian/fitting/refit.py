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
from bayes_npp.bayesian.collapsed.parts import alone
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.chains import MANY, NEAR_TUNE, Neighbour, draw_chains, pinned
from bayes_npp.bayesian.fitting.diagnostics import MIN_ESS, Diagnostics, Gate, diagnose
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.importance import resampled, weigh, why_not
from bayes_npp.bayesian.fitting.modes import Mode, find_mode
from bayes_npp.bayesian.fitting.posterior import in_data_units
from bayes_npp.bayesian.fitting.sample import CAREFUL, CAREFUL_TUNE, COLLAPSED_TARGET_ACCEPT, SHORTER, Sampler
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.errors import ImportanceError

# A nearly round density: long steps give an effective sample size above 400 in the fewest evaluations.
SHORT = Sampler(draws=900, tune=250, chains=2, target_accept=0.8)
FEW_POINTS = 32  # of each of 16 scramblings, where that is enough
ATTEMPTS, AGAIN = 3, 10_000_000  # runs of a few chains each, and what sets their seeds apart
LONGEST = 10  # times as many draws of a posterior in which chains are slow
UNCERTAIN = 3.0  # a few slow chains tell their effective size only up to this factor
TOO_FAR = 20.0  # of `Neighbour.misfit`: chains in its frame take ten times the steps


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


def refit(
    collapsed: Collapsed, prior_sets: Sequence[PriorSet], sampler: Sampler = SHORT, start: "Start | None" = None
) -> list[Refit]:
    """Fit the same data under each of several prior sets.

    Each is weighted points of its own (`weigh`), found from the mode of the first, or chains where those are not good.

    Parameters
    ----------
    collapsed : Collapsed
        Such as `Fit.collapsed`.
    prior_sets : sequence of PriorSet
    sampler : Sampler
        Its seed is the first refit's; the others count on.
    start : Start, optional
        Of a posterior like them, such as `Start.of_fit`; else the first refit serves the others.

    Returns
    -------
    list of Refit
        In the order of the prior sets.

    Raises
    ------
    SpecError
        A prior set without a prior the model needs.
    """
    return refit_each([(_under(collapsed, priors), priors) for priors in prior_sets], sampler, start)


def refit_each(
    targets: Sequence[tuple[Collapsed, PriorSet]], sampler: Sampler = SHORT, start: "Start | None" = None
) -> list[Refit]:
    """Fit each of several collapsed posteriors, such as one model with many outcomes.

    Parameters
    ----------
    targets : sequence of (Collapsed, PriorSet)
    sampler : Sampler
        Its seed is the first one's; the others count on.
    start : Start, optional
        As of `refit`.

    Returns
    -------
    list of Refit
        In the order of the targets.
    """
    keep = sampler.draws * sampler.chains

    def one(k: int) -> Refit:
        own = replace(sampler, seed=sampler.seed + k)
        return sample_until_passed(*targets[k], own, keep, with_units=False, start=start)

    done: list[Refit] = []
    with workers() as pool:
        if start is None and targets:
            start = Start.of(targets[0][0])
        if start is None and len(targets) > 1 and targets[0][0].size > MANY and not pinned(targets[0][0]):
            collapsed, priors = targets[0]
            found = sample_chains(collapsed, sampler)
            thetas, diagnostics = found.thetas, found.diagnostics
            done = [_with_coefficients(collapsed, priors, sampler, thetas, diagnostics, keep, with_units=False)]
            start = Start(collapsed, found.as_neighbour())
        return done + list(pool.map(one, range(len(done), len(targets))))


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
    """What a posterior says of others like it: its mode, from which climbs to theirs start, or draws of its chains."""

    collapsed: Collapsed
    known: Mode | Neighbour

    @classmethod
    def of(cls, collapsed: Collapsed) -> "Start | None":
        """The mode of a posterior; None where importance sampling does not suit it, or there is no scale."""
        try:
            return None if why_not(collapsed) or not collapsed.size else cls(collapsed, find_mode(collapsed))
        except ImportanceError:
            return None

    @classmethod
    def of_fit(cls, fit: Fit) -> "Start | None":
        """Draws of a fit by chains of the collapsed posterior, where theta is large, or else the mode."""
        if fit.engine == "collapsed" and fit.collapsed.size > MANY:
            step = float(fit.tree["sample_stats"]["step_size"].mean())
            known = Neighbour(fit.thetas, step, fit.sampler.target_accept, fit.diagnostics.effective)
            return cls(fit.collapsed, known)
        return cls.of(fit.collapsed) if fit.is_collapsed else None

    def mode_near(self, other: Collapsed) -> np.ndarray | None:
        """The mode as theta (d,) of another posterior; None where that has other scales and shapes."""
        if not isinstance(self.known, Mode) or (moved := self._moved(self.known.at[None], other)) is None:
            return None
        return np.asarray(moved[0])

    def chains_near(self, other: Collapsed) -> Neighbour | None:
        """The draws as theta of another posterior; None where that has other scales and shapes."""
        if not isinstance(self.known, Neighbour) or (moved := self._moved(self.known.thetas, other)) is None:
            return None
        return replace(self.known, thetas=moved)

    def _moved(self, thetas: np.ndarray, other: Collapsed) -> np.ndarray | None:
        if not _same_theta(self.collapsed, other):
            return None
        moved = self.collapsed.moved_to(other, thetas)
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
    return _with_coefficients(collapsed, priors, sampler, flat, diagnostics, keep, with_units)


def _with_coefficients(
    collapsed: Collapsed,
    priors: PriorSet,
    sampler: Sampler,
    flat: np.ndarray,
    diagnostics: Gate,
    keep: int,
    with_units: bool,
) -> Refit:
    some = np.ascontiguousarray(flat[np.linspace(0, len(flat) - 1, keep).astype(int)])
    draws = collapsed.coefficients(some, sampler.seed, with_units=with_units)
    return Refit(priors, {**draws, **in_data_units(draws, collapsed.data)}, diagnostics)


def sample_thetas(
    collapsed: Collapsed, sampler: Sampler, start: Start | None = None, points: int = FEW_POINTS
) -> tuple[np.ndarray, Gate]:
    """Draws of theta (S, d) from weighted points, or of chains where those are not good."""
    if not why_not(collapsed):
        try:
            near = None if start is None else start.mode_near(collapsed)
            found = weigh(collapsed, sampler.seed, sampler.chains, points, near)
        except ImportanceError:
            start = None
        else:
            if found.diagnostics.passed:
                thetas = resampled(found, sampler.draws, sampler.chains, sampler.seed)
                return thetas.reshape(sampler.chains * sampler.draws, collapsed.size), found.diagnostics
    run = sample_chains(collapsed, sampler, start)
    return run.thetas, run.diagnostics


def sample_chains(collapsed: Collapsed, sampler: Sampler, start: Start | None = None) -> "Run":
    """Draws of theta of a short run: from a neighbour where there is one and it is near, or else from scratch.

    What diverges is a neighbour to chains of short steps, and where these do not pass they start from scratch. What is
    too few draws and does not diverge is run once more, as long as it takes, `LONGEST` times at most.
    """
    if pinned(collapsed):
        return _pinned_chains(collapsed, sampler)
    near = None if start is None else start.chains_near(collapsed)
    found = None
    if near is not None and near.misfit(collapsed) <= TOO_FAR:
        found = _until_passed(collapsed, replace(sampler, tune=NEAR_TUNE), near)
    if found is None or not (found.diagnostics.passed or found.diagnostics.divergences):
        found = _long_enough(collapsed, sampler)
    if found.diagnostics.divergences:  # which more chains do not avoid
        careful = replace(sampler, target_accept=CAREFUL)
        found = _until_passed(collapsed, replace(careful, tune=NEAR_TUNE), found.as_neighbour())
        if not found.diagnostics.passed:
            found = _until_passed(collapsed, replace(careful, tune=CAREFUL_TUNE), None)
    return found


def _pinned_chains(collapsed: Collapsed, sampler: Sampler) -> "Run":
    """Chains where units pin factors down, every run from scratch: short ones of long steps are good, or thrown away.

    Then steps are shorter, which cost twice as much and mix better, and chains twice as long where the first were too
    few draws; what diverges even so is run by the shortest steps, and what does not but is too few draws `LONGEST`
    times as long, unless that would give a third of what is needed at most.
    """
    run = _until_passed(collapsed, sampler, None)
    if run.diagnostics.passed:
        return run
    draws = sampler.draws if run.diagnostics.divergences else 2 * sampler.draws
    careful = replace(sampler, draws=draws, tune=CAREFUL_TUNE, target_accept=SHORTER[0])
    run = _until_passed(collapsed, careful, None)
    too_few = not (run.diagnostics.passed or run.diagnostics.divergences)
    if too_few and UNCERTAIN * LONGEST / 2 * run.diagnostics.effective >= MIN_ESS:
        longest = replace(careful, chains=2 * sampler.chains, draws=sampler.draws * LONGEST // 2)
        run = _until_passed(collapsed, longest, None)
    if run.diagnostics.divergences:
        run = _until_passed(collapsed, replace(careful, target_accept=SHORTER[1]), None)
    return run


def _long_enough(collapsed: Collapsed, sampler: Sampler) -> "Run":
    """Chains from scratch; once more, as long as it takes, where they are too few draws and do not diverge.

    Where that is not enough either, once more, as long as they may be. Few draws of slow chains know their effective
    size badly: they are left only where the longest run would give a third of what is needed.
    """
    found = _until_passed(collapsed, sampler, None)
    effective = found.diagnostics.effective
    if UNCERTAIN * LONGEST * effective < MIN_ESS:
        return found
    accept = max(sampler.target_accept, COLLAPSED_TARGET_ACCEPT)
    longer = replace(sampler, chains=2 * sampler.chains, tune=CAREFUL_TUNE, target_accept=accept)
    for times in sorted({min(LONGEST, int(np.ceil(2 * MIN_ESS / effective))), LONGEST}):
        if found.diagnostics.passed or found.diagnostics.divergences:
            break
        found = _until_passed(collapsed, replace(longer, draws=sampler.draws * times // 2), None)
    return found


@dataclass(frozen=True)
class Run:
    """Chains of one posterior: draws of theta (S, d), their diagnostics, step size and target acceptance."""

    thetas: np.ndarray
    diagnostics: Diagnostics
    step: float
    accept: float

    def as_neighbour(self) -> Neighbour:
        """What they say of a posterior like theirs."""
        return Neighbour(self.thetas, self.step, self.accept, self.diagnostics.effective)


def _until_passed(collapsed: Collapsed, sampler: Sampler, neighbour: Neighbour | None) -> Run:
    """A run, with as many chains again while they are too few or do not agree, none diverges and it may be enough."""
    import xarray as xr

    runs = []
    for attempt in range(ATTEMPTS):
        own = replace(sampler, seed=sampler.seed + attempt * AGAIN)
        runs.append(draw_chains(collapsed, own, neighbour))
        thetas = np.concatenate([draws for draws, _ in runs])
        stats = xr.concat([stats for _, stats in runs], "chain")
        diagnostics = diagnose(collapsed.judged(thetas), stats)
        enough = diagnostics.effective * ATTEMPTS / (attempt + 1) >= MIN_ESS  # of what all the attempts would give
        if diagnostics.passed or diagnostics.divergences or not enough:
            break
    flat = np.ascontiguousarray(thetas.reshape(thetas.shape[0] * thetas.shape[1], thetas.shape[2]))
    return Run(flat, diagnostics, float(stats["step_size"].mean()), sampler.target_accept)


def _same_theta(one: Collapsed, other: Collapsed) -> bool:
    """Whether an element of theta means the same in two posteriors, up to the unit of its prior."""
    here, there = ([(e.variable, e.at) for e in own.elements] for own in (one, other))
    return here == there and one.size == other.size and one.layout.centred == other.layout.centred


def _under(collapsed: Collapsed, priors: PriorSet) -> Collapsed:
    """The data under other priors; collapsed again only where a coefficient moves in or out of theta."""
    return collapsed.with_priors(priors) if collapsed.same_theta(priors) else collapse(collapsed.data, priors)
