"""The outcome given the parameters, row by row: each row given the ones of its unit before it."""

from math import lgamma

import numpy as np

from bayes_npp.bayesian.model.terms import ModelData, fitted_values


def innovations(parameters: dict[str, np.ndarray], data: ModelData) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the outcome less what the row before predicts, and their SDs; both of shape (..., n).

    Under AR(1) errors e_t = rho^h e_(t-h) + innovation; the first row of a unit has the stationary SD. The innovation
    over h periods has the variance of h steps. Otherwise errors are their own innovations.
    """
    errors = data.outcome - fitted_values(parameters, data)
    sd = error_sds(parameters, data)
    if "autocorrelation" not in parameters:
        return errors, np.broadcast_to(sd, errors.shape)
    rho = parameters["autocorrelation"][..., None]
    later = np.flatnonzero(data.gaps > 0)
    own = errors.copy()
    own[..., later] -= rho ** data.gaps[later] * errors[..., later - 1]
    variance = np.broadcast_to(1 / ((1 - rho) * (1 + rho)), errors.shape).copy()
    variance[..., later] = sum((data.gaps[later] > k) * rho ** (2 * k) for k in range(int(data.gaps.max())))
    return own, sd * np.sqrt(variance)


def error_sds(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """SDs of the innovations of one step, shape (..., n) or (..., 1)."""
    if data.se is not None:
        return data.se
    sd = parameters["error_sd"][..., None]
    return sd * parameters["unit_scale"][..., data.design.unit] if "unit_scale" in parameters else sd


def log_likelihood(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log density of every row given the parameters and the rows of its unit before it, shape (..., n)."""
    own, sd = innovations(parameters, data)
    z = own / sd
    if "degrees" in parameters:
        nu = parameters["degrees"][..., None]
        constant = np.vectorize(lgamma)((nu + 1) / 2) - np.vectorize(lgamma)(nu / 2) - 0.5 * np.log(nu * np.pi)
        return constant - (nu + 1) / 2 * np.log1p(z**2 / nu) - np.log(sd)
    return -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def simulate_errors(parameters: dict[str, np.ndarray], data: ModelData, random: np.random.Generator) -> np.ndarray:
    """Errors drawn from the model, shape (S, n), one row for each draw of the parameters."""
    n_draws = len(next(iter(parameters.values())))
    shape = (n_draws, data.design.n_obs)
    noise = random.standard_normal(shape)
    if "degrees" in parameters:
        nu = parameters["degrees"][:, None]
        noise = noise / np.sqrt(random.chisquare(np.broadcast_to(nu, shape)) / nu)
    errors = noise * error_sds(parameters, data)
    if "autocorrelation" not in parameters:
        return errors
    rho = parameters["autocorrelation"]
    for at, gap in enumerate(data.gaps):
        if gap == 0:
            errors[:, at] /= np.sqrt((1 - rho) * (1 + rho))
        else:
            step = np.sqrt(sum(rho ** (2 * k) for k in range(gap)))
            errors[:, at] = step * errors[:, at] + rho**gap * errors[:, at - 1]
    return errors
