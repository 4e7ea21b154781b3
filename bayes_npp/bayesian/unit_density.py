"""log p(y_i | y_-i, theta) of every unit: the collapsed likelihood with the unit's cross-products taken out."""

import numpy as np
from scipy.special import logsumexp

from bayes_npp.bayesian import kernel
from bayes_npp.bayesian.collapsed import Collapsed
from bayes_npp.bayesian.priors import PriorSet
from bayes_npp.bayesian.products import cross_products
from bayes_npp.bayesian.terms import terms

# The grid over a unit's own scale: prior SDs to each side, step in posterior SDs of a log scale, points at most.
REACH, STEP, MOST = 6.0, 0.8, 401


class UnitDensity:
    """The data of every unit as cross-products of its own.

    Where units have error scales of their own, the density of a unit averages its scale over the prior given theta: a
    unit not seen has no other. The cost is linear in the number of units.

    Parameters
    ----------
    collapsed : Collapsed
        Without fixed effects of units.
    priors : PriorSet
        Its priors.
    """

    def __init__(self, collapsed: Collapsed, priors: PriorSet) -> None:
        data = collapsed.data
        names = {term.variable for term in collapsed.columns}
        kept = tuple(term for term in terms(data, priors) if term.variable not in names)
        products, self.cross, self.gram = cross_products(data, (*collapsed.columns, *kept), collapsed.effects, True)
        self.collapsed, self.total = collapsed, products.total
        self.n_rows = products.n_obs
        later = data.gaps > 0
        self.n_gaps = np.stack(
            [
                np.bincount(data.design.unit[later & (data.gaps == gap)], minlength=len(self.n_rows))
                for gap in products.gaps
            ]
            or [np.zeros(len(self.n_rows))]
        )
        self.gaps = products.gaps
        self.constants = -0.5 * self.n_rows * np.log(2 * np.pi)
        if data.se is not None:
            self.constants = self.constants - np.bincount(data.design.unit, weights=np.log(data.se))

    def points(self, thetas: np.ndarray) -> int:
        """Points of the grid over a unit's own scale; 1 where units share theirs."""
        if self.collapsed.layout.unit_scales < 0:
            return 1
        spread = np.quantile(self.collapsed.constrained(thetas)["unit_scale_sd"], 0.99)
        step = STEP / max(spread * np.sqrt(2 * self.n_rows.max()), 1e-12)
        return int(np.clip(np.ceil(2 * REACH / min(step, 0.5)) + 1, 25, MOST))

    def __call__(self, thetas: np.ndarray) -> np.ndarray:
        """Log density of every unit's rows given those of the others, at draws of theta (S, d); shape (S, N)."""
        grid = np.linspace(-REACH, REACH, self.points(thetas)) if self.collapsed.layout.unit_scales >= 0 else None
        return np.stack([self._at(theta, grid) for theta in thetas])

    def _at(self, theta: np.ndarray, grid: np.ndarray | None) -> np.ndarray:
        layout, priors = self.collapsed.layout, self.collapsed.priors
        values, scratch = np.empty(len(theta)), np.empty(len(theta))
        kernel.constrain(theta, priors, values, scratch)
        log_scale = np.empty(len(self.n_rows))
        kernel.unit_scale_logs(theta, values, layout, len(log_scale), log_scale)
        piece, half_error = np.ones(self.total.shape[1]), np.zeros(len(self.n_rows))
        if layout.autocorrelation >= 0:
            rho = values[layout.autocorrelation]
            kernel.error_weights(rho, self.gaps, piece, np.empty_like(piece))
            half_error -= 0.5 * np.log((1 - rho) * (1 + rho))
            for gap, count in zip(self.gaps, self.n_gaps, strict=True):
                half_error += 0.5 * count * np.log(kernel.innovation(rho, gap)[0])
        q = self.gram.shape[-1]
        factor = np.empty((q, q))
        kernel.effect_factor(values, layout, factor)
        change = self._change(values)
        own = change.T @ np.einsum("m,imab->iab", piece, self.total) @ change
        cross = factor.T @ np.einsum("m,imqa->iqa", piece, self.cross) @ change
        gram = factor.T @ np.einsum("m,imqr->iqr", piece, self.gram) @ factor
        proper = np.append(layout.column_scale != -2, False).astype(float)

        def contribution(log_scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Products of units with their effects eliminated, (..., N, p + 1, p + 1), and their own log density."""
            w = np.exp(-2 * log_scale)[..., None, None]
            lower = np.linalg.cholesky(w * gram + np.eye(q))
            half = np.linalg.solve(lower, w * cross)
            log_determinant = np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
            density = self.constants - log_determinant - half_error - self.n_rows * log_scale
            return w * own - np.swapaxes(half, -1, -2) @ half, density

        products, density = contribution(log_scale)
        rest = products.sum(axis=0) - products
        without = _value(rest, proper)
        if grid is None:
            return _value(products.sum(axis=0), proper) - without + density
        out = np.empty((len(grid), len(log_scale)))
        common, spread = np.log(values[layout.error_scale]), values[layout.unit_spread]
        for k, z in enumerate(grid):
            products, density = contribution(np.full(len(log_scale), common + spread * z))
            out[k] = _value(rest + products, proper) + density - 0.5 * z**2
        return logsumexp(out, axis=0) + np.log((grid[1] - grid[0]) / np.sqrt(2 * np.pi)) - without

    def _change(self, values: np.ndarray) -> np.ndarray:
        """[W, X, y] times it = columns in units of their coefficients' SDs, and y less prior means and kept columns."""
        layout, means = self.collapsed.layout, self.collapsed.prior_means
        p, size = len(means), self.total.shape[-1]
        sds, out = np.empty(p), np.zeros((size, p + 1))
        kernel.coefficient_sds(values, layout, sds)
        out[:p, :p] = np.diag(sds)
        out[:p, p] = -means
        out[p : size - 1, p] = -values[layout.kept]
        out[-1, p] = 1.0
        return out


def _value(products: np.ndarray, proper: np.ndarray) -> np.ndarray:
    """-log|A| / 2 - (y'y - r'A^-1 r) / 2 from products (..., p + 1, p + 1) of scaled columns and outcome.

    Both are in one Cholesky factor, of A with r and y'y as its last row: its last pivot is the quadratic form.
    """
    diagonal = np.diagonal(np.linalg.cholesky(products + np.diag(proper)), axis1=-2, axis2=-1)
    return -np.log(diagonal[..., :-1]).sum(axis=-1) - 0.5 * diagonal[..., -1] ** 2
