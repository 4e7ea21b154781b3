"""StatsPAI's `bayes_mixed` on a model with one grouping: the second of two fits, four chains."""

import json
import sys
import time

import numpy as np
import pandas as pd
import statspai
from arviz_stats.base import array_stats


def fit(frame, formula, draws):
    return statspai.bayes_mixed(formula, frame, group="unit", draws=draws, burnin=draws // 2, chains=4, seed=1)


def smallest_ess(found) -> float:
    frame = found.draws.drop(columns=[name for name in ("chain", "draw") if name in found.draws])
    names = [name for name in frame if name in ("x", "sigma2") or str(name).startswith("var(")]
    values = frame[names].to_numpy().reshape(found.chains, -1, len(names))
    return float(np.min(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk")))


if __name__ == "__main__":
    frame = pd.read_csv(sys.argv[1])
    for _ in range(2):
        start = time.perf_counter()
        found = fit(frame, sys.argv[2], int(sys.argv[3]))
        seconds = time.perf_counter() - start
    out = {"seconds": seconds, "sampling": seconds, "ess": smallest_ess(found), "divergences": None}
    slope = found.draws["x"]
    out |= {"mean": float(slope.mean()), "sd": float(slope.std()), "version": f"StatsPAI {statspai.__version__}"}
    print(json.dumps(out))
