"""The benchmark's model in bambi, sampled by nutpie: the second of two fits, the first warms the process up."""

import json
import sys
import time
from importlib.metadata import version

import bambi
import numpy as np
import nutpie
import pandas as pd
from arviz_stats.base import array_stats

spent = []
sample = nutpie.sample


def timed(*arguments, **options):
    start = time.perf_counter()
    found = sample(*arguments, **options)
    spent.append(time.perf_counter() - start)
    return found


nutpie.sample = timed


def fit(frame, formula, draws, target):
    model = bambi.Model(formula, frame)
    options = {"draws": draws, "tune": draws, "chains": 4, "random_seed": 1}
    tree = model.fit(**options, target_accept=target, inference_method="nutpie")
    posterior = tree["posterior"].dataset
    names = [name for name in posterior.data_vars if name in ("x", "x|group", "sigma") or str(name).endswith("_sigma")]
    arrays = [posterior[name].to_numpy() for name in names]
    values = np.concatenate([array.reshape(*array.shape[:2], -1) for array in arrays], axis=-1)
    ess = np.min(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk"))
    return float(ess), int(tree["sample_stats"]["diverging"].sum())


if __name__ == "__main__":
    frame = pd.read_csv(sys.argv[1])
    frame["time"] = frame["time"].astype(str)
    for _ in range(2):
        start = time.perf_counter()
        ess, divergences = fit(frame, sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        seconds = time.perf_counter() - start
    made = f"bambi {version('bambi')}, nutpie {version('nutpie')}"
    out = {"seconds": seconds, "sampling": spent[-1], "ess": ess, "divergences": divergences, "version": made}
    print(json.dumps(out))
