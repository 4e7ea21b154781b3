"""Clusters of units: a column of which units are nested in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.errors import DesignError
from bayes_npp.panels.panel import Panel


@dataclass(frozen=True)
class UnitClusters:
    """The cluster of every unit, shape (N,), positions in `labels`."""

    column: str
    of_unit: np.ndarray
    labels: tuple[str, ...]


def unit_clusters(panel: Panel, units: tuple[str, ...], column: str) -> UnitClusters:
    """The clusters in which units lie, by a column of the panel.

    Raises
    ------
    PanelError
        An unknown column.
    DesignError
        A unit in two clusters, or in none that is known; fewer than two clusters.
    """
    labels = panel.labels(column)
    owner = panel.frame[panel.unit].map(str)
    rows = np.flatnonzero(panel.in_window & owner.isin(units).to_numpy())
    label, owner = labels.iloc[rows], owner.iloc[rows]
    if label.isna().any():
        raise DesignError(
            f"cluster '{column}' is blank",
            place=panel.place(rows[int(np.argmax(label.isna()))]),
            fix="Fill the cell: a unit without a cluster has no place in the covariance",
        )
    first = label.groupby(owner.to_numpy(), sort=False).first()
    own = owner.map(first)
    moved = np.flatnonzero(label.to_numpy() != own.to_numpy())
    if len(moved):
        at = moved[0]
        raise DesignError(
            f"unit '{owner.iloc[at]}' is in two clusters of '{column}', '{own.iloc[at]}' and '{label.iloc[at]}'",
            place=panel.place(rows[at]),
            fix="Clusters lie above units: name a column that is constant within units",
        )
    of_unit, names = pd.factorize(first.loc[list(units)])
    if len(names) < 2:
        raise DesignError(
            f"all units are in one cluster of '{column}'", place=panel.source, fix="Name a column with several labels"
        )
    return UnitClusters(column, of_unit, tuple(str(name) for name in names))
