"""Has the sampler converged? A written gate with the numbers that decide it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

MAX_RHAT = 1.01
MIN_ESS = 400
MIN_EBFMI = 0.3
INDEPENDENT_EBFMI = 2.0  # expectation under independent draws


@dataclass(frozen=True)
class Check:
    """One diagnostic: a quantity, its worst value, the threshold and whether it passed."""

    quantity: str
    value: float
    threshold: str
    passed: bool


@dataclass(frozen=True)
class Diagnostics:
    """Worst R-hat, bulk and tail ESS over all sampled parameters, divergences and smallest E-BFMI of the chains.

    `not_finite` counts draws with a value that is no number, or infinite; they never pass.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int
    e_bfmi: float
    worst: str
    not_finite: int = 0

    @property
    def checks(self) -> tuple[Check, ...]:
        """The gate; draws that are not finite have a row only where there are some."""
        broken = (Check("draws that are not finite", self.not_finite, "= 0", False),) if self.not_finite else ()
        return (
            *broken,
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
    def failures(self) -> str:
        """The checks that failed, with what they need; empty where none did."""
        return ", ".join(f"{c.quantity} {c.value:.4g} (needs {c.threshold})" for c in self.checks if not c.passed)

    @property
    def verdict(self) -> str:
        """'passed', or 'failed' with the checks that failed: of the sampler, not of the model."""
        return "passed" if self.passed else f"failed: {self.failures}"

    def __str__(self) -> str:
        return f"sampler: {'passed' if self.passed else f'failed {self.failures}'}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(
    arrays: Mapping[str, np.ndarray], stats: "xr.Dataset", others: Mapping[str, np.ndarray] | None = None
) -> Diagnostics:
    """Diagnostics over every scalar of some draws, and the statistics of their sampler.

    Parameters
    ----------
    arrays : mapping of ndarray, shapes (chain, draw, ...)
    stats : Dataset
        `diverging` and `energy` of every draw.
    others : mapping of ndarray, shapes (chain, draw, ...), optional
        Draws that have to be finite, and no more.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), Bayesian Analysis: R-hat and effective sample sizes.
    Betancourt (2016), arXiv:1604.00695: E-BFMI.
    """
    from arviz_stats.base import array_stats

    labels = [f"{name}[{i}]" if x[0, 0].size > 1 else name for name, x in arrays.items() for i in range(x[0, 0].size)]
    draws = np.concatenate([x.reshape(*x.shape[:2], -1) for x in arrays.values()], axis=-1)
    whole = np.isfinite(draws)
    finite = whole.all(axis=-1)
    for values in (others or {}).values():
        finite &= np.isfinite(values.reshape(*values.shape[:2], -1)).all(axis=-1)
    not_finite = int((~finite).sum())
    axes = {"chain_axis": 0, "draw_axis": 1}
    energy = stats["energy"].to_numpy()
    changes, spread = np.diff(energy, axis=1), energy.var(axis=1)
    # Energy is constant where no scale is left to sample.
    e_bfmi = float(((changes**2).mean(axis=1) / spread).min()) if spread.any() else INDEPENDENT_EBFMI
    if not draws.shape[-1]:
        n_draws = float(energy.size)
        return Diagnostics(1.0, n_draws, n_draws, int(stats["diverging"].sum()), e_bfmi, "", not_finite)
    if not whole.all():  # ranks of what is no number mean nothing
        worst = labels[int(np.argmin(whole.all(axis=(0, 1))))]
        return Diagnostics(np.nan, np.nan, np.nan, int(stats["diverging"].sum()), e_bfmi, worst, not_finite)
    bulk = array_stats.ess(draws, **axes, method="bulk")
    return Diagnostics(
        r_hat=float(np.max(array_stats.rhat(draws, **axes))),  # np.max keeps the NaN of a stuck chain, and NaN fails
        ess_bulk=float(np.min(bulk)),
        ess_tail=float(np.min(array_stats.ess(draws, **axes, method="tail", prob=(0.05, 0.95)))),
        divergences=int(stats["diverging"].sum()),
        e_bfmi=e_bfmi,
        worst=labels[int(np.argmin(bulk))],
        not_finite=not_finite,
    )
