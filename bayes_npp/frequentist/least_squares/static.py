"""Pooled OLS, one-way and two-way fixed effects, on balanced and unbalanced panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayes_npp.design.design import Design, build_design, group_pairs, subsample_designs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import LEVEL, Estimates, concat, estimates_from_rows
from bayes_npp.frequentist.least_squares.absorbed import slope_weights
from bayes_npp.frequentist.least_squares.clusters import clustered_by, clustered_subsamples, unit_cluster, unit_level
from bayes_npp.frequentist.least_squares.covariance import check_options, sandwich
from bayes_npp.frequentist.least_squares.inference import ESTIMATORS, LinearFit, joined, t_row
from bayes_npp.frequentist.least_squares.results import Regression
from bayes_npp.frequentist.least_squares.wild_bootstrap import all_signs, check_wild, wild_bootstrap
from bayes_npp.frequentist.least_squares.within import WithinFit, within_fit
from bayes_npp.panels.panel import Panel

GROUP_FAMILIES = {"group_slope": "group slope", "slope_difference": "slope difference"}


@dataclass(frozen=True)
class Errors:
    """How standard errors, intervals and p-values are computed; see `twfe`."""

    covariance: str = "clustered"
    convention: str = "stata"
    lags: int | None = None
    cluster: str | Sequence[str] = "unit"
    weights: str = "rademacher"
    draws: int = 9999
    seed: int = 1


def pooled_ols(
    panel: Panel,
    spec: Spec,
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
    cluster: str | Sequence[str] = "unit",
    weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> Regression:
    """Pooled OLS with a constant; see `twfe` for the parameters, docs/statistics.md, section 1.9 for the formulas."""
    errors = Errors(covariance, convention, lags, cluster, weights, draws, seed)
    return static_estimates(static_design(panel, spec, errors), "none", errors, panel.source)


def fixed_effects(
    panel: Panel,
    spec: Spec,
    effects: Literal["unit", "time", "two-way"] = "unit",
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
    cluster: str | Sequence[str] = "unit",
    weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> Regression:
    """One-way or two-way fixed effects; see `twfe` for the parameters and sources."""
    if effects not in ("unit", "time", "two-way"):
        raise SpecError(f"unknown effects '{effects}'", fix="Use 'unit', 'time' or 'two-way'")
    errors = Errors(covariance, convention, lags, cluster, weights, draws, seed)
    return static_estimates(static_design(panel, spec, errors), effects, errors, panel.source)


def twfe(
    panel: Panel,
    spec: Spec,
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
    subsamples: str | None = None,
    cluster: str | Sequence[str] = "unit",
    weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> Estimates:
    """Two-way fixed effects.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        With `slopes`, the exposure is interacted with every group (controls and effects shared): rows for each group's
        slope, their averages and all pairwise differences. `unit_trends`, `exposure_factor`
        and `group_time_effects` are absorbed. With `analytic_weights` least squares is weighted, as by Stata's aweight;
        the average slope is then `pooled_slope`, whose weights are not those of two-way fixed effects.
    covariance : {"classical", "robust", "clustered", "driscoll_kraay", "wild_bootstrap"}
        "robust" is heteroskedasticity-robust (White, HC1), not clustered: Stata's `xtreg, fe robust` is "clustered".
        Driscoll-Kraay with a Bartlett kernel. "wild_bootstrap" gives errors clustered by unit, and p-values and
        intervals of the wild cluster bootstrap-t with the null imposed (`wild_bootstrap.wild_bootstrap`).
    convention : {"stata", "hc0", "cr1", "sss", "lsdv"}
        Small-sample factor of clustered and Driscoll-Kraay errors (`covariance.CONVENTIONS`) and, by
        `covariance.robust_factor`, of robust ones; classical errors always divide by n less all parameters.
    lags : int, optional
        Of Driscoll-Kraay; default floor(4 (T/100)^(2/9)).
    subsamples : str, optional
        Grouping column: one separate regression for each group, controls and period effects its own.
    cluster : "unit", ("unit", "time") or str
        Of clustered errors. A column of which units are nested in, such as their region: also of the wild bootstrap.
        Two-way: one factor with G the fewer of units and periods; a covariance that is not
        positive semi-definite is not altered, and said to be so in the notes.
    weights : {"rademacher", "webb"}
        Of the wild bootstrap.
    draws, seed : int
        Of the wild bootstrap; all 2^G sign vectors are taken where those are fewer than `draws`.

    Returns
    -------
    Regression
        Estimates that know their regression (`params`, `cov`, `wald_test()`, `predict()`, ...); with `subsamples`
        Estimates alone. 95 % confidence intervals and p-values from t: G - 1 degrees of freedom for G clusters (the
        fewer of units and periods if both cluster), T - 1 for Driscoll-Kraay, n less all parameters for classical
        and robust ones. None below 4 clusters (5 periods for Driscoll-Kraay); between 4 and 9 the note says how often
        the test rejects noise, and the wild bootstrap's p-value (docs/few_clusters.md).

    Raises
    ------
    SpecError
        An unknown option, an option of another covariance.
    DesignError
        A column that effects or other columns absorb, too few rows; a unit in two clusters.

    Notes
    -----
    Formulas of estimates and covariances: docs/statistics.md, section 1.9; why TWFE is a weighted average of the
    groups' slopes: section 1.3. The slope is an association; an effect takes strict exogeneity (section 1.1).

    References
    ----------
    Arellano (1987), Oxford Bulletin of Economics and Statistics 49. Cameron, Gelbach & Miller (2008), Review of
    Economics and Statistics 90; (2011), Journal of Business & Economic Statistics 29. Driscoll & Kraay (1998), Review
    of Economics and Statistics 80.
    """
    errors = Errors(covariance, convention, lags, cluster, weights, draws, seed)
    if subsamples is None:
        return static_estimates(static_design(panel, spec, errors), "two-way", errors, panel.source)
    designs = clustered_subsamples(subsample_designs(panel, spec, subsamples), panel, errors.cluster)
    return subsample_estimates(designs, subsamples, errors, panel.source)


def static_design(panel: Panel, spec: Spec, errors: Errors) -> Design:
    """Arrays of a regression with its analytic weights and clusters."""
    return clustered_by(build_design(panel, spec, weighted=True), panel, errors.cluster)


def subsample_estimates(designs: Mapping[str, Design], grouping: str, errors: Errors, source: str) -> Estimates:
    """Two-way fixed effects of every group on its own: what `twfe` gives with `subsamples`."""
    tables = []
    for label, design in designs.items():
        table = static_estimates(design, "two-way", errors, f"{source}, {grouping} {label}")
        frame = table.frame.assign(group=label, sample=f"{grouping} = {label}")
        average = frame["estimand"].isin(["average_slope_twfe_weighted", "pooled_slope"])  # the latter with weights
        frame.loc[average, "estimand"] = "subsample_slope"
        tables.append(Estimates(frame))
    return concat(tables)


def replace_slopes(spec: Spec, slopes: str | None) -> Spec:
    """The same specification for least squares with other slopes; with a common one nothing else varies by group."""
    pooled = {name: Spec.model_fields[name].default for name in ("slope_pooling", "slope_correlation")}
    varying = {} if slopes else {"varying": ()}
    return Spec(**{**spec.model_dump(), **pooled, **varying, "slopes": slopes})


def static_estimates(design: Design, effects: str, errors: Errors, source: str) -> Regression:
    """Least squares with the given effects on a design: what `twfe` and its siblings give of a panel.

    Raises
    ------
    SpecError, DesignError
        As `twfe`.
    """
    wild = errors.covariance == "wild_bootstrap"
    check_options(errors.covariance, errors.convention, errors.lags, errors.cluster)
    if wild:
        check_wild(errors.weights, errors.draws, errors.seed)
    solved = within_fit(design, effects, source)
    covariance = "clustered" if wild else errors.covariance
    fit = _with_errors(solved, design, effects, covariance, errors.convention, errors.lags, errors.cluster, source)
    labelled = _labelled_combinations(design, fit, effects)
    kind = "wild_bootstrap" if wild else ""
    rows = [
        {
            **label,
            **t_row(
                fit,
                combination,
                GROUP_FAMILIES.get(label["estimand"], ""),
                kind=kind,
                group_units=_group_units(design, label["estimand"], combination),
            ),
        }
        for label, combination in labelled
    ]
    if wild:
        combinations = np.array([combination for _, combination in labelled])
        options: dict[str, Any] = {"weights": errors.weights, "draws": errors.draws, "seed": errors.seed}
        tests = wild_bootstrap(design, effects, solved, combinations, **options, level=LEVEL)
        rows = [
            row
            if np.isnan(row["p_value"])
            else {**row, "p_value": test.p_value, "lo": test.lo, "hi": test.hi, "note": joined(row["note"], test.note)}
            for row, test in zip(rows, tests, strict=True)
        ]
    table = estimates_from_rows(
        rows,
        paradigm="frequentist",
        estimator=_label(design.spec, effects),
        covariance=f"{fit.covariance_label}, wild bootstrap-t" if wild else fit.covariance_label,
        outcome=design.spec.outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        **design.counted,
        sample="all",
        convention=_wild_convention(design, errors) if wild else fit.convention_label,
    )
    return Regression(table.frame, table.diagnostics, fit)


def _wild_convention(design: Design, errors: Errors) -> str:
    n_clusters = unit_level(design).size
    drawn = f"{errors.draws} draws, seed {errors.seed}"
    if all_signs(n_clusters, errors.weights, errors.draws):
        drawn = f"all {2**n_clusters} sign vectors"
    weights = {"rademacher": "Rademacher", "webb": "Webb"}[errors.weights]
    return (
        f"errors: {errors.convention}; p-value and interval: wild cluster bootstrap-t by {unit_cluster(design)}, null "
        f"imposed, {weights} weights, {drawn}, interval by test inversion"
    )


def _group_units(design: Design, estimand: str, combination: np.ndarray) -> int | None:
    """Units (clusters) of the smallest group whose own slope a row is about; None for rows about all units."""
    if estimand not in GROUP_FAMILIES:
        return None
    units = design.group_clusters
    return int(units[combination[: len(units)] != 0].min())


def _label(spec: Spec, effects: str) -> str:
    parts = [ESTIMATORS[effects] + (f" x {spec.slopes}" if spec.slopes else "")]
    parts += [f"weighted by {spec.analytic_weights}"] if spec.analytic_weights else []
    parts += ["unit trends"] if spec.unit_trends else []
    if spec.exposure_factor != "none":
        count = spec.exposure_factors
        parts += ["the exposure's own factor" if count == 1 else f"the exposure's own {count} factors"]
    parts += [f"period effects by {spec.group_time_effects}"] if spec.group_time_effects else []
    return ", ".join(parts)


def linear_fit(
    design: Design,
    effects: str,
    covariance: str,
    convention: str,
    lags: int | None = None,
    source: str = "",
    cluster: str | Sequence[str] = "unit",
) -> LinearFit:
    """Least squares with the given effects and covariance on a design.

    Raises
    ------
    SpecError
        Also for the wild bootstrap, which gives intervals and no covariance.
    """
    check_options(covariance, convention, lags, cluster)
    if covariance == "wild_bootstrap":
        raise SpecError(
            "the wild bootstrap is for single coefficients and their combinations, it gives no covariance",
            place=source,
            fix="Use covariance = 'clustered'",
        )
    solved = within_fit(design, effects, source)
    return _with_errors(solved, design, effects, covariance, convention, lags, cluster, source)


def _with_errors(
    solved: WithinFit,
    design: Design,
    effects: str,
    covariance: str,
    convention: str,
    lags: int | None,
    cluster: str | Sequence[str],
    source: str,
) -> LinearFit:
    options = (covariance, convention, lags, cluster, source)
    arrays = (solved.names, solved.influence, solved.residuals, solved.counts, solved.columns, solved.noise)
    spread = sandwich(design, *arrays, *options)
    return LinearFit(design, effects, solved, spread)


def _labelled_combinations(design: Design, fit: LinearFit, effects: str) -> list[tuple[dict[str, Any], np.ndarray]]:
    """What every row of the table is, and the combination of coefficients (k,) it estimates; overall rows first."""
    term, one = design.spec.exposure, np.eye(len(fit.names))
    two_way = "average_slope_twfe_weighted" if design.weights is None else "pooled_slope"
    if design.group is None:
        estimand = {"none": "pooled_slope", "two-way": two_way}.get(effects, "coefficient")
        rows: list[tuple[dict[str, Any], np.ndarray]] = [({"term": term, "estimand": estimand}, one[0])]
    else:
        n_groups = len(design.groups)
        averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_groups, 1 / n_groups)}
        if effects == "two-way":
            averages = {two_way: slope_weights(design), **averages}
        rows = [({"term": term, "estimand": name}, w @ one[:n_groups]) for name, w in averages.items()]
        for g, label in enumerate(design.groups):
            rows.append(({"term": term, "group": label, "estimand": "group_slope"}, one[g]))
        for g, h in group_pairs(n_groups):
            label = f"{design.groups[g]} - {design.groups[h]}"
            rows.append(({"term": term, "group": label, "estimand": "slope_difference"}, one[g] - one[h]))
    n_slopes = design.slope_columns.shape[1]
    others = range(n_slopes, len(fit.names))
    return rows + [({"term": fit.names[j], "estimand": "coefficient"}, one[j]) for j in others]
