"""The likelihood of the groups' slopes given everything else, and the slopes' posterior under any prior of theirs.

Given the other scales and shapes, the likelihood of the exposure's common slope b and of the groups' offsets u is
normal in (b, u), with all other coefficients integrated out (`kernel.slope_blocks`). With b ~ N(mu, s^2) and
u ~ N(0, tau^2), and A_u = V diag(l) V' the offsets' precision after b is integrated out too,

    log p(y | s, tau, rest) = const - sum log(1 + tau^2 l_k) / 2 + sum tau^2 z_k^2 / (1 + tau^2 l_k) / 2,

z = V'r, so one eigendecomposition answers every tau. Student-t and Laplace priors of b are mixtures of normals over s.
"""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.priors.families import PriorSpec

# Of the slopes' SD, standardised units; equal steps of the log, where the trapezoid rule is exact to rounding for
# densities as smooth as these.
TAU = np.geomspace(1e-5, 100.0, 51)
STEP = float(np.log(TAU[1] / TAU[0]))


@dataclass(frozen=True)
class SlopeLikelihood:
    """Normal likelihoods of (b, u) at draws of the other scales and shapes.

    Attributes
    ----------
    precision : ndarray, shape (S, K, K)
        Of b, then u.
    linear : ndarray, shape (S, K)
        Precision times the maximiser.
    core : ndarray, shape (S,)
        Log likelihood at b = 0, u = 0, other coefficients integrated out, up to a constant.
    """

    precision: np.ndarray
    linear: np.ndarray
    core: np.ndarray


def slope_likelihood(collapsed: Collapsed, thetas: np.ndarray) -> SlopeLikelihood:
    """Integrate out everything but the slopes, at draws of theta (S, d); theirs of the slopes' SD does not matter."""
    first = 0
    chosen: list[int] = []
    for term in collapsed.columns:
        if term.variable in ("exposure_slope", "slope_offset"):
            chosen += range(first, first + term.width)
        first += term.width
    size = len(chosen)
    blocks, core = collapsed.slope_blocks(thetas, np.array(chosen))
    precision, linear = blocks[:, :size, :size], blocks[:, :size, size]
    # The products are of the outcome at the prior means of the coefficients.
    mean = collapsed.prior_means[chosen]
    core -= 0.5 * mean @ precision @ mean + linear @ mean if mean.any() else 0.0
    return SlopeLikelihood(precision, linear + precision @ mean, core)


@dataclass(frozen=True)
class SlopeTable:
    """The slopes under one prior of the common slope, for every draw and every value of `TAU`.

    Attributes
    ----------
    log_marginal : ndarray, shape (S, len(TAU)), or (S, 1) without offsets
        Log likelihood with the slopes integrated out.
    drawn : ndarray, shape (S, len(TAU), K)
        One exact draw of (b, u) for each.
    """

    log_marginal: np.ndarray
    drawn: np.ndarray


def slope_table(likelihood: SlopeLikelihood, prior: PriorSpec, seed: int) -> SlopeTable:
    """The likelihood's slopes under a prior of the common slope that is a mixture of normals; `SpecError` otherwise.

    Draws under the same seed take the same normals, so that tables of different priors differ by the priors alone.
    """
    random = np.random.default_rng(seed)
    n_draws, size = likelihood.linear.shape
    n_taus = len(TAU) if size > 1 else 1
    choice, common = random.uniform(size=(n_draws, n_taus)), random.standard_normal((n_draws, n_taus))
    normals = random.standard_normal((n_draws, n_taus, size - 1))
    mu, sds, log_weights = prior.mixture()
    parts = [_given_sd(likelihood, mu, sd) for sd in sds]
    every = np.stack([part.log_marginal + weight for part, weight in zip(parts, log_weights, strict=True)])
    top = every.max(axis=0)
    shares = np.exp(every - top).cumsum(axis=0)
    log_marginal = top + np.log(shares[-1])
    picked = (choice > shares / shares[-1]).sum(axis=0)
    drawn = np.empty((n_draws, n_taus, size))
    for k, part in enumerate(parts):
        mine = picked == k
        if mine.any():
            drawn[mine] = part.draw(mu, common, normals)[mine]
    return SlopeTable(likelihood.core[:, None] + log_marginal, drawn)


def slope_marginal(likelihood: SlopeLikelihood, prior: PriorSpec) -> np.ndarray:
    """`SlopeTable.log_marginal` alone."""
    mu, sds, log_weights = prior.mixture()
    every = [_given_sd(likelihood, mu, sd).log_marginal + weight for sd, weight in zip(sds, log_weights, strict=True)]
    return likelihood.core[:, None] + np.logaddexp.reduce(every, axis=0)


@dataclass(frozen=True)
class _GivenSD:
    """The slopes under one normal prior of the common slope."""

    log_marginal: np.ndarray  # (S, T)
    d: np.ndarray  # (S,) posterior precision of b given u
    linear: np.ndarray  # (S,) its linear term at u = 0
    cross: np.ndarray  # (S, K - 1) precision between b and u
    vectors: np.ndarray  # (S, K - 1, K - 1)
    mean: np.ndarray  # (S, T, K - 1) of the offsets on the eigenvectors
    sd: np.ndarray  # (S, T, K - 1)

    def draw(self, mu: float, common: np.ndarray, normals: np.ndarray) -> np.ndarray:
        offsets = np.einsum("skm,stm->stk", self.vectors, self.mean + self.sd * normals)
        centre = (self.linear[:, None] - np.einsum("sk,stk->st", self.cross, offsets)) / self.d[:, None]
        return np.concatenate([(mu + centre + common / np.sqrt(self.d)[:, None])[..., None], offsets], axis=2)


def _given_sd(likelihood: SlopeLikelihood, mu: float, sd: float) -> _GivenSD:
    precision = likelihood.precision
    linear = likelihood.linear - mu * precision[:, :, 0]
    d = precision[:, 0, 0] + sd**-2
    cross = precision[:, 0, 1:]
    log_marginal = mu * likelihood.linear[:, 0] - 0.5 * mu**2 * precision[:, 0, 0]
    log_marginal = log_marginal + 0.5 * linear[:, 0] ** 2 / d
    log_marginal -= 0.5 * (np.log(d) if np.isinf(sd) else np.log1p(sd**2 * precision[:, 0, 0]))
    own = precision[:, 1:, 1:] - cross[:, :, None] * cross[:, None, :] / d[:, None, None]
    left = linear[:, 1:] - cross * (linear[:, 0] / d)[:, None]
    values, vectors = np.linalg.eigh(own)
    z = np.einsum("skm,sk->sm", vectors, left)
    taus = TAU if cross.shape[1] else np.ones(1)
    gain = 1.0 / (taus[None, :, None] ** -2 + np.maximum(values, 0.0)[:, None, :])  # variance of each coordinate
    mean = gain * z[:, None, :]
    log_tau = 0.5 * (np.log(gain) - 2 * np.log(taus)[None, :, None]).sum(axis=2)
    total = log_marginal[:, None] + log_tau + 0.5 * (mean * z[:, None, :]).sum(axis=2)
    return _GivenSD(total, d, linear[:, 0], cross, vectors, mean, np.sqrt(gain))


def log_tau_weights(prior: PriorSpec | None) -> np.ndarray:
    """Log of each value's share of a prior of the slopes' SD, by the trapezoid rule in its log; (1,) without one."""
    if prior is None:
        return np.zeros(1)
    log_weights = prior.log_density(TAU) + np.log(TAU * STEP)
    below = prior.log_density(TAU[:1])[0] + np.log(TAU[0])  # from zero to half a step below the first point
    log_weights[0] = np.logaddexp(log_weights[0] + np.log(0.5), below)
    return log_weights
