"""Few clusters: how many a test needs, and how often it rejects what is true when it has few more than that."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from bayes_npp.frequentist.least_squares.clusters import SIMULATED
from bayes_npp.frequentist.least_squares.covariance import Sandwich

FEWEST_CLUSTERS = 4  # below: no test, no interval
FEWEST_PERIODS = 5  # of Driscoll-Kraay errors, whose periods are correlated
ENOUGH = 10  # from here on a test says how often it rejects only where that is clearly too often
MANY = 30  # more were not simulated
LEVEL = 0.05
TOO_OFTEN = 0.07  # two standard errors of a simulated share more are "clearly"
FIX = "covariance = 'classical' or 'robust' needs no clusters, if errors are uncorrelated"
TABLE = "few_clusters.csv"
NOT_SIMULATED = "few for its reference distribution, and how often it rejects noise is not simulated"
WILD = "wild_"  # before a covariance: the wild bootstrap with its standard error
PRODUCT_FAMILY = "indirect effect"
NULLS = {PRODUCT_FAMILY: "panels of noise where only the second path is not zero"}  # by estimator of the table


@dataclass(frozen=True)
class Measured:
    """Share of `panels` simulated panels of noise with p < 0.05, with so many units and periods."""

    family: str
    units: int
    periods: int
    panels: int
    share: float

    @property
    def error(self) -> float:
        """Standard error of a share at the level that is asked for."""
        return float(np.sqrt(TOO_OFTEN * (1 - TOO_OFTEN) / self.panels))

    def __str__(self) -> str:
        noise = NULLS.get(self.family, "panels of noise")
        return (
            f"in {self.panels} simulated {noise} with {self.units} units and {self.periods} periods p < 0.05 "
            f"in {self.share:.1%} (docs/few_clusters.md)"
        ).replace("%", " %")

    @property
    def too_often(self) -> bool:
        """Whether the share is clearly above what a right test has."""
        return self.share > TOO_OFTEN + 2 * self.error


@dataclass(frozen=True)
class Support:
    """What a test rests on: whether there is one, whether its clusters are few, and that in words."""

    refused: bool = False
    few: bool = False
    note: str = ""


def support(
    spread: Sandwich,
    combination: np.ndarray,
    family: str,
    units: int,
    periods: int,
    *,
    kind: str = "",
    group_units: int | None = None,
) -> Support:
    """How many clusters a combination of coefficients rests on, and what follows.

    Parameters
    ----------
    spread : Sandwich
    combination : ndarray, shape (k,)
    family : str
        Estimator in the table of simulated shares.
    units, periods : int
        Of the sample.
    kind : str
        Covariance in that table; default: that of `spread`.
    group_units : int, optional
        Units (or what they are nested in) of the group whose slope is tested: others say nothing of its errors.

    Notes
    -----
    Below `FEWEST_CLUSTERS` clusters (`FEWEST_PERIODS` periods of Driscoll-Kraay errors) there is no test. Below
    `ENOUGH` the note says how often the test rejects true nulls; up to `MANY` it does so where that is above 7 % by
    more than two standard errors. docs/few_clusters.md has the whole table, benchmarks/few_clusters.py makes it.

    References
    ----------
    Cameron & Miller (2015), Journal of Human Resources 50, section VI. MacKinnon, Nielsen & Webb (2023), Journal of
    Econometrics 232.
    """
    counts = {}
    for one in spread.clusters:
        counts[one.name] = spread.resting_on(combination, one)
    for name in counts:
        if group_units is not None and name != "periods":
            counts[name] = min(counts[name], group_units)
    own = kind or spread.kind
    short = []
    for name, count in counts.items():
        needed = FEWEST_PERIODS if spread.kind == "driscoll_kraay" else FEWEST_CLUSTERS
        if count < needed:
            where = " in the group" if name != "periods" and group_units is not None else ""
            short.append(f"{count} {name}{where} as clusters, and a test needs at least {needed}")
    if short:
        return Support(refused=True, note=f"no p-value, no interval: {' and '.join(short)}; {FIX}")
    units = units if group_units is None else group_units
    found = None
    if set(counts) <= set(SIMULATED):
        found = measured(family, own, counts.get("units", units), counts.get("periods", periods))
    name, fewest = min(counts.items(), key=lambda item: item[1], default=("units", units))
    few = bool(counts) and fewest < ENOUGH
    often = found is not None and fewest <= MANY and found.too_often
    if not few and not often:
        return Support()
    where = " in the group" if name != "periods" and group_units is not None else ""
    said = f"{fewest} {name}{where}" + (" as clusters" if counts else "")
    return Support(few=few, note=f"{said}: {found or NOT_SIMULATED}")


def measured(family: str, kind: str, units: int, periods: int) -> Measured | None:
    """The simulated share nearest from below in units, then in periods; None where nothing was simulated."""
    cells = _table().get((family, kind), ())
    below = [cell for cell in cells if cell.units <= units and cell.periods <= periods]
    return max(below, key=lambda cell: (cell.units, cell.periods), default=None)


def quoted(family: str, kind: str, units: int, periods: int, clusters: int | None = None) -> str:
    """What is said of a test of a specification: its share of noise, where clusters are few or it is too large."""
    found = measured(family, kind, units, periods)
    few = clusters is not None and clusters < ENOUGH
    if found is None or not (few or found.too_often):
        return ""
    return f"{clusters} units as clusters: {found}" if few else str(found)


@cache
def _table() -> dict[tuple[str, str], tuple[Measured, ...]]:
    out: dict[tuple[str, str], tuple[Measured, ...]] = {}
    text = files("bayes_npp.frequentist.least_squares").joinpath(TABLE).read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        key = row["estimator"], row["covariance"]
        cell = Measured(key[0], int(row["units"]), int(row["periods"]), int(row["panels"]), float(row["share"]))
        out[key] = (*out.get(key, ()), cell)
    return out
