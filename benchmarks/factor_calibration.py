"""Simulation-based calibration of models with common factors, on an unbalanced panel with gaps.

Usage: python benchmarks/factor_calibration.py [replications | page]
Writes benchmarks/factor_calibration.json and docs/factor_calibration.md; "page" writes the page again from the numbers.
Goes on from the replications that the file holds. Two hundred of each take about an hour of one core.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.calibration import RANKED_DRAWS, Calibration, calibrate
from bayes_npp.design.design import build_design

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "factor_calibration.json", ROOT / "docs" / "factor_calibration.md"
UNITS, PERIODS, MISSING = 20, 9, 0.15
ERRORS = ("factor", "ar1+factor")
BATCH, SEED = 10, 1900  # replications at a time; batches lie far apart in their seeds


def main() -> None:
    if sys.argv[1:] != ["page"]:
        replications = int(sys.argv[1]) if len(sys.argv) > 1 else 200
        content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        for errors in ERRORS:
            found = content.setdefault(errors, {"failed": 0, "ranks": {}})
            while (done := len(next(iter(found["ranks"].values()), []))) < replications:
                batch = min(BATCH, replications - done)
                own = calibrate(template(errors), load_priors("weakly_informative"), batch, seed=SEED + 1000 * done)
                found["failed"] += own.failed
                for name, ranks in own.ranks.items():
                    found["ranks"].setdefault(name, []).extend(ranks.tolist())
                RESULTS.write_text(json.dumps(content).replace("], ", "],\n").replace(": {", ":\n{") + "\n")
                print(f"{errors}: {done + batch} of {replications}", flush=True)
    write_page(json.loads(RESULTS.read_text()))


def template(errors: str):
    """Columns and rows; the outcome is replaced."""
    frame = bn.simulate(UNITS, PERIODS, {"a": 0.3, "b": 0.1}, missing=MISSING, seed=19).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group", errors=errors)
    return prepare(build_design(panel, spec))


def write_page(content: dict) -> None:
    parts = [
        "# Calibration of models with common factors",
        "Written by `benchmarks/factor_calibration.py`; the numbers are in `benchmarks/factor_calibration.json`. "
        f"Parameters from the prior, outcomes from the model on the rows of a panel of {UNITS} units x {PERIODS} "
        f"periods with {100 * MISSING:.0f} % of the rows missing, slopes in two groups, one control; the posterior by "
        f"the collapsed sampler. The rank of the true value among {RANKED_DRAWS} draws is uniform where the sampler is "
        "right. Signs of factors are no result, so of factors and loadings their product is ranked, at three cells and "
        f"as its root mean square. *Mean rank* is {RANKED_DRAWS / 2} in expectation, its Monte Carlo error "
        f"{RANKED_DRAWS / np.sqrt(12):.0f} over the root of the replications; *inside* says whether the ECDF of the "
        "ranks stays within its band, which holds over all quantities at once with probability .95.",
    ]
    for errors, found in content.items():
        ranks = {name: np.array(own) for name, own in found["ranks"].items()}
        inside = Calibration(ranks, found["failed"]).bands()
        table = pd.DataFrame(
            {
                "quantity": list(ranks),
                "mean rank": [f"{own.mean():.1f}" for own in ranks.values()],
                "inside": ["yes" if inside[name] else "**no**" for name in ranks],
            }
        )
        number = len(next(iter(ranks.values())))
        parts += [
            f'## errors = "{errors}"',
            f"{number} replications, {found['failed']} of them with a sampler that failed its diagnostics (kept: "
            "leaving them out would bias the ranks).",
            table.to_markdown(index=False, disable_numparse=True),
        ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
