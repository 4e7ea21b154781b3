"""Many fits: units by the thousand, a thousand priors, a million rows, dynamic panels beside peers.

Parts of benchmarks/run.py.
"""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
from other_software import peer
from samplers import (
    ROOT,
    default_design,
    growth_frame,
    half_normal,
    measured,
    normal,
    simulated,
    wall,
)

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.collapsed_draws import draw_thetas
from bayes_npp.bayesian.fitting.diagnostics import WeightDiagnostics
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.refit import refit
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.design.spec import Spec
from bayes_npp.panels.simulation import simulate

INTERCEPTS = (30, 300, 3_000, 30_000, 300_000)
SLOPES = (300, 3_000, 10_000, 30_000)
LARGEST_REML = 30_000  # with effects of units alone; more take lme4 minutes


def intercepts(small: bool) -> list[dict]:
    """Effects of more and more units."""
    return [growth("intercepts", size, 3_000) for size in (INTERCEPTS[:2] if small else INTERCEPTS)]


def unit_slopes(small: bool) -> list[dict]:
    """Effects and slopes of more and more units."""
    return [growth("slopes", size, 0) for size in (SLOPES[:1] if small else SLOPES)]


def growth(kind: str, size: int, from_size: int) -> dict:
    """One size in a process of its own, and lme4's REML on the same panel."""
    command = [sys.executable, __file__, "size", kind, str(size)]
    one = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    if from_size <= size <= LARGEST_REML:
        formula = "y ~ x + x_unit + x_time + c1 + (1 | unit) + (1 | time)"
        formula += " + (0 + x_within | unit)" if kind == "slopes" else ""
        found = peer("lme4.R", growth_frame(size, kind), formula, "3" if size <= 3_000 else "1")
        one["lme4 REML seconds"] = found.get("seconds", found.get("error"))
        if "seconds" in found:
            one |= {"whole fit / lme4": round(one["whole fit"] / found["seconds"], 2), "version": found["version"]}
    print(one, flush=True)
    return one


def one_size(kind: str, size: int) -> dict:
    """Fit one size: the pass over the data, sampling, and the whole, in a warm process."""
    import resource

    for units in (60, size):  # the first warms the process up
        panel = bn.read_panel(simulated(units, kind), unit="unit", time="time")
        slopes = "unit" if kind == "slopes" else None
        spec = Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes=slopes)
        design, priors = build_design(panel, spec), load_priors("weakly_informative")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        collapsed = collapse(prepare(design), priors)
        passed_over = time.perf_counter()
        drawn = draw_thetas(collapsed, make_sampler("auto", 1000, 4, 1), "auto")
        sampled = time.perf_counter()
        fit = fit_design(design, priors, make_sampler("auto", 1000, 4, 1), "auto")
        end = time.perf_counter()
    return {
        "units": size,
        "rows": design.n_obs,
        "pass over the data": round(passed_over - start, 3),
        "sampling": round(sampled - passed_over, 3),
        "whole fit": round(end - sampled, 3),
        "engine": fit.engine,
        "draws of theta": drawn.thetas[..., 0].size,
        "effective size": round(fit.diagnostics.effective),
        "peak MiB above the panel": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024),
    }


def grid(small: bool) -> list[dict]:
    """A thousand priors on one model, beside one fit."""
    design, priors = default_design()
    one = measured(lambda: fit_design(design, priors, make_sampler("auto", 1000, 4, 1), "auto"))[0]
    collapsed = collapse(prepare(design), priors)
    sets = [
        priors.replaced(slope_sd=half_normal(width), exposure=normal(scale))
        for width in np.geomspace(0.05, 2, 4 if small else 40)
        for scale in np.geomspace(0.1, 5, 25)
    ]
    refit(collapsed, sets[:2])
    start, busy = time.perf_counter(), time.process_time()
    fits = refit(collapsed, sets)
    seconds = time.perf_counter() - start
    found = {
        "priors": len(sets),
        "one fit, seconds": round(one, 3),
        "grid, seconds": round(seconds, 2),
        "grid, seconds of one core": round(time.process_time() - busy, 2),
        "grid / one fit": round(seconds / one, 1),
        "refits that passed their diagnostics": sum(fit.diagnostics.passed for fit in fits),
        "refits left to chains": sum(not isinstance(fit.diagnostics, WeightDiagnostics) for fit in fits),
        "smallest effective size": round(min(fit.diagnostics.effective for fit in fits)),
    }
    print(found, flush=True)
    return [found]


def within(small: bool) -> list[dict]:
    """Two-way fixed effects on a million rows, balanced and not, errors clustered by unit; a process for each."""
    rows = []
    for missing in (0.0, 0.2):
        units = 1_000 if small else 100_000
        command = [sys.executable, __file__, "within", str(units), str(missing)]
        own = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        frame = simulate(n_units=units, n_periods=10, missing=missing, seed=1).frame
        rows += [own, least_squares("pyfixest", len(frame), peer("pyfixest_fit.py", frame, "5"))]
    return rows


def one_within(units: int, missing: float) -> dict:
    """Median wall of five fits after one that warms the process up, and the peak memory of the process."""
    import resource

    frame = simulate(n_units=units, n_periods=10, missing=missing, seed=1).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    spec = Spec(outcome="outcome", exposure="exposure", controls=("control_1",))

    def fit():
        return bn.twfe(panel, spec).frame.set_index("term").loc["exposure"]

    found = fit()
    seconds = float(np.median([wall(fit) for _ in range(5)]))
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    numbers = {"seconds": seconds, "peak MiB": peak, "slope": found["estimate"], "error": found["spread"]}
    return least_squares("bayes_npp", len(frame), numbers)


def least_squares(name: str, rows: int, found: dict) -> dict:
    if "error" in found and "slope" not in found:
        return {"model": name, "does not run": found["error"]}
    out = {"model": name, "version": found.get("version"), "rows": rows, "wall seconds": round(found["seconds"], 3)}
    out |= {"peak MiB": found["peak MiB"], "slope": round(float(found["slope"]), 6)}
    return out | {"standard error": round(float(found["error"]), 6)}


def system_gmm(small: bool) -> list[dict]:
    """Arellano and Bond's firms: two-step system GMM with Windmeijer's correction, collapsed instruments."""
    frame = pd.read_csv(ROOT / "tests" / "reference" / "abdata.csv")
    panel = bn.read_panel(frame, unit="id", time="year")
    options = {"gmm": [("n", 2, 4), ("w", 1, 3)], "iv": [("k", "level")], "collapse": True, "small": True}

    def fit():
        return bn.system_gmm(panel, outcome="n", regressors=["L1.n", "w", "k"], **options)

    found = fit().frame.set_index("term")
    found = found[~found.index.duplicated()].loc[["L1.n", "w", "k"]]
    numbers = {"seconds": measured(fit)[0], "estimates": found["estimate"].tolist(), "errors": found["spread"].tolist()}
    rows = [dynamic("bayes_npp", numbers | {"hansen p": fit().diagnostics["hansen_p"]})]
    rows.append(dynamic("systemgmmkit", peer("systemgmmkit_fit.py", frame, "1" if small else "5")))
    return [*rows, dynamic("pydynpd", peer("pydynpd_fit.py", frame))]


def dynamic(name: str, found: dict) -> dict:
    if "error" in found:
        out = {"model": name, "does not run": found["error"]}
    else:
        out = {"model": name, "version": found.get("version"), "wall seconds": round(found["seconds"], 3)}
        for term, value, error in zip(("lag", "w", "k"), found["estimates"], found["errors"], strict=True):
            out[term] = f"{value:.5f} ({error:.5f})"
        out["Hansen p"] = round(found["hansen p"], 5) if found.get("hansen p") else None
    print(out, flush=True)
    return out


if __name__ == "__main__":
    what, first, second = sys.argv[1:]
    print(json.dumps(one_size(first, int(second)) if what == "size" else one_within(int(first), float(second))))
