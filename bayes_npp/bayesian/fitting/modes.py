"""Modes of a collapsed posterior: climbed to from dispersed starts that have to agree, and the curvature there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.packed import Layout, Priors
from bayes_npp.bayesian.collapsed.parts import in_parts
from bayes_npp.bayesian.collapsed.theta import Element
from bayes_npp.bayesian.model.terms import Term
from bayes_npp.errors import ImportanceError

STARTS = 6
SPREAD = 3.0  # of the starts in theta: a scale of a twentieth of its prior's unit, or of three of them
SLOPE = 1.0  # gradient per unit of theta above which a climb has stopped on its way
LOST = 100.0  # log density below the highest end: a climb that stopped there, on a slope, found nothing
SAME = 0.1  # posterior SDs: two ends of climbs within it are one mode
FLAT_ENOUGH = 0.05  # gradient per posterior SD at a mode
NEGLIGIBLE = np.log(1e-4)  # mass of a second mode over that of the first that changes no printed number
EDGE = 12.0  # of a bounded element of theta: e^-12 of its unit from the edge
STEP = 1e-4  # of the differences of gradients
CLIMB = 4e5  # nanoseconds of a climb to a mode near by, at least


class Density(Protocol):
    """What is asked of a posterior of few scales and shapes: `collapsed.posterior.Collapsed`, or one like it."""

    @property
    def size(self) -> int: ...
    @property
    def start(self) -> np.ndarray: ...
    @property
    def elements(self) -> Sequence[Element]: ...
    @property
    def columns(self) -> Sequence[Term]: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def priors(self) -> Priors: ...
    def log_density(self, theta: np.ndarray, /) -> tuple[float, np.ndarray]: ...
    def climb(self, start: np.ndarray, /) -> tuple[np.ndarray, float, float]: ...
    def evaluate(self, thetas: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]: ...
    def constrained(self, thetas: np.ndarray, /) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class Mode:
    """The highest point of a posterior and its axes.

    Attributes
    ----------
    at : ndarray, shape (d,)
        On the unconstrained scale.
    height : float
        Log density there.
    axes : ndarray, shape (d, d)
        Columns: eigenvectors of the curvature, each as long as the SD of the normal density with it.
    """

    at: np.ndarray
    height: float
    axes: np.ndarray

    @cached_property
    def log_volume(self) -> float:
        """Log determinant of the axes."""
        return float(np.linalg.slogdet(self.axes)[1])

    def theta(self, z: np.ndarray) -> np.ndarray:
        """Points theta (n, d) from coordinates along the axes, in SDs."""
        return np.ascontiguousarray(self.at + z @ self.axes.T)

    def along(self, thetas: np.ndarray) -> np.ndarray:
        """Coordinates along the axes of points theta (n, d)."""
        return np.asarray(np.linalg.solve(self.axes, (thetas - self.at).T).T)


def find_mode(collapsed: Density, near: np.ndarray | None = None) -> Mode:
    """The mode of a collapsed posterior, which has to be the only one.

    Parameters
    ----------
    collapsed : Density
    near : ndarray, shape (d,), optional
        Mode of a posterior like it, found from dispersed starts. The climbs then start there and at the centre of the
        priors only.

    Raises
    ------
    ImportanceError
        Climbs that end in different places, a mode at an edge, or none.

    Notes
    -----
    Docs/statistics.md, section 7. A second mode of which the normal approximation has less than a ten thousandth of the
    first one's mass does not count.
    """
    starts = dispersed(collapsed) if near is None else np.stack([near, collapsed.start])
    ends = [end for end in climbs(collapsed, starts) if np.isfinite(end[1]) and np.isfinite(end[0]).all()]
    if not ends:
        raise ImportanceError("no climb from the starts ended at a mode")
    highest, height, _ = max(ends, key=lambda end: end[1])
    best = _mode_at(collapsed, highest)
    others: list[Mode] = []
    for end, value, slope in ends:
        if slope > SLOPE and value < height - LOST:
            continue
        if _apart(best, end) <= SAME or any(_apart(other, end) <= SAME for other in others):
            continue
        others.append(_mode_at(collapsed, end))
    second = [other for other in others if _log_mass(other) - _log_mass(best) > NEGLIGIBLE]
    if second:
        away = ", ".join(f"{_apart(best, other.at):.1f}" for other in second)
        raise ImportanceError(f"the posterior has {1 + len(second)} modes, {away} SDs from the highest")
    return best


def climbs(collapsed: Density, starts: np.ndarray) -> list[tuple[np.ndarray, float, float]]:
    """Where climbs from starts (K, d) end, in their order; over threads where they are many."""
    ends = [(starts[0], np.nan, np.nan)] * len(starts)

    def fill(some: slice) -> None:
        ends[some] = [collapsed.climb(start) for start in starts[some]]

    in_parts(fill, len(starts), work=CLIMB * len(starts))
    return ends


def dispersed(collapsed: Density) -> np.ndarray:
    """Starts of climbs, shape (`STARTS`, d): the centre of the priors and points far from it in all directions."""
    away = SPREAD * corners(collapsed.size)
    for j, element in enumerate(collapsed.elements):
        if collapsed.priors.support[j] == kernel.REAL_LINE:
            away[:, j] *= element.prior.typical
    return np.vstack([collapsed.start, collapsed.start + away])


@cache
def corners(d: int) -> np.ndarray:
    """Corners of a cube, balanced over its faces, always the same, shape (`STARTS` - 1, d)."""
    from scipy.stats import qmc

    return np.sign(qmc.Sobol(d, scramble=True, rng=np.random.default_rng(7)).random(8) - 0.5)[: STARTS - 1]


def _mode_at(collapsed: Density, at: np.ndarray) -> Mode:
    """The mode where a climb ended, once it is one."""
    bounded = collapsed.priors.support != kernel.REAL_LINE
    names = [element.variable for element in collapsed.elements]
    if (np.abs(at[bounded]) > EDGE).any():
        raise ImportanceError(f"a mode at the edge of {names[int(np.argmax(np.abs(at) * bounded))]}")
    values, vectors = np.linalg.eigh(-curvature(collapsed, at))
    if not values.min() > 0:
        raise ImportanceError("the posterior is flat, or no maximum, where a climb ended")
    height, gradient = collapsed.log_density(at)
    axes = vectors / np.sqrt(values)
    if not np.abs(axes.T @ gradient).max() <= FLAT_ENOUGH:
        raise ImportanceError("a climb did not reach a mode")
    return Mode(at, height, axes)


def curvature(collapsed: Density, at: np.ndarray) -> np.ndarray:
    """Second derivatives of the log density, shape (d, d), by central differences of its gradient."""
    steps = STEP * np.eye(len(at))
    rows = [(collapsed.log_density(at + s)[1] - collapsed.log_density(at - s)[1]) / (2 * STEP) for s in steps]
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def _apart(mode: Mode, point: np.ndarray) -> float:
    """Largest distance from a mode along its axes, in SDs."""
    return float(np.abs(mode.along(point[None])).max())


def _log_mass(mode: Mode) -> float:
    """Log mass of the normal approximation at a mode, up to a constant."""
    return mode.height + mode.log_volume
