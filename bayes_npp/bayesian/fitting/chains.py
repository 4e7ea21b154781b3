"""Chains of a collapsed posterior, from scratch or from draws of one like it.

What each way costs is in docs/statistics.md, section 7.4.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayes_npp.bayesian.collapsed.kernel import identity_callback
from bayes_npp.bayesian.collapsed.packed import framed
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.sample import Sampler, draw_density
from bayes_npp.bayesian.model.error_models import factors_of

if TYPE_CHECKING:
    import xarray as xr

MANY = 8  # elements of theta above which chains learn its correlations too
NEAR_TUNE = 50  # warm-up of chains that start from those of a neighbour
LOOKED_AT = 50  # draws of a neighbour at which gradients are compared


@dataclass(frozen=True)
class Neighbour:
    """What is known of a posterior from chains of one like it.

    Attributes
    ----------
    thetas : ndarray, shape (S, d)
    step : float
        Step size of its chains.
    accept : float
        Their target acceptance.
    effective : float
        Effective number of draws, which says how far their covariance is believed.
    """

    thetas: np.ndarray
    step: float
    accept: float
    effective: float

    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (d,) and axes (d, d): coordinates z with theta = mean + axes z are about uncorrelated, of SD one.

        The covariance is drawn towards its diagonal, the more the fewer the effective draws for each element.
        """
        d = self.thetas.shape[1]
        covariance = np.atleast_2d(np.cov(self.thetas.T))
        share = d / (d + self.effective)
        return self.thetas.mean(axis=0), np.linalg.cholesky(
            (1.0 - share) * covariance + share * np.diag(np.diag(covariance))
        )

    def misfit(self, collapsed: Collapsed) -> float:
        """How far the gradients of a posterior are from those of the normal density of the frame: 0 where it is that.

        The median over some draws of the root of the mean squared difference over coordinates of SD one.
        """
        centre, axes = self.frame()
        some = self.thetas[:: max(1, len(self.thetas) // LOOKED_AT)]
        gradients = np.array([collapsed.log_density(theta)[1] for theta in some])
        apart = gradients @ axes + np.linalg.solve(axes, (some - centre).T).T
        return float(np.median(np.sqrt((apart**2).mean(axis=1))))

    def step_for(self, accept: float) -> float:
        """Step size for a target acceptance: an error of energy of the third order in it, normal over many elements.

        References
        ----------
        Beskos, Pillai, Roberts, Sanz-Serna & Stuart (2013), Bernoulli 19: acceptance 2 Phi(-c step^3).
        """
        return float(self.step * (ndtri(accept / 2) / ndtri(self.accept / 2)) ** (1 / 3))


def pinned(collapsed: Collapsed) -> bool:
    """Whether theta holds factors and scales of units: a unit of a small scale pins the factors down.

    How far one may step then differs from place to place, and coordinates of a normal density, made of draws, suit it
    less than the metric that chains learn from gradients.
    """
    return factors_of(collapsed.data.design.spec.errors) > 0 and collapsed.layout.unit_scales >= 0


def draw_chains(
    collapsed: Collapsed, sampler: Sampler, neighbour: Neighbour | None = None
) -> tuple[np.ndarray, "xr.Dataset"]:
    """Draw theta by NUTS; arguments and returns as of `sample.draw_density`.

    With a neighbour chains start at draws of it, with its step size, in coordinates in which it has no correlation: a
    short warm-up does. Where theta is large, chains without one learn its strongest correlations (nutpie's low-rank
    metric).
    """
    if neighbour is None or collapsed.size == 0:
        adaptation = "low_rank" if collapsed.size > MANY else "diag"
        packed = framed(collapsed.packed)
        return draw_density(
            collapsed.callback, identity_callback, packed, collapsed.start, sampler, adaptation=adaptation
        )
    centre, axes = neighbour.frame()
    starts = np.ascontiguousarray(np.linalg.solve(axes, (neighbour.thetas - centre).T).T)
    packed = framed(collapsed.packed, centre, axes)
    step = neighbour.step_for(sampler.target_accept)
    z, stats = draw_density(collapsed.callback, identity_callback, packed, starts, sampler, initial_step=step)
    return centre + z @ axes.T, stats
