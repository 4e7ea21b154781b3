"""Samplers of one model beside ours, what each takes, and how long a run takes. Parts of benchmarks/run.py."""

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.sample import compile_model, draw
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.panels.simulation import simulate

PEERS = Path(__file__).parent / "peers"
TARGET = 0.98  # of the samplers that keep all coefficients
PERIODS = 12


def ours(design, priors, engine):
    fit = fit_design(design, priors, make_sampler(engine, 1000, 4, 1), engine)
    posterior = fit.tree["posterior"].dataset[["group_slope", "slope_sd", "unit_sd", "time_sd", "error_sd"]]
    if engine == "importance":  # of its weights; resampled draws would say more
        return fit.diagnostics.effective, 0
    return smallest_ess(posterior), getattr(fit.diagnostics, "divergences", 0)


def textbook(design, priors):
    """The design's formula as one writes it: raw columns, their unit and period means, non-centred effects."""
    import pymc as pm

    data = prepare(design)
    scales, spec = design.scales, design.spec
    raw = np.column_stack(
        [design.slope_columns / scales.of(spec.exposure), design.controls / scales.of(*spec.controls)]
    )
    unit_means = np.stack([raw[design.unit == i].mean(axis=0) for i in range(len(design.units))])[design.unit]
    time_means = np.stack([raw[design.time == t].mean(axis=0) for t in range(len(design.times))])[design.time]
    n_groups = len(design.groups)
    with pm.Model() as model:
        scale = {
            name: pm.HalfNormal(name, priors[name].sigma) for name in ("slope_sd", "unit_sd", "time_sd", "error_sd")
        }
        offset = pm.ZeroSumNormal("z", shape=n_groups)
        slope = pm.Deterministic("group_slope", pm.Normal("beta") + scale["slope_sd"] * offset)
        fitted = pm.Normal("intercept") + raw[:, :n_groups] @ slope
        fitted += raw[:, n_groups:] @ pm.Normal("gamma", shape=raw.shape[1] - n_groups)
        fitted += unit_means @ pm.Normal("between_unit", shape=raw.shape[1])
        fitted += time_means @ pm.Normal("between_time", shape=raw.shape[1])
        fitted += (scale["unit_sd"] * pm.Normal("u", shape=len(design.units)))[design.unit]
        fitted += (scale["time_sd"] * pm.Normal("t", shape=len(design.times)))[design.time]
        pm.Normal("y", fitted, scale["error_sd"], observed=data.outcome)
    tree = draw(compile_model(model), make_sampler("nuts", 1000, 4, 1))
    posterior = tree["posterior"].dataset[["group_slope", *scale]]
    return smallest_ess(posterior), int(tree["sample_stats"]["diverging"].sum())


def with_bambi(design):
    """Regional slopes as bambi writes them: exposure within group, random intercepts of units and periods."""
    import bambi

    formula = "y ~ x + x_unit + x_time + c1 + c2 + c3 + (0 + x | group) + (1 | unit) + (1 | time)"
    model = bambi.Model(formula, peer_frame(design))
    options = {"draws": 1000, "tune": 1000, "chains": 4, "random_seed": 1}
    tree = model.fit(**options, target_accept=TARGET, inference_method="nutpie")
    posterior = tree["posterior"].dataset
    names = [name for name in posterior.data_vars if name in ("x", "x|group", "sigma") or str(name).endswith("_sigma")]
    return smallest_ess(posterior[names]), int(tree["sample_stats"]["diverging"].sum())


def in_r(script, frame, formula) -> list[float] | None:
    """Numbers an R script prints, or None where R lacks the package."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.csv"
        frame.to_csv(path, index=False)
        done = subprocess.run(["Rscript", str(PEERS / script), str(path), formula], capture_output=True, text=True)
    if done.returncode:
        print(f"{script} left out: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'it failed'}")
        return None
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def peer_frame(design) -> pd.DataFrame:
    """The design's standardised data as formulas take them."""
    scales, spec = design.scales, design.spec
    frame = pd.DataFrame(
        {
            "y": (design.outcome - scales.outcome_mean) / scales.outcome_sd,
            "x": design.exposure / scales.divisors[spec.exposure],
            "group": np.array(design.groups)[design.group],
            "unit": np.array(design.units)[design.unit],
            "time": np.array(design.times)[design.time].astype(str),
        }
    )
    frame["x_unit"] = frame.groupby("unit")["x"].transform("mean")
    frame["x_time"] = frame.groupby("time")["x"].transform("mean")
    for k, name in enumerate(spec.controls, start=1):
        frame[f"c{k}"] = design.controls[:, k - 1] / scales.of(name)
    return frame


def simulated(size, kind) -> pd.DataFrame:
    return simulate(n_units=size, n_periods=PERIODS, seed=1, unit_slope_sd=0.2 if kind == "slopes" else 0.0).frame


def growth_frame(size, kind) -> pd.DataFrame:
    """As formulas take it; `x_within` is the two-way residual, on which slopes of units act."""
    frame = simulated(size, kind)
    frame = frame.rename(columns={"outcome": "y", "exposure": "x", "control_1": "c1"})
    frame["x_unit"] = frame.groupby("unit")["x"].transform("mean")
    frame["x_time"] = frame.groupby("time")["x"].transform("mean")
    frame["x_within"] = frame["x"] - frame["x_unit"] - frame["x_time"] + frame["x"].mean()
    return frame


def smallest_ess(posterior) -> float:
    arrays = [array.to_numpy() for array in posterior.data_vars.values()]
    draws = np.concatenate([array.reshape(*array.shape[:2], -1) for array in arrays], axis=-1)
    return float(np.min(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")))


def wall(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def timed(name, run, repeats=1) -> dict:
    """Median of some runs after one that warms the process up."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        worst, divergences = run()
        seconds.append(time.perf_counter() - start)
    return row(name, float(np.median(seconds)), worst, divergences)


def row(name, seconds, worst, divergences) -> dict:
    out = {
        "model": name,
        "wall seconds": round(seconds, 2),
        "smallest bulk ESS": round(worst),
        "divergences": divergences,
        "ESS per second": round(worst / seconds, 1),
    }
    print(out, flush=True)
    return out
