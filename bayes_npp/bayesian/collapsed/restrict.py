"""The same model on some of its rows: columns, bases and scales stay what they were on all of them.

Everything but the outcome is a function of regressors and labels alone, so a density of held-out rows given the
others is a ratio of two collapsed likelihoods, p(y | theta) / p(y_rest | theta): coefficients are integrated exactly,
those of units and periods without rows too. (Mean and SD that standardise the outcome stay as well: they scale priors.)
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.model.terms import ModelData

UNIDENTIFIED = 1e-8


def restrict(data: ModelData, rows: np.ndarray) -> ModelData:
    """The model's data on some rows, for `collapse`; units without rows left are dropped.

    Columns, bases, centring and the positions of `Effect.index` stay those of all rows, so coefficients keep their
    meaning; `design.unit` counts the units that are left.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the rows to keep.
    """
    rows, design = np.sort(rows), data.design
    kept, unit = np.unique(design.unit[rows], return_inverse=True)

    def pick(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[rows]

    smaller = replace(
        design,
        outcome=design.outcome[rows],
        exposure=pick(design.exposure),
        controls=design.controls[rows],
        unit=unit,
        time=design.time[rows],
        group=pick(design.group),
        group_time=pick(design.group_time),
        se=pick(design.se),
        units=tuple(design.units[i] for i in kept),
        lag=pick(design.lag),
        initial=None if design.initial is None else design.initial[kept],
    )
    return replace(
        data,
        design=smaller,
        outcome=data.outcome[rows],
        slope_columns=data.slope_columns[rows],
        control_columns=data.control_columns[rows],
        varying_columns=data.varying_columns[:, rows],
        unit_slope_columns=data.unit_slope_columns[rows],
        unit=replace(data.unit, index=data.unit.index[rows]),
        time=replace(data.time, index=data.time.index[rows]),
        se=pick(data.se),
        lag=pick(data.lag),
    )


def carry(thetas: np.ndarray, source: Collapsed, target: Collapsed, random: np.random.Generator) -> np.ndarray:
    """Draws of theta of one set of rows as draws for another: they differ in the scales of units, if at all.

    Scales of units that `source` does not have are drawn from their prior given theta.
    """
    first = source.layout.unit_scales
    if first == kernel.ABSENT:
        return thetas
    out = np.empty((len(thetas), target.size))
    out[:, :first] = thetas[:, :first]
    position = {label: i for i, label in enumerate(source.data.design.units)}
    common = source.constrained(thetas)
    for i, label in enumerate(target.data.design.units):
        if label in position:
            out[:, first + i] = thetas[:, first + position[label]]
        else:
            z = random.standard_normal(len(thetas))
            moved = np.log(common["error_sd"]) + common["unit_scale_sd"] * z
            out[:, first + i] = moved if source.layout.centred else z
    return out


def unidentified(collapsed: Collapsed, blocks: Iterable[np.ndarray]) -> list[int]:
    """Which blocks of rows alone identify a coefficient with a flat prior, so that the others do not predict them.

    A block does where its part of the hat matrix of the flat columns has an eigenvalue of one.
    """
    unit = collapsed.data.design.unit
    dense = np.column_stack([term.rows(slice(None)) for term in collapsed.columns])
    flat = dense[:, collapsed.layout.column_scale == kernel.FLAT_SD]
    counts = np.bincount(unit)
    fixed = collapsed.data.unit.kind == "fixed"
    if not fixed and not flat.shape[1]:
        return []
    if fixed:  # the hat matrix is that of the units' dummies plus that of what is left of the others
        means = np.column_stack([np.bincount(unit, weights=column) for column in flat.T] or [counts]) / counts[:, None]
        flat = flat - means[unit][:, : flat.shape[1]]
    left, singular, _ = np.linalg.svd(flat, full_matrices=False)
    basis = left[:, singular > UNIDENTIFIED * singular.max(initial=1.0)]
    out = []
    for k, rows in enumerate(blocks):
        part = basis[rows]
        if fixed:
            own = np.unique(unit[rows])
            part = np.column_stack([part, (unit[rows][:, None] == own) / np.sqrt(counts[own])])
        if np.linalg.norm(part, 2) ** 2 > 1 - UNIDENTIFIED:
            out.append(k)
    return out
