"""The outcome given the parameters, row by row: each row given the ones of its unit before it.

What errors are is the records' of `error_models`; here the parts of a specification come together.
"""

from functools import reduce

import numpy as np

from bayes_npp.bayesian.model.error_models import ErrorModel, Parameters, memory_of, parts, shape_of
from bayes_npp.bayesian.model.terms import ModelData, fitted_values


def innovations(parameters: dict[str, np.ndarray], data: ModelData) -> tuple[np.ndarray, np.ndarray]:
    """Innovations of the outcome's errors, and their SDs; both of shape (..., n)."""
    return innovations_of(data.outcome - fitted_values(parameters, data), parameters, data)


def innovations_of(
    errors: np.ndarray, parameters: dict[str, np.ndarray], data: ModelData
) -> tuple[np.ndarray, np.ndarray]:
    """Errors (..., n) less what the row before predicts of them, and the SDs of what is left; both of shape (..., n).

    Errors without memory are their own innovations.
    """
    sd, memory = error_sds(parameters, data), memory_of(data.design.spec.errors)
    if memory is None:
        return errors, np.broadcast_to(sd, errors.shape)
    share, variance = memory.rows(parameters, data)
    later = np.flatnonzero(data.gaps > 0)
    own = errors.copy()
    own[..., later] -= share * errors[..., later - 1]
    return own, np.broadcast_to(sd * np.sqrt(variance), errors.shape)


def error_sds(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """SDs of the innovations of one step, shape (..., n) or (..., 1)."""
    scales = [part.scale.rows(parameters, data) for part in parts(data.design.spec.errors) if part.scale]
    return reduce(np.multiply, scales)


def log_likelihood(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Log density of every row given the parameters and the rows of its unit before it, shape (..., n)."""
    own, sd = innovations(parameters, data)
    z, shape = own / sd, shape_of(data.design.spec.errors)
    if shape is not None:
        return shape.constant(parameters) + shape.kernel(z, parameters) - np.log(sd)
    return -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def noise(parameters: dict[str, np.ndarray], data: ModelData, n_draws: int, random: np.random.Generator) -> np.ndarray:
    """Draws of innovations of scale one, shape (n_draws, n)."""
    normals, shape = random.standard_normal((n_draws, data.design.n_obs)), shape_of(data.design.spec.errors)
    return normals if shape is None else shape.noise(normals, parameters, random)


def new_scales(part: ErrorModel, parameters: Parameters, data: ModelData, random: np.random.Generator) -> Parameters:
    """Scales of units (periods) from their distribution, by variable, (S, N) or (S, T); of most parts none."""
    if part.scale is None or part.scale.draw is None:
        return {}
    (of_each,) = next(iter(part.effects.values()))
    size = {"unit": len(data.design.units), "time": len(data.design.times)}[of_each]
    return part.scale.draw(parameters, size, random)


def redrawn_scales(
    parameters: Parameters, data: ModelData, random: np.random.Generator
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What scales of units (periods) make of the SDs of rows, and what new ones would, by the check that they mend.

    Both of shape (S, n).
    """
    out = {}
    for part in parts(data.design.spec.errors):
        new = new_scales(part, parameters, data, random)
        if new and part.scale:
            pair = part.scale.rows(parameters, data), part.scale.rows({**parameters, **new}, data)
            out.update(dict.fromkeys(part.mends, pair))
    return out


def simulate_errors(parameters: dict[str, np.ndarray], data: ModelData, random: np.random.Generator) -> np.ndarray:
    """Errors drawn from the model, shape (S, n), one row for each draw of the parameters."""
    n_draws = len(next(iter(parameters.values())))
    errors = noise(parameters, data, n_draws, random) * error_sds(parameters, data)
    follow(errors, np.arange(data.design.n_obs), parameters, data)
    return errors


def follow(errors: np.ndarray, rows: np.ndarray, parameters: dict[str, np.ndarray], data: ModelData) -> None:
    """Make errors of innovations, in place: at `rows` the errors (S, n) hold innovations of one step, elsewhere errors.

    Parameters
    ----------
    rows : ndarray of int
        In the order of the data, so that an error is made before the next one follows it.
    """
    memory = memory_of(data.design.spec.errors)
    if memory is None:
        return
    share, variance = memory.rows(parameters, data)
    position = np.cumsum(data.gaps > 0) - 1  # of a row among those with a row before
    for at in rows:
        errors[:, at] *= np.sqrt(variance[:, at])
        if data.gaps[at] > 0:
            errors[:, at] += share[:, position[at]] * errors[:, at - 1]
