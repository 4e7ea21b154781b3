"""The collapsed posterior of models in which units load on columns of time: common factors, scales of periods.

See docs/statistics.md, section 6, and `loading_density`.
"""

import contextlib
import ctypes
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.loading_draws import entries
from bayes_npp.bayesian.collapsed.loading_products import loading_data
from bayes_npp.bayesian.collapsed.packed import LoadingData, LoadingLayout, Products, framed, pack_loadings
from bayes_npp.bayesian.collapsed.parts import in_parts
from bayes_npp.bayesian.collapsed.posterior import Collapsed, place
from bayes_npp.bayesian.collapsed.theta import Element, lay_out
from bayes_npp.bayesian.model.error_models import factors_of
from bayes_npp.bayesian.model.loadings import (
    aligned,
    factor_basis,
    factors_from,
    length_degrees,
    loading_terms,
    loads,
    part_term,
)
from bayes_npp.bayesian.model.terms import WHOLE, ModelData, Term, terms, unit_terms
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.projection import two_way_parts

REALS = ctypes.POINTER(ctypes.c_double)
STANDARD = PriorSpec(family="normal", mu=0.0, sigma=1.0, reason="a coordinate of the sampler")
NOTHING = Products(*(np.empty((0, 0, 0, 0)),) * 3, *(np.empty(0),) * 3, 0.0, *(np.empty(0),) * 2)


class AtTheta(NamedTuple):
    """Rows of units at one theta."""

    rows: np.ndarray  # (N, T, P) [W, X, y]
    loaded: np.ndarray  # (T, q) columns of time times the SDs of units' coefficients
    precision: np.ndarray  # (N, T, T) R_i^-1


@dataclass(frozen=True)
class CollapsedLoadings(Collapsed):
    """A collapsed posterior with its rows on the grid of periods in place of cross-products.

    Attributes
    ----------
    rows : LoadingData
        As few rows as the density needs.
    every_row : LoadingData
        One row a unit.
    loading_layout : LoadingLayout
    unit_of_row : ndarray, shape (N,)
        Of `every_row`.
    """

    rows: LoadingData
    every_row: LoadingData
    loading_layout: LoadingLayout
    unit_of_row: np.ndarray

    @property
    def n_scales(self) -> int:
        return len(self.data.segments) if self.layout.unit_scales != kernel.ABSENT else 1

    @property
    def size(self) -> int:
        return len(self.elements) + (self.n_scales if self.layout.unit_scales != kernel.ABSENT else 0)

    @cached_property
    def packed(self) -> np.ndarray:
        return pack_loadings(self.rows, self.loading_layout, self.priors, self.n_scales)

    @cached_property
    def packed_units(self) -> np.ndarray:
        return pack_loadings(self.every_row, self.loading_layout, self.priors, self.n_scales)

    @property
    def _work(self) -> float:
        """Nanoseconds, roughly, to eliminate loadings and periods at one theta: of rows for each scale of its own."""
        return 12.0 * self.rows.y.size * (len(self.prior_means) + 1)

    @property
    def callback(self) -> Any:
        return entries().callback

    @property
    def start(self) -> np.ndarray:
        """As of every collapsed posterior; factors at the leading components of the least-squares residual."""
        start, layout = super().start, self.loading_layout
        if layout.n_factors:
            data = self.data
            columns = np.column_stack([data.slope_columns, data.control_columns, *data.varying_columns])
            parts = two_way_parts(np.column_stack([data.outcome, columns]), data.design.unit, data.design.time).residual
            left = parts[:, 0] - parts[:, 1:] @ np.linalg.lstsq(parts[:, 1:], parts[:, 0], rcond=None)[0]
            n_times = len(data.design.times)
            table = np.zeros((len(data.segments), n_times))
            table[data.design.unit, data.design.time] = left
            leading = np.linalg.svd(table, full_matrices=False)[2][: layout.n_factors]
            direction = leading @ factor_basis(n_times)
            length = np.sqrt(n_times - 1 + layout.length_degrees)
            direction *= length / np.linalg.norm(direction, axis=1, keepdims=True)
            start[layout.factors : layout.factors + direction.size] = direction.ravel()
        return start

    def log_density(self, theta: np.ndarray, likelihood_only: bool = False) -> tuple[float, np.ndarray]:
        gradient, value, packed = np.empty(len(theta)), np.empty(1), framed(self.packed)
        arrays = (np.ascontiguousarray(theta, dtype=float), gradient, value, packed)
        entries().callback.ctypes(len(theta), *(a.ctypes.data_as(REALS) for a in arrays))
        if likelihood_only and np.isfinite(value[0]):
            values, slopes, of_priors = np.empty(len(theta)), np.empty(len(theta)), np.zeros(len(theta))
            value -= kernel.constrain(theta, self.priors, values, slopes)
            layout = self.loading_layout
            value -= kernel.prior_gradient(theta, values, slopes, layout, self.priors, self.n_scales, of_priors)
            log_lengths, of_lengths = self._log_lengths(theta)
            value -= log_lengths
            gradient -= of_priors + of_lengths
        return float(value[0]) + self.constant, gradient

    def _log_lengths(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """What the lengths of factors' free coordinates add to the log density (`length_degrees`), and its gradient."""
        layout, gradient = self.loading_layout, np.zeros(len(theta))
        if not layout.n_factors:
            return 0.0, gradient
        own = slice(layout.factors, layout.factors + layout.n_factors * (len(self.data.design.times) - 1))
        h = theta[own].reshape(layout.n_factors, -1)
        squares = (h**2).sum(axis=1, keepdims=True)
        gradient[own] = (layout.length_degrees * h / squares).ravel()
        return 0.5 * layout.length_degrees * float(np.log(squares).sum()), gradient

    def judged(self, thetas: np.ndarray) -> dict[str, np.ndarray]:
        """Signs and order of factors are free: in their place the SD over units of what they give to each period."""
        if not self.loading_layout.n_factors:
            return super().judged(thetas)
        turned = [element.variable in ("factor_direction", "loading_sd") for element in self.elements]
        turned += [False] * (self.size - len(turned))
        values = self.constrained(thetas.reshape(-1, self.size))
        spread = np.sqrt(((values["loading_sd"][:, :, None] * values["factor"]) ** 2).sum(axis=1))
        return {
            "theta": thetas[:, :, ~np.array(turned)],
            "common_component_sd": spread.reshape(*thetas.shape[:2], -1),
        }

    def constrained(self, thetas: np.ndarray) -> dict[str, np.ndarray]:
        out = super().constrained(thetas)
        if "factor_direction" in out:
            out["factor"] = factors_from(out["factor_direction"], len(self.data.design.times))
        if "period_scale_raw" in out:
            out["period_scale"] = np.exp(out["period_scale_sd"][:, None] * out["period_scale_raw"])
        return out

    def at(self, theta: np.ndarray) -> "AtTheta":
        """Rows of every unit at one theta, on the grid of periods."""
        rows, precision, loaded = entries().at_theta(np.ascontiguousarray(theta), self.packed_units)
        back = np.argsort(self.unit_of_row)
        return AtTheta(rows[back], loaded, precision[self.every_row.block_of][back])

    def forms(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Q of outcomes less prior means (S, P, P), prior SDs of coefficients (S, p), log|V| / 2 (S,)."""
        thetas = np.ascontiguousarray(thetas)
        p = len(self.prior_means)
        size = p + len(self.layout.kept) + 1
        q_matrices, half_logs = np.empty((len(thetas), size, size)), np.empty(len(thetas))
        entries().forms(thetas, self.packed, q_matrices, half_logs)
        sds, values, scratch = np.empty((len(thetas), p)), np.empty(thetas.shape[1]), np.empty(thetas.shape[1])
        kept = np.empty((len(thetas), len(self.layout.kept)))
        for s, theta in enumerate(thetas):
            kernel.constrain(theta, self.priors, values, scratch)
            kernel.coefficient_sds(values, self.layout, sds[s])
            kept[s] = values[self.layout.kept]
        # The outcome less kept columns, so that what is left is of collapsed columns and of it alone.
        direction = np.concatenate([-kept, np.ones((len(thetas), 1))], axis=1)
        outcome = np.einsum("sab,sb->sa", q_matrices[:, :, p:], direction)
        corner = np.einsum("sa,sa->s", outcome[:, p:], direction)
        reduced = np.empty((len(thetas), p + 1, p + 1))
        reduced[:, :p, :p] = q_matrices[:, :p, :p]
        reduced[:, :p, p] = reduced[:, p, :p] = outcome[:, :p]
        reduced[:, p, p] = corner
        return reduced, sds, half_logs

    def fill_coefficients(
        self, thetas: np.ndarray, normals: np.ndarray, drawn: np.ndarray, log_likelihood: np.ndarray
    ) -> None:
        q_matrices, sds, half_logs = self.forms(thetas)
        p = sds.shape[1]
        precision = sds[:, :, None] * q_matrices[:, :p, :p] * sds[:, None, :]
        precision += np.diag((self.layout.column_scale != kernel.FLAT_SD).astype(float))
        lower = _lower_factors(precision)
        white = np.linalg.solve(lower, (sds * q_matrices[:, :p, p])[..., None])
        drawn[:] = sds * np.linalg.solve(np.swapaxes(lower, 1, 2), white + normals[..., None])[..., 0]
        quadratic = q_matrices[:, p, p] - (white**2).sum(axis=(1, 2))
        log_diagonal = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        log_likelihood[:] = -half_logs - log_diagonal - 0.5 * quadratic

    def fill_points(self, thetas: np.ndarray, means: np.ndarray, log_likelihood: np.ndarray) -> None:
        self.fill_coefficients(thetas, np.zeros(means.shape), means, log_likelihood)

    def fill_slope_blocks(self, thetas: np.ndarray, chosen: np.ndarray, blocks: np.ndarray, core: np.ndarray) -> None:
        q_matrices, sds, half_logs = self.forms(thetas)
        p = sds.shape[1]
        sds = sds.copy()
        sds[:, chosen] = 1.0
        sds = np.concatenate([sds, np.ones((len(sds), 1))], axis=1)
        matrix = sds[:, :, None] * q_matrices * sds[:, None, :]
        others = np.setdiff1d(np.arange(p), chosen)
        order = np.append(chosen, p)
        own = matrix[:, others[:, None], others]
        own = own + np.diag((self.layout.column_scale[others] != kernel.FLAT_SD).astype(float))
        lower = _lower_factors(own)
        white = np.linalg.solve(lower, matrix[:, others[:, None], order])
        blocks[:] = matrix[:, order[:, None], order] - np.swapaxes(white, 1, 2) @ white
        core[:] = -half_logs - np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1) - 0.5 * blocks[:, -1, -1]

    def coefficients(self, thetas: np.ndarray, seed: int, with_units: bool) -> dict[str, np.ndarray]:
        """As of every collapsed posterior; `loading` is all that a unit has of a factor beyond slopes.

        Slopes act on two-way residuals in what is stored: what the projection takes from their columns in the metric of
        the errors, times the slopes, is in `loading`, `unit_shift` and `time_shift`.
        """
        random = np.random.default_rng(seed)
        thetas = np.ascontiguousarray(thetas)
        drawn, log_likelihood = self._filled(thetas, random.standard_normal((len(thetas), len(self.prior_means))))
        out = self.named(thetas, drawn, None, random)
        if with_units:
            self._add_units(out, thetas, drawn, random)
        for name in ("factor_direction", "period_scale_raw"):
            out.pop(name, None)
        out["collapsed_log_likelihood"] = log_likelihood + self.constant
        out["collapsed_coefficients"] = drawn
        return out

    def _add_units(
        self, out: dict[str, np.ndarray], thetas: np.ndarray, drawn: np.ndarray, random: np.random.Generator
    ) -> None:
        n_units, n_times = len(self.data.segments), len(self.data.design.times)
        q = len(self.loading_layout.effect_scale)
        effects, shifts = np.empty((len(thetas), n_units, q)), np.empty((len(thetas), n_units, q))
        periods = np.empty((len(thetas), n_times))
        normals = random.standard_normal(effects.shape)
        means, draw = drawn + self.prior_means, entries().draws_of_units

        def fill(s: slice) -> None:
            draw(thetas[s], means[s], normals[s], self.packed_units, effects[s], shifts[s], periods[s])

        in_parts(fill, len(thetas), work=len(thetas) * self._work)
        back = np.argsort(self.unit_of_row)
        effects, shifts = effects[:, back], shifts[:, back]
        first = q - len(self.effects)
        for j, term in enumerate(self.effects):
            own = effects[:, :, first + j]
            place(out, term, own if term.variable == "unit_effect" else own + shifts[:, :, first + j])
        if self.loading_layout.project:
            out["unit_shift"], out["time_shift"] = shifts[:, :, 0], periods
        self._centre_fixed(out)
        if "loading" in out:
            known = len(self.rows.part_columns) - self.loading_layout.n_factors
            out.update(aligned(out, known))

    def with_priors(self, priors: PriorSet) -> "CollapsedLoadings":
        return collapse_loadings(self.data, priors)


def collapse_loadings(data: ModelData, priors: PriorSet, more: tuple[Term, ...] = ()) -> CollapsedLoadings:
    """Rows, layout and priors of the collapsed posterior of a model in which units load on columns of time."""
    spec, n_times = data.design.spec, len(data.design.times)
    everything = [*terms(data, priors), *more]
    kept = tuple(term for term in everything if term.slot and not priors[term.slot].collapses and not term.scale)
    columns = tuple(term for term in everything if not any(term is other for other in kept))
    project, n_factors = loads(spec), factors_of(spec.errors)
    if project:
        columns = (*columns, part_term(data, (*columns, *kept)))
    effects = (*unit_terms(data), *loading_terms(data))
    periods = "period_scale" in spec.error_parts
    coordinates = tuple(Element("factor_direction", k, STANDARD) for k in range(n_factors * (n_times - 1)))
    coordinates += tuple(Element("period_scale_raw", t, STANDARD) for t in range(n_times * periods))
    spread = (Element("period_scale_sd", WHOLE, priors["period_scale_sd"]),) if periods else ()
    layout, encoded, means, elements = lay_out(data, columns, effects, priors, kept, (*spread, *coordinates))
    first = len(elements) - len(coordinates)
    known = np.column_stack([np.ones(n_times), *(column.values for column in data.time_columns)])
    absent = np.full(0 if data.unit.kind != "none" else 1, kernel.KNOWN_SD)
    at = np.cumsum([0, *(term.width for term in columns)])
    loading_layout = LoadingLayout(
        column_scale=layout.column_scale,
        column_sd=layout.column_sd,
        kept=layout.kept,
        effect_scale=np.concatenate([absent, layout.effect_scale]).astype(np.int64),
        means=means,
        correlation=kernel.ABSENT,
        error_scale=layout.error_scale,
        autocorrelation=layout.autocorrelation,
        unit_scales=layout.unit_scales,
        unit_spread=layout.unit_spread,
        centred=layout.centred,
        period_scales=first + n_factors * (n_times - 1) if periods else kernel.ABSENT,
        period_spread=first - 1 if periods else kernel.ABSENT,
        factors=first if n_factors else kernel.ABSENT,
        n_factors=n_factors,
        length_degrees=length_degrees(n_times),
        part_at=int(at[-2]) if project else kernel.ABSENT,
        project=int(project),
    )
    parts = tuple(j for j, term in enumerate(loading_terms(data), start=1) if term.scale)
    by_unit = layout.unit_scales != kernel.ABSENT
    rows, every_row, unit_of_row = loading_data(data, (*columns, *kept), parts, by_unit, known)
    nothing = np.empty((len(data.segments), 0, 0, 0))
    return CollapsedLoadings(
        data, columns, effects, elements, NOTHING, nothing, nothing, layout, encoded, means,
        rows, every_row, loading_layout, unit_of_row,
    )  # fmt: skip


def _lower_factors(matrices: np.ndarray) -> np.ndarray:
    """Cholesky factors (S, p, p); NaN, as of the compiled density, where rounding leaves a matrix none.

    Scales far in a prior's tails do: those of periods a factor of e^30 apart, say.
    """
    try:
        return np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        out = np.full(matrices.shape, np.nan)
        for s, matrix in enumerate(matrices):
            with contextlib.suppress(np.linalg.LinAlgError):
                out[s] = np.linalg.cholesky(matrix)
        return out
