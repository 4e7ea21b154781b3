"""What a claim's sensitivity analyses found, kept beside the fit they started from; a report computes nothing again."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.bayesian.sensitivity.sensitivity import Sensitivity
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.records import content_hash
from bayes_npp.store import versions, write_json
from bayes_npp.study.study import Study

FRAMES = ("power", "grid", "sets", "slopes", "overlap", "predictive")


def remembered[T](
    path: Path | None,
    made_from: dict[str, Any],
    compute: Callable[[], T],
    plain: Callable[[T], Any],
    restore: Callable[[Any], T],
    again: bool = False,
) -> T:
    """What `compute` returns, read from a JSON file if that holds it, made from the same and by the same versions.

    Parameters
    ----------
    path : Path, optional
        Nothing is kept without one.
    made_from : dict
        Everything the result depends on, as data.
    plain, restore : callable
        To JSON data and back.
    again : bool
        Compute in any case.
    """
    key = content_hash({**made_from, "versions": versions()})
    kept = None if again else _read(path, key, restore)
    if kept is not None:
        return kept
    found = compute()
    if path is not None:
        write_json(path, {"key": key, "found": plain(found)})
    return found


def _read[T](path: Path | None, key: str, restore: Callable[[Any], T]) -> T | None:
    """What is kept under this key; None where nothing is, or it is damaged or made from something else."""
    if path is None or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return restore(content["found"]) if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def data_of(study: Study) -> dict[str, Any]:
    """What a study's samples are made from: the panel's values, scaling constants, declared robustness rows."""
    panel = study.panel
    frame = panel.frame.assign(**{"": panel.in_window})
    values = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()
    rows = [row.model_dump(mode="json") for row in study.robustness]
    scales = study.scales.as_dict()
    return {"columns": [panel.unit, panel.time, *frame], "values": values, "robustness": rows, "scales": scales}


def plain_frame(frame: pd.DataFrame) -> list[list[Any]]:
    """A table's columns in their order; its numbers come back bit by bit."""
    return [[name, column.tolist()] for name, column in frame.items()]


def restored_frame(columns: list[list[Any]]) -> pd.DataFrame:
    """The inverse of `plain_frame`."""
    return pd.DataFrame(dict(columns))


def plain_sensitivity(found: Sensitivity) -> dict[str, Any]:
    """A `Sensitivity` as JSON data."""
    return {
        "propositions": [str(p) for p in found.propositions],
        "probabilities": list(found.probabilities),
        "reverse": [
            {
                "proposition": str(one.proposition),
                "shrunk": list(one.shrunk),
                "curve": plain_frame(one.curve),
                "crossings": [[level, list(sds)] for level, sds in one.crossings.items()],
                "at_widest": one.at_widest,
                "estimate": one.estimate,
            }
            for one in found.reverse
        ],
        **{name: plain_frame(getattr(found, name)) for name in FRAMES},
    }


def restored_sensitivity(content: dict[str, Any]) -> Sensitivity:
    """The inverse of `plain_sensitivity`."""
    reverse = tuple(
        Scepticism(
            proposition=parse_proposition(one["proposition"]),
            shrunk=tuple(one["shrunk"]),
            curve=restored_frame(one["curve"]),
            crossings={level: tuple(sds) for level, sds in one["crossings"]},
            at_widest=one["at_widest"],
            estimate=one["estimate"],
        )
        for one in content["reverse"]
    )
    return Sensitivity(
        propositions=tuple(parse_proposition(p) for p in content["propositions"]),
        probabilities=tuple(content["probabilities"]),
        reverse=reverse,
        **{name: restored_frame(content[name]) for name in FRAMES},
    )
