"""How often tests reject what is true when units or periods are few: panels of noise, every estimator of least squares.

Usage: python benchmarks/few_clusters.py [panels] [--page]
Writes benchmarks/few_clusters.json cell by cell (a second run goes on where the first ended, and adds what is new), the
table that notes of estimates quote (bayes_npp/frequentist/least_squares/few_clusters.csv) and docs/few_clusters.md.
`--page`: the last two from what there is.

Outcome, exposure and mediator are independent standard normals, so that every slope, difference and path is zero, but
for the second path of indirect effects and for shocks of periods, where the table says so. The p-values are those the
public functions print, without their tables.
"""

import csv
import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.design.design import Design, build_design
from bayes_npp.design.left_out import LeftOut
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.dynamic.within import FAMILY
from bayes_npp.frequentist.hypotheses import specification
from bayes_npp.frequentist.hypotheses.equal_slopes import JOINT_FAMILY, equal_slopes
from bayes_npp.frequentist.least_squares import few_clusters
from bayes_npp.frequentist.least_squares.covariance import sandwich
from bayes_npp.frequentist.least_squares.few_clusters import WILD
from bayes_npp.frequentist.least_squares.inference import PROJECTED, LinearFit, t_row
from bayes_npp.frequentist.least_squares.wild_bootstrap import wild_p_value
from bayes_npp.frequentist.least_squares.wild_sandwich import wild_sandwich
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.frequentist.mediation.equations import PathEquations
from bayes_npp.frequentist.mediation.mediation import (
    PATH_FAMILY,
    PRODUCT_FAMILY,
    Options,
    Paths,
    estimate_paths,
    path_row,
    product_row,
)

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "few_clusters.json"
TABLE = Path(few_clusters.__file__).with_name(few_clusters.TABLE)
PAGE = ROOT / "docs" / "few_clusters.md"
UNITS, BETWEEN = (2, 3, 4, 10, 30), (5, 6, 7, 8, 9, 20)
PERIODS = (2, 3, 5, 9)
# More periods, for errors whose clusters they are: there static estimators and tests of the specification alone.
LONG = [(30, 15), (30, 20), (30, 30)]
CELLS = [(n, t) for t in PERIODS for n in UNITS] + [(n, t) for t in (3, 9) for n in BETWEEN] + LONG
REST = 30  # units of the other group, beside a group of so many
DRAWS = 999  # of the wild bootstrap where not all signs are taken
COVARIANCES: dict[str, tuple[str, str | tuple[str, str]]] = {
    "classical": ("classical", "unit"),
    "robust": ("robust", "unit"),
    "clustered": ("clustered", "unit"),
    "two_way_clustered": ("clustered", ("unit", "time")),
    "driscoll_kraay": ("driscoll_kraay", "unit"),
    "wild_bootstrap": ("clustered", "unit"),
    f"{WILD}two_way_clustered": ("clustered", ("unit", "time")),
    f"{WILD}driscoll_kraay": ("driscoll_kraay", "unit"),
}
PATH_COVARIANCES = ("classical", "robust", "clustered", "driscoll_kraay")
DRAWN = ("monte_carlo", "cluster_bootstrap")
PATH_DRAWS = 399
OWN, GAP = (1.0, 0.0), (1.0, -1.0)
Test = tuple[str, str, Callable[[], float]]  # estimator, covariance, p-value
BOTH_ZERO = f"{PRODUCT_FAMILY}, both paths zero"
SHOCKS = "FE unit, shocks of periods in both"
MEMORY = 0.5  # of these shocks
ASIDE = ("own period", "both paths", "shocks of")  # tables of the page that no note quotes
TEXT = """# Few clusters: how often noise is significant

Written by `benchmarks/few_clusters.py`; the numbers are in `benchmarks/few_clusters.json`. Balanced panels of
independent standard normals: no slope, difference or path is there. Share (in %) of {panels} panels with p < 0.05 under
the convention "stata"; a right test has 5.0, with a Monte Carlo error of {error}. "none": no p-value is printed,
because fewer than 4 clusters (5 periods with Driscoll-Kraay errors) say nothing of the errors' variance, or because the
variance is rounding (two units, or two periods, whose scores cancel).

A row whose clusters number 4 to 9 quotes its share in its note, and the wild bootstrap's p-value; a row with 10 to 30
quotes it where it is above 7 % by more than two Monte Carlo errors. The share quoted is
that of the nearest number of units, then of periods, not above the sample's. Noise here is independent and normal:
with other errors the shares are others. A group's slope and its difference from another group
count the units of the smaller group (here beside a group of 30 units): the other units say nothing of its errors. With
own period effects a group's slope is that of a subsample. The lagged outcome takes one of the periods shown. Cells
left blank were not simulated.

"wild_bootstrap" draws signs of units. "wild_two_way_clustered" and "wild_driscoll_kraay" draw signs of the dimension
with fewer clusters, the null imposed, and divide every draw by the standard error of their name. With 4 or 5 clusters
such a test has no p-value below 0.0625 and never rejects.

Signs of periods break what one period shares with the next, which Driscoll-Kraay errors are made for. The table
"{shocks}" has a shock of every period in the exposure and another in the outcome, each with an
autocorrelation of {memory} from one period to the next and as large as the noise: no slope is there either. There
errors clustered by unit reject noise in half of the panels, Driscoll-Kraay's t in 13 to 20 %, the wild bootstrap with
Driscoll-Kraay errors in 6 to 7 %. With a longer memory it is no better founded than they are.

An indirect effect is zero where one of its paths is: its table has a second path of one, which is the hard case, and
notes quote it. Where both paths are zero every interval of a product rejects far too seldom. Intervals that are drawn
({draws} draws here): of the paths' joint normal ("monte_carlo", clustered errors), and of units
("cluster_bootstrap", percentiles).

Tests of a specification: Hausman's needs no clusters. Pesaran's CD after period effects rejects noise because they make
residuals sum to zero over units. The joint test of equal slopes has three groups, of the units shown, 15 and 15.
"""


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    panels = numbers[0] if numbers else 1000
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for units, periods in CELLS if "--page" not in sys.argv else ():
        key = f"{units} units, {periods} periods"
        old = results.get(key, {"rows": []})["rows"]
        rows = cell(units, periods, old, panels)
        if rows != old:
            results[key] = {"units": units, "periods": periods, "rows": rows}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(key, flush=True)
    write_table(results)
    write_page(results)


def cell(units: int, periods: int, old: list[dict[str, Any]], panels: int) -> list[dict[str, Any]]:
    """Of every estimator and covariance: how many panels have a p-value, and how many of these are below 0.05."""
    found = {(row["estimator"], row["covariance"]): dict(row) for row in old}
    base = {group: base_design(units, periods, group) for group in (False, True)}
    kinds = [test[:2] for test in tests(base, np.random.default_rng(0))]
    missing = {kind for kind in kinds if found.get(kind, {"panels": 0})["panels"] < panels}
    gc.freeze()  # a library collects garbage at every call
    for number in range(panels) if missing else ():
        for estimator, covariance, p_value in tests(base, np.random.default_rng([units, periods, number])):
            blank = {"estimator": estimator, "covariance": covariance, "panels": 0, "printed": 0, "below": 0}
            row = found.setdefault((estimator, covariance), blank)
            if (estimator, covariance) in missing and row["panels"] == number:
                p = p_value()
                row["panels"] += 1
                row["printed"] += int(not np.isnan(p))
                row["below"] += int(p < 0.05)
    return [found[kind] for kind in kinds]


def base_design(units: int, periods: int, grouped: bool) -> Design:
    """The design of a balanced panel, its columns to be replaced; with groups, a second one of `REST` units."""
    total = units + REST if grouped else units
    unit = np.repeat(np.arange(total), periods)
    frame = pd.DataFrame({"unit": [f"u{i:03d}" for i in unit], "time": np.tile(np.arange(periods) + 2001, total)})
    frame = frame.assign(y=np.arange(len(unit)) % 3, x=np.arange(len(unit)) % 5, g=np.where(unit < units, "a", "b"))
    panel = bn.read_panel(frame, unit="unit", time="time")
    slopes = {"slopes": "g", "group_time_effects": "g"} if grouped else {}
    return build_design(panel, bn.Spec(outcome="y", exposure="x", **slopes))


def tests(base: dict[bool, Design], random: np.random.Generator) -> Iterator[Test]:
    """Estimator, covariance and p-value (when called) of every row that is about the exposure."""
    plain = base[False]
    units, periods = len(plain.units), len(plain.times)
    y, x, m = random.standard_normal((3, plain.n_obs))
    design = replace(plain, outcome=y, exposure=x)
    for effects, estimator in PROJECTED.items():
        yield from under_every(design, effects, estimator, COVARIANCES)
    if periods <= PERIODS[-1]:
        if periods > 2:
            lag = np.where(design.time > 0, np.roll(y, 1), np.nan)
            later = rows_of(with_control(design, lag), design.time > 0)
            yield from under_every(later, "two-way", FAMILY, PATH_COVARIANCES)
        yield from of_groups(base[True], units, random)
        for second, family in ((1.0, PRODUCT_FAMILY), (0.0, BOTH_ZERO)):
            yield from of_paths(design, m, second, family)
    yield from of_the_specification(design)
    yield from with_shocks(design, random)


def of_groups(own: Design, units: int, random: np.random.Generator) -> Iterator[Test]:
    """Slope of the first group, its difference from the second, and the joint test of three."""
    y, x = random.standard_normal((2, own.n_obs))
    own = replace(own, outcome=y, exposure=x)
    shared = replace(own, group_time=None, spec=Spec(**{**own.spec.model_dump(), "group_time_effects": None}))
    for label, grouped in (("", shared), (", own period effects", own)):
        for contrast, family in ((OWN, "group slope"), (GAP, "slope difference")):
            covariances = PATH_COVARIANCES if label else COVARIANCES
            yield from under_every(grouped, "two-way", family + label, covariances, contrast, units, family)
    third = np.where(shared.unit < units, 0, np.where(shared.unit < units + REST // 2, 1, 2))
    three = replace(shared, group=third, groups=("a", "b", "c"))
    for name in PATH_COVARIANCES:
        yield JOINT_FAMILY, name, or_none(lambda name=name: equal_slopes(three, name).p_value)


def with_shocks(design: Design, random: np.random.Generator) -> Iterator[Test]:
    """A shock of every period in exposure and outcome, each with memory and of variance one."""
    shocks = random.standard_normal((2, len(design.times)))
    for t in range(1, shocks.shape[1]):
        shocks[:, t] = MEMORY * shocks[:, t - 1] + (1 - MEMORY**2) ** 0.5 * shocks[:, t]
    x, y = shocks[:, design.time]
    shaken = replace(design, exposure=design.exposure + x, outcome=design.outcome + y)
    yield from under_every(shaken, "unit", SHOCKS, COVARIANCES)


def of_the_specification(design: Design) -> Iterator[Test]:
    """Hausman's test, Pesaran's CD under every effects, Wooldridge's test."""
    yield specification.HAUSMAN, "", or_none(lambda: specification.hausman_test(design, "noise").p_value)
    for effects in PROJECTED:
        yield (
            specification.CD,
            effects,
            or_none(lambda effects=effects: specification.pesaran_cd_test(design, effects, "noise").p_value),
        )
    if len(design.times) > 3:
        yield (
            specification.SERIAL,
            "",
            or_none(lambda: specification.wooldridge_test(changes_of(design), False, "noise").p_value),
        )


def or_none(p_value: Callable[[], float]) -> Callable[[], float]:
    """NaN in place of an error of the design."""

    def found() -> float:
        try:
            return p_value()
        except (DesignError, SpecError):
            return np.nan

    return found


def changes_of(design: Design) -> Design:
    """The design in first differences (of a balanced panel, rows sorted by unit and period)."""
    names = ("outcome", "exposure")
    arrays = {name: getattr(design, name) - np.roll(getattr(design, name), 1) for name in names}
    spec = Spec(**{**design.spec.model_dump(), "transform": "first_difference"})
    return rows_of(replace(design, spec=spec, **arrays), design.time > 0)


def with_control(design: Design, column: np.ndarray) -> Design:
    return replace(design, controls=column[:, None], spec=Spec(**{**design.spec.model_dump(), "controls": ("m",)}))


def rows_of(design: Design, kept: np.ndarray) -> Design:
    """The design on some of its rows, all of them after the first period."""
    columns = {name: getattr(design, name)[kept] for name in ("outcome", "exposure", "controls", "unit")}
    return replace(design, **columns, time=design.time[kept] - 1, times=design.times[1:])


def under_every(
    design: Design,
    effects: str,
    label: str,
    covariances: Iterable[str],
    contrast: tuple[float, ...] = (1.0,),
    group_units: int | None = None,
    family: str = "",
) -> Iterator[Test]:
    """Tests under every covariance; NaN where there is none, or no degrees of freedom, or more lags than periods."""
    solved = cache(lambda: within_fit(design, effects))

    def found(name: str) -> float:
        one = solved()
        combination = np.zeros(len(one.names))
        combination[: len(contrast)] = contrast
        arrays = (one.names, one.influence, one.residuals, one.counts, one.columns, one.noise)
        covariance, cluster = COVARIANCES[name]
        spread = sandwich(design, *arrays, covariance, "stata", None, cluster, "noise")
        fit = LinearFit(design, effects, one, spread)
        p = float(t_row(fit, combination, family or label, kind=name, group_units=group_units)["p_value"])
        if not name.startswith(WILD) or np.isnan(p):
            return p
        if name == "wild_bootstrap":
            return wild_p_value(design, effects, one, combination, DRAWS)
        return wild_sandwich(design, effects, one, spread, combination, draws=DRAWS).p_value

    for name in covariances:
        yield label, name, or_none(lambda name=name: found(name))


def of_paths(design: Design, mediator: np.ndarray, second: float, family: str) -> Iterator[Test]:
    """The indirect effect under every covariance and interval and, where it is zero too, the first path."""
    outcome = replace(design, outcome=design.outcome + second * mediator)
    equations = PathEquations(
        spec=design.spec,
        mediators=("m",),
        total=outcome,
        by_mediator=(replace(design, outcome=mediator),),
        outcome=with_control(outcome, mediator),
        left_out=LeftOut(),
    )
    every = [(name, name, "delta") for name in PATH_COVARIANCES] + [(name, "clustered", name) for name in DRAWN]
    for name, covariance, interval in every:
        options = Options("product", "two-way", covariance, interval, PATH_DRAWS, 1, "stata", None)
        paths = cache(lambda options=options: estimate_paths(equations, options, "noise")[0])
        yield family, name, or_none(lambda paths=paths: float(product_row(paths(), np.ones(1))["p_value"]))
        if second == 0.0 and interval != "monte_carlo":
            yield PATH_FAMILY, name, or_none(lambda paths=paths, name=name: first_path(paths(), name))


def first_path(paths: Paths, kind: str) -> float:
    """p-value of the path from exposure to mediator."""
    at = paths.a(0)
    if paths.draws is not None:
        return float(path_row(paths, at)["p_value"])
    return float(t_row(paths.stacked.fits[at], paths.stacked.own(at), PATH_FAMILY, kind=kind)["p_value"])


def write_table(results: dict[str, Any]) -> None:
    """The shares that notes quote, most units and periods last."""
    rows = [
        (row["estimator"], row["covariance"], cell["units"], left(row, cell), row["panels"], row["below"])
        for cell in results.values()
        for row in cell["rows"]
        if row["printed"] and not any(word in row["estimator"] for word in ASIDE)
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
    sizes = sorted({row["panels"] for cell in results.values() for row in cell["rows"]})
    tables = []
    for estimator in dict.fromkeys(row["estimator"] for cell in results.values() for row in cell["rows"]):
        lines = {}
        for (units, periods), cell in sorted(cells.items(), key=lambda item: item[0][::-1]):
            for row in cell["rows"]:
                if row["estimator"] == estimator:
                    share = f"{100 * row['below'] / row['panels']:.1f}" if row["printed"] else "none"
                    lines.setdefault((periods, units), {})[row["covariance"]] = share
        order = [*COVARIANCES, *DRAWN, *PROJECTED, ""]
        frame = pd.DataFrame.from_dict(lines, orient="index").reindex(columns=order).dropna(axis=1, how="all")
        frame = frame.rename(columns={"": "share", **PROJECTED})
        frame.insert(0, "units", [units for _, units in lines])
        frame.insert(0, "periods", [periods for periods, _ in lines])
        body = frame.fillna("").to_markdown(index=False, disable_numparse=True)
        tables.append(f"### {estimator[0].upper()}{estimator[1:]}\n\n{body}\n")
    error = 100 * (0.05 * 0.95 / max(sizes)) ** 0.5
    words = {"panels": " or ".join(map(str, sizes)), "error": f"{error:.1f}", "shocks": SHOCKS, "memory": MEMORY}
    PAGE.write_text(TEXT.format(**words, draws=PATH_DRAWS) + "\n" + "\n".join(tables))


if __name__ == "__main__":
    main()
