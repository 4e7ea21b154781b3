"""What a study's claims and measures took, as a line of JSON; runs with earlier versions too, and writes no report.

PYTHONPATH=CHECKOUT python benchmarks/study_time.py STUDY [--quick]
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import bayes_npp as bn
from bayes_npp import pipeline


def main(study: str, quick: bool) -> None:
    pipeline.write_outputs = lambda *_: None
    with tempfile.TemporaryDirectory() as folder:
        found = bn.run_study(study, folder, quick=quick)
        spent = json.loads((Path(folder) / "manifest.json").read_text())["wall_seconds"]
    busy = os.times()
    analyses, curves = found.ledger.sensitivities.values(), found.ledger.curves.values()
    out = {
        "claims": len(found.ledger.records),
        "prior cells": sum(one.grid["cell"].nunique() for one in analyses),
        "measures": sum(len(one.variants) for one in found.measurement),
        "samples x estimators": sum(len(one[["sample", "estimator"]].drop_duplicates()) for one in curves),
        "claims, seconds": round(spent["claims"], 1),
        "measures, seconds": round(spent["measurement"], 1),
        "both": round(spent["claims"] + spent["measurement"], 1),
        "whole run, seconds": round(spent["total"], 1),
        "processor seconds": round(busy.user + busy.system + busy.children_user + busy.children_system, 1),
    }
    print(json.dumps(out))


if __name__ == "__main__":
    main(sys.argv[1], "--quick" in sys.argv)
