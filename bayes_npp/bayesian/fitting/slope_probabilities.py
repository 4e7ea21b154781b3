"""Probabilities about the groups' slopes, the slopes integrated out: averages of normal tails, never 0 or 1.

Given a draw of the scales and shapes the slopes are normal (`slope_likelihood`), so that the probability of a statement
about them is a normal tail; its mean over draws has less Monte Carlo error than the share of draws in which the
statement holds (Rao-Blackwell), and is right far out in the tails, where no draw is.
"""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.slope_likelihood import slope_likelihood
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.estimates import normal_tail


@dataclass(frozen=True)
class Weights:
    """A quantity as weights on the groups' slopes, shape (max(G, 1),)."""

    on_groups: np.ndarray


@dataclass(frozen=True)
class NormalSlopes:
    """The groups' slopes given each draw of everything else, in the data's units.

    Attributes
    ----------
    mean : ndarray, shape (S, max(G, 1))
    covariance : ndarray, shape (S, max(G, 1), max(G, 1))
    weights : ndarray, shape (S,)
        Of the draws, or points; they sum to one.
    precision : ndarray, shape (S, K, K), optional
        What the likelihood alone says of the slopes' coefficients (`slope_likelihood`); not with instruments.
    """

    mean: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    precision: np.ndarray | None = None

    def tails(self, weights: np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> np.ndarray:
        """Probability of sign * (weights'slopes - cutoff) > 0 given each draw, shape (S,)."""
        mean = self.mean @ weights - cutoff
        sd = np.sqrt(np.einsum("g,sgh,h->s", weights, self.covariance, weights))
        return np.asarray(normal_tail(sign * mean / sd))

    def variance(self, weights: np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Variance of `tails` over the draws."""
        tails = self.tails(weights, cutoff, sign)
        return float(self.weights @ (tails - self.weights @ tails) ** 2)

    def probability(self, weights: np.ndarray, cutoff: float = 0.0, sign: float = 1.0) -> float:
        """Probability of sign * (weights'slopes - cutoff) > 0."""
        return float(self.weights @ self.tails(weights, cutoff, sign))


def normal_slopes(
    collapsed: Collapsed, priors: PriorSet, thetas: np.ndarray, weights: np.ndarray | None = None
) -> NormalSlopes | None:
    """The slopes given draws of theta (S, d); None where they are not normal, or not the only ones of the exposure.

    Parameters
    ----------
    collapsed : Collapsed
    priors : PriorSet
        Those it was collapsed under.
    thetas : ndarray, shape (S, d)
    weights : ndarray, shape (S,), optional
        Of the draws, summing to one; equal without them.
    """
    design, spec = collapsed.data.design, collapsed.data.design.spec
    if spec.exposure is None or spec.unit_slopes or spec.dynamic or spec.slope_pooling == "none":
        return None
    prior = priors["exposure"]
    if not prior.collapses:
        return None
    likelihood = slope_likelihood(collapsed, thetas)
    mu, sds, _ = prior.mixture()
    size = likelihood.linear.shape[1]
    own = np.zeros((len(thetas), size))
    own[:, 0] = float(np.ravel(sds)[0]) ** -2.0
    if size > 1:
        own[:, 1:] = collapsed.constrained(thetas)["slope_sd"].reshape(-1, 1) ** -2.0
    linear = likelihood.linear.copy()
    linear[:, 0] += mu * own[:, 0]
    covariance = np.linalg.inv(likelihood.precision + own[:, :, None] * np.eye(size))
    mean = np.einsum("sij,sj->si", covariance, linear)
    unit = design.scales.outcome_sd / design.scales.divisors[spec.exposure]
    n_groups = max(len(design.groups), 1)
    from_coefficients = np.ones((n_groups, 1))
    if size > 1:
        from_coefficients = np.hstack([from_coefficients, collapsed.data.slope_basis])
    from_coefficients = unit * from_coefficients
    return NormalSlopes(
        mean @ from_coefficients.T,
        np.einsum("gi,sij,hj->sgh", from_coefficients, covariance, from_coefficients),
        np.full(len(thetas), 1 / len(thetas)) if weights is None else weights,
        likelihood.precision,
    )
