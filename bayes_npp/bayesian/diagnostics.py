"""Has the sampler converged? A written gate with the numbers that decide it."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

MAX_RHAT = 1.01
MIN_ESS = 400
MIN_EBFMI = 0.3


@dataclass(frozen=True)
class Check:
    """One diagnostic: a quantity, its worst value, the threshold and whether it passed."""

    quantity: str
    value: float
    threshold: str
    passed: bool


@dataclass(frozen=True)
class Diagnostics:
    """Worst R-hat, bulk and tail ESS over all sampled parameters, divergences and smallest E-BFMI of the chains."""

    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int
    e_bfmi: float
    worst: str

    @property
    def checks(self) -> tuple[Check, ...]:
        return (
            Check("largest R-hat", self.r_hat, f"<= {MAX_RHAT}", self.r_hat <= MAX_RHAT),
            Check("smallest bulk ESS", self.ess_bulk, f">= {MIN_ESS}", self.ess_bulk >= MIN_ESS),
            Check("smallest tail ESS", self.ess_tail, f">= {MIN_ESS}", self.ess_tail >= MIN_ESS),
            Check("divergences", self.divergences, "= 0", self.divergences == 0),
            Check("smallest E-BFMI", self.e_bfmi, f">= {MIN_EBFMI}", self.e_bfmi >= MIN_EBFMI),
        )

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """'passed', or 'failed' with the checks that failed."""
        failed = [f"{c.quantity} {c.value:.4g} (needs {c.threshold})" for c in self.checks if not c.passed]
        return "passed" if not failed else "failed: " + ", ".join(failed)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(posterior: "xr.Dataset", sample_stats: "xr.Dataset") -> Diagnostics:
    """Diagnostics over every quantity of a posterior and the statistics of its sampler.

    Source: Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021) for R-hat and ESS; Betancourt (2016) for E-BFMI.
    """
    import arviz_stats

    bulk = _by_name(arviz_stats.ess(posterior, method="bulk"))
    tail = _by_name(arviz_stats.ess(posterior, method="tail"))
    r_hat = _by_name(arviz_stats.rhat(posterior))
    energy = arviz_stats.bfmi(sample_stats)["energy"]
    return Diagnostics(
        r_hat=float(np.max(list(r_hat.values()))),  # np.max keeps the NaN of a stuck chain, and NaN fails the check
        ess_bulk=float(np.min(list(bulk.values()))),
        ess_tail=float(np.min(list(tail.values()))),
        divergences=int(sample_stats["diverging"].sum()),
        e_bfmi=float(energy.min()),
        worst=min(bulk, key=lambda name: bulk[name]),
    )


def _by_name(values: "xr.Dataset") -> dict[str, float]:
    """Every scalar of a dataset under a label such as slope[East]."""
    out = {}
    for name, array in values.data_vars.items():
        stacked = np.atleast_1d(array.to_numpy())
        for at in np.ndindex(stacked.shape):
            labels = [str(array[dim].to_numpy()[i]) for dim, i in zip(array.dims, at, strict=False)]
            out[f"{name}[{', '.join(labels)}]" if labels else str(name)] = float(stacked[at])
    return out
