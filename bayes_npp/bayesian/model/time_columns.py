"""Known columns of time on which every unit has a coefficient: trends, the exposure's own factors."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.design.factors import exposure_factors


@dataclass(frozen=True)
class TimeColumn:
    """A known column of time on which every unit has a coefficient.

    Attributes
    ----------
    variable : str
        Of the coefficients, in the posterior.
    values : ndarray, shape (T,)
        Of mean square one.
    scale : str
        Variable with their SD, and its prior; empty for flat ones.
    """

    variable: str
    values: np.ndarray
    scale: str


def time_columns(design: Design) -> tuple[TimeColumn, ...]:
    """Trends of units and the exposure's own factors, as the specification has them."""
    spec, out = design.spec, []
    if spec.unit_trends:
        times = np.array(design.times, dtype=float)
        times -= times.mean()
        trend = times / np.sqrt((times**2).mean())
        out.append(TimeColumn("unit_trend", trend, "unit_trend_sd" if spec.unit_trends == "partial" else ""))
    if spec.exposure_factor != "none":
        scale = "exposure_loading_sd" if spec.exposure_factor == "partial" else ""
        for k, values in enumerate(exposure_factors(design, spec.exposure_factors).T, start=1):
            name = "exposure_loading" if k == 1 else f"exposure_loading_{k}"
            out.append(TimeColumn(name, values, scale))
    return tuple(out)
