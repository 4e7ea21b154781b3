"""Priors beside what they meet: overlap with the posterior, and the outcomes they would produce."""

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters

POINTS = 512
PREDICTIVE_DRAWS = 1000
TAILS = (0.025, 0.5, 0.975)


def prior_overlap(fit: Fit) -> pd.DataFrame:
    """Area that the prior and the posterior density of every top-level scalar share: near 1 the data say nothing new.

    Returns
    -------
    DataFrame
        parameter, prior, overlap (NaN of a flat prior). The posterior density is a kernel estimate.
    """
    from arviz_stats.base import array_stats

    rows = []
    log_prior = fit.tree["log_prior"].dataset
    names = [str(name) for name in fit.tree["posterior"].data_vars if name in log_prior]
    priors = fit.priors.on_within_scale(fit.design.scales)
    for name in (name for name in names if not name.endswith("_between")):
        prior = priors.of(name)
        values = fit.values(name).reshape(len(fit.values(name)), -1)
        labels = [name] if values.shape[1] == 1 else _labels(fit, name)
        for label, draws in zip(labels, values.T, strict=True):
            grid, density, _ = array_stats.kde(draws, grid_len=POINTS)
            shared = np.minimum(density, np.exp(prior.log_density(grid)))
            overlap = float(np.trapezoid(shared, grid)) if prior.proper else np.nan
            rows.append((label, str(fit.priors.of(name)), min(overlap, 1.0)))
    return pd.DataFrame(rows, columns=["parameter", "prior", "overlap"])


def _labels(fit: Fit, name: str) -> list[str]:
    variable = fit.tree["posterior"].dataset[name]
    dim = variable.dims[2]
    values = variable[dim].to_numpy() if dim in variable.coords else np.arange(variable.sizes[dim])
    return [f"{name}[{value}]" for value in values]


def prior_predictive(fit: Fit, seed: int = 1) -> pd.DataFrame:
    """What outcomes the priors would produce on this panel, in the data's units, beside the observed ones.

    Returns
    -------
    DataFrame
        quantity (SD over all rows; SD of changes within units; smallest and largest outcome), observed, and quantiles
        lo, median, hi of the prior predictive distribution.

    Raises
    ------
    SpecError
        A flat prior of the exposure or the controls.
    """
    truths = prior_parameters(fit.data, fit.priors, PREDICTIVE_DRAWS, seed)
    drawn = outcomes(truths, fit.data, seed + 1, in_data_units=True)
    observed = fit.design.outcome[None, :]
    same = np.diff(fit.design.unit) == 0
    measures = {
        "SD over all rows": lambda y: y.std(axis=1),
        "SD of changes from row to row within units": lambda y: np.diff(y, axis=1)[:, same].std(axis=1),
        "smallest outcome": lambda y: y.min(axis=1),
        "largest outcome": lambda y: y.max(axis=1),
    }
    if not same.any():
        del measures["SD of changes from row to row within units"]
    rows = [(name, float(m(observed)[0]), *np.quantile(m(drawn), TAILS)) for name, m in measures.items()]
    return pd.DataFrame(rows, columns=["quantity", "observed", "lo", "median", "hi"])
