"""Missing years of mediators: dropped, filled and treated as data, or estimated with the model.

A filled cell is a guess that every later step takes for an observation: intervals do not know of it. Imputation
(`imputation`) keeps the cell unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bayes_npp.bayesian.mediation.equations import Paths, equation_designs
from bayes_npp.bayesian.model.error_models import memory_of, with_memory
from bayes_npp.design.design import Design
from bayes_npp.design.left_out import LeftOut
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError, nearest
from bayes_npp.panels.panel import Panel

TREATMENTS = ("drop", "error", "interpolate", "extrapolate", "impute")
EXTRAPOLATIONS = ("linear", "carry")
HOW = {"linear": "along the line through a unit's two nearest years", "carry": "with a unit's nearest year"}


@dataclass(frozen=True)
class MissingCells:
    """How missing cells of mediators were treated.

    Attributes
    ----------
    treatment : {"drop", "error", "interpolate", "extrapolate", "impute"}
    extrapolation : {"linear", "carry"}
        Of "extrapolate".
    filled : dict of int
        Cells filled or imputed among the rows used, by mediator; mediators without any are left out.
    n_rows : int
        Rows used, and so cells of each mediator.
    left_out : LeftOut
        Rows of the window that are not used, by reason.
    errors : str
        Error model of the mediators' equations.
    unseen : dict of tuple of int
        Periods in which no unit has the mediator, by mediator.
    """

    treatment: str
    extrapolation: str = "linear"
    filled: Mapping[str, int] = field(default_factory=dict)
    n_rows: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)
    errors: str = "iid"
    unseen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_dropped(self) -> int:
        """Rows of the window that are not used."""
        return self.left_out.total

    @property
    def imputed(self) -> bool:
        """Whether cells are unknowns of the model."""
        return self.treatment == "impute" and bool(self.filled)

    @property
    def note(self) -> str:
        """What goes with every estimate: the cells that were filled, as a warning, and the rows that are left out."""
        return "; ".join(part for part in (self.cells, str(self.left_out)) if part)

    @property
    def cells(self) -> str:
        """What was done about missing cells; empty where none was filled."""
        if not self.filled:
            return ""
        counts = ", ".join(f"{n} of {self.n_rows} cells of '{name}'" for name, n in self.filled.items())
        if not self.imputed:
            how = "interpolated linearly over time within units"
            if self.treatment == "extrapolate":
                how = f"interpolated, or extrapolated {HOW[self.extrapolation]},"
            return f"WARNING: {counts} {how} and treated as data: intervals do not know that they were filled"
        text = (
            f"{counts} imputed jointly with the equations ({self.errors} errors of mediators): missingness is assumed "
            "ignorable"
        )
        whole = "; ".join(f"{', '.join(map(str, years))} of '{name}'" for name, years in self.unseen.items())
        return f"{text}; the common level of {whole} is known from the prior of period effects alone" if whole else text


@dataclass(frozen=True)
class Treated:
    """Equations ready to fit.

    Attributes
    ----------
    designs : tuple of Design
        Of the mediators' equations and, last, the outcome's; filled or starting values in missing cells.
    missing : MissingCells
    unknown : dict of ndarray, shape (n,) of bool
        Rows whose mediator is to be imputed; empty unless there are any.
    """

    designs: tuple[Design, ...]
    missing: MissingCells
    unknown: dict[str, np.ndarray]


def treat(
    panel: Panel,
    spec: Spec,
    mediators: tuple[str, ...],
    paths: Paths,
    treatment: str = "drop",
    extrapolation: str = "linear",
    mediator_errors: str | Mapping[str, str] | None = None,
) -> Treated:
    """Designs of a mediation model's equations after missing cells of its mediators were treated.

    Parameters
    ----------
    panel, spec, mediators, paths
        See `mediation.mediate`.
    treatment : {"drop", "error", "interpolate", "extrapolate", "impute"}
    extrapolation : {"linear", "carry"}
    mediator_errors : str or mapping, optional
        Errors of the mediators' equations, of all or by mediator; those of `spec`, and with "impute" AR(1) added where
        they have no memory.

    Raises
    ------
    SpecError
        An unknown treatment; "impute" with lagged or correlated paths.
    DesignError
        See `fill_mediators`.
    """
    check_treatment(treatment, extrapolation)
    if treatment == "impute" and (any(paths.lags) or paths.correlated):
        what = "lags" if any(paths.lags) else "path_correlation"
        raise SpecError(
            f"missing = 'impute' does not combine with {what}", fix=f"Leave {what} out, or choose another treatment"
        )
    filled = panel
    if treatment in ("interpolate", "extrapolate", "impute"):
        filled = fill_mediators(panel, spec, mediators, treatment, extrapolation)
    strictness = "error" if treatment == "error" else "drop"
    found, left_out = equation_designs(filled, spec, mediators, paths, strictness)
    errors = _errors_of(mediators, mediator_errors, with_memory(spec.errors) if treatment == "impute" else spec.errors)
    for own in errors.values():
        if memory_of(own):
            panel.check_distances(f"errors = '{own}' of mediators")
    designs = tuple(design_with_errors(one, errors.get(one.spec.outcome, spec.errors)) for one in found)
    by_name = {one.spec.outcome: one for one in designs}
    rows = {name: missing_rows(panel, by_name[name], name) for name in mediators}
    record = describe(by_name, rows, treatment, extrapolation, left_out)
    return Treated(designs, record, rows if record.imputed else {})


def _errors_of(mediators: tuple[str, ...], said: str | Mapping[str, str] | None, default: str) -> dict[str, str]:
    """Errors of every mediator's equation."""
    if said is None or isinstance(said, str):
        return dict.fromkeys(mediators, said or default)
    for name in said:
        if name not in mediators:
            raise SpecError(f"mediator_errors names '{name}'", fix=nearest(name, mediators))
    return {name: said.get(name, default) for name in mediators}


def design_with_errors(design: Design, errors: str) -> Design:
    """The same rows with other errors."""
    if errors == design.spec.errors:
        return design
    return replace(design, spec=Spec(**{**design.spec.model_dump(), "errors": errors, "se": None}), se=None)


def check_treatment(treatment: str, extrapolation: str) -> None:
    """Raise `SpecError` for an unknown treatment of missing cells."""
    if treatment not in TREATMENTS:
        raise SpecError(f"unknown missing = '{treatment}'", fix=nearest(treatment, TREATMENTS))
    if extrapolation not in EXTRAPOLATIONS:
        raise SpecError(f"unknown extrapolation = '{extrapolation}'", fix=nearest(extrapolation, EXTRAPOLATIONS))
    if extrapolation != "linear" and treatment != "extrapolate":
        raise SpecError("extrapolation belongs to missing = 'extrapolate'", fix="Give both or neither")


def missing_mediators(panel: Panel, mediators: Sequence[str]) -> tuple[str, ...]:
    """Mediators with a missing cell in the window."""
    return tuple(name for name in mediators if np.isnan(panel.numbers(name)[panel.in_window]).any())


def fill_mediators(
    panel: Panel, spec: Spec, mediators: Sequence[str], treatment: str, extrapolation: str = "linear"
) -> Panel:
    """The panel with missing cells of mediators filled, for "interpolate", "extrapolate" and "impute".

    Only cells of rows that have outcome, exposure and controls are filled. What is filled for "impute" is where its
    sampler starts, no more: every cell, by interpolation and the nearest year.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Of the outcome without the mediators.
    mediators : sequence of str
    treatment, extrapolation : str
        See `MissingCells`. Years of a unit outside the window serve.

    Raises
    ------
    SpecError
        A panel without time.
    DesignError
        A mediator that is missing everywhere, in every year of a unit, or constant within every unit.
    """
    wanting = missing_mediators(panel, mediators)
    if not wanting:
        return panel
    if panel.time is None:
        raise SpecError(f"missing = '{treatment}' needs a time column", fix="Use missing = 'drop' or 'error'")
    others = np.column_stack([panel.numbers(name) for name in (spec.outcome, *spec.regressors)])
    used = ~np.isnan(others).any(axis=1)
    beyond = "none" if treatment == "interpolate" else "carry" if treatment == "impute" else extrapolation
    for name in wanting:
        values = panel.numbers(name)
        _check_observed(panel, name, values, used & panel.in_window)
        panel = panel.with_column(name, np.where(used, fill(panel, values, beyond), values))
    return panel


def fill(panel: Panel, values: np.ndarray, beyond: str) -> np.ndarray:
    """Fill cells linearly over time between a unit's own observed cells; by time, never by row.

    Parameters
    ----------
    values : ndarray, shape (n,)
        A column of the panel; NaN where missing.
    beyond : {"none", "linear", "carry"}
        Before a unit's first observed cell and after its last: left missing; on the line through the two nearest
        observed cells (as Stata's `ipolate, epolate`; left missing where there is only one); the nearest one.

    Returns
    -------
    ndarray, shape (n,)
    """
    assert panel.time is not None
    panel.check_distances("filling cells over time", even=True)
    times = panel.frame[panel.time].to_numpy(dtype=float)
    out = values.copy()
    for rows in panel.frame.groupby(panel.unit, sort=False).indices.values():
        rows = np.asarray(rows)
        t, v = times[rows], values[rows]
        known = ~np.isnan(v)
        if not known.any() or known.all():
            continue
        own, at = v[known], t[known]
        filled = np.interp(t, at, own)
        early, late = t < at[0], t > at[-1]
        if beyond == "none":
            filled[early | late] = np.nan
        elif beyond == "linear":
            for side, (i, j) in ((early, (0, 1)), (late, (-1, -2))):
                slope = (own[i] - own[j]) / (at[i] - at[j]) if len(at) > 1 else np.nan
                filled[side] = own[i] + slope * (t[side] - at[i])
        out[rows] = filled
    return out


def missing_rows(panel: Panel, design: Design, name: str) -> np.ndarray:
    """Rows of a design in which the panel lacks a column, shape (n,) of bool."""
    units = panel.frame[panel.unit].astype(str)
    times = panel.frame[panel.time] if panel.time else pd.Series(0, index=panel.frame.index)
    blank = pd.Series(np.isnan(panel.numbers(name)), index=pd.MultiIndex.from_arrays([units, times]))
    keys = zip(np.array(design.units)[design.unit], np.array(design.times)[design.time], strict=True)
    return blank.loc[list(keys)].to_numpy()


def describe(
    designs: Mapping[str, Design],
    rows: Mapping[str, np.ndarray],
    treatment: str,
    extrapolation: str,
    left_out: LeftOut,
) -> MissingCells:
    """The record of what was done, from designs of the equations and rows whose mediator was missing, by mediator."""
    filled: dict[str, int] = {}
    unseen: dict[str, tuple[int, ...]] = {}
    for name, missing in rows.items():
        if missing.any():
            design = designs[name]
            filled[name] = int(missing.sum())
            seen = np.bincount(design.time[~missing], minlength=len(design.times))
            whole = tuple(design.times[t] for t in np.flatnonzero(seen == 0))
            unseen |= {name: whole} if whole else {}
    first = designs[next(iter(rows))]
    return MissingCells(treatment, extrapolation, filled, first.n_obs, left_out, first.spec.errors, unseen)


def _check_observed(panel: Panel, name: str, values: np.ndarray, used: np.ndarray) -> None:
    known = used & ~np.isnan(values)
    if not known.any():
        raise DesignError(
            f"mediator '{name}' is missing in every row", place=panel.source, fix="Leave it out of the mediators"
        )
    units = panel.frame[panel.unit]
    wanting = [str(label) for label in units[used].unique() if label not in set(units[known])]
    if wanting:
        raise DesignError(
            f"mediator '{name}' is missing in every year of unit '{wanting[0]}' ({len(wanting)} such units)",
            place=panel.source,
            fix="Leave the unit out, or use missing = 'drop'",
        )
    within = pd.Series(values[known]).groupby(units[known].to_numpy())
    if (within.max() == within.min()).all():
        raise DesignError(
            f"mediator '{name}' is constant within every unit where it is observed",
            place=panel.source,
            fix="Leave it out of the mediators",
        )
