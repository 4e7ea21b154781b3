"""Power-scaling: what a little more or less weight of the priors, or of the data, does to a quantity."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.psis import smoothed
from bayes_npp.bayesian.priors.sets import prior_of
from bayes_npp.errors import SpecError

if TYPE_CHECKING:
    import xarray as xr

THRESHOLD = 0.05  # of the sensitivity diagnostic (Kallioinen et al. 2024)
ALPHAS = (0.8, 1.25)
CONFLICT, STRONG = "prior-data conflict", "strong prior or weak data"
COLUMNS = ["quantity", "prior", "prior_sensitivity", "likelihood_sensitivity", "diagnosis", "k_hat"]


def power_scaling(fit: Fit, quantities: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Sensitivity of quantities to the top-level priors, all together and one at a time, and to the likelihood.

    The diagnostic is ArviZ's `psense`, on powers 0.99 and 1.01.

    Parameters
    ----------
    fit : Fit
        With pointwise log likelihoods.
    quantities : mapping of ndarray, shape (S,)
        Posterior draws by name, in the order of the fit's.

    Returns
    -------
    DataFrame
        quantity, prior ("all", or the parameters of one prior), prior_sensitivity, likelihood_sensitivity, diagnosis
        ("prior-data conflict", "strong prior or weak data", "" below the threshold of 0.05), k_hat: Pareto k of the
        weights at powers 0.8 and 1.25, the larger; above 0.7 the prior moves too much for weighting to say how far.

    Raises
    ------
    SpecError
        A fit that stores only sums of log likelihoods, or whose priors are all flat.

    Notes
    -----
    The posterior with one component raised to a power is the draws weighted by that component to the power less one
    (PSIS); the sensitivity is the distance of the two distribution functions per doubling of the power.

    References
    ----------
    Kallioinen, Paananen, Buerkner & Vehtari (2024), Statistics and Computing.
    """
    from arviz_stats import psense

    if "y" not in fit.tree["log_likelihood"]:
        raise SpecError("power-scaling takes pointwise log likelihoods", fix="This fit is too large to store them")
    slots = _scaled_priors(fit)
    if not slots:
        raise SpecError("no prior to scale: all are flat", fix="Give a parameter a prior that is not flat")
    tree = _with_quantities(fit, quantities)
    likelihood = psense(tree, group="likelihood", group_var_names=["y"])
    rows = []
    for slot, names in {"all": [name for own in slots.values() for name in own], **slots}.items():
        prior = psense(tree, group="prior", group_var_names=names)
        k_hat = max(_k_hat(fit, names, alpha) for alpha in ALPHAS)
        for i, quantity in enumerate(quantities):
            values = float(prior[f"quantity_{i}"]), float(likelihood[f"quantity_{i}"])
            rows.append((quantity, slot, *values, _diagnosis(*values), k_hat))
    return pd.DataFrame(rows, columns=COLUMNS)


def _scaled_priors(fit: Fit) -> dict[str, list[str]]:
    """Parameters by the prior they have, without priors that are flat on their support."""
    log_prior = fit.tree["log_prior"].dataset
    slots: dict[str, list[str]] = {}
    for name in log_prior.data_vars:
        if np.ptp(log_prior[name].to_numpy()) > 0:
            slots.setdefault(prior_of()[str(name)], []).append(str(name))
    return slots


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior < THRESHOLD:
        return ""
    return CONFLICT if likelihood >= THRESHOLD else STRONG


def _with_quantities(fit: Fit, quantities: Mapping[str, np.ndarray]) -> "xr.DataTree":
    """The fit's priors and likelihood with a posterior of the quantities alone."""
    import xarray as xr

    shape = tuple(fit.tree["posterior"].sizes[dim] for dim in ("chain", "draw"))
    draws = {
        f"quantity_{i}": (("chain", "draw"), values.reshape(shape)) for i, values in enumerate(quantities.values())
    }
    groups = {name: fit.tree[name].dataset for name in ("log_prior", "log_likelihood")}
    coords = {name: fit.tree["posterior"][name] for name in ("chain", "draw") if name in fit.tree["posterior"].coords}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws, coords=coords), **groups})


def _k_hat(fit: Fit, names: list[str], alpha: float) -> float:
    """Pareto k of the weights p(parameters)^(alpha - 1)."""
    prior = fit.tree["log_prior"].dataset
    total = sum(
        prior[name].to_numpy().reshape(prior[name].shape[0] * prior[name].shape[1], -1).sum(axis=1) for name in names
    )
    return smoothed((alpha - 1) * np.asarray(total))[1]
