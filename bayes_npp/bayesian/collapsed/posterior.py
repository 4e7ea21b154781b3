"""A collapsed posterior: coefficients integrated out exactly, scales and shapes to sample, exact draws of the rest.

See docs/statistics.md, section 2, and `kernel` for the density. The data enter through cross-products and priors
through arrays, so nothing is compiled for a refit.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.climb import climb
from bayes_npp.bayesian.collapsed.many_points import fill_points
from bayes_npp.bayesian.collapsed.packed import Layout, Priors, Products, framed, pack
from bayes_npp.bayesian.collapsed.parts import in_parts
from bayes_npp.bayesian.collapsed.products import cross_products
from bayes_npp.bayesian.collapsed.theta import Element, lay_out
from bayes_npp.bayesian.model.terms import WHOLE, ModelData, Term, common_and_offsets
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.errors import SpecError


@dataclass(frozen=True)
class Collapsed:
    """A collapsed posterior: cross-products of the data, layout and priors of theta.

    Attributes
    ----------
    data : ModelData
    columns : tuple of Term
        Collapsed terms, in the order of the columns.
    effects : tuple of Term
        Eliminated effects of units.
    elements : tuple of Element
        Theta, in order.
    products : Products
    unit_cross, unit_gram : ndarray, shapes (N, M, q, P) and (N, M, q, q)
        Of every unit.
    layout : Layout
    priors : Priors
    prior_means : ndarray, shape (p,)
        Prior means of the collapsed coefficients; the products are of y less the columns times them.
    """

    data: ModelData
    columns: tuple[Term, ...]
    effects: tuple[Term, ...]
    elements: tuple[Element, ...]
    products: Products
    unit_cross: np.ndarray
    unit_gram: np.ndarray
    layout: Layout
    priors: Priors
    prior_means: np.ndarray

    @property
    def size(self) -> int:
        """Dimension of theta."""
        return len(self.elements) + (self.products.total.shape[0] if self.layout.unit_scales != kernel.ABSENT else 0)

    @cached_property
    def packed(self) -> np.ndarray:
        return pack(self.products, self.layout, self.priors)

    @cached_property
    def constant(self) -> float:
        """What the log density leaves out: -(n - flat columns) log(2 pi) / 2, and the known standard errors."""
        flat = int((self.layout.column_scale == kernel.FLAT_SD).sum()) + len(self.data.segments) * sum(
            not term.scale for term in self.effects
        )
        constant = -0.5 * (self.data.design.n_obs - flat) * np.log(2 * np.pi)
        return constant if self.data.se is None else constant - np.log(self.data.se).sum()

    @property
    def callback(self) -> Any:
        """The density for callers in C; a frame follows what is packed (`kernel.density_callback`)."""
        return kernel.density_callback

    def log_density(self, theta: np.ndarray, likelihood_only: bool = False) -> tuple[float, np.ndarray]:
        """Log posterior density of theta on the unconstrained scale, and its gradient."""
        gradient = np.empty(len(theta))
        value = kernel.log_density(theta, self.packed, gradient, likelihood_only)
        return float(value) + self.constant, gradient

    def climb(self, start: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Where a climb ends, the log density there (NaN where its start has none) and the largest slope."""
        theta, gradient = np.array(start, dtype=float), np.zeros(self.size)
        value = climb(self.callback, theta, framed(self.packed), gradient)
        return theta, float(value) + self.constant, float(np.abs(gradient).max())

    def judged(self, thetas: np.ndarray) -> dict[str, np.ndarray]:
        """Of draws of theta (chain, draw, d), what convergence is judged on."""
        return {"theta": thetas}

    def moved_to(self, other: "Collapsed", thetas: np.ndarray) -> np.ndarray:
        """The same scales and shapes as theta (S, d) of another posterior, which has them too.

        Scales are sampled in units of their prior, so one value is another theta under another prior.
        """
        moved = thetas.copy()
        for j, value in enumerate(self._values(thetas)):
            if self.priors.support[j] == kernel.POSITIVE:
                scaled = value / other.priors.upper[j]
                moved[:, j] = scaled + np.log(-np.expm1(-scaled))  # the inverse of the softplus
            elif self.priors.support[j] == kernel.INTERVAL:
                lower, upper = other.priors.lower[j], other.priors.upper[j]
                inside = (value > lower) & (value < upper)
                share = np.where(inside, (value - lower) / (upper - lower), 0.5)
                moved[:, j] = np.log(share) - np.log1p(-share)
        return moved

    def prior_ratio(self, other: "Collapsed", thetas: np.ndarray) -> np.ndarray:
        """Log prior density of the same scales and shapes under another posterior less the own, shape (S,)."""
        out = np.zeros(len(thetas))
        for own, new, value in zip(self.elements, other.elements, self._values(thetas), strict=True):
            if own.prior != new.prior:
                out += new.prior.log_density(value) - own.prior.log_density(value)
        return out

    def _values(self, thetas: np.ndarray) -> list[np.ndarray]:
        """Natural values of every element of theta, shapes (S,)."""
        values = self.constrained(thetas)
        return [values[e.variable] if e.at == WHOLE else values[e.variable][:, e.at] for e in self.elements]

    def constrained(self, thetas: np.ndarray) -> dict[str, np.ndarray]:
        """Scales, shapes and kept coefficients from draws of theta (S, d), by variable of the posterior."""
        out: dict[str, list[np.ndarray]] = {}
        for j, element in enumerate(self.elements):
            values = thetas[:, j]
            if self.priors.support[j] == kernel.POSITIVE:
                values = self.priors.upper[j] * np.logaddexp(0.0, values)
            elif self.priors.support[j] == kernel.INTERVAL:
                lower, upper = self.priors.lower[j], self.priors.upper[j]
                values = lower + (upper - lower) / (1 + np.exp(-values))
            out.setdefault(element.variable, []).append(values)
        many = {e.variable for e in self.elements if e.at != WHOLE}
        arrays = {name: np.stack(v, axis=-1) if name in many else v[0] for name, v in out.items()}
        if self.layout.unit_scales != kernel.ABSENT:
            logs = thetas[:, self.layout.unit_scales :]
            if self.layout.centred:
                logs = logs - np.log(arrays["error_sd"])[:, None]
            else:
                logs = logs * arrays["unit_scale_sd"][:, None]
            arrays["unit_scale"] = np.exp(logs)
        return arrays

    def coefficients(self, thetas: np.ndarray, seed: int, with_units: bool) -> dict[str, np.ndarray]:
        """Exact draws of the coefficients given draws of theta, by variable of the posterior.

        Parameters
        ----------
        thetas : ndarray, shape (S, d)
        with_units : bool
            Whether to draw the effects of units too.

        Returns
        -------
        dict of ndarray
            Every variable with its draws, shape (S, ...), `collapsed_log_likelihood` (S,) and `collapsed_coefficients`
            (S, p), the coefficients less their prior means in the order of the columns.
        """
        random = np.random.default_rng(seed)
        thetas = np.ascontiguousarray(thetas)
        drawn = np.empty((len(thetas), len(self.prior_means)))
        log_likelihood = np.empty(len(thetas))
        normals = random.standard_normal(drawn.shape)
        # Draws of the same theta one after the other, which the compiled loop does in one.
        order = np.argsort(thetas[:, 0], kind="stable") if thetas.shape[1] else np.arange(len(thetas))
        drawn[order], log_likelihood[order] = self._filled(thetas[order], normals[order])
        effects = self.draw_units(thetas, drawn, random) if with_units and self.effects else None
        out = self.named(thetas, drawn, effects, random)
        out["collapsed_log_likelihood"] = log_likelihood + self.constant
        out["collapsed_coefficients"] = drawn
        return out

    def _filled(self, thetas: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients less prior means (S, p), made of standard normals, and the likelihood (S,), over threads."""
        drawn, log_likelihood = np.empty(normals.shape), np.empty(len(thetas))

        def fill(some: slice) -> None:
            self.fill_coefficients(thetas[some], normals[some], drawn[some], log_likelihood[some])

        in_parts(fill, len(thetas), work=len(thetas) * self._work)
        return drawn, log_likelihood

    @property
    def _work(self) -> float:
        """Nanoseconds, roughly, to eliminate units and solve for coefficients at one theta."""
        p, rows = len(self.prior_means), len(self.products.unit_cross)
        return 0.4 * p**3 + 4.0 * rows * p

    def fill_coefficients(
        self, thetas: np.ndarray, normals: np.ndarray, drawn: np.ndarray, log_likelihood: np.ndarray
    ) -> None:
        """Fill `drawn` (S, p) with coefficients less prior means, made of standard normals, and the likelihood (S,)."""
        kernel.draw_coefficients(thetas, normals, self.packed, drawn, log_likelihood)

    def log_likelihoods(self, thetas: np.ndarray) -> np.ndarray:
        """Collapsed log likelihood at draws of theta (S, d), shape (S,)."""
        return self._at_points(thetas)[1] + self.constant

    def evaluate(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log posterior density, and the coefficients' means given theta, at many theta (S, d), without gradients.

        Not of scales of units, whose priors are conditional ones.

        Returns
        -------
        log_density : ndarray, shape (S,)
            As of `log_density`.
        means : ndarray, shape (S, p)
            Of the collapsed coefficients, less their prior means.
        """
        means, log_likelihood = self._at_points(thetas)
        log_prior = np.empty(len(thetas))
        kernel.log_priors(np.ascontiguousarray(thetas), self.layout, self.priors, 1, log_prior)
        return log_likelihood + log_prior + self.constant, means

    def _at_points(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means of coefficients less prior means (S, p) and the likelihood (S,), over threads."""
        thetas = np.ascontiguousarray(thetas)
        means, log_likelihood = np.empty((len(thetas), len(self.prior_means))), np.empty(len(thetas))

        def fill(some: slice) -> None:
            self.fill_points(thetas[some], means[some], log_likelihood[some])

        in_parts(fill, len(thetas), work=0.5 * len(thetas) * self._work)
        return means, log_likelihood

    def fill_points(self, thetas: np.ndarray, means: np.ndarray, log_likelihood: np.ndarray) -> None:
        """Fill `means` (S, p) of coefficients less prior means, and the likelihood (S,)."""
        fill_points(thetas, self.packed, means, log_likelihood)

    def slope_blocks(self, thetas: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The normal likelihood of some coefficients, all others integrated out; see `kernel.slope_blocks`."""
        size, thetas = len(chosen), np.ascontiguousarray(thetas)
        blocks, core = np.empty((len(thetas), size + 1, size + 1)), np.empty(len(thetas))

        def fill(some: slice) -> None:
            self.fill_slope_blocks(thetas[some], chosen, blocks[some], core[some])

        in_parts(fill, len(thetas), work=len(thetas) * self._work)
        return blocks, core

    def fill_slope_blocks(self, thetas: np.ndarray, chosen: np.ndarray, blocks: np.ndarray, core: np.ndarray) -> None:
        """Fill `blocks` (S, K + 1, K + 1) and `core` (S,) of K chosen coefficients."""
        kernel.slope_blocks(thetas, chosen, self.packed, blocks, core)

    def named(
        self, thetas: np.ndarray, drawn: np.ndarray, effects: np.ndarray | None, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Draws by variable of the posterior, from theta (S, d), coefficients less prior means (S, p), effects of units
        (S, N, q)."""
        out = self.constrained(thetas)
        if effects is not None:
            for j, term in enumerate(self.effects):
                place(out, term, effects[:, :, j])
        at = 0
        for term in self.columns:
            block = (drawn + self.prior_means)[:, at : at + term.width]
            if term.rank:
                known = self.layout.column_sd[at : at + term.rank]
                block, out["time_between"] = split(block, out["time_sd"], known, self.data.time.size, random)
            place(out, term, term.values(block) if term.basis is not None or term.width > 1 else block)
            at += term.width
        if "free_slope" in out:
            out.update(common_and_offsets(out.pop("free_slope")))
        for name in ("intercept", "exposure_slope"):
            if name in out and out[name].ndim == 2:
                out[name] = out[name][:, 0]
        if effects is not None:
            self._centre_fixed(out)
        return out

    def draw_units(
        self, thetas: np.ndarray, drawn: np.ndarray, random: np.random.Generator, block: slice = slice(None)
    ) -> np.ndarray:
        """Exact draws of the effects of some units, shape (S, units, q), given theta and the other coefficients.

        Parameters
        ----------
        thetas : (S, d);  drawn : (S, p), `collapsed_coefficients`
        """
        cross, gram, scale_of = self.unit_cross[block], self.unit_gram[block], self._scale_of[block]
        effects = np.empty((len(thetas), len(cross), cross.shape[2]))
        normals = random.standard_normal(effects.shape)

        def fill(some: slice) -> None:
            kernel.draw_unit_effects(
                thetas[some], drawn[some], normals[some], cross, gram, scale_of, self.packed, effects[some]
            )

        in_parts(fill, len(thetas), work=100.0 * effects.size)
        return effects

    def _centre_fixed(self, out: dict[str, np.ndarray]) -> None:
        """Fixed effects of units sum to zero; their mean is the intercept."""
        if self.data.unit.kind == "fixed":
            mean = out["unit_effect"].mean(axis=1)
            out["intercept"] = mean
            out["unit_effect"] = out["unit_effect"] - mean[:, None]

    @property
    def _scale_of(self) -> np.ndarray:
        n_units = len(self.unit_cross)
        return np.arange(n_units) if self.layout.unit_scales != kernel.ABSENT else np.zeros(n_units, dtype=np.int64)

    @property
    def start(self) -> np.ndarray:
        """Where chains start: scales of the order of their priors, errors small beside the outcome; shape (d,)."""
        start = np.zeros(self.size)
        if self.layout.unit_scales != kernel.ABSENT and self.layout.centred:
            start[self.layout.unit_scales :] = -1.0
        return start

    def same_theta(self, priors: PriorSet) -> bool:
        """Whether the same coefficients integrate out under other priors."""
        kept = {element.variable for element in self.elements}
        present = kept | {term.variable for term in self.columns}
        slots = {"exposure_slope": "exposure", "free_slope": "exposure", "control_slope": "controls"}
        here = [(variable in kept, priors[slot].collapses) for variable, slot in slots.items() if variable in present]
        return all(is_kept != collapses for is_kept, collapses in here)

    def with_priors(self, priors: PriorSet) -> "Collapsed":
        """The same data under other priors of the same families; nothing is computed from the rows again."""
        if not self.same_theta(priors):
            raise SpecError("the priors move a coefficient in or out of theta", fix="Collapse the model again")
        layout, encoded, means, elements = lay_out(self.data, self.columns, self.effects, priors)
        shift = means - self.prior_means
        products = self.products._replace(
            total=shifted(self.products.total, shift, both=True), unit_cross=shifted(self.products.unit_cross, shift)
        )
        return replace(
            self,
            elements=elements,
            products=products,
            unit_cross=shifted(self.unit_cross, shift),
            layout=layout,
            priors=encoded,
            prior_means=means,
        )

    def with_data(self, data: ModelData, columns: tuple[Term, ...]) -> "Collapsed":
        """The same model with other values in outcome or columns: cross-products anew, layout and priors kept."""
        products, unit_cross, unit_gram = cross_products(data, columns, self.effects)
        means = self.prior_means
        return replace(
            self,
            data=data,
            columns=columns,
            products=products._replace(
                total=shifted(products.total, means, both=True), unit_cross=shifted(products.unit_cross, means)
            ),
            unit_cross=shifted(unit_cross, means),
            unit_gram=unit_gram,
        )


def shifted(products: np.ndarray, means: np.ndarray, both: bool = False) -> np.ndarray:
    """Products of y - W means in place of y: in the last column, and with `both` in the last row."""
    if not means.any():
        return products
    p = len(means)
    out = products.copy()
    out[..., -1] -= out[..., :p] @ means
    if both:
        out[..., -1, :] -= means @ out[..., :p, :]
    return out


def split(
    sums: np.ndarray, sd: np.ndarray, between: np.ndarray, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Effects and between coefficients given their sums, exactly: both are normal with known SDs.

    Parameters
    ----------
    sums : ndarray, shape (S, k);  sd : (S,);  between : (rank,) SD of the part on the leading columns
    """
    rank = len(between)
    share = sd[:, None] ** 2 / (sd[:, None] ** 2 + between**2)
    noise = random.standard_normal((len(sums), rank))
    own = share * sums[:, :rank] + np.sqrt(share) * between * noise
    effects = sums.copy()
    effects[:, :rank] = own
    return effects, (sums[:, :rank] - own) / np.sqrt(size)


def place(out: dict[str, np.ndarray], term: Term, values: np.ndarray) -> None:
    """Put the values of a term where its variable expects them; a vector-valued variable collects its positions."""
    if term.at == WHOLE:
        out[term.variable] = values
    else:
        stacked = values[:, None, :]
        before = out.get(term.variable)
        out[term.variable] = stacked if before is None else np.concatenate([before, stacked], axis=1)
