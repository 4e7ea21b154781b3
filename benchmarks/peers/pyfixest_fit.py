"""Two-way fixed effects with errors clustered by unit in pyfixest: the median of some fits after one, peak memory."""

import json
import resource
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import pyfixest

if __name__ == "__main__":
    frame = pd.read_csv(sys.argv[1])
    seconds = []
    for _ in range(1 + int(sys.argv[2])):
        start = time.perf_counter()
        found = pyfixest.feols("outcome ~ exposure + control_1 | unit + time", frame, vcov={"CRV1": "unit"})
        slope, error = float(found.coef()["exposure"]), float(found.se()["exposure"])
        seconds.append(time.perf_counter() - start)
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    out = {"seconds": float(np.median(seconds[1:])), "peak MiB": peak, "slope": slope, "error": error}
    print(json.dumps(out | {"version": f"pyfixest {version('pyfixest')}"}))
