"""Chains where theta is large, and what an evaluation of the density costs under each error model.

Parts of benchmarks/run.py.
"""

import time
from dataclasses import replace

import numpy as np
from arviz_stats.base import array_stats

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.chains import Neighbour, draw_chains
from bayes_npp.bayesian.fitting.refit import NEAR_ACCEPT, NEAR_TUNE, SHORT
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate

LARGE = ("unit_scale", "ar1+unit_scale", "factor", "ar1+unit_scale+factor")
# Microseconds of a gradient before the densities of models with factors were rewritten (2026-11-27, same machine).
BEFORE = {
    (30, 9, "factor"): 173,
    (30, 9, "factor2"): 755,
    (30, 9, "ar1+unit_scale+factor"): 501,
    (48, 17, "ar1+unit_scale+factor"): 1202,
    (100, 30, "ar1+unit_scale+factor"): 2960,
}
MODELS = (*((30, 9, errors) for errors in ("iid", "ar1", "unit_scale", "ar1+unit_scale")), *BEFORE)


def densities(content) -> list[dict]:
    """Microseconds of a gradient of simulated panels, one thread, from Python."""
    rows = []
    for units, periods, errors in MODELS:
        frame = simulate(units, periods, {"a": 0.6, "b": 0.1, "c": 0.3}, seed=4).frame
        collapsed = collapse(prepare(design_of(frame, errors)), load_priors("weakly_informative"))
        theta = collapsed.start + 0.1
        collapsed.log_density(theta)
        seconds = []
        for _ in range(20):
            start = time.process_time()
            for _ in range(20):
                collapsed.log_density(theta)
            seconds.append((time.process_time() - start) / 20)
        row = {"units": units, "periods": periods, "errors": errors, "scales and shapes": collapsed.size}
        row |= {"microseconds before": BEFORE.get((units, periods, errors)), "microseconds": round(min(seconds) * 1e6)}
        rows.append(row)
        print(row, flush=True)
    return rows


def neighbours(designs) -> list[dict]:
    """What 1,000 effective draws of the worst element of theta cost: gradients without warm-up, seconds with it.

    A first fit, a refit from scratch, and one from the draws of the first fit; `designs` by error model.
    """
    rows = []
    for errors, design in designs.items():
        collapsed = collapse(prepare(design), load_priors("weakly_informative"))
        first = Sampler(draws=1000, tune=500, chains=4, target_accept=0.9, seed=1)
        thetas, stats = draw_chains(collapsed, first)
        ess = smallest(collapsed, thetas)
        step = float(stats["step_size"].mean())
        known = Neighbour(thetas.reshape(-1, collapsed.size), step, first.target_accept, ess)
        near = replace(SHORT, tune=NEAR_TUNE, target_accept=NEAR_ACCEPT)
        row = {"errors": errors, "scales and shapes": collapsed.size}
        for name, sampler, neighbour in (
            ("first fit", first, None),
            ("refit from scratch", SHORT, None),
            ("refit from a neighbour", near, known),
        ):
            found, steps = [], []
            for seed in (11, 12, 13):
                start = time.process_time()
                thetas, stats = draw_chains(collapsed, replace(sampler, seed=seed), neighbour)
                found.append((smallest(collapsed, thetas), time.process_time() - start))
                steps.append(int(stats["n_steps"].sum()))
            ess, seconds = np.array(found).T
            row[f"{name}: gradients"] = round(1000 * sum(steps) / ess.sum())
            row[f"{name}: seconds of a core"] = round(float(1000 * seconds.sum() / ess.sum()), 2)
        rows.append(row)
        print(row, flush=True)
    return rows


def smallest(collapsed, thetas) -> float:
    values = [np.asarray(v).reshape(*v.shape[:2], -1) for v in collapsed.judged(thetas).values()]
    return float(np.min(array_stats.ess(np.concatenate(values, -1), chain_axis=0, draw_axis=1, method="bulk")))


def design_of(frame, errors):
    import bayes_npp as bn

    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group", errors=errors)
    return build_design(panel, spec)
