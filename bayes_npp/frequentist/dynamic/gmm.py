"""Difference and system GMM for dynamic panels (Arellano & Bond 1991; Blundell & Bond 1998)."""

from collections.abc import Sequence
from typing import Any

from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import LEVEL, estimates_from_rows
from bayes_npp.frequentist.dynamic.diagnostics import (
    Statistic,
    difference_in_hansen,
    hansen,
    sargan,
    sargan_note,
    serial_correlation,
    warnings,
)
from bayes_npp.frequentist.dynamic.fit import GmmFit, fit_gmm
from bayes_npp.frequentist.dynamic.instruments import GmmInstrument, IvInstrument
from bayes_npp.frequentist.dynamic.lagged import named_regression
from bayes_npp.frequentist.dynamic.moments import CONSTANT, Equations, build_moments
from bayes_npp.frequentist.dynamic.noise import Shares, measured
from bayes_npp.frequentist.dynamic.results import GmmRegression
from bayes_npp.frequentist.dynamic.within import dynamic_rows
from bayes_npp.panels.panel import Panel


def difference_gmm(
    panel: Panel,
    spec: Spec | None = None,
    *,
    outcome: str | None = None,
    regressors: Sequence[str] = (),
    outcome_lags: int = 1,
    gmm: Sequence[GmmInstrument],
    iv: Sequence[IvInstrument] = (),
    steps: int = 2,
    windmeijer: bool = True,
    robust: bool = True,
    collapse: bool = False,
    transform: str = "fd",
    time_dummies: str | None = None,
    small: bool = False,
    h: int = 3,
) -> GmmRegression:
    """Difference GMM: the equation in first differences or forward deviations, lagged levels as instruments.

    Parameters
    ----------
    panel : Panel
        Unbalanced panels and gaps are allowed; lags are by time, and periods before the window serve.
    spec : Spec, optional
        Its outcome with `outcome_lags` lags, its exposure and controls; in place of `outcome` and `regressors`.
    outcome : str, optional
    regressors : sequence of str
        Columns or their lags: "L1.n" is n one period before.
    outcome_lags : int
        Of a specification.
    gmm : sequence
        Instruments (column, first lag, last lag[, equation]), one for each period unless collapsed: lags 2 and up of an
        endogenous variable such as the outcome, 1 and up of a predetermined one, 0 and up of an exogenous one. A last
        lag of None means all. Missing ones are zero.
    iv : sequence
        Standard instruments, one column each: a name, or (name, equation).
    steps : {1, 2}
    windmeijer : bool
        Correct two-step standard errors for the estimated weights.
    robust : bool
        One step: standard errors clustered by unit instead of classical ones.
    collapse : bool
        One instrument a lag instead of one a period and lag.
    transform : {"fd", "fod"}
        First differences or forward orthogonal deviations.
    time_dummies : str, optional
        "differenced": dummies transformed as every regressor is, the first period left out. "level": a dummy for each
        transformed equation's period.
    small : bool
        t, and variances with a small-sample factor, as xtabond2 prints them (`small_sample`); otherwise the normal.
    h : {1, 2, 3}
        Weights of the first step (`fit.fit_gmm`); 2 and 3 are the same here.

    Returns
    -------
    Estimates
        Coefficients and, beside lags of the outcome, the long-run effects with delta-method errors. `diagnostics`:
        hansen, hansen_df, hansen_p, sargan, sargan_df, sargan_p, sargan_note (its error variance), ar1, ar1_p, ar2,
        ar2_p, n_instruments, difference_in_hansen, not_computable (reasons by test), warnings.

    Raises
    ------
    SpecError
        An unknown column, instrument or option.
    DesignError
        No equation, fewer instruments than parameters, collinear regressors.

    Notes
    -----
    docs/statistics.md, section 1.10. Lagged levels are instruments if errors in levels are not serially correlated:
    the test of order two (`ar2`) is of that. Notes of the rows say how often such a p-value is below .05 in panels of
    noise of about that size (docs/gmm_noise.md).

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58. Arellano & Bover (1995), Journal of Econometrics 68.
    Windmeijer (2005), Journal of Econometrics 126. Roodman (2009), Stata Journal 9.
    """
    equations = Equations(
        *named_regression(spec, outcome, regressors, outcome_lags),
        tuple(gmm),
        tuple(iv),
        False,
        transform,
        time_dummies,
        collapse,
    )
    return estimate_gmm(panel, equations, steps, windmeijer, robust, small, h)


def system_gmm(
    panel: Panel,
    spec: Spec | None = None,
    *,
    outcome: str | None = None,
    regressors: Sequence[str] = (),
    outcome_lags: int = 1,
    gmm: Sequence[GmmInstrument],
    iv: Sequence[IvInstrument] = (),
    steps: int = 2,
    windmeijer: bool = True,
    robust: bool = True,
    collapse: bool = False,
    transform: str = "fd",
    time_dummies: str | None = None,
    small: bool = False,
    h: int = 3,
) -> GmmRegression:
    """System GMM: transformed equations, and level equations with lagged changes as instruments and a constant.

    Parameters are those of `difference_gmm`; a GMM-style instrument (column, a, b) also gives the level equation the
    column's change dated t - a + 1. `time_dummies` = "level" or "both": dummies are regressors in both equations and
    instruments in the level equation alone or in both. h = 3 (xtabond2's default) keeps the covariance between the two
    equations in the weights of the first step, h = 2 (DPD's) leaves it out.

    Notes
    -----
    docs/statistics.md, section 1.10. Lagged changes are instruments in levels if they do not correlate with the effects
    of units.

    References
    ----------
    Blundell & Bond (1998), Journal of Econometrics 87. Roodman (2009), Stata Journal 9.
    """
    equations = Equations(
        *named_regression(spec, outcome, regressors, outcome_lags),
        tuple(gmm),
        tuple(iv),
        True,
        transform,
        time_dummies,
        collapse,
    )
    return estimate_gmm(panel, equations, steps, windmeijer, robust, small, h)


def estimate_gmm(
    panel: Panel,
    equations: Equations,
    steps: int = 2,
    windmeijer: bool = True,
    robust: bool = True,
    small: bool = False,
    h: int = 3,
) -> GmmRegression:
    """Estimate declared equations; the parameters are those of `difference_gmm`."""
    fit = fit_gmm(build_moments(panel, equations), steps, windmeijer, robust, h)
    m = fit.moments
    diagnostics = _diagnostics(fit)
    factor, df = small_sample(fit) if small else (1.0, None)
    rows = dynamic_rows(m.names, fit.coefficients, fit.covariance * factor, equations.outcome, df)
    common = (*diagnostics["warnings"], str(_shares_in_noise(fit, equations, small)))
    for row in rows:
        row["note"] = "; ".join(part for part in (row.get("note", ""), *common) if part)
    name = "system GMM" if equations.system else "difference GMM"
    return GmmRegression(
        estimates_from_rows(
            rows,
            paradigm="frequentist",
            estimator=f"{name}, {'one' if steps == 1 else 'two'}-step",
            covariance=fit.covariance_label,
            outcome=equations.outcome,
            spread_kind="se",
            level=LEVEL,
            interval="ci",
            n_obs=m.n_obs,
            n_units=len(m.units),
            n_periods=int(m.valid.reshape(len(m.units), -1, m.n_transformed).any(axis=(0, 1)).sum()),
            left_out=str(m.left_out),
            sample="all",
            convention=_convention(equations, h, small, df),
        ).frame,
        diagnostics,
        fit,
        factor,
        df,
    )


def _shares_in_noise(fit: GmmFit, equations: Equations, small: bool) -> Shares:
    """How often p-values of such a model are below .05 where nothing is there."""
    errors = "robust" if fit.robust else "classical"
    if fit.steps == 2:
        errors = "Windmeijer" if fit.corrected else "uncorrected"
    return measured(
        "system" if equations.system else "difference",
        "collapsed" if equations.collapse else "by period",
        f"{'one' if fit.steps == 1 else 'two'}-step {errors}",
        "t" if small else "normal",
        len(fit.moments.units),
        len(fit.moments.periods),
    )


def _convention(equations: Equations, h: int, small: bool, df: int | None) -> str:
    transform = {"fd": "first differences", "fod": "forward orthogonal deviations"}[equations.transform]
    dummies = f"time dummies: {equations.time_dummies}" if equations.time_dummies else "no time dummies"
    instruments = "collapsed instruments" if equations.collapse else "instruments by period"
    reference = f"small-sample factor, t({df})" if small else "normal"
    return f"{transform}; {instruments}; {dummies}; h = {h}; {reference}"


def small_sample(fit: GmmFit) -> tuple[float, int]:
    """Factor on the variances and degrees of freedom of t, as xtabond2's `small` has them.

    Notes
    -----
    With N observations, G units and K parameters, time dummies and constant included: N/(N - K + 1) G/(G - 1). K - 1
    whether or not there is a constant: Roodman (2009) prints so for a difference and for a system. t has G degrees of
    freedom, G - 1 with a constant. One step, classical: N/(N - K) and t with N - K, as least squares has it.

    References
    ----------
    Roodman (2009), Stata Journal 9, sections 3.3 and 3.4.
    """
    m = fit.moments
    n, g, k = m.n_obs, len(m.units), len(m.names)
    if n <= k:
        raise SpecError(f"small = true with {n} observations for {k} parameters", fix="Use small = false")
    if not fit.robust:
        return n / (n - k), n - k
    return n / (n - k + 1) * g / (g - 1), g - (CONSTANT in m.names)


def _diagnostics(fit: GmmFit) -> dict[str, Any]:
    tests = {
        "hansen": hansen(fit),
        "sargan": sargan(fit),
        "ar1": serial_correlation(fit, 1),
        "ar2": serial_correlation(fit, 2),
    }
    out: dict[str, Any] = {}
    for name, test in tests.items():
        out[name], out[f"{name}_p"] = test.value, test.p_value
        if test.df is not None:
            out[f"{name}_df"] = test.df
    out["sargan_note"] = sargan_note(fit)
    out["n_instruments"] = fit.moments.instruments.shape[2]
    out["difference_in_hansen"] = [
        _subset(test.instruments, test.excluding, test.difference) for test in difference_in_hansen(fit)
    ]
    out["not_computable"] = {name: test.reason for name, test in tests.items() if test.reason}
    out["warnings"] = warnings(fit, tests["hansen"], tests["ar2"])
    return out


def _subset(instruments: str, excluding: Statistic, difference: Statistic) -> dict[str, Any]:
    return {
        "instruments": instruments,
        "hansen_excluding": excluding.value,
        "df_excluding": excluding.df,
        "p_excluding": excluding.p_value,
        "difference": difference.value,
        "df": difference.df,
        "p_value": difference.p_value,
        "not_computable": difference.reason,
    }
