"""log p(y_it | the other rows of its unit, parameters): what a row says beyond its neighbours."""

import numpy as np

from bayes_npp.bayesian.model.error_models import memory_of, shape_of
from bayes_npp.bayesian.model.likelihood import innovations, log_likelihood
from bayes_npp.bayesian.model.terms import ModelData

# Gauss-Legendre rule to each side of the middle between the modes of two densities such as Student's, where the
# integrand is a smooth function of x, the distance to the mode being width sinh(x); REACH in x.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
REACH = 12.0


def row_log_density(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log density of every row given all parameters and all other rows of its unit, shape (..., n).

    Errors without memory: the row's log likelihood. With memory a row is tied to the row before it by its own
    innovation and to the row after by that one's, both linear in the row's error e; with variances v and v' and share
    r (rho^h under AR(1) errors) their log densities add up to a normal in e of precision 1 / v + r^2 / v'. Innovations
    that are not normal need an integral over e.
    """
    memory, shape = memory_of(data.design.spec.errors), shape_of(data.design.spec.errors)
    if memory is None:
        return log_likelihood(parameters, data)
    own, sd = innovations(parameters, data)
    after = np.flatnonzero(data.gaps > 0)
    before = after - 1
    r = memory.rows(parameters, data)[0]
    precision = 1 / sd**2
    slope = own / sd**2
    precision[..., before] += (r / sd[..., after]) ** 2
    slope[..., before] -= r * own[..., after] / sd[..., after] ** 2
    if shape is None:
        return -0.5 * slope**2 / precision + 0.5 * np.log(precision) - 0.5 * np.log(2 * np.pi)
    out = log_likelihood(parameters, data)
    mine, next_ = (own[..., before], sd[..., before]), (own[..., after], sd[..., after])
    r = np.where(np.abs(r) > 1e-6, r, 1e-6)

    def kernel(d: np.ndarray | float) -> np.ndarray:
        """Both innovations' log densities with d added to the row's error."""
        both = (mine[0] + d) / mine[1], (next_[0] - r * d) / next_[1]
        return shape.kernel(both[0], parameters) + shape.kernel(both[1], parameters)

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
