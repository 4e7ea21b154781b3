"""Reverse Bayes, sceptical posteriors, type S and M, differences: what an estimate and its standard error say alone.

Everything is normal: the estimate around the effect, and the prior around zero. Numbers in, numbers out; no data.
Probabilities lie within `normal_tail`'s bounds, also at the limits of a standard error: never 0 or 1.
"""

import math
from dataclasses import dataclass

from bayes_npp.errors import SpecError
from bayes_npp.estimates import SMALLEST, normal_tail

ONE_SIDED = 1.6448536269514722  # P(effect has the sign of the estimate) >= 0.95
MATTHEWS = 1.959963984540054  # the 95 % interval leaves out zero (Matthews 2001, 2018)


@dataclass(frozen=True)
class ReverseBayes:
    """The zero-mean normal prior at which an estimate just stays credible.

    Parameters
    ----------
    z : float
        |estimate| / se; infinite for a standard error of zero.
    quantile : float
        The z that credibility asks of the posterior.
    credible : bool
        Whether any zero-mean normal prior, the flat one included, leaves the effect credible: z > quantile.
    prior_sd : float
        tau*, in units of the estimate: priors narrower than this end the credibility. NaN if not credible.
    limit : float
        Scepticism limit, 1.96 tau*: the end of that prior's 95 % interval. NaN if not credible.
    """

    z: float
    quantile: float
    credible: bool
    prior_sd: float
    limit: float


@dataclass(frozen=True)
class NormalPosterior:
    """Posterior of an effect: mean, SD, 95 % interval (equal-tailed) and P(effect > 0)."""

    mean: float
    sd: float
    lo: float
    hi: float
    prob_positive: float


@dataclass(frozen=True)
class DesignRisks:
    """What a significance filter does to estimates of one true effect.

    Parameters
    ----------
    power : float
        Probability that an estimate is significant.
    type_s : float
        Probability that a significant estimate has the wrong sign.
    type_m : float
        Exaggeration ratio: expected |estimate| among significant ones, divided by |effect|.
    """

    power: float
    type_s: float
    type_m: float


@dataclass(frozen=True)
class DifferenceEvidence:
    """First less second of two independent estimates: value, standard error, P(first > second), two-sided p-value."""

    estimate: float
    se: float
    probability: float
    p_value: float


def reverse_bayes(estimate: float, se: float, quantile: float = ONE_SIDED) -> ReverseBayes:
    """How sceptical a prior must be to end the credibility of an estimate.

    With estimate ~ N(effect, se^2) and effect ~ N(0, tau^2) the posterior mean is z tau / sqrt(tau^2 + se^2) posterior
    SDs from zero, which equals `quantile` at tau* = se / sqrt(z^2 / quantile^2 - 1). With `MATTHEWS`, 1.96 tau* is
    Matthews' (2001) scepticism limit (U - L)^2 / (4 sqrt(U L)) of a 95 % interval (L, U).

    Parameters
    ----------
    estimate, se : float
        In the same units; se may be zero or infinite.
    quantile : float
        `ONE_SIDED` (1.645) or `MATTHEWS` (1.96).

    Raises
    ------
    SpecError
        A negative standard error or a quantile that is not positive.
    """
    _check(estimate, se)
    if not quantile > 0:
        raise SpecError("the quantile of credibility must be positive", place="reverse_bayes")
    z = _ratio(abs(estimate), se)
    if z <= quantile * (1 + 1e-9):  # a z implied by the very threshold is not above it
        return ReverseBayes(z, quantile, False, math.nan, math.nan)
    prior_sd = se / math.sqrt(z**2 / quantile**2 - 1)
    return ReverseBayes(z, quantile, True, prior_sd, MATTHEWS * prior_sd)


def tail_prior_sd(estimate: float, tail: float) -> float:
    """SD of the zero-mean normal prior that gives an effect beyond `estimate` (on its side) the probability `tail`.

    With 5 %, the sceptical prior of Spiegelhalter, Freedman and Parmar (1994), the printed estimate in the place of
    the alternative.
    """
    from scipy.special import ndtri

    if not 0 < tail < 0.5:
        raise SpecError("a sceptic's probability must lie between 0 and 0.5", place=f"{tail:g}")
    return abs(estimate) / float(-ndtri(tail))


def normal_posterior(estimate: float, se: float, prior_sd: float = math.inf) -> NormalPosterior:
    """Posterior under a zero-mean normal prior; `prior_sd` infinite is the flat prior.

    Raises
    ------
    SpecError
        A negative standard error or a prior SD that is not positive.
    """
    _check(estimate, se)
    if not prior_sd > 0:
        raise SpecError("the SD of a prior must be positive", place=f"{prior_sd:g}")
    if math.isinf(se):
        mean, sd = (estimate, math.inf) if math.isinf(prior_sd) else (0.0, prior_sd)
    else:
        shrink = 1.0 if math.isinf(prior_sd) else 1 / (1 + (se / prior_sd) ** 2)
        mean, sd = shrink * estimate, math.sqrt(shrink) * se
    reach = MATTHEWS * sd
    return NormalPosterior(mean, sd, mean - reach, mean + reach, float(normal_tail(_ratio(mean, sd))))


def type_s_m(effect: float, se: float, alpha: float = 0.05) -> DesignRisks:
    """Power, type S risk and exaggeration (type M) of a two-sided test if the true effect were `effect`.

    Gelman and Carlin (2014), with the exaggeration in closed form (Lu, Qiu and Deng 2019) instead of their simulation;
    normal reference.

    Parameters
    ----------
    effect, se : float
        True effect and standard error of its estimate, same units. At an effect of zero, or an infinite standard
        error, a significant sign is a coin toss and the exaggeration infinite.
    alpha : float
        Level of the test.

    Raises
    ------
    SpecError
        A negative standard error or a level outside (0, 1).
    """
    from scipy.special import ndtr, ndtri

    _check(effect, se)
    if not 0 < alpha < 1:
        raise SpecError("the level of a test must lie between 0 and 1", place=f"alpha = {alpha:g}")
    size, q = _ratio(abs(effect), se), float(-ndtri(alpha / 2))
    if size == 0:
        return DesignRisks(alpha, 0.5, math.inf)
    if math.isinf(size):
        return DesignRisks(1 - SMALLEST, SMALLEST, 1.0)
    right, wrong = float(ndtr(size - q)), float(ndtr(-size - q))
    power = right + wrong
    beyond = _density(size - q) + _density(size + q) + size * (right - wrong)  # E(|z|; |z| > q)
    return DesignRisks(min(power, 1 - SMALLEST), max(wrong / power, SMALLEST), beyond / (size * power))


def difference_evidence(first: float, second: float, se_first: float, se_second: float) -> DifferenceEvidence:
    """P(first effect > second) under flat priors, and the two-sided p-value of the difference; independent estimates.

    Raises
    ------
    SpecError
        A negative standard error.
    """
    _check(first, se_first)
    _check(second, se_second)
    value, se = first - second, math.hypot(se_first, se_second)
    z = _ratio(value, se)
    return DifferenceEvidence(value, se, float(normal_tail(z)), float(2 * normal_tail(-abs(z))))


def _check(value: float, se: float) -> None:
    if not math.isfinite(value):
        raise SpecError("an estimate must be a finite number", place=f"{value:g}")
    if not se >= 0:
        raise SpecError("a standard error must not be negative", place=f"{se:g}")


def _ratio(value: float, scale: float) -> float:
    """Value over scale, with the limits at a scale of zero or infinity."""
    if value == 0 or math.isinf(scale):
        return 0.0
    return math.copysign(math.inf, value) if scale == 0 else value / scale


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
