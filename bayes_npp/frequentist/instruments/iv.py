"""Instrumental variables: 2SLS, LIML and two-step GMM on columns less their effects, with what referees ask of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import scipy

from bayes_npp.design.projection import row_rounding
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.estimates import LEVEL, Estimates, above_zero, estimates_from_rows
from bayes_npp.frequentist.instruments.anderson_rubin import ReducedForm, anderson_rubin
from bayes_npp.frequentist.instruments.columns import Equation, build_equation
from bayes_npp.frequentist.least_squares.clusters import unit_cluster, unit_level
from bayes_npp.frequentist.least_squares.covariance import (
    Sandwich,
    check_options,
    robust_factor,
    sandwich,
    small_sample_factor,
)
from bayes_npp.frequentist.least_squares.inference import LinearFit, t_row
from bayes_npp.frequentist.least_squares.within import WithinFit, noise_of
from bayes_npp.panels.panel import Panel

METHODS = {"2sls": "2SLS", "liml": "LIML", "gmm": "two-step GMM"}
COVARIANCES = ("classical", "robust", "clustered")
WEAK = 10.0  # first-stage F below which Staiger & Stock (1997) call instruments weak


def iv(
    panel: Panel,
    spec: Spec,
    instruments: Sequence[str],
    method: Literal["2sls", "liml", "gmm"] = "2sls",
    *,
    endogenous: Sequence[str] = (),
    effects: Literal["none", "unit", "time", "two-way"] | None = None,
    covariance: Literal["classical", "robust", "clustered"] | None = None,
    convention: str = "stata",
    cluster: str = "unit",
) -> Estimates:
    """The slope of an exposure that is correlated with the errors, by instruments.

    Parameters
    ----------
    panel : Panel
        A lag or a shift-share instrument is a derived column (`lag`, `shift_share`).
    spec : Spec
        The exposure is endogenous, controls are exogenous; `unit_trends` and `group_time_effects` are absorbed too,
        `analytic_weights` are taken.
    instruments : sequence of str
    method : {"2sls", "liml", "gmm"}
        GMM weights moments by the inverse of their covariance, of the kind `covariance`.
    endogenous : sequence of str
        Controls that are endogenous as well.
    effects : {"none", "unit", "time", "two-way"}, optional
        Absorbed; two-way in a panel and none in a cross-section unless given.
    covariance : {"classical", "robust", "clustered"}, optional
        Clustered by unit in a panel and classical in a cross-section unless given.
    convention : str
        Small-sample factor, as in `twfe`; absorbed effects are counted as there.
    cluster : str
        Of clustered errors and weights of moments: "unit", or a column of which units are nested in.

    Returns
    -------
    Estimates
        The exposure's row has the estimand `pooled_slope`. `diagnostics`: n_instruments; first_stage_f, first_stage_df,
        first_stage_p and effective_f (of the exposure, with the covariance of the estimates); first_stage_r2 (partial);
        ar_low, ar_high, ar_shape, ar_set, ar_p (of a slope of zero), ar_level; sargan, hansen with _df and _p;
        wu_hausman, wu_hausman_df and wu_hausman_p; kappa (LIML); weak (whether F is below 10); not_computable (why
        some of these are NaN).

    Raises
    ------
    SpecError, DesignError, PanelError
        An unknown option; an instrument that is a regressor, not there, blank, constant within units where unit effects
        are absorbed; more endogenous regressors than instruments.

    Notes
    -----
    Coefficients, Sargan's and Hansen's statistics are linearmodels', on columns less the effects; standard errors are
    the package's sandwich with all parameters counted. The slope is an effect only if the instruments are unrelated to
    the errors and act through the exposure alone. Formulas: docs/statistics.md, section 10.

    References
    ----------
    Anderson & Rubin (1949), Annals of Mathematical Statistics 20. Montiel Olea & Pflueger (2013), Journal of Business &
    Economic Statistics 31. Staiger & Stock (1997), Econometrica 65. Hausman (1978), Econometrica 46.
    """
    if method not in METHODS:
        raise SpecError(f"unknown method '{method}'", fix=nearest(method, METHODS))
    kind = covariance or ("classical" if panel.time is None else "clustered")
    if kind not in COVARIANCES:
        raise SpecError(f"covariance = '{kind}' with instruments", fix=f"Use one of {', '.join(COVARIANCES)}")
    check_options(kind, convention, None, cluster)
    equation = build_equation(panel, spec, instruments, endogenous, effects, cluster)
    return iv_estimates(equation, method, kind, convention, panel.source)


def iv_estimates(equation: Equation, method: str, covariance: str, convention: str, source: str) -> Estimates:
    """`iv` of an equation whose columns are ready."""
    design = equation.design
    fit, extra = _fitted(equation, method, covariance, convention, source)
    diagnostics = {**_diagnostics(equation, covariance, convention, source), **extra}
    said = _said(diagnostics)
    rows = []
    one = np.eye(len(fit.names))
    for j, name in enumerate(fit.names):
        row = t_row(fit, one[j])
        estimand = "pooled_slope" if j == 0 else "coefficient"
        note = "; ".join(part for part in (row["note"], said if j == 0 else "") if part)
        rows.append({"term": name, "estimand": estimand, **row, "note": note})
    label = {"none": "", "unit": ", FE unit", "time": ", FE time", "two-way": ", two-way FE"}[equation.effects]
    weighted = f", weighted by {design.spec.analytic_weights}" if design.spec.analytic_weights else ""
    table = estimates_from_rows(
        rows,
        paradigm="frequentist",
        estimator=f"{METHODS[method]}{label}{weighted}, instruments {', '.join(equation.instrument_names)}",
        covariance=fit.covariance_label,
        outcome=design.spec.outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        **design.counted,
        sample="all",
        convention=fit.convention_label,
    )
    return Estimates(table.frame, diagnostics)


def _fitted(
    equation: Equation, method: str, covariance: str, convention: str, source: str
) -> tuple[LinearFit, dict[str, Any]]:
    """Coefficients and their sandwich, and what the estimator itself reports."""
    x, z, y = equation.regressors, equation.every_instrument, equation.outcome
    found, size = _linearmodels(equation, method, covariance), equation.exogenous.shape[1]
    ordered = np.roll(np.asarray(found.params, dtype=float), -size)  # linearmodels has exogenous regressors first
    fitted = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    extra: dict[str, Any] = {}
    if method == "gmm":
        weight = np.asarray(found.weight_matrix)
        columns = z @ (weight @ (z.T @ x))
        bread = np.linalg.inv(columns.T @ x)
        influence = columns @ bread.T
    else:
        kappa = float(found.kappa) if method == "liml" else 1.0
        bread = np.linalg.inv(((1 - kappa) * x + kappa * fitted).T @ x)
        columns = fitted  # of LIML's scores too, as in Stata and linearmodels
        influence = columns @ bread.T
        extra = {"kappa": kappa} if method == "liml" else {}
    residuals = y - x @ ordered
    noise = noise_of(equation.raw, x, residuals, row_rounding(equation.raw_outcome, equation.raw, ordered))
    spread = _sandwich(equation, equation.names, influence, residuals, columns, noise, covariance, convention, source)
    if covariance == "classical" and method != "2sls":
        variance = float(residuals @ residuals) / spread.df
        if method == "gmm":
            moments = x.T @ z
            bread = np.linalg.inv(moments @ np.linalg.solve(z.T @ z, moments.T))
        spread = replace(spread, covariance=bread * variance)
    solved = WithinFit(equation.names, ordered, residuals, influence, columns, noise, equation.counts, "")
    return LinearFit(equation.design, "instruments", solved, spread), extra


def _linearmodels(equation: Equation, method: str, covariance: str) -> Any:
    """The fit of linearmodels, whose coefficients and overidentification statistics do not depend on what it counts."""
    from linearmodels.iv import IV2SLS, IVGMM, IVLIML

    exogenous = equation.exogenous if equation.exogenous.shape[1] else None
    arrays = (equation.outcome, exogenous, equation.endogenous, equation.instruments)
    if method == "liml":
        return IVLIML(*arrays).fit(cov_type="unadjusted")
    if method == "gmm":
        if covariance == "clustered":
            return IVGMM(*arrays, weight_type="clustered", clusters=unit_level(equation.design).index).fit(iter_limit=2)
        weights = {"classical": "unadjusted", "robust": "robust"}[covariance]
        return IVGMM(*arrays, weight_type=weights).fit(iter_limit=2)
    return IV2SLS(*arrays).fit(cov_type="unadjusted")


def _sandwich(
    equation: Equation,
    names: tuple[str, ...],
    influence: np.ndarray,
    residuals: np.ndarray,
    columns: np.ndarray,
    noise: float,
    covariance: str,
    convention: str,
    source: str,
) -> Sandwich:
    counts = replace(equation.counts, n_slopes=len(names))
    arrays = (names, influence, residuals, counts, columns, noise)
    cluster = unit_cluster(equation.design) if covariance == "clustered" else "unit"
    return sandwich(equation.design, *arrays, covariance, convention, None, cluster, source)


def reduced_form(equation: Equation, covariance: str, convention: str) -> ReducedForm:
    """Regressions of outcome and exposure on instruments and exogenous regressors, and their joint covariance."""
    z, size = equation.every_instrument, equation.exogenous.shape[1]
    both = np.column_stack([equation.outcome, equation.endogenous[:, 0]])
    influence = z @ np.linalg.inv(z.T @ z)
    coefficients = influence.T @ both
    residuals = both - z @ coefficients
    own = influence[:, size:]
    counts = replace(equation.counts, n_slopes=z.shape[1])
    df = counts.n_obs - counts.n_all
    blocks = {}
    scores = [own * residuals[:, [k]] for k in (0, 1)]
    if covariance == "clustered":
        clusters = unit_level(equation.design)
        df, factor = clusters.size - 1, small_sample_factor(convention, counts, clusters.size)
        scores = [clusters.sums(one) for one in scores]
    else:
        factor = robust_factor(convention, counts)
    for a, b in ((0, 0), (0, 1), (1, 1)):
        if covariance == "classical":
            blocks[a, b] = own.T @ own * float(residuals[:, a] @ residuals[:, b]) / df
        else:
            blocks[a, b] = factor * scores[a].T @ scores[b]
    return ReducedForm(coefficients[size:, 0], coefficients[size:, 1], blocks[0, 0], blocks[0, 1], blocks[1, 1], df)


def _diagnostics(equation: Equation, covariance: str, convention: str, source: str) -> dict[str, Any]:
    form = reduced_form(equation, covariance, convention)
    n_instruments, single = equation.instruments.shape[1], equation.endogenous.shape[1] == 1
    reasons: dict[str, str] = {}
    out: dict[str, Any] = {"n_instruments": n_instruments}
    out["first_stage_f"] = form.relevance
    out["first_stage_df"] = f"{n_instruments}, {form.df}"
    out["first_stage_p"] = float(above_zero(scipy.stats.f.sf(form.relevance, n_instruments, form.df)))
    out["effective_f"], out["first_stage_r2"] = _effective_f(equation, covariance, convention)
    out["weak"] = bool(form.relevance < WEAK)
    if single:
        found = anderson_rubin(form, LEVEL)
        out |= {"ar_low": found.low, "ar_high": found.high, "ar_shape": found.shape, "ar_set": found.pieces}
        out["ar_p"] = form.p_value(0.0)
    else:
        reasons["ar"] = "several endogenous regressors: the set has as many dimensions"
        out |= {"ar_low": np.nan, "ar_high": np.nan, "ar_shape": "none", "ar_set": (), "ar_p": np.nan}
    out["ar_level"] = LEVEL
    out |= _overidentified(equation, covariance, reasons)
    out |= _wu_hausman(equation, covariance, convention, source)
    out["not_computable"] = reasons
    return out


def _effective_f(equation: Equation, covariance: str, convention: str) -> tuple[float, float]:
    """Montiel Olea and Pflueger's effective F of the exposure, and the instruments' partial R2."""
    exogenous, x = equation.exogenous, equation.endogenous[:, 0]
    columns = np.column_stack([equation.instruments, x])
    if exogenous.shape[1]:
        columns = columns - exogenous @ np.linalg.lstsq(exogenous, columns, rcond=None)[0]
    basis, own = np.linalg.qr(columns[:, :-1])[0], columns[:, -1]
    along = basis.T @ own
    residuals = own - basis @ along
    counts = replace(equation.counts, n_slopes=equation.every_instrument.shape[1])
    scores, df = basis * residuals[:, None], counts.n_obs - counts.n_all
    if covariance == "classical":
        spread = len(along) * float(residuals @ residuals) / df
    elif covariance == "clustered":
        clusters = unit_level(equation.design)
        spread = float((clusters.sums(scores) ** 2).sum()) * small_sample_factor(convention, counts, clusters.size)
    else:
        spread = float((scores**2).sum()) * robust_factor(convention, counts)
    return float(along @ along) / spread, float(along @ along / (own @ own))


def _overidentified(equation: Equation, covariance: str, reasons: dict[str, str]) -> dict[str, Any]:
    """Sargan's test of 2SLS and Hansen's of two-step GMM with robust or clustered weights."""
    blank = dict.fromkeys(("sargan", "sargan_p", "hansen", "hansen_p"), np.nan)
    blank |= {"sargan_df": equation.surplus, "hansen_df": equation.surplus}
    if equation.surplus == 0:
        reasons["sargan"] = reasons["hansen"] = "as many instruments as endogenous regressors: nothing to test"
        return blank
    sargan = _linearmodels(equation, "2sls", "classical").sargan
    kind = "robust" if covariance == "classical" else covariance
    out = {**blank, "sargan": float(sargan.stat), "sargan_p": float(sargan.pval)}
    n_moments = equation.every_instrument.shape[1]
    clusters = unit_level(equation.design)
    if kind == "clustered" and clusters.size <= n_moments:
        reasons["hansen"] = f"{clusters.size} {clusters.name} as clusters for {n_moments} moments"
        return out
    hansen = _linearmodels(equation, "gmm", kind).j_stat
    return {**out, "hansen": float(hansen.stat), "hansen_p": float(hansen.pval)}


def _wu_hausman(equation: Equation, covariance: str, convention: str, source: str) -> dict[str, Any]:
    """Whether least squares would do: residuals of the first stages in the equation, as F."""
    z, inside = equation.every_instrument, equation.endogenous
    first = inside - z @ np.linalg.lstsq(z, inside, rcond=None)[0]
    x = np.column_stack([first, equation.regressors])
    names = (*(f"residual of {name}" for name in equation.names[: inside.shape[1]]), *equation.names)
    inverse = np.linalg.inv(x.T @ x)
    coefficients = inverse @ (x.T @ equation.outcome)
    residuals = equation.outcome - x @ coefficients
    spread = _sandwich(equation, names, x @ inverse, residuals, x, 0.0, covariance, convention, source)
    size = inside.shape[1]
    own, block = coefficients[:size], spread.covariance[:size, :size]
    statistic = float(own @ np.linalg.solve(block, own)) / size
    return {
        "wu_hausman": statistic,
        "wu_hausman_df": f"{size}, {spread.df}",
        "wu_hausman_p": float(above_zero(scipy.stats.f.sf(statistic, size, spread.df))),
    }


def _said(diagnostics: dict[str, Any]) -> str:
    """First-stage F and Anderson-Rubin set in a note."""
    text = f"first-stage F({diagnostics['first_stage_df']}) = {diagnostics['first_stage_f']:.3g}"
    if diagnostics["weak"]:
        text += ": weak instruments, read the Anderson-Rubin set instead of the interval"
    return f"{text}; {ar_words(diagnostics)}"


def ar_words(diagnostics: dict[str, Any], low: str = "", high: str = "") -> str:
    """The Anderson-Rubin set in words; `low` and `high` stand in place of its ends as four digits."""
    low, high = low or f"{diagnostics['ar_low']:.4g}", high or f"{diagnostics['ar_high']:.4g}"
    level = f"{100 * diagnostics['ar_level']:g} %"
    match diagnostics["ar_shape"]:
        case "interval":
            return f"Anderson-Rubin {level} set: {low} to {high}"
        case "two rays":
            return f"Anderson-Rubin {level} set: all values but those between {low} and {high}"
        case "whole line":
            return f"Anderson-Rubin {level} set: the whole line, the instruments say nothing of the slope"
        case "empty":
            return f"Anderson-Rubin {level} set: empty, the instruments contradict each other"
        case "several pieces":
            pieces = " and ".join(f"{one:.4g} to {two:.4g}" for one, two in diagnostics["ar_set"])
            return f"Anderson-Rubin {level} set: {pieces}"
    return "no Anderson-Rubin set"
