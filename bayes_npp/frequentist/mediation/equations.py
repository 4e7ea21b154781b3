"""Equations of a frequentist mediation model on one common sample, and what can be wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.left_out import LeftOut, left_out
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.absorbed import check_absorbed
from bayes_npp.frequentist.least_squares.clusters import check_one_way, clustered_by
from bayes_npp.panels.panel import Panel


@dataclass(frozen=True)
class PathEquations:
    """Designs on the rows that are complete in outcome, exposure, controls and every mediator.

    Attributes
    ----------
    spec : Spec
        Of the outcome without the mediators.
    mediators : tuple of str
    total : Design
        Outcome on exposure and controls.
    by_mediator : tuple of Design
        Each mediator on the same.
    outcome : Design
        Outcome on exposure, controls and every mediator, in that order.
    left_out : LeftOut
        Rows of the window that are not used, by reason.
    """

    spec: Spec
    mediators: tuple[str, ...]
    total: Design
    by_mediator: tuple[Design, ...]
    outcome: Design
    left_out: LeftOut

    @property
    def n_dropped(self) -> int:
        """Rows of the window that are not used."""
        return self.left_out.total


def path_equations(
    panel: Panel, spec: Spec, mediators: Sequence[str], effects: str, cluster: str = "unit"
) -> PathEquations:
    """Build and check the equations.

    Raises
    ------
    SpecError
        Two-way clusters, analytic weights; no mediator, one that has another role or is named twice, a specification
        that is not static with one slope.
    PanelError
        An unknown column.
    DesignError
        Effects that a cross-section does not have; a column that effects or other columns absorb; too few rows.
    """
    mediators = tuple(mediators)
    _check_roles(panel, spec, mediators)
    check_one_way(cluster, panel.source)
    if panel.time is None and effects != "none":
        raise DesignError(
            f"effects = '{effects}' in a cross-section",
            place=panel.source,
            fix="Read the panel with time=, or use effects = 'none'",
        )
    names = (spec.outcome, spec.exposure or "", *spec.controls, *mediators)
    missing = np.isnan(np.column_stack([panel.numbers(name) for name in names]))
    complete = ~missing.any(axis=1)
    if not (complete & panel.in_window).any():
        blank = [name for name, gone in zip(names, missing[panel.in_window].T, strict=True) if gone.all()]
        fix = f"Column '{blank[0]}' is blank in every row" if blank else "Widen the window or drop a variable"
        raise DesignError(
            "no row is complete in outcome, exposure, controls and mediators", place=panel.source, fix=fix
        )
    # Effects are named by the caller; what a specification says of them belongs to hierarchical models.
    content = {**spec.model_dump(), "unit_effects": "none", "time_effects": "none", "correlated_means": False}

    def design(outcome: str, controls: tuple[str, ...]) -> Design:
        own = build_design(panel, Spec(**{**content, "outcome": outcome, "controls": controls}), where=complete)
        return clustered_by(own, panel, cluster)

    # The largest equation first: its message names what the others would stumble over.
    full = design(spec.outcome, (*spec.controls, *mediators))
    check_absorbed(full, effects, panel.source)
    return PathEquations(
        spec=spec,
        mediators=mediators,
        total=design(spec.outcome, spec.controls),
        by_mediator=tuple(design(name, spec.controls) for name in mediators),
        outcome=full,
        left_out=left_out(panel, panel.in_window, complete, names),
    )


def _check_roles(panel: Panel, spec: Spec, mediators: tuple[str, ...]) -> None:
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
    if spec.slopes or spec.dynamic or spec.transform != "levels":
        raise SpecError(
            "mediation_paths takes a static specification in levels with one slope",
            fix="Leave slopes, dynamic and transform at their defaults; paths by group are kind = 'mediation'",
        )
