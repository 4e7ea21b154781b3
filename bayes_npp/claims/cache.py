"""What a claim's sensitivity analyses found as JSON data."""

from typing import Any

import pandas as pd

from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.bayesian.sensitivity.sensitivity import Sensitivity
from bayes_npp.design.propositions import parse_proposition

FRAMES = ("power", "grid", "sets", "slopes", "overlap", "predictive")


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
