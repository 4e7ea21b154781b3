"""Rows of estimators with factors: one slope, or one of each group with averages and differences."""

from typing import Any

import numpy as np

from bayes_npp.design.design import Design, group_pairs, slope_names
from bayes_npp.design.projection import check_identified, row_rounding
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.factors.grid import Grid, Projected
from bayes_npp.frequentist.least_squares.absorbed import check_degrees
from bayes_npp.frequentist.least_squares.covariance import Counts, check_options, sandwich
from bayes_npp.frequentist.least_squares.inference import ESTIMATORS, LinearFit, t_row
from bayes_npp.frequentist.least_squares.within import WithinFit, noise_of

COVARIANCES = ("classical", "robust", "clustered")


def combinations(design: Design) -> list[tuple[dict[str, str], np.ndarray]]:
    """What every row is about, and its weights (k,) on the coefficients; overall rows first."""
    n_slopes = design.slope_columns.shape[1]
    names = design.spec.controls
    one, term = np.eye(n_slopes + len(names)), design.spec.exposure or ""
    if design.group is None:
        rows = [({"term": term, "estimand": "pooled_slope"}, one[0])]
    else:
        averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_slopes, 1 / n_slopes)}
        rows = [({"term": term, "estimand": name}, w @ one[:n_slopes]) for name, w in averages.items()]
        for g, group in enumerate(design.groups):
            rows.append(({"term": term, "group": group, "estimand": "group_slope"}, one[g]))
        for g, h in group_pairs(n_slopes):
            between = f"{design.groups[g]} - {design.groups[h]}"
            rows.append(({"term": term, "group": between, "estimand": "slope_difference"}, one[g] - one[h]))
    return rows + [({"term": name, "estimand": "coefficient"}, one[n_slopes + j]) for j, name in enumerate(names)]


def slope_rows(fit: LinearFit) -> list[dict[str, Any]]:
    """Rows of one regression: estimate, standard error, interval and p-value of every combination."""
    group_units, out = fit.design.group_units, []
    for labels, weights in combinations(fit.design):
        touched = weights[: len(group_units)] != 0
        of_groups = labels["estimand"] in ("group_slope", "slope_difference")
        own = int(group_units[touched].min()) if of_groups else None
        out.append({**labels, **t_row(fit, weights, group_units=own)})
    return out


def fitted(
    design: Design,
    effects: str,
    absorbed: Projected,
    grid: Grid,
    residuals: np.ndarray,
    coefficients: np.ndarray,
    covariance: str,
    convention: str,
    source: str,
    note: str = "",
) -> LinearFit:
    """Coefficients and residuals (n,) with their covariance, from regressors less what is absorbed.

    Parameters
    ----------
    absorbed : Projected
        Of the regressors (k,), of what nothing else absorbs.

    Raises
    ------
    SpecError
        A covariance that is not classical, robust or clustered by unit.
    DesignError
        A column that is absorbed, no degrees of freedom, residuals that are rounding.
    """
    check_options(covariance, convention, None, "unit")
    if covariance not in COVARIANCES:
        raise SpecError(
            f"{ESTIMATORS[effects]} has no covariance '{covariance}'", fix=f"Use one of {', '.join(COVARIANCES)}"
        )
    names = (*slope_names(design), *design.spec.controls)
    columns = np.column_stack([design.slope_columns, design.controls])
    left = grid.rows(absorbed.residual)
    check_identified(columns, left, names, source)
    counts = Counts(design.n_obs, len(names), 0, absorbed.unit_rank - 1, absorbed.period_rank)
    check_degrees(design.n_obs, counts.n_all, source)
    length = np.linalg.norm(left, axis=0)
    scaled = left / length
    influence = scaled @ np.linalg.inv(scaled.T @ scaled) / length
    noise = noise_of(columns, left, residuals, row_rounding(design.outcome, columns, coefficients))
    options: Any = (names, influence, residuals, counts, left, noise, covariance, convention, None, "unit", source)
    solved = WithinFit(names, coefficients, residuals, influence, left, noise, counts, note)
    return LinearFit(design, effects, solved, sandwich(design, *options))
