"""Microseconds of a gradient of the collapsed density by error model, as JSON lines; runs with earlier versions too.

PYTHONPATH=CHECKOUT python benchmarks/density_cost.py iid ar1 ...
"""

import json
import sys
import time

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate

PANELS = ((30, 9), (48, 17))
REPEATS, CALLS = 20, 20


def cost(units: int, periods: int, errors: str) -> dict:
    """One thread, called from Python; the fastest of some repeats."""
    frame = simulate(units, periods, {"a": 0.6, "b": 0.1, "c": 0.3}, seed=4).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group", errors=errors)
    collapsed = collapse(prepare(build_design(panel, spec)), load_priors("weakly_informative"))
    theta = collapsed.start + 0.1
    collapsed.log_density(theta)
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(CALLS):
            collapsed.log_density(theta)
        seconds.append((time.process_time() - start) / CALLS)
    out = {"units": units, "periods": periods, "errors": errors, "scales and shapes": collapsed.size}
    return out | {"microseconds": round(min(seconds) * 1e6, 1)}


if __name__ == "__main__":
    for errors in sys.argv[1:]:
        for units, periods in PANELS:
            print(json.dumps(cost(units, periods, errors)), flush=True)
