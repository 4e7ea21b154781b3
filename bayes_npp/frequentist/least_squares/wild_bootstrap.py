"""Wild cluster bootstrap-t with the null imposed: p-values and intervals when units are few."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.frequentist.least_squares.absorbed import absorb
from bayes_npp.frequentist.least_squares.clusters import Clusters, unit_level
from bayes_npp.frequentist.least_squares.covariance import NOT_POSITIVE
from bayes_npp.frequentist.least_squares.within import WithinFit

VALUES = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.concatenate([-np.sqrt([1.5, 1.0, 0.5]), np.sqrt([0.5, 1.0, 1.5])]),
}
FEWEST_DRAWS = 99
CHUNK_CELLS = 4_000_000
RANK = 1e-8  # of the dummies' singular values, relative to the largest
TIE = 1e-9  # relative: all signs equal give the sample's own statistic but for rounding
STEP, GROWTH, FARTHEST = 0.1, 1.05, 1e5  # of the search for the ends of an interval, in standard errors


@dataclass(frozen=True)
class WildRow:
    """Two-sided p-value of "the combination is zero", its interval, and what limits them."""

    p_value: float
    lo: float
    hi: float
    note: str = ""


@dataclass(frozen=True)
class Replications:
    """Bootstrap statistics of one combination as functions of the distance d = estimate less value under the null.

    t*(d)^2 = (n_0 + n_1 d)^2 / (s_0 + 2 s_1 d + s_2 d^2), the sample's own is d^2 / `own`; small-sample factors cancel.

    Attributes
    ----------
    numerator : ndarray, shape (B, 2)
    denominator : ndarray, shape (B, 3)
    own : float
        The combination's clustered variance without factor.
    rounding : float
        What rounding alone may leave of it.
    enumerated : bool
        Whether the draws are all sign vectors (one of every pair of opposites, which have the same square).
    """

    numerator: np.ndarray
    denominator: np.ndarray
    own: float
    rounding: float
    enumerated: bool

    def p_value(self, distance: float) -> float:
        """Share of draws at least as extreme as the sample, which counts as a draw of its own unless enumerated."""
        top = (self.numerator @ [1.0, distance]) ** 2 * self.own
        below = np.clip(self.denominator @ [1.0, 2 * distance, distance**2], 0.0, None) * distance**2
        count = int((top >= below * (1 - TIE)).sum())
        return count / len(top) if self.enumerated else (1 + count) / (1 + len(top))


def check_wild(weights: str, draws: int, seed: int) -> None:
    """Raise `SpecError` for options the bootstrap does not have."""
    if weights not in VALUES:
        raise SpecError(f"unknown weights '{weights}'", fix=nearest(weights, VALUES))
    if draws < FEWEST_DRAWS or seed < 0:
        raise SpecError(
            f"draws = {draws}, seed = {seed}", fix=f"Use at least {FEWEST_DRAWS} draws and a seed that is not negative"
        )


def all_signs(n_clusters: int, weights: str, draws: int) -> bool:
    """Whether all 2^G sign vectors are taken instead of draws: when they are fewer."""
    return weights == "rademacher" and 2**n_clusters < draws


def wild_weights(n_clusters: int, weights: str, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Weights of the clusters, chunks of shape (b, G); of all sign vectors those whose first sign is plus."""
    if all_signs(n_clusters, weights, draws):
        bits = np.arange(2 ** (n_clusters - 1))[:, None] >> np.arange(n_clusters - 1)
        yield np.column_stack([np.ones(len(bits)), 1.0 - 2.0 * (bits & 1)])
        return
    random, values = np.random.default_rng(seed), VALUES[weights]
    step = max(1, CHUNK_CELLS // n_clusters)
    for start in range(0, draws, step):
        yield values[random.integers(len(values), size=(min(step, draws - start), n_clusters))]


def wild_bootstrap(
    design: Design,
    effects: str,
    fit: WithinFit,
    combinations: np.ndarray,
    *,
    weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
) -> list[WildRow]:
    """Test every combination of the coefficients by the restricted wild cluster bootstrap (WCR).

    Clusters are units, or what they are nested in where the design says so (`clusters.clustered_by`).

    Under the null c'b = r the restricted residuals are e + h d / h'h, h = influence c and d = estimate - r; a draw
    multiplies those of a cluster by one weight. All that the refitted regression needs of a draw are sums over
    clusters, so nothing is refitted, and as they are linear in d the whole curve of p-values costs one pass over the
    draws. Effects of units are nested in clusters and drop out of a draw; those of periods (or of group-by-period
    cells) do not.

    The p-value is the share of draws with |t*| >= |t|, the sample counted as one more draw; or of all 2^G sign vectors
    where those are fewer than `draws`. The interval holds the values next to the estimate that the same test does
    not reject at 1 - level.

    Parameters
    ----------
    design : Design
    effects : str
        As in `within_fit`.
    fit : WithinFit
    combinations : ndarray, shape (R, k)
    weights : {"rademacher", "webb"}
    draws, seed : int
    level : float

    Returns
    -------
    list of WildRow, length R

    Notes
    -----
    t*(d)^2 = (n_0 + n_1 d)^2 / (s_0 + 2 s_1 d + s_2 d^2) of every draw (`Replications`); docs/statistics.md, section
    1.9. Rademacher weights are -1 and 1; Webb's six points serve where 2^G is small.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90. Roodman, MacKinnon, Nielsen & Webb (2019),
    Stata Journal 19. Webb (2023), Canadian Journal of Economics 56.
    """
    clusters = unit_level(design)
    every = _replications(design, effects, fit, combinations, weights, draws, seed)
    estimates = combinations @ fit.coefficients
    return [_row(own, float(at), clusters, level) for own, at in zip(every, estimates, strict=True)]


def wild_p_value(
    design: Design, effects: str, fit: WithinFit, combination: np.ndarray, draws: int = 9999, seed: int = 1
) -> float:
    """The p-value of one combination (k,) alone, with Rademacher weights; see `wild_bootstrap`."""
    (own,) = _replications(design, effects, fit, combination[None, :], "rademacher", draws, seed)
    if not own.own > own.rounding:
        return np.nan
    estimate = float(combination @ fit.coefficients)
    return own.p_value(estimate) if estimate else 1.0


def drawn_signs(n_clusters: int, of: str = "", draws: int = 9999, seed: int = 1) -> str:
    """How `wild_p_value` draws, in words; `of` names the clusters where they are not units."""
    if all_signs(n_clusters, "rademacher", draws):
        named = f" of {n_clusters} {of}" if of else ""
        return f"all {2**n_clusters} sign vectors{named}, smallest possible {2.0 ** (1 - n_clusters):.3g}"
    return f"{draws} draws, seed {seed}"


def _replications(
    design: Design, effects: str, fit: WithinFit, combinations: np.ndarray, weights: str, draws: int, seed: int
) -> list[Replications]:
    basis = _basis(design, effects, fit)
    clusters = unit_level(design)
    enumerated = all_signs(clusters.size, weights, draws)
    residual_sums = clusters.sums(basis * fit.residuals[:, None])
    pieces = [_pieces(clusters, basis, fit, combination) for combination in combinations]
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in pieces]
    for chunk in wild_weights(clusters.size, weights, draws, seed):
        fitted = chunk @ residual_sums
        for piece, own in zip(pieces, parts, strict=True):
            own.append(_polynomials(chunk, fitted, piece))
    out = []
    for piece, own in zip(pieces, parts, strict=True):
        numerator = np.concatenate([part[0] for part in own])
        denominator = np.concatenate([part[1] for part in own])
        own_variance, rounding = float(piece.scores @ piece.scores), piece.length * fit.noise**2
        out.append(Replications(numerator, denominator, own_variance, rounding, enumerated))
    return out


@dataclass(frozen=True)
class _Pieces:
    """Sums over every cluster, for one combination with h = influence c: h e, h^2 / h'h (G,) and basis h (G, r)."""

    scores: np.ndarray
    shares: np.ndarray
    loadings: np.ndarray
    length: float


def _pieces(clusters: Clusters, basis: np.ndarray, fit: WithinFit, combination: np.ndarray) -> _Pieces:
    h = fit.influence @ combination
    length = float(h @ h)
    sums = clusters.sums(np.column_stack([h * fit.residuals, h**2 / length]))
    return _Pieces(sums[:, 0], sums[:, 1], clusters.sums(basis * h[:, None]), length)


def _polynomials(chunk: np.ndarray, fitted: np.ndarray, piece: _Pieces) -> tuple[np.ndarray, np.ndarray]:
    """Numerator (b, 2) and denominator (b, 3) of t* of the draws of a chunk, see `Replications`."""
    fixed = chunk * piece.scores - fitted @ piece.loadings.T
    moving = chunk * piece.shares - (chunk @ piece.loadings) @ (piece.loadings.T / piece.length)
    numerator = np.column_stack([chunk @ piece.scores, chunk @ piece.shares])
    pairs = ((fixed, fixed), (fixed, moving), (moving, moving))
    return numerator, np.column_stack([np.einsum("bg,bg->b", one, other) for one, other in pairs])


def _basis(design: Design, effects: str, fit: WithinFit) -> np.ndarray:
    """Orthonormal basis, shape (n, r), of the regressors and of the period dummies less unit effects."""
    columns = np.linalg.qr(fit.influence / np.linalg.norm(fit.influence, axis=0))[0]
    if effects not in ("time", "two-way"):
        return columns
    cell = design.time if design.group_time is None else design.group_time
    dummies = design.weighted((cell[:, None] == np.arange(int(cell.max()) + 1)).astype(float))
    if effects == "two-way":
        spec = Spec(**{**design.spec.model_dump(), "group_time_effects": None})
        dummies = absorb(dummies, replace(design, spec=spec, group_time=None), "unit").residual
    left, singular, _ = np.linalg.svd(dummies, full_matrices=False)
    return np.column_stack([columns, left[:, singular > RANK * singular.max()]])


def _row(replications: Replications, estimate: float, clusters: Clusters, level: float) -> WildRow:
    if not replications.own > replications.rounding:
        return WildRow(np.nan, np.nan, np.nan, NOT_POSITIVE)
    lo = estimate - _end(replications, 1, level)
    hi = estimate + _end(replications, -1, level)
    notes = []
    smallest = 2.0 ** (1 - clusters.size)
    if replications.enumerated and smallest > 1 - level:
        notes.append(f"with {clusters.size} {clusters.name} the smallest possible p-value is {smallest:.3g}")
    if not np.isfinite([lo, hi]).all():
        notes.append("the bootstrap test rejects no value on one side or both: the interval has no end there")
    p_value = replications.p_value(estimate) if estimate else 1.0
    return WildRow(p_value, lo, hi, "; ".join(notes))


def _end(replications: Replications, side: int, level: float) -> float:
    """Distance from the estimate where the test first rejects, below (side 1) or above it (-1); infinity if never."""
    error = float(np.sqrt(replications.own))

    def rejected(distance: float) -> bool:
        return replications.p_value(side * distance) <= 1 - level + 1e-12

    inside, outside = 0.0, STEP * error
    while not rejected(outside):
        if outside > FARTHEST * error:
            return np.inf
        inside, outside = outside, max(outside + STEP * error, outside * GROWTH)
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
    return outside
