"""Do slopes differ at all? The Bayes factor of slope_sd = 0 against slope_sd > 0, from the collapsed likelihood."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.slope_likelihood import TAU, log_tau_weights, slope_likelihood, slope_marginal
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT, sample_thetas
from bayes_npp.bayesian.model.terms import WHOLE
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.errors import SamplingError, SpecError

FACTOR_DRAWS = 400
SCALE_MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)  # multiples of the prior's scale


@dataclass(frozen=True)
class Homogeneity:
    """Bayes factors of equal slopes (SD zero) against unequal ones.

    Attributes
    ----------
    variable : "slope_sd", "control_slope_sd" or "unit_slope_sd"
    prior : PriorSpec
        Of the SD.
    factor : float
        p(y | SD = 0) / p(y | SD > 0); above 1 the data speak for equal slopes.
    mcse : float
        Monte Carlo standard error of log(factor).
    by_scale : tuple of (multiple, factor)
        The factor with the scale of the SD's prior multiplied.
    """

    variable: str
    prior: PriorSpec
    factor: float
    mcse: float
    by_scale: tuple[tuple[float, float], ...]

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest factor over the scales."""
        factors = [factor for _, factor in self.by_scale]
        return min(factors), max(factors)

    @property
    def reading(self) -> str:
        """Which side the data are on by Kass and Raftery's (1995) threshold of 3, at every prior scale."""
        low, high = self.range
        if high < 1 / 3:
            return "slopes differ"
        if low > 3:
            return "slopes are alike"
        return "undecided"


def homogeneity(fit: Fit) -> Homogeneity:
    """Bayes factor of slope_sd = 0, and how it moves with the prior's scale.

    Raises
    ------
    SpecError
        A model without varying slopes, or one that the collapsed sampler does not have.
    SamplingError
        A fit of the full model, beside which a short run of the collapsed one failed its diagnostics.

    Notes
    -----
    With theta' the other elements of theta and L the collapsed likelihood,

        p(y | SD = 0) / p(y | SD > 0) = E[ L(0, theta') / integral p(SD) L(SD, theta') dSD ]

    over the posterior of theta': the Savage-Dickey density ratio, the density at zero averaged over theta'. The
    integral is one-dimensional, so other prior scales need no other draws.

    References
    ----------
    Dickey (1971), Annals of Mathematical Statistics.
    Kass & Raftery (1995), Journal of the American Statistical Association: how to read the factor.
    """
    names = [element.variable for element in fit.collapsed.elements]
    variable = next((name for name in ("slope_sd", "unit_slope_sd") if name in names), None)
    if variable is None:
        raise SpecError("the model has one slope, so there is nothing to compare", fix="Let slopes vary")
    return factor_of_equal_slopes(fit.collapsed, fit.priors, _thetas(fit), variable)


def _thetas(fit: Fit) -> np.ndarray:
    """Draws of the collapsed sampler's theta (S, d), of a short run beside a fit of the full model."""
    if fit.is_collapsed:
        return fit.thetas
    thetas, diagnostics = sample_thetas(fit.collapsed, SHORT)
    if not diagnostics.passed:
        run = "the run beside the full model, for the Bayes factor of equal slopes"
        raise SamplingError(f"{run}: {diagnostics.verdict}")
    return thetas


def factor_of_equal_slopes(
    collapsed: Collapsed, priors: PriorSet, thetas: np.ndarray, variable: str = "slope_sd", position: int = WHOLE
) -> Homogeneity:
    """`homogeneity` from draws of theta (S, d) of a collapsed posterior under its priors.

    `variable` may be "control_slope_sd", at the position of a control among those whose slopes vary.
    """
    prior = priors["slope_sd" if variable == "control_slope_sd" else variable]
    thetas = thetas[np.linspace(0, len(thetas) - 1, min(FACTOR_DRAWS, len(thetas))).astype(int)]
    if variable == "slope_sd" and priors["exposure"].collapses:
        log_likelihood = slope_marginal(slope_likelihood(collapsed, thetas), priors["exposure"])
    else:
        at = [(element.variable, element.at) for element in collapsed.elements].index((variable, position))
        log_likelihood = likelihood_over_grid(collapsed, thetas, at)
    log_likelihood = log_likelihood - log_likelihood[:, [0]]  # the first value stands for zero
    weights = {scale: log_tau_weights(prior.scaled(scale)) for scale in SCALE_MULTIPLES}
    integrals = {scale: np.logaddexp.reduce(log_likelihood + own, axis=1) for scale, own in weights.items()}
    base = integrals[1.0]
    numerator = np.exp(-base)
    by_scale = tuple((s, float(numerator.mean() / np.exp(integrals[s] - base).mean())) for s in SCALE_MULTIPLES)
    mcse = float(numerator.std(ddof=1) / numerator.mean() / np.sqrt(len(numerator)))
    return Homogeneity(variable, prior, float(numerator.mean()), mcse, by_scale)


def likelihood_over_grid(collapsed: Collapsed, thetas: np.ndarray, at: int) -> np.ndarray:
    """Log collapsed likelihood with the SD at position `at` of theta moved over `TAU`, shape (S, len(TAU))."""
    scaled = TAU / collapsed.priors.upper[at]
    grid = scaled + np.log(-np.expm1(-scaled))  # the inverse of the softplus
    moved = np.repeat(thetas, len(grid), axis=0)
    moved[:, at] = np.tile(grid, len(thetas))
    return collapsed.log_likelihoods(moved).reshape(len(thetas), len(grid))
