"""Posteriors without a chain: weighted points against chains on five data sets, and their calibration.

Parts of benchmarks/run.py. The calibration keeps its ranks in benchmarks/weighted_points.json and goes on from there.
"""

import json
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from bench_records import source_of
from other_software import peer
from samplers import FORMULA, TARGET, default_design, peer_frame

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.collapsed_draws import draw_thetas
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.posterior import reported
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.calibration import Calibration, calibrate
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference"
RANKS = Path(__file__).parent / "weighted_points.json"
BATCHES, BATCH, SEED = 10, 100, 20261127  # a thousand replications
REPEATS, REPEATS_OF_CHAINS = 7, 2


def designs():
    """Five data sets, with independent and with serially correlated errors."""
    study = bn.load_study(ROOT / "models" / "digital_trade")
    produc = pd.read_csv(REFERENCE / "produc.csv")
    produc = produc.assign(**{f"l{name}": np.log(produc[name]) for name in ("gsp", "pcap", "pc", "emp")})
    sleep = pd.read_csv(REFERENCE / "sleepstudy.csv")
    simulated = simulate(20, 8, {"a": 0.6, "b": 0.1, "c": 0.3}, missing=0.2, seed=4).frame
    panels = {
        "reconstruction": study.panel,
        "produc": bn.read_panel(produc, unit="state", time="year"),
        "abdata": bn.read_panel(pd.read_csv(REFERENCE / "abdata.csv"), unit="id", time="year"),
        "sleepstudy": bn.read_panel(sleep.assign(day=sleep["Days"]), unit="Subject", time="day"),
        "simulated": bn.read_panel(simulated, unit="unit", time="time", group="group"),
    }
    options = {"slopes": "unit", "slope_correlation": True, "time_effects": "none", "correlated_means": False}
    specs = {
        "reconstruction": study.spec(study.model("regions")),
        "produc": bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), slopes="unit"),
        "abdata": bn.Spec(outcome="n", exposure="w", controls=("k",)),
        "sleepstudy": bn.Spec(outcome="Reaction", exposure="Days", **options),
        "simulated": bn.Spec(outcome="outcome", exposure="exposure", slopes="group"),
    }
    for name, panel in panels.items():
        for errors in ("iid", "ar1"):
            spec = specs[name].model_copy(update={"errors": errors})
            yield name, errors, build_design(panel, spec, *([study.scales] if name == "reconstruction" else []))


@contextmanager
def counted():
    """Evaluations of the density: points, and gradients, which cost about two of them."""
    count = {"points": 0, "gradients": 0}
    own = Collapsed.evaluate, Collapsed.log_density

    def evaluate(self, thetas):
        count["points"] += len(thetas)
        return own[0](self, thetas)

    def log_density(self, theta, likelihood_only=False):
        count["gradients"] += 1
        return own[1](self, theta, likelihood_only)

    Collapsed.evaluate, Collapsed.log_density = evaluate, log_density
    try:
        yield count
    finally:
        Collapsed.evaluate, Collapsed.log_density = own


def points(small: bool) -> list[dict]:
    """Weighted points against chains: evaluations, seconds, effective size, worst gap of a mean."""
    priors, rows = load_priors("weakly_informative"), []
    for name, errors, design in designs():
        if small and len(rows) == 2:
            break
        collapsed = collapse(prepare(design), priors)
        sampler = make_sampler("auto", 1000, 4, 1)
        with counted() as count:
            found = draw_thetas(collapsed, sampler, "auto")
        chains = draw_thetas(collapsed, sampler, "collapsed")
        engines = ("auto", "collapsed")
        repeats = (REPEATS, REPEATS_OF_CHAINS)
        sampling = [
            fastest(partial(draw_thetas, collapsed, sampler, e), n) for e, n in zip(engines, repeats, strict=True)
        ]
        fits = {e: fit_design(design, priors, sampler, e) for e in engines}
        whole = [
            fastest(partial(fit_design, design, priors, sampler, e), n) for e, n in zip(engines, repeats, strict=True)
        ]
        ess = float(np.min(array_stats.ess(chains.thetas, chain_axis=0, draw_axis=1, method="bulk")))
        effective = found.points.diagnostics.kish if found.points else None

        def faster(clock: int, sampling=sampling, ess=ess, effective=effective) -> float:
            return round(sampling[1][clock] / ess / (sampling[0][clock] / effective), 1)

        row = {
            "data": name,
            "errors": errors,
            "scales and shapes": collapsed.size,
            "engine": fits["auto"].engine,
            "Pareto k": round(found.points.diagnostics.k_hat, 2) if found.points else None,
            "points": count["points"],
            "gradients": count["gradients"],
            "gradients of chains, without warm-up": int(chains.stats["n_steps"].sum()),
            "effective size": effective and round(effective),
            "smallest bulk ESS of chains": round(ess),
            "seconds": round(sampling[0][0], 3),
            "seconds of chains": round(sampling[1][0], 3),
            "processor seconds": round(sampling[0][1], 3),
            "processor seconds of chains": round(sampling[1][1], 3),
            "whole fit, seconds": round(whole[0][0], 3),
            "faster at equal effective size": effective and faster(0),
            "the same of processors": effective and faster(1),
            "whole fit faster": round(whole[1][0] / whole[0][0], 1),
            "worst gap of a mean, in MCSE": round(worst_gap(fits["auto"], fits["collapsed"]), 1),
            "why chains": found.why,
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def fastest(run, repeats: int) -> tuple[float, float]:
    """Least wall and processor seconds of some runs; the machine is shared, and processor seconds suffer less."""
    found = []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - start, time.process_time() - busy))
    walls, processors = zip(*found, strict=True)
    return min(walls), min(processors)


def worst_gap(weighted, chains) -> float:
    """Largest difference of a mean between two fits, in its Monte Carlo standard errors."""
    worst = 0.0
    ours, theirs = (
        reported({str(name): values.to_numpy() for name, values in fit.tree["posterior"].data_vars.items()})
        for fit in (weighted, chains)
    )
    for name, values in ours.items():
        shape = (*values.shape[:2], -1)
        pairs = (np.moveaxis(each.reshape(shape), 2, 0) for each in (values, theirs[name]))
        for own, other in zip(*pairs, strict=True):
            error = float(array_stats.mcse(other, chain_axis=0, draw_axis=1, method="mean"))
            of_points = own.std() * np.hypot(weighted.diagnostics.as_dict().get("mcse", 0.0), own.size**-0.5)
            if error > 0:
                worst = max(worst, abs(own.mean() - other.mean()) / np.hypot(error, of_points))
    return float(worst)


def calibration(small: bool) -> list[dict]:
    """Simulation-based calibration of the default model, a thousand replications in ten batches that are kept.

    Batches of other code are not gone on from. Beside it: the time of one fit by bambi.
    """
    design, priors = default_design()
    source = source_of(calibration)
    kept = json.loads(RANKS.read_text()) if RANKS.is_file() else {}
    if small or kept.get("made by") != source:
        kept = {"made by": source, "batches": []}
    data = prepare(design)
    for batch in range(len(kept["batches"]), 1 if small else BATCHES):
        start = time.perf_counter()
        found = calibrate(data, priors, replications=10 if small else BATCH, seed=SEED + 1000 * batch)
        ranks = {name: own.tolist() for name, own in found.ranks.items()}
        own = {"ranks": ranks, "failed": found.failed, "chains": found.chains, "seconds": time.perf_counter() - start}
        kept["batches"].append(own)
        if not small:
            RANKS.write_text(json.dumps(kept) + "\n")
        print(f"batch {batch + 1} of {BATCHES}: {own['seconds']:.1f} s", flush=True)
    bambi = peer("bambi_fit.py", peer_frame(design), FORMULA, "100" if small else "1000", str(TARGET)).get("seconds")
    return [summary(kept["batches"], bambi)]


def summary(batches: list[dict], bambi: float | None) -> dict:
    ranks = {name: np.concatenate([one["ranks"][name] for one in batches]) for name in batches[0]["ranks"]}
    result = Calibration(ranks, *(sum(one[name] for one in batches) for name in ("failed", "chains")))
    bands, seconds = result.bands(), sum(one["seconds"] for one in batches)
    return {
        "replications": len(next(iter(ranks.values()))),
        "seconds": round(seconds, 1),
        "in bambi + nutpie fits": None if bambi is None else round(seconds / bambi, 1),
        "replications left to chains": result.chains,
        "replications whose sampler failed": result.failed,
        "quantities": len(bands),
        "quantities outside their band": ", ".join(name for name, inside in bands.items() if not inside) or "none",
    }
