"""Wild cluster bootstrap-t with any sandwich as its standard error: Driscoll-Kraay, units and periods as clusters."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.frequentist.least_squares.absorbed import absorb
from bayes_npp.frequentist.least_squares.covariance import Sandwich, meat
from bayes_npp.frequentist.least_squares.wild_bootstrap import TIE, all_signs, wild_weights
from bayes_npp.frequentist.least_squares.within import WithinFit


@dataclass(frozen=True)
class WildTest:
    """p-value of "the combination is zero", NaN where there is none.

    Attributes
    ----------
    p_value : float
    clusters : str
        What is drawn, "units" or "periods".
    size : int
        Their number.
    infeasible : int
        Draws left out, because their variance is not positive.
    draws : int
        Of the kind that `wild_weights` yields, these among them.
    """

    p_value: float
    clusters: str
    size: int
    infeasible: int
    draws: int


def wild_sandwich(
    design: Design,
    effects: str,
    fit: WithinFit,
    spread: Sandwich,
    combination: np.ndarray,
    *,
    draws: int = 9999,
    seed: int = 1,
) -> WildTest:
    """Test a combination (k,) of coefficients by signs of the clusters that are fewer, with its own standard error.

    The restricted residuals (null imposed) of the rows of one cluster are a column of G; less effects and regressors
    they are what a draw with this cluster alone leaves. A draw is a combination w of the columns, so that its variance
    is w'Q w with Q the covariance's own cross-products (`covariance.meat`) of the columns' scores: no draw is refitted.

    Parameters
    ----------
    design : Design
    effects : str
        As in `within_fit`.
    fit : WithinFit
    spread : Sandwich
        Of that fit, clustered; small-sample factors cancel.
    combination : ndarray, shape (k,)
    draws, seed : int
        All 2^G sign vectors are taken where those are fewer than `draws`.

    Notes
    -----
    t*^2 = (w's)^2 / w'Q w, s the sums of h times the restricted residuals, h = influence c; the sample's own statistic
    is that of w = 1. Draws with w'Q w not above rounding, which two-way covariances have, are left out and counted, as
    Stata's boottest does. Signs by period keep what units of a period share and lose what periods share, so that serial
    correlation of the scores is not in the bootstrap's distribution: docs/few_clusters.md has what that costs. See
    docs/statistics.md, section 1.9.

    References
    ----------
    MacKinnon, Nielsen & Webb (2021), Journal of Business & Economic Statistics 39: two-way clusters, the dimension with
    fewer drawn. Roodman, MacKinnon, Nielsen & Webb (2019), Stata Journal 19.
    """
    clusters = min(spread.clusters, key=lambda one: one.size)
    h = fit.influence @ combination
    length = float(h @ h)
    restricted = fit.residuals + h * float(combination @ fit.coefficients) / length
    apart = restricted[:, None] * (clusters.index[:, None] == np.arange(clusters.size))
    left = absorb(apart, design, effects).residual
    slopes = slice(fit.counts.n_slopes)  # the constant of pooled OLS is absorbed
    left -= fit.columns[:, slopes] @ (fit.influence[:, slopes].T @ left)
    form = meat(h[:, None] * left, design, spread.kind, spread.lags)
    moved = h @ apart
    rounding = length * fit.noise**2
    own_top, own_below = float(moved.sum()) ** 2, float(form.sum())
    if not own_below > rounding:
        return WildTest(np.nan, clusters.name, clusters.size, 0, 0)
    extreme, infeasible, taken = 0, 0, 0
    for chunk in wild_weights(clusters.size, "rademacher", draws, seed):
        below = np.einsum("bg,bg->b", chunk @ form, chunk)
        feasible = below > rounding
        top = (chunk @ moved) ** 2 * own_below
        extreme += int((feasible & (top >= own_top * below * (1 - TIE))).sum())
        infeasible += int((~feasible).sum())
        taken += len(chunk)
    one = 0 if all_signs(clusters.size, "rademacher", draws) else 1  # the sample, a draw of its own
    p_value = (extreme + one) / (taken - infeasible + one)
    return WildTest(p_value, clusters.name, clusters.size, infeasible, taken)
