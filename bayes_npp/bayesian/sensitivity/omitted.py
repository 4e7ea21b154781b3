"""The posterior beside an omitted confounder of given strength, or under a prior on its strength."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtr

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.slope_probabilities import NormalSlopes
from bayes_npp.design.omitted import Benchmark, bias_factor
from bayes_npp.errors import SpecError

NODES = 200  # equally likely strengths that stand for a prior


@dataclass(frozen=True)
class Confounded:
    """A proposition w'slopes > cutoff (sign +1; -1: below) beside a confounder that speaks for it.

    Attributes
    ----------
    slopes : NormalSlopes
    weights : ndarray, shape (max(G, 1),)
    cutoff, sign : float
    errors : ndarray, shape (S,)
        Of each draw: standard error of w'slopes in the likelihood alone, times sqrt(df).
    """

    slopes: NormalSlopes = field(repr=False)
    weights: np.ndarray
    cutoff: float
    sign: float
    errors: np.ndarray = field(repr=False)

    def probability(self, r2_dz: float, r2_yz: float, direction: float = 1.0) -> float:
        """Of the proposition beside a confounder of this strength; direction -1: it hides what is claimed.

        Notes
        -----
        Draw by draw the mean of w'slopes less sign * direction * SE sqrt(df) sqrt(r2_yz r2_dz / (1 - r2_dz)), with SE
        that of the draw's own scales and shapes: generalised least squares, so that partial R2 are of rows made
        independent and of one scale. docs/statistics.md, section 9.3.
        """
        away, per_bias = self._standardised
        return float(self.slopes.weights @ ndtr(away - direction * float(bias_factor(r2_dz, r2_yz)) * per_bias))

    @cached_property
    def _standardised(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each draw, in SDs of w'slopes: how far its mean is on the claimed side, and `errors`."""
        mean = self.slopes.mean @ self.weights - self.cutoff
        sd = np.sqrt(np.einsum("g,sgh,h->s", self.weights, self.slopes.covariance, self.weights))
        return self.sign * mean / sd, self.errors / sd

    def beside(self, benchmark: Benchmark, k: float) -> float:
        """Of the proposition beside a confounder `k` times as strong as a control; NaN where none is so strong."""
        r2_dz, r2_yz = benchmark.strength(k)
        return np.nan if np.isnan(r2_dz) else self.probability(r2_dz, r2_yz)

    def falls_to(self, benchmark: Benchmark, threshold: float) -> float:
        """Times as strong as a control at which the probability reaches a threshold.

        Zero where it is below without a confounder; infinity where no confounder takes it there.
        """
        if self.probability(0.0, 0.0) <= threshold:
            return 0.0
        high = min(benchmark.most * (1 - 1e-9), 1e6)
        while high > 0 and np.isnan(benchmark.strength(high)[0]):
            high *= 1 - 1e-3
        if high <= 0 or self.beside(benchmark, high) > threshold:
            return np.inf
        return float(brentq(lambda k: self.beside(benchmark, k) - threshold, 0.0, high, xtol=1e-6))

    def under_prior(self, benchmark: Benchmark, mean: float = 1.0) -> float:
        """Of the proposition where the strength is unknown: exponential in multiples of a control, either direction.

        Strengths that no variable can have are left out of the prior.
        """
        quantiles = -mean * np.log1p(-(np.arange(NODES) + 0.5) / NODES)
        strengths = [own for k in quantiles if not np.isnan((own := benchmark.strength(float(k)))[0])]
        if not strengths:
            return np.nan
        return float(np.mean([self.probability(*own, direction) for own in strengths for direction in (1.0, -1.0)]))


def confounded(fit: Fit, weights: np.ndarray, cutoff: float, sign: float, df: int) -> Confounded:
    """What a confounder does to a proposition about the slopes of a fit.

    Parameters
    ----------
    fit : Fit
    weights : ndarray, shape (max(G, 1),)
    cutoff, sign : float
    df : int
        Rows less the rank of all columns and effects (`confounding_of`).

    Raises
    ------
    SpecError
        A fit whose slopes are not normal given its scales and shapes.
    """
    slopes = fit.normal_slopes
    if slopes is None or slopes.precision is None:
        raise SpecError(
            "the slopes of this fit are not normal given its scales and shapes, and the bias of a confounder is taken "
            "draw by draw from them",
            fix="Fit the collapsed model with a normal prior of the exposure's slope",
        )
    design, precision = fit.design, slopes.precision
    unit = design.scales.outcome_sd / design.scales.divisors[str(design.spec.exposure)]
    along = np.ones((max(len(design.groups), 1), 1))
    if precision.shape[1] > 1:
        along = np.hstack([along, fit.collapsed.data.slope_basis])
    # Of the groups' slopes: those of an average and exchangeable deviations are one more than the data tell apart.
    back = np.linalg.pinv(along)
    covariance = np.linalg.inv(back.T @ precision @ back)
    own = unit * weights
    variance = np.einsum("g,sgh,h->s", own, covariance, own)
    return Confounded(slopes, weights, cutoff, sign, np.sqrt(variance * df))


def table(found: Confounded, benchmarks: tuple[Benchmark, ...], multiples: tuple[float, ...]) -> pd.DataFrame:
    """Probabilities beside confounders as strong as controls: benchmark, k, probability."""
    rows = [(one.name, k, found.beside(one, k)) for one in benchmarks for k in multiples]
    return pd.DataFrame(rows, columns=["benchmark", "k", "probability"])
