"""Paths a and b of a group correlate: a prior that ties the mediators' equations to the outcome's.

Given the scales theta and the correlation rho, coefficients of all equations are jointly normal, so the tie changes the
posterior of (theta, rho) by a factor in closed form: the mean of N2(z_a, z_b; rho) / N(z_a) N(z_b) over the untied
posterior of the coefficients. Draws of theta from the equations by themselves are weighted by it (PSIS), and
coefficients drawn exactly given theta and rho.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.psis import normalised, smoothed
from bayes_npp.bayesian.model.terms import WHOLE
from bayes_npp.bayesian.priors.families import PriorSpec

SLOPES = ("exposure_slope", "slope_offset", "control_slope")
WEIGHTED_DRAWS = 1000  # of theta; coefficients are drawn anew, so more add little
MOST_CELLS = 40_000_000  # of the factors of all coefficients at these draws, 320 MB: fewer draws of large equations


@dataclass(frozen=True)
class Tied:
    """Parameters of every equation under the tie, by equation and variable, shape (S, ...); rho (S, K); Pareto k."""

    parameters: dict[str, dict[str, np.ndarray]]
    correlation: np.ndarray
    k_hat: float


def tie(equations: Mapping[str, Fit], mediators: Sequence[str], prior: PriorSpec, seed: int) -> Tied:
    """Posterior with correlation rho_k between the group offsets of a_k and b_k, one for each mediator.

    Parameters
    ----------
    equations : mapping of Fit
        By what they explain, the outcome's last; slopes of the exposure by group in every one, of the mediators in the
        outcome's.
    mediators : sequence of str
    prior : PriorSpec
        Of each correlation.
    seed : int
    """
    random = np.random.default_rng(seed)
    fits = list(equations.values())
    n_draws = len(fits[0].thetas)
    width = max(len(fit.collapsed.prior_means) for fit in fits)
    some = np.linspace(0, n_draws - 1, min(WEIGHTED_DRAWS, n_draws, max(MOST_CELLS // width**2, 100))).astype(int)
    rho = prior.draw(random, (len(some), len(mediators)))
    blocks = [_Block(fit, some, _columns(fit, mediators if fit is fits[-1] else ())) for fit in fits]
    mean = np.concatenate([block.mean[:, block.at] / block.sd for block in blocks], axis=1)
    covariance = _diagonal_blocks([block.covariance() for block in blocks])
    width = mean.shape[1] // (2 * len(mediators))
    q, constant = _tie_precision(rho, width)
    inner = np.eye(mean.shape[1]) + covariance @ q
    solved = np.linalg.solve(inner, np.concatenate([mean[..., None], covariance], axis=2))
    log_ratio = constant - 0.5 * np.linalg.slogdet(inner)[1]
    log_ratio -= 0.5 * np.einsum("si,sij,sj->s", mean, q, solved[..., 0])
    log_weights, k_hat = smoothed(log_ratio)
    chosen = random.choice(len(some), n_draws, p=normalised(log_weights))
    spread = solved[..., 1:]
    root = np.linalg.cholesky((spread + np.swapaxes(spread, 1, 2)) / 2 + 1e-12 * np.eye(mean.shape[1]))
    normals = random.standard_normal((n_draws, mean.shape[1], 1))
    tied = solved[chosen, :, 0] + (root[chosen] @ normals)[..., 0]
    parameters, start = {}, 0
    for name, block in zip(equations, blocks, strict=True):
        width_here = len(block.at)
        parameters[name] = block.draw(chosen, tied[:, start : start + width_here], random)
        start += width_here
    return Tied(parameters, rho[chosen], k_hat)


class _Block:
    """One equation at some draws of theta: mean and factor of its coefficients, and which of them are tied."""

    def __init__(self, fit: Fit, some: np.ndarray, tied: list[tuple[np.ndarray, np.ndarray]]):
        self.fit, self.thetas = fit, np.ascontiguousarray(fit.thetas[some])
        self.at = np.concatenate([at for at, _ in tied])
        self.sd = np.concatenate([np.repeat(sd[some][:, None], len(at), axis=1) for at, sd in tied], axis=1)
        size = len(fit.collapsed.prior_means)
        # Coefficients are mean + factor normals: at normals of zero, and of one by one. A theta repeated costs little.
        normals = np.tile(np.vstack([np.zeros(size), np.eye(size)]), (len(self.thetas), 1))
        thetas, drawn = np.repeat(self.thetas, size + 1, axis=0), np.empty(normals.shape)
        kernel.draw_coefficients(thetas, normals, fit.collapsed.packed, drawn, np.empty(len(thetas)))
        drawn = drawn.reshape(len(self.thetas), size + 1, size)
        self.mean = drawn[:, 0]
        self.factor = np.swapaxes(drawn[:, 1:] - drawn[:, :1], 1, 2)

    def covariance(self) -> np.ndarray:
        """Of the tied coefficients in units of their prior SD, shape (S, t, t)."""
        rows = self.factor[:, self.at] / self.sd[..., None]
        return rows @ np.swapaxes(rows, 1, 2)

    def draw(self, chosen: np.ndarray, tied: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """Every variable at the chosen draws, given the tied coefficients (in units of their prior SD)."""
        factor = self.factor[chosen]
        drawn = self.mean[chosen] + (factor @ random.standard_normal((*factor.shape[::2], 1)))[..., 0]
        rows = factor[:, self.at]
        gain = np.linalg.solve(rows @ np.swapaxes(rows, 1, 2), rows @ np.swapaxes(factor, 1, 2))
        gap = tied * self.sd[chosen] - drawn[:, self.at]
        drawn = drawn + np.einsum("st,stp->sp", gap, gain)
        return self._laid_out(self.thetas[chosen], drawn)

    def _laid_out(self, thetas: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        """Scales and slopes by variable of the posterior."""
        collapsed = self.fit.collapsed
        out, start = collapsed.constrained(thetas), 0
        offsets = []
        for term in collapsed.columns:
            block = (drawn + collapsed.prior_means)[:, start : start + term.width]
            start += term.width
            if term.variable == "control_offset":
                offsets.append(term.values(block))
            elif term.variable in SLOPES:
                values = term.values(block)
                out[term.variable] = values[:, 0] if term.variable == "exposure_slope" else values
        if offsets:
            out["control_offset"] = np.stack(offsets, axis=1)
        return out


def _columns(fit: Fit, mediators: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of tied coefficients among the collapsed ones, draws of their prior SD: one a, or every b."""
    out, start = [], 0
    wanted = {("slope_offset", WHOLE): "slope_sd"}
    if mediators:
        wanted = {("control_offset", fit.spec.varying.index(name)): "control_slope_sd" for name in mediators}
    found = {}
    for term in fit.collapsed.columns:
        if (term.variable, term.at) in wanted:
            found[term.variable, term.at] = np.arange(start, start + term.width)
        start += term.width
    for key, scale in wanted.items():
        sd = fit.values(scale)
        out.append((found[key], sd if key[1] == WHOLE else sd[:, key[1]]))
    return out


def _tie_precision(rho: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Q (S, 2Kw, 2Kw) and constant (S,): log N2 - log N - log N is constant - z'Qz / 2, z all z_a, then all z_b."""
    n_draws, k = rho.shape
    same, cross = rho**2 / (1 - rho**2), -rho / (1 - rho**2)
    size = k * width
    q = np.zeros((n_draws, 2 * size, 2 * size))
    at = np.arange(size)
    each = np.repeat(np.arange(k), width)
    q[:, at, at] = q[:, size + at, size + at] = same[:, each]
    q[:, at, size + at] = q[:, size + at, at] = cross[:, each]
    return q, -0.5 * width * np.log1p(-(rho**2)).sum(axis=1)


def _diagonal_blocks(blocks: list[np.ndarray]) -> np.ndarray:
    """Block-diagonal matrices (S, sum, sum)."""
    sizes = [block.shape[1] for block in blocks]
    out = np.zeros((len(blocks[0]), sum(sizes), sum(sizes)))
    start = 0
    for block, size in zip(blocks, sizes, strict=True):
        out[:, start : start + size, start : start + size] = block
        start += size
    return out
