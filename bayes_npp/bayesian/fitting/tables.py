"""One-dimensional densities as tables: their logs piecewise linear between knots, and linear beyond them."""

from dataclasses import dataclass

import numpy as np

KNOTS = np.array([0.35, 0.7, 1.05, 1.4, 1.8, 2.2, 2.7, 3.3, 4.2, 5.5])  # on each side, in widths of the side
KEPT_FALL, SLOWER = -3.0, 0.75  # beyond this fall from the top a tabulated density falls more slowly
LOST = -60.0  # of a knot where the density is not finite
LOWEST = -300.0  # of any: what lies lower has no point
LEAST_DECAY = 0.25  # of the log per knot width beyond the last knot
FLAT = 1e-8  # rise of the log below which a segment is flat


@dataclass(frozen=True)
class Tables:
    """Densities of m variables, each with K knots.

    Attributes
    ----------
    knots, heights : ndarray, shapes (m, K)
        Log densities at the knots, normalised.
    below : ndarray, shape (m, K)
        Mass below each knot.
    decay : ndarray, shape (m, 2)
        Fall of the log per unit below the first and above the last knot.
    log_mass : ndarray, shape (m,)
        What was taken off to normalise.
    """

    knots: np.ndarray
    heights: np.ndarray
    below: np.ndarray
    decay: np.ndarray
    log_mass: np.ndarray

    def draw(self, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Values of the variables `rows` (n,) at uniform probabilities (n,)."""
        knots, heights, below, decay = self.knots[rows], self.heights[rows], self.below[rows], self.decay[rows]
        at, last = (below <= uniforms[:, None]).sum(axis=1) - 1, knots.shape[1] - 1
        here, inner = np.arange(len(rows)), at.clip(0, last - 1)
        width = knots[here, inner + 1] - knots[here, inner]
        rise = heights[here, inner + 1] - heights[here, inner]
        mass = below[here, inner + 1] - below[here, inner]
        share = ((uniforms - below[here, inner]) / mass).clip(0.0, 1.0)
        slope = np.where(np.abs(rise) < FLAT, 1.0, rise)
        step = np.where(np.abs(rise) < FLAT, share, np.log1p(share * np.expm1(slope)) / slope)
        out = knots[here, inner] + width * step
        with np.errstate(divide="ignore", invalid="ignore"):  # of the points that lie elsewhere
            first = knots[:, 0] + np.log(uniforms / below[:, 0]) / decay[:, 0]
            beyond = knots[:, last] - np.log((1.0 - uniforms) / (1.0 - below[:, last])) / decay[:, 1]
        return np.where(at < 0, first, np.where(at >= last, beyond, out))

    def log_density(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Log densities of the variables `rows` (n,) at values (n,)."""
        knots, heights, decay = self.knots[rows], self.heights[rows], self.decay[rows]
        at, last = (knots <= values[:, None]).sum(axis=1) - 1, knots.shape[1] - 1
        here, inner = np.arange(len(rows)), at.clip(0, last - 1)
        slope = (heights[here, inner + 1] - heights[here, inner]) / (knots[here, inner + 1] - knots[here, inner])
        out = heights[here, inner] + slope * (values - knots[here, inner])
        first = heights[:, 0] + decay[:, 0] * (values - knots[:, 0])
        beyond = heights[:, last] - decay[:, 1] * (values - knots[:, last])
        return np.where(at < 0, first, np.where(at >= last, beyond, out))


def tabulate(knots: np.ndarray, falls: np.ndarray) -> Tables:
    """Tables of log densities less their top, shapes (m, K), with tails that fall more slowly than theirs."""
    falls = np.where(np.isfinite(falls), falls, LOST).clip(LOWEST)
    heights = np.where(falls < KEPT_FALL, KEPT_FALL + SLOWER * (falls - KEPT_FALL), falls)
    widths, rises = np.diff(knots, axis=1), np.diff(heights, axis=1)
    ends = np.stack([rises[:, 0] / widths[:, 0], -rises[:, -1] / widths[:, -1]], axis=1)
    typical = (knots[:, -1] - knots[:, 0]) / (2 * KNOTS[-1])
    decay = np.maximum(ends, LEAST_DECAY / typical[:, None])
    top = heights.max(axis=1, keepdims=True)
    scaled = np.exp(heights - top)
    steep = np.maximum(np.abs(rises), FLAT)  # of a segment, the share of a flat one as high as its higher end
    inner = widths * np.maximum(scaled[:, :-1], scaled[:, 1:]) * -np.expm1(-steep) / steep
    mass = np.concatenate([scaled[:, :1] / decay[:, :1], inner, scaled[:, -1:] / decay[:, 1:]], axis=1)
    total = mass.sum(axis=1, keepdims=True)
    log_mass = top + np.log(total)
    below = np.cumsum(mass, axis=1)[:, :-1] / total
    return Tables(knots, heights - log_mass, below, decay, log_mass[:, 0])


def both_sides(widths: np.ndarray) -> np.ndarray:
    """Knots around zero, shape (m, 2 `KNOTS` + 1), from widths below and above it (m, 2)."""
    below, above = -widths[:, :1] * KNOTS[::-1], widths[:, 1:] * KNOTS
    return np.concatenate([below, np.zeros((len(widths), 1)), above], axis=1)
