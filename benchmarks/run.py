"""Speed of the hierarchical model against peers: same data, same machine, one run.

Figure: smallest bulk ESS over the reported slopes and scales / wall seconds from built specification to posterior,
compilation included. Peers: the same model written the textbook way in PyMC + nutpie; bambi + nutpie where installed
(pip install -e .[peers]). Writes benchmarks/results.json.
"""

import importlib.util
import json
import time
from pathlib import Path

import arviz_stats
import numpy as np

import bayes_npp as bn
from bayes_npp.bayesian.fit import fit_design, prepare
from bayes_npp.bayesian.priors import load_priors
from bayes_npp.bayesian.sample import Sampler, compile_model, draw
from bayes_npp.design import build_design
from bayes_npp.store import versions

ROOT = Path(__file__).parents[1]
SAMPLER = Sampler(draws=1000, tune=1000, chains=4, target_accept=0.98, seed=1)


def main() -> None:
    study = bn.load_study(ROOT / "models" / "digital_trade")
    model = study.model("regions")
    design = build_design(study.panel, study.spec(model), study.scales)
    priors = load_priors("weakly_informative")
    rows = [timed("bayes_npp, PyMC + nutpie", lambda: ours(design, priors))]
    rows.append(timed("textbook PyMC + nutpie", lambda: textbook(design, priors)))
    if importlib.util.find_spec("bambi"):
        rows.append(timed("bambi + nutpie", lambda: with_bambi(design)))
    else:
        print("bambi is not installed: left out")
    for row in rows[1:]:
        row["times slower"] = round(rows[0]["ess per second"] / row["ess per second"], 1)
    content = {"sampler": SAMPLER.as_dict(), "versions": versions(), "rows": rows}
    (ROOT / "benchmarks" / "results.json").write_text(json.dumps(content, indent=2) + "\n")
    for row in rows:
        print(row)


def timed(name, run) -> dict:
    start = time.perf_counter()
    worst, divergences = run()
    wall = time.perf_counter() - start
    return {
        "model": name,
        "wall seconds": round(wall, 2),
        "smallest bulk ESS": round(worst),
        "divergences": divergences,
        "ess per second": round(worst / wall, 1),
    }


def ours(design, priors):
    fit = fit_design(design, priors, SAMPLER)
    posterior = fit.tree["posterior"].dataset[["group_slope", "slope_sd", "unit_sd", "time_sd", "error_sd"]]
    return smallest_ess(posterior), fit.diagnostics.divergences


def textbook(design, priors):
    """The design's formula as one writes it: raw columns, their unit and period means, non-centred effects."""
    import pymc as pm

    data = prepare(design, priors)
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
    tree = draw(compile_model(model), SAMPLER)
    posterior = tree["posterior"].dataset[["group_slope", *scale]]
    return smallest_ess(posterior), int(tree["sample_stats"]["diverging"].sum())


def with_bambi(design):
    """Regional slopes as bambi writes them: exposure within group, random intercepts of units and periods."""
    import bambi
    import pandas as pd

    scales, spec = design.scales, design.spec
    frame = pd.DataFrame(
        {
            "y": (design.outcome - scales.outcome_mean) / scales.outcome_sd,
            "x": design.exposure / scales.of(spec.exposure),
            "group": np.array(design.groups)[design.group],
            "unit": np.array(design.units)[design.unit],
            "time": np.array(design.times)[design.time].astype(str),
        }
    )
    frame["x_unit"] = frame.groupby("unit")["x"].transform("mean")
    frame["x_time"] = frame.groupby("time")["x"].transform("mean")
    for k, name in enumerate(spec.controls):
        frame[name] = design.controls[:, k] / scales.of(name)
    formula = f"y ~ x + x_unit + x_time + {' + '.join(spec.controls)} + (0 + x | group) + (1 | unit) + (1 | time)"
    model = bambi.Model(formula, frame)
    tree = model.fit(
        draws=SAMPLER.draws,
        tune=SAMPLER.tune,
        chains=SAMPLER.chains,
        target_accept=SAMPLER.target_accept,
        random_seed=SAMPLER.seed,
        inference_method="nutpie",
    )
    posterior = tree["posterior"].dataset
    names = [name for name in posterior.data_vars if name in ("x", "x|group", "sigma") or str(name).endswith("_sigma")]
    return smallest_ess(posterior[names]), int(tree["sample_stats"]["diverging"].sum())


def smallest_ess(posterior) -> float:
    return min(float(np.min(values)) for values in arviz_stats.ess(posterior, method="bulk").data_vars.values())


if __name__ == "__main__":
    main()
