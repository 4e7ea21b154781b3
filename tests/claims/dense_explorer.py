"""Answers under a reader's priors by dense algebra: the oracle of what a page computes, and what it is asked."""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from bayes_npp.bayesian.collapsed.slope_likelihood import TAU, log_tau_weights
from bayes_npp.bayesian.fitting.psis import smoothed
from bayes_npp.bayesian.priors.families import PriorSpec

# Centre and SD of the average slope, family and scale of the differences: standardised units.
SETTINGS = (
    (0.0, 1.0, "half_normal", 0.5),
    (0.0, 0.2, "half_normal", 0.1),
    (0.0, 10.0, "half_student_t", 2.5),
    (0.3, 0.3, "half_normal", 1.0),
    (-0.3, 0.3, "half_cauchy", 0.3),
    (0.0, 0.5, "exponential", 0.2),
    (0.5, 0.1, "half_normal", 0.05),
    (0.0, 2.0, "half_cauchy", 1.0),
    (0.2, 0.5, "exponential", 1.0),
    (-0.5, 0.5, "half_student_t", 0.5),
    (0.0, 0.05, "half_normal", 0.3),
    (1.0, 0.5, "half_student_t", 0.1),
)


def differences(family, spread):
    more = {"nu": 3.0} if family == "half_student_t" else {}
    name = "sigma" if family in ("half_normal", "half_student_t") else "scale"
    return PriorSpec(family=family, reason="A reader's.", **{name: spread}, **more)


def dense(fit, weights, cutoff, sign, setting):
    """Probability and mean of w'(b, u) > cutoff by dense algebra, draw by draw, value by value of tau."""
    centre, scale, family, spread = setting
    size = fit.linear.shape[1]
    shares = log_tau_weights(differences(family, spread)) if size > 1 else np.zeros(1)
    log_ratio, given, means = [], [], []
    for precision, linear, own in zip(fit.precision, fit.linear, fit.own, strict=True):
        rows = []
        for tau in TAU if size > 1 else [1.0]:
            prior = np.diag([scale**-2, *[tau**-2] * (size - 1)])
            centres = np.array([centre, *[0.0] * (size - 1)])
            posterior = np.linalg.inv(precision + prior)
            mean = posterior @ (linear + prior @ centres)
            log = 0.5 * (np.linalg.slogdet(prior)[1] + np.linalg.slogdet(posterior)[1])
            log += 0.5 * (mean @ (linear + prior @ centres) - centres @ prior @ centres)
            rows.append((log, weights @ mean, np.sqrt(weights @ posterior @ weights)))
        logs, mu, sd = np.array(rows).T
        logs = logs + shares
        inner = np.exp(logs - logsumexp(logs))
        log_ratio.append(logsumexp(logs) - own)
        given.append(inner @ norm.cdf(sign * (mu - cutoff) / sd))
        means.append(inner @ mu)
    log_weights, k_hat = smoothed(np.array(log_ratio))
    shares = np.exp(log_weights)
    return shares @ np.array(given), shares @ np.array(means), k_hat
