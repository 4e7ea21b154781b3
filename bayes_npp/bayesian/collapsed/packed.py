"""What the collapsed density knows of data, layout and priors, and all of it as one array."""

from typing import NamedTuple

import numpy as np


class Products(NamedTuple):
    """Cross-products of the data: all that the density knows of it.

    S error scales (1, or one a unit), M pieces of the error model, R rows (units, or compressed classes of units), q
    effects a unit, P = collapsed columns + kept columns + 1 (the outcome, last).
    """

    total: np.ndarray  # (S, M, P, P); unpacked (S, M, P(P + 1) / 2)
    unit_cross: np.ndarray  # (R, M, q, P): effects' columns with [W, X, y]
    unit_gram: np.ndarray  # (R, M, q, q)
    unit_count: np.ndarray  # (R,) units whose log|A_i| the row carries
    scale_of: np.ndarray  # (R,) error scale of the row
    n_obs: np.ndarray  # (S,)
    n_first: float  # rows that start a unit
    gaps: np.ndarray  # (H,) distinct distances to the row before
    n_gaps: np.ndarray  # (H,)


class Layout(NamedTuple):
    """Which element of theta plays which part; a code of `kernel` (`ABSENT`, `KNOWN_SD`, `FLAT_SD`) where none does."""

    column_scale: np.ndarray  # (p,) element with the SD of the column's coefficient, or KNOWN_SD, FLAT_SD
    column_sd: np.ndarray  # (p,) the known SDs; added in quadrature where there is an element
    kept: np.ndarray  # (k,) elements that are coefficients of kept columns
    effect_scale: np.ndarray  # (q,) element with the SD of a unit effect, or FLAT_SD
    correlation: int  # this and what follows: ABSENT where the model has none
    error_scale: int
    autocorrelation: int
    unit_scales: int  # first of S elements: logs of units' scales if centred, else (log - common log) / spread
    unit_spread: int
    centred: int


class Priors(NamedTuple):
    """Priors of theta, one an element: support, family, parameters, log of the normalising constant.

    `lower` and `upper` bound an interval; of a positive element `upper` is the unit in which it is sampled.
    """

    support: np.ndarray  # (d,)
    family: np.ndarray  # (d,)
    parameters: np.ndarray  # (d, 3)
    lower: np.ndarray
    upper: np.ndarray
    constant: np.ndarray


def pack(products: Products, layout: Layout, priors: Priors) -> np.ndarray:
    """Products, layout and priors as one array, which compiled code takes by its address; `kernel.unpack` reads it.

    Of `total`, which is symmetric, the upper triangle alone is packed, row by row: reading it takes half the time.
    """
    upper = (..., *np.triu_indices(products.total.shape[-1]))
    floats = (
        *(products.total[upper], products.unit_cross, products.unit_gram, products.unit_count),
        *(products.n_obs, products.n_gaps),
        *(layout.column_sd, priors.parameters, priors.lower, priors.upper, priors.constant, [products.n_first]),
    )
    sizes = (*products.unit_cross.shape, len(products.total), len(products.gaps))
    lengths = (*sizes, len(layout.column_scale), len(layout.kept), len(priors.support))
    single = ("correlation", "error_scale", "autocorrelation", "unit_scales", "unit_spread", "centred")
    integers = (
        *(lengths, products.scale_of, products.gaps, layout.column_scale, layout.kept, layout.effect_scale),
        *(priors.support, priors.family, [getattr(layout, name) for name in single]),
    )
    reals = np.concatenate([np.ravel(part) for part in floats]).astype(float)
    whole = np.concatenate([np.ravel(part) for part in integers]).astype(np.int64)
    return np.concatenate([[2.0 + len(reals) + len(whole), len(reals)], reals, whole.view(float)])
