"""log p(y_it | the other rows of its unit, parameters): what a row says beyond its neighbours."""

import numpy as np

from bayes_npp.bayesian.model.likelihood import innovations, log_likelihood
from bayes_npp.bayesian.model.terms import ModelData

# Gauss-Legendre rule to each side of the middle between the modes of two Student-t densities, where the integrand is a
# smooth function of x, the distance to the mode being width sinh(x); REACH in x.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
REACH = 12.0


def row_log_density(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log density of every row given all parameters and all other rows of its unit, shape (..., n).

    Independent errors: the row's log likelihood. Under AR(1) errors a row is tied to the row before it by its own
    innovation and to the row after by that one's, both linear in the row's error e; with variances v and v' and
    r = rho^h their log densities add up to a normal in e of precision 1 / v + r^2 / v'. Student-t innovations need an
    integral over e.
    """
    if "autocorrelation" not in parameters:
        return log_likelihood(parameters, data)
    own, sd = innovations(parameters, data)
    after = np.flatnonzero(data.gaps > 0)
    before = after - 1
    r = parameters["autocorrelation"][..., None] ** data.gaps[after]
    precision = 1 / sd**2
    slope = own / sd**2
    precision[..., before] += (r / sd[..., after]) ** 2
    slope[..., before] -= r * own[..., after] / sd[..., after] ** 2
    if "degrees" not in parameters:
        return -0.5 * slope**2 / precision + 0.5 * np.log(precision) - 0.5 * np.log(2 * np.pi)
    out = log_likelihood(parameters, data)
    tail = (parameters["degrees"][..., None] + 1) / 2
    nu = parameters["degrees"][..., None]
    mine, next_ = (own[..., before], sd[..., before]), (own[..., after], sd[..., after])
    r = np.where(np.abs(r) > 1e-6, r, 1e-6)

    def kernel(d: np.ndarray | float) -> np.ndarray:
        """Both innovations' log densities with d added to the row's error."""
        squares = ((mine[0] + d) / mine[1]) ** 2, ((next_[0] - r * d) / next_[1]) ** 2
        return -tail * (np.log1p(squares[0] / nu) + np.log1p(squares[1] / nu))

    modes = -mine[0], next_[0] / r
    width = np.minimum(mine[1], next_[1] / np.abs(r))
    half = np.arcsinh(np.abs(modes[0] - modes[1]) / 2 / width)
    at_row = kernel(0.0)
    top = np.maximum(at_row, np.maximum(kernel(modes[0]), kernel(modes[1])))
    total = np.zeros_like(width)
    for mode, other in (modes, modes[::-1]):
        towards = np.where(other >= mode, 1.0, -1.0) * width
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            x = (half - REACH) / 2 + (half + REACH) / 2 * node
            inside = np.exp(kernel(mode + towards * np.sinh(x)) - top)
            total += weight * (half + REACH) / 2 * inside * np.cosh(x)
    out[..., before] = at_row - top - np.log(total * width)
    return out
