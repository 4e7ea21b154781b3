"""Scales of the priors: the SDs that outcome and regressors have within units and periods, from one baseline sample."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bayes_npp.design.projection import connected_parts, two_way_parts
from bayes_npp.design.spec import Spec
from bayes_npp.panels.panel import Panel

ABSORBED = 1e-6  # of a column's total SD: a within SD below it is rounding, or next to no variation


@dataclass(frozen=True)
class Scales:
    """What one unit of the standardised scale is in the data's units, from one baseline sample.

    Priors of slopes, of their SDs, of errors and of loadings are on the within scale, which additions of any function
    of unit and any function of period to outcome or regressors leave as it is. Priors of the level and of effects of
    units and periods are on the total scale.

    Attributes
    ----------
    outcome_mean : float
    outcome_sd : float
        The outcome's within SD: one unit of the standardised outcome.
    divisors : dict of float
        Within SD of every regressor.
    total_sd : float
        The outcome's SD over all rows.
    removed : tuple of {"unit", "time"}
        Effects that within SDs are taken less of.
    absorbed : tuple of str
        Columns of which these effects leave nothing: their total SD stands in.
    """

    outcome_mean: float
    outcome_sd: float
    divisors: dict[str, float]
    total_sd: float
    removed: tuple[str, ...] = ()
    absorbed: tuple[str, ...] = ()

    @property
    def level(self) -> float:
        """The total scale in units of the within scale."""
        return self.total_sd / self.outcome_sd

    def of(self, *names: str) -> np.ndarray:
        """Within SDs of the named regressors, shape (len(names),)."""
        return np.array([self.divisors[name] for name in names])

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Scales":
        """From what `as_dict` gave, read back from JSON."""
        own: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
        return cls(**own)


def removed_effects(spec: Spec, panel: Panel) -> tuple[str, ...]:
    """Which effects a specification has, partially pooled, fixed or differenced away; none without a time column."""
    if panel.time is None:
        return ()
    there = {
        "unit": spec.unit_effects != "none" or spec.transform == "first_difference",
        "time": spec.time_effects != "none",
    }
    return tuple(name for name, is_there in there.items() if is_there)


def within_sds(
    columns: np.ndarray, unit: np.ndarray, time: np.ndarray, removed: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """SDs of columns (n, k) within the effects removed, shape (k,), and which of them are total SDs, (k,) of bool.

    Parameters
    ----------
    unit, time : ndarray of int, shape (n,)
        Every position from 0 on has rows.

    Notes
    -----
    sqrt(RSS / (n - rank)) of the least-squares projection on dummies; other regressors are not removed. A column whose
    within SD is below `ABSORBED` of its total one has the total one (docs/statistics.md, section 1.5).
    """
    total = columns.std(axis=0, ddof=1)
    unit = unit if "unit" in removed else np.zeros_like(unit)
    time = time if "time" in removed else np.zeros_like(time)
    sizes = unit.max() + 1, time.max() + 1
    rank = sum(sizes) - connected_parts(unit, time)
    if rank >= len(columns):
        return total, np.ones(len(total), dtype=bool)
    if sizes[1] > sizes[0]:  # the projection's cost is cubic in its second argument
        unit, time = time, unit
    left = two_way_parts(columns - columns.mean(axis=0), unit, time).residual
    within = np.sqrt((left**2).sum(axis=0) / (len(columns) - rank))
    absorbed = within < ABSORBED * total
    return np.where(absorbed, total, within), absorbed


def scales_of(
    values: np.ndarray, names: Sequence[str], unit: np.ndarray, time: np.ndarray, removed: tuple[str, ...]
) -> Scales:
    """Scales of outcome and regressors, the columns of `values` (n, 1 + k), by name."""
    sds, absorbed = within_sds(values, unit, time, removed)
    return Scales(
        outcome_mean=float(values[:, 0].mean()),
        outcome_sd=float(sds[0]),
        divisors={name: float(sd) for name, sd in zip(names[1:], sds[1:], strict=True)},
        total_sd=float(values[:, 0].std(ddof=1)),
        removed=removed,
        absorbed=tuple(name for name, all_gone in zip(names, absorbed, strict=True) if all_gone),
    )


def with_further(baseline: Scales, own: Scales) -> Scales:
    """The baseline's scales, and those of regressors that it lacks from another sample's."""
    further = {name: sd for name, sd in own.divisors.items() if name not in baseline.divisors}
    absorbed = tuple(name for name in own.absorbed if name in further)
    return replace(
        baseline, divisors={**baseline.divisors, **further}, absorbed=tuple(dict.fromkeys(baseline.absorbed + absorbed))
    )
