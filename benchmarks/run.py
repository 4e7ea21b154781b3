"""Speed against peers, growth with size, a grid of priors and calibration: same data, same machine, one run.

Speed: smallest bulk ESS over the reported slopes and scales / wall seconds from built specification to posterior, in a
warm process, compilation of each model included. Peers where they are installed: bambi + nutpie and pyfixest
(pip install -e .[peers]), rstanarm and lme4 (R). Writes benchmarks/results.json and the tables of docs/benchmarks.md.

Parts can be named: python benchmarks/run.py speed points growth densities chains grid calibration within ledger
"""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from chains import LARGE, densities, neighbours
from samplers import PERIODS, growth_frame, in_r, ours, peer_frame, row, simulated, textbook, timed, wall, with_bambi
from weighted_points import points, thousand

import bayes_npp as bn
from bayes_npp.analysis.made_from import made_by
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.collapsed_draws import draw_thetas
from bayes_npp.bayesian.fitting.diagnostics import WeightDiagnostics
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.refit import refit
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.design.spec import Spec
from bayes_npp.panels.simulation import simulate
from bayes_npp.pipeline import NUMBERS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
SIZES = (30, 300, 3_000, 30_000, 300_000)
SLOPE_SIZES = (300, 3_000, 10_000, 30_000)


def main() -> None:
    every = (speed, points, growth, densities, chains, grid, calibration, within, ledger)
    parts = {part.__name__: part for part in every}
    chosen = sys.argv[1:] or list(parts)
    content = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    content = {name: content[name] for name in parts if name in content}
    for name in chosen:
        print(f"== {name}", flush=True)
        content[name] = parts[name](content)
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "versions": made_by(*NUMBERS)["version of"],
        }
        RESULTS.write_text(json.dumps({**content, "machine": machine}, indent=2) + "\n")
    write_page(content)


def speed(content) -> list[dict]:
    """One model, every sampler."""
    design, priors = default_design()
    rows = [timed("bayes_npp, collapsed", lambda: ours(design, priors, "collapsed"), repeats=5)]
    rows.append(timed("bayes_npp, weighted points", lambda: ours(design, priors, "importance"), repeats=5))
    rows.append(timed("bayes_npp, full PyMC + nutpie", lambda: ours(design, priors, "nuts")))
    rows.append(timed("textbook PyMC + nutpie", lambda: textbook(design, priors)))
    if importlib.util.find_spec("bambi"):
        rows.append(timed("bambi + nutpie", lambda: with_bambi(design)))
    else:
        print("bambi is not installed: left out")
    if shutil.which("Rscript"):
        formula = "y ~ x + x_unit + x_time + c1 + c2 + c3 + (0 + x | group) + (1 | unit) + (1 | time)"
        numbers = in_r("rstanarm.R", peer_frame(design), formula)
        if numbers:
            rows.append(row("rstanarm", numbers[0], numbers[1], int(numbers[2])))
        numbers = in_r("lme4.R", peer_frame(design), formula)
        if numbers:
            rows.append({"model": "lme4 (REML point estimate, no posterior)", "wall seconds": numbers[0]})
    else:
        print("R is not installed: rstanarm and lme4 are left out")
    for other in rows[1:]:
        if "ESS per second" in other:
            other["collapsed is faster by"] = round(rows[0]["ESS per second"] / other["ESS per second"], 1)
    return rows


def growth(content) -> list[dict]:
    """Wall seconds and memory with the number of units, each size in a process of its own."""
    rows = []
    for kind, sizes in (("intercepts", SIZES), ("slopes", SLOPE_SIZES)):
        for size in sizes:
            command = [sys.executable, __file__, "--one", kind, str(size)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            one = json.loads(out.splitlines()[-1])
            if (kind == "slopes" or size >= 3_000) and shutil.which("Rscript"):
                formula = "y ~ x + x_unit + x_time + c1 + (1 | unit) + (1 | time)"
                formula += " + (0 + x_within | unit)" if kind == "slopes" else ""
                numbers = in_r("lme4.R", growth_frame(size, kind), formula)
                one["lme4 REML seconds"] = numbers[0] if numbers else None
                one["whole fit / lme4"] = round(one["whole fit"] / numbers[0], 2) if numbers else None
            rows.append(one)
            print(one, flush=True)
            RESULTS.write_text(json.dumps({**content, "growth": rows}, indent=2) + "\n")
    return rows


def one_size(kind: str, size: int) -> dict:
    """Fit one size: the pass over the data, sampling, and the whole, in a warm process."""
    import resource

    sizes = (60, size)  # the first warms the process up
    for units in sizes:
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
        "kind": kind,
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


def chains(content) -> list[dict]:
    """The default model with a scale of each unit, or common factors: chains from scratch and from a neighbour."""
    return neighbours({errors: default_design(errors)[0] for errors in LARGE})


def grid(content) -> dict:
    """A thousand priors on one model, beside one fit."""
    design, priors = default_design()
    one = min(wall(lambda: ours(design, priors, "auto")) for _ in range(5))
    collapsed = collapse(prepare(design), priors)
    sets = [
        priors.replaced(slope_sd=half_normal(width), exposure=normal(scale))
        for width in np.geomspace(0.05, 2, 40)
        for scale in np.geomspace(0.1, 5, 25)
    ]
    refit(collapsed, sets[:2])
    start, busy = time.perf_counter(), time.process_time()
    fits = refit(collapsed, sets)
    seconds = time.perf_counter() - start
    return {
        "priors": len(sets),
        "one fit, seconds": round(one, 3),
        "grid, seconds": round(seconds, 2),
        "grid, seconds of one core": round(time.process_time() - busy, 2),
        "grid / one fit": round(seconds / one, 1),
        "refits that passed their diagnostics": sum(fit.diagnostics.passed for fit in fits),
        "refits left to chains": sum(not isinstance(fit.diagnostics, WeightDiagnostics) for fit in fits),
        "smallest effective size": round(min(fit.diagnostics.effective for fit in fits)),
    }


def calibration(content) -> dict:
    """Simulation-based calibration of the default model, beside bambi's time for one fit."""
    bambi = next((r["wall seconds"] for r in content.get("speed", []) if r["model"] == "bambi + nutpie"), None)
    return thousand(*default_design(), bambi)


def within(content) -> list[dict]:
    """Two-way fixed effects on a million rows, balanced and not, errors clustered by unit; a process for each."""
    rows = []
    for missing in (0.0, 0.2):
        pair = []
        for name in ("bayes_npp", "pyfixest"):
            if name == "pyfixest" and not importlib.util.find_spec("pyfixest"):
                print("pyfixest is not installed: left out")
                continue
            command = [sys.executable, __file__, "--within", name, str(missing)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            pair.append(json.loads(out.splitlines()[-1]))
            print(pair[-1], flush=True)
        if len(pair) == 2:
            pair[0]["time / pyfixest's"] = round(pair[0]["wall seconds"] / pair[1]["wall seconds"], 2)
        rows += pair
    return rows


def ledger(content) -> dict:
    """Everything the claims of the default study are asked, in one process; beside one fit of the full model."""
    design, priors = default_design()
    full = timed("bayes_npp, full PyMC + nutpie", lambda: ours(design, priors, "nuts"))["wall seconds"]
    with tempfile.TemporaryDirectory() as folder:
        found = bn.run_study(ROOT / "models" / "digital_trade", folder)
        spent = json.loads((Path(folder) / "manifest.json").read_text())["wall_seconds"]
    seconds = spent["claims"] + spent["measurement"]
    analyses, curves = found.ledger.sensitivities.values(), found.ledger.curves.values()
    return {
        "claims": len(found.ledger.records),
        "prior cells": sum(one.grid["cell"].nunique() for one in analyses),
        "measures": sum(len(one.variants) for one in found.measurement),
        "drawn indices": int(sum(one.averages.groupby("source")["indices"].first().sum() for one in found.measurement)),
        "samples x estimators": sum(len(one[["sample", "estimator"]].drop_duplicates()) for one in curves),
        "claims, seconds": round(spent["claims"], 1),
        "measures, seconds": round(spent["measurement"], 1),
        "both": round(seconds, 1),
        "in fits of the full model": round(seconds / full, 1),
        "whole run, seconds": round(spent["total"], 1),
    }


def one_within(name: str, missing: float) -> dict:
    """Median wall of five fits after one that warms the process up, and the peak memory of the process."""
    import resource

    frame = simulate(n_units=100_000, n_periods=10, missing=missing, seed=1).frame
    if name == "bayes_npp":
        panel = bn.read_panel(frame, unit="unit", time="time")
        spec = Spec(outcome="outcome", exposure="exposure", controls=("control_1",))

        def fit() -> list[float]:
            row = bn.twfe(panel, spec).frame.set_index("term").loc["exposure"]
            return [row["estimate"], row["spread"]]
    else:
        import pyfixest

        formula = "outcome ~ exposure + control_1 | unit + time"

        def fit() -> list[float]:
            fitted = pyfixest.feols(formula, frame, vcov={"CRV1": "unit"})
            return [fitted.coef()["exposure"], fitted.se()["exposure"]]

    estimate, error = fit()
    seconds = [wall(fit) for _ in range(5)]
    return {
        "model": name,
        "rows": len(frame),
        "wall seconds": round(float(np.median(seconds)), 3),
        "peak MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "slope": round(float(estimate), 6),
        "standard error": round(float(error), 6),
    }


def default_design(errors="iid"):
    study = bn.load_study(ROOT / "models" / "digital_trade")
    spec = study.spec(study.model("regions")).model_copy(update={"errors": errors})
    return build_design(study.panel, spec, study.scales), load_priors("weakly_informative")


def normal(sigma) -> PriorSpec:
    return PriorSpec(family="normal", mu=0.0, sigma=float(sigma), reason="A point of the grid.")


def half_normal(sigma) -> PriorSpec:
    return PriorSpec(family="half_normal", sigma=float(sigma), reason="A point of the grid.")


def write_page(content) -> None:
    """The results as tables of docs/benchmarks.md."""
    page = [
        "# Benchmarks",
        "",
        "Written by `make bench`; the numbers are in `benchmarks/results.json`. A part is one run on one machine, the "
        "parts may be of different hours, and the committed ones shared the machine with other work: compare within a "
        "part only.",
    ]
    titles = {
        "speed": "One model, every sampler: 30 units x 9 periods, four regional slopes. Smallest bulk ESS over slopes "
        "and scales per second from built specification to posterior, compilation included, in a warm process.",
        "growth": f"Growth with the number of units ({PERIODS} periods), 4 x 1,000 draws by `auto`; slopes: of units. "
        "lme4: REML of the same model on the same panel, a point estimate.",
        "densities": "Microseconds of a gradient of the collapsed density by error model; simulated panels.",
        "chains": "Where theta is large, for 1,000 effective draws of its worst element, three runs each, the default "
        "model: gradients without those of warm-up, seconds of one core with it. Neighbour: the first fit's draws.",
        "points": "Weighted points against chains of the same posterior (4 x 1,000 draws after 4 x 500 of warm-up), "
        "coefficients integrated out in both. Points: density without gradient; gradients: for mode and tables. "
        "Whole fit: from built specification to tree and diagnostics.",
        "grid": "Many prior sets on the default model.",
        "calibration": "Simulation-based calibration of the default model.",
        "within": "Two-way fixed effects, 100,000 units x 10 periods (a fifth missing in the second pair), from a "
        "panel in memory to slopes with errors clustered by unit. Small-sample factors differ in the seventh digit.",
        "ledger": "Every claim of the default study over priors, measures and samples (the priors also of reverse "
        "Bayes and of the named sets; the measures and samples also of the mediation model), models fitted before, in "
        "one process. The full model: PyMC + nutpie, four regional slopes, compilation included, in the same run.",
    }
    for name, title in titles.items():
        if name in content:
            rows = content[name] if isinstance(content[name], list) else [content[name]]
            table = pd.DataFrame(rows).map(lambda v: "" if v is None or v != v else str(v))
            page += ["", f"## {name.capitalize()}", "", title, "", table.to_markdown(index=False)]
    target = ROOT / "docs" / "benchmarks.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one_size(sys.argv[2], int(sys.argv[3]))))
    elif sys.argv[1:2] == ["--within"]:
        print(json.dumps(one_within(sys.argv[2], float(sys.argv[3]))))
    else:
        main()
