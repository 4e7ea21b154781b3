"""Covariances of least-squares coefficients: one sandwich, its kinds, and named small-sample conventions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.errors import DesignError, SpecError, nearest
from bayes_npp.frequentist.least_squares.clusters import (
    BOTH,
    UNIT,
    Clusters,
    check_clusters,
    clusters_of,
    read_cluster,
    unit_cluster,
)

COVARIANCES = ("classical", "robust", "clustered", "driscoll_kraay", "wild_bootstrap")
CONVENTIONS = {
    "stata": "Stata (xtreg, xtscc): G/(G-1) (n-1)/(n-K), K = slopes, constant, period dummies (unit trends and "
    "group-by-period dummies too); absorbed units left out",
    "hc0": "no small-sample factor (plm HC0)",
    "cr1": "G/(G-1) alone (clubSandwich CR1)",
    "sss": "plm sss: G/(G-1) (n-1)/(n-k), k = slopes only",
    "lsdv": "all dummies counted: G/(G-1) (n-1)/(n-K), K = slopes, unit and period dummies and constant",
}
VANISHING = 1e-8  # of |influence| |residuals|: a smaller standard error is rounding
SLACK = 16  # units in the last place
NOT_POSITIVE = "no standard error: the estimated variance is not positive"
NOISE = (
    "no standard error: the scores of {columns} sum to zero in every cluster ({clusters}) by construction, and what is "
    "left is rounding; widen the sample or merge groups, or use covariance = 'classical' or 'robust' if errors are "
    "uncorrelated"
)
INDEFINITE = (
    "the two-way clustered covariance is not positive semi-definite (not adjusted): too few units or periods for it"
)


@dataclass(frozen=True)
class Counts:
    """What a small-sample factor counts: rows, slopes, constant, unit dummies, all other dummies and trends."""

    n_obs: int
    n_slopes: int
    n_constant: int
    n_unit_dummies: int
    n_other_dummies: int

    @property
    def n_all(self) -> int:
        """All parameters: the rank of the dummy-variable regression."""
        return self.n_slopes + 1 + self.n_unit_dummies + self.n_other_dummies


@dataclass(frozen=True)
class Sandwich:
    """A covariance of coefficients, and what it rests on.

    Attributes
    ----------
    names : tuple of str, length k
    covariance : ndarray, shape (k, k)
    influence : ndarray, shape (n, k)
        Coefficients are influence'y.
    rounding : ndarray, shape (k, k)
        c'(rounding)c is what rounding alone may leave of the variance of c'b.
    dead : ndarray of bool, shape (k,)
        Coefficients whose score vanishes in every cluster although its rows do not.
    clusters : tuple of Clusters
        None for classical and heteroskedasticity-robust covariances.
    kind : str
        Key of the covariance, "two_way_clustered" where units and periods both cluster.
    df : int
        Of its t distribution.
    label, convention : str
    note : str
        What is wrong with it as a whole.
    lags : int
        Of Driscoll-Kraay errors.
    """

    names: tuple[str, ...]
    covariance: np.ndarray
    influence: np.ndarray
    rounding: np.ndarray
    dead: np.ndarray
    clusters: tuple[Clusters, ...]
    kind: str
    df: int
    label: str
    convention: str
    note: str = ""
    lags: int = 0

    def variance(self, combination: np.ndarray) -> float:
        """Variance of a combination (k,) of the coefficients; NaN where it is not positive but for rounding.

        Notes
        -----
        A sum of scores over a cluster that is zero by algebra is never zero in floating point, and its square passes
        any test against zero. The scale to judge it by is |influence c|^2 |residuals|^2, which bounds it. A coefficient
        whose column has no score in any cluster contributes nothing to a variance that it is part of: that variance is
        too small whatever its size.
        """
        value = float(combination @ self.covariance @ combination)
        if self.dead[combination != 0].any() or not value > combination @ self.rounding @ combination:
            return np.nan
        return value

    def why_none(self, combination: np.ndarray) -> str:
        """Why a combination has no variance."""
        value = float(combination @ self.covariance @ combination)
        if not self.dead[combination != 0].any() and value < -(combination @ self.rounding @ combination):
            return NOT_POSITIVE
        touched = [name for name, here in zip(self.names, self.dead & (combination != 0), strict=True) if here]
        named = ", ".join(f"'{name}'" for name in touched) or "this combination"
        clusters = " or ".join(f"{one.size} {one.name}" for one in self.clusters) or "the rows"
        return NOISE.format(columns=named, clusters=clusters)

    def resting_on(self, combination: np.ndarray, clusters: Clusters) -> int:
        """Number of clusters in which the combination has any influence."""
        squares = clusters.sums((self.influence @ combination)[:, None] ** 2)[:, 0]
        return int((squares > VANISHING**2 * squares.sum()).sum())


def small_sample_factor(convention: str, counts: Counts, n_clusters: int) -> float:
    """Factor on the HC0 sandwich variance.

    `n_clusters` is G: units for clustered, periods for Driscoll-Kraay errors, the fewer of the two where both cluster.

    Notes
    -----
    G / (G - 1) (n - 1) / (n - k); what k counts is the convention (`CONVENTIONS`; docs/statistics.md, section 1.9).
    """
    parameters = {
        "stata": counts.n_slopes + 1 + counts.n_other_dummies,
        "sss": counts.n_slopes + counts.n_constant,
        "lsdv": counts.n_all,
    }
    if convention == "hc0":
        return 1.0
    if convention == "cr1":
        return n_clusters / (n_clusters - 1)
    if convention not in parameters:
        raise SpecError(f"unknown convention '{convention}'", fix=nearest(convention, CONVENTIONS))
    n = counts.n_obs
    return n_clusters / (n_clusters - 1) * (n - 1) / (n - parameters[convention])


def robust_factor(convention: str, counts: Counts) -> float:
    """Factor of heteroskedasticity-robust variances: HC1, n / (n - K).

    K counts every parameter, absorbed units too: they are nested in clusters, not in rows (Stata's areg, robust). With
    "sss" slopes and the constant alone (plm's HC1), with "cr1" one, with "hc0" there is no factor.
    """
    if convention == "hc0":
        return 1.0
    if convention == "cr1":
        return counts.n_obs / (counts.n_obs - 1)
    counted = counts.n_slopes + counts.n_constant if convention == "sss" else counts.n_all
    return counts.n_obs / (counts.n_obs - counted)


def driscoll_kraay_lags(n_periods: int) -> int:
    """Default number of Bartlett lags, floor(4 (T / 100)^(2/9)).

    References
    ----------
    Newey & West (1994), Review of Economic Studies 61. Hoechle (2007), Stata Journal 7 (xtscc).
    """
    return int(4 * (n_periods / 100) ** (2 / 9))


def check_options(covariance: str, convention: str, lags: int | None, cluster: str | Sequence[str]) -> None:
    """Raise `SpecError` for an unknown covariance, convention or cluster, and for options of another covariance."""
    if covariance not in COVARIANCES:
        raise SpecError(f"unknown covariance '{covariance}'", fix=nearest(covariance, COVARIANCES))
    if convention not in CONVENTIONS:
        raise SpecError(f"unknown convention '{convention}'", fix=nearest(convention, CONVENTIONS))
    names = read_cluster(cluster)
    if names != UNIT and covariance != "clustered" and (names == BOTH or covariance != "wild_bootstrap"):
        kinds = "'clustered'" if names == BOTH else "'clustered' or 'wild_bootstrap'"
        raise SpecError(
            f"cluster = {cluster!r} with covariance = '{covariance}'",
            fix=f"{'Two-way clusters' if names == BOTH else 'Clusters'} belong to covariance = {kinds}",
        )
    if lags is not None and (lags < 0 or covariance != "driscoll_kraay"):
        raise SpecError(
            f"lags = {lags} with covariance = '{covariance}'",
            fix="Lags, 0 or more, belong to covariance = 'driscoll_kraay'",
        )


def sandwich(
    design: Design,
    names: tuple[str, ...],
    influence: np.ndarray,
    residuals: np.ndarray,
    counts: Counts,
    columns: np.ndarray,
    noise: float,
    covariance: str,
    convention: str,
    lags: int | None,
    cluster: str | Sequence[str],
    source: str,
) -> Sandwich:
    """Covariance of coefficients influence'y.

    Parameters
    ----------
    design : Design
        Of which the positions of units and periods are used.
    names : tuple of str, length k
    influence : ndarray, shape (n, k)
        Rows of (X'X)^-1 X', transposed.
    residuals : ndarray, shape (n,)
        These, `influence` and `columns` are of rows times the roots of analytic weights (`Design.weighted`).
    counts : Counts
    columns : ndarray, shape (n, k)
        Regressors less effects, of which the normal equations are made.
    noise : float
        Norm of residuals that rounding can explain: see `within.WithinFit`.
    covariance, convention, lags, cluster
        As in `static.twfe`; "wild_bootstrap" has the clustered covariance. Of a column the design holds the clusters
        (`clusters.clustered_by`).
    source : str

    Raises
    ------
    SpecError
        As many lags as periods.
    DesignError
        Driscoll-Kraay lags where the keys of time may not say how far apart periods are.

    Notes
    -----
    Formulas: docs/statistics.md, section 1.9. With psi the rows of influence times residuals,

    - classical: RSS / (n - K) (X'X)^-1;
    - robust: sum over rows of psi psi', times n / (n - K) (White 1980, HC1; `robust_factor`), t with n - K degrees of
      freedom. Stata's `xtreg, fe robust` is clustered, its `regress` and `areg, robust` are this;
    - clustered by unit: sum_i Psi_i Psi_i', Psi_i the sum of a unit's psi (Arellano 1987), or of the units of a cluster
      above them; the factor is the same, units being nested in either;
    - by unit and period: by unit plus by period less by row (Cameron, Gelbach & Miller 2011), one factor with G the
      fewer of units and periods, t with G - 1 degrees of freedom (reghdfe's and fixest's choice). The result can have
      negative eigenvalues; it is not altered, and its note says so;
    - Driscoll-Kraay: Bartlett-weighted autocovariances of the sums of each period, lags counted in periods of time: a
      period that no unit has is a sum of zero (Datta & Du 2012). xtscc refuses such a panel.

    References
    ----------
    Arellano (1987), Oxford Bulletin of Economics and Statistics 49. Cameron, Gelbach & Miller (2011), Journal of
    Business & Economic Statistics 29. Datta & Du (2012), Federal Reserve International Finance Discussion Papers 1060.
    Driscoll & Kraay (1998), Review of Economics and Statistics 80. White (1980), Econometrica 48. MacKinnon & White
    (1985), Journal of Econometrics 29: HC1.
    """
    n_units, n_times, names_of = len(design.units), len(design.times), check_clusters(design, cluster)
    df = counts.n_obs - counts.n_all
    scores = influence * residuals[:, None]
    by_unit, by_time = clusters_of(design)
    clusters: tuple[Clusters, ...] = ()
    note, kind, last = "", covariance, 0
    if covariance == "classical":
        spread = influence.T @ influence * (residuals @ residuals / df)
        label, text = "classical", f"RSS / (n - K), K = {counts.n_all} parameters; t({df})"
    elif covariance == "robust":
        spread = meat(scores, design, kind) * robust_factor(convention, counts)
        label, text = "heteroskedasticity-robust", f"{_robust_text(convention, counts)}; t({df})"
    elif covariance == "driscoll_kraay":
        last = driscoll_kraay_lags(n_times) if lags is None else lags
        check_lags(design, last, source)
        clusters, df = (by_time,), n_times - 1
        spread = meat(scores, design, kind, last) * small_sample_factor(convention, counts, n_times)
        label, text = f"Driscoll-Kraay, Bartlett, {last} lags", f"{convention}; t({df})"
        absent = int(design.places[-1]) + 1 - n_times
        note = f"no unit has a row in {absent} period(s) between the first and the last: lags count them" * (absent > 0)
    elif names_of != BOTH:
        clusters, df = (by_unit,), by_unit.size - 1
        spread = meat(scores, design, kind) * small_sample_factor(convention, counts, by_unit.size)
        label, text = f"clustered by {unit_cluster(design)}", f"{convention}; t({df})"
    else:
        kind, clusters, fewest = "two_way_clustered", (by_unit, by_time), min(n_units, n_times)
        df = fewest - 1
        bare = meat(scores, design, kind)
        size = np.sqrt(sum((one.sums(scores) ** 2).sum(axis=0) for one in clusters))
        size = np.where(size > 0, size, 1.0)
        note = INDEFINITE if np.linalg.eigvalsh(bare / np.outer(size, size)).min() < -1e-10 else ""
        spread = bare * small_sample_factor(convention, counts, fewest)
        which = f"G = {fewest}, the fewer of {n_units} units and {n_times} periods"
        label, text = "clustered by unit and period", f"{convention}, one factor with {which}; t({df})"
    return Sandwich(
        names=names,
        covariance=spread,
        influence=influence,
        rounding=influence.T @ influence * noise**2,
        dead=_dead(columns, residuals, noise, clusters),
        clusters=clusters,
        kind=kind,
        df=df,
        label=label,
        convention=text,
        note=note,
        lags=last,
    )


def check_lags(design: Design, last: int, source: str) -> None:
    """Raise `SpecError` for as many lags as periods, `DesignError` where periods may not lie as their keys say."""
    if last >= len(design.times):
        raise SpecError(
            f"lags = {last} with {len(design.times)} periods", place=source, fix="Use fewer lags than periods"
        )
    why, mend = design.doubt
    if last and why:
        raise DesignError(
            f"Driscoll-Kraay errors need to know which periods follow each other, and {why}",
            place=source,
            fix=f"Declare {mend} in [study], or in read_panel",
        )


def meat(scores: np.ndarray, design: Design, kind: str, last: int = 0) -> np.ndarray:
    """Cross-products of scores (n, k), summed as a covariance of this kind sums them: shape (k, k), no factor.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
    design : Design
        Of which the positions of units and periods are used.
    kind : {"robust", "clustered", "two_way_clustered", "driscoll_kraay"}
    last : int
        Lags of Driscoll-Kraay.
    """
    if kind == "robust":
        return scores.T @ scores
    by_unit, by_time = clusters_of(design)
    if kind == "driscoll_kraay":
        return bartlett(by_time.sums(scores), design.places, last)
    own = by_unit.sums(scores)
    if kind == "clustered":
        return own.T @ own
    other = by_time.sums(scores)
    return own.T @ own + other.T @ other - scores.T @ scores


def _dead(columns: np.ndarray, residuals: np.ndarray, noise: float, clusters: Sequence[Clusters]) -> np.ndarray:
    """Whether the scores of each column sum to zero in every cluster, shape (k,): its errors are unknown then."""
    bound = noise * np.linalg.norm(columns, axis=0)
    out = np.zeros(columns.shape[1], dtype=bool)
    for one in clusters:
        out |= np.linalg.norm(one.sums(columns * residuals[:, None]), axis=0) <= bound
    return out


def _robust_text(convention: str, counts: Counts) -> str:
    if convention == "hc0":
        return "HC0, no small-sample factor"
    if convention == "cr1":
        return "n / (n - 1), every row a cluster of its own"
    if convention == "sss":
        return f"HC1, n / (n - k), k = {counts.n_slopes + counts.n_constant} slopes and constant"
    return f"HC1, n / (n - K), K = {counts.n_all} parameters, absorbed effects counted"


def bartlett(sums: np.ndarray, places: np.ndarray, last: int) -> np.ndarray:
    """Long-run covariance of the periods' sums, shape (T, k), with Bartlett weights 1 - lag / (last + 1).

    `places` (T,) are the periods' places in time: the lag of two of them is their distance.
    """
    distances = np.abs(places[:, None] - places)
    return sums.T @ np.clip(1 - distances / (last + 1), 0.0, None) @ sums
