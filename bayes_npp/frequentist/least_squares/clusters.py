"""What errors are clustered by: units, a column of which units are nested in, periods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.design.clusters import unit_clusters
from bayes_npp.design.design import Design
from bayes_npp.errors import SpecError
from bayes_npp.panels.panel import Panel

UNIT, BOTH = ("unit",), ("unit", "time")
SIMULATED = ("units", "periods")  # clusters of which the table of few clusters has panels


@dataclass(frozen=True)
class Clusters:
    """Clusters whose scores are summed: the position of every row, shape (n,), and how many there are."""

    name: str  # in the plural: "units", "periods", "groups of '<column>'"
    index: np.ndarray
    size: int

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Sums of the rows of each cluster, shape (size, k)."""
        return group_sums(columns, self.index, self.size)


def group_sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """Sums of the rows of each group, shape (size, k)."""
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])


def read_cluster(cluster: str | Sequence[str]) -> tuple[str, ...]:
    """("unit",), ("unit", "time") or a column, in whatever order and form they were given.

    Raises
    ------
    SpecError
        Anything else.
    """
    names = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    if len(names) == 1 and names[0] and names != ("time",):
        return names
    if sorted(names) == sorted(BOTH):
        return BOTH
    raise SpecError(
        f"unknown cluster {cluster!r}", fix="Use 'unit', ('unit', 'time') or a column of which units are nested in"
    )


def clustered_by(design: Design, panel: Panel, cluster: str | Sequence[str]) -> Design:
    """The design with the clusters of its units, where `cluster` is a column.

    Raises
    ------
    SpecError
        An unknown cluster.
    DesignError, PanelError
        As `unit_clusters`.
    """
    names = read_cluster(cluster)
    if names in (UNIT, BOTH):
        return design
    return replace(design, cluster=unit_clusters(panel, design.units, names[0]))


def unit_level(design: Design) -> Clusters:
    """Units, or the clusters that they are nested in."""
    own = design.cluster
    if own is None or len(own.labels) == len(design.units):
        return Clusters("units", design.unit, len(design.units))
    return Clusters(f"groups of '{own.column}'", own.of_unit[design.unit], len(own.labels))


def clusters_of(design: Design) -> tuple[Clusters, Clusters]:
    """Units, or what they are nested in, and periods."""
    return unit_level(design), Clusters("periods", design.time, len(design.times))


def check_clusters(design: Design, cluster: str | Sequence[str]) -> tuple[str, ...]:
    """`read_cluster`, after asking whether the design has the clusters that are named."""
    names = read_cluster(cluster)
    column = None if names in (UNIT, BOTH) else names[0]
    held = None if design.cluster is None else design.cluster.column
    if column is not None and column != held:
        raise SpecError(f"the design has no clusters by '{column}'", fix="Lay it out with `clustered_by`")
    return names


def unit_cluster(design: Design) -> str:
    """The name of `unit_level`: "unit", or the column of which units are nested in."""
    return "unit" if design.cluster is None else design.cluster.column


def check_one_way(cluster: str | Sequence[str], source: str = "") -> None:
    """Raise `SpecError` for two-way clusters, which only pooled OLS and fixed effects have."""
    if read_cluster(cluster) == BOTH:
        raise SpecError(
            f"cluster = {cluster!r} where errors have one kind of cluster",
            place=source,
            fix="Use 'unit' or a column of which units are nested in; twfe, fixed_effects and pooled_ols take both",
        )


def clustered_subsamples(
    designs: Mapping[str, Design], panel: Panel, cluster: str | Sequence[str]
) -> dict[str, Design]:
    """Designs of subsamples with their clusters."""
    return {label: clustered_by(design, panel, cluster) for label, design in designs.items()}
