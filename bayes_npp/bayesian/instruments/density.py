"""The collapsed posterior of a model with instruments: coefficients of both equations integrated out exactly.

x = W a + v and y = V c + u, v and u jointly normal. With u = k v + e, e independent of v, and k given, y - k x =
V c - k W a + e is linear in all coefficients, and so is the stacked system. Theta has scales, serial correlations and
z = k s_v / s_e. See docs/statistics.md, section 10.4.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.packed import Layout, Priors, Products
from bayes_npp.bayesian.collapsed.products import cross_products
from bayes_npp.bayesian.collapsed.theta import Element, encode, lay_out
from bayes_npp.bayesian.instruments.equations import (
    Equations,
    check_iv_priors,
    exposure_terms,
    outcome_terms,
    renamed,
    with_exclusion_prior,
)
from bayes_npp.bayesian.model.terms import WHOLE, Term
from bayes_npp.bayesian.priors.sets import PriorSet

CELLS = 2_000_000  # of the units' cross-products at as many theta as are evaluated at once
STEP = 1e-5  # of the differences that make a gradient
CLIMBS = 5  # points on the way to the centre from which a climb to a mode may begin
NOWHERE = 1e12  # less the log density, to BFGS, where there is none
KEPT = ("exposure_slope", "slope_offset", "control_slope", "exclusion", "first_stage", "exposure_control_slope")


class At(NamedTuple):
    """The stacked system at S theta, units eliminated: p coefficients, scaled by their prior SDs."""

    factor: np.ndarray  # (S, p, p) lower Cholesky factor of A = S H S, plus one where a coefficient is not flat
    mean: np.ndarray  # (S, p) A^-1 r
    sds: np.ndarray  # (S, p)
    log_likelihood: np.ndarray  # (S,)


@dataclass(frozen=True)
class CollapsedInstruments:
    """A collapsed posterior of both equations; what the importance engine asks of one.

    Attributes
    ----------
    equations : Equations
    columns : tuple of Term
        First stage's, then the outcome's; the order of the coefficients.
    n_first : int
        Columns of the first stage.
    elements : tuple of Element
        Theta. The element "error_sd" is sampled as the SD of e, and its prior is that of u.
    products : Products
        Of [W, x, V, y] less prior means; effects of units are one column of ones.
    layout : Layout
        Of the stacked coefficients.
    unit_scales : tuple of int
        Elements with the SDs of units' effects in the exposure's and in the outcome's equation, or `FLAT_SD`; empty
        without effects of units.
    autocorrelations : tuple of int
        Elements of v's and e's; empty where errors are independent.
    priors : Priors
    prior_means : ndarray, shape (p,)
    """

    equations: Equations
    columns: tuple[Term, ...]
    n_first: int
    elements: tuple[Element, ...]
    products: Products
    layout: Layout
    unit_scales: tuple[int, ...]
    autocorrelations: tuple[int, ...]
    priors: Priors
    prior_means: np.ndarray

    @property
    def size(self) -> int:
        """Dimension of theta."""
        return len(self.elements)

    @property
    def start(self) -> np.ndarray:
        """Scales of the order of their priors, errors uncorrelated; shape (d,)."""
        return np.zeros(self.size)

    @cached_property
    def at(self) -> dict[str, int]:
        """Where each variable is in theta."""
        return {element.variable: j for j, element in enumerate(self.elements)}

    @cached_property
    def constant(self) -> float:
        """-(2 n - flat coefficients) log(2 pi) / 2."""
        flat = int((self.layout.column_scale == kernel.FLAT_SD).sum())
        flat += len(self.equations.design.units) * self.unit_scales.count(kernel.FLAT_SD)
        return -0.5 * (2 * self.equations.design.n_obs - flat) * float(np.log(2 * np.pi))

    def log_density(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log posterior density of theta on the unconstrained scale, and its gradient by central differences."""
        steps = STEP * np.eye(self.size)
        values = self.evaluate(np.vstack([theta, theta + steps, theta - steps]))[0]
        ahead, behind = values[1:].reshape(2, -1)
        with np.errstate(invalid="ignore", over="ignore"):  # where there is no density
            return float(values[0]), (ahead - behind) / (2 * STEP)

    def climb(self, start: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Where a climb ends, the log density there (NaN where there is none) and the largest slope.

        Far out there is no density. A climb that leaves for there stops on a slope, and begins again half as far out.
        """
        from scipy.optimize import minimize

        def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.log_density(theta)
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                return NOWHERE, np.zeros_like(gradient)
            return -value, -gradient

        for nearer in 0.5 ** np.arange(CLIMBS):
            begin = self.start + nearer * (start - self.start)
            with np.errstate(over="ignore", invalid="ignore"):  # of steps along a gradient that is out of all bounds
                found = minimize(downhill, begin, jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 200})
            slope = float(np.abs(found.jac).max())
            if found.fun < NOWHERE and slope <= 1.0:
                break
        return found.x, np.nan if found.fun >= NOWHERE else -float(found.fun), slope

    def evaluate(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log posterior density (S,), and the coefficients' means (S, p) less their prior means, at theta (S, d)."""
        found = self.given(thetas)
        return found.log_likelihood + self.log_prior(thetas), found.mean * found.sds

    def log_likelihoods(self, thetas: np.ndarray) -> np.ndarray:
        """Collapsed log likelihood at theta (S, d), shape (S,)."""
        return self.given(thetas).log_likelihood

    def log_prior(self, thetas: np.ndarray) -> np.ndarray:
        """Log prior density of theta (S, d), Jacobian included, shape (S,)."""
        thetas = np.ascontiguousarray(thetas)
        out = np.empty(len(thetas))
        kernel.log_priors(thetas, self.layout, self.priors, 1, out)
        # What is sampled is the SD of e; the prior is of u's, which is sqrt(1 + z^2) times it.
        prior, own = self.elements[self.at["error_sd"]].prior, self._natural(thetas)
        z, independent = own[:, self.at["endogeneity"]], own[:, self.at["error_sd"]]
        stretch = np.hypot(1.0, z)
        return out + np.log(stretch) + prior.log_density(independent * stretch) - prior.log_density(independent)

    def _natural(self, thetas: np.ndarray) -> np.ndarray:
        """Values of theta (S, d) on their natural scale."""
        out = thetas.copy()
        for j, support in enumerate(self.priors.support):
            if support == kernel.POSITIVE:
                out[:, j] = self.priors.upper[j] * np.logaddexp(0.0, thetas[:, j])
            elif support == kernel.INTERVAL:
                lower, upper = self.priors.lower[j], self.priors.upper[j]
                out[:, j] = lower + (upper - lower) * expit(thetas[:, j])
        return out

    def constrained(self, thetas: np.ndarray) -> dict[str, np.ndarray]:
        """Scales and shapes from theta (S, d): `error_sd` is u's; `error_correlation` is that of u and v."""
        natural = self._natural(thetas)
        out = {element.variable: natural[:, j] for j, element in enumerate(self.elements)}
        stretch = np.hypot(1.0, out["endogeneity"])
        return {**out, "error_sd": out["error_sd"] * stretch, "error_correlation": out["endogeneity"] / stretch}

    def theta_of(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Theta (S, d) of scales and shapes (S,): the inverse of `constrained`."""
        own = {**values, "error_sd": values["error_sd"] / np.hypot(1.0, values["endogeneity"])}
        out = np.stack([own[element.variable] for element in self.elements], axis=1)
        for j, support in enumerate(self.priors.support):
            if support == kernel.POSITIVE:
                scaled = out[:, j] / self.priors.upper[j]
                out[:, j] = scaled + np.log(-np.expm1(-scaled))
            elif support == kernel.INTERVAL:
                share = (out[:, j] - self.priors.lower[j]) / (self.priors.upper[j] - self.priors.lower[j])
                out[:, j] = np.log(share) - np.log1p(-share)
        return out

    def given(self, thetas: np.ndarray) -> At:
        """The stacked system at theta (S, d)."""
        rows, _, _, width = self.products.unit_cross.shape
        step = max(1, CELLS // max(1, rows * width + width * width))
        # At the unit root, and where a scale overflows, there is no density: no number comes back.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            parts = [self._given(thetas[k : k + step]) for k in range(0, len(thetas), step)]
        return At(*(np.concatenate(pieces) for pieces in zip(*parts, strict=True)))

    def _given(self, thetas: np.ndarray) -> At:
        own, products = self._natural(thetas), self.products
        s_v, s_e = own[:, self.at["exposure_error_sd"]], own[:, self.at["error_sd"]]
        k = own[:, self.at["endogeneity"]] * s_e / s_v
        half_log = products.n_obs[0] * (np.log(s_v) + np.log(s_e))
        weights = []
        for number, sd in enumerate((s_v, s_e)):
            rho = own[:, self.autocorrelations[number]] if self.autocorrelations else np.zeros(len(own))
            weight, log_determinant = _error_weights(rho, products, bool(self.autocorrelations))
            weights.append(weight / sd[:, None] ** 2)
            half_log = half_log + log_determinant
        total_v, total_e = (np.einsum("sm,mab->sab", weight, products.total[0]) for weight in weights)
        system = _stacked(total_v, total_e, k, self.n_first)
        if self.unit_scales:
            system, log_units = self._without_units(system, weights, k, own)
            half_log = half_log + log_units
        sds = self._coefficient_sds(own)
        scaled = system[:, :-1, :-1] * sds[:, :, None] * sds[:, None, :]
        p = sds.shape[1]
        scaled[:, range(p), range(p)] += self.layout.column_scale != kernel.FLAT_SD
        factor = _cholesky(scaled)
        right = sds * system[:, :-1, -1]
        half = np.linalg.solve(factor, right[:, :, None])[:, :, 0]
        mean = np.linalg.solve(factor.transpose(0, 2, 1), half[:, :, None])[:, :, 0]
        half_log = half_log + np.log(np.einsum("saa->sa", factor)).sum(axis=1)
        quadratic = system[:, -1, -1] - (half**2).sum(axis=1)
        return At(factor, mean, sds, self.constant - half_log - 0.5 * quadratic)

    def _coefficient_sds(self, own: np.ndarray) -> np.ndarray:
        """Prior SDs of the coefficients, 1 where they are flat, shape (S, p)."""
        code, known = self.layout.column_scale, self.layout.column_sd
        sds = np.where(code == kernel.FLAT_SD, 1.0, known) * np.ones((len(own), 1))
        free = np.flatnonzero(code >= 0)
        sds[:, free] = np.hypot(own[:, code[free]], known[free])
        return sds

    def _without_units(
        self, system: np.ndarray, weights: list[np.ndarray], k: np.ndarray, own: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The system less the effects of units, two a unit, and half the log determinants of theirs, shape (S,)."""
        products, n_first = self.products, self.n_first
        gram_v, gram_e = (np.einsum("sm,rm->sr", w, products.unit_gram[:, :, 0, 0]) for w in weights)
        cross_v, cross_e = (np.einsum("sm,rma->sra", w, products.unit_cross[:, :, 0]) for w in weights)
        by_k = k[:, None]
        sds = [1.0 if j == kernel.FLAT_SD else own[:, [j]] for j in self.unit_scales]
        inner = np.empty((*gram_v.shape, 2, 2))
        inner[..., 0, 0] = sds[0] ** 2 * (gram_v + by_k**2 * gram_e)
        inner[..., 0, 1] = inner[..., 1, 0] = -sds[0] * sds[1] * by_k * gram_e
        inner[..., 1, 1] = sds[1] ** 2 * gram_e
        for a, j in enumerate(self.unit_scales):
            inner[..., a, a] += j != kernel.FLAT_SD
        e = _joined(cross_e, k, n_first)
        v = np.zeros_like(e)
        v[..., :n_first], v[..., -1] = cross_v[..., :n_first], cross_v[..., n_first]
        # A unit's own columns, weighted, times all others: exposure's equation, then outcome's.
        cross = np.stack(
            [(v - by_k[..., None] * e) * np.asarray(sds[0])[..., None], e * np.asarray(sds[1])[..., None]], axis=2
        )
        factor = _cholesky(inner)
        half = np.linalg.solve(factor, cross)
        flat = half.reshape(len(half), -1, half.shape[-1])
        logs = np.log(np.einsum("sraa->sra", factor)).sum(axis=2) @ products.unit_count
        return system - flat.transpose(0, 2, 1) @ flat, logs

    def coefficients(self, thetas: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """Exact draws of the slopes of both equations given draws of theta (S, d), with scales and shapes."""
        found = self.given(thetas)
        noise = np.random.default_rng(seed).standard_normal(found.mean.shape)
        drawn = found.mean + np.linalg.solve(found.factor.transpose(0, 2, 1), noise[:, :, None])[:, :, 0]
        values = drawn * found.sds + self.prior_means
        out, at = self.constrained(thetas), 0
        for term in self.columns:
            if term.variable in KEPT:
                own = term.values(values[:, at : at + term.width])
                out[term.variable] = own[:, 0] if term.variable == "exposure_slope" else own
            at += term.width
        return out

    def slopes(self, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (S, G) and covariance (S, G, G) of the groups' slopes given theta (S, d), on the standardised scale."""
        found, size = self.given(thetas), max(len(self.equations.design.groups), 1)
        pick, at = np.zeros((size, len(self.prior_means))), 0
        for term in self.columns:
            if term.variable == "exposure_slope":
                pick[:, at] = 1.0
            elif term.variable == "slope_offset" and term.basis is not None:
                pick[:, at : at + term.width] = term.basis
            at += term.width
        scaled = pick * found.sds[:, None, :]
        half = np.linalg.solve(found.factor, scaled.transpose(0, 2, 1))
        mean = np.einsum("sgp,sp->sg", scaled, found.mean) + pick @ self.prior_means
        return mean, half.transpose(0, 2, 1) @ half


def collapse_instruments(equations: Equations, priors: PriorSet) -> CollapsedInstruments:
    """Cross-products, layout and priors of the collapsed posterior.

    Raises
    ------
    SpecError
        Priors of coefficients that do not integrate out, or a flat one of the exposure's slope.
    """
    check_iv_priors(priors, len(equations.instruments))
    priors = with_exclusion_prior(priors, equations.exclusion)
    first, first_units = exposure_terms(equations, priors)
    second, second_units = outcome_terms(equations, priors)
    x_layout, _, x_means, x_elements = lay_out(equations.exposure, first, first_units, priors, ())
    y_layout, _, y_means, y_elements = lay_out(equations.outcome, second, second_units, priors, ())
    shift = len(x_elements)
    elements = (
        *(replace(element, variable=renamed(element.variable)) for element in x_elements),
        *y_elements,
        Element("endogeneity", WHOLE, priors["endogeneity"]),
    )

    def moved(codes: np.ndarray) -> np.ndarray:
        return np.where(codes >= 0, codes + shift, codes)

    layout = y_layout._replace(
        column_scale=np.concatenate([x_layout.column_scale, moved(y_layout.column_scale)]),
        column_sd=np.concatenate([x_layout.column_sd, y_layout.column_sd]),
        effect_scale=np.concatenate([x_layout.effect_scale, moved(y_layout.effect_scale)]),
    )
    exposure = Term("exposure", equations.exposure.outcome[:, None])
    products, _, _ = cross_products(equations.outcome, (*first, exposure, *second), second_units)
    means = np.concatenate([x_means, y_means])
    ar1 = y_layout.autocorrelation != kernel.ABSENT
    return CollapsedInstruments(
        equations=equations,
        columns=(*(replace(term, variable=renamed(term.variable)) for term in first), *second),
        n_first=len(x_means),
        elements=elements,
        products=_less_means(products, x_means, y_means),
        layout=layout,
        unit_scales=tuple(int(code) for code in layout.effect_scale),
        autocorrelations=(x_layout.autocorrelation, y_layout.autocorrelation + shift) if ar1 else (),
        priors=encode([element.prior for element in elements], 0),
        prior_means=means,
    )


def _less_means(products: Products, x_means: np.ndarray, y_means: np.ndarray) -> Products:
    """Products of [W, x - W m, V, y - V m] in place of [W, x, V, y]."""
    a, size = len(x_means), len(x_means) + len(y_means) + 2
    change = np.eye(size)
    change[:a, a] = -x_means
    change[a + 1 : -1, -1] = -y_means
    return products._replace(
        total=np.einsum("ia,smij,jb->smab", change, products.total, change), unit_cross=products.unit_cross @ change
    )


def _joined(columns: np.ndarray, k: np.ndarray, n_first: int) -> np.ndarray:
    """[-k W, V, y - k x] from columns [W, x, V, y] on the last axis, k of the first axis; shape (S, ..., p + 1)."""
    k = k.reshape(-1, *([1] * (columns.ndim - 1)))
    first, x, second, y = np.split(columns, [n_first, n_first + 1, columns.shape[-1] - 1], axis=-1)
    return np.concatenate([-k * first, second, y - k * x], axis=-1)


def _stacked(total_v: np.ndarray, total_e: np.ndarray, k: np.ndarray, n_first: int) -> np.ndarray:
    """Cross-products of the stacked system's columns and its target, shape (S, p + 1, p + 1), from both equations'."""
    once = _joined(total_e, k, n_first)
    out = _joined(once.transpose(0, 2, 1), k, n_first).transpose(0, 2, 1)
    own = np.ix_(range(len(out)), [*range(n_first), out.shape[1] - 1], [*range(n_first), out.shape[1] - 1])
    out[own] += total_v[:, : n_first + 1, : n_first + 1]
    return out


def _error_weights(rho: np.ndarray, products: Products, serial: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the pieces of R^-1 with innovations of SD one, shape (S, M), and log|R| / 2, (S,), at S rho."""
    if not serial:
        return np.ones((len(rho), 1)), np.zeros(len(rho))
    out = np.empty((len(rho), 1 + 3 * len(products.gaps)))
    out[:, 0] = (1.0 - rho) * (1.0 + rho)
    half_log = -0.5 * products.n_first * np.log(out[:, 0])
    for h, gap in enumerate(products.gaps):
        variance = sum(rho ** (2 * step) for step in range(int(gap)))
        out[:, 1 + 3 * h] = 1.0 / variance
        out[:, 2 + 3 * h] = rho ** (2 * int(gap)) / variance
        out[:, 3 + 3 * h] = -(rho ** int(gap)) / variance
        half_log = half_log + 0.5 * products.n_gaps[h] * np.log(variance)
    return out, half_log


def _cholesky(matrices: np.ndarray) -> np.ndarray:
    """Lower factors (..., q, q); NaN where a matrix is not positive definite."""
    try:
        return np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        flat = matrices.reshape(-1, *matrices.shape[-2:])
        out = np.full(flat.shape, np.nan)
        for k, own in enumerate(flat):
            try:
                out[k] = np.linalg.cholesky(own)
            except np.linalg.LinAlgError:
                continue
        return out.reshape(matrices.shape)
