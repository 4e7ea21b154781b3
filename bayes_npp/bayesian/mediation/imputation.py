"""Missing cells of mediators as unknowns: what they add to each equation, and their normal distribution given the rest.

Write u for the missing cells of one mediator, in units of its SD. Where it is a regressor they enter linearly, through
its two-way residual and through its unit and period parts: mean = rest + H u. Where it is explained, the row itself is
unknown: outcome = known + E u. Given the scales and what multiplies u, all other coefficients w ~ N(mu, D) integrate
out: with rows whitened by their errors an equation adds H'H - H'Z (1/D + Z'Z)^-1 Z'H to the precision of u (H = -E in
its own). Nothing is approximated, flat priors (1/D = 0) included.

The parts act on a basis that is orthonormal where the sampler starts and then held: A of `Entering`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from bayes_npp.bayesian.model.likelihood import innovations_of
from bayes_npp.bayesian.model.terms import Effect, ModelData, Term, model_data
from bayes_npp.design.design import Design
from bayes_npp.design.projection import RANK_TOLERANCE, part_basis, two_way_parts

PARTS = {"unit": "mediator_unit_between", "time": "mediator_time_between"}


@dataclass(frozen=True)
class Entering:
    """Missing cells of one mediator as part of a regressor of one equation with n rows.

    Attributes
    ----------
    mediator : str
    control : int
        Position among the controls.
    varying : int, optional
        Position among the varying ones; None without slopes by group.
    column : ndarray of int, shape (c,)
        Which of the mediator's q columns (one a group where its slope varies) each cell is in.
    residual : ndarray, shape (n, c)
        What one unit of each cell adds to its column as it enters.
    known : ndarray, shape (n, q)
        The columns as they enter with every missing cell zero.
    parts : dict of (ndarray, ndarray, slice)
        By "unit" and "time": parts of the cells (J, c) and of the columns without them (J, q), less what the fixed
        columns' parts span; which rows of A are this mediator's. Empty without parts.
    """

    mediator: str
    control: int
    varying: int | None
    column: np.ndarray
    residual: np.ndarray
    known: np.ndarray
    parts: dict[str, tuple[np.ndarray, np.ndarray, slice]]

    def spread(self, cells: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Columns (., q) that cells (c,) add, from what one unit of each adds (., c)."""
        out = np.zeros((len(values), self.known.shape[1]))
        for q in range(out.shape[1]):
            own = self.column == q
            out[:, q] = values[:, own] @ cells[own]
        return out


@dataclass(frozen=True)
class Equation:
    """One equation with missing cells.

    Attributes
    ----------
    data : ModelData
        With every cell at its starting value; between parts of columns without missing cells only.
    own : ndarray of int, shape (c,)
        Rows whose outcome is missing; empty where it is complete.
    entering : tuple of Entering
    bases : dict of ndarray, shape (columns, r)
        A by "unit" and "time": coordinates of the parts of mediators on the basis held, of length sqrt(J).
    """

    data: ModelData
    own: np.ndarray
    entering: tuple[Entering, ...]
    bases: dict[str, np.ndarray]

    def completed(self, cells: dict[str, np.ndarray]) -> tuple[ModelData, tuple[Term, ...]]:
        """Arrays of the equation with given cells (by mediator, in its SDs), and the terms of mediators' parts."""
        data, spec = self.data, self.data.design.spec
        outcome = data.outcome
        if len(self.own):
            scales = data.design.scales
            outcome = outcome.copy()
            outcome[self.own] = cells[spec.outcome] - scales.outcome_mean / scales.outcome_sd
        controls, varying = data.control_columns, data.varying_columns
        if self.entering:
            controls, varying = controls.copy(), varying.copy()
        sums: dict[str, list[np.ndarray]] = {side: [] for side in self.bases}
        for one in self.entering:
            columns = one.known + one.spread(cells[one.mediator], one.residual)
            controls[:, one.control] = columns.sum(axis=1)
            if one.varying is not None:
                varying[one.varying] = columns
            for side, (of_cells, known, _) in one.parts.items():
                sums[side].append(known + one.spread(cells[one.mediator], of_cells))
        more = tuple(
            Term(PARTS[side], np.column_stack(sums[side]) @ basis, data.effects[side].index, slot="between")
            for side, basis in self.bases.items()
        )
        return replace(data, outcome=outcome, control_columns=controls, varying_columns=varying), more

    def loadings(self, one: Entering, coefficients: dict[str, np.ndarray]) -> np.ndarray:
        """H: what one unit of each cell adds to the equation's mean, shape (n, c), given its coefficients."""
        slopes = np.full(one.known.shape[1], coefficients["control_slope"][one.control])
        if one.varying is not None:
            slopes = slopes + coefficients["control_offset"][one.varying]
        out = one.residual * slopes[one.column]
        for side, (of_cells, _, rows) in one.parts.items():
            weights = (self.bases[side] @ coefficients[PARTS[side]])[rows]
            out += of_cells[self.data.effects[side].index] * weights[one.column]
        return out


def build_equation(design: Design, missing: dict[str, np.ndarray]) -> Equation:
    """An equation from its design and the rows (n,) of bool in which each mediator is missing.

    The design holds starting values in the missing cells.
    """
    data, spec = model_data(design), design.spec
    names = [name for name in spec.controls if name in missing and missing[name].any()]
    own = np.flatnonzero(missing.get(spec.outcome, np.empty(0, dtype=bool)))
    if not names:
        return Equation(data, own, (), {})
    member = np.ones((design.n_obs, 1))
    if design.group is not None:
        member = (design.group[:, None] == np.arange(len(design.groups))).astype(float)
    bases = _fixed_bases(design, data, names, member)
    reduced = {side: replace(data.effects[side], leading=leading) for side, leading in bases.items()}
    data = replace(data, unit=reduced.get("unit", data.unit), time=reduced.get("time", data.time))
    entering, at = [], 0
    starting: dict[str, list[np.ndarray]] = {side: [] for side in bases}
    for name in names:
        rows = np.flatnonzero(missing[name])
        by_group = name in spec.varying
        group = design.group[rows] if by_group and design.group is not None else np.zeros(len(rows), dtype=int)
        values = design.controls[:, spec.controls.index(name)] / design.scales.divisors[name]
        selector = np.zeros((design.n_obs, len(rows)))
        selector[rows, np.arange(len(rows))] = 1.0
        known = np.where(missing[name], 0.0, values)[:, None] * (member if by_group else 1.0)
        both = two_way_parts(np.column_stack([selector, known]), design.unit, design.time)
        used = both.residual
        if not spec.correlated_means:
            used = np.column_stack([selector, known])
            used = used - used.mean(axis=0)
        c, own_rows = len(rows), slice(at, at + known.shape[1])
        at += known.shape[1]
        parts = {}
        for side, leading in bases.items():
            part = getattr(both, side)
            part = part - leading @ (leading.T @ part)
            parts[side] = (part[:, :c], part[:, c:], own_rows)
        varying = spec.varying.index(name) if by_group else None
        one = Entering(name, spec.controls.index(name), varying, group, used[:, :c], used[:, c:], parts)
        entering.append(one)
        for side, (of_cells, without, _) in parts.items():
            starting[side].append(without + one.spread(values[rows], of_cells))
    held = {side: _held_basis(np.column_stack(found)) for side, found in starting.items()}
    kept = {side: basis for side, basis in held.items() if basis.shape[1]}
    entering = [replace(one, parts={side: one.parts[side] for side in kept}) for one in entering]
    return Equation(data, own, tuple(entering), kept)


def _fixed_bases(design: Design, data: ModelData, names: list[str], member: np.ndarray) -> dict[str, np.ndarray]:
    """Basis (J, rank) of the parts of columns without missing cells, where parts of mediators act beside them."""
    spec, scales = design.spec, design.scales
    columns = [design.slope_columns / scales.divisors[spec.exposure]] if spec.exposure else []
    for k, name in enumerate(spec.controls):
        if name not in names:
            column = design.controls[:, [k]] / scales.divisors[name]
            columns.append(column * member if name in spec.varying else column)
    parts = two_way_parts(np.column_stack(columns), design.unit, design.time)

    def acts(effect: Effect) -> bool:
        return spec.correlated_means and effect.kind != "fixed" and not effect.saturated

    return {side: part_basis(getattr(parts, side)) for side, effect in data.effects.items() if acts(effect)}


def _held_basis(parts: np.ndarray) -> np.ndarray:
    """A (q, r) for which parts (J, q) times A are orthogonal and of length sqrt(J)."""
    _, singular, right = np.linalg.svd(parts, full_matrices=False)
    kept = singular > RANK_TOLERANCE * max(singular.max(initial=0.0), 1.0)
    return right[kept].T / singular[kept] * np.sqrt(len(parts))


def whiten(columns: np.ndarray, data: ModelData, values: dict[str, np.ndarray]) -> np.ndarray:
    """Columns (n, k) of an equation as its errors make them: independent with SD one (see `likelihood.innovations_of`).

    Parameters
    ----------
    values : dict
        One draw of the parameters of the errors.
    """
    own, sd = innovations_of(columns.T, values, data)
    return np.ascontiguousarray((own / sd).T)


def cells_given(
    data: ModelData,
    loadings: np.ndarray,
    rest: np.ndarray,
    columns: np.ndarray,
    means: np.ndarray,
    prior_precision: np.ndarray,
    values: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (c, c) and linear term (c,) of cells u by one equation, rest = H u + Z w + errors, w integrated out.

    Parameters
    ----------
    loadings : ndarray, shape (n, c)
        H; of the equation that explains the cells, minus the rows they stand in.
    rest : ndarray, shape (n,)
        Outcome, zero cells in it, less what is held of its mean.
    columns : ndarray, shape (n, p)
        Z, effects of units included.
    means, prior_precision : ndarray, shape (p,)
        Of w; zero precision for a flat prior.
    values : dict
        See `whiten`.
    """
    white = whiten(np.column_stack([columns, loadings, rest - columns @ means]), data, values)
    z, h, v = np.split(white, [columns.shape[1], columns.shape[1] + loadings.shape[1]], axis=1)
    factor = linalg.cholesky(np.diag(prior_precision) + z.T @ z, lower=True)
    cross = linalg.solve_triangular(factor, z.T @ np.column_stack([h, v]), lower=True)
    of_h, of_v = cross[:, :-1], cross[:, -1]
    return h.T @ h - of_h.T @ of_h, h.T @ v[:, 0] - of_h.T @ of_v


def draw_cells(terms: Sequence[tuple[np.ndarray, np.ndarray]], random: np.random.Generator) -> np.ndarray:
    """A draw of the cells (c,) from the normal density whose precision and linear terms are the sums of those given."""
    precision = sum(term[0] for term in terms)
    factor = linalg.cholesky(precision, lower=True)
    mean = linalg.cho_solve((factor, True), sum(term[1] for term in terms))
    return mean + linalg.solve_triangular(factor.T, random.standard_normal(len(mean)), lower=False)
