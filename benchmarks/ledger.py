"""Claims and measures of the default study, today and before: a part of benchmarks/run.py."""

import json
from pathlib import Path

from before import earlier, said_by
from samplers import ROOT, default_design, full, timed

STUDY = Path("models") / "digital_trade"
NOW, BEFORE, AS_DECLARED = "today's code", "the code before", "today's code, the study as it is now"


def ledger(small: bool) -> list[dict]:
    """Everything the claims of the default study are asked, a process each, and in fits of the full model.

    Today's code and that of the commit before importance sampling on the study of that time, which tries no error
    model with a factor; then today's study, which does.
    """
    design, priors = default_design()
    full_model = timed("bayes_npp: full model, PyMC + nutpie", lambda: full(design, priors, 1000))["wall seconds"]
    then, runs = earlier(), {}
    if then is not None:
        runs |= {BEFORE: (then, then / STUDY), NOW: (ROOT, then / STUDY)}
    rows = []
    for name, (code, study) in (runs | {AS_DECLARED: (ROOT, ROOT / STUDY)}).items():
        lines = said_by(code, "study_time.py", str(study), *(["--quick"] if small else []))
        rows.append({"code": name, **json.loads(lines[-1])})
        rows[-1]["both in fits of the full model"] = round(rows[-1]["both"] / full_model, 1)
        print(rows[-1], flush=True)
    return rows
