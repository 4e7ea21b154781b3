"""One model by every sampler, and where our time goes. Parts of benchmarks/run.py."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from other_software import peer

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.collapsed_draws import draw_thetas, with_coefficients
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.importance import propose, weigh
from bayes_npp.bayesian.fitting.modes import find_mode
from bayes_npp.bayesian.fitting.sample import compile_model, draw
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate

ROOT = Path(__file__).parents[1]
TARGET = 0.98  # of the samplers that keep all coefficients
PERIODS = 12
REPEATS = 9  # of what takes less than a second
REML = "lme4 (REML point estimate, no posterior)"
SCALES = ["slope_sd", "unit_sd", "time_sd", "error_sd"]
FORMULA = "y ~ x + x_unit + x_time + c1 + c2 + c3 + (0 + x | group) + (1 | unit) + (1 | time)"
ONE_GROUPING = "y ~ x + x_unit + c1 + c2 + c3"


def speed(small: bool) -> list[dict]:
    """The default model with independent errors by every sampler."""
    design, priors = default_design()
    frame, draws = peer_frame(design), 100 if small else 1000
    rows = [ours("weighted points", design, priors, "importance")]
    rows.append(ours("chains of scales (NUTS), coefficients integrated out", design, priors, "collapsed"))
    rows.append(timed("bayes_npp: full model, PyMC + nutpie", lambda: full(design, priors, draws)))
    rows.append(timed("textbook PyMC + nutpie", lambda: textbook(design, priors, draws), warm=True))
    rows.append(named("bambi + nutpie", peer("bambi_fit.py", frame, FORMULA, str(draws), str(TARGET))))
    rows.append(named("rstanarm", peer("rstanarm.R", frame, FORMULA, str(draws))))
    rows.append(named(REML, peer("lme4.R", frame, FORMULA, str(REPEATS))))
    return rows


def one_grouping(small: bool) -> list[dict]:
    """The model that StatsPAI's bayes_mixed can express: effects of units, none of years, one slope."""
    study = bn.load_study(ROOT / "models" / "digital_trade")
    options = {"slopes": None, "errors": "iid", "time_effects": "none"}
    spec = study.spec(study.model("regions")).model_copy(update=options)
    design, priors = build_design(study.panel, spec, study.scales), load_priors("weakly_informative")
    rows = [ours("weighted points", design, priors, "importance", ["slope", "unit_sd", "error_sd"])]
    draws = str(200 if small else 2000)
    rows.append(named("StatsPAI bayes_mixed", peer("statspai_fit.py", peer_frame(design), ONE_GROUPING, draws)))
    return rows


def stages(small: bool) -> list[dict]:
    """Where the time of a fit of the default model by weighted points goes: seconds of wall and of processors."""
    design, priors = default_design()
    sampler = make_sampler("auto", 1000, 4, 1)
    collapsed = collapse(prepare(design), priors)
    mode, drawn = find_mode(collapsed), draw_thetas(collapsed, sampler, "importance")
    whole = {
        "pass over the data": lambda: collapse(prepare(design), priors),
        "mode from six starts, curvature": lambda: find_mode(collapsed),
        "tables along the axes": lambda: propose(collapsed, mode),
        "points, their density, weights": lambda: weigh(collapsed, 1),
        "coefficients at 4,000 draws": lambda: with_coefficients(collapsed, sampler, drawn),
        "tree, pointwise log likelihood, diagnostics": lambda: fit_design(design, priors, sampler, "importance"),
    }
    found = {name: measured(run) for name, run in whole.items()}
    names = list(found)
    left = dict(found)  # the fourth holds the second and third, the last all others
    left[names[3]] = tuple(found[names[3]][k] - found[names[1]][k] - found[names[2]][k] for k in (0, 1))
    left[names[5]] = tuple(found[names[5]][k] - sum(found[names[j]][k] for j in (0, 3, 4)) for k in (0, 1))
    left["whole fit"] = found[names[5]]
    return [
        {"stage": name, "milliseconds": round(1e3 * own[0], 1), "milliseconds of processors": round(1e3 * own[1], 1)}
        for name, own in left.items()
    ]


def measured(run: Callable) -> tuple[float, float]:
    """Median wall and processor seconds of some runs after one."""
    run()
    found = []
    for _ in range(REPEATS):
        start, busy = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - start, time.process_time() - busy))
    wall, processor = zip(*found, strict=True)
    return median(wall), median(processor)


def ours(name: str, design, priors, engine: str, variables=("group_slope", *SCALES)) -> dict:
    """A fit by one of our engines: whole, and from the density to draws of all coefficients."""
    sampler = make_sampler("auto", 1000, 4, 1)
    collapsed = collapse(prepare(design), priors)
    fit = fit_design(design, priors, sampler, engine)
    if engine == "importance":  # of its weights; resampled draws would say more
        ess, divergences = fit.diagnostics.effective, None
    else:
        ess = smallest_ess(fit.tree["posterior"].dataset[list(variables)])
        divergences = fit.diagnostics.divergences
    seconds = measured(lambda: fit_design(design, priors, sampler, engine))[0]
    sampling = measured(lambda: with_coefficients(collapsed, sampler, draw_thetas(collapsed, sampler, engine)))[0]
    return row(f"bayes_npp: {name}", seconds, ess, divergences, sampling)


def full(design, priors, draws: int) -> tuple[float, int]:
    fit = fit_design(design, priors, make_sampler("nuts", draws, 4, 1), "nuts")
    return smallest_ess(fit.tree["posterior"].dataset[["group_slope", *SCALES]]), fit.diagnostics.divergences


def textbook(design, priors, draws: int) -> tuple[float, int]:
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
        scale = {name: pm.HalfNormal(name, priors[name].sigma) for name in SCALES}
        offset = pm.ZeroSumNormal("z", shape=n_groups)
        slope = pm.Deterministic("group_slope", pm.Normal("beta") + scale["slope_sd"] * offset)
        fitted = pm.Normal("intercept") + raw[:, :n_groups] @ slope
        fitted += raw[:, n_groups:] @ pm.Normal("gamma", shape=raw.shape[1] - n_groups)
        fitted += unit_means @ pm.Normal("between_unit", shape=raw.shape[1])
        fitted += time_means @ pm.Normal("between_time", shape=raw.shape[1])
        fitted += (scale["unit_sd"] * pm.Normal("u", shape=len(design.units)))[design.unit]
        fitted += (scale["time_sd"] * pm.Normal("t", shape=len(design.times)))[design.time]
        pm.Normal("y", fitted, scale["error_sd"], observed=data.outcome)
    tree = draw(compile_model(model), make_sampler("nuts", draws, 4, 1))
    posterior = tree["posterior"].dataset[["group_slope", *scale]]
    return smallest_ess(posterior), int(tree["sample_stats"]["diverging"].sum())


def peer_frame(design) -> pd.DataFrame:
    """The design's standardised data as formulas take them."""
    scales, spec = design.scales, design.spec
    frame = pd.DataFrame(
        {
            "y": (design.outcome - scales.outcome_mean) / scales.outcome_sd,
            "x": design.exposure / scales.divisors[spec.exposure],
            "unit": np.array(design.units)[design.unit],
            "time": np.array(design.times)[design.time].astype(str),
        }
    )
    if design.groups:
        frame["group"] = np.array(design.groups)[design.group]
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


def wall(run: Callable) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def timed(name: str, run: Callable, warm: bool = False) -> dict:
    """The second of two runs, the first of which warms the process up; the only one where it is warm."""
    if not warm:
        run()
    start = time.perf_counter()
    ess, divergences = run()
    return row(name, time.perf_counter() - start, ess, divergences)


def named(name: str, found: dict) -> dict:
    """What a peer printed as a row of ours."""
    if "error" in found:
        return {"model": name, "does not run": found["error"]}
    if "ess" not in found:
        return {"model": name, "version": found["version"], "wall seconds": round(found["seconds"], 4)}
    out = row(name, found["seconds"], found["ess"], found["divergences"], found["sampling"])
    return {"model": name, "version": found["version"], **out}


def row(name: str, seconds: float, ess: float, divergences: int | None, sampling: float | None = None) -> dict:
    out = {
        "model": name,
        "wall seconds": round(seconds, 3),
        "smallest effective size": round(ess),
        "divergences": divergences,
        "effective draws a second": round(ess / seconds, 1),
    }
    if sampling is not None:
        out |= {"seconds of sampling": round(sampling, 3), "a second of sampling": round(ess / sampling, 1)}
    print(out, flush=True)
    return out


def default_design(errors="iid"):
    study = bn.load_study(ROOT / "models" / "digital_trade")
    spec = study.spec(study.model("regions")).model_copy(update={"errors": errors})
    return build_design(study.panel, spec, study.scales), load_priors("weakly_informative")


def normal(sigma) -> PriorSpec:
    return PriorSpec(family="normal", mu=0.0, sigma=float(sigma), reason="A point of the grid.")


def half_normal(sigma) -> PriorSpec:
    return PriorSpec(family="half_normal", sigma=float(sigma), reason="A point of the grid.")
