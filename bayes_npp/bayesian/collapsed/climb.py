"""Climbs to a mode, compiled: BFGS on a density with its gradient, without Python between the steps.

The density comes as what callers in C are given, by address, so that nothing of it is compiled into this file.
"""

import numpy as np
from numba import njit

from bayes_npp.bayesian.model.caches import prepare_numba

FLAT = 1e-4  # largest slope at which a climb ends
MOST_STEPS, MOST_TRIES = 200, 60  # of a climb, and of a step's length
RISE, LEFT = 1e-4, 0.9  # Wolfe: share of the slope's promise that a step keeps, and of the slope that may be left

prepare_numba(__file__)


@njit(cache=True, nogil=True, error_model="numpy")
def climb(density, theta, packed, gradient):
    """Climb from theta by BFGS, in place, and fill the gradient there.

    Returns the log density where it ends, which is not finite only where the start's is not. It ends where no slope is
    larger than `FLAT`, after `MOST_STEPS`, or where no step rises.

    Parameters
    ----------
    density : compiled callback, as `kernel.density_callback`
    theta, gradient : ndarray, shape (d,)
    packed : ndarray
        What the callback reads, its frame included.

    References
    ----------
    Nocedal & Wright (2006), Numerical Optimization, algorithm 6.1; Lewis & Overton (2013), Mathematical Programming
    141, section 3: the length of a step by bisection.
    """
    d = len(theta)
    value, tried = np.empty(1), np.empty(1)
    density(np.uint64(d), theta.ctypes, gradient.ctypes, value.ctypes, packed.ctypes)
    if not (np.isfinite(value[0]) and np.isfinite(gradient).all()):
        return np.nan
    inverse = np.eye(d)  # of the curvature, its sign turned
    at, slope = np.empty(d), np.empty(d)
    for step in range(MOST_STEPS):
        if np.abs(gradient).max() <= FLAT:
            break
        direction = inverse @ gradient
        promise = direction @ gradient
        if not promise > 0.0:  # rounding has spoilt the curvature
            inverse = np.eye(d)
            direction = gradient.copy()
            promise = gradient @ gradient
        low, high, ended = 0.0, np.inf, False
        length = 1.0 if step else min(1.0, 1.0 / np.abs(gradient).sum())
        for _ in range(MOST_TRIES):
            at[:] = theta + length * direction
            density(np.uint64(d), at.ctypes, slope.ctypes, tried.ctypes, packed.ctypes)
            there = np.isfinite(tried[0]) and np.isfinite(slope).all()
            if not there or tried[0] < value[0] + RISE * length * promise:
                high = length
            elif slope @ direction > LEFT * promise:
                low = length
            else:
                ended = True
                break
            length = 0.5 * (low + high) if high < np.inf else 2.0 * low
        if not ended:
            if low == 0.0:
                break
            at[:] = theta + low * direction
            density(np.uint64(d), at.ctypes, slope.ctypes, tried.ctypes, packed.ctypes)
        moved, turned = at - theta, gradient - slope
        curved = moved @ turned
        if curved > 0.0:
            if step == 0:
                inverse *= curved / (turned @ turned)
            carried = inverse @ turned
            stretch = (1.0 + turned @ carried / curved) / curved
            for i in range(d):
                for j in range(d):
                    crossed = carried[i] * moved[j] + moved[i] * carried[j]
                    inverse[i, j] += stretch * moved[i] * moved[j] - crossed / curved
        theta[:], gradient[:], value[0] = at, slope, tried[0]
    return value[0]
