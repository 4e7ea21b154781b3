"""Common correlated effects: cross-section averages stand for common factors (Pesaran 2006)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import scipy

from bayes_npp.design.design import Design, build_design, slope_names
from bayes_npp.design.projection import check_identified, check_residuals, row_rounding
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError
from bayes_npp.estimates import LEVEL, Estimates, above_zero, estimates_from_rows
from bayes_npp.frequentist.factors.checks import check_averages, check_pooled
from bayes_npp.frequentist.factors.grid import Grid, grid_of, project
from bayes_npp.frequentist.factors.slopes import combinations, fitted, slope_rows
from bayes_npp.frequentist.least_squares.few_clusters import FEWEST_CLUSTERS
from bayes_npp.frequentist.least_squares.inference import LinearFit
from bayes_npp.frequentist.least_squares.results import Regression
from bayes_npp.panels.panel import Panel

WITHOUT_SPREAD = 1e-8  # of the largest singular value of a unit's regressors: below it they are not told apart


def cce(
    panel: Panel,
    spec: Spec,
    averages: Sequence[str] | None = None,
    pooled: bool = True,
    covariance: Literal["classical", "robust", "clustered"] = "clustered",
    *,
    convention: str = "hc0",
) -> Estimates:
    """Common correlated effects: unit effects, and a coefficient of every unit on the periods' averages of columns.

    Parameters
    ----------
    panel : Panel
        Balanced or not: averages are over the units that a period has.
    spec : Spec
        With `slopes`, one slope for each group, their averages and differences.
    averages : sequence of str, optional
        Columns whose averages by period stand for the factors, among outcome, exposure and controls; all of them by
        default. Each takes one coefficient a unit.
    pooled : bool
        One slope for all units; else each unit's own regression and the mean of their slopes (`mean_unit_slope`).
    covariance : {"classical", "robust", "clustered"}
        Of pooled slopes; clustered by unit allows for slopes that differ among units, as Pesaran's own does. Mean-group
        slopes have the variance of the units' slopes over their number.
    convention : {"hc0", "cr1", "stata", "sss", "lsdv"}
        Small-sample factor of pooled slopes, as in `twfe`.

    Raises
    ------
    SpecError
        An average of a column that has no role; trends, period effects of groups, slopes of units, a lagged outcome.
    DesignError
        More averages than the periods carry, a column that they absorb, too few units with a regression of their own.

    Notes
    -----
    Least squares on columns less each unit's projection on a constant and the averages. There are no period effects:
    averages with a coefficient of every unit take their place (docs/statistics.md, section 6). It needs loadings whose
    mean is not zero: averages of a factor with loadings about zero do not show it.

    References
    ----------
    Pesaran (2006), Econometrica 74: 967-1012. Westerlund, Petrova & Norkute (2019), Journal of Applied Econometrics 34:
    fixed T.
    """
    design = build_design(panel, spec)
    return cce_estimates(design, averages, pooled, covariance, convention, panel.source)


def cce_estimates(
    design: Design,
    averages: Sequence[str] | None = None,
    pooled: bool = True,
    covariance: str = "clustered",
    convention: str = "hc0",
    source: str = "",
) -> Estimates:
    """`cce` of a design; `source` is the panel's, for messages."""
    spec = design.spec
    check_pooled(pooled, covariance, convention)
    names = check_averages(design, averages, pooled, source)
    fit = None
    if pooled:
        fit = cce_fit(design, names, covariance, convention, source)
        rows, texts = slope_rows(fit), (fit.covariance_label, fit.convention_label)
    else:
        rows = _mean_group(design, _averages(design, names), source)
        texts = ("variance of the units' slopes over their number", "t, units less groups")
    table = estimates_from_rows(
        rows,
        paradigm="frequentist",
        estimator=label(spec, names, pooled),
        covariance=texts[0],
        convention=texts[1],
        outcome=spec.outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        **design.counted,
        sample="all",
    )
    return table if fit is None else Regression(table.frame, table.diagnostics, fit)


def label(spec: Spec, averages: Sequence[str], pooled: bool) -> str:
    """What the estimator is called in tables."""
    by = f" x {spec.slopes}" if spec.slopes else ""
    return f"CCE {'pooled' if pooled else 'mean group'}{by}, averages of {', '.join(averages)}"


def _averages(design: Design, names: Sequence[str]) -> np.ndarray:
    """A constant and the averages of columns by period, the latter about their means and of length one: (T, 1 + H)."""
    assert design.exposure is not None
    values = np.column_stack([design.outcome, design.exposure, design.controls])
    at = [(design.spec.outcome, *design.spec.regressors).index(name) for name in names]
    counts = np.bincount(design.time)
    means = np.column_stack([np.bincount(design.time, weights=values[:, j]) / counts for j in at])
    centred = means - means.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    return np.column_stack([np.ones(len(counts)), centred / np.where(length > 0, length, 1.0)])


def cce_fit(
    design: Design,
    averages: Sequence[str] | None = None,
    covariance: str = "clustered",
    convention: str = "hc0",
    source: str = "",
) -> LinearFit:
    """The pooled regression beside the averages; see `cce`."""
    known = _averages(design, check_averages(design, averages, True, source))
    columns = np.column_stack([design.slope_columns, design.controls])
    grid = grid_of(design)
    both = project(grid.laid_out(np.column_stack([columns, design.outcome])), grid.here, known, None)
    absorbed = replace(both, residual=both.residual[:, :, :-1])
    left, target = grid.rows(absorbed.residual), grid.rows(both.residual)[:, -1]
    check_identified(columns, left, (*slope_names(design), *design.spec.controls), source)
    length = np.linalg.norm(left, axis=0)
    coefficients = np.linalg.lstsq(left / length, target, rcond=None)[0] / length
    residuals = target - left @ coefficients
    check_residuals(residuals, target, row_rounding(design.outcome, columns, coefficients), design.spec.outcome, source)
    short = int((grid.here.sum(axis=1) <= known.shape[1]).sum())
    note = f"{short} unit(s) of {known.shape[1]} rows or fewer, which their own coefficients absorb" if short else ""
    return fitted(design, "averages", absorbed, grid, residuals, coefficients, covariance, convention, source, note)


def _mean_group(design: Design, known: np.ndarray, source: str) -> list[dict[str, Any]]:
    """Means of the units' own regressions, over all units and by group."""
    grid = grid_of(design)
    assert design.exposure is not None
    columns = np.column_stack([design.exposure, design.controls])
    slopes, used = _own_slopes(grid, columns, design.outcome, known)
    left_out = int((~used).sum())
    group = np.zeros(len(design.units), dtype=int)
    if design.group is not None:
        group[design.unit] = design.group
    n_slopes = max(len(design.groups), 1)
    counts = np.bincount(group[used], minlength=n_slopes)
    if counts.sum() < FEWEST_CLUSTERS:
        raise DesignError(
            f"{counts.sum()} unit(s) have a regression of their own, and a mean group needs at least {FEWEST_CLUSTERS}",
            place=source,
            fix="Name fewer averages, leave controls out, or widen the window",
        )
    said = f"{left_out} unit(s) whose rows do not identify slopes of their own left out" if left_out else ""
    rows = []
    for labels, weights in combinations(design):
        by_group, of_controls = weights[:n_slopes], weights[n_slopes:]
        shares = by_group
        estimand = labels["estimand"]
        if estimand == "pooled_slope":
            estimand = "mean_unit_slope"
        if estimand == "average_slope":
            continue  # of observations: with slopes of units no other number than the units' mean weighted by rows
        if of_controls.any():
            column, shares = 1 + int(np.argmax(of_controls)), counts / counts.sum()
        else:
            column = 0
        rows.append({**labels, "estimand": estimand, **_mean_row(slopes[used, column], group[used], shares, said)})
    if design.group is not None:
        overall = {"term": design.spec.exposure or "", "estimand": "mean_unit_slope"}
        rows.insert(0, {**overall, **_mean_row(slopes[used, 0], group[used], counts / counts.sum(), said)})
    return rows


def _mean_row(slopes: np.ndarray, group: np.ndarray, shares: np.ndarray, note: str) -> dict[str, Any]:
    """A combination of group means of units' slopes: estimate, standard error, interval and p-value."""
    touched = np.flatnonzero(shares)
    counts = np.bincount(group, minlength=len(shares))
    blank: dict[str, Any] = dict.fromkeys(("estimate", "spread", "lo", "hi", "p_value"), np.nan)
    if (counts[touched] == 0).any():
        why = "no unit of the group has slopes of its own"
        return {**blank, "note": "; ".join(part for part in (why, note) if part)}
    means = np.array([slopes[group == g].mean() for g in touched])
    estimate = float(shares[touched] @ means)
    if len(touched) == len(shares) and np.allclose(shares, counts / counts.sum()):
        # All units count alike: their spread about the one mean holds what groups differ by.
        variance, df = float(slopes.var(ddof=1)) / len(slopes), len(slopes) - 1
        few = len(slopes)
    else:
        few = int(counts[touched].min())
        if few < FEWEST_CLUSTERS:
            why = f"no p-value, no interval: {few} units in the group, and a test needs at least {FEWEST_CLUSTERS}"
            return {**blank, "estimate": estimate, "note": "; ".join(part for part in (why, note) if part)}
        parts = np.array([slopes[group == g].var(ddof=1) / counts[g] for g in touched])
        variance = float(shares[touched] ** 2 @ parts)
        df = int(counts[touched].sum() - len(touched))
    se = float(np.sqrt(variance))
    reach = float(scipy.stats.t.ppf(0.5 + LEVEL / 2, df)) * se
    p = float(above_zero(2 * scipy.stats.t.sf(abs(estimate) / se, df))) if se > 0 else np.nan
    interval = {"lo": estimate - reach, "hi": estimate + reach, "p_value": p}
    return {"estimate": estimate, "spread": se, **interval, "note": note}


def _own_slopes(
    grid: Grid, columns: np.ndarray, outcome: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (N, k) of every unit's own regression, and whether its rows identify them, shape (N,)."""
    values = grid.laid_out(np.column_stack([columns, outcome]))
    n_units, k = len(values), columns.shape[1]
    slopes, used = np.full((n_units, k), np.nan), np.zeros(n_units, dtype=bool)
    for i in range(n_units):
        here = grid.here[i] > 0
        if here.sum() <= known.shape[1] + k:
            continue
        own = np.column_stack([known[here], values[i, here, :-1]])
        length = np.linalg.norm(own, axis=0)
        if (length == 0).any():
            continue
        left = np.linalg.svd(own / length, compute_uv=False)
        if left[-1] < WITHOUT_SPREAD * left[0]:
            continue
        slopes[i] = (np.linalg.lstsq(own / length, values[i, here, -1], rcond=None)[0] / length)[known.shape[1] :]
        used[i] = True
    return slopes, used
