"""A large panel: the effects of units block by block, so that only sums and moments of them are stored.

Units are independent given theta and the other coefficients, so their effects are drawn for some units at a time and
the same draws come again on request. The likelihood takes them through cross-products: no row is laid out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.pair_summaries import summarise_pairs
from bayes_npp.bayesian.collapsed.parts import in_parts
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.model.terms import WHOLE

UNITS = 100  # drawn at a time


class UnitSummaries(NamedTuple):
    """What is kept of the effects of units.

    log_likelihood : ndarray, shape (S,)
        Sum over rows of the log density given all coefficients.
    moments : dict of ndarray, shapes (N,) or (V, N)
        Posterior mean and SD of every effect, as `<variable>_mean` and `<variable>_sd`.
    level : ndarray, shape (S,), optional
        Mean of fixed effects of units, which is the intercept.
    """

    log_likelihood: np.ndarray
    moments: dict[str, np.ndarray]
    level: np.ndarray | None


def summarise_units(collapsed: Collapsed, thetas: np.ndarray, draws: dict[str, np.ndarray], seed: int) -> UnitSummaries:
    """Log likelihood and moments of the effects of units, the effects themselves not kept.

    With one partially pooled intercept a unit and independent errors of one scale, at a cost free of their number: the
    moments are exact averages over the draws, and the sum of squares is drawn from its own distribution. With a slope
    beside it the moments are such averages too. Otherwise from draws of the effects, linear in units.

    Parameters
    ----------
    thetas : (S, d);  draws : what `Collapsed.coefficients` returned for them, without units
    """
    spec = collapsed.data.design.spec
    if not spec.error_parts and len(collapsed.effects) == 1 and "unit_sd" in draws:
        direction = _directions(collapsed, draws)
        return UnitSummaries(
            _sum_of_one_intercept(collapsed, draws, direction, seed),
            _moments_of_one_intercept(collapsed, draws, direction),
            None,
        )
    pair = [term.variable for term in collapsed.effects] == ["unit_effect", "unit_slope"]
    if pair and not spec.error_parts and "unit_sd" in draws and collapsed.data.se is None:
        return _of_intercept_and_slope(collapsed, draws, seed)
    return from_draws(collapsed, thetas, draws, seed)


def unit_effects(
    collapsed: Collapsed, thetas: np.ndarray, coefficients: np.ndarray, seed: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Exact draws of the effects of units, shape (S, units of the block, q), a block of units at a time.

    Parameters
    ----------
    thetas : (S, d);  coefficients : (S, p), `collapsed_coefficients` of the same draws
    """
    n_units = len(collapsed.unit_cross)
    for begin in range(0, n_units, UNITS):
        block = slice(begin, min(begin + UNITS, n_units))
        random = np.random.default_rng([seed, 2, begin])
        yield block, collapsed.draw_units(thetas, coefficients, random, block)


def slopes_of_units(collapsed: Collapsed, thetas: np.ndarray, draws: dict[str, np.ndarray], seed: int) -> np.ndarray:
    """Draws of units' slopes of the exposure in the data's units, shape (S, N): `slope_of_unit`, on request."""
    at = _position(collapsed, "unit_slope")
    out = np.empty((len(thetas), len(collapsed.unit_cross)))
    for block, effects in unit_effects(collapsed, thetas, draws["collapsed_coefficients"], seed):
        out[:, block] = effects[:, :, at]
    return _slopes(collapsed, draws, out, slice(None))


def _slopes(collapsed: Collapsed, draws: dict[str, np.ndarray], offsets: np.ndarray, block: slice) -> np.ndarray:
    """Slopes of some units in the data's units from their offsets (S, b)."""
    return (_common_slopes(collapsed, draws, block) + offsets) * _slope_unit(collapsed)


def _common_slopes(collapsed: Collapsed, draws: dict[str, np.ndarray], block: slice) -> np.ndarray:
    """Slopes from which those of some units deviate, standardised, shape (S, b)."""
    design = collapsed.data.design
    common = draws["exposure_slope"][:, None] + draws.get("slope_offset", 0.0)
    group = np.zeros(len(design.units), dtype=int)
    if design.group is not None:
        group[design.unit] = design.group
    return np.asarray(common[:, group[block]])


def _slope_unit(collapsed: Collapsed) -> float:
    """A standardised slope of the exposure of one, in the data's units."""
    design = collapsed.data.design
    assert design.spec.exposure is not None
    return design.scales.outcome_sd / design.scales.divisors[design.spec.exposure]


def _position(collapsed: Collapsed, variable: str) -> int:
    return [term.variable for term in collapsed.effects].index(variable)


def from_draws(collapsed: Collapsed, thetas: np.ndarray, draws: dict[str, np.ndarray], seed: int) -> UnitSummaries:
    """The summaries of any model, from draws of the effects of units; arguments as in `summarise_units`."""
    data, coefficients = collapsed.data, draws["collapsed_coefficients"]
    direction = _directions(collapsed, draws)
    pieces, half_log_determinant = _error_weights(collapsed, draws)
    by_unit = len(collapsed.products.total) > 1
    scales = draws.get("unit_scale")
    common = 1.0 if data.se is not None else draws["error_sd"] ** -2
    square = np.zeros(len(thetas))
    if not by_unit:
        square += common * _quadratic(collapsed.products.total[0], direction, pieces)
    fixed = data.unit.kind == "fixed"
    level = None
    if fixed:
        total = sum(e[:, :, 0].sum(axis=1) for _, e in unit_effects(collapsed, thetas, coefficients, seed))
        level = np.asarray(total) / len(collapsed.unit_cross)
    found: dict[str, list[np.ndarray]] = {}
    for block, effects in unit_effects(collapsed, thetas, coefficients, seed) if collapsed.effects else ():
        cross, gram = collapsed.unit_cross[block], collapsed.unit_gram[block]
        own = np.zeros((len(thetas), len(cross)))
        for m, piece in enumerate(pieces):
            own -= 2 * piece[:, None] * np.einsum("sia,ias->si", effects, cross[:, m] @ direction.T)
            own += piece[:, None] * np.einsum("sia,iab,sib->si", effects, gram[:, m], effects)
        square += _scaled(own, common, scales, block)
        for name, values in _named(collapsed, draws, effects, block, level).items():
            found.setdefault(name + "_mean", []).append(values.mean(axis=0))
            found.setdefault(name + "_sd", []).append(values.std(axis=0, ddof=1))
    if by_unit:
        for begin in range(0, len(collapsed.unit_cross), UNITS):
            block = slice(begin, begin + UNITS)
            own = np.stack([_quadratic(t, direction, pieces) for t in collapsed.products.total[block]], axis=-1)
            square += _scaled(own, common, scales, block)
    constant = -0.5 * data.design.n_obs * np.log(2 * np.pi) - (0 if data.se is None else np.log(data.se).sum())
    moments = {name: np.concatenate(parts, axis=-1) for name, parts in found.items()}
    return UnitSummaries(constant - half_log_determinant - 0.5 * square, moments, level)


def _of_intercept_and_slope(collapsed: Collapsed, draws: dict[str, np.ndarray], seed: int) -> UnitSummaries:
    """The summaries of an intercept and a slope of the exposure a unit, independent errors of one scale.

    Moments are averages over the draws of what is known exactly given each; blocks are shared by the cores.
    """
    direction, weight = _directions(collapsed, draws), draws["error_sd"] ** -2
    n_draws, n_units, size = len(weight), len(collapsed.unit_cross), direction.shape[1]
    factor = np.zeros((n_draws, 2, 2))
    r = draws.get("slope_correlation", np.zeros(n_draws))
    factor[:, 0, 0] = draws["unit_sd"]
    factor[:, 1, 0], factor[:, 1, 1] = draws["unit_slope_sd"] * r, draws["unit_slope_sd"] * np.sqrt((1 - r) * (1 + r))
    blocks = [slice(begin, min(begin + UNITS, n_units)) for begin in range(0, n_units, UNITS)]
    squares, sums = np.empty((len(blocks), n_draws)), np.empty((n_units, 3, 3))

    def fill(some: slice) -> None:
        for k in range(*some.indices(len(blocks))):
            block = blocks[k]
            cross = collapsed.unit_cross[block, 0]
            crossed = np.ascontiguousarray(direction @ cross.reshape(-1, size).T).reshape(n_draws, -1, 2)
            normals = np.random.default_rng([seed, 2, block.start]).standard_normal(crossed.shape)
            added = np.ascontiguousarray(_common_slopes(collapsed, draws, block))
            gram = np.ascontiguousarray(collapsed.unit_gram[block, 0])
            summarise_pairs(weight, factor, crossed, gram, normals, added, squares[k], sums[block])

    in_parts(fill, len(blocks), work=250.0 * n_draws * n_units)
    total = np.einsum("sp,sp->s", direction @ collapsed.products.total[0, 0], direction)
    n_obs = collapsed.data.design.n_obs
    log_likelihood = -0.5 * weight * (total + squares.sum(axis=0)) - 0.5 * n_obs * np.log(2 * np.pi / weight)
    mean = sums[:, :, 0] / n_draws
    sd = np.sqrt(np.maximum(sums[:, :, 1] / n_draws - mean**2, 0.0))
    mean += sums[:, :, 2]
    mean[:, 2] *= _slope_unit(collapsed)
    sd[:, 2] *= _slope_unit(collapsed)
    moments: dict[str, np.ndarray] = {}
    for j, name in enumerate(("unit_effect", "unit_slope", "slope_of_unit")):
        moments |= {f"{name}_mean": mean[:, j], f"{name}_sd": sd[:, j]}
    return UnitSummaries(log_likelihood, moments, None)


def _scaled(own: np.ndarray, common: np.ndarray | float, scales: np.ndarray | None, block: slice) -> np.ndarray:
    """Sum over the units of a block, shape (S,), each over its error variance."""
    return common * (own if scales is None else own / scales[:, block] ** 2).sum(axis=1)


def _quadratic(total: np.ndarray, direction: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """e'R^-1 e of errors of SD one, shape (S,), from the cross-products (M, P, P) of its pieces."""
    return sum(
        piece * np.einsum("sp,sp->s", direction @ part, direction) for piece, part in zip(pieces, total, strict=True)
    )


def _error_weights(collapsed: Collapsed, draws: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the pieces of R^-1 at innovations of SD one, shape (M, S), and log|R| / 2, shape (S,)."""
    products, n_draws = collapsed.products, len(draws["collapsed_coefficients"])
    n_pieces = products.total.shape[1]
    pieces, half = np.ones((n_pieces, n_draws)), np.zeros(n_draws)
    if collapsed.data.se is None:
        half += collapsed.data.design.n_obs * np.log(draws["error_sd"])
    if "unit_scale" in draws:
        half += np.log(draws["unit_scale"]) @ products.n_obs
    if "autocorrelation" in draws:
        slopes = np.empty(n_pieces)
        for k, rho in enumerate(draws["autocorrelation"]):
            own = np.empty(n_pieces)
            kernel.error_weights(rho, products.gaps, own, slopes)
            pieces[:, k] = own
        rho = draws["autocorrelation"]
        half -= 0.5 * products.n_first * np.log((1 - rho) * (1 + rho))
        half -= 0.5 * products.n_gaps @ np.log(pieces[1::3])  # the weight of a row is one over its variance
    return pieces, half


def _named(
    collapsed: Collapsed, draws: dict[str, np.ndarray], effects: np.ndarray, block: slice, level: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Effects of the units of a block by variable of the posterior, shapes (S, b) or (S, V, b)."""
    out: dict[str, np.ndarray] = {}
    for j, term in enumerate(collapsed.effects):
        own = effects[:, :, j]
        if term.variable == "unit_effect" and level is not None:
            own = own - level[:, None]
        if term.at == WHOLE:
            out[term.variable] = own
        else:
            before = out.get(term.variable, np.empty((len(own), 0, own.shape[1])))
            out[term.variable] = np.concatenate([before, own[:, None]], axis=1)
    if "unit_slope" in out:
        out["slope_of_unit"] = _slopes(collapsed, draws, out["unit_slope"], block)
    return out


def _directions(collapsed: Collapsed, draws: dict[str, np.ndarray]) -> np.ndarray:
    """(-w, -beta, 1) of every draw, shape (S, P): its product with [W, X, y] is the error."""
    n_draws = len(draws["collapsed_coefficients"])
    kept = [draws[collapsed.elements[j].variable].reshape(n_draws, -1) for j in collapsed.layout.kept]
    at = [max(collapsed.elements[j].at, 0) for j in collapsed.layout.kept]
    moved = [-values[:, k] for values, k in zip(kept, at, strict=True)]
    return np.column_stack([-draws["collapsed_coefficients"], *moved, np.ones(n_draws)])


def _sum_of_one_intercept(
    collapsed: Collapsed, draws: dict[str, np.ndarray], direction: np.ndarray, seed: int
) -> np.ndarray:
    """The log likelihood of one intercept a unit, shape (S,), from the distribution of its sum of squares.

    With independent errors of one scale, sum_t (e_it - a_i)^2 over the units of a pattern depends on their effects
    only through two sums whose joint distribution is known: a normal and a chi-square.
    """
    random, products, n_draws = np.random.default_rng(seed), collapsed.products, len(direction)
    total = np.einsum("sa,ab,sb->s", direction, products.total[0, 0], direction)
    error, prior = draws["error_sd"] ** 2, draws["unit_sd"] ** 2
    starts = np.flatnonzero(products.unit_count > 0)
    for begin, end in zip(starts, [*starts[1:], len(products.unit_count)], strict=True):
        size = products.unit_gram[begin, 0, 0, 0]
        count = products.unit_count[begin]
        sums = products.unit_cross[begin:end, 0, 0] @ direction.T
        square = (sums**2).sum(axis=0)
        variance = 1 / (size / error + 1 / prior)
        shrink = variance / error
        z = random.standard_normal(n_draws)
        cross = np.sqrt(variance * square) * z  # sum of (a_i - mean_i) s_i
        spread = variance * (z**2 + random.chisquare(max(count - 1, 1e-300), n_draws) * (count > 1))
        effects = shrink**2 * square + 2 * shrink * cross + spread
        total = total - 2 * (shrink * square + cross) + size * effects
    return -0.5 * total / error - 0.5 * collapsed.data.design.n_obs * np.log(2 * np.pi * error)


def _moments_of_one_intercept(
    collapsed: Collapsed, draws: dict[str, np.ndarray], direction: np.ndarray
) -> dict[str, np.ndarray]:
    """Posterior mean and SD of every unit's effect, averaged exactly over the draws."""
    error, prior = draws["error_sd"] ** 2, draws["unit_sd"] ** 2
    cross, size = collapsed.unit_cross[:, 0, 0], collapsed.unit_gram[:, 0, 0, 0]
    mean, sd = np.empty(len(size)), np.empty(len(size))
    for t in np.unique(size):
        own = size == t
        variance = 1 / (t / error + 1 / prior)
        weighted = direction * (variance / error)[:, None]
        first = cross[own] @ weighted.mean(axis=0)
        centred = weighted - weighted.mean(axis=0)
        between = np.einsum("ia,ab,ib->i", cross[own], centred.T @ centred / len(direction), cross[own])
        mean[own], sd[own] = first, np.sqrt(between + variance.mean())
    return {"unit_effect_mean": mean, "unit_effect_sd": sd}
