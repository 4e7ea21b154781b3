"""Covariances of least-squares coefficients: one sandwich, its kinds, and four named small-sample conventions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.errors import SpecError, nearest

COVARIANCES = ("classical", "clustered", "driscoll_kraay", "wild_bootstrap")
CONVENTIONS = {
    "stata": "Stata (xtreg, xtscc): G/(G-1) (n-1)/(n-K), K = slopes, constant, period dummies (unit trends and "
    "group-by-period dummies too); absorbed units left out",
    "hc0": "no small-sample factor (plm HC0)",
    "sss": "plm sss: G/(G-1) (n-1)/(n-k), k = slopes only",
    "lsdv": "all dummies counted: G/(G-1) (n-1)/(n-K), K = slopes, unit and period dummies and constant",
}
BOTH = ("unit", "time")
NOT_POSITIVE = "no standard error: the estimated variance is not positive"
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
    """A covariance (k, k), degrees of freedom of its t distribution, what it is called and what is wrong with it."""

    covariance: np.ndarray
    df: int
    label: str
    convention: str
    note: str = ""


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
    if convention not in parameters:
        raise SpecError(f"unknown convention '{convention}'", fix=nearest(convention, CONVENTIONS))
    n = counts.n_obs
    return n_clusters / (n_clusters - 1) * (n - 1) / (n - parameters[convention])


def driscoll_kraay_lags(n_periods: int) -> int:
    """Default number of Bartlett lags, floor(4 (T / 100)^(2/9)).

    References
    ----------
    Newey & West (1994), Review of Economic Studies 61. Hoechle (2007), Stata Journal 7 (xtscc).
    """
    return int(4 * (n_periods / 100) ** (2 / 9))


def read_cluster(cluster: str | Sequence[str]) -> tuple[str, ...]:
    """("unit",) or ("unit", "time"), in whatever order and form they were given.

    Raises
    ------
    SpecError
        Anything else.
    """
    names = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    if names == ("unit",) or sorted(names) == sorted(BOTH):
        return tuple(sorted(names, reverse=True))
    raise SpecError(f"unknown cluster {cluster!r}", fix="Use 'unit' or ('unit', 'time')")


def check_options(covariance: str, convention: str, lags: int | None, cluster: str | Sequence[str]) -> None:
    """Raise `SpecError` for an unknown covariance, convention or cluster, and for options of another covariance."""
    if covariance not in COVARIANCES:
        raise SpecError(f"unknown covariance '{covariance}'", fix=nearest(covariance, COVARIANCES))
    if convention not in CONVENTIONS:
        raise SpecError(f"unknown convention '{convention}'", fix=nearest(convention, CONVENTIONS))
    if read_cluster(cluster) != ("unit",) and covariance != "clustered":
        raise SpecError(
            f"cluster = {cluster!r} with covariance = '{covariance}'",
            fix="Two-way clusters belong to covariance = 'clustered'",
        )
    if lags is not None and (lags < 0 or covariance != "driscoll_kraay"):
        raise SpecError(
            f"lags = {lags} with covariance = '{covariance}'",
            fix="Lags, 0 or more, belong to covariance = 'driscoll_kraay'",
        )


def sandwich(
    design: Design,
    influence: np.ndarray,
    residuals: np.ndarray,
    counts: Counts,
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
    influence : ndarray, shape (n, k)
        Rows of (X'X)^-1 X', transposed.
    residuals : ndarray, shape (n,)
    counts : Counts
    covariance, convention, lags, cluster
        As in `static.twfe`; "wild_bootstrap" has the covariance clustered by unit.
    source : str

    Raises
    ------
    SpecError
        As many lags as periods.

    Notes
    -----
    Formulas: docs/statistics.md, section 1.9. With psi the rows of influence times residuals,

    - classical: RSS / (n - K) (X'X)^-1;
    - clustered by unit: sum_i Psi_i Psi_i', Psi_i the sum of a unit's psi (Arellano 1987);
    - by unit and period: by unit plus by period less by row (Cameron, Gelbach & Miller 2011), one factor with G the
      fewer of units and periods, t with G - 1 degrees of freedom (reghdfe's and fixest's choice). The result can have
      negative eigenvalues; it is not altered, and its note says so;
    - Driscoll-Kraay: Bartlett-weighted autocovariances of the sums of each period.

    References
    ----------
    Arellano (1987), Oxford Bulletin of Economics and Statistics 49. Cameron, Gelbach & Miller (2011), Journal of
    Business & Economic Statistics 29. Driscoll & Kraay (1998), Review of Economics and Statistics 80.
    """
    n_units, n_times = len(design.units), len(design.times)
    n = counts.n_obs
    if covariance == "classical":
        df = n - counts.n_all
        spread = influence.T @ influence * (residuals @ residuals / df)
        return Sandwich(spread, df, "classical", f"RSS / (n - K), K = {counts.n_all} parameters; t({df})")
    scores = influence * residuals[:, None]
    if covariance == "driscoll_kraay":
        last = driscoll_kraay_lags(n_times) if lags is None else lags
        if last >= n_times:
            raise SpecError(f"lags = {last} with {n_times} periods", place=source, fix="Use fewer lags than periods")
        factor = small_sample_factor(convention, counts, n_times)
        bare = _bartlett(group_sums(scores, design.time, n_times), last)
        label = f"Driscoll-Kraay, Bartlett, {last} lags"
        return Sandwich(bare * factor, n_times - 1, label, f"{convention}; t({n_times - 1})")
    by_unit = group_sums(scores, design.unit, n_units)
    if read_cluster(cluster) == ("unit",):
        factor = small_sample_factor(convention, counts, n_units)
        spread = by_unit.T @ by_unit * factor
        return Sandwich(spread, n_units - 1, "clustered by unit", f"{convention}; t({n_units - 1})")
    by_time = group_sums(scores, design.time, n_times)
    bare = by_unit.T @ by_unit + by_time.T @ by_time - scores.T @ scores
    fewest = min(n_units, n_times)
    factor = small_sample_factor(convention, counts, fewest)
    size = np.sqrt(np.diag(by_unit.T @ by_unit + by_time.T @ by_time))
    lowest = np.linalg.eigvalsh(bare / np.outer(size, size)).min()
    which = f"G = {fewest}, the fewer of {n_units} units and {n_times} periods"
    return Sandwich(
        covariance=bare * factor,
        df=fewest - 1,
        label="clustered by unit and period",
        convention=f"{convention}, one factor with {which}; t({fewest - 1})",
        note=INDEFINITE if lowest < -1e-10 else "",
    )


def group_sums(columns: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """Sums of the rows of each group, shape (size, k)."""
    return np.column_stack([np.bincount(index, weights=column, minlength=size) for column in columns.T])


def _bartlett(sums: np.ndarray, last: int) -> np.ndarray:
    """Long-run covariance of the periods' sums, shape (T, k), with Bartlett weights 1 - lag / (last + 1)."""
    out = sums.T @ sums
    for lag in range(1, last + 1):
        cross = sums[lag:].T @ sums[:-lag]
        out += (1 - lag / (last + 1)) * (cross + cross.T)
    return out
