"""Small-sample conventions: one sandwich, four named factors (and the reference distribution that goes with each)."""

from dataclasses import dataclass

from bayes_npp.errors import SpecError, nearest

CONVENTIONS = {
    "stata": "Stata (xtreg, xtscc): G/(G-1) (n-1)/(n-K), K = slopes, constant, period dummies (unit trends and "
    "group-by-period dummies too); absorbed units left out",
    "hc0": "no small-sample factor (plm HC0)",
    "sss": "plm sss: G/(G-1) (n-1)/(n-k), k = slopes only",
    "lsdv": "all dummies counted: G/(G-1) (n-1)/(n-K), K = slopes, unit and period dummies and constant",
}


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


def small_sample_factor(convention: str, counts: Counts, n_clusters: int) -> float:
    """Factor on the HC0 sandwich variance; `n_clusters` is G for clustered and T for Driscoll-Kraay errors."""
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
    """Default number of Bartlett lags, floor(4 (T / 100)^(2/9)) (Newey & West 1994)."""
    return int(4 * (n_periods / 100) ** (2 / 9))
