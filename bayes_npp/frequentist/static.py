"""Pooled OLS, one-way and two-way fixed effects, on balanced and unbalanced panels (linearmodels underneath)."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from bayes_npp.design import (
    Design,
    build_design,
    check_identified,
    group_pairs,
    slope_names,
)
from bayes_npp.errors import SpecError, nearest
from bayes_npp.estimates import Estimates, concat, estimates_from_rows
from bayes_npp.frequentist.absorbed import absorb, absorbs_more, check_degrees, slope_weights
from bayes_npp.frequentist.covariance import (
    CONVENTIONS,
    Counts,
    driscoll_kraay_lags,
    small_sample_factor,
)
from bayes_npp.panel import Panel
from bayes_npp.spec import Spec

LEVEL = 0.95
ESTIMATORS = {"none": "pooled OLS", "unit": "FE unit", "time": "FE time", "two-way": "TWFE"}
COVARIANCES = ("classical", "clustered", "driscoll_kraay")


@dataclass(frozen=True)
class LinearFit:
    """Coefficients (k,), their covariance (k, k), residuals (n,) and the reference t distribution."""

    names: tuple[str, ...]
    coefficients: np.ndarray
    covariance: np.ndarray
    residuals: np.ndarray
    df: int
    covariance_label: str
    convention_label: str


def pooled_ols(
    panel: Panel, spec: Spec, covariance: str = "clustered", *, convention: str = "stata", lags: int | None = None
) -> Estimates:
    """Pooled OLS with a constant; see `twfe` for the parameters."""
    return _estimate(build_design(panel, spec), "none", covariance, convention, lags, panel.source)


def fixed_effects(
    panel: Panel,
    spec: Spec,
    effects: Literal["unit", "time", "two-way"] = "unit",
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
) -> Estimates:
    """One-way or two-way fixed effects; see `twfe` for the parameters."""
    if effects not in ("unit", "time", "two-way"):
        raise SpecError(f"unknown effects '{effects}'", fix="Use 'unit', 'time' or 'two-way'")
    return _estimate(build_design(panel, spec), effects, covariance, convention, lags, panel.source)


def twfe(
    panel: Panel,
    spec: Spec,
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
    subsamples: str | None = None,
) -> Estimates:
    """Two-way fixed effects.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        With `slopes`, the exposure is interacted with every group (controls and effects shared): rows for each group's
        slope, their averages and all pairwise differences. `unit_trends` and `group_time_effects` are absorbed.
    covariance : {"classical", "clustered", "driscoll_kraay"}
        Clustered by unit; Driscoll-Kraay with a Bartlett kernel.
    convention : {"stata", "hc0", "sss", "lsdv"}
        Small-sample factor of clustered and Driscoll-Kraay errors (`covariance.CONVENTIONS`); classical errors always
        divide by n less all parameters.
    lags : int, optional
        Of Driscoll-Kraay; default floor(4 (T/100)^(2/9)).
    subsamples : str, optional
        Grouping column: one separate regression for each group, controls and period effects its own.

    Returns
    -------
    Estimates
        95 % confidence intervals and p-values from t: G - 1 degrees of freedom for clustered errors, T - 1 for
        Driscoll-Kraay, n less all parameters for classical ones.

    Raises
    ------
    DesignError
        A column that effects or other columns absorb, too few rows.
    """
    if subsamples is None:
        return _estimate(build_design(panel, spec), "two-way", covariance, convention, lags, panel.source)
    spec = replace_slopes(spec, None)
    labels = panel.column(subsamples).where(pd.Series(panel.in_window, index=panel.frame.index))
    tables = []
    for label in labels.dropna().unique():
        design = build_design(panel, spec, where=(labels == label).to_numpy())
        table = _estimate(design, "two-way", covariance, convention, lags, f"{panel.source}, {subsamples} {label}")
        frame = table.frame.assign(group=str(label), sample=f"{subsamples} = {label}")
        frame.loc[frame["estimand"] == "average_slope_twfe_weighted", "estimand"] = "subsample_slope"
        tables.append(Estimates(frame))
    return concat(tables)


def replace_slopes(spec: Spec, slopes: str | None) -> Spec:
    """The same specification with other slopes."""
    return Spec(**{**spec.model_dump(), "slopes": slopes})


def _estimate(
    design: Design, effects: str, covariance: str, convention: str, lags: int | None, source: str
) -> Estimates:
    fit = linear_fit(design, effects, covariance, convention, lags, source)
    spec = design.spec
    rows = _slope_rows(design, fit, effects)
    n_slopes = design.slope_columns.shape[1]
    others = [j for j in range(len(fit.names)) if j >= n_slopes]
    rows += [{"term": fit.names[j], "estimand": "coefficient", **_row(fit, _unit_vector(fit, j))} for j in others]
    return estimates_from_rows(
        rows,
        paradigm="frequentist",
        estimator=_label(spec, effects),
        covariance=fit.covariance_label,
        outcome=spec.outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        n_obs=design.n_obs,
        n_units=len(design.units),
        n_periods=len(design.times),
        sample="all",
        convention=fit.convention_label,
    )


def _label(spec: Spec, effects: str) -> str:
    parts = [ESTIMATORS[effects] + (f" x {spec.slopes}" if spec.slopes else "")]
    parts += ["unit trends"] if spec.unit_trends else []
    parts += [f"period effects by {spec.group_time_effects}"] if spec.group_time_effects else []
    return ", ".join(parts)


def linear_fit(
    design: Design, effects: str, covariance: str, convention: str, lags: int | None = None, source: str = ""
) -> LinearFit:
    """Least squares with the given effects and covariance on a design; the numeric core of this module."""
    from linearmodels.panel import PanelOLS, PooledOLS

    if covariance not in COVARIANCES:
        raise SpecError(f"unknown covariance '{covariance}'", fix=nearest(covariance, COVARIANCES))
    if convention not in CONVENTIONS:
        raise SpecError(f"unknown convention '{convention}'", fix=nearest(convention, CONVENTIONS))
    columns = np.column_stack([design.slope_columns, design.controls])
    if design.spec.exposure is None or design.spec.unit_slopes:
        raise SpecError(
            "least squares needs an exposure, with slopes by a grouping column or none",
            place=source,
            fix="Slopes by unit belong to hierarchical models",
        )
    if design.spec.dynamic:
        raise SpecError(
            "least squares with a lagged outcome is not among the static estimators",
            place=source,
            fix="Beside fixed effects it has Nickell's bias: fit the hierarchical model, or leave dynamic out",
        )
    names = (*slope_names(design), *design.spec.controls)
    absorbed = absorb(columns, design, effects)
    check_identified(columns, absorbed.residual, names, source)
    if effects == "none":
        columns, names = np.column_stack([columns, np.ones(design.n_obs)]), (*names, "intercept")
    index = pd.MultiIndex.from_arrays([design.unit, design.time])
    target, left = design.outcome, effects
    if absorbs_more(design.spec):  # Frisch and Waugh: the regression of residuals has the same scores
        target, columns = absorb(target[:, None], design, effects).residual[:, 0], absorbed.residual
        left = "none"
    outcome = pd.Series(target, index=index, name=design.spec.outcome)
    # Unit-SD columns keep the normal equations well conditioned; coefficients are scaled back below.
    scale = np.where(columns.std(axis=0) > 0, columns.std(axis=0), 1.0)
    regressors = pd.DataFrame(columns / scale, index=index, columns=[f"x{j}" for j in range(len(names))])
    if effects == "none":
        model = PooledOLS(outcome, regressors)
    else:
        model = PanelOLS(
            outcome,
            regressors,
            entity_effects=left in ("unit", "two-way"),
            time_effects=left in ("time", "two-way"),
        )
    n_units, n_times = len(design.units), len(design.times)
    counts = Counts(
        n_obs=design.n_obs,
        n_slopes=len(names) - (effects == "none"),
        n_constant=int(effects == "none"),
        n_unit_dummies=absorbed.n_units,
        n_other_dummies=absorbed.n_others,
    )
    check_degrees(counts.n_obs, counts.n_all, source)
    # With these three options off linearmodels returns the bare sandwich (and RSS / n for classical errors).
    bare = {"debiased": False} if effects == "none" else {"debiased": False, "auto_df": False, "count_effects": False}
    if covariance == "classical":
        result = model.fit(cov_type="unadjusted", **bare)
        factor, df = design.n_obs / (design.n_obs - counts.n_all), design.n_obs - counts.n_all
        label, convention_label = "classical", f"RSS / (n - K), K = {counts.n_all} parameters; t({df})"
    elif covariance == "clustered":
        result = model.fit(cov_type="clustered", cluster_entity=True, group_debias=False, **bare)
        factor, df = small_sample_factor(convention, counts, n_units), n_units - 1
        label, convention_label = "clustered by unit", f"{convention}; t({df})"
    else:
        bandwidth = driscoll_kraay_lags(n_times) if lags is None else lags
        if bandwidth >= n_times:
            raise SpecError(
                f"lags = {bandwidth} with {n_times} periods", place=source, fix="Use fewer lags than periods"
            )
        result = model.fit(cov_type="kernel", kernel="bartlett", bandwidth=bandwidth, **bare)
        factor, df = small_sample_factor(convention, counts, n_times), n_times - 1
        label, convention_label = f"Driscoll-Kraay, Bartlett, {bandwidth} lags", f"{convention}; t({df})"
    return LinearFit(
        names=names,
        coefficients=result.params.to_numpy() / scale,
        covariance=result.cov.to_numpy() * factor / np.outer(scale, scale),
        residuals=result.resids.to_numpy(),
        df=df,
        covariance_label=label,
        convention_label=convention_label,
    )


def _slope_rows(design: Design, fit: LinearFit, effects: str) -> list[dict[str, Any]]:
    term = design.spec.exposure
    if design.group is None:
        estimand = {"none": "pooled_slope", "two-way": "average_slope_twfe_weighted"}.get(effects, "coefficient")
        return [{"term": term, "estimand": estimand, **_row(fit, _unit_vector(fit, 0))}]
    n_groups = len(design.groups)
    averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_groups, 1 / n_groups)}
    if effects == "two-way":
        averages = {"average_slope_twfe_weighted": slope_weights(design), **averages}
    rest = np.zeros(len(fit.names) - n_groups)
    rows = [{"term": term, "estimand": e, **_row(fit, np.append(w, rest))} for e, w in averages.items()]
    for g, label in enumerate(design.groups):
        rows.append({"term": term, "group": label, "estimand": "group_slope", **_row(fit, _unit_vector(fit, g))})
    for g, h in group_pairs(n_groups):
        contrast = _unit_vector(fit, g) - _unit_vector(fit, h)
        label = f"{design.groups[g]} - {design.groups[h]}"
        rows.append({"term": term, "group": label, "estimand": "slope_difference", **_row(fit, contrast)})
    return rows


def _row(fit: LinearFit, combination: np.ndarray) -> dict[str, float]:
    """Estimate, SE, interval and p-value of a linear combination of the coefficients."""
    estimate = float(combination @ fit.coefficients)
    se = float(np.sqrt(combination @ fit.covariance @ combination))
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, fit.df)) * se
    p_value = float(2 * stats.t.sf(abs(estimate) / se, fit.df)) if se > 0 else np.nan
    return {"estimate": estimate, "spread": se, "lo": estimate - reach, "hi": estimate + reach, "p_value": p_value}


def _unit_vector(fit: LinearFit, j: int) -> np.ndarray:
    return np.eye(len(fit.names))[j]
