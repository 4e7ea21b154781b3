"""Outcomes that slopes and effects reproduce: their errors would be rounding."""

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.design.projection import check_residuals, row_rounding, two_way_parts


def check_not_exact(design: Design, source: str) -> None:
    """Raise `DesignError` if slopes and effects reproduce the outcome: its errors are then rounding.

    Effects that are partially pooled can fit whatever fixed ones can. Known standard errors say what the errors are,
    and a design with as many parameters as rows fits always: neither is looked at.
    """
    spec, none = design.spec, np.zeros(design.n_obs, dtype=int)
    unit = none if spec.unit_effects == "none" else design.unit
    time = none if spec.time_effects == "none" else design.time
    time = time if design.group_time is None else design.group_time
    columns = np.column_stack([design.slope_columns, design.controls])
    if design.lag is not None:
        columns = np.column_stack([columns, design.lag])
    n_lines = len(design.units) if spec.unit_slopes and spec.unit_effects != "none" else 0
    if design.se is not None or design.n_obs <= columns.shape[1] + unit.max() + time.max() + 1 + n_lines:
        return
    residual = two_way_parts(np.column_stack([columns, design.outcome]), unit, time).residual
    if n_lines and design.exposure is not None:
        residual = _less_lines(np.column_stack([design.exposure, columns, design.outcome]), design.unit)
    left, target = residual[:, :-1], residual[:, -1]
    length = np.linalg.norm(left, axis=0)
    kept = length > 0
    coefficients = np.zeros(len(length))
    coefficients[kept] = np.linalg.lstsq(left[:, kept] / length[kept], target, rcond=None)[0] / length[kept]
    rounding = row_rounding(design.outcome, columns, coefficients)
    check_residuals(target - left @ coefficients, target, rounding, spec.outcome, source)


def _less_lines(columns: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Columns after the first less a line in the first for every unit: those of a model with slopes of units."""
    counts = np.bincount(unit)
    sums = np.column_stack([np.bincount(unit, weights=column) for column in columns.T])
    centred = columns - (sums / counts[:, None])[unit]
    first, others = centred[:, 0], centred[:, 1:]
    square = np.bincount(unit, weights=first**2)
    cross = np.column_stack([np.bincount(unit, weights=first * column) for column in others.T])
    slopes = np.divide(cross, square[:, None], out=np.zeros_like(cross), where=square[:, None] > 0)
    return others - first[:, None] * slopes[unit]
