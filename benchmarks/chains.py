"""Chains where theta is large, and what an evaluation of the density costs under each error model, today and before.

Parts of benchmarks/run.py.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from before import earlier, said_by
from samplers import ROOT, default_design, smallest_ess

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.chains import NEAR_TUNE, Neighbour, draw_chains, pinned
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.prepare import prepare

LARGE = ("unit_scale", "ar1+unit_scale", "factor", "ar1+unit_scale+factor")
DENSITIES = ("iid", "ar1", *LARGE)


def densities(small: bool) -> list[dict]:
    """Microseconds of a gradient, one thread: today's code, and that of the commit before importance sampling."""
    names = DENSITIES[:2] if small else DENSITIES
    today, before = costs(ROOT, names), {}
    if checkout := earlier():
        before = {key: found["microseconds"] for key, found in costs(checkout, names).items()}
    rows = []
    for key, found in today.items():
        one = {"microseconds before": before.get(key)} | found
        rows.append({name: one[name] for name in (*list(found)[:4], "microseconds before", *list(found)[4:])})
        print(rows[-1], flush=True)
    return rows


def costs(checkout: Path, names) -> dict[tuple, dict]:
    rows = [json.loads(line) for line in said_by(checkout, "density_cost.py", *names)]
    return {(row["units"], row["periods"], row["errors"]): row for row in rows}


def neighbours(small: bool) -> list[dict]:
    """What 1,000 effective draws of the worst element of theta cost: gradients without warm-up, seconds with it.

    A first fit, a refit from scratch, and one from the draws of the first fit, where refits start so.
    """
    rows = []
    for errors in LARGE[:1] if small else LARGE:
        design, priors = default_design(errors)
        collapsed = collapse(prepare(design), priors)
        first = Sampler(draws=1000, tune=500, chains=4, target_accept=0.9, seed=1)
        thetas, stats = draw_chains(collapsed, first)
        step = float(stats["step_size"].mean())
        flat = np.ascontiguousarray(thetas.reshape(-1, collapsed.size))
        known = Neighbour(flat, step, first.target_accept, smallest(collapsed, thetas))
        near = replace(SHORT, tune=NEAR_TUNE)
        one = {"errors": errors, "scales and shapes": collapsed.size}
        ways = [("first fit", first, None), ("refit from scratch", SHORT, None)]
        if not pinned(collapsed):
            ways.append(("refit from a neighbour", near, known))
        for name, sampler, neighbour in ways:
            found, steps = [], []
            for seed in (11, 12, 13):
                start = time.process_time()
                thetas, stats = draw_chains(collapsed, replace(sampler, seed=seed), neighbour)
                found.append((smallest(collapsed, thetas), time.process_time() - start))
                steps.append(int(stats["n_steps"].sum()))
            ess, seconds = np.array(found).T
            one[f"{name}: gradients"] = round(1000 * sum(steps) / ess.sum())
            one[f"{name}: seconds of a core"] = round(float(1000 * seconds.sum() / ess.sum()), 2)
        rows.append(one)
        print(one, flush=True)
    return rows


def smallest(collapsed, thetas) -> float:
    import xarray as xr

    judged = {
        name: (("chain", "draw", f"{name}_element"), np.asarray(values).reshape(*values.shape[:2], -1))
        for name, values in collapsed.judged(thetas).items()
    }
    return smallest_ess(xr.Dataset(judged))
