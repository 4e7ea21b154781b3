"""What a lagged outcome brings: long-run effects, and the within estimator that Nickell's bias spoils."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy

from bayes_npp.design.spec import Spec
from bayes_npp.estimates import LEVEL, above_zero, estimates_from_rows
from bayes_npp.frequentist.dynamic.instruments import lag_of
from bayes_npp.frequentist.dynamic.lagged import lagged_design, named_regression
from bayes_npp.frequentist.least_squares.inference import LinearFit, row_of
from bayes_npp.frequentist.least_squares.results import Regression
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.panels.panel import Panel

FAMILY = "TWFE with lagged outcome"


def dynamic_within(
    panel: Panel,
    spec: Spec | None = None,
    *,
    outcome: str | None = None,
    regressors: Sequence[str] = (),
    outcome_lags: int = 1,
    covariance: str = "clustered",
    convention: str = "stata",
    lags: int | None = None,
) -> Regression:
    """Two-way fixed effects with lags of the outcome: biased, shown for comparison with GMM.

    The within transformation correlates the lagged outcome with the errors; its coefficient is too low by about
    (1 + rho) / (T - 1), and the other coefficients move with it.

    Parameters
    ----------
    panel : Panel
    spec : Spec, optional
        Its outcome with `outcome_lags` lags, its exposure and controls; in place of `outcome` and `regressors`.
    outcome : str, optional
    regressors : sequence of str
        Columns or their lags, "L1.n" for n one period before; at least one lag of the outcome.
    outcome_lags : int
        Of a specification.
    covariance, convention, lags
        As in `twfe`.

    Raises
    ------
    SpecError
        No lag of the outcome among the regressors, an unknown column or option.
    DesignError
        Collinear regressors, too few rows.

    Notes
    -----
    docs/statistics.md, section 1.7 (the bias) and section 1.9 (estimates and errors).

    References
    ----------
    Nickell (1981), Econometrica 49.
    """
    outcome, regressors = named_regression(spec, outcome, regressors, outcome_lags)
    design = lagged_design(panel, outcome, regressors)
    fit = linear_fit(design, "two-way", covariance, convention, lags, panel.source)
    n_units, n_periods = len(design.units), len(design.times)
    note = (
        f"Nickell-biased: with {n_periods} periods the coefficient of the lagged outcome is too low by about "
        f"(1 + rho) / {n_periods - 1}"
    )
    rows = dynamic_rows(fit.names, fit.coefficients, fit.covariance, outcome, fit.df, row=lambda *at: _rested(fit, *at))
    table = estimates_from_rows(
        [{**row, "note": "; ".join(part for part in (row.get("note", ""), note) if part)} for row in rows],
        paradigm="frequentist",
        estimator="TWFE with lagged outcome (Nickell-biased)",
        covariance=fit.covariance_label,
        outcome=outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        n_obs=design.n_obs,
        n_units=n_units,
        n_periods=n_periods,
        left_out=str(design.left_out),
        sample="all",
        convention=fit.convention_label,
    )
    return Regression(table.frame, table.diagnostics, fit)


def dynamic_rows(
    names: Sequence[str],
    coefficients: np.ndarray,
    covariance: np.ndarray,
    outcome: str,
    df: int | None,
    row: Callable[[float, np.ndarray], dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Rows of a dynamic regression: coefficients, then long-run effects.

    Beside lags of the outcome the coefficient of a column is its short-run effect; its long-run effect is the sum of
    its coefficients over one less the sum of the outcome's lags, with delta-method errors. `df` of t; None: the normal.
    `row` makes the cells of an estimate and its gradient (k,); default: from `covariance` and `df` alone.

    Notes
    -----
    L = sum b / (1 - sum rho); its gradient is 1 / (1 - sum rho) in every b and L / (1 - sum rho) in every rho.
    """
    cells = row or (lambda estimate, gradient: _row(estimate, gradient, covariance, df))
    terms = [lag_of(name) for name in names]
    own = [j for j, (name, _) in enumerate(terms) if name == outcome]
    others = list(dict.fromkeys(name for name, _ in terms if name != outcome and not _is_dummy(name)))
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(names):
        estimand = "short_run" if own and name in others else "coefficient"
        gradient = np.eye(len(names))[j]
        rows.append({"term": name, "estimand": estimand, **cells(float(coefficients[j]), gradient)})
    if not own:
        return rows
    rest = 1 - coefficients[own].sum()
    for name in others:
        at = [j for j, (other, _) in enumerate(terms) if other == name]
        effect = coefficients[at].sum() / rest
        gradient = np.zeros(len(names))
        gradient[at] = 1 / rest
        gradient[own] = effect / rest
        found = {"term": name, "estimand": "long_run", **cells(float(effect), gradient)}
        if rest <= 0:
            found |= dict.fromkeys(("estimate", "spread", "lo", "hi", "p_value"), np.nan)
            found["note"] = f"no long-run effect: the outcome's lags sum to {1 - rest:.3f}, not below 1"
        rows.append(found)
    return rows


def _rested(fit: LinearFit, estimate: float, gradient: np.ndarray) -> dict[str, Any]:
    """Cells of a coefficient or, its gradient in several, of a long-run effect."""
    rests = fit.support(gradient, FAMILY)
    linear = np.count_nonzero(gradient) == 1
    beside = (lambda: fit.wild(gradient, FAMILY)) if linear else None
    return row_of(estimate, gradient, fit.spread, rests, fit.df, note=fit.note, beside=beside)


def _is_dummy(name: str) -> bool:
    return name == "intercept" or name.startswith("time[")


def _row(estimate: float, gradient: np.ndarray, covariance: np.ndarray, df: int | None) -> dict[str, Any]:
    """Estimate, SE, interval and p-value of a (linearised) combination of the coefficients."""
    variance = float(gradient @ covariance @ gradient)
    if not variance > 0:
        note = "no standard error: the estimated variance is not positive"
        return {"estimate": float(estimate), **dict.fromkeys(("spread", "lo", "hi", "p_value"), np.nan), "note": note}
    se = float(np.sqrt(variance))
    reference = scipy.stats.norm if df is None else scipy.stats.t(df)
    reach = float(reference.ppf(0.5 + LEVEL / 2)) * se
    return {
        "estimate": float(estimate),
        "spread": se,
        "lo": float(estimate) - reach,
        "hi": float(estimate) + reach,
        "p_value": float(above_zero(2 * reference.sf(abs(estimate) / se))),
    }
