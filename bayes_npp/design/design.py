"""Panel + Spec -> Design: the arrays every estimator takes."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.design.clusters import UnitClusters
from bayes_npp.design.lags import with_lags
from bayes_npp.design.left_out import LeftOut, left_out
from bayes_npp.design.projection import check_identified, two_way_parts
from bayes_npp.design.scales import Scales, removed_effects, scales_of, with_further
from bayes_npp.design.spec import Spec, error_registry
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.variation import constant
from bayes_npp.records import Shown

NEGATIVE = -1e-9  # of a weight of two-way fixed effects: below is below zero


@dataclass(frozen=True, repr=False)
class Design(Shown):
    """Estimation rows as arrays, in the data's units.

    Attributes
    ----------
    spec : Spec
    outcome : ndarray, shape (n,)
    exposure : ndarray, shape (n,), optional
        None where the specification has no exposure.
    controls : ndarray, shape (n, K)
    unit, time : ndarray of int, shape (n,)
        Positions in `units` (N labels) and `times` (T labels, in order).
    group : ndarray of int, shape (n,), optional
        Position in `groups` (G labels) where slopes vary by a grouping column.
    group_time : ndarray of int, shape (n,), optional
        Position in `group_times` (labels "group period") where groups have own period effects.
    se : ndarray, shape (n,), optional
        Known standard errors of the outcome.
    scales : Scales
    left_out : LeftOut
        Rows of the window that are not used, by reason.
    lag : ndarray, shape (n,), optional
        Outcome of the period before, of a dynamic specification.
    initial : ndarray, shape (N, 1 + number of regressors), optional
        Outcome, exposure and controls in the period before the unit's first row, of a dynamic specification.
    weights : ndarray, shape (n,), optional
        Analytic weights, scaled to a mean of one.
    cluster : UnitClusters, optional
        What units are nested in, where errors are clustered above them.
    doubt : (str, str)
        Why distances between `times` need not be those between periods, and what to declare; empty where nothing speaks
        against them, or they are right up to a common factor.
    """

    spec: Spec
    outcome: np.ndarray
    exposure: np.ndarray | None
    controls: np.ndarray
    unit: np.ndarray
    time: np.ndarray
    group: np.ndarray | None
    group_time: np.ndarray | None
    se: np.ndarray | None
    units: tuple[str, ...]
    times: tuple[int, ...]
    groups: tuple[str, ...]
    group_times: tuple[str, ...]
    scales: Scales
    left_out: LeftOut
    lag: np.ndarray | None = None
    initial: np.ndarray | None = None
    doubt: tuple[str, str] = ("", "")
    weights: np.ndarray | None = None
    cluster: UnitClusters | None = None

    def weighted(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n,) or (n, k) times the roots of the analytic weights: least squares on them is weighted."""
        if self.weights is None:
            return rows
        return np.sqrt(self.weights if rows.ndim == 1 else self.weights[:, None]) * rows

    @property
    def places(self) -> np.ndarray:
        """Places of `times` in time, shape (T,): from 0, a common factor of all distances left out."""
        distances = np.array([int(time) for time in self.times]) - int(self.times[0])
        return distances // max(int(np.gcd.reduce(distances)), 1)

    @property
    def n_obs(self) -> int:
        return len(self.outcome)

    @property
    def n_dropped(self) -> int:
        """Rows of the window that are not used."""
        return self.left_out.total

    @property
    def slope_columns(self) -> np.ndarray:
        """The exposure, one column a group (0 elsewhere) where slopes vary; shape (n, max(G, 1))."""
        if self.exposure is None:
            return np.empty((self.n_obs, 0))
        if self.group is None:
            return self.exposure[:, None]
        return self.exposure[:, None] * (self.group[:, None] == np.arange(len(self.groups)))

    @property
    def counted(self) -> dict[str, Any]:
        """What every row of a table of estimates says of the rows behind it."""
        counts = {"n_obs": self.n_obs, "n_units": len(self.units), "n_periods": len(self.times)}
        return {**counts, "left_out": str(self.left_out)}

    @property
    def group_units(self) -> np.ndarray:
        """Number of units with rows in each group, shape (max(G, 1),)."""
        return self._in_groups(self.unit)

    @property
    def group_clusters(self) -> np.ndarray:
        """Number of units, or of what they are nested in where errors are clustered above them, in each group."""
        return self._in_groups(self.unit if self.cluster is None else self.cluster.of_unit[self.unit])

    def _in_groups(self, index: np.ndarray) -> np.ndarray:
        group = np.zeros(self.n_obs, dtype=int) if self.group is None else self.group
        pairs = np.unique(np.column_stack([group, index]), axis=0)
        return np.bincount(pairs[:, 0], minlength=max(len(self.groups), 1))

    @property
    def group_shares(self) -> np.ndarray:
        """Share of the observations in each group, shape (max(G, 1),)."""
        group = np.zeros(self.n_obs, dtype=int) if self.group is None else self.group
        return np.bincount(group, minlength=max(len(self.groups), 1)) / self.n_obs


def build_design(
    panel: Panel,
    spec: Spec,
    scales: Scales | None = None,
    where: np.ndarray | None = None,
    *,
    weighted: bool = False,
) -> Design:
    """Select complete rows of the window and lay them out as arrays.

    A dynamic specification takes rows whose outcome of the period before is known, by time and never by row; periods
    before the window serve. A unit starts with its first row whose period before has every variable: that is its
    initial period. Rows after a gap stay, and keep the unit's one initial period.

    Parameters
    ----------
    panel : Panel
    spec : Spec
    scales : Scales, optional
        Of the study's baseline sample; computed from these rows, less the specification's effects, if not given.
    where : ndarray of bool, shape (len(panel.frame),), optional
        Rows to keep, for a subsample.
    weighted : bool
        Whether analytic weights are taken: by estimators that have them.

    Raises
    ------
    SpecError
        Analytic weights where they are not taken.
    DesignError
        No time column where one is needed, too few rows, a constant column, fewer than two groups, a group
        without rows.
    PanelError
        An unknown column or a cell that is no number.
    """
    _check_time(panel, spec)
    if spec.analytic_weights and not weighted:
        raise SpecError(
            f"analytic_weights = '{spec.analytic_weights}' where no estimator takes them",
            place=panel.source,
            fix="Pooled OLS, fixed effects, two-way fixed effects and instrumental variables do; leave them out here",
        )
    names = (spec.outcome, *spec.regressors)
    panel = with_lags(panel, spec.regressors, spec.outcome)
    values = np.column_stack([panel.numbers(name) for name in names])
    levels = values
    if spec.transform == "first_difference":
        values = values - np.column_stack([panel.shift(column, 1) for column in values.T])
    keep = panel.in_window if where is None else panel.in_window & where
    complete = keep & ~np.isnan(values).any(axis=1)
    before = np.empty((len(values), 0))
    if spec.dynamic:
        before = np.column_stack([panel.shift(column, 1) for column in values.T])
        complete = _with_history(panel, before, complete)
    groupings = {name: panel.labels(name) for name in (spec.slope_group, spec.group_time_effects) if name}
    no_group = np.zeros(len(values), dtype=bool)
    for column in groupings.values():
        no_group |= column.isna().to_numpy()
    complete &= ~no_group
    se = None
    if spec.se:
        se = panel.numbers(spec.se)
        _check_positive(se, complete, f"standard error '{spec.se}'", panel)
    weights = None
    if spec.analytic_weights:
        weights = panel.numbers(spec.analytic_weights)
        complete &= ~np.isnan(weights)
        _check_positive(weights, complete, f"weight '{spec.analytic_weights}'", panel)
    rows = np.flatnonzero(complete)
    if len(rows) < len(names) + 2:
        empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column[keep]).all()]
        fix = "Widen the window or drop a variable"
        if empty:
            moved = empty[0] in panel.moved or not np.isnan(levels[keep, names.index(empty[0])]).all()
            fix = (
                f"No row has the period that '{empty[0]}' is taken from or differenced with"
                if moved
                else (f"Column '{empty[0]}' is blank in every row")
            )
        raise DesignError(f"only {len(rows)} complete rows", place=panel.source, fix=fix)
    values = values[rows]
    for name, flat in zip(names, constant(values, beside=levels[rows]), strict=True):
        if flat:
            raise DesignError(
                f"column '{name}' is constant over the estimation rows", place=panel.source, fix="Leave it out"
            )
    unit, units = pd.factorize(panel.frame[panel.unit].iloc[rows])
    if panel.time is None:
        time, times = np.zeros(len(rows), dtype=int), [0]
    else:
        time, times = pd.factorize(panel.frame[panel.time].iloc[rows], sort=True)
    if len(units) < 2 or (len(times) < 2 and panel.time is not None):
        raise DesignError("fewer than two units or periods are left", place=panel.source, fix="Widen the sample")
    for name, column in groupings.items():
        key = "slopes" if name == spec.slope_group else "group_time_effects"
        _check_groups(key, name, column, keep, rows, panel.source)
    group: np.ndarray | None = None
    labels: Iterable[object] = ()
    if spec.slope_group:
        group, labels = pd.factorize(groupings[spec.slope_group].iloc[rows])
    group_time: np.ndarray | None = None
    group_times: Iterable[object] = ()
    if spec.group_time_effects:
        periods = pd.Series(times[time], index=rows).map(panel.calendar.label)
        cells = groupings[spec.group_time_effects].iloc[rows].astype(str) + " " + periods
        group_time, group_times = pd.factorize(cells)
    removed = removed_effects(spec, panel) if scales is None else scales.removed
    own = scales_of(levels[rows], names, unit, time, removed)
    return Design(
        spec=spec,
        outcome=values[:, 0],
        exposure=values[:, 1] if spec.exposure else None,
        controls=values[:, len(names) - len(spec.controls) :],
        unit=unit,
        time=time,
        group=group,
        group_time=group_time,
        se=None if se is None else se[rows],
        units=tuple(str(label) for label in units),
        times=tuple(panel.calendar.period(label) for label in times),
        groups=tuple(str(label) for label in labels),
        group_times=tuple(str(label) for label in group_times),
        scales=own if scales is None else with_further(scales, own),
        left_out=left_out(panel, keep, complete, (*names, *filter(None, [spec.analytic_weights])), no_group),
        lag=before[rows, 0] if spec.dynamic else None,
        initial=before[rows[np.unique(unit, return_index=True)[1]]] if spec.dynamic else None,
        doubt=("", "") if panel.calendar.even else panel.doubt,
        weights=None if weights is None else weights[rows] / weights[rows].mean(),
    )


def _check_positive(values: np.ndarray, complete: np.ndarray, what: str, panel: Panel) -> None:
    bad = np.flatnonzero(complete & ~(values > 0))
    if len(bad):
        raise DesignError(f"{what} is not positive", place=panel.place(bad[0]), fix="Correct the cell")


def _with_history(panel: Panel, before: np.ndarray, complete: np.ndarray) -> np.ndarray:
    """Rows with a lagged outcome, from each unit's first whose period before has every variable."""
    starts = complete & ~np.isnan(before).any(axis=1)
    if not starts.any():
        raise DesignError(
            "no row follows a period with outcome and regressors",
            place=panel.source,
            fix="A dynamic model needs consecutive periods of the same unit",
        )
    started = pd.Series(starts).groupby(panel.frame[panel.unit].to_numpy()).cummax().to_numpy()
    return complete & started & ~np.isnan(before[:, 0])


def _check_time(panel: Panel, spec: Spec) -> None:
    """A cross-section of units has levels alone; everything else needs a time column."""
    needs = (
        spec.time_effects != "none"
        or spec.correlated_means
        or spec.group_time_effects
        or error_registry().memory_of(spec.errors)
    )
    if panel.time is None and (needs or spec.dynamic or spec.transform != "levels"):
        raise DesignError(
            "a panel regression needs a time column",
            place=panel.source,
            fix="Read it with time=; a cross-section takes time_effects = 'none' and correlated_means = false",
        )
    if error_registry().memory_of(spec.errors):
        panel.check_distances(f"errors = '{spec.errors}'")
    if spec.unit_trends:
        panel.check_distances("a trend of each unit", even=True)


def _check_groups(key: str, name: str, column: pd.Series, keep: np.ndarray, rows: np.ndarray, source: str) -> None:
    """At least two groups, and no group of the window without a complete row."""
    left = set(column.iloc[rows].unique())
    if len(left) < 2:
        raise DesignError(
            f"{key} = '{name}' has only one group", place=source, fix=f"Leave {key} out, or widen the sample"
        )
    gone = [label for label in column[keep].dropna().unique() if label not in left]
    if gone:
        raise DesignError(
            f"group '{gone[0]}' of '{name}' has no complete row",
            place=source,
            fix="Fill its variables, or drop its rows",
        )


def subsample_designs(panel: Panel, spec: Spec, grouping: str) -> dict[str, Design]:
    """The design of each group's own regression, with one slope."""
    spec = Spec(**{**spec.model_dump(), "slopes": None})
    labels = panel.labels(grouping).where(pd.Series(panel.in_window, index=panel.frame.index))
    return {
        str(label): build_design(panel, spec, where=(labels == label).to_numpy(), weighted=True)
        for label in labels.dropna().unique()
    }


def twfe_weights(design: Design) -> np.ndarray:
    """Weights w_g with which two-way fixed effects average the slopes of groups, shape (G,); they sum to one.

    Notes
    -----
    w_g = x~'(x 1[g]) / x~'x with x~ the residual of the exposure on controls and two-way effects (Frisch, Waugh and
    Lovell). A weight can be negative. TWFE = sum_g w_g slope_g holds exactly for the slopes of the interacted
    regression (docs/statistics.md, section 1).

    References
    ----------
    de Chaisemartin & D'Haultfoeuille (2020), American Economic Review: weights of two-way fixed effects.
    """
    columns = np.column_stack([design.slope_columns.sum(axis=1), design.controls])
    residual = two_way_parts(columns, design.unit, design.time).residual
    exposure, controls = residual[:, 0], residual[:, 1:]
    if controls.shape[1]:
        exposure = exposure - controls @ np.linalg.lstsq(controls, exposure, rcond=None)[0]
    return exposure @ design.slope_columns / (exposure @ columns[:, 0])


def group_pairs(n_groups: int) -> list[tuple[int, int]]:
    """Every pair of groups once, as positions."""
    return list(itertools.combinations(range(n_groups), 2))


def check_membership(design: Design) -> None:
    """Raise `DesignError` for a unit that is in two groups."""
    if design.group is None:
        return
    order = np.argsort(design.unit, kind="stable")
    unit, group = design.unit[order], design.group[order]
    moved = np.flatnonzero((np.diff(unit) == 0) & (np.diff(group) != 0))
    if len(moved):
        at = moved[0]
        raise DesignError(
            f"unit '{design.units[unit[at]]}' is in two groups of '{design.spec.slope_group}', "
            f"'{design.groups[group[at]]}' and '{design.groups[group[at + 1]]}'",
            fix="Give each unit one group, such as the one of its first period",
        )


def slope_names(design: Design) -> tuple[str, ...]:
    """Name of each of `Design.slope_columns`."""
    if design.spec.exposure is None:
        return ()
    return tuple(f"{design.spec.exposure}:{group}" for group in design.groups) or (design.spec.exposure,)


def check_two_way(design: Design, source: str) -> None:
    """Raise `DesignError` if unit and period effects or other columns absorb a column with a slope."""
    columns = np.column_stack([design.slope_columns, design.controls])
    residual = two_way_parts(columns, design.unit, design.time).residual
    check_identified(columns, residual, (*slope_names(design), *design.spec.controls), source)
