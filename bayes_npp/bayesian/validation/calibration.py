"""Simulation-based calibration: does the sampler draw from the posterior of the model it claims to fit?"""

from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.diagnostics import Gate, WeightDiagnostics
from bayes_npp.bayesian.fitting.refit import SHORT, sample_until_passed, workers
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.error_models import effects
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.likelihood import log_likelihood
from bayes_npp.bayesian.model.loadings import common_component
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.errors import SpecError

LEFT_OUT = (
    *("unit_effect", "unit_slope", "unit_control_slope", "time_effect", "group_time_effect"),
    *("unit_shift", "time_shift", "unit_trend", "exposure_loading"),
)
CELLS = 3  # of the common component that are ranked
RANKED_DRAWS = 199  # draws kept of each replication: nearly independent


@dataclass(frozen=True)
class Calibration:
    """Ranks of true values among posterior draws, over replications from the prior.

    Attributes
    ----------
    ranks : dict of ndarray, shape (replications,)
        By quantity, between 0 and `RANKED_DRAWS`.
    failed : int
        Replications whose sampler failed its diagnostics (kept: leaving them out would bias the ranks).
    chains : int
        Replications left to chains because weighted points did not do.
    """

    ranks: dict[str, np.ndarray]
    failed: int
    chains: int = 0

    def bands(self, probability: float = 0.95, seed: int = 1) -> dict[str, bool]:
        """Whether each quantity's rank ECDF stays within its simultaneous band.

        The bands hold jointly over all quantities with at least `probability`: Bonferroni over quantities, simultaneous
        over the ECDF.

        References
        ----------
        Saeilynoja, Buerkner & Vehtari (2022), Statistics and Computing.
        """
        from arviz_stats.ecdf_utils import ecdf_pit

        random = np.random.default_rng(seed)
        level = 1 - (1 - probability) / len(self.ranks)
        out = {}
        for name, ranks in self.ranks.items():
            values = (ranks + random.uniform(size=len(ranks))) / (RANKED_DRAWS + 1)
            _, ecdf, lower, upper = ecdf_pit(values, level, n_simulations=2000, rng=np.random.default_rng(seed))
            out[name] = bool(((ecdf >= lower) & (ecdf <= upper)).all())
        return out


def calibrate(
    data: ModelData, priors: PriorSet, replications: int, seed: int = 1, sampler: Sampler = SHORT
) -> Calibration:
    """Simulate from the prior, fit, rank: replications of the collapsed sampler on a template panel.

    Columns, bases, scaling constants and priors are the template's; flat effects are zero and not ranked. Quantities:
    every reported scalar, the slopes of the groups, what common factors give to a few cells, and the joint log
    likelihood.

    Parameters
    ----------
    data : ModelData
        The template panel.
    replications, seed : int
    sampler : Sampler
        Of each replication; its seed is replaced.

    Raises
    ------
    SpecError
        A dynamic model, whose columns are outcomes themselves.

    Notes
    -----
    Where the sampler draws from the posterior of the model, the rank of a true value among the draws is uniform over
    replications from the prior (docs/statistics.md, section 5).

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788.
    Modrak, Moon, Kim, Buerkner, Huurre, Faltejskova, Gelman & Vehtari (2023), Bayesian Analysis: the likelihood as a
    test quantity.
    """
    if data.lag is not None:
        raise SpecError("a dynamic model has no fixed columns to simulate on", fix="Calibrate it on simulated panels")
    truths = prior_parameters(data, priors, replications, seed)
    simulated = outcomes(truths, data, seed + 1)

    def replicate(k: int) -> tuple[dict[str, int], Gate]:
        own = replace(data, outcome=simulated[k])
        posterior = collapse(own, priors)
        fitted = sample_until_passed(posterior, priors, replace(sampler, seed=seed + k), keep=RANKED_DRAWS)
        truth = {name: values[k : k + 1] for name, values in truths.items()}
        drawn = _quantities(fitted.draws, own)
        ranks = {name: int((drawn[name] < value[0]).sum()) for name, value in _quantities(truth, own).items()}
        return ranks, fitted.diagnostics

    with workers() as pool:
        results = list(pool.map(replicate, range(replications)))
    names = results[0][0]
    return Calibration(
        ranks={name: np.array([ranks[name] for ranks, _ in results]) for name in names},
        failed=sum(not diagnostics.passed for _, diagnostics in results),
        chains=sum(not isinstance(diagnostics, WeightDiagnostics) for _, diagnostics in results),
    )


def _quantities(parameters: dict[str, np.ndarray], data: ModelData) -> dict[str, np.ndarray]:
    """Scalars to rank, shape (S,) each."""
    out = {"log likelihood": log_likelihood(parameters, data).sum(axis=-1)}
    if "slope_offset" in parameters:
        slopes = parameters["exposure_slope"][:, None] + parameters["slope_offset"]
        out |= {f"slope[{label}]": slopes[:, g] for g, label in enumerate(data.design.groups)}
    if "factor" in parameters:  # signs and order are free
        given = common_component(parameters)
        out["common component"] = np.sqrt((given**2).mean(axis=(-2, -1)))
        for unit, time in zip(*(np.linspace(0, size - 1, CELLS).astype(int) for size in given.shape[1:]), strict=True):
            out[f"common component[{unit}, {time}]"] = given[:, unit, time]
        if parameters["factor"].shape[1] > 1:
            parameters = {name: values for name, values in parameters.items() if not name.startswith("loading")}
    derived = {"slope", "group_slope", "slope_of_unit", "collapsed_log_likelihood", "collapsed_coefficients"}
    flat = {"intercept"} if data.has_flat_level else set()
    for name, values in parameters.items():
        if name in LEFT_OUT or name in effects() or name in derived or name in flat or name == "slope_offset":
            continue
        for j, column in enumerate(values.reshape(len(values), -1).T):
            out[f"{name}[{j}]" if values.ndim > 1 else name] = column
    return out
