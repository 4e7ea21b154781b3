"""How often tests reject what is true when units or periods are few: panels of noise, every estimator of least squares.

Usage: python benchmarks/few_clusters.py [panels] [--page]
Writes benchmarks/few_clusters.json cell by cell (a second run goes on where the first ended), the table that notes of
estimates quote (bayes_npp/frequentist/least_squares/few_clusters.csv) and docs/few_clusters.md. `--page`: the last two
from what there is.

Outcome, exposure and mediator are independent standard normals, so that every slope, difference and path is zero. The
p-values are those the public functions print, without their tables.
"""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.design.design import Design, build_design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.dynamic.within import FAMILY
from bayes_npp.frequentist.least_squares import few_clusters
from bayes_npp.frequentist.least_squares.covariance import sandwich
from bayes_npp.frequentist.least_squares.few_clusters import support
from bayes_npp.frequentist.least_squares.inference import ESTIMATORS, LinearFit, row_of, t_row
from bayes_npp.frequentist.least_squares.wild_bootstrap import wild_p_value
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.frequentist.mediation.mediation import PATH_FAMILY, PRODUCT_FAMILY
from bayes_npp.frequentist.mediation.stacked import stack

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "few_clusters.json"
TABLE = Path(few_clusters.__file__).with_name(few_clusters.TABLE)
PAGE = ROOT / "docs" / "few_clusters.md"
UNITS, BETWEEN = (2, 3, 4, 10, 30), (5, 6, 7, 8, 9, 20)
PERIODS = (2, 3, 5, 9)
# More periods, for errors whose clusters they are; there the static estimators alone.
CELLS = [(n, t) for t in PERIODS for n in UNITS] + [(n, t) for t in (3, 9) for n in BETWEEN] + [(30, 15), (30, 20)]
REST = 30  # units of the other group, beside a group of so many
DRAWS = 999  # of the wild bootstrap where not all signs are taken
COVARIANCES: dict[str, tuple[str, str | tuple[str, str]]] = {
    "classical": ("classical", "unit"),
    "robust": ("robust", "unit"),
    "clustered": ("clustered", "unit"),
    "two_way_clustered": ("clustered", ("unit", "time")),
    "driscoll_kraay": ("driscoll_kraay", "unit"),
    "wild_bootstrap": ("clustered", "unit"),
}
PATH_COVARIANCES = ("classical", "robust", "clustered", "driscoll_kraay")
OWN, GAP = (1.0, 0.0), (1.0, -1.0)
TEXT = """# Few clusters: how often noise is significant

Written by `benchmarks/few_clusters.py`; the numbers are in `benchmarks/few_clusters.json`. Balanced panels of
independent standard normals: no slope, difference or path is there. Share (in %) of {panels} panels with p < 0.05 under
the convention "stata"; a right test has 5.0, with a Monte Carlo error of {error}. "none": no p-value is printed,
because fewer than 4 clusters (5 periods with Driscoll-Kraay errors) say nothing of the errors' variance, or because the
variance is rounding (two units, or two periods, whose scores cancel).

A row whose clusters number 4 to 9 quotes its share in its note, and the wild bootstrap's p-value where units are the
clusters; a row with 10 to 29 quotes it where it is above 7 % by more than two Monte Carlo errors. The share quoted is
that of the nearest number of units, then of periods, not above the sample's. Noise here is independent and normal:
with other errors the shares are others. A group's slope and its difference from another group
count the units of the smaller group (here beside a group of 30 units): the other units say nothing of its errors. With
own period effects a group's slope is that of a subsample. Indirect effects are products of two paths that are both
zero: the delta method then rejects far too seldom. The lagged outcome takes one of the periods shown.
"""


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    panels = numbers[0] if numbers else 1000
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for units, periods in CELLS if "--page" not in sys.argv else ():
        key = f"{units} units, {periods} periods"
        old = results.get(key, {"panels": 0, "rows": []})
        if old["panels"] < panels:
            rows = cell(units, periods, old, panels)
            results[key] = {"units": units, "periods": periods, "panels": panels, "rows": rows}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(key, flush=True)
    write_table(results)
    write_page(results)


def cell(units: int, periods: int, old: dict[str, Any], panels: int) -> list[dict[str, Any]]:
    """Of every estimator and covariance: how many panels have a p-value, and how many of these are below 0.05."""
    found = {(row["estimator"], row["covariance"]): [row["printed"], row["below"]] for row in old["rows"]}
    base = {group: base_design(units, periods, group) for group in (False, True)}
    for number in range(old["panels"], panels):
        random = np.random.default_rng([units, periods, number])
        for estimator, covariance, p in p_values(base, random):
            counts = found.setdefault((estimator, covariance), [0, 0])
            counts[0] += int(not np.isnan(p))
            counts[1] += int(p < 0.05)
    return [
        {"estimator": estimator, "covariance": covariance, "printed": printed, "below": below}
        for (estimator, covariance), (printed, below) in found.items()
    ]


def base_design(units: int, periods: int, grouped: bool) -> Design:
    """The design of a balanced panel, its columns to be replaced; with groups, a second one of `REST` units."""
    total = units + REST if grouped else units
    unit = np.repeat(np.arange(total), periods)
    frame = pd.DataFrame({"unit": [f"u{i:03d}" for i in unit], "time": np.tile(np.arange(periods) + 2001, total)})
    frame = frame.assign(y=np.arange(len(unit)) % 3, x=np.arange(len(unit)) % 5, g=np.where(unit < units, "a", "b"))
    panel = bn.read_panel(frame, unit="unit", time="time")
    slopes = {"slopes": "g", "group_time_effects": "g"} if grouped else {}
    return build_design(panel, bn.Spec(outcome="y", exposure="x", **slopes))


def p_values(base: dict[bool, Design], random: np.random.Generator) -> Iterator[tuple[str, str, float]]:
    """Estimator, covariance and p-value of every row that is about the exposure."""
    plain = base[False]
    units, periods = len(plain.units), len(plain.times)
    y, x, m = random.standard_normal((3, plain.n_obs))
    design = replace(plain, outcome=y, exposure=x)
    for effects, estimator in ESTIMATORS.items():
        yield from under_every(design, effects, estimator, COVARIANCES)
    if periods > PERIODS[-1]:
        return
    mediator = replace(design, outcome=m)
    outcome = with_control(design, m)
    for name in PATH_COVARIANCES:
        yield from path_p_values(mediator, outcome, name)
    if periods > 2:
        lag = np.where(design.time > 0, np.roll(y, 1), np.nan)
        yield from under_every(rows_of(with_control(design, lag), design.time > 0), "two-way", FAMILY, PATH_COVARIANCES)
    own = base[True]
    y, x = random.standard_normal((2, own.n_obs))
    own = replace(own, outcome=y, exposure=x)
    shared = replace(own, group_time=None, spec=Spec(**{**own.spec.model_dump(), "group_time_effects": None}))
    for label, grouped in (("", shared), (", own period effects", own)):
        for contrast, family in ((OWN, "group slope"), (GAP, "slope difference")):
            covariances = PATH_COVARIANCES if label else COVARIANCES
            for _, name, p in under_every(grouped, "two-way", family, covariances, contrast, units):
                yield family + label, name, p


def with_control(design: Design, column: np.ndarray) -> Design:
    return replace(design, controls=column[:, None], spec=Spec(**{**design.spec.model_dump(), "controls": ("m",)}))


def rows_of(design: Design, kept: np.ndarray) -> Design:
    """The design on some of its rows, all of them after the first period."""
    columns = {name: getattr(design, name)[kept] for name in ("outcome", "exposure", "controls", "unit")}
    return replace(design, **columns, time=design.time[kept] - 1, times=design.times[1:])


def under_every(
    design: Design,
    effects: str,
    family: str,
    covariances: Iterable[str],
    contrast: tuple[float, ...] = (1.0,),
    group_units: int | None = None,
) -> Iterator[tuple[str, str, float]]:
    """p-values under every covariance; NaN where there is none, or no degrees of freedom, or more lags than periods."""
    try:
        solved = within_fit(design, effects)
    except DesignError:
        yield from ((family, name, np.nan) for name in covariances)
        return
    combination = np.zeros(len(solved.names))
    combination[: len(contrast)] = contrast
    arrays = (solved.names, solved.influence, solved.residuals, solved.counts, solved.columns, solved.noise)
    for name in covariances:
        wild = name == "wild_bootstrap"
        covariance, cluster = COVARIANCES["clustered" if wild else name]
        try:
            spread = sandwich(design, *arrays, covariance, "stata", None, cluster, "noise")
        except SpecError:
            yield family, name, np.nan
            continue
        fit = LinearFit(design, effects, solved, spread)
        found = float(t_row(fit, combination, family, kind=name, group_units=group_units)["p_value"])
        if wild and not np.isnan(found):
            found = wild_p_value(design, effects, solved, combination, DRAWS)
        yield family, name, found


def path_p_values(mediator: Design, outcome: Design, name: str) -> Iterator[tuple[str, str, float]]:
    """The mediator's own path and the indirect effect by the delta method."""
    wanted = ((mediator, "x"), (outcome, "m"))
    try:
        stacked = stack(wanted, "two-way", name, "stata", None, "noise")
    except (DesignError, SpecError):
        return
    sizes = (len(outcome.units), len(outcome.times))
    a, b = stacked.coefficients
    yield PATH_FAMILY, name, float(t_row(stacked.fits[0], stacked.own(0), PATH_FAMILY, kind=name)["p_value"])
    gradient = np.array([b, a])
    rests = support(stacked.spread, gradient, PRODUCT_FAMILY, *sizes)
    yield PRODUCT_FAMILY, name, float(row_of(a * b, gradient, stacked.spread, rests, None)["p_value"])


def write_table(results: dict[str, Any]) -> None:
    """The shares that notes quote, most units and periods last."""
    rows = [
        (row["estimator"], row["covariance"], cell["units"], left(row, cell), cell["panels"], row["below"])
        for cell in results.values()
        for row in cell["rows"]
        if row["printed"] and "own period" not in row["estimator"]
    ]
    rows.sort()
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["estimator", "covariance", "units", "periods", "panels", "share"])
        writer.writerows([*row[:5], f"{row[5] / row[4]:.4f}"] for row in rows)


def left(row: dict[str, Any], cell: dict[str, Any]) -> int:
    """Periods of the estimation sample: a lag takes one."""
    return int(cell["periods"]) - (row["estimator"] == FAMILY)


def write_page(results: dict[str, Any]) -> None:
    """docs/few_clusters.md."""
    cells = {(cell["units"], cell["periods"]): cell for cell in results.values()}
    sizes = sorted({cell["panels"] for cell in results.values()})
    tables = []
    for estimator in dict.fromkeys(row["estimator"] for cell in results.values() for row in cell["rows"]):
        lines = {}
        for (units, periods), cell in sorted(cells.items(), key=lambda item: item[0][::-1]):
            for row in cell["rows"]:
                if row["estimator"] == estimator:
                    share = f"{100 * row['below'] / cell['panels']:.1f}" if row["printed"] else "none"
                    lines.setdefault((periods, units), {})[row["covariance"]] = share
        frame = (
            pd.DataFrame.from_dict(lines, orient="index").reindex(columns=list(COVARIANCES)).dropna(axis=1, how="all")
        )
        frame.insert(0, "units", [units for _, units in lines])
        frame.insert(0, "periods", [periods for periods, _ in lines])
        body = frame.fillna("").to_markdown(index=False, disable_numparse=True)
        tables.append(f"### {estimator[0].upper()}{estimator[1:]}\n\n{body}\n")
    error = 100 * (0.05 * 0.95 / max(sizes)) ** 0.5
    PAGE.write_text(TEXT.format(panels=" or ".join(map(str, sizes)), error=f"{error:.1f}") + "\n" + "\n".join(tables))


if __name__ == "__main__":
    main()
