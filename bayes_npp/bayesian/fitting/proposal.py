"""What importance sampling draws from: densities around a mode, mixed with a split t whose tails bound the weights.

See docs/statistics.md, section 7. Coordinates z are SDs along the mode's axes, theta = mode + axes z.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import gammaln, logsumexp, stdtrit

from bayes_npp.bayesian.fitting.modes import Mode
from bayes_npp.bayesian.fitting.tables import LOST, Tables, both_sides, tabulate

T_FREEDOM = 4
WIDTHS = (0.3, 6.0)  # bounds of a side's width, in SDs
MUCH = 1.25  # of the mean weight: points above it are where a proposal is too thin
AT_LEAST = 0.1  # of the covariance at the mode, in that of the part put there


class Part(Protocol):
    """A density of theta that can be drawn from."""

    @property
    def dimension(self) -> int:
        """Uniforms that a point takes."""

    def draw(self, uniforms: np.ndarray) -> np.ndarray:
        """Points theta (n, d) from uniform ones (n, dimension)."""

    def log_density(self, thetas: np.ndarray) -> np.ndarray:
        """Log density at theta (n, d), shape (n,)."""


@dataclass(frozen=True)
class SplitT:
    """Independent t densities along the axes of a mode, each with its own widths (d, 2) below and above it, in SDs."""

    mode: Mode
    widths: np.ndarray

    @property
    def dimension(self) -> int:
        return len(self.widths)

    def draw(self, uniforms: np.ndarray) -> np.ndarray:
        low, high = self.widths.T
        share = low / (low + high)
        below = uniforms < share
        p = np.where(below, 0.5 * uniforms / share, 0.5 + 0.5 * (uniforms - share) / (1.0 - share))
        return self.mode.theta(stdtrit(T_FREEDOM, p) * np.where(below, low, high))

    def log_density(self, thetas: np.ndarray) -> np.ndarray:
        z, nu = self.mode.along(thetas), T_FREEDOM
        scaled = z / np.where(z < 0, *self.widths.T)
        # Both sides have the same height at the mode, so the widths' mean normalises while each side keeps its own.
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - np.log(self.widths.mean(axis=1))
        return (constant - 0.5 * (nu + 1) * np.log1p(scaled**2 / nu)).sum(axis=1) - self.mode.log_volume


@dataclass(frozen=True)
class Axes:
    """Independent tabulated densities along the axes of a mode."""

    mode: Mode
    tables: Tables

    @property
    def dimension(self) -> int:
        return len(self.mode.at)

    def draw(self, uniforms: np.ndarray) -> np.ndarray:
        return self.mode.theta(self.drawn(uniforms))

    def drawn(self, uniforms: np.ndarray) -> np.ndarray:
        """Coordinates z."""
        rows = np.broadcast_to(np.arange(uniforms.shape[1]), uniforms.shape)
        return self.tables.draw(rows.ravel(), uniforms.ravel()).reshape(uniforms.shape)

    def log_density(self, thetas: np.ndarray) -> np.ndarray:
        return self.at(self.mode.along(thetas)) - self.mode.log_volume

    def at(self, z: np.ndarray) -> np.ndarray:
        """Log density of the coordinates."""
        rows = np.broadcast_to(np.arange(z.shape[1]), z.shape)
        return self.tables.log_density(rows.ravel(), z.ravel()).reshape(z.shape).sum(axis=1)


@dataclass(frozen=True)
class Proposal:
    """A mixture of parts with shares that sum to one; the points of each are as many as its share."""

    parts: tuple[Part, ...]
    shares: tuple[float, ...]

    @property
    def dimension(self) -> int:
        """Uniforms that a point takes."""
        return max(part.dimension for part in self.parts)

    def draw(self, uniforms: np.ndarray) -> np.ndarray:
        """Points theta (R n, d) from uniform ones (R, n, dimension), of each R the same shares of every part."""
        n_points = uniforms.shape[1]
        bounds = np.round(np.cumsum(self.shares) * n_points)
        of = np.tile(np.searchsorted(bounds, np.arange(n_points), side="right"), len(uniforms))
        flat = uniforms.reshape(-1, uniforms.shape[2])
        drawn = [part.draw(flat[of == k, : part.dimension]) for k, part in enumerate(self.parts)]
        out = np.empty((len(flat), drawn[0].shape[1]))
        for k, own in enumerate(drawn):
            out[of == k] = own
        return out

    def log_density(self, thetas: np.ndarray) -> np.ndarray:
        """Log density at theta (n, d), shape (n,)."""
        each = [np.log(share) + part.log_density(thetas) for part, share in zip(self.parts, self.shares, strict=True)]
        return np.asarray(logsumexp(each, axis=0))

    def beside(self, part: Part, share: float) -> "Proposal":
        """The same with one more part, the others' shares smaller in proportion."""
        return Proposal((*self.parts, part), (*((1.0 - share) * own for own in self.shares), share))


def missed(mode: Mode, thetas: np.ndarray, log_ratio: np.ndarray) -> SplitT | None:
    """A t density where points (n, d) of a proposal have more than `MUCH` of the mean weight; None where none has.

    References
    ----------
    Raftery & Bao (2010), Biometrics 66: incremental mixture importance sampling.
    """
    weights = np.exp(log_ratio - log_ratio.max())
    excess = np.maximum(weights / weights.mean() - MUCH, 0.0)
    if not excess.any():
        return None
    excess /= excess.sum()
    centre = excess @ thetas
    away = thetas - centre
    covariance = (excess[:, None] * away).T @ away + AT_LEAST * mode.axes @ mode.axes.T
    return SplitT(Mode(centre, mode.height, np.linalg.cholesky(covariance)), np.ones((len(centre), 2)))


def along_axes(mode: Mode, log_density: Callable[[np.ndarray], np.ndarray]) -> tuple[SplitT, Axes]:
    """The split t and the tables along the axes of a mode.

    Parameters
    ----------
    mode : Mode
    log_density : callable
        Of points theta (n, d), shape (n,).
    """
    d = len(mode.at)

    def falls(z: np.ndarray) -> np.ndarray:
        """From the mode, at z (d, m) of each axis."""
        points = mode.at + (z[:, :, None] * mode.axes.T[:, None, :]).reshape(-1, d)
        found = log_density(points).reshape(z.shape) - mode.height
        return np.where(np.isfinite(found), found, LOST)

    ones = np.tile([-1.0, 1.0], (d, 1))
    widths = (1.0 / np.sqrt(np.maximum(-2.0 * falls(ones), 1e-3))).clip(*WIDTHS)
    knots = both_sides(widths)
    return SplitT(mode, widths), Axes(mode, tabulate(knots, falls(knots)))
