"""Who decides a slope: each unit's share in what the slope is estimated from, and the slope without it."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from bayes_npp.design.design import Design
from bayes_npp.frequentist.least_squares.clusters import group_sums
from bayes_npp.frequentist.least_squares.within import within_fit

COLUMNS = ("unit", "share", "slope_without", "change")
LEFT = 1e-10  # of a column's sum of squares: less of the exposure than this is nothing


def unit_influence(design: Design, source: str = "") -> pd.DataFrame:
    """Share of every unit in two-way fixed effects with one slope, and the slope without the unit.

    Parameters
    ----------
    design : Design
        Of a specification with one slope, without unit trends and period effects of groups.
    source : str
        Of the panel, for messages.

    Returns
    -------
    DataFrame
        A row a unit, the largest share first: unit; share, of the sum of squares of the exposure less controls and
        effects; slope_without, the slope on the other units, period effects and controls estimated anew; change, it
        less the slope on all units (in units of outcome over exposure). NaN where the others do not identify it.

    Raises
    ------
    SpecError, DesignError
        As `within_fit`.

    Notes
    -----
    Unit effects of the others do not depend on the unit left out, so that on columns less their unit means the normal
    equations without a unit are those of all units less its own: exact, no refit. See docs/statistics.md, section 1.9.

    References
    ----------
    Belsley, Kuh & Welsch (1980), Regression Diagnostics, Wiley, for DFBETA.
    """
    fit = within_fit(design, "two-way", source)
    exposure, controls = fit.columns[:, 0], fit.columns[:, 1:]
    if controls.shape[1]:
        exposure = exposure - controls @ np.linalg.lstsq(controls, exposure, rcond=None)[0]
    own = np.bincount(design.unit, weights=exposure**2)
    products = _unit_products(design)
    whole = products.sum(axis=0)
    without = np.array([_slope(whole - one) for one in products])
    frame = pd.DataFrame(
        {
            "unit": list(design.units),
            "share": own / own.sum(),
            "slope_without": without,
            "change": without - float(fit.coefficients[0]),
        }
    )
    return frame.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def slope_without(design: Design, units: Collection[str]) -> float:
    """The slope of two-way fixed effects without some units, as in `unit_influence`."""
    products = _unit_products(design)
    kept = [number for number, label in enumerate(design.units) if label not in units]
    return _slope(products[kept].sum(axis=0))


def _unit_products(design: Design) -> np.ndarray:
    """Cross-products (N, k, k) of exposure, controls, period dummies and, last, outcome, less their unit means."""
    counts = np.bincount(design.unit)
    dummies = (design.time[:, None] == np.arange(1, len(design.times))).astype(float)
    columns = np.column_stack([design.slope_columns, design.controls, dummies, design.outcome])
    columns = columns - (group_sums(columns, design.unit, len(counts)) / counts[:, None])[design.unit]
    length = np.linalg.norm(columns, axis=0)
    length[[0, -1]] = 1.0  # the slope is in the data's units
    columns = columns / np.where(length > 0, length, 1.0)
    return np.array([columns[design.unit == unit].T @ columns[design.unit == unit] for unit in range(len(counts))])


def _slope(products: np.ndarray) -> float:
    """Coefficient of the first column; NaN where the others leave nothing of it."""
    inside = products[1:-1, 1:-1]
    projected = np.linalg.pinv(inside, rcond=LEFT, hermitian=True) @ products[1:-1, [0, -1]]
    left = products[[0]][:, [0, -1]] - products[[0], 1:-1] @ projected
    return float(left[0, 1] / left[0, 0]) if left[0, 0] > LEFT * products[0, 0] else np.nan
