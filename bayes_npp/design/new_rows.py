"""Rows to predict: their regressors and their places among the units and periods of a design."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.design.design import Design
from bayes_npp.design.lags import with_lags
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.calendar import shown
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.reading import load_panel


@dataclass(frozen=True)
class NewRows:
    """Rows of regressors, placed among units and periods that are known.

    Attributes
    ----------
    index : MultiIndex
        unit, time.
    exposure : ndarray, shape (n,), optional
    controls : ndarray, shape (n, K)
    unit, time : ndarray of int, shape (n,)
        Positions in the design's `units` and `times`.
    """

    index: pd.MultiIndex
    exposure: np.ndarray | None
    controls: np.ndarray
    unit: np.ndarray
    time: np.ndarray


def row_index(design: Design) -> pd.MultiIndex:
    """Unit and period of every row of a design."""
    units, times = np.array(design.units, dtype=object), np.array(shown(design.times), dtype=object)
    return pd.MultiIndex.from_arrays([units[design.unit], times[design.time]], names=["unit", "time"])


def own_rows(design: Design) -> NewRows:
    """The rows of the design itself."""
    return NewRows(row_index(design), design.exposure, design.controls, design.unit, design.time)


def new_rows(design: Design, new: Panel | pd.DataFrame) -> NewRows:
    """Regressors of a panel, or of a frame whose index is (unit, time), in the design's terms.

    Rows in which one is missing are left out.

    Raises
    ------
    SpecError
        Changes or a lagged outcome, whose rows need the period before.
    DesignError
        A unit or a period that the design does not have.
    PanelError
        A missing column, a frame with another index.
    """
    spec = design.spec
    if spec.transform != "levels" or spec.dynamic:
        what = "a lagged outcome" if spec.dynamic else "changes"
        raise SpecError(f"no prediction of new rows from {what}", fix="Predict from a static model in levels")
    panel = new if isinstance(new, Panel) else load_panel(new, *_index_names(new))
    panel = with_lags(panel, spec.regressors, spec.outcome)
    columns = np.column_stack([np.empty((len(panel.frame), 0)), *(panel.numbers(name) for name in spec.regressors)])
    known = ~np.isnan(columns).any(axis=1)
    frame, columns = panel.frame[known], columns[known]
    labels = frame[panel.unit].astype(str)
    unit = _places(labels, design.units, "unit")
    times = pd.Series("0", index=labels.index)
    if panel.time is not None:
        times = frame[panel.time].map(panel.calendar.label)
    time = _places(times, tuple(map(str, design.times)), "period")
    shown_times = np.array(shown(design.times), dtype=object)[time]
    return NewRows(
        pd.MultiIndex.from_arrays([labels.to_numpy(dtype=object), shown_times], names=["unit", "time"]),
        columns[:, 0] if spec.exposure else None,
        columns[:, 1:] if spec.exposure else columns,
        unit,
        time,
    )


def _index_names(frame: pd.DataFrame) -> tuple[str, str | None]:
    names = [name for name in frame.index.names if name is not None]
    if len(names) != 2:
        raise DesignError(
            "rows to predict need a unit and a period",
            fix="Give a panel (bn.read_panel), or a frame with the index (unit, time)",
        )
    return str(names[0]), str(names[1])


def _places(labels: pd.Series, known: tuple[str, ...], what: str) -> np.ndarray:
    at = {label: number for number, label in enumerate(known)}
    places = labels.map(at)
    if places.isna().any():
        raise DesignError(
            f"{what} '{labels[places.isna()].iloc[0]}' was not among the rows of the fit",
            fix="Leave its outcome blank in the panel and use bn.predict(panel, spec), which draws what is not known",
        )
    return places.to_numpy(dtype=int)


def additive(sums: np.ndarray, design: Design, rows: NewRows, effects: str = "two-way") -> np.ndarray:
    """Effects of units and periods at other rows, from their sums at the rows of the design.

    Parameters
    ----------
    sums : ndarray, shape (..., n)
        Effect of the unit plus effect of the period, at every row of the design: exactly additive.
    design : Design
    rows : NewRows
    effects : {"none", "unit", "time", "two-way"}
        Whose effects they are.

    Raises
    ------
    DesignError
        A unit and a period that no chain of rows connects, so that nothing is known of their sum.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    if effects == "none":
        return np.zeros((*sums.shape[:-1], len(rows.unit)))
    if effects != "two-way":
        own, wanted = (design.unit, rows.unit) if effects == "unit" else (design.time, rows.time)
        return sums[..., np.unique(own, return_index=True)[1]][..., wanted]
    n_units, size = len(design.units), len(design.units) + len(design.times)
    periods = n_units + design.time
    row_of = {(u, t): r for r, (u, t) in enumerate(zip(design.unit.tolist(), periods.tolist(), strict=True))}
    graph = coo_array((np.ones(design.n_obs, dtype=np.int8), (design.unit, periods)), shape=(size, size)).tocsr()
    values, part = np.zeros((*sums.shape[:-1], size)), np.full(size, -1)
    for start in range(n_units):
        if part[start] >= 0:
            continue
        order, before = breadth_first_order(graph, start, directed=False)
        part[start] = start
        for node in order[1:].tolist():
            other = int(before[node])
            values[..., node] = sums[..., row_of[min(node, other), max(node, other)]] - values[..., other]
            part[node] = start
    apart = np.flatnonzero(part[rows.unit] != part[n_units + rows.time])
    if len(apart):
        unit, time = rows.index[int(apart[0])]
        raise DesignError(
            f"nothing connects unit '{unit}' with period '{time}'",
            fix="The panel falls into parts without a common period: predict rows of one part only",
        )
    return values[..., rows.unit] + values[..., n_units + rows.time]
