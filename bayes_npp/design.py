"""Panel + Spec -> Design: the arrays every estimator takes, and the projections they share."""

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import DesignError
from bayes_npp.panel import Panel
from bayes_npp.spec import Spec

RANK_TOLERANCE = 1e-8  # relative to the largest singular value; columns are scaled to unit SD first


@dataclass(frozen=True)
class Scales:
    """Divisors between the data's units and the standardised scale of the priors, from one baseline sample."""

    outcome_mean: float
    outcome_sd: float
    divisors: dict[str, float]

    def of(self, *names: str) -> np.ndarray:
        """SDs of the named regressors, shape (len(names),)."""
        return np.array([self.divisors[name] for name in names])

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Design:
    """Estimation rows as arrays, in the data's units.

    Attributes
    ----------
    spec : Spec
    outcome : ndarray, shape (n,)
    exposure : ndarray, shape (n,)
    controls : ndarray, shape (n, K)
    unit, time : ndarray of int, shape (n,)
        Positions in `units` (N labels) and `times` (T labels, in order).
    group : ndarray of int, shape (n,), optional
        Position in `groups` (G labels) where `spec.slopes` names a grouping column.
    scales : Scales
    n_dropped : int
        Rows of the window left out because a variable is missing.
    """

    spec: Spec
    outcome: np.ndarray
    exposure: np.ndarray
    controls: np.ndarray
    unit: np.ndarray
    time: np.ndarray
    group: np.ndarray | None
    units: tuple[str, ...]
    times: tuple[int, ...]
    groups: tuple[str, ...]
    scales: Scales
    n_dropped: int

    @property
    def n_obs(self) -> int:
        return len(self.outcome)

    @property
    def slope_columns(self) -> np.ndarray:
        """The exposure, one column a group (0 elsewhere) where slopes vary; shape (n, max(G, 1))."""
        if self.group is None:
            return self.exposure[:, None]
        return self.exposure[:, None] * (self.group[:, None] == np.arange(len(self.groups)))

    @property
    def group_shares(self) -> np.ndarray:
        """Share of the observations in each group, shape (max(G, 1),)."""
        group = np.zeros(self.n_obs, dtype=int) if self.group is None else self.group
        return np.bincount(group, minlength=max(len(self.groups), 1)) / self.n_obs


def build_design(panel: Panel, spec: Spec, scales: Scales | None = None, where: np.ndarray | None = None) -> Design:
    """Select complete rows of the window and lay them out as arrays.

    Parameters
    ----------
    panel : Panel
    spec : Spec
    scales : Scales, optional
        Of the study's baseline sample; computed from these rows if not given.
    where : ndarray of bool, shape (len(panel.frame),), optional
        Rows to keep, for a subsample.

    Raises
    ------
    DesignError
        No time column, too few rows, a constant column, fewer than two groups.
    PanelError
        An unknown column or a cell that is no number.
    """
    if panel.time is None:
        raise DesignError("a panel regression needs a time column", place=panel.source, fix="Read it with time=")
    names = (spec.outcome, spec.exposure, *spec.controls)
    values = np.column_stack([panel.numbers(name) for name in names])
    keep = panel.in_window if where is None else panel.in_window & where
    complete = keep & ~np.isnan(values).any(axis=1)
    groups = panel.column(spec.slopes) if spec.slopes else None
    if groups is not None:
        complete &= groups.notna().to_numpy()
    rows = np.flatnonzero(complete)
    if len(rows) < len(names) + 2:
        empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column[keep]).all()]
        fix = f"Column '{empty[0]}' is blank in every row" if empty else "Widen the window or drop a variable"
        raise DesignError(f"only {len(rows)} complete rows", place=panel.source, fix=fix)
    values = values[rows]
    for name, column in zip(names, values.T, strict=True):
        if np.ptp(column) == 0:
            raise DesignError(
                f"column '{name}' is constant over the estimation rows", place=panel.source, fix="Leave it out"
            )
    unit, units = pd.factorize(panel.frame[panel.unit].iloc[rows])
    time, times = pd.factorize(panel.frame[panel.time].iloc[rows], sort=True)
    if len(units) < 2 or len(times) < 2:
        raise DesignError("fewer than two units or periods are left", place=panel.source, fix="Widen the sample")
    group, labels = (None, ()) if groups is None else pd.factorize(groups.iloc[rows])
    if groups is not None and len(labels) < 2:
        raise DesignError(
            f"slopes = '{spec.slopes}' has only one group",
            place=panel.source,
            fix="Leave slopes out, or widen the sample",
        )
    return Design(
        spec=spec,
        outcome=values[:, 0],
        exposure=values[:, 1],
        controls=values[:, 2:],
        unit=unit,
        time=time,
        group=group,
        units=tuple(str(label) for label in units),
        times=tuple(int(label) for label in times),
        groups=tuple(str(label) for label in labels),
        scales=_scales(values, names, scales),
        n_dropped=int(keep.sum()) - len(rows),
    )


@dataclass(frozen=True)
class Parts:
    """Least-squares projection of k columns on unit and period dummies.

    `unit` (N, k) and `time` (T, k) sum to zero over units and periods; column = constant + unit + time + `residual`.
    """

    unit: np.ndarray
    time: np.ndarray
    residual: np.ndarray


def two_way_parts(columns: np.ndarray, unit: np.ndarray, time: np.ndarray) -> Parts:
    """Unit part, period part and two-way residual of columns, exact on unbalanced panels.

    Units are eliminated in closed form, so that the cost is O(n k + T^3). See STATISTICS: correlated effects.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
    unit, time : ndarray of int, shape (n,)
    """
    n_units, n_times = unit.max() + 1, time.max() + 1
    counts = np.zeros((n_units, n_times))
    np.add.at(counts, (unit, time), 1.0)
    per_unit = counts.sum(axis=1)
    unit_means = _sums(columns, unit, n_units) / per_unit[:, None]
    within = _sums(columns - unit_means[unit], time, n_times)
    gram = np.diag(counts.sum(axis=0)) - counts.T @ (counts / per_unit[:, None])
    time_part = np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ within
    unit_part = unit_means - (counts @ time_part) / per_unit[:, None]
    residual = columns - unit_part[unit] - time_part[time]
    return Parts(unit_part - unit_part.mean(axis=0), time_part - time_part.mean(axis=0), residual)


def effect_basis(parts: np.ndarray) -> tuple[np.ndarray, int]:
    """Orthonormal basis of the contrasts of J effects whose first `rank` columns span the given parts.

    Parameters
    ----------
    parts : ndarray, shape (J, k)
        Unit or period parts of columns of comparable scale; k may be 0.

    Returns
    -------
    basis : ndarray, shape (J, J - 1)
        Orthonormal, every column sums to zero.
    rank : int
    """
    size = len(parts)
    left, singular, _ = np.linalg.svd(parts - parts.mean(axis=0), full_matrices=False)
    rank = int((singular > RANK_TOLERANCE * max(singular.max(initial=0.0), 1.0)).sum())
    rest = np.column_stack([np.full(size, size**-0.5), left[:, :rank], np.eye(size)])
    basis = np.linalg.qr(rest)[0][:, 1:size]
    basis[:, :rank] = left[:, :rank]
    return basis, rank


def twfe_weights(design: Design) -> np.ndarray:
    """Weights w_g with which two-way fixed effects average the slopes of groups, shape (G,); they sum to one.

    w_g = x~'(x 1[g]) / x~'x with x~ the residual of the exposure on controls and two-way effects. A weight can be
    negative. TWFE = sum_g w_g slope_g holds exactly for the slopes of the interacted regression.
    """
    columns = np.column_stack([design.exposure, design.controls])
    residual = two_way_parts(columns, design.unit, design.time).residual
    exposure, controls = residual[:, 0], residual[:, 1:]
    if controls.shape[1]:
        exposure = exposure - controls @ np.linalg.lstsq(controls, exposure, rcond=None)[0]
    return exposure @ design.slope_columns / (exposure @ design.exposure)


def group_pairs(n_groups: int) -> list[tuple[int, int]]:
    """Every pair of groups once, as positions."""
    return list(itertools.combinations(range(n_groups), 2))


def check_identified(columns: np.ndarray, residual: np.ndarray, names: tuple[str, ...], source: str) -> None:
    """Raise `DesignError` naming the first column that effects or other columns absorb."""
    scale = columns.std(axis=0)
    scaled = residual / np.where(scale > 0, scale, 1.0)
    norms = np.sqrt((scaled**2).mean(axis=0))
    for j, name in enumerate(names):
        if norms[j] < RANK_TOLERANCE:
            raise DesignError(
                f"'{name}' does not vary once the effects are removed", place=source, fix="Leave it out, or the effects"
            )
        others = scaled[:, :j]
        if j:
            left = scaled[:, j] - others @ np.linalg.lstsq(others, scaled[:, j], rcond=None)[0]
            if np.sqrt((left**2).mean()) < RANK_TOLERANCE * norms[j] * 10:
                raise DesignError(
                    f"'{name}' is a linear combination of {', '.join(names[:j])} and the effects",
                    place=source,
                    fix="Leave one of them out",
                )


def check_two_way(design: Design, source: str) -> None:
    """Raise `DesignError` if unit and period effects or other columns absorb a column with a slope."""
    columns = np.column_stack([design.slope_columns, design.controls])
    slopes = tuple(f"{design.spec.exposure}:{group}" for group in design.groups) or (design.spec.exposure,)
    residual = two_way_parts(columns, design.unit, design.time).residual
    check_identified(columns, residual, (*slopes, *design.spec.controls), source)


def _sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])


def _scales(values: np.ndarray, names: tuple[str, ...], baseline: Scales | None) -> Scales:
    """Scales of these rows, overruled by those of the baseline sample."""
    spread = values.std(axis=0, ddof=1)
    divisors = {name: float(sd) for name, sd in zip(names[1:], spread[1:], strict=True)}
    if baseline is None:
        return Scales(float(values[:, 0].mean()), float(spread[0]), divisors)
    return Scales(baseline.outcome_mean, baseline.outcome_sd, {**divisors, **baseline.divisors})
