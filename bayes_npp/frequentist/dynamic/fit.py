"""One- and two-step GMM on stacked moment conditions, with Windmeijer's correction."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.errors import SpecError
from bayes_npp.frequentist.dynamic.moments import Moments

SINGULAR = 1e-10  # eigenvalues below this share of the largest count as zero


@dataclass(frozen=True)
class GmmFit:
    """Coefficients (K,), their covariance (K, K) and what the tests need.

    `corrected` says whether Windmeijer's correction is in the covariance; `weight` (L, L) is the weighting matrix
    behind the coefficients, `residuals` (N, R) theirs; `score` (L, L) is the sum over units of the outer products
    of the moments at the one-step residuals, of rank `score_rank`; `two_step` holds the coefficients of the second
    step, also after a one-step fit, for Hansen's statistic.
    """

    moments: Moments
    steps: int
    robust: bool
    corrected: bool
    coefficients: np.ndarray
    covariance: np.ndarray
    residuals: np.ndarray
    weight: np.ndarray
    bread: np.ndarray
    first_weight: np.ndarray
    first_residuals: np.ndarray
    score: np.ndarray
    score_inverse: np.ndarray
    score_rank: int
    two_step: np.ndarray
    error_variance: float
    covariance_label: str


def fit_gmm(moments: Moments, steps: int, windmeijer: bool, robust: bool, h: int) -> GmmFit:
    """Estimate by one or two steps.

    Parameters
    ----------
    moments : Moments
    steps : {1, 2}
    windmeijer : bool
        Correct the two-step covariance for the estimated weights.
    robust : bool
        One step: a sandwich, clustered by unit. Two steps: False leaves Windmeijer's correction out.
    h : {1, 2, 3}
        Weights of the first step: identity; what the transformation does to independent errors, without (2) or with (3)
        the covariance between transformed and level equations.

    Notes
    -----
    (S'W S)^-1 S'W s with S = sum Z'X and s = sum Z'y over units; W is (sum Z'H Z)^-1 in the first step and, at its
    residuals, (sum Z'e e'Z)^-1 in the second. docs/statistics.md, section 1.10.

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58. Windmeijer (2005), Journal of Econometrics 126. Roodman
    (2009), Stata Journal 9.
    """
    if steps not in (1, 2):
        raise SpecError(f"steps = {steps}", fix="Use 1 or 2")
    y, x, z = moments.outcome, moments.regressors, moments.instruments
    cross = np.einsum("nrl,nrk->lk", z, x, optimize=True)
    target = np.einsum("nrl,nr->l", z, y, optimize=True)
    first_weight = symmetric_inverse(first_step_weight(moments, h))[0]
    first = _solve(cross, target, first_weight)
    first_residuals = np.where(moments.valid, y - x @ first, 0.0)
    scores = np.einsum("nrl,nr->nl", z, first_residuals, optimize=True)
    score = scores.T @ scores
    score_inverse, rank = symmetric_inverse(score)
    second = _solve(cross, target, score_inverse)
    variance = error_variance(moments, first_residuals, h)

    bread_1 = np.linalg.inv(cross.T @ first_weight @ cross)
    lever = bread_1 @ cross.T @ first_weight
    robust_1 = lever @ score @ lever.T
    if steps == 1:
        covariance = robust_1 if robust else variance * bread_1
        label = "robust, clustered by unit (one step)" if robust else "classical (one step)"
        weight, bread, coefficients, residuals = first_weight, bread_1, first, first_residuals
    else:
        bread = np.linalg.inv(cross.T @ score_inverse @ cross)
        residuals = np.where(moments.valid, y - x @ second, 0.0)
        covariance, label = bread, "two-step, uncorrected"
        if windmeijer and robust:
            moved = _weight_derivative(moments, scores, residuals, score_inverse, bread, cross)
            covariance = bread + moved @ bread + bread @ moved.T + moved @ robust_1 @ moved.T
            label = "two-step, Windmeijer-corrected"
        weight, coefficients = score_inverse, second
    return GmmFit(
        moments=moments,
        steps=steps,
        robust=robust or steps == 2,
        corrected=steps == 2 and windmeijer and robust,
        coefficients=coefficients,
        covariance=covariance,
        residuals=residuals,
        weight=weight,
        bread=bread,
        first_weight=first_weight,
        first_residuals=first_residuals,
        score=score,
        score_inverse=score_inverse,
        score_rank=rank,
        two_step=second,
        error_variance=variance,
        covariance_label=label,
    )


def first_step_weight(moments: Moments, h: int) -> np.ndarray:
    """Sum over units of Z'HZ, shape (L, L)."""
    z, maps, n = moments.instruments, moments.maps, moments.n_transformed
    if h == 1:
        parts = [z]
    elif h == 2:
        parts = [np.einsum("nrp,nrl->npl", maps[:, rows], z[:, rows]) for rows in (slice(0, n), slice(n, None))]
    elif h == 3:
        parts = [np.einsum("nrp,nrl->npl", maps, z)]
    else:
        raise SpecError(f"h = {h}", fix="Use 1, 2 or 3")
    flat = [part.reshape(-1, z.shape[2]) for part in parts]
    return sum((part.T @ part for part in flat), start=np.zeros((z.shape[2], z.shape[2])))


def error_variance(moments: Moments, residuals: np.ndarray, h: int) -> float:
    """Variance of the errors from one-step residuals of the transformed equations, as xtabond2 has it.

    Divided by the number of observations reported (of a system: its level equations), and by the variance the
    transformation gives an independent error (2 for first differences, 1 for forward deviations and where h = 1 takes
    the identity).
    """
    n = moments.n_transformed
    inflation = 1.0
    if h != 1:
        inflation = float((moments.maps[:, :n] ** 2).sum() / moments.valid[:, :n].sum())
    return float((residuals[:, :n] ** 2).sum() / moments.n_obs / inflation)


def symmetric_inverse(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Inverse of a symmetric positive semi-definite matrix and its rank; Moore-Penrose's if it is singular."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > SINGULAR * values[-1]
    if keep.all():
        # Scaled to a unit diagonal, badly scaled instruments lose no digits.
        scale = 1 / np.sqrt(np.diag(matrix))
        return np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale), len(values)
    part = vectors[:, keep]
    return (part / values[keep]) @ part.T, int(keep.sum())


def _solve(cross: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.linalg.solve(cross.T @ weight @ cross, cross.T @ weight @ target)


def _weight_derivative(
    moments: Moments,
    scores: np.ndarray,
    residuals: np.ndarray,
    score_inverse: np.ndarray,
    bread: np.ndarray,
    cross: np.ndarray,
) -> np.ndarray:
    """How the two-step coefficients move with the one-step ones through the weights, shape (K, K).

    References
    ----------
    Windmeijer (2005), Journal of Econometrics 126.
    """
    z, x = moments.instruments, moments.regressors
    pull = score_inverse @ np.einsum("nrl,nr->l", z, residuals, optimize=True)
    along = scores @ pull  # (N,)
    columns = []
    for j in range(x.shape[2]):
        moved = np.einsum("nrl,nr->nl", z, x[:, :, j], optimize=True)
        columns.append(scores.T @ (moved @ pull) + moved.T @ along)
    return bread @ cross.T @ score_inverse @ np.column_stack(columns)
