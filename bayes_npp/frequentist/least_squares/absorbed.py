"""What fixed effects absorb beyond units and periods: units' trends and loadings, period effects of groups. Exact."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design, slope_names, twfe_weights
from bayes_npp.design.factors import exposure_factors
from bayes_npp.design.projection import check_identified, two_way_parts
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError

LOST = 1e-9  # of a column's length in a unit: what is left of it is rounding
SINGULAR = 1e-10  # relative to the largest eigenvalue of a Gram matrix with unit diagonal


@dataclass(frozen=True)
class Absorbed:
    """Columns less all effects, shape (n, k), and the parameters those effects have beside the constant.

    `n_units` counts unit dummies and loadings, which lie within units, `n_others` the rank that period dummies, unit
    trends and group-by-period dummies add.
    """

    residual: np.ndarray
    n_units: int
    n_others: int


def absorbs_more(spec: Spec) -> bool:
    """Whether least squares absorbs more than unit and period effects."""
    return bool(spec.unit_trends) or spec.group_time_effects is not None or spec.exposure_factor != "none"


def absorb(columns: np.ndarray, design: Design, effects: str) -> Absorbed:
    """Columns less unit effects, trends and loadings on the exposure's factor, and period effects (or each group's).

    Units, with their trends and loadings, are eliminated in closed form, so that the cost is O(n k + N J^2 + J^3) for
    N units and J periods or cells; unbalanced panels included. A trend is linear in the period's own number, so that a
    gap counts.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        With analytic weights times their roots (`Design.weighted`), as dummies and trends are here.
    design : Design
    effects : {"none", "unit", "time", "two-way"}
        Trends and loadings need unit effects, group-by-period effects need period effects.

    Raises
    ------
    SpecError
        Trends or loadings without unit effects, group-by-period effects without period effects; loadings on the
        exposure's own factor with analytic weights.

    Notes
    -----
    The residual of a least-squares projection on all dummies and trends (docs/statistics.md, sections 1.2 and 1.9).

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1. Lovell (1963), Journal of the American Statistical Association 58.
    """
    spec, n_units, n_times = design.spec, len(design.units), len(design.times)
    by_unit, by_time = effects in ("unit", "two-way"), effects in ("time", "two-way")
    if spec.unit_trends and not by_unit:
        raise SpecError("unit_trends without unit effects", fix="Use two-way or unit fixed effects, or leave them out")
    if spec.exposure_factor != "none" and not by_unit:
        raise SpecError(
            "exposure_factor without unit effects", fix="Use two-way or unit fixed effects, or leave it out"
        )
    if spec.group_time_effects and not by_time:
        raise SpecError(
            "group_time_effects without period effects", fix="Use two-way or time fixed effects, or leave them out"
        )
    if spec.exposure_factor != "none" and design.weights is not None:
        raise SpecError(
            "analytic_weights beside exposure_factor", fix="The exposure's own factor has no weights: leave one out"
        )
    n_units_absorbed = n_units - 1 if by_unit else 0
    if not absorbs_more(spec) and design.weights is None:
        one = np.zeros_like(design.unit)
        parts = two_way_parts(columns, design.unit if by_unit else one, design.time if by_time else one)
        return Absorbed(parts.residual, n_units_absorbed, n_times - 1 if by_time else 0)
    if effects == "none":  # weighted
        root = design.weighted(np.ones((design.n_obs, 1)))
        return Absorbed(columns - root * (root.T @ columns) / (root.T @ root), 0, 0)
    basis = unit_basis(design) if by_unit else []
    n_trends, n_loadings = 0, 0
    for number, vector in enumerate(basis[1:]):
        found = int((np.bincount(design.unit, weights=vector**2) > 0.5).sum())
        n_trends, n_loadings = (found, 0) if spec.unit_trends and number == 0 else (n_trends, n_loadings + found)
    cell = (design.time if design.group_time is None else design.group_time) if by_time else None
    residual, n_cells = columns, 0
    root = design.weighted(np.ones(design.n_obs))
    for _ in range(2):  # the second round removes what rounding left
        residual, n_cells = _project(residual, basis, design.unit, n_units, cell, root)
    n_others = n_trends + n_cells - (0 if by_unit else 1)
    return Absorbed(residual, n_units_absorbed + n_loadings, n_others)


def check_absorbed(design: Design, effects: str, source: str) -> None:
    """Raise `DesignError` if the effects absorb a column with a slope, or leave no degrees of freedom."""
    columns = design.weighted(np.column_stack([design.slope_columns, design.controls]))
    absorbed = absorb(columns, design, effects)
    check_identified(columns, absorbed.residual, (*slope_names(design), *design.spec.controls), source)
    check_degrees(design.n_obs, columns.shape[1] + 1 + absorbed.n_units + absorbed.n_others, source)


def check_degrees(n_obs: int, n_parameters: int, source: str) -> None:
    """Raise `DesignError` if there are not more rows than parameters."""
    if n_obs <= n_parameters:
        raise DesignError(
            f"{n_obs} rows for {n_parameters} parameters leave no degrees of freedom",
            place=source,
            fix="Widen the sample or drop regressors",
        )


def slope_weights(design: Design) -> np.ndarray:
    """Weights with which the regression averages slopes of groups, shape (G,).

    Notes
    -----
    w_g = r'(x 1[g]) / r'x, r the residual of the exposure on controls and all effects; they sum to one and can be
    negative. Derivation: docs/statistics.md, section 1.3.
    """
    if not absorbs_more(design.spec) and design.weights is None:
        return twfe_weights(design)
    slopes = design.weighted(design.slope_columns)
    columns = np.column_stack([slopes.sum(axis=1), design.weighted(design.controls)])
    residual = absorb(columns, design, "two-way").residual
    exposure, controls = residual[:, 0], residual[:, 1:]
    if controls.shape[1]:
        exposure = exposure - controls @ np.linalg.lstsq(controls, exposure, rcond=None)[0]
    return exposure @ slopes / (exposure @ columns[:, 0])


def unit_basis(design: Design) -> list[np.ndarray]:
    """Orthonormal columns of every unit, stored as one vector (n,) each: constant, trend, factors of the exposure.

    Where the columns before it leave a unit nothing of one, it is zero there.
    """
    spec, unit, weights = design.spec, design.unit, design.weights
    root, sums = design.weighted(np.ones(design.n_obs)), np.bincount(design.unit, weights=weights)
    basis = [root * sums[unit] ** -0.5]
    added = [np.array(design.times, dtype=float)[design.time]] if spec.unit_trends else []
    if spec.exposure_factor != "none":
        added += list(exposure_factors(design, spec.exposure_factors).T[:, design.time])
    for column in added:
        means = np.bincount(unit, weights=column if weights is None else column * weights) / sums
        centred = root * (column - means[unit])
        before = np.sqrt(np.bincount(unit, weights=centred**2))[unit]
        for _ in range(2):  # the second round removes what rounding left
            for vector in basis:
                centred = centred - vector * np.bincount(unit, weights=vector * centred)[unit]
        size = np.sqrt(np.bincount(unit, weights=centred**2))[unit]
        basis.append(np.divide(centred, size, out=np.zeros_like(centred), where=size > LOST * before))
    return basis


def _project(
    columns: np.ndarray,
    basis: list[np.ndarray],
    unit: np.ndarray,
    n_units: int,
    cell: np.ndarray | None,
    root: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Columns less the span of the units' basis and the cells' dummies, `root` (n,) there, and the rank these add."""
    residual = _less_units(columns, basis, unit, n_units)
    if cell is None:
        return residual, 0
    n_cells = int(cell.max()) + 1
    counts = np.bincount(cell, weights=root**2, minlength=n_cells)
    gram = np.diag(counts)
    loadings = []
    for vector in basis:
        loading = np.zeros((n_units, n_cells))
        np.add.at(loading, (unit, cell), vector * root)
        gram -= loading.T @ loading
        loadings.append(loading)
    # Dummies of all cells hold the constant, and what trends share with them: that overlap is known, not a fault of the
    # data, and the projection is the same whichever of the dummies is left out.
    scale = counts**-0.5
    values, vectors = np.linalg.eigh(gram * np.outer(scale, scale))
    kept = values > SINGULAR
    sums = np.column_stack([np.bincount(cell, weights=column * root, minlength=n_cells) for column in residual.T])
    inverse = vectors[:, kept] / values[kept] @ vectors[:, kept].T
    coefficients = scale[:, None] * (inverse @ (scale[:, None] * sums))
    residual = residual - root[:, None] * coefficients[cell]
    for vector, loading in zip(basis, loadings, strict=True):
        residual += vector[:, None] * (loading @ coefficients)[unit]
    return residual, int(kept.sum())


def _less_units(columns: np.ndarray, basis: list[np.ndarray], unit: np.ndarray, n_units: int) -> np.ndarray:
    for vector in basis:
        sums = [np.bincount(unit, weights=column * vector, minlength=n_units) for column in columns.T]
        columns = columns - vector[:, None] * np.column_stack(sums)[unit]
    return columns
