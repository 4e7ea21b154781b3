"""Draws of the scales and shapes of a collapsed posterior: by importance weights where they are good, or by chains."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayes_npp.bayesian.collapsed.collapsed import on_grid
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.unit_summaries import summarise_units
from bayes_npp.bayesian.fitting.chains import NEAR_TUNE, Neighbour, draw_chains, pinned
from bayes_npp.bayesian.fitting.diagnostics import MAX_RHAT, MIN_ESS, diagnose
from bayes_npp.bayesian.fitting.importance import POINTS, WeightedPoints, resampled, weigh
from bayes_npp.bayesian.fitting.posterior import POINTWISE_CELLS
from bayes_npp.bayesian.fitting.sample import CAREFUL, COLLAPSED_TARGET_ACCEPT, SHORTER, SHORTEST, Sampler
from bayes_npp.errors import ImportanceError, SpecError

if TYPE_CHECKING:
    import xarray as xr

LONG = 500  # draws of a chain: of fewer, chains that do not agree are too few draws
HOPELESS = 10  # times as many draws that would be too few still


@dataclass(frozen=True)
class ThetaDraws:
    """Equally weighted draws of theta.

    Attributes
    ----------
    thetas : ndarray, shape (chain, draw, d)
    stats : Dataset
        Of every draw of a chain; empty of resampled points.
    points : WeightedPoints, optional
        What the draws were resampled from.
    why : str
        Why a chain was run where the engine was left open; empty otherwise.
    sampler : Sampler, optional
        Of the chains: as asked for, or with the shorter steps that "auto" takes where these are not good, the first run
        counted as warm-up.
    """

    thetas: np.ndarray
    stats: "xr.Dataset"
    points: WeightedPoints | None = None
    why: str = ""
    sampler: Sampler | None = None


def draw_thetas(collapsed: Collapsed, sampler: Sampler, engine: str) -> ThetaDraws:
    """Draws of theta by an engine.

    Parameters
    ----------
    engine : {"auto", "importance", "collapsed"}
        "auto": importance weights, or chains where they are not good; chains of the usual target acceptance that
        diverge, or do not agree after `LONG` draws, are run again from draws of theirs by shorter steps; what diverges
        still, once more.

    Raises
    ------
    ImportanceError
        With "importance", where there are no weights to judge.
    """
    import xarray as xr

    why = ""
    if engine != "collapsed":
        try:
            found = weigh(collapsed, sampler.seed, sampler.chains, enough_points(sampler))
        except ImportanceError as error:
            if engine == "importance":
                raise
            why = error.problem
        else:
            if found.diagnostics.passed or engine == "importance":
                thetas = resampled(found, sampler.draws, sampler.chains, sampler.seed)
                return ThetaDraws(thetas, xr.Dataset(), found)
            why = f"importance weights {found.diagnostics.verdict}"
    open_steps = engine == "auto" and sampler.target_accept == COLLAPSED_TARGET_ACCEPT
    if open_steps and pinned(collapsed):  # it costs as many gradients a draw, and diverges less
        sampler = replace(sampler, target_accept=SHORTER[0])
    thetas, stats = draw_chains(collapsed, sampler)
    if open_steps and _mends(collapsed, thetas, stats):
        sampler, thetas, stats = _by_shorter_steps(collapsed, sampler, thetas, stats)
    return ThetaDraws(thetas, stats, why=why, sampler=sampler)


def _by_shorter_steps(
    collapsed: Collapsed, sampler: Sampler, thetas: np.ndarray, stats: "xr.Dataset"
) -> tuple[Sampler, np.ndarray, "xr.Dataset"]:
    """A run again from its draws by shorter steps, and if that diverges by the shortest; all before is warm-up."""
    for accept in (CAREFUL, SHORTEST):
        effective = diagnose(collapsed.judged(thetas), stats).effective
        flat = np.ascontiguousarray(thetas.reshape(-1, collapsed.size))
        near = Neighbour(flat, float(stats["step_size"].mean()), sampler.target_accept, effective)
        thetas, stats = draw_chains(collapsed, replace(sampler, target_accept=accept, tune=NEAR_TUNE), near)
        sampler = replace(sampler, target_accept=accept, tune=sampler.tune + sampler.draws + NEAR_TUNE)
        if not stats["diverging"].any():
            break
    return sampler, thetas, stats


def _mends(collapsed: Collapsed, thetas: np.ndarray, stats: "xr.Dataset") -> bool:
    """Whether shorter steps may mend a run: it diverges, or its chains are long and do not agree.

    What does not diverge is left where ten times its effective draws would be too few: chains are in different places.
    """
    if stats["diverging"].any():
        return True
    if thetas.shape[1] < LONG:
        return False
    found = diagnose(collapsed.judged(thetas), stats)
    # As negations: of a chain that stands still both are no number, and shorter steps may move it.
    return not found.r_hat <= MAX_RHAT and not HOPELESS * found.effective < MIN_ESS


def enough_points(sampler: Sampler) -> int:
    """Points of each scrambling: a power of two, and in all no fewer than half the draws made of them."""
    wanted = sampler.draws * sampler.chains / 32
    return max(POINTS, 2 ** int(np.ceil(np.log2(max(wanted, 1)))))


def with_coefficients(
    collapsed: Collapsed, sampler: Sampler, drawn: ThetaDraws
) -> tuple[dict[str, np.ndarray], "xr.Dataset", dict[str, np.ndarray] | None]:
    """Exact draws of the coefficients given draws of theta.

    Returns
    -------
    parameters : dict of ndarray, shapes (chain, draw, ...)
        By variable of the posterior.
    stats : Dataset
        Those of the sampler, with `theta` and `collapsed_log_likelihood`.
    totals : dict of ndarray, optional
        Of a large panel: see `build_tree`.
    """
    thetas, stats = drawn.thetas, drawn.stats
    data, shape = collapsed.data, thetas.shape[:2]
    flat = np.ascontiguousarray(thetas.reshape(thetas.shape[0] * thetas.shape[1], thetas.shape[2]))
    large = data.design.n_obs * len(flat) > POINTWISE_CELLS
    if large and on_grid(data.design.spec):
        raise SpecError(
            f"{len(flat)} draws of {data.design.n_obs} rows with errors = '{data.design.spec.errors}' are too many",
            fix=f"Take at most {POINTWISE_CELLS // data.design.n_obs} draws in all",
        )
    draws = collapsed.coefficients(flat, sampler.seed, with_units=not large)
    totals = None
    stats = stats.assign(theta=(("chain", "draw", "element"), thetas))
    if large:
        summaries = summarise_units(collapsed, flat, draws, sampler.seed)
        totals = {"log_likelihood": summaries.log_likelihood.reshape(shape), **summaries.moments}
        if summaries.level is not None:
            draws["intercept"] = summaries.level
        # What draws of the units' effects on request start from.
        coefficients = draws["collapsed_coefficients"].reshape(*shape, -1)
        stats = stats.assign(collapsed_coefficients=(("chain", "draw", "column"), coefficients))
    marginal = draws.pop("collapsed_log_likelihood").reshape(shape)
    draws.pop("collapsed_coefficients")
    parameters = {name: values.reshape(*shape, *values.shape[1:]) for name, values in draws.items()}
    stats = stats.assign(collapsed_log_likelihood=(("chain", "draw"), marginal))
    return parameters, stats, totals


def points_dataset(points: WeightedPoints) -> "xr.Dataset":
    """The weighted points as a group of the tree: `theta` (scrambling, point, element) and `weight`."""
    import xarray as xr

    lead = ("scrambling", "point")
    return xr.Dataset({"theta": ((*lead, "element"), points.thetas), "weight": (lead, points.weights)})


def points_of(group: "xr.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """Points theta (n, d) and weights (n,), which sum to one, of such a group."""
    thetas, weights = group["theta"].to_numpy(), group["weight"].to_numpy().ravel()
    return np.ascontiguousarray(thetas.reshape(weights.size, thetas.shape[-1])), weights / weights.sum()
