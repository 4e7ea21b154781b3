"""Do slopes differ at all? The Bayes factor of slope_sd = 0 against slope_sd > 0, from the collapsed likelihood."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.fit import Fit
from bayes_npp.bayesian.priors import PriorSpec
from bayes_npp.errors import SpecError

DRAWS = 400
GRID = np.concatenate([[1e-4], np.geomspace(2e-3, 30.0, 90)])  # of the SD, standardised units
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # multiples of the prior's scale


@dataclass(frozen=True)
class Homogeneity:
    """Bayes factors of equal slopes (SD zero) against unequal ones.

    Attributes
    ----------
    variable : "slope_sd" or "unit_slope_sd"
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

    With theta' the other elements of theta and L the collapsed likelihood,

        p(y | SD = 0) / p(y | SD > 0) = E[ L(0, theta') / integral p(SD) L(SD, theta') dSD ]

    over the posterior of theta' (Savage-Dickey density ratio, the density at zero averaged over theta'; Dickey 1971).
    The integral is one-dimensional, so other prior scales need no other draws.

    Raises
    ------
    SpecError
        A model without varying slopes, or not fitted by the collapsed sampler.
    """
    names = [element.variable for element in fit.collapsed.elements]
    variable = next((name for name in ("slope_sd", "unit_slope_sd") if name in names), None)
    if variable is None:
        raise SpecError("the model has one slope, so there is nothing to compare", fix="Let slopes vary")
    at, prior = names.index(variable), fit.priors[variable]
    thetas = fit.thetas
    thetas = thetas[np.linspace(0, len(thetas) - 1, min(DRAWS, len(thetas))).astype(int)]
    unit = fit.collapsed.priors.upper[at]
    # The element of theta at which the SD has each value of the grid (inverse softplus), zero first.
    grid = np.concatenate([[-40.0], np.log(np.expm1(GRID / unit))])
    log_likelihood = np.empty((len(thetas), len(grid)))
    for k, theta in enumerate(thetas):
        moved = theta.copy()
        for j, value in enumerate(grid):
            moved[at] = value
            log_likelihood[k, j] = fit.collapsed.log_density(moved, likelihood_only=True)[0]
    log_likelihood -= log_likelihood[:, [0]]
    integrals = {scale: _integral(log_likelihood[:, 1:], _scaled(prior, scale)) for scale in SCALES}
    base = integrals[1.0]
    numerator = np.exp(-base)
    by_scale = tuple((s, float(numerator.mean() / np.exp(integrals[s] - base).mean())) for s in SCALES)
    mcse = float(numerator.std(ddof=1) / numerator.mean() / np.sqrt(len(numerator)))
    return Homogeneity(variable, prior, float(numerator.mean()), mcse, by_scale)


def _integral(log_ratio: np.ndarray, prior: PriorSpec) -> np.ndarray:
    """Log of the integral of prior times likelihood ratio over the SD, a value a draw, by the trapezoid rule."""
    log_density = log_ratio + prior.log_density(GRID)
    top = log_density.max(axis=1, keepdims=True)
    inside = np.trapezoid(np.exp(log_density - top), GRID, axis=1)
    first = GRID[0] * np.exp(log_density[:, 0] - top[:, 0])  # from zero to the first point
    return np.log(inside + first) + top[:, 0]


def _scaled(prior: PriorSpec, multiple: float) -> PriorSpec:
    """The prior of an SD with its scale multiplied."""
    content = prior.model_dump()
    for key in ("sigma", "scale"):
        if content[key] is not None and prior.family not in ("log_normal",):
            content[key] *= multiple
    match prior.family:
        case "gamma":
            content["beta"] /= multiple
        case "inverse_gamma":
            content["beta"] *= multiple
        case "log_normal":
            content["mu"] += float(np.log(multiple))
    return PriorSpec(**content)
