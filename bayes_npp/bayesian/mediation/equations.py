"""Equations of a mediation model: what explains what, on which rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from bayes_npp.bayesian.model.error_models import names_where, parts
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.design.design import Design, build_design
from bayes_npp.design.left_out import LeftOut, left_out
from bayes_npp.design.propositions import PATHS as PATH_QUANTITIES
from bayes_npp.design.propositions import Proposition
from bayes_npp.design.scales import within_sds
from bayes_npp.design.slope_contrasts import no_group, position
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.variation import constant

PATHS = ("a", "b", "direct", "serial")
MOST_UNITS = 300  # with paths of their own: every one adds a column to each equation
TIED_FROM = 8  # groups: with as many their paths say whether they correlate, and independent priors would say that not


@dataclass(frozen=True)
class Paths:
    """What is drawn between exposure, mediators and outcome.

    Attributes
    ----------
    varying : tuple of {"a", "b", "direct", "serial"}
        Paths that vary by group where the specification has slopes.
    serial : tuple of pairs
        Links (m1, m2): mediator m1 explains mediator m2.
    lags : tuple of int
        Periods from exposure to mediators and from mediators to outcome; the direct path then takes their sum.
    correlated : bool, optional
        Whether groups' offsets of a_k and b_k may correlate; by default as `ties` says.
    """

    varying: tuple[str, ...] = PATHS
    serial: tuple[tuple[str, str], ...] = ()
    lags: tuple[int, int] = (0, 0)
    correlated: bool | None = None

    def causes(self, mediator: str) -> tuple[str, ...]:
        """Mediators that explain a mediator."""
        return tuple(cause for cause, effect in self.serial if effect == mediator)

    def chains(self, mediators: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Every way from exposure to outcome through mediators; each mediator by itself comes first."""
        out: list[tuple[str, ...]] = []
        open_: list[tuple[str, ...]] = [(name,) for name in mediators]
        while open_:
            out += open_
            open_ = [(*chain, effect) for chain in open_ for cause, effect in self.serial if cause == chain[-1]]
        return tuple(out)


def lagged(name: str, periods: int) -> str:
    """The name of a column some periods earlier."""
    return f"L{periods}.{name}" if periods else name


def equation_designs(
    panel: Panel, spec: Spec, mediators: tuple[str, ...], paths: Paths, missing: str = "drop"
) -> tuple[list[Design], LeftOut]:
    """Designs of the mediators' equations and, last, the outcome's; the rows of the window that the last leaves out.

    Without lags all equations have the same rows; with them, each those on which its own variables are complete.
    """
    panel, spec = units_as_groups(panel, spec)
    _check(panel, spec, mediators, missing)
    _check_paths(spec, mediators, paths)
    panel = _with_lags(panel, spec, mediators, paths)
    equations = _equations(spec, mediators, paths)
    complete = [_complete(panel, equation) for equation in equations]
    if not any(paths.lags):
        complete = [np.logical_and.reduce(complete)] * len(equations)
    gone = panel.in_window & ~complete[-1]
    if missing == "error" and gone.any():
        at = int(np.flatnonzero(gone)[0])
        blank = next(n for equation in equations for n in _columns(equation) if np.isnan(panel.numbers(n)[at]))
        raise DesignError(
            f"'{blank}' is missing ({gone.sum()} incomplete rows)",
            place=panel.place(at),
            fix="Fill it, or use missing = 'drop'",
        )
    designs = [build_design(panel, one, where=where) for one, where in zip(equations, complete, strict=True)]
    if any(paths.lags):
        designs = _on_shared_scales(designs, panel, np.logical_and.reduce(complete))
    shared = equations if not any(paths.lags) else equations[-1:]
    names = tuple(dict.fromkeys(name for equation in shared for name in _columns(equation)))
    grouping = designs[-1].spec.slope_group
    no_group = panel.labels(grouping).isna().to_numpy() if grouping else np.zeros(len(gone), dtype=bool)
    return designs, left_out(panel, panel.in_window, complete[-1] & ~no_group, names, no_group)


def units_as_groups(panel: Panel, spec: Spec) -> tuple[Panel, Spec]:
    """With `slopes = "unit"` every unit is a group of its own: the panel with such a column, and slopes by it."""
    if spec.slopes != "unit":
        return panel, spec
    n_units = panel.frame[panel.unit][panel.in_window].nunique()
    if n_units > MOST_UNITS:
        raise SpecError(
            f"slopes = 'unit' in a mediation of {n_units} units, each with paths of its own (at most {MOST_UNITS})",
            fix="Let paths vary by a grouping column",
        )
    name = f"each {panel.unit}"
    return panel.with_column(name, panel.frame[panel.unit]), Spec(**{**spec.model_dump(), "slopes": name})


def _on_shared_scales(designs: list[Design], panel: Panel, shared: np.ndarray) -> list[Design]:
    """Designs of equations on different rows with scales from the rows that all share, where these carry them."""
    removed = designs[-1].scales.removed
    rows = shared & panel.in_window
    names = tuple(dict.fromkeys(name for design in designs for name in _columns(design.spec)))
    values = np.column_stack([panel.numbers(name) for name in names])[rows]
    if len(values) < 2 or constant(values).any():
        return designs
    unit, time = (np.unique(panel.frame[name][rows], return_inverse=True)[1] for name in (panel.unit, panel.time))
    sds, absorbed = within_sds(values, unit, time, removed)
    if absorbed.any():
        return designs
    own = dict(zip(names, map(float, sds), strict=True))
    totals = dict(zip(names, map(float, values.std(axis=0, ddof=1)), strict=True))
    return [
        replace(
            design,
            scales=replace(
                design.scales,
                outcome_sd=own[design.spec.outcome],
                total_sd=totals[design.spec.outcome],
                divisors={name: own[name] for name in design.scales.divisors},
            ),
        )
        for design in designs
    ]


def _equations(spec: Spec, mediators: tuple[str, ...], paths: Paths) -> list[Spec]:
    content, (to_mediator, to_outcome) = spec.model_dump(), paths.lags
    out = []
    for name in mediators:
        causes = paths.causes(name)
        by_cause = causes if spec.slopes and "serial" in paths.varying else ()
        own = {
            "outcome": name,
            "exposure": lagged(spec.exposure or "", to_mediator),
            "controls": (*spec.controls, *causes),
            "varying": (*spec.varying, *by_cause),
            "slopes": spec.slopes if "a" in paths.varying or by_cause else None,
        }
        out.append(Spec(**{**content, **own}))
    entering = tuple(lagged(name, to_outcome) for name in mediators)
    outcome: dict[str, Any] = {
        "exposure": lagged(spec.exposure or "", to_mediator + to_outcome),
        "controls": (*spec.controls, *entering),
    }
    if spec.slopes and "b" in paths.varying:
        outcome["varying"] = (*spec.varying, *entering)
    elif "direct" not in paths.varying:
        outcome["slopes"] = None
    return [*out, Spec(**{**content, **outcome})]


def _with_lags(panel: Panel, spec: Spec, mediators: tuple[str, ...], paths: Paths) -> Panel:
    to_mediator, to_outcome = paths.lags
    exposure = spec.exposure or ""
    wanted = [
        (exposure, to_mediator),
        (exposure, to_mediator + to_outcome),
        *((name, to_outcome) for name in mediators),
    ]
    for name, periods in wanted:
        if periods:
            values = panel.shift(panel.numbers(name), periods)
            panel = panel.with_column(lagged(name, periods), values, moved=True)
    return panel


def _columns(spec: Spec) -> tuple[str, ...]:
    return (spec.outcome, spec.exposure or "", *spec.controls)


def _complete(panel: Panel, spec: Spec) -> np.ndarray:
    return ~np.isnan(np.column_stack([panel.numbers(name) for name in _columns(spec)])).any(axis=1)


def _check(panel: Panel, spec: Spec, mediators: tuple[str, ...], missing: str) -> None:
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
    if missing not in ("drop", "error"):
        raise SpecError(f"unknown missing = '{missing}'", fix="Use 'drop' or 'error'")
    if spec.unit_slopes or spec.dynamic or spec.transform != "levels" or spec.slope_pooling == "none":
        raise SpecError(
            "mediation takes a static specification in levels, slopes by a grouping column, by unit or none",
            fix="Leave units within groups, dynamic, transform and slope_pooling at their defaults",
        )


def ties(paths: Paths, designs: Sequence[Design], imputed: bool) -> bool:
    """Whether paths correlate: as declared, or from eight groups on where the equations can be tied."""
    if paths.correlated is not None:
        return paths.correlated
    return min(len(design.groups) for design in designs) >= TIED_FROM and can_tie(paths, designs, imputed)


def can_tie(paths: Paths, designs: Sequence[Design], imputed: bool) -> bool:
    """Whether a prior can tie paths a and b: both vary by group, and all coefficients integrate out."""
    by_group = {"a", "b"} <= set(paths.varying) and all(design.groups for design in designs)
    return by_group and not imputed and all(_tieable(design.spec) for design in designs)


def _tieable(spec: Spec) -> bool:
    from bayes_npp.bayesian.collapsed.collapsed import why_not_collapsible  # loads numba, which a check does without

    return not (why_not_collapsible(spec) or loads(spec) or "period_scale" in spec.error_parts)


def check_equation(spec: Spec, imputed: bool, tied: bool) -> None:
    """Raise for errors under which cells cannot be imputed, or paths not be tied, where that is asked for."""
    if imputed:
        check_imputes(spec.errors)
    if tied:
        check_tied(spec)


def check_imputes(errors: str) -> None:
    """Raise for errors under which missing cells are not normal given the rest."""
    if not all(part.imputes for part in parts(errors)):
        fitting = " or ".join(names_where(lambda part: part.imputes))
        raise SpecError(
            f"missing = 'impute' does not take errors = '{errors}'",
            fix=f"Use {fitting}: missing cells are then normal given the rest",
        )


def check_tied(spec: Spec) -> None:
    """Raise for an equation whose paths no prior can tie to those of others: the tie takes sums of cross-products."""
    if not _tieable(spec):
        raise SpecError(
            "path_correlation takes normal errors without scales of periods, common factors or other columns on which "
            f"units load (errors = '{spec.errors}')",
            fix="Use path_correlation = false, or errors of units alone",
        )


def _check_paths(spec: Spec, mediators: tuple[str, ...], paths: Paths) -> None:
    unknown = [path for path in paths.varying if path not in PATHS]
    if unknown:
        raise SpecError(f"unknown path '{unknown[0]}'", fix=f"Use {', '.join(PATHS)}")
    if paths.correlated and not (spec.slopes and {"a", "b"} <= set(paths.varying)):
        raise SpecError(
            "path_correlation takes paths a and b that vary by group", fix="Give the specification slopes, vary both"
        )
    if paths.correlated:
        check_tied(spec)
    if min(paths.lags) < 0:
        raise SpecError(
            f"lags = {list(paths.lags)}",
            fix="Give two numbers of periods, none negative: exposure to mediators, mediators to outcome",
        )
    for link in paths.serial:
        for name in link:
            if name not in mediators:
                raise SpecError(f"serial path {_arrow(link)}: '{name}' is no mediator", fix="Name it in mediators too")
    if len(set(paths.serial)) < len(paths.serial):
        raise SpecError("a serial path is declared twice", fix="Declare it once")
    graph = {name: paths.causes(name) for name in mediators}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise SpecError(
            f"serial paths form a cycle: {_arrow(reversed(error.args[1]))}",
            fix="Declare an order: no mediator may explain itself, by any way",
        ) from None


def _arrow(names: Iterable[str]) -> str:
    return " -> ".join(names)


def check_quantities(
    proposition: Proposition, mediators: tuple[str, ...], paths: Paths, groups: tuple[str, ...]
) -> None:
    """Raise `SpecError` if a proposition names a path that a mediation with these mediators and groups lacks."""
    terms = tuple(" -> ".join(chain) for chain in paths.chains(mediators))
    for quantity in proposition.quantities:
        labels = list(quantity.labels)
        if quantity.name not in PATH_QUANTITIES:
            raise SpecError(f"'{quantity}' is no path", fix="Name a hierarchical model")
        if quantity.name in ("path_a", "path_b", "indirect"):
            position(labels.pop(0), terms if quantity.name == "indirect" else mediators, quantity)
        if labels and not groups:
            no_group(quantity)
        if labels:
            position(labels[0], groups, quantity)
