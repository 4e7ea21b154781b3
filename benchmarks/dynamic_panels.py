"""Bias and coverage of dynamic panel estimators where provincial papers use them: 30 units, 9 years.

Usage: python benchmarks/dynamic_panels.py [replications] [replications of the Bayesian model]
Writes benchmarks/dynamic_panels.json and docs/dynamic_panels.md.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "dynamic_panels.json"
UNITS, YEARS, SLOPE = 30, 9, 0.4
PERSISTENCE = (0.3, 0.8)
REGRESSORS = ["L1.outcome", "exposure"]
COLLAPSED = [("outcome", 2, 4), ("exposure", 1, 3)]
ALL_LAGS = [("outcome", 2, None), ("exposure", 1, None)]
GMM = {"outcome": "outcome", "regressors": REGRESSORS, "small": True}
ESTIMATORS = {
    "within, two-way (Nickell-biased)": lambda panel: bn.dynamic_within(
        panel, outcome="outcome", regressors=REGRESSORS
    ),
    "difference GMM, collapsed, one step": lambda panel: bn.difference_gmm(
        panel, **GMM, gmm=COLLAPSED, collapse=True, steps=1, time_dummies="differenced"
    ),
    "difference GMM, collapsed, two-step Windmeijer": lambda panel: bn.difference_gmm(
        panel, **GMM, gmm=COLLAPSED, collapse=True, time_dummies="differenced"
    ),
    "system GMM, collapsed, one step": lambda panel: bn.system_gmm(
        panel, **GMM, gmm=COLLAPSED, collapse=True, steps=1, time_dummies="level"
    ),
    "system GMM, collapsed, two-step Windmeijer": lambda panel: bn.system_gmm(
        panel, **GMM, gmm=COLLAPSED, collapse=True, time_dummies="level"
    ),
    "system GMM, all lags, two-step Windmeijer": lambda panel: bn.system_gmm(
        panel, **GMM, gmm=ALL_LAGS, time_dummies="level"
    ),
}
BAYES = "Bayesian, correlated initial conditions (Wooldridge)"


def main() -> None:
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bayesian = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    results = []
    for persistence in PERSISTENCE:
        draws: dict[str, list[pd.DataFrame]] = {name: [] for name in (*ESTIMATORS, BAYES)}
        instruments: dict[str, int] = {}
        for seed in range(replications):
            frame = bn.simulate_dynamic(UNITS, YEARS - 1, persistence, SLOPE, seed=seed).frame
            panel = bn.read_panel(frame, unit="unit", time="time")
            for name, estimator in ESTIMATORS.items():
                table = estimator(panel)
                draws[name].append(wanted(table.frame))
                instruments[name] = table.diagnostics.get("n_instruments", 0)
            if seed < bayesian:
                draws[BAYES].append(wanted(bayes(panel, seed)))
            if seed % 50 == 49:
                print(f"rho = {persistence}: {seed + 1} of {replications}", flush=True)
        for name, rows in draws.items():
            if rows:
                results += summarise(name, persistence, rows, instruments.get(name, 0))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    write_page(results)


def bayes(panel: bn.Panel, seed: int) -> pd.DataFrame:
    spec = bn.Spec(outcome="outcome", exposure="exposure", dynamic=True)
    sampler = make_sampler("collapsed", 1000, 2, seed)
    priors = load_priors("weakly_informative")
    return fit_design(build_design(panel, spec), priors, sampler, "collapsed").estimates().frame


def wanted(frame: pd.DataFrame) -> pd.DataFrame:
    """The lag and the short-run slope."""
    lag = frame[frame["term"] == "L1.outcome"].iloc[:1]
    slope = frame[(frame["term"] == "exposure") & (frame["estimand"] == "short_run")]
    return pd.concat([lag, slope])[["estimate", "spread", "lo", "hi"]].set_axis(["lag", "slope"])


def summarise(name: str, persistence: float, rows: list[pd.DataFrame], instruments: int) -> list[dict]:
    out = []
    for parameter, truth in (("lag", persistence), ("slope", SLOPE)):
        values = pd.DataFrame([row.loc[parameter] for row in rows])
        covered = int(((values["lo"] <= truth) & (truth <= values["hi"])).sum())
        interval = stats.binomtest(covered, len(rows)).proportion_ci(0.95, "wilson")
        out.append(
            {
                "estimator": name,
                "rho": persistence,
                "parameter": parameter,
                "replications": len(rows),
                "instruments": instruments,
                "bias": round(float(values["estimate"].mean() - truth), 4),
                "bias_error": round(float(values["estimate"].std() / np.sqrt(len(rows))), 4),
                "sd": round(float(values["estimate"].std()), 4),
                "without_spread": int(values["spread"].isna().sum()),
                "mean_spread": round(float(values["spread"].mean()), 4),
                "coverage": round(covered / len(rows), 3),
                "coverage_lo": round(interval.low, 3),
                "coverage_hi": round(interval.high, 3),
            }
        )
    return out


def write_page(results: list[dict]) -> None:
    frame = pd.DataFrame(results)
    parts = [
        "# Dynamic panels of thirty provinces and nine years",
        "Written by `benchmarks/dynamic_panels.py`; the numbers are in `benchmarks/dynamic_panels.json`. Simulated "
        f"panels ({UNITS} units, {YEARS} years, the first one lost to the lag): the outcome is rho times its lag plus "
        f"{SLOPE} times an exposure that is correlated with the units' effects, unit and year effects, independent "
        "errors. Bias is the mean estimate less the truth (Monte Carlo error in brackets), coverage that of nominal "
        "95 % intervals (95 % Wilson interval in brackets). GMM: `small`, t with 29 degrees of freedom (30 in a "
        "difference, which has no constant); lags 2 to 4 of the outcome and 1 to 3 of the exposure, or all of them. "
        "With all lags the weighting matrix is singular and the estimated variance not always positive: such "
        "replications have no standard error and count as not covered.",
    ]
    for persistence, block in frame.groupby("rho"):
        table = pd.DataFrame({"estimator": block["estimator"].unique()}).set_index("estimator")
        table["instruments"] = block.groupby("estimator")["instruments"].first().replace(0, "").astype(str)
        for parameter, label in (("lag", "lagged outcome"), ("slope", "short-run slope")):
            part = block[block["parameter"] == parameter].set_index("estimator")
            table[f"bias, {label}"] = [f"{r.bias:+.3f} ({r.bias_error:.3f})" for r in part.itertuples()]
            table[f"SD, {label}"] = [f"{r.sd:.3f}" for r in part.itertuples()]
            table[f"mean SE, {label}"] = [f"{r.mean_spread:.3f}" for r in part.itertuples()]
            if part["without_spread"].any():
                table[f"no SE, {label}"] = [str(r.without_spread or "") for r in part.itertuples()]
            table[f"coverage, {label}"] = [
                f"{r.coverage:.3f} [{r.coverage_lo:.3f}, {r.coverage_hi:.3f}]" for r in part.itertuples()
            ]
        counts = ", ".join(f"{n} replications" for n in sorted(block["replications"].unique(), reverse=True))
        parts += [f"## rho = {persistence}", f"{counts} (the smaller number: the Bayesian model).", table.to_markdown()]
    (ROOT / "docs" / "dynamic_panels.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
