"""Correlation of the errors of several equations, draw by draw."""

from collections.abc import Sequence

import numpy as np

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS
from bayes_npp.bayesian.model.terms import fitted_values


def correlation_of_errors(fits: Sequence[Fit], n_draws: int) -> np.ndarray:
    """Correlation of the residuals of K equations on the same rows in each of S draws, shape (S, K, K)."""
    out = np.empty((n_draws, len(fits), len(fits)))
    parameters = [fit.parameters(n_draws) for fit in fits]
    step = max(1, CHUNK_CELLS // fits[0].design.n_obs)
    for start in range(0, n_draws, step):
        some = slice(start, start + step)
        residuals = np.stack(
            [
                fit.data.outcome - fitted_values({name: draws[some] for name, draws in own.items()}, fit.data)
                for fit, own in zip(fits, parameters, strict=True)
            ],
            axis=1,
        )
        residuals /= np.sqrt((residuals**2).sum(axis=2, keepdims=True))
        out[some] = residuals @ np.swapaxes(residuals, 1, 2)
    return out
