"""Tests that belong to dynamic panel GMM: serial correlation, over-identification, subsets of instruments."""

from dataclasses import dataclass

import numpy as np
import scipy

from bayes_npp.estimates import above_zero
from bayes_npp.frequentist.dynamic.fit import GmmFit, symmetric_inverse
from bayes_npp.frequentist.dynamic.moments import Moments

REJECTED = 0.05  # below this p-value a test is said to reject


@dataclass(frozen=True)
class Statistic:
    """A test statistic, its degrees of freedom (chi-square; None: standard normal) and p-value; NaN with the reason."""

    value: float
    p_value: float
    df: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class SubsetTest:
    """Difference-in-Hansen test of one set of instruments: Hansen without it, and the difference."""

    instruments: str
    n_columns: int
    excluding: Statistic
    difference: Statistic


def serial_correlation(fit: GmmFit, order: int) -> Statistic:
    """Arellano and Bond's test for serial correlation of that order in first-differenced residuals.

    Notes
    -----
    Sum of products of differenced residuals that many periods apart, over its standard error given that coefficients
    are estimated; standard normal. Independent errors in levels make differences correlate at order one, not at two.

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58. Roodman (2009), Stata Journal 9.
    """
    m = fit.moments
    change = m.differences[:, :, 0] - m.differences[:, :, 1:] @ fit.coefficients
    change = np.where(m.has_difference, change, 0.0)
    lagged = np.zeros_like(change)
    lagged[:, order:] = change[:, :-order] if order < change.shape[1] else 0.0
    lagged *= m.has_difference
    pairs = m.has_difference.copy()
    pairs[:, :order] = False
    pairs[:, order:] &= m.has_difference[:, :-order]
    if not pairs.any():
        return Statistic(
            np.nan, np.nan, reason=f"not computable: no unit has differenced residuals {order} periods apart"
        )
    product = float((lagged * change).sum())
    slope = np.einsum("np,npk->k", lagged, m.differences[:, :, 1:])
    moment_cross = np.einsum("nrl,nrk->lk", m.instruments, m.regressors, optimize=True)
    if fit.robust:
        along = (lagged * change).sum(axis=1)
        own = float((along**2).sum())
        scores = np.einsum("nrl,nr->nl", m.instruments, fit.residuals, optimize=True)
        mixed = scores.T @ along
    else:
        # Independent errors of one variance: what the two transformations make of them.
        difference = _difference_map(m.has_difference)
        weighted = np.einsum("npq,np->nq", difference, lagged)
        own = fit.error_variance * float((weighted**2).sum())
        mixed = fit.error_variance * np.einsum("nrl,nrq,nq->l", m.instruments, m.maps, weighted, optimize=True)
    influence = slope @ fit.bread @ moment_cross.T @ fit.weight
    variance = own - 2 * influence @ mixed + slope @ fit.covariance @ slope
    if variance <= 0:
        return Statistic(np.nan, np.nan, reason="not computable: its estimated variance is not positive")
    value = product / float(np.sqrt(variance))
    return Statistic(value, float(above_zero(2 * scipy.stats.norm.sf(abs(value)))))


def _difference_map(has_difference: np.ndarray) -> np.ndarray:
    n_units, n_periods = has_difference.shape
    out = np.zeros((n_units, n_periods, n_periods))
    at = np.arange(n_periods)
    out[:, at, at] = has_difference
    out[:, at[1:], at[:-1]] = -1.0 * has_difference[:, 1:]
    return out


def sargan(fit: GmmFit) -> Statistic:
    """Sargan's statistic from one-step weights and residuals; not robust to heteroskedasticity.

    Notes
    -----
    (sum Z'e)'W_1 (sum Z'e) over the error variance (`fit.error_variance`), chi-square. Programs differ in that variance
    for systems: docs/statistics.md, section 1.10.

    References
    ----------
    Sargan (1958), Econometrica 26.
    """
    moments = np.einsum("nrl,nr->l", fit.moments.instruments, fit.first_residuals)
    value = float(moments @ fit.first_weight @ moments) / fit.error_variance
    return _chi_square(value, fit.moments.instruments.shape[2] - len(fit.moments.names))


def sargan_note(fit: GmmFit) -> str:
    """The error variance behind Sargan's statistic, in words."""
    equations = "level equations" if fit.moments.is_system else "equations"
    return (
        f"Sargan's error variance {fit.error_variance:.6g}: squared one-step residuals of the transformed equations, "
        f"in units of what the transformation makes of an independent error, over {fit.moments.n_obs} {equations}"
    )


def hansen(fit: GmmFit) -> Statistic:
    """Hansen's J from two-step weights and residuals, also after a one-step fit; df are instruments less parameters.

    Notes
    -----
    (sum Z'e)'W_2 (sum Z'e); docs/statistics.md, section 1.10. With many instruments it cannot reject (Roodman 2009).

    References
    ----------
    Hansen (1982), Econometrica 50. Roodman (2009), Oxford Bulletin of Economics and Statistics 71.
    """
    m = fit.moments
    residuals = np.where(m.valid, m.outcome - m.regressors @ fit.two_step, 0.0)
    moments = np.einsum("nrl,nr->l", m.instruments, residuals)
    return _chi_square(float(moments @ fit.score_inverse @ moments), m.instruments.shape[2] - len(m.names))


def difference_in_hansen(fit: GmmFit) -> tuple[SubsetTest, ...]:
    """Each declared set of instruments left out in turn.

    Hansen's statistic without the set uses the remaining block of the full model's moment covariance, as xtabond2 does,
    so that a difference is never negative.

    References
    ----------
    Hayashi (2000), Econometrics, p. 218, Princeton University Press. Roodman (2009), Stata Journal 9.
    """
    full = hansen(fit)
    m = fit.moments
    out = []
    for label, columns in m.sets.items():
        rest = np.setdiff1d(np.arange(m.instruments.shape[2]), columns)
        without = _hansen_without(fit, rest)
        reason = full.reason or without.reason
        difference = Statistic(np.nan, np.nan, reason=reason)
        if not reason:
            difference = _chi_square(full.value - without.value, (full.df or 0) - (without.df or 0))
        out.append(SubsetTest(label, len(columns), without, difference))
    return tuple(out)


def _hansen_without(fit: GmmFit, columns: np.ndarray) -> Statistic:
    m = fit.moments
    if len(columns) < len(m.names):
        reason = f"not computable: {len(columns)} instruments left for {len(m.names)} parameters"
        return Statistic(np.nan, np.nan, reason=reason)
    z = m.instruments[:, :, columns]
    cross = np.einsum("nrl,nrk->lk", z, m.regressors, optimize=True)
    target = np.einsum("nrl,nr->l", z, m.outcome, optimize=True)
    weight, _ = symmetric_inverse(fit.score[np.ix_(columns, columns)])
    system = cross.T @ weight @ cross
    size = np.sqrt(np.diag(system))
    if (size == 0).any() or np.linalg.matrix_rank(system / np.outer(size, size)) < len(m.names):
        return Statistic(np.nan, np.nan, reason="not computable: the other instruments do not identify the model")
    beta = np.linalg.solve(system, cross.T @ weight @ target)
    residuals = np.where(m.valid, m.outcome - m.regressors @ beta, 0.0)
    moments = np.einsum("nrl,nr->l", z, residuals)
    return _chi_square(float(moments @ weight @ moments), len(columns) - len(m.names))


def _chi_square(value: float, df: int) -> Statistic:
    if df <= 0:
        return Statistic(np.nan, np.nan, max(df, 0), "not computable: no over-identifying restriction")
    return Statistic(value, float(above_zero(scipy.stats.chi2.sf(max(value, 0.0), df))), df)


def warnings(fit: GmmFit, over_identification: Statistic, order_two: Statistic) -> list[str]:
    """What a reader must know beside the coefficients, given Hansen's test and that of order two."""
    m = fit.moments
    n_instruments, n_units = m.instruments.shape[2], len(m.units)
    out = list(m.notes)
    if over_identification.p_value < REJECTED:
        out.append(
            f"Hansen's test rejects the instruments ({over_identification.value:.2f}, {over_identification.df} degrees "
            f"of freedom, p = {over_identification.p_value:.2g}): some correlate with the errors, or slopes differ"
        )
    if order_two.p_value < REJECTED:
        out.append(
            f"errors are serially correlated (order two of the differences: z = {order_two.value:.2f}, p = "
            f"{order_two.p_value:.2g}): values two periods before are no valid instruments"
        )
    if n_instruments > n_units:
        out.append(
            f"{n_instruments} instruments exceed {n_units} units: Hansen's test cannot reject (a p-value near 1 is the "
            "symptom, not support); collapse the instruments or limit their lags"
        )
    if fit.score_rank < n_instruments:
        out.append(
            f"the two-step weighting matrix is singular (rank {fit.score_rank} of {n_instruments}): its Moore-Penrose "
            "inverse is used"
        )
    if not _has_time_dummies(m):
        out.append(
            "no time dummies: shocks common to all units are in the errors, which standard errors and tests take "
            "to be independent between units"
        )
    return out


def _has_time_dummies(m: Moments) -> bool:
    """Whether regressors that are the same for all units, declared ones too, span the changes between periods."""
    change = m.differences[:, :, 1:]
    periods = m.has_difference.any(axis=0)
    first = m.has_difference.argmax(axis=0)
    level = np.take_along_axis(change, first[None, :, None], axis=0)[0]  # (P, K), of some unit
    apart = np.where(m.has_difference[:, :, None], np.abs(change - level), 0.0).max(axis=(0, 1))
    common = apart <= 1e-12 * np.maximum(np.abs(change).max(axis=(0, 1)), 1e-300)
    return bool(np.linalg.matrix_rank(level[periods][:, common]) >= periods.sum() - 1)
