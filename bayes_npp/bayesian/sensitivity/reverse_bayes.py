"""Reverse Bayes: how sceptical a prior has to be before a claim is no longer credible."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.bayesian.sensitivity.sweep import Answers, sweep
from bayes_npp.design.propositions import Proposition
from bayes_npp.design.slope_contrasts import contrasts

MULTIPLES = np.geomspace(1e-3, 30, 31)  # of the fit's own prior scales
LEVELS = (0.975, 0.9)
LIMIT = 1.96  # of the scepticism limit: the effect a sceptic at the crossing still holds plausible


@dataclass(frozen=True)
class Scepticism:
    """Probability of a claim as its own prior tightens.

    Attributes
    ----------
    proposition : Proposition
    shrunk : tuple of str
        Priors that are scaled together: zero-mean normal and half-normal ones.
    curve : DataFrame
        prior_sd (of the claim's estimand, in the data's units), probability, mcse, k_hat, passed; from tight to wide.
    crossings : dict of float to tuple of float
        By level, every prior SD at which the probability passes it; empty where it never does.
    at_widest : float
        Probability under the widest prior, practically flat.
    estimate : float
        Posterior mean of the estimand under the widest prior, less the claim's threshold.
    """

    proposition: Proposition
    shrunk: tuple[str, ...]
    curve: pd.DataFrame
    crossings: dict[float, tuple[float, ...]]
    at_widest: float
    estimate: float

    def credible(self, level: float | None = None) -> bool:
        """Whether the claim's probability reaches a level, by default the highest, under the widest prior."""
        return self.at_widest >= (self.level if level is None else level)

    @property
    def hopeless(self) -> bool:
        """Whether the claim's probability reaches none of the levels under any prior tried."""
        return not any(self.crossings.values()) and not self.credible(min(self.crossings))

    @property
    def level(self) -> float:
        """The highest of the levels: the ledger's bar."""
        return max(self.crossings)

    def sceptical_sd(self, level: float | None = None) -> float:
        """The widest prior SD at which the claim's probability is that level; NaN where it never is."""
        level = self.level if level is None else level
        found = self.crossings[level]
        return max(found) if found and self.credible(level) else np.nan

    def scepticism_limit(self, level: float | None = None) -> float:
        """The largest effect, in the data's units, that the sceptical prior holds plausible: 95 % of it is nearer 0.

        So for a normal prior; of a difference's mixture of normals somewhat less than 95 %.
        """
        return LIMIT * self.sceptical_sd(level)


def reverse_bayes(
    fit: Fit,
    propositions: Sequence[Proposition],
    levels: tuple[float, ...] = LEVELS,
    multiples: np.ndarray = MULTIPLES,
    sampler: Sampler = SHORT,
) -> tuple[Scepticism, ...]:
    """Tighten a zero-mean prior on each claim's own estimand until its probability falls to each level.

    For an average of slopes the scales of the exposure's prior and of the slopes' SD shrink together; for a difference
    the slopes' SD alone: a half-normal one, so that the prior of a difference is a mixture of normals over it, whose SD
    is stated. All other priors stay.

    Parameters
    ----------
    fit : Fit
        Fitted by the collapsed sampler or one that could be.
    propositions : sequence of Proposition
        About slopes.
    levels : tuple of float
        Posterior probabilities.
    multiples : ndarray
        Of the fit's prior scales, increasing; the last is taken for practically flat.
    sampler : Sampler
        Of each refit.

    Returns
    -------
    tuple of Scepticism
        In the order of the propositions.

    Notes
    -----
    Of one normal estimate z standard errors from zero the prior SD at a one-sided level with normal quantile q is
    se / sqrt(z^2 / q^2 - 1); the hierarchical posterior takes its place here (docs/statistics.md, section 4).

    References
    ----------
    Matthews (2001), Journal of Statistical Planning and Inference.
    Held (2019), Royal Society Open Science.
    """
    asked = contrasts(propositions, fit.design)
    curves: dict[tuple[str, ...], list[Answers]] = {}
    out = []
    for p, (proposition, weights) in enumerate(zip(propositions, asked.weights, strict=True)):
        shrunk = _shrunk(fit, weights)
        sets = [_scaled(fit.priors, shrunk, multiple) for multiple in multiples]
        if shrunk not in curves:
            curves[shrunk] = sweep(fit, sets, asked, sampler)
        found = curves[shrunk]
        probability = np.array([one.probability[p] for one in found])
        sds = np.array([_implied_sd(fit, weights, own) for own in sets])
        curve = pd.DataFrame(
            {
                "prior_sd": sds,
                "probability": probability,
                "mcse": [one.mcse[p] for one in found],
                "k_hat": [one.k_hat for one in found],
                "passed": [one.passed for one in found],
            }
        )
        crossings = {level: _crossings(sds, probability, level) for level in levels}
        estimate = float(found[-1].mean[p]) - proposition.threshold
        out.append(Scepticism(proposition, shrunk, curve, crossings, float(probability[-1]), estimate))
    return tuple(out)


def _shrunk(fit: Fit, weights: np.ndarray) -> tuple[str, ...]:
    """Priors behind weighted slopes: of the exposure unless the weights cancel, of the slopes' SD where they vary."""
    if not fit.design.groups or fit.spec.slope_pooling == "none":
        return ("exposure",)
    return ("slope_sd",) if abs(weights.sum()) < 1e-9 else ("exposure", "slope_sd")


def _scaled(priors: PriorSet, shrunk: tuple[str, ...], multiple: float) -> PriorSet:
    """The set with zero-mean normal and half-normal priors in place of some, their scales multiplied."""
    reason = "Zero-mean and normal on the claim's estimand, for reverse Bayes."
    changed = {}
    for slot in shrunk:
        family = "normal" if slot == "exposure" else "half_normal"
        values = {"mu": 0.0} if slot == "exposure" else {}
        sigma = priors[slot].typical * float(multiple)
        changed[slot] = PriorSpec(family=family, sigma=sigma, reason=reason, **values)
    return priors.replaced(**changed)


def _implied_sd(fit: Fit, weights: np.ndarray, priors: PriorSet) -> float:
    """Prior SD of the weighted slopes, in the data's units; the mean square of a half-normal scale is sigma squared."""
    scales = fit.design.scales
    unit = scales.outcome_sd / scales.divisors[fit.spec.exposure or ""]
    if fit.spec.slope_pooling == "none":
        return float(unit * priors["exposure"].parameters["sigma"] * np.sqrt(weights @ weights))
    common = priors["exposure"].parameters.get("sigma", 0.0) * weights.sum()
    if not fit.design.groups:
        return float(unit * abs(common))
    offsets = priors["slope_sd"].parameters.get("sigma", 0.0) * (fit.data.slope_basis.T @ weights)
    return float(unit * np.sqrt(common**2 + offsets @ offsets))


def _crossings(sds: np.ndarray, probability: np.ndarray, level: float) -> tuple[float, ...]:
    """Prior SDs at which the curve passes a level, by straight lines between its points (probit by log SD)."""
    inside = np.clip(probability, 1e-4, 1 - 1e-4)
    height, at = scipy.stats.norm.ppf(inside) - scipy.stats.norm.ppf(level), np.log(sds)
    changes = np.flatnonzero(np.sign(height[:-1]) * np.sign(height[1:]) < 0)
    slopes = np.diff(at) / np.where(np.diff(height) == 0, 1, np.diff(height))
    return tuple(float(np.exp(at[i] - height[i] * slopes[i])) for i in changes)
