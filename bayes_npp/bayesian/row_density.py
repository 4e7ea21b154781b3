"""log p(y_it | the other rows of its unit, parameters): what a row says beyond its neighbours."""

import numpy as np

from bayes_npp.bayesian.likelihood import innovations, log_likelihood
from bayes_npp.bayesian.terms import ModelData

# Nodes of the trapezoid rule for Student-t errors, in SDs of the normal counterpart; exact to 1e-5 with the step.
NODES = np.linspace(-7.0, 7.0, 281)


def row_log_density(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log density of every row given all parameters and all other rows of its unit, shape (..., n).

    Independent errors: the row's log likelihood. Under AR(1) errors a row is tied to the row before it by its own
    innovation and to the row after by that one's, both linear in the row's error e; with variances v and v' and
    r = rho^h their log densities add up to a normal in e of precision 1 / v + r^2 / v'. Student-t innovations need the
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
    # Relative to the density at the observed error: e = e_t + d, d on a grid dense around both innovations' modes.
    width = precision[..., before] ** -0.5
    centre = -slope[..., before] / precision[..., before]
    mine, next_ = (own[..., before], sd[..., before]), (own[..., after], sd[..., after])

    def kernel(d: np.ndarray | float) -> np.ndarray:
        squares = ((mine[0] + d) / mine[1]) ** 2, ((next_[0] - r * d) / next_[1]) ** 2
        return -tail * (np.log1p(squares[0] / nu) + np.log1p(squares[1] / nu))

    at_row = kernel(0.0)
    total = np.zeros_like(width)
    top = np.maximum(kernel(-mine[0]), at_row)
    for x in NODES:
        total += np.exp(kernel(centre + width * np.sinh(x)) - top) * np.cosh(x)
    out[..., before] = at_row - top - np.log(total * width * (NODES[1] - NODES[0]))
    return out
