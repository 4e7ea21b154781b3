"""Units that load on columns of time in the full PyMC model: the projection of columns with slopes as a graph."""

from typing import Any

import numpy as np

from bayes_npp.bayesian.model.error_models import factors_of
from bayes_npp.bayesian.model.loadings import PART, factor_basis, length_degrees, loading_terms, sloped_terms
from bayes_npp.bayesian.model.projected import RIDGE
from bayes_npp.bayesian.model.terms import WHOLE, ModelData
from bayes_npp.bayesian.priors.sets import PriorSet


def loaded(data: ModelData, priors: PriorSet, prior: Any, sd: Any, memory: Any) -> Any:
    """What loadings, and the projection in the metric of the errors, add to the mean of every row.

    Parameters
    ----------
    prior : callable
        (name, slot, dims) -> the PyMC variable of a parameter.
    sd : tensor, shape (n,) or ()
        SDs of innovations of one step.
    memory : (share, variance), or None
    """
    import pymc as pm
    import pytensor.tensor as pt

    design, model = data.design, pm.modelcontext(None)
    n_times, n_factors = len(design.times), factors_of(data.design.spec.errors)
    columns = [pt.ones((1, n_times)), *(pt.as_tensor(c.values[None]) for c in data.time_columns)]
    if n_factors:
        h = pm.Normal("factor_direction", 0.0, 1.0, shape=n_factors * (n_times - 1)).reshape((n_factors, n_times - 1))
        squares = (h**2).sum(axis=1, keepdims=True)
        pm.Potential("factor_length", 0.5 * length_degrees(n_times) * pt.log(squares).sum())
        f = np.sqrt(n_times - 1) * (h / pt.sqrt(squares)) @ factor_basis(n_times).T
        columns.append(pm.Deterministic("factor", f, dims=("factor_number", "time")))
    b = pt.concatenate(columns).T
    coefficients, x = [], []
    for term in sloped_terms(data, priors):
        own = model["offset_" + str(term.at)] if term.variable == "control_offset" else model[term.variable]
        own = own[None] if own.ndim == 0 else own
        coefficients.append(own if term.basis is None else pt.as_tensor(term.basis.T) @ own)
        x.append(term.rows(slice(None)))
    slopes, dense = pt.concatenate(coefficients), np.hstack(x)
    period, own, mean, free = _project(data, dense, sd, memory, b)
    within = (period[design.time] + (own[design.unit] * b[design.time][:, :, None]).sum(axis=1)) @ slopes
    total = -pt.where(free[design.unit], within, pt.as_tensor(dense) @ slopes)
    pooled = [j for j, term in enumerate(loading_terms(data), start=1) if term.scale]
    shape = (len(pooled), len(pooled), dense.shape[1])  # of nothing where every loading is fixed
    part_sd = pm.Data("loading_between_sigma", priors[PART].parameters["sigma"])
    between = pm.Normal(PART, 0.0, part_sd, shape=int(np.prod(shape))).reshape(shape)
    for i, to in enumerate(pooled):
        for j, k in enumerate(pooled):
            loading = ((own[:, k] - mean[k]) @ between[i, j]) * free
            total += loading[design.unit] * b[design.time, to]
    every = {term.scale: term for term in loading_terms(data) if term.scale}
    sds = {name: prior(name, term.slot, term.at) for name, term in every.items()}
    for j, term in enumerate(loading_terms(data), start=1):
        name = term.variable if term.at == WHOLE else f"{term.variable}_{term.at}"
        if term.scale:
            scale = sds[term.scale] if term.at == WHOLE else sds[term.scale][term.at]
            deviation = pm.Normal(f"{name}_deviation", 0.0, scale, dims="unit")
        else:
            deviation = pm.Flat(f"{name}_deviation", dims="unit")
        total += deviation[design.unit] * b[design.time, j]
    return total


def _project(data: ModelData, dense: np.ndarray, sd: Any, memory: Any, b: Any) -> tuple[Any, Any, Any, np.ndarray]:
    """`projected.project` as a graph: period (T, K), own (N, q, K), mean (q, K), free (N,)."""
    import pytensor.tensor as pt

    design, q = data.design, b.type.shape[1]
    n_units, n_times = len(design.units), len(design.times)
    x = np.zeros((n_units, n_times, dense.shape[1]))
    x[design.unit, design.time] = dense
    free = np.bincount(design.unit) > q
    weight, later = pt.ones(design.n_obs) / sd, np.flatnonzero(data.gaps > 0)
    if memory is not None:
        weight = weight / pt.sqrt(memory[1])
    root = pt.zeros((n_units, n_times, n_times))[design.unit, design.time, design.time].set(weight)
    if memory is not None:
        at = (design.unit[later], design.time[later], design.time[later - 1])
        root = root[at].set(-memory[0] * weight[later])
    precision = (root.transpose(0, 2, 1) @ root)[np.flatnonzero(free)]
    weighted = precision @ b
    gain = pt.linalg.solve(b.T @ weighted, weighted.transpose(0, 2, 1))
    left = precision - weighted @ gain
    gram = left.sum(axis=0)
    size = pt.trace(gram) / n_times
    gram = gram + size * (b / (b**2).sum(axis=0)) @ b.T + RIDGE * size * pt.eye(n_times)
    period = pt.linalg.solve(gram, (left @ x[free]).sum(axis=0))
    own = pt.zeros((n_units, q, dense.shape[1]))[np.flatnonzero(free)].set(gain @ (x[free] - period))
    return period, own, own.sum(axis=0) / free.sum(), free.astype(float)
