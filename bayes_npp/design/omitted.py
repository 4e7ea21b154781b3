"""A variable that was left out: the bias it makes from how strongly it goes with exposure and outcome, and bounds.

Strengths are partial R2: `r2_dz` of the omitted variable with the exposure given the controls and effects, `r2_yz` with
the outcome given exposure, controls and effects. docs/statistics.md, section 9.

References
----------
Cinelli & Hazlett (2020), Journal of the Royal Statistical Society B 82.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Benchmark:
    """How strongly a control goes with exposure and outcome, as partial R2: given the others, and exposure too."""

    name: str
    r2_dx: float
    r2_yx: float

    @property
    def most(self) -> float:
        """Times as strong as this control that a variable can be: beyond, it would explain more than all there is."""
        return (1 - self.r2_dx) / self.r2_dx if self.r2_dx > 0 else np.inf

    def strength(self, k: float) -> tuple[float, float]:
        """(`r2_dz`, `r2_yz`) of a variable `k` times as strong as this control; NaN where there is none.

        Notes
        -----
        r2_dz = k r2_dx / (1 - r2_dx); x = k r2_dx^2 / ((1 - k r2_dx) (1 - r2_dx));
        r2_yz = ((sqrt k + sqrt x) / sqrt(1 - x))^2 r2_yx / (1 - r2_yx), at most 1.
        """
        r2_dz = k * self.r2_dx / (1 - self.r2_dx)
        if r2_dz >= 1 or k * self.r2_dx >= 1:
            return np.nan, np.nan
        x = k * self.r2_dx**2 / ((1 - k * self.r2_dx) * (1 - self.r2_dx))
        if x >= 1:
            return np.nan, np.nan
        r2_yz = ((np.sqrt(k) + np.sqrt(x)) / np.sqrt(1 - x)) ** 2 * self.r2_yx / (1 - self.r2_yx)
        return r2_dz, float(min(r2_yz, 1.0))


def bias_factor(r2_dz: float | np.ndarray, r2_yz: float | np.ndarray) -> float | np.ndarray:
    """Bias of a slope over its standard error times sqrt(df): sqrt(r2_yz r2_dz / (1 - r2_dz))."""
    return np.sqrt(r2_yz * r2_dz / (1 - r2_dz))


def robustness_value(f: float, critical: float = 0.0) -> float:
    """Strength with exposure and outcome alike that takes |t| / sqrt(df) = f down to `critical`.

    Notes
    -----
    (sqrt(a^4 + 4 a^2) - a^2) / 2 with a = f - critical. Where a confounder that goes less with the outcome does more
    harm, as it shrinks the standard error less (f > 1 / critical), (f^2 - critical^2) / (1 + f^2).
    """
    left = f - critical
    if left <= 0:
        return 0.0
    if critical > 0 and f > 1 / critical:
        return float((f**2 - critical**2) / (1 + f**2))
    return float((np.sqrt(left**4 + 4 * left**2) - left**2) / 2)
