"""The tree of a fit with what is computed on request: posterior predictive, prior and prior predictive draws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayes_npp.bayesian.fitting.posterior import dataset, in_data_units
from bayes_npp.bayesian.fitting.quantities import Posterior
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.errors import SpecError, nearest

if TYPE_CHECKING:
    import xarray as xr

GROUPS = ("posterior_predictive", "prior", "prior_predictive")


def whole_tree(fit: Posterior, draws: int = 500, groups: Sequence[str] = GROUPS) -> "xr.DataTree":
    """A copy of the tree with chain and draw coordinates and the groups that ArviZ knows.

    Parameters
    ----------
    fit : Posterior
    draws : int
        Of the prior, in one chain.
    groups : sequence of str
        Of `posterior_predictive` (every draw of the posterior), `prior` and `prior_predictive` (the same draws of the
        prior), those that are computed.

    Returns
    -------
    DataTree
        Parameters and the outcome y are on the standardised scale, as in `posterior` and `observed_data`.

    Raises
    ------
    SpecError
        An unknown group; with `prior` or `prior_predictive` a flat prior of the exposure or the controls, from which
        nothing can be drawn.
    """
    import xarray as xr

    for name in groups:
        if name not in GROUPS:
            raise SpecError(f"unknown group '{name}' of the tree", fix=nearest(name, GROUPS))
    tree = fit.tree.copy()
    posterior = tree["posterior"].dataset
    chains, kept = posterior.sizes["chain"], posterior.sizes["draw"]
    numbered = {"chain": np.arange(chains), "draw": np.arange(kept)}
    for name in ("posterior", "sample_stats", "log_likelihood", "log_prior"):
        own = tree[name].dataset
        missing = {dim: numbered[dim] for dim in ("chain", "draw") if dim in own.dims and dim not in own.coords}
        tree[name].dataset = own.assign_coords(missing)
    rows = tree["observed_data"].dataset["observation"]

    def predicted(values: np.ndarray, shape: tuple[int, int]) -> xr.DataTree:
        array = (("chain", "draw", "observation"), values.reshape(*shape, -1))
        coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1]), "observation": rows}
        return xr.DataTree(xr.Dataset({"y": array}, coords))

    seed = fit.sampler.seed
    if "posterior_predictive" in groups:
        every = {str(name): fit.values(str(name)) for name in posterior.data_vars}
        tree["posterior_predictive"] = predicted(outcomes(every, fit.data, seed), (chains, kept))
    if {"prior", "prior_predictive"} & set(groups):
        truths = prior_parameters(fit.data, fit.priors, draws, seed)
        if "prior_predictive" in groups:
            tree["prior_predictive"] = predicted(outcomes(truths, fit.data, seed + 1), (1, draws))
        if "prior" in groups:
            truths = {**truths, **in_data_units(truths, fit.data)}
            prior = dataset({name: values[None] for name, values in truths.items()}, fit.data)
            tree["prior"] = xr.DataTree(prior.assign_coords(chain=[0], draw=np.arange(draws)))
    return tree
