"""System GMM by systemgmmkit's own engine, two steps, Windmeijer's correction: the median of some fits after one."""

import json
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
import systemgmmkit as kit

SPEC = kit.DynamicPanelSpec(
    dependent="n",
    regressors=["L1.n", "w", "k"],
    gmm=[kit.GMMStyle("n", 2, 4), kit.GMMStyle("w", 1, 3)],
    iv=[kit.IVStyle("k")],
    time_dummies=False,
    collapse=True,
    transformation="fd",
    steps="twostep",
)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    frame = pd.read_csv(sys.argv[1])
    seconds = []
    for _ in range(1 + int(sys.argv[2])):
        start = time.perf_counter()
        found = kit.run_system_gmm(SPEC, frame, entity="id", time="year", backend="native", windmeijer=True)
        seconds.append(time.perf_counter() - start)
    out = {"seconds": float(np.median(seconds[1:])), "estimates": found.params[["L1.n", "w", "k"]].tolist()}
    out |= {"errors": found.std_errors[["L1.n", "w", "k"]].tolist(), "hansen p": found.hansen_p}
    print(json.dumps(out | {"version": f"systemgmmkit {version('systemgmmkit')}"}))
