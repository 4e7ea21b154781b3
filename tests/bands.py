"""Bands of statistical tests, so wide that a right program leaves them once in 10,000 runs of the test."""

import numpy as np
from scipy import stats

MISS = 1e-4


def normal_band(comparisons: int) -> float:
    """Standard errors within which all of so many normal differences stay."""
    return float(stats.norm.isf(MISS / (2 * comparisons)))


def share_band(n: int, share: float, comparisons: int = 1) -> tuple[float, float]:
    """Ends between which the shares of successes in `n` independent trials stay, in each of so many comparisons."""
    tail = MISS / (2 * comparisons)
    return float(stats.binom.ppf(tail, n, share)) / n, float(stats.binom.isf(tail, n, share)) / n


def miscalibrated(ranks: dict[str, np.ndarray], draws: int) -> dict[str, float]:
    """Quantities whose ranks of the truth among `draws` are not uniform, with Kolmogorov and Smirnov's p-values.

    Bonferroni over quantities. The test is exact in so thin a tail; a band by simulation would need a million runs.
    """
    random = np.random.default_rng(1)
    found = {}
    for name, own in ranks.items():
        smooth = (own + random.uniform(size=len(own))) / (draws + 1)
        found[name] = float(stats.kstest(smooth, "uniform").pvalue)
    return {name: p for name, p in found.items() if p < MISS / len(ranks)}
