"""What instruments say of a slope: how far its posterior is from its prior, and what a direct effect would change."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bayes_npp.bayesian.fitting.slope_probabilities import NormalSlopes

if TYPE_CHECKING:
    import xarray as xr

NEAR_PRIOR = 0.5  # of the SD that priors alone leave: a posterior as wide as that is near its prior
EXCLUSIONS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # SDs of instruments' own coefficients that are tried
FREE = 10.0  # an SD with which instruments are controls: they say nothing of the slope


@dataclass(frozen=True)
class Learned:
    """The spread of the average slope before the instruments speak and after, in the data's units.

    Attributes
    ----------
    prior_sd : float
        Of the common slope's prior.
    alone_sd : float
        Of the posterior in which instruments have coefficients of their own, so that nothing but the priors of the
        slope and of the errors' correlation tells the one from the other. `prior_sd` where there is no such posterior.
    posterior_sd : float
    """

    prior_sd: float
    alone_sd: float
    posterior_sd: float

    @property
    def ratio(self) -> float:
        """Posterior SD over the SD that priors alone leave: 1 where instruments say nothing."""
        return self.posterior_sd / self.alone_sd

    @property
    def near_prior(self) -> bool:
        """Whether the instruments are so weak that the posterior stays near its prior."""
        return self.ratio >= NEAR_PRIOR


@dataclass(frozen=True)
class Exclusion:
    """What is said of a slope where instruments have coefficients of their own with this SD.

    Attributes
    ----------
    sd : float
        In the outcome's within SD per within SD of an instrument.
    estimate, spread, lo, hi : float
        Of the average slope, in the data's units; NaN where there is no posterior.
    probability : float
        P(average slope > 0).
    why : str
        Why there is none; empty where there is.
    slopes : NormalSlopes, optional
        The groups' slopes given the scales and shapes, from which other probabilities follow.
    """

    sd: float
    estimate: float
    spread: float
    lo: float
    hi: float
    probability: float
    why: str = ""
    slopes: NormalSlopes | None = field(default=None, compare=False, repr=False)


def missing(sd: float, why: str) -> Exclusion:
    """An SD at which there is no posterior."""
    return Exclusion(sd, math.nan, math.nan, math.nan, math.nan, math.nan, why)


NUMBERS = ("sd", "estimate", "spread", "lo", "hi", "probability")


def as_dataset(found: Sequence[Exclusion]) -> "xr.Dataset":
    """Exclusions as a group of a tree."""
    import xarray as xr

    arrays: dict[str, tuple[tuple[str, ...], object]] = {
        name: (("exclusion",), [getattr(own, name) for own in found]) for name in NUMBERS
    }
    for k, own in enumerate(found):
        if own.slopes is not None:
            arrays[f"mean_{k}"] = ((f"point_{k}", "row"), own.slopes.mean)
            arrays[f"covariance_{k}"] = ((f"point_{k}", "row", "column"), own.slopes.covariance)
            arrays[f"weights_{k}"] = ((f"point_{k}",), own.slopes.weights)
    return xr.Dataset(arrays, attrs={"why": json.dumps([own.why for own in found])})


def from_dataset(data: "xr.Dataset") -> tuple[Exclusion, ...]:
    """Exclusions from such a group."""
    out = []
    for k, why in enumerate(json.loads(data.attrs["why"])):
        numbers = {name: float(data[name].to_numpy()[k]) for name in NUMBERS}
        parts = ("mean", "covariance", "weights")
        held = f"mean_{k}" in data
        slopes = NormalSlopes(*(data[f"{part}_{k}"].to_numpy() for part in parts)) if held else None
        out.append(Exclusion(**numbers, why=why, slopes=slopes))
    return tuple(out)
