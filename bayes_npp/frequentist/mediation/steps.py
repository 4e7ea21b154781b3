"""Baron and Kenny's steps, read off the rows of their regressions."""

from typing import Any

import numpy as np

from bayes_npp.estimates import LEVEL

ALPHA = 1 - LEVEL


def steps_note(rows: list[dict[str, Any]]) -> str:
    """Baron and Kenny's steps as the rows read: total, a, b, and what is left of the total beside the mediators."""
    found = {(row["estimand"], row["term"]): row for row in rows}
    total = next(row for (estimand, _), row in found.items() if estimand == "total")
    direct = next(row for (estimand, _), row in found.items() if estimand == "direct")
    parts = [f"step 1, total: {_p(total)}"]
    met = _below(total)
    for (estimand, name), row in found.items():
        if estimand == "path_a":
            other = found["path_b", name]
            parts.append(f"step 2, a of {name}: {_p(row)}; step 3, b of {name}: {_p(other)}")
            met = met and _below(row) and _below(other)
    left = "smaller" if abs(direct["estimate"]) < abs(total["estimate"]) else "not smaller"
    parts.append(f"step 4, direct {direct['estimate']:.3g} {left} than total {total['estimate']:.3g}, {_p(direct)}")
    if any(np.isnan(row["p_value"]) for row in rows):
        reading = "the steps cannot be judged without p-values"
    elif not met:
        reading = "the steps are not all met at 0.05"
    elif left == "not smaller":
        reading = "steps 1 to 3 are met, the direct effect is not smaller: no mediation in their sense"
    else:
        kind = "partial" if _below(direct) else "complete"
        reading = f"the steps are met, {kind} mediation in their sense"
    return f"{'; '.join(parts)}: {reading}; no step tests the indirect effect itself"


def _below(row: dict[str, Any]) -> bool:
    return bool(row["p_value"] < ALPHA)


def _p(row: dict[str, Any]) -> str:
    if np.isnan(row["p_value"]):
        return "no p-value"
    return "p < 0.001" if row["p_value"] < 0.0005 else f"p = {row['p_value']:.3f}"
