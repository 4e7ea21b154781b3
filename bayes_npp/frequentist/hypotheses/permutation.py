"""Whole units change groups: Fisher's permutation test of the difference of two slopes, plain and studentised."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, prod

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.frequentist.least_squares.absorbed import unit_basis

CHUNK_CELLS = 4_000_000
RANK = 1e-9  # of the periods' eigenvalues, relative to the largest
LEFT = 1e-10  # of a column's sum of squares: what period effects and other columns leave of it is rounding
TIE = 1e-9  # relative: the same units in other order give the same difference but for rounding
FEWEST = 20  # arrangements: with fewer no p-value can reach 0.05


@dataclass(frozen=True)
class UnitMoments:
    """What a regression with unit and period effects needs of every unit, so that any set of units is a sum.

    Attributes
    ----------
    inner : ndarray, shape (N, k, k)
        Cross-products of exposure, controls and outcome (last), less unit effects (and trends).
    cross : ndarray, shape (N, T, k)
        These columns, by period.
    periods : ndarray, shape (N, T, T)
        Cross-products of period dummies less unit effects.
    unit : float
        Columns have length one here; slopes times this are in the data's units.
    """

    inner: np.ndarray
    cross: np.ndarray
    periods: np.ndarray
    unit: float


@dataclass(frozen=True)
class Permutation:
    """Two-sided p-values of equal slopes when whole units change groups.

    Attributes
    ----------
    difference, studentised : float
        First group's slope less the second's; the same over its standard error, the groups' variances added.
    p_plain, p_studentised : float
    folded : float
        The smaller of the two one-sided shares of the plain difference: what Stata's `bdiff` prints.
    arrangements : int
        Looked at; `exact` if they are all there are, each once.
    exact : bool
    strata : int
        Sets of units with the same periods, within which units change groups; 0: units with different periods do too,
        and the test is approximate.
    undefined : int
        Arrangements without a slope in one of the groups, counted as no less extreme.
    """

    difference: float
    studentised: float
    p_plain: float
    p_studentised: float
    folded: float
    arrangements: int
    exact: bool
    strata: int
    undefined: int


def unit_moments(design: Design) -> UnitMoments:
    """Moments of the units of a design with one slope: unit effects and trends removed, period effects not yet."""
    columns = np.column_stack([design.slope_columns, design.controls, design.outcome])
    n_units, n_times, size = len(design.units), len(design.times), columns.shape[1]
    basis = unit_basis(design)
    for vector in basis:
        sums = [np.bincount(design.unit, weights=column * vector, minlength=n_units) for column in columns.T]
        columns = columns - vector[:, None] * np.column_stack(sums)[design.unit]
    length = np.linalg.norm(columns, axis=0)
    columns = columns / length
    inner = np.zeros((n_units, size, size))
    np.add.at(inner, design.unit, columns[:, :, None] * columns[:, None, :])
    cross = np.zeros((n_units, n_times, size))
    np.add.at(cross, (design.unit, design.time), columns)
    periods = np.zeros((n_units, n_times, n_times))
    np.add.at(periods, (design.unit, design.time, design.time), 1.0)
    for vector in basis:
        loading = np.zeros((n_units, n_times))
        np.add.at(loading, (design.unit, design.time), vector)
        periods -= loading[:, :, None] * loading[:, None, :]
    return UnitMoments(inner, cross, periods, float(length[-1] / length[0]))


def subset_slopes(moments: UnitMoments, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the first column, and its variance clustered by unit, of two-way fixed effects on sets of units.

    Parameters
    ----------
    moments : UnitMoments
    members : ndarray of bool, shape (B, N)

    Returns
    -------
    slopes, variances : ndarray, shape (B,)
        NaN where the effects and controls leave nothing of the exposure. The variance has the factor M / (M - 1), M the
        units of the set. Both in units of columns of length one.

    Notes
    -----
    Unit effects drop out unit by unit; period effects take one T x T system a set: with C = sum of `cross`,
    M = sum of `periods`, theta = M^+ C, the products less all effects are sum of `inner` - C'theta, and the score of a
    unit is u'Z_i'Z_i v with Z_i = columns - dummies theta, u the first row of (X'X)^-1, v = (-b, 1).
    """
    n_units, n_times, size = moments.cross.shape
    chosen = members.astype(float)
    inner = (chosen @ moments.inner.reshape(n_units, -1)).reshape(-1, size, size)
    cross = (chosen @ moments.cross.reshape(n_units, -1)).reshape(-1, n_times, size)
    periods = (chosen @ moments.periods.reshape(n_units, -1)).reshape(-1, n_times, n_times)
    values, vectors = np.linalg.eigh(periods)
    kept = values > RANK * values[:, [-1]]
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    theta = np.einsum("bts,bs,brs,brk->btk", vectors, inverse, vectors, cross, optimize=True)
    left = inner - np.einsum("btk,btl->bkl", cross, theta)
    gram, target = left[:, :-1, :-1], left[:, :-1, -1]
    total = np.einsum("bkk->bk", inner)[:, :-1]
    scale = 1 / np.sqrt(np.where(total > 0, total, 1.0))
    scaled = gram * scale[:, :, None] * scale[:, None, :]
    spectrum, axes = np.linalg.eigh(scaled)
    solved = spectrum[:, 0] > LEFT
    weights = np.where(solved[:, None], 1 / np.where(solved[:, None], spectrum, 1.0), np.nan)
    inverted = np.einsum("bkj,bj,blj->bkl", axes, weights, axes) * scale[:, :, None] * scale[:, None, :]
    coefficients = np.einsum("bkl,bl->bk", inverted, target)
    count = chosen.sum(axis=1)
    first = np.column_stack([inverted[:, 0], np.zeros(len(count))])
    residual = np.column_stack([-coefficients, np.ones(len(count))])
    alpha = np.einsum("btk,bk->bt", theta, first)
    beta = np.einsum("btk,bk->bt", theta, residual)

    def outer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)

    scores = outer(first, residual) @ moments.inner.reshape(n_units, -1).T
    flat = moments.cross.reshape(n_units, -1).T
    scores -= outer(beta, first) @ flat + outer(alpha, residual) @ flat
    scores += outer(alpha, beta) @ moments.periods.reshape(n_units, -1).T
    variances = (np.where(members, scores, 0.0) ** 2).sum(axis=1) * count / np.maximum(count - 1, 1)
    return coefficients[:, 0], np.where(count > 1, variances, np.nan)


def permute_units(design: Design, first: np.ndarray, draws: int = 9999, seed: int = 1) -> Permutation:
    """Test equal slopes of two groups by letting whole units change groups; everything else is free in each group.

    Parameters
    ----------
    design : Design
        Of the two groups' rows, with one slope.
    first : ndarray of bool, shape (N,)
        Units of the first group.
    draws, seed : int
        All arrangements are taken where those are no more than `draws`.

    Returns
    -------
    Permutation

    Notes
    -----
    Units change groups within sets of units that have the same periods, which keeps the groups' rows as they are; where
    that leaves fewer than `FEWEST` arrangements, among all units, and the test is approximate. The p-value is
    (1 + number) / (1 + draws) of arrangements no less extreme in size, or the share of all of them. The plain
    difference assumes that units are exchangeable, their error scales included; over its standard error it is valid
    asymptotically where scales differ (Chung & Romano 2013). docs/statistics.md, section 8.2.

    References
    ----------
    Cleary (1999), Journal of Finance 54. Chung & Romano (2013), Annals of Statistics 41. Phipson & Smyth (2010),
    Statistical Applications in Genetics and Molecular Biology 9: the one that is added.
    """
    moments = unit_moments(design)
    strata = _strata(design)
    n_strata = int(strata.max()) + 1
    if _count(first, strata) < FEWEST:
        strata, n_strata = np.zeros_like(strata), 0 if n_strata > 1 else 1
    possible = _count(first, strata)
    exact = possible <= draws
    chunks = _all(first, strata, design) if exact else _drawn(first, strata, draws, seed, design)
    own, own_t = (float(one[0]) for one in _statistics(moments, first[None, :]))
    found = [_statistics(moments, chunk) for chunk in chunks]
    plain, ratio = (np.concatenate([pair[k] for pair in found]) for k in (0, 1))

    def share(extreme: np.ndarray) -> float:
        return float(extreme.mean()) if exact else (1 + float(extreme.sum())) / (1 + len(extreme))

    def size(values: np.ndarray, at: float) -> float:
        return share(~(np.abs(values) < abs(at) * (1 - TIE)))

    slack = abs(own) * TIE
    sides = (share(~(plain < own - slack)), share(~(plain > own + slack)))
    return Permutation(
        difference=own * moments.unit,
        studentised=own_t,
        p_plain=size(plain, own),
        p_studentised=size(ratio, own_t),
        folded=min(sides),
        arrangements=len(plain),
        exact=exact,
        strata=n_strata,
        undefined=int(np.isnan(ratio).sum()),
    )


def _statistics(moments: UnitMoments, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of slopes, and over its standard error, of memberships (B, N)."""
    slope, variance = subset_slopes(moments, first)
    other, other_variance = subset_slopes(moments, ~first)
    gap = slope - other
    return gap, gap / np.sqrt(variance + other_variance)


def _strata(design: Design) -> np.ndarray:
    """Sets of units with the same periods, shape (N,)."""
    present = np.zeros((len(design.units), len(design.times)), dtype=bool)
    present[design.unit, design.time] = True
    return np.unique(present, axis=0, return_inverse=True)[1].ravel()


def _count(first: np.ndarray, strata: np.ndarray) -> int:
    """Number of ways to deal the units to two groups of these sizes in every stratum."""
    return prod(comb(int((strata == s).sum()), int(first[strata == s].sum())) for s in range(int(strata.max()) + 1))


def _step(first: np.ndarray, design: Design) -> int:
    """Arrangements that are looked at together."""
    return max(1, CHUNK_CELLS // (max(len(first), len(design.times)) * len(design.times)))


def _all(first: np.ndarray, strata: np.ndarray, design: Design) -> Iterator[np.ndarray]:
    members = [np.flatnonzero(strata == s) for s in range(int(strata.max()) + 1)]
    deals = itertools.product(*(itertools.combinations(own, int(first[own].sum())) for own in members))
    for some in itertools.batched(deals, _step(first, design), strict=False):
        out = np.zeros((len(some), len(first)), dtype=bool)
        for row, deal in zip(out, some, strict=True):
            row[[unit for part in deal for unit in part]] = True
        yield out


def _drawn(first: np.ndarray, strata: np.ndarray, draws: int, seed: int, design: Design) -> Iterator[np.ndarray]:
    random, step = np.random.default_rng(seed), _step(first, design)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        out = np.empty((rows, len(first)), dtype=bool)
        for s in range(int(strata.max()) + 1):
            own = np.flatnonzero(strata == s)
            out[:, own] = random.permuted(np.tile(first[own], (rows, 1)), axis=1)
        yield out
