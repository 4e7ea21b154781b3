"""Has the sampler converged? A written gate with the numbers that decide it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.fitting.psis import MAX_K_HAT

if TYPE_CHECKING:
    import xarray as xr

MAX_RHAT = 1.01
MIN_ESS = 400
MIN_EBFMI = 0.3
MAX_MCSE = 0.05  # posterior SDs
TAILS = 0.05, 0.95  # quantiles of which the tail effective size is
INDEPENDENT_EBFMI = 2.0  # expectation under independent draws


@dataclass(frozen=True)
class Check:
    """One diagnostic: a quantity, its worst value, the threshold and whether it passed."""

    quantity: str
    value: float
    threshold: str
    passed: bool


class Gate(ABC):
    """What a set of checks says of the draws behind a posterior."""

    @property
    @abstractmethod
    def checks(self) -> tuple[Check, ...]:
        """Every check, passed or not."""

    @property
    @abstractmethod
    def effective(self) -> float:
        """Smallest effective number of draws."""

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

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """For `diagnostics_from`."""


@dataclass(frozen=True)
class Diagnostics(Gate):
    """Of chains: worst R-hat, bulk and tail ESS over all sampled parameters, divergences and smallest E-BFMI.

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
        return (
            *_finite(self.not_finite),
            Check("largest R-hat", self.r_hat, f"<= {MAX_RHAT}", self.r_hat <= MAX_RHAT),
            Check("smallest bulk ESS", self.ess_bulk, f">= {MIN_ESS}", self.ess_bulk >= MIN_ESS),
            Check("smallest tail ESS", self.ess_tail, f">= {MIN_ESS}", self.ess_tail >= MIN_ESS),
            Check("divergences", self.divergences, "= 0", self.divergences == 0),
            Check("smallest E-BFMI", self.e_bfmi, f">= {MIN_EBFMI}", self.e_bfmi >= MIN_EBFMI),
        )

    @property
    def effective(self) -> float:
        return self.ess_bulk

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class WeightDiagnostics(Gate):
    """Of importance weights: Pareto k, Kish's effective size (sum w)^2 / sum w^2, and the scramblings' agreement.

    `mcse` is the largest standard error of a mean over the scramblings, in posterior SDs, and `worst` what it is of:
    scales and shapes, and the coefficients' means given them. `not_finite` counts points that have weight and a value
    that is no number. `draws` is how many draws were made of the points: not more than they are can be effective.
    """

    k_hat: float
    kish: float
    mcse: float
    worst: str
    not_finite: int = 0
    draws: int | None = None

    @property
    def checks(self) -> tuple[Check, ...]:
        return (
            *_finite(self.not_finite),
            Check("Pareto k", self.k_hat, f"<= {MAX_K_HAT}", self.k_hat <= MAX_K_HAT),
            Check("effective size", self.effective, f">= {MIN_ESS}", self.effective >= MIN_ESS),
            Check("MCSE between scramblings (SD)", self.mcse, f"<= {MAX_MCSE}", self.mcse <= MAX_MCSE),
        )

    @property
    def effective(self) -> float:
        return self.kish if self.draws is None else min(self.kish, self.draws)

    def with_draws(self, arrays: Mapping[str, np.ndarray]) -> "WeightDiagnostics":
        """The same, with how many draws (chain, draw, ...) were made of the points, and what is not finite in them."""
        made = int(np.prod(next(iter(arrays.values())).shape[:2]))
        return replace(self, not_finite=self.not_finite + _not_finite(arrays), draws=made)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _not_finite(arrays: Mapping[str, np.ndarray]) -> int:
    """Draws of arrays (chain, draw, ...) with a value that is no number, or infinite."""
    finite = [np.isfinite(x.reshape(*x.shape[:2], -1)).all(axis=-1) for x in arrays.values()]
    return int((~np.logical_and.reduce(finite)).sum()) if finite else 0


def diagnostics_from(kept: Mapping[str, Any]) -> Diagnostics | WeightDiagnostics:
    """The record behind an `as_dict`."""
    return WeightDiagnostics(**kept) if "k_hat" in kept else Diagnostics(**kept)


def _finite(count: int) -> tuple[Check, ...]:
    return (Check("draws that are not finite", count, "= 0", False),) if count else ()


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
    labels = [f"{name}[{i}]" if x[0, 0].size > 1 else name for name, x in arrays.items() for i in range(x[0, 0].size)]
    draws = np.concatenate([x.reshape(*x.shape[:2], -1) for x in arrays.values()], axis=-1)
    whole = np.isfinite(draws)
    not_finite = _not_finite({**arrays, **{f"other {name}": values for name, values in (others or {}).items()}})
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
    bulk, tail, r_hat = ranked(draws)
    return Diagnostics(
        r_hat=float(np.max(r_hat)),  # np.max keeps the NaN of a stuck chain, and NaN fails
        ess_bulk=float(np.min(bulk)),
        ess_tail=float(np.min(tail)),
        divergences=int(stats["diverging"].sum()),
        e_bfmi=e_bfmi,
        worst=labels[int(np.argmin(bulk))],
        not_finite=not_finite,
    )


def ranked(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bulk and tail effective size and R-hat of draws (chain, draw, d), shape (d,) each.

    Those of ArviZ, which ranks every scalar by itself and three times over: here all are ranked at once, and once.
    """
    from arviz_stats.base import array_stats
    from scipy.special import ndtri
    from scipy.stats import rankdata

    axes = {"chain_axis": 0, "draw_axis": 1, "method": "identity"}
    half = draws.shape[1] // 2

    def split(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:, :half], values[:, -half:]])

    def normal_scores(values: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(values.reshape(-1, values.shape[2]).T)
        return ndtri((rankdata(flat, axis=1) - 3 / 8) / (flat.shape[1] + 1 / 4)).T.reshape(values.shape)

    halves = split(draws)
    bulk = normal_scores(halves)
    folded = normal_scores(np.abs(halves - np.median(halves, axis=(0, 1))))
    tails = [split((draws <= q).astype(float)) for q in np.quantile(draws, TAILS, axis=(0, 1))]
    r_hat = np.maximum(array_stats.rhat(bulk, **axes), array_stats.rhat(folded, **axes))
    if len(draws) < 2:
        r_hat = np.full(draws.shape[2], np.nan)
    return (
        array_stats.ess(bulk, **axes),
        np.minimum(*(array_stats.ess(tail, **axes) for tail in tails)),
        r_hat,
    )
