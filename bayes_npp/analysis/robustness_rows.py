"""Every robustness row of a study estimated: the same estimators on altered data."""

import time
from dataclasses import replace

from bayes_npp.analysis.estimation import estimate_model
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import RobustnessRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.errors import located
from bayes_npp.estimates import Estimates
from bayes_npp.study.robustness import Altered
from bayes_npp.study.study import Study


def rerun_altered(
    study: Study, settings: RunSettings, progress: Progress, walls: dict[str, float]
) -> tuple[tuple[RobustnessRecord, ...], list[Estimates]]:
    """Estimate every robustness row of the study; `walls` gets its seconds."""
    records, tables = [], []
    for declared, row, altered in progress.track("robustness", study.altered, lambda one: one[2].model.name):
        begun, name = time.time(), altered.model.name
        with located(f"robustness '{row.name}' of '{declared}'"):
            found = estimate_model(altered.data, altered.model, settings)
        tables.append(labelled(found.table, altered))
        told = (altered.model, altered.data.roles.exposure, altered.changed, altered.placebo)
        records.append(RobustnessRecord(declared, name, *told, row.note, found.fit))
        walls[name] = round(time.time() - begun, 2)
    return tuple(records), tables


def labelled(table: Estimates, altered: Altered) -> Estimates:
    """The rows with what was left out as their sample and what was altered in their note."""
    left = "" if altered.sample == "all" else altered.sample
    samples = table.frame["sample"].replace("all", "")
    texts = {
        "sample": [("; ".join(p for p in (own, left) if p)) or "all" for own in samples],
        "note": ["; ".join(p for p in (own, altered.changed) if p) for own in table.frame["note"]],
    }
    return replace(table, frame=table.frame.assign(**texts))
