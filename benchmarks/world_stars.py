"""What "significant here, not there" says in worlds of known truth, and least squares of the average.

Usage: python benchmarks/world_stars.py [replications]
Writes benchmarks/world_stars.json, of which benchmarks/worlds.py makes a table of docs/worlds.md. A thousand
replications of a world take a minute of a core or two.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits
from world_panels import GROUPS, WORLDS

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from bayes_npp.frequentist.least_squares.static import linear_fit

RESULTS = Path(__file__).parent / "world_stars.json"
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
NAMES = (
    "one slope",
    "one slope, AR(1) .6",
    "one slope, unit scales",
    "strong differences",
    "strong differences, AR(1) .6",
    "strong differences, unit scales",
    "no effect",
)


def main() -> None:
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found = {}
    with threadpool_limits(limits=1):
        for name in NAMES:
            rows = pd.DataFrame([stars(WORLDS[name].frame(seed)) for seed in range(1, replications + 1)])
            found[name] = {"replications": replications, **{key: int(rows[key].sum()) for key in rows}}
            print(name, found[name], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def stars(frame: pd.DataFrame) -> dict[str, bool]:
    """Readings of one panel by least squares, errors clustered by unit."""
    separate = [significant(frame[frame["group"] == group]) for group in GROUPS]
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    grouped = bn.Spec(**{**SPEC.model_dump(), "slopes": "group"})
    return {
        "here, not there": any(separate) and not all(separate),
        "joint test": bool(equal_slopes(build_design(panel, grouped)).p_value < 0.05),
        "average": significant(frame),
    }


def significant(frame: pd.DataFrame) -> bool:
    """Whether two-way fixed effects find a positive slope with p < 0.05."""
    panel = bn.read_panel(frame, unit="unit", time="time")
    fit = linear_fit(build_design(panel, SPEC), "two-way", "clustered", "stata", None, panel.source)
    return bool(fit.coefficients[0] / np.sqrt(fit.covariance[0, 0]) > stats.t.ppf(0.975, fit.df))


if __name__ == "__main__":
    main()
