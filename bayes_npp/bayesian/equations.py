"""Equations of a mediation model: what explains what, on which rows."""

from collections.abc import Sequence

import numpy as np

from bayes_npp.design import Design, build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panel import Panel
from bayes_npp.spec import Spec

PATHS = ("a", "b", "direct")


def equation_designs(
    panel: Panel,
    spec: Spec,
    mediators: tuple[str, ...],
    varying: Sequence[str] = PATHS,
    path_correlation: bool = False,
    missing: str = "drop",
) -> tuple[list[Design], int]:
    """Designs of the mediators' equations and, last, the outcome's; how many rows of the window are left out."""
    _check(panel, spec, mediators, varying, missing)
    if path_correlation and not (spec.slopes and {"a", "b"} <= set(varying)):
        raise SpecError(
            "path_correlation takes paths a and b that vary by group", fix="Give the specification slopes, vary both"
        )
    names = (spec.outcome, spec.exposure or "", *spec.controls, *mediators)
    values = np.column_stack([panel.numbers(name) for name in names])
    complete = ~np.isnan(values).any(axis=1)
    n_dropped = int((panel.in_window & ~complete).sum())
    if missing == "error" and n_dropped:
        at = int(np.flatnonzero(panel.in_window & ~complete)[0])
        blank = names[int(np.isnan(values[at]).argmax())]
        raise DesignError(
            f"'{blank}' is missing ({n_dropped} incomplete rows)",
            place=panel.place(at),
            fix="Fill it, or use missing = 'drop'",
        )
    designs = [build_design(panel, equation, where=complete) for equation in _equations(spec, mediators, varying)]
    return designs, n_dropped


def _equations(spec: Spec, mediators: tuple[str, ...], varying: Sequence[str]) -> list[Spec]:
    content = spec.model_dump()
    by_group = spec.slopes if "a" in varying else None
    out = [Spec(**{**content, "outcome": name, "slopes": by_group}) for name in mediators]
    outcome = {**content, "controls": (*spec.controls, *mediators)}
    if spec.slopes and "b" in varying:
        outcome["varying"] = (*spec.varying, *mediators)
    elif "direct" not in varying:
        outcome["slopes"] = None
    return [*out, Spec(**outcome)]


def _check(panel: Panel, spec: Spec, mediators: tuple[str, ...], varying: Sequence[str], missing: str) -> None:
    if not mediators:
        raise SpecError("no mediator is named", fix="Name at least one")
    if spec.exposure is None:
        raise SpecError("mediation needs an exposure", fix="Name it in the specification")
    roles = {spec.outcome: "the outcome", spec.exposure: "the exposure", **dict.fromkeys(spec.controls, "a control")}
    for i, name in enumerate(mediators):
        if name in roles:
            raise SpecError(f"mediator '{name}' is {roles[name]} too", fix="Give it one role")
        if name in mediators[:i]:
            raise SpecError(f"mediator '{name}' is named twice", fix="Name it once")
        panel.column(name)
    unknown = [path for path in varying if path not in PATHS]
    if unknown:
        raise SpecError(f"unknown path '{unknown[0]}'", fix=f"Use {', '.join(PATHS)}")
    if missing not in ("drop", "error"):
        raise SpecError(f"unknown missing = '{missing}'", fix="Use 'drop' or 'error'")
    if spec.unit_slopes or spec.dynamic or spec.transform != "levels" or spec.slope_pooling == "none":
        raise SpecError(
            "mediation takes a static specification in levels, slopes by a grouping column or none",
            fix="Leave unit slopes, dynamic, transform and slope_pooling at their defaults",
        )
