"""What it does to the outcome's equation of a mediation if its errors correlate with those of the mediators.

Innovations nu_k of mediator k and of the outcome, in units of their SDs, correlate by rho_k. Given the mediators the
outcome's errors are L s (eps + sum_k kappa_k nu_k), with kappa = R^-1 rho / sqrt(1 - rho'R^-1 rho), R the correlation
of the nu, s the SD given the mediators, and L what memory and scales make of innovations. So the outcome less
sum_k kappa_k u_k, u_k = L s nu_k, has the errors of the equation as estimated. Given scales and shapes its coefficients
stay normal with the same covariance, their mean moves by -kappa'B, and the draw of scales and shapes gets the log
weight kappa'g - kappa'H kappa / 2. See docs/statistics.md, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS, spaced
from bayes_npp.bayesian.model.likelihood import error_sds, follow, innovations
from bayes_npp.bayesian.model.terms import WHOLE, Term, common_and_offsets

SLOPES = frozenset({"exposure_slope", "free_slope", "slope_offset", "control_slope", "control_offset"})


@dataclass(frozen=True)
class CorrelatedErrors:
    """Of K mediators, in each of S draws.

    Attributes
    ----------
    correlation : ndarray, shape (S, K, K)
        R, from the draws' innovations.
    moves : dict of ndarray, shape (S, K, ...)
        B by variable of the outcome's equation: posterior means of its slopes with u_k as the outcome.
    gradient : ndarray, shape (S, K)
        g = u'V^-1 (y - prior mean), V the outcome's covariance with coefficients integrated out.
    curvature : ndarray, shape (S, K, K)
        H = u'V^-1 u.
    stated : tuple of (variable, slot)
        Slopes whose priors are not normal: their priors at the moved values are not in g and H.
    """

    correlation: np.ndarray
    moves: dict[str, np.ndarray]
    gradient: np.ndarray
    curvature: np.ndarray
    stated: tuple[tuple[str, str], ...]


def correlated_errors(mediators: Sequence[Fit], outcome: Fit, n_draws: int) -> CorrelatedErrors:
    """From fits of the equations on the same rows, all of collapsed posteriors, at evenly spaced draws."""
    thetas, collapsed = outcome.thetas[spaced(len(outcome.thetas), n_draws)], outcome.collapsed
    n_rows, k = outcome.design.n_obs, len(mediators)
    held = HeldOut(collapsed, outcome.priors)
    own = [fit.parameters(n_draws) for fit in mediators]
    given = outcome.parameters(n_draws)
    correlation, gradient, curvature = np.empty((n_draws, k, k)), np.empty((n_draws, k)), np.empty((n_draws, k, k))
    coefficients = np.empty((n_draws, len(collapsed.prior_means), k))
    stated = np.empty((n_draws, len(held.kept_at), k))
    step = max(1, CHUNK_CELLS // (n_rows * k))
    for start in range(0, n_draws, step):
        some = slice(start, start + step)
        nu = [np.divide(*innovations(_at(draws, some), fit.data)) for fit, draws in zip(mediators, own, strict=True)]
        unit = np.stack([one / np.sqrt((one**2).sum(axis=1, keepdims=True)) for one in nu], axis=1)
        correlation[some] = unit @ np.swapaxes(unit, 1, 2)
        here = _at(given, some)
        u = [one * error_sds(here, outcome.data) for one in nu]
        for one in u:
            follow(one, np.arange(n_rows), here, outcome.data)
        found = held.regressed(thetas[some], np.stack(u, axis=-1), SLOPES)
        coefficients[some], stated[some], gradient[some], curvature[some] = found
    moves = [_named(outcome, thetas, coefficients[..., j], held.kept, stated[..., j]) for j in range(k)]
    named = {name: np.stack([one[name] for one in moves], axis=1) for name in moves[0]}
    slots = tuple((term.variable, term.slot) for term in held.kept)
    return CorrelatedErrors(correlation, named, gradient, curvature, slots)


def _at(draws: dict[str, np.ndarray], some: slice) -> dict[str, np.ndarray]:
    return {name: values[some] for name, values in draws.items()}


def _named(
    fit: Fit, thetas: np.ndarray, coefficients: np.ndarray, kept: Sequence[Term], stated: np.ndarray
) -> dict[str, np.ndarray]:
    """Coefficients (S, p), and those of theta (S, k), by variable of the posterior, slopes only."""

    def by_variable(drawn: np.ndarray) -> dict[str, np.ndarray]:
        return fit.collapsed.named(thetas, drawn, None, np.random.default_rng(0))

    at, nothing = by_variable(coefficients), by_variable(np.zeros_like(coefficients))
    out = {name: at[name] - nothing[name] for name in at if name in SLOPES}
    start = 0
    for term in kept:
        block = stated[:, start : start + term.width]
        start += term.width
        if term.variable == "free_slope":
            out.update(common_and_offsets(block))
        elif term.variable in SLOPES:
            out[term.variable] = block[:, 0] if term.variable == "exposure_slope" and term.at == WHOLE else block
    return out
