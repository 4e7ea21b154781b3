"""The exposure's own factors: what its two-way residual has in common over units, as columns of time."""

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.design.projection import two_way_parts
from bayes_npp.errors import SpecError

STILL = 1e-12  # change of the cells filled in, relative to the table
MOST_ROUNDS = 2000


def exposure_factors(design: Design, count: int = 1) -> np.ndarray:
    """Leading components over time of the exposure's two-way residual on the estimation rows.

    Parameters
    ----------
    design : Design
    count : int

    Returns
    -------
    ndarray, shape (T, count)
        Orthogonal, of mean square one; the first entry of largest size is positive.

    Raises
    ------
    SpecError
        No exposure, a lagged outcome, more factors than the periods carry.

    Notes
    -----
    Right singular vectors of the residual laid out by unit and period. Where rows are missing their cells are filled
    with what effects and components say, until nothing changes: least squares on the cells that there are. A function
    of the exposure alone, so that it is a known column beside the outcome (docs/statistics.md, section 6).
    """
    if design.exposure is None or design.spec.dynamic:
        raise SpecError(
            "exposure_factor needs an exposure and no lagged outcome", fix="Leave exposure_factor out, or dynamic"
        )
    n_units, n_times = len(design.units), len(design.times)
    if count > min(n_units, n_times) - 2:
        raise SpecError(
            f"{count} factor(s) of the exposure are more than {n_units} units and {n_times} periods carry",
            fix="Use fewer, or leave exposure_factor out",
        )
    residual = two_way_parts(design.exposure[:, None], design.unit, design.time).residual[:, 0]
    here = np.zeros((n_units, n_times), dtype=bool)
    here[design.unit, design.time] = True
    table = np.zeros(here.shape)
    table[design.unit, design.time] = residual
    right = components(table, count)
    for _ in range(0 if here.all() else MOST_ROUNDS):
        left = _less_effects(table)
        right = components(left, count)
        filled = np.where(here, table, table - left + left @ right @ right.T)
        change, table = np.abs(filled - table).max(), filled
        if change <= STILL * np.abs(table).max():
            break
    largest = np.abs(right).argmax(axis=0)
    return right * np.sign(right[largest, np.arange(count)]) * np.sqrt(n_times)


def _less_effects(table: np.ndarray) -> np.ndarray:
    """A full table (N, T) less its unit and period effects."""
    return np.asarray(table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean())


def components(table: np.ndarray, count: int) -> np.ndarray:
    """Leading components (T, count) of length one of the rows of a table (N, T)."""
    return np.asarray(np.linalg.eigh(table.T @ table)[1][:, ::-1][:, :count])
