"""Rows on the rectangle of units and periods, and their projection on loadings of units and effects of periods."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design

SINGULAR = 1e-10  # relative to the largest eigenvalue of a Gram matrix with unit diagonal


@dataclass(frozen=True)
class Grid:
    """Where the n rows of a design lie among N units and T periods.

    Attributes
    ----------
    unit, time : ndarray of int, shape (n,)
    here : ndarray, shape (N, T)
        One where a unit has a row in a period, else zero.
    """

    unit: np.ndarray
    time: np.ndarray
    here: np.ndarray

    def laid_out(self, columns: np.ndarray) -> np.ndarray:
        """Columns (n, k) as (N, T, k), zero where there is no row."""
        out = np.zeros((*self.here.shape, columns.shape[1]))
        out[self.unit, self.time] = columns
        return out

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Values (N, T, k) of the rows, shape (n, k)."""
        return values[self.unit, self.time]


def grid_of(design: Design) -> Grid:
    """The rectangle that a design's rows lie on."""
    here = np.zeros((len(design.units), len(design.times)))
    here[design.unit, design.time] = 1.0
    return Grid(design.unit, design.time, here)


@dataclass(frozen=True)
class Projected:
    """Columns less what units and periods absorb.

    Attributes
    ----------
    residual : ndarray, shape (N, T, k)
    loadings : ndarray, shape (N, q, k)
        Coefficients of every unit on the q known columns, of least length where its rows do not tell them apart.
    unit_rank, period_rank : int
        Parameters that units absorb, and that periods absorb beside them.
    """

    residual: np.ndarray
    loadings: np.ndarray
    unit_rank: int
    period_rank: int


def project(values: np.ndarray, here: np.ndarray, known: np.ndarray, slopes: np.ndarray | None) -> Projected:
    """Columns less a coefficient of every unit on known columns of time, and of every period on known ones of units.

    Units are eliminated one by one in closed form, so that the cost is O(N T (q + J) k + N q (J T)^2 + (J T)^3), and
    missing rows are no other case.

    Parameters
    ----------
    values : ndarray, shape (N, T, k)
        Zero where there is no row.
    here : ndarray, shape (N, T)
    known : ndarray, shape (T, q)
        The columns that units have coefficients on: a constant, a factor.
    slopes : ndarray, shape (N, J), optional
        The columns that periods have coefficients on: ones are period effects. None: periods absorb nothing.

    Notes
    -----
    The residual of least squares on all those columns at once (Frisch, Waugh and Lovell).
    """
    basis = here[:, :, None] * known
    gram = np.einsum("itq,itr->iqr", basis, basis)
    inverse, unit_rank = _inverses(gram)
    if slopes is None or not slopes.shape[1]:
        loadings = _loadings(basis, inverse, values)
        return Projected(values - basis @ loadings, loadings, unit_rank, 0)
    n_units, n_times = here.shape
    n_slopes = slopes.shape[1]
    periods = here[:, None, :] * slopes[:, :, None]  # (N, J, T)
    cross = np.einsum("ijt,tq->ijtq", periods, known).reshape(n_units, n_slopes * n_times, -1)
    system = np.zeros((n_slopes, n_times, n_slopes, n_times))
    at = np.arange(n_times)
    system[:, at, :, at] = np.einsum("ijt,ikt->tjk", periods, periods)
    system = system.reshape(n_slopes * n_times, -1) - np.tensordot(cross @ inverse, cross, axes=([0, 2], [0, 2]))
    solver, period_rank = _inverses(system[None])
    rest = values
    for _ in range(2):  # the second round removes what rounding left
        within = rest - basis @ _loadings(basis, inverse, rest)
        sums = np.einsum("ijt,itk->jtk", periods, within).reshape(n_slopes * n_times, -1)
        effects = (solver[0] @ sums).reshape(n_slopes, n_times, -1)
        rest = rest - np.einsum("ijt,jtk->itk", periods, effects)
    loadings = _loadings(basis, inverse, rest)
    return Projected(rest - basis @ loadings, loadings, unit_rank, period_rank)


def _loadings(basis: np.ndarray, inverse: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray(inverse @ (basis.transpose(0, 2, 1) @ values))


def _inverses(grams: np.ndarray) -> tuple[np.ndarray, int]:
    """Generalised inverses of Gram matrices (N, q, q), and the sum of their ranks."""
    diagonal = np.einsum("iqq->iq", grams)
    scale = np.where(diagonal > 0, diagonal, 1.0) ** -0.5
    values, vectors = np.linalg.eigh(grams * scale[:, :, None] * scale[:, None, :])
    kept = values > SINGULAR
    turned = vectors * np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)[:, None, :]
    inverse = turned @ vectors.transpose(0, 2, 1)
    return inverse * scale[:, :, None] * scale[:, None, :], int(kept.sum())
