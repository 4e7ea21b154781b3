"""How often GMM finds something in panels of noise: the share of p-values below .05 where nothing is there.

Usage: python benchmarks/gmm_noise.py [panels]
Writes benchmarks/gmm_noise.json after every block of panels (a second run goes on where the first stopped), then the
table that notes of estimates quote (bayes_npp/frequentist/dynamic/noise.csv) and docs/gmm_noise.md.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtr
from threadpoolctl import threadpool_limits

import bayes_npp as bn
from bayes_npp.frequentist.dynamic import noise as shares
from bayes_npp.frequentist.dynamic.fit import GmmFit, fit_gmm
from bayes_npp.frequentist.dynamic.gmm import small_sample
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "gmm_noise.json"
TABLE = Path(shares.__file__).with_name(shares.TABLE)
PAGE = ROOT / "docs" / "gmm_noise.md"
UNITS, PERIODS = (10, 30, 100), (5, 9)
BLOCK, LEVEL = 100, 0.05
# The regressors are a lag of the outcome and an exposure; instruments as they are mostly declared, and as few.
INSTRUMENTS = {
    "by period": {"gmm": (("y", 2, None), ("x", 1, None)), "collapse": False},
    "collapsed": {"gmm": (("y", 2, 4), ("x", 1, 3)), "collapse": True},
}
DUMMIES = {"difference": "differenced", "system": "level"}
ERRORS = {  # steps, Windmeijer's correction, robust
    "one-step classical": (1, False, False),
    "one-step robust": (1, False, True),
    "two-step uncorrected": (2, False, True),
    "two-step Windmeijer": (2, True, True),
}
COLUMNS = ("estimator", "instruments", "errors", "reference", "estimand")
TITLES = {
    "short run": "Slope of the exposure (short run)",
    "lagged outcome": "Coefficient of the lagged outcome",
    "long run": "Long-run slope of the exposure",
}
TEXT = """
# GMM in panels of noise: how often it finds something

Written by `benchmarks/gmm_noise.py`; the numbers are in `benchmarks/gmm_noise.json`. Balanced panels: outcome and
exposure are independent standard normals, each with standard normal effects of units; there is no persistence and no
slope. The outcome is regressed on its first lag and the exposure, with time dummies, in first differences or as a
system, h = 3. Instruments by period: lags 2 and up of the outcome, 1 and up of the exposure; collapsed: lags 2 to 4
and 1 to 3, one column a lag. Reference: the normal, or t with `small`.

Share (in %) of {panels} panels with p < 0.05, among those with a p-value; a right test has 5.0, with a Monte Carlo
error of {error}. "none" counts panels without one: the estimated variance is not positive, or the lag's coefficient
reaches 1. A row of GMM quotes in its note the share of the nearest number of units, then of periods.

With instruments by period, many beside the units, a lagged outcome is found far too often in one step, and p-values
of two steps mean nothing where the weighting matrix is singular. Uncorrected two-step errors are too small, and
classical errors of a one-step system take its level equations to have no effects of units. Collapsed instruments,
robust or Windmeijer's errors and `small` come nearest to 5 %.
"""


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with threadpool_limits(limits=1):
        for units in UNITS:
            for periods in PERIODS:
                name = f"{units} units, {periods} periods"
                cell = results.setdefault(name, {"panels": 0, "rejected": {}, "no_p": {}})
                while cell["panels"] < wanted:
                    start = cell["panels"]
                    for seed in range(start, min(start + BLOCK, wanted)):
                        count(cell, p_values(noise(units, periods, seed)))
                        cell["panels"] += 1
                    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                    print(f"{name}: {cell['panels']} of {wanted}", flush=True)
    write_table(results)
    write_page(results)


def noise(units: int, periods: int, seed: int) -> bn.Panel:
    """Outcome and exposure, independent of each other and over time; each has effects of units."""
    rng = np.random.default_rng([seed, units, periods])
    values = rng.normal(size=(2, units, 1)) + rng.normal(size=(2, units, periods))
    unit, period = np.indices((units, periods)).reshape(2, -1)
    frame = pd.DataFrame({"unit": unit + 1, "period": period + 1, "y": values[0].ravel(), "x": values[1].ravel()})
    return bn.read_panel(frame, unit="unit", time="period")


def p_values(panel: bn.Panel) -> dict[str, float]:
    """p-values by estimator, instruments, errors, reference distribution and estimand."""
    out = {}
    for kind, dummies in DUMMIES.items():
        for instruments, options in INSTRUMENTS.items():
            equations = Equations("y", ("L1.y", "x"), system=kind == "system", time_dummies=dummies, **options)
            moments = build_moments(panel, equations)
            for errors, (steps, windmeijer, robust) in ERRORS.items():
                fit = fit_gmm(moments, steps, windmeijer, robust, 3)
                for small in (False, True):
                    name = f"{kind} | {instruments} | {errors} | {'t' if small else 'normal'}"
                    out |= {f"{name} | {estimand}": p for estimand, p in of_estimands(fit, small).items()}
    return out


def of_estimands(fit: GmmFit, small: bool) -> dict[str, float]:
    """The p-values of `dynamic_rows`, without its other cells: none where it prints none."""
    factor, df = small_sample(fit) if small else (1.0, np.inf)
    lag, slope = fit.coefficients[:2]
    covariance = factor * fit.covariance[:2, :2]
    long_run = slope / (1 - lag)
    gradients = {
        "lagged outcome": (lag, np.array([1.0, 0.0])),
        "short run": (slope, np.array([0.0, 1.0])),
        "long run": (long_run, np.array([long_run, 1.0]) / (1 - lag)),
    }
    out = {}
    for estimand, (estimate, gradient) in gradients.items():
        variance = gradient @ covariance @ gradient
        printed = variance > 0 and (estimand != "long run" or lag < 1)
        out[estimand] = float(2 * stdtr(df, -abs(estimate) / np.sqrt(variance))) if printed else np.nan
    return out


def count(cell: dict, found: dict[str, float]) -> None:
    for name, p in found.items():
        cell["rejected"][name] = cell["rejected"].get(name, 0) + int(p < LEVEL)
        cell["no_p"][name] = cell["no_p"].get(name, 0) + int(np.isnan(p))


def measured_rows(results: dict) -> list[dict]:
    """One row a cell of the table: the share of p-values below .05 among those that there are."""
    rows = []
    for name, cell in results.items():
        units, periods = (int(number) for number in re.findall(r"\d+", name))
        for key, rejected in cell["rejected"].items():
            panels = cell["panels"] - cell["no_p"][key]
            cells = dict(zip(COLUMNS, key.split(" | "), strict=True))
            rows.append(cells | {"units": units, "periods": periods, "panels": panels, "share": rejected / panels})
    return rows


def write_table(results: dict) -> None:
    frame = pd.DataFrame(measured_rows(results)).sort_values([*COLUMNS, "units", "periods"])
    frame.to_csv(TABLE, index=False, float_format="%.4f", lineterminator="\n")


def write_page(results: dict) -> None:
    panels = min(cell["panels"] for cell in results.values())
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / panels)
    frame = pd.DataFrame(measured_rows(results))
    missing = {name: cell["panels"] for name, cell in results.items()}
    parts = [TEXT.format(panels=f"{panels:,}", error=f"{error:.1f}").strip()]
    for estimand, title in TITLES.items():
        block = frame[frame["estimand"] == estimand].copy()
        block["cell"] = [f"{row.units} units, {row.periods} periods" for row in block.itertuples()]
        block["text"] = [
            f"{100 * row.share:.1f}" + (f" ({missing[row.cell] - row.panels} none)" * (row.panels < missing[row.cell]))
            for row in block.itertuples()
        ]
        table = block.pivot(index=list(COLUMNS[:-1]), columns="cell", values="text")[list(results)].reset_index()
        parts += [f"## {title}", table.rename_axis(columns=None).to_markdown(index=False, disable_numparse=True)]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
