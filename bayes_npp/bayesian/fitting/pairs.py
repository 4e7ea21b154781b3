"""A proposal for two elements of theta that trade off along a curve: a table of both, and the others given them.

Serial correlation and the spread of unit effects do: the nearer the autocorrelation is to one, the less the data say of
levels of units. See docs/statistics.md, section 7.
"""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.fitting.modes import Density, Mode, curvature
from bayes_npp.bayesian.fitting.proposal import Axes, along_axes
from bayes_npp.bayesian.fitting.tables import LOST, Tables, both_sides, tabulate

FARTHEST = 3.0  # SDs that the others' conditional mode may be from its linear prediction


@dataclass(frozen=True)
class Pair:
    """Densities of two elements of theta on a grid, and of the others given them.

    The first element has a table; the second, less its linear prediction from the first, has a table at each of the
    first's knots, and between two knots is of either with the shares of their distance; the others are their
    conditional modes at the knots of both and tabulated axes around them.

    Attributes
    ----------
    at : ndarray, shape (2,)
        The two elements' positions in theta.
    others : ndarray, shape (d - 2,)
    mode : ndarray, shape (d,)
    slope : float
        Of the second element on the first.
    slopes : ndarray, shape (d - 2, 2)
        Of the others on both.
    first, second : Tables
        Of one variable, and of as many as it has knots.
    shifts : ndarray, shape (K, K, d - 2)
        Of the others' conditional modes from their linear predictions, at the knots.
    rest : Axes
        Of the others less their conditional modes.
    """

    at: np.ndarray
    others: np.ndarray
    mode: np.ndarray
    slope: float
    slopes: np.ndarray
    first: Tables
    second: Tables
    shifts: np.ndarray
    rest: Axes

    @property
    def dimension(self) -> int:
        return len(self.mode) + 1

    def draw(self, uniforms: np.ndarray) -> np.ndarray:
        out = np.empty((len(uniforms), len(self.mode)))
        x = self.first.draw(np.zeros(len(uniforms), dtype=int), uniforms[:, 0])
        lower, share = self._between(x)
        row = lower + (uniforms[:, -1] < share)
        t = self.second.draw(row, uniforms[:, 1])
        out[:, self.at] = self.mode[self.at] + np.column_stack([x, t + self.slope * x])
        out[:, self.others] = self._centre(row, x, t) + self.rest.draw(uniforms[:, 2:-1])
        return out

    def log_density(self, thetas: np.ndarray) -> np.ndarray:
        x, y = (thetas[:, self.at] - self.mode[self.at]).T
        t = y - self.slope * x
        lower, share = self._between(x)
        parts = [
            np.log(np.maximum(weight, 1e-300))
            + self.second.log_density(row, t)
            + self.rest.log_density(thetas[:, self.others] - self._centre(row, x, t))
            for row, weight in ((lower, 1.0 - share), (lower + 1, share))
        ]
        return np.asarray(self.first.log_density(np.zeros(len(x), dtype=int), x) + np.logaddexp(*parts))

    def _between(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The knot of the first element below each value, and the next one's share."""
        knots = self.first.knots[0]
        lower = (np.searchsorted(knots, x, side="right") - 1).clip(0, len(knots) - 2)
        return lower, ((x - knots[lower]) / (knots[lower + 1] - knots[lower])).clip(0.0, 1.0)

    def _centre(self, row: np.ndarray, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Conditional modes of the others at values of the two, with the shift of a knot of the first."""
        knots = self.second.knots[row]
        here = np.arange(len(row))
        at = ((knots <= t[:, None]).sum(axis=1) - 1).clip(0, knots.shape[1] - 2)
        width = knots[here, at + 1] - knots[here, at]
        share = ((t - knots[here, at]) / width).clip(0.0, 1.0)[:, None]
        shift = (1.0 - share) * self.shifts[row, at] + share * self.shifts[row, at + 1]
        both = np.column_stack([x, t + self.slope * x])
        return np.asarray(self.mode[self.others] + both @ self.slopes.T + shift)


def pair(collapsed: Density, mode: Mode, at: tuple[int, int]) -> Pair:
    """Tabulate a posterior over two elements of theta, the others at their conditional modes.

    The conditional modes are one Newton step from their linear prediction, with the curvature at the mode.
    """
    both, others = np.array(at), np.setdiff1d(np.arange(len(mode.at)), at)
    precision = -curvature(collapsed, mode.at)
    covariance = np.linalg.inv(precision)
    joint = covariance[np.ix_(both, both)]
    slope = joint[1, 0] / joint[0, 0]
    slopes = covariance[np.ix_(others, both)] @ np.linalg.inv(joint)
    values, vectors = np.linalg.eigh(precision[np.ix_(others, others)])
    axes = vectors / np.sqrt(values)
    x = both_sides(np.full((1, 2), np.sqrt(joint[0, 0])))[0]
    spread = np.sqrt(joint[1, 1] - slope * joint[1, 0])
    t = np.tile(both_sides(np.full((1, 2), spread)), (len(x), 1))
    heights, shifts = np.empty(t.shape), np.zeros((*t.shape, len(others)))
    for k, own in np.ndindex(t.shape):
        point = mode.at.copy()
        step = np.array([x[k], t[k, own] + slope * x[k]])
        point[both] += step
        point[others] += slopes @ step
        height, gradient = collapsed.log_density(point)
        if not (np.isfinite(height) and np.isfinite(gradient).all()):
            heights[k, own] = LOST
            continue
        pull = axes.T @ gradient[others]
        moved = pull.clip(-FARTHEST, FARTHEST)
        heights[k, own] = height - mode.height + moved @ pull - 0.5 * moved @ moved
        shifts[k, own] = axes @ moved
    second = tabulate(t, heights)
    first = tabulate(x[None], (second.log_mass - second.log_mass.max())[None])
    sub = Mode(np.zeros(len(others)), mode.height, axes)

    def along(offsets: np.ndarray) -> np.ndarray:
        points = np.tile(mode.at, (len(offsets), 1))
        points[:, others] += offsets
        return collapsed.evaluate(points)[0]

    return Pair(both, others, mode.at, slope, slopes, first, second, shifts, along_axes(sub, along)[1])
