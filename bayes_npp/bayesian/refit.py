"""One model under many priors: refits through the collapsed sampler, without compiling or reading the rows again."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.bayesian.collapsed import Collapsed, collapse
from bayes_npp.bayesian.diagnostics import Diagnostics, diagnose
from bayes_npp.bayesian.kernel import density_callback, identity_callback
from bayes_npp.bayesian.posterior import in_data_units
from bayes_npp.bayesian.priors import PriorSet
from bayes_npp.bayesian.sample import Sampler, draw_density

# Few scalars and a nearly round density: short chains give an effective sample size above 400.
SHORT = Sampler(draws=600, tune=150, chains=2, target_accept=0.8)


@dataclass(frozen=True)
class Refit:
    """The posterior under one prior set.

    Attributes
    ----------
    priors : PriorSet
    draws : dict of ndarray, shapes (S, ...)
        By variable of the posterior; slopes of the exposure in the data's units as in `Fit.tree`.
    diagnostics : Diagnostics
        Of theta: given theta the other coefficients are drawn independently.
    """

    priors: PriorSet
    draws: dict[str, np.ndarray]
    diagnostics: Diagnostics

    @property
    def slopes(self) -> np.ndarray:
        """Draws of the exposure's slope in the data's units, shape (S, max(G, 1))."""
        return self.draws["group_slope"] if "group_slope" in self.draws else self.draws["slope"][:, None]


def refit(collapsed: Collapsed, prior_sets: Sequence[PriorSet], sampler: Sampler = SHORT) -> list[Refit]:
    """Fit the same data under each of several prior sets.

    Parameters
    ----------
    collapsed : Collapsed
        Such as `Fit.collapsed`.
    prior_sets : sequence of PriorSet
    sampler : Sampler
        Its seed is the first refit's; the others count on.

    Returns
    -------
    list of Refit
        In the order of the prior sets; each with its own diagnostics.

    Raises
    ------
    SpecError
        A prior set without a prior the model needs.
    """
    posteriors = [_under(collapsed, priors) for priors in prior_sets]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        samplers = [replace(sampler, seed=sampler.seed + k) for k in range(len(posteriors))]
        return list(pool.map(sample_until_passed, posteriors, prior_sets, samplers))


def sample_until_passed(collapsed: Collapsed, priors: PriorSet, sampler: Sampler, with_units: bool = False) -> Refit:
    """A short run; a longer one in its place if its diagnostics fail."""
    short = sample_short(collapsed, priors, sampler, with_units)
    if short.diagnostics.passed:
        return short
    longer = replace(sampler, draws=2 * sampler.draws, tune=3 * sampler.tune, chains=max(4, sampler.chains))
    return sample_short(collapsed, priors, longer, with_units)


def sample_short(collapsed: Collapsed, priors: PriorSet, sampler: Sampler, with_units: bool = False) -> Refit:
    """Sample a collapsed posterior and draw its coefficients, those of units only on request."""
    thetas, stats = draw_density(density_callback, identity_callback, collapsed.packed, collapsed.start, sampler)
    flat = np.ascontiguousarray(thetas.reshape(-1, thetas.shape[2]))
    draws = collapsed.coefficients(flat, sampler.seed, with_units=with_units)
    draws = {**draws, **in_data_units(draws, collapsed.data)}
    return Refit(priors, draws, diagnose({"theta": thetas}, stats))


def _under(collapsed: Collapsed, priors: PriorSet) -> Collapsed:
    """The data under other priors; collapsed again only where a coefficient moves in or out of theta."""
    return collapsed.with_priors(priors) if collapsed.same_theta(priors) else collapse(collapsed.data, priors)
