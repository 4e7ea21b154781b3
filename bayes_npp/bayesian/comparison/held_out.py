"""log p(held-out rows | all other rows, theta) for every row, or every unit, at once: coefficients integrated exactly.

Given theta the outcome is normal. With P its precision and e its distance from its prior mean, a block b of rows given
all others has the precision P_bb and deviates from its mean by P_bb^-1 (P e)_b. With C_i the covariance of a unit's own
part (errors and effects) and A = s W'C^-1 W s + 1, P = C^-1 - C^-1 W s A^-1 s W'C^-1: linear in the rows. See
docs/statistics.md, section 2.

The same precision regresses other outcomes on the model's columns: what a mediation needs where errors of its equations
correlate (section 3).

References
----------
Buerkner, Gabry & Vehtari (2021), Computational Statistics: held-out densities of models that do not factorise.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.loadings import CollapsedLoadings
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.model.terms import terms
from bayes_npp.bayesian.priors.sets import PriorSet

CELLS = 100_000  # of columns at the draws of theta that are made at a time, 0.8 MB
LOG_2PI = float(np.log(2 * np.pi))
# The grid over a unit's own scale: prior SDs to each side, step in posterior SDs of its log, fewest and most points.
# The trapezoid rule on a smooth integrand converges faster than any power of the step.
REACH, STEP, POINTS = 6.0, 0.5, (49, 801)


class HeldOut:
    """The rows of a collapsed posterior, unit by unit, padded to the longest with rows that say nothing.

    Parameters
    ----------
    collapsed : Collapsed
    priors : PriorSet
        Its priors.
    """

    def __init__(self, collapsed: Collapsed, priors: PriorSet) -> None:
        data = collapsed.data
        names = {term.variable for term in collapsed.columns}
        kept = [term for term in terms(data, priors) if term.variable not in names]
        rows = slice(None)
        columns = [term.rows(rows) for term in (*collapsed.columns, *kept)]
        counts = np.diff(np.append(data.segments, data.design.n_obs))
        self.collapsed, self.counts = collapsed, counts
        self.unit = data.design.unit
        self.position = np.arange(data.design.n_obs) - data.segments[self.unit]
        effects = [np.empty((len(self.unit), 0)), *(term.rows(rows) for term in collapsed.effects)]
        self.kept, self.kept_at = tuple(kept), np.arange(len(collapsed.prior_means), sum(c.shape[1] for c in columns))
        self.columns = self._pad(np.column_stack([*columns, data.outcome]))
        self.effects = self._pad(np.column_stack(effects))
        self.gaps = self._pad(data.gaps)
        self.present = self._pad(np.ones(len(self.unit), dtype=bool))
        self.padding = self.counts.max() - self.counts
        self.log_se = self._pad(np.zeros(len(self.unit)) if data.se is None else np.log(data.se))
        weight = np.exp(-self.log_se)[..., None]
        self.columns, self.effects, self.weight = self.columns * weight, self.effects * weight, weight
        self.effect_scale = collapsed.layout.effect_scale
        if isinstance(collapsed, CollapsedLoadings):
            self.effect_scale = collapsed.loading_layout.effect_scale

    def _pad(self, values: np.ndarray) -> np.ndarray:
        """Values of rows (n, ...) as (N, T, ...), zero beyond a unit's rows."""
        out = np.zeros((len(self.counts), self.counts.max(), *values.shape[1:]), dtype=values.dtype)
        out[self.unit, self.position] = values
        return out

    def rows(self, thetas: np.ndarray) -> np.ndarray:
        """Log density of every row given all others, at draws of theta (S, d); shape (S, n)."""
        out = np.empty((len(thetas), len(self.unit)))
        for draw, at in enumerate(self._each(thetas)):
            precision = np.diagonal(at.own, axis1=1, axis2=2) - (at.shared**2).sum(axis=-1)
            deviation = at.deviation[self.unit, self.position] ** 2
            known = precision[self.unit, self.position]
            out[draw] = 0.5 * (np.log(known) - deviation / known - LOG_2PI)
        return out - self.log_se[self.unit, self.position]

    def units(self, thetas: np.ndarray, given_scale: bool = False) -> np.ndarray:
        """Log density of every unit's rows given those of all others, at draws of theta (S, d); shape (S, N).

        Where units have error scales of their own, the unit's is integrated over its prior given theta: a unit not seen
        has no other. With `given_scale` it is theta's. Effects of units must not be flat.
        """
        constant = -0.5 * self.counts * LOG_2PI - self.log_se.sum(axis=1)
        out = np.empty((len(thetas), len(self.counts)))
        for draw, at in enumerate(self._each(thetas)):
            precision = at.own - at.shared @ np.swapaxes(at.shared, 1, 2)
            if given_scale or self.collapsed.layout.unit_scales == kernel.ABSENT:
                lower = np.linalg.cholesky(precision)
                square = np.linalg.solve(lower, at.deviation[..., None])[..., 0]
                out[draw] = _half_log(lower) - 0.5 * (square**2).sum(axis=1) + self.padding * np.log(at.scale)
            else:
                out[draw] = self._over_scales(at, precision)
        return out + constant

    def regressed(
        self, thetas: np.ndarray, outcomes: np.ndarray, slopes: frozenset[str] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Other outcomes, of prior mean zero, on the model's columns, at draws of theta (S, d).

        With `slopes`, what all else explains of them by generalised least squares, as if its priors were flat, is taken
        from them first: effects, and columns whose coefficients are in theta.

        Parameters
        ----------
        outcomes : ndarray, shape (S, n, K)
        slopes : set of str, optional
            Variables of the posterior that are no effects.

        Returns
        -------
        coefficients : ndarray, shape (S, p, K)
            Means of the collapsed coefficients.
        kept : ndarray, shape (S, k, K)
            Those of the columns whose coefficients are in theta, zero without `slopes`.
        products : ndarray, shape (S, K)
            u'P e, u the outcomes, P the precision and e the deviation of the model's own outcome.
        squares : ndarray, shape (S, K, K)
            u'P u.
        """
        n_draws, p, k, n_kept = len(thetas), len(self.collapsed.prior_means), outcomes.shape[2], len(self.kept_at)
        effects = np.repeat(
            [slopes is not None and term.variable not in slopes for term in self.collapsed.columns],
            [term.width for term in self.collapsed.columns],
        )
        taken = np.append(effects, np.ones(n_kept, dtype=bool))
        coefficients, kept = np.empty((n_draws, p, k)), np.zeros((n_draws, n_kept, k))
        products, squares = np.empty((n_draws, k)), np.empty((n_draws, k, k))
        both = ((0, 1), (0, 1))
        same, flat = self._same_errors, None
        for draw, found in enumerate(self._each(thetas)):
            at, u = found.means, self._pad(outcomes[draw]) * self.weight
            if slopes is not None:
                flat = flat if flat and same else _flat_means(at)
                means = flat.inverse @ np.tensordot(flat.weighted, u, axes=both)
                of_units = flat.of_units @ (u - at.columns @ means)
                u = u - at.columns[..., taken] @ means[taken] - at.acts @ of_units
                kept[draw] = means[p:]
            white = np.linalg.solve(at.factor, np.tensordot(at.moved, u, axes=both))
            coefficients[draw] = at.sds[:, None] * np.linalg.solve(at.factor.T, white)
            products[draw] = np.tensordot(found.deviation, u, axes=both)
            squares[draw] = np.tensordot(u, found.own @ u, axes=both) - white.T @ white
        return coefficients, kept, products, squares

    @property
    def _same_errors(self) -> bool:
        """Whether errors have one scale and no memory: least squares are then the same at every theta."""
        layout = self.collapsed.layout
        absent = layout.autocorrelation == kernel.ABSENT and layout.unit_scales == kernel.ABSENT
        return absent and not isinstance(self.collapsed, CollapsedLoadings)

    def _over_scales(self, at: "_AtTheta", precision: np.ndarray) -> np.ndarray:
        """Log density of units, up to the constant, integrated over the prior of each unit's scale.

        The covariance is scale^2 R and the rest; in the basis where R is one and the rest diagonal any scale is cheap.
        """
        covariance = np.linalg.inv(precision)
        whiten = np.linalg.cholesky(at.inverse)
        values, rotation = np.linalg.eigh(np.swapaxes(whiten, 1, 2) @ covariance @ whiten)
        rest = np.maximum(values - at.scale[:, None] ** 2, 0.0)
        squares = (np.swapaxes(whiten @ rotation, 1, 2) @ covariance @ at.deviation[..., None])[..., 0] ** 2
        layout = self.collapsed.layout
        spread, common = at.values[layout.unit_spread], np.log(at.values[layout.error_scale])
        step = min(STEP / (spread * np.sqrt(2 * self.counts.max())), 1.0)
        z = np.linspace(-REACH, REACH, int(np.clip(np.ceil(2 * REACH / step), *POINTS)))
        log_scale = (common + spread * z)[:, None]
        variance = np.exp(2 * log_scale)[..., None] + rest
        density = -0.5 * (np.log(variance) + squares / variance).sum(axis=-1) - 0.5 * z[:, None] ** 2
        density += self.padding * log_scale
        highest = density.max(axis=0)
        total = highest + np.log(np.exp(density - highest).sum(axis=0))
        return _half_log(whiten) + total + np.log(z[1] - z[0]) - 0.5 * LOG_2PI

    def _each(self, thetas: np.ndarray) -> Iterator["_AtTheta"]:
        """At one theta (d,) of (S, d) after the other; some are made at a time."""
        some = max(1, CELLS // self.columns.size)
        for start in range(0, len(thetas), some):
            yield from self._at(thetas[start : start + some])

    def _at(self, thetas: np.ndarray) -> Iterator["_AtTheta"]:
        """The same of a few, all made at once."""
        layout, n_units, n_draws = self.collapsed.layout, len(self.counts), len(thetas)
        values, scratch = np.empty(thetas.shape), np.empty(thetas.shape[1])
        log_scale, changes = np.empty((n_draws, n_units)), []
        for draw, theta in enumerate(thetas):
            kernel.constrain(theta, self.collapsed.priors, values[draw], scratch)
            kernel.unit_scale_logs(theta, values[draw], layout, n_units, log_scale[draw])
            changes.append(self._change(values[draw]))
        scale, change = np.exp(log_scale), np.stack(changes)
        if isinstance(self.collapsed, CollapsedLoadings):
            parts = [self._on_grid(self.collapsed, *own) for own in zip(thetas, scale, strict=True)]
            columns, acts, inverse = (np.stack(part) for part in zip(*parts, strict=True))
            unscaled = acts
        else:
            remembers = layout.autocorrelation != kernel.ABSENT
            inverse = np.stack(
                [self._inverse_errors(own[layout.autocorrelation] if remembers else 0.0) for own in values]
            )
            columns, unscaled = (np.broadcast_to(x, (n_draws, *x.shape)) for x in (self.columns, self.effects))
            factor = np.empty((n_draws, *(self.effects.shape[-1],) * 2))
            for draw in range(n_draws):
                kernel.effect_factor(values[draw], layout, factor[draw])
            acts = unscaled @ factor[:, None]
        raw, columns = columns[..., :-1], columns @ change[:, None]
        own = errors = inverse / scale[:, :, None, None] ** 2
        reach = own @ acts
        flat = np.diag(self.effect_scale == kernel.FLAT_SD).astype(float)
        lower = np.linalg.cholesky(np.swapaxes(acts, 2, 3) @ reach + np.eye(len(flat)) - flat)
        used = np.swapaxes(np.linalg.solve(lower, np.swapaxes(reach, 2, 3)), 2, 3)
        own = own - used @ np.swapaxes(used, 2, 3)
        moved = own @ columns
        p = columns.shape[-1] - 1
        stacked = (n_draws, -1, p + 1)
        gram = np.swapaxes(columns.reshape(stacked), 1, 2) @ moved.reshape(stacked)
        priors = np.diag((layout.column_scale != kernel.FLAT_SD).astype(float))
        a_factor = np.linalg.cholesky(gram[:, :p, :p] + priors)
        shared = moved[..., :p] @ np.swapaxes(np.linalg.inv(a_factor), 1, 2)[:, None]
        white = np.linalg.solve(a_factor, gram[:, :p, p:])
        deviation = moved[..., p] - (shared @ white[:, None])[..., 0]
        sds = np.diagonal(change, axis1=1, axis2=2)[:, :p]
        for s in range(n_draws):
            means = _Means(errors[s], unscaled[s], raw[s], moved[s, ..., :p], a_factor[s], sds[s])
            yield _AtTheta(own[s], shared[s], deviation[s], inverse[s], scale[s], values[s], means)

    def _on_grid(
        self, collapsed: CollapsedLoadings, theta: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns, units' columns times their SDs, R^-1 at innovation SD one, of units that load on columns of time.

        Columns with slopes are projected in the metric of this theta, a unit's own error scale included.
        """
        at = collapsed.at(theta)
        time = collapsed.data.design.time
        columns, acts = self._pad(at.rows[self.unit, time]), self._pad(at.loaded[time])
        grid = at.precision * scale[:, None, None] ** 2
        longest = self.gaps.shape[1]
        periods = self._pad(time)
        both = self.present[:, :, None] & self.present[:, None, :]
        inverse = grid[np.arange(len(self.counts))[:, None, None], periods[:, :, None], periods[:, None, :]]
        return columns, acts, np.where(both, inverse, np.eye(longest))

    def _inverse_errors(self, rho: float) -> np.ndarray:
        """R^-1 of every unit with innovation SD one, shape (N, T, T); padded rows have variance one."""
        n_units, longest = self.gaps.shape
        if not rho:
            return np.broadcast_to(np.eye(longest), (n_units, longest, longest))
        later = self.gaps > 0
        innovation = np.where(later, 0.0, 1 / ((1 - rho) * (1 + rho)))
        for gap in np.unique(self.gaps[later]):
            innovation[self.gaps == gap] = kernel.innovation(rho, gap)[0]
        innovation[~self.present] = 1.0
        r = np.where(later, rho**self.gaps, 0.0)
        out = np.zeros((n_units, longest, longest))
        at = np.arange(longest)
        out[:, at, at] = 1 / innovation
        out[:, at[:-1], at[:-1]] += (r**2 / innovation)[:, 1:]
        out[:, at[1:], at[:-1]] = out[:, at[:-1], at[1:]] = -(r / innovation)[:, 1:]
        return out

    def _change(self, values: np.ndarray) -> np.ndarray:
        """[W, X, y] times it = columns in units of their coefficients' SDs, and y less prior means and kept columns."""
        layout, means = self.collapsed.layout, self.collapsed.prior_means
        p, size = len(means), self.columns.shape[-1]
        sds, out = np.empty(p), np.zeros((size, p + 1))
        kernel.coefficient_sds(values, layout, sds)
        out[:p, :p] = np.diag(sds)
        out[:p, p] = -means
        out[p : size - 1, p] = -values[layout.kept]
        out[-1, p] = 1.0
        return out


class _Means(NamedTuple):
    """At one theta: what means of coefficients are made of."""

    errors: np.ndarray  # (N, T, T) precision of the errors
    acts: np.ndarray  # (N, T, q) columns of units' own effects
    columns: np.ndarray  # (N, T, p + k) and of all other coefficients, last those that are in theta
    moved: np.ndarray  # (N, T, p) own times the first p in units of their SDs
    factor: np.ndarray  # (p, p) Cholesky factor of their precision, priors included
    sds: np.ndarray  # (p,)


class _Flat(NamedTuple):
    """Generalised least squares under flat priors: coefficients of u are inverse weighted'u, of units of_units u."""

    of_units: np.ndarray  # (N, q, T)
    weighted: np.ndarray  # (N, T, p + k)
    inverse: np.ndarray  # (p + k, p + k)


def _flat_means(at: _Means) -> _Flat:
    across = np.swapaxes(at.acts, 1, 2) @ at.errors
    of_units = np.linalg.pinv(across @ at.acts, hermitian=True) @ across
    left = at.columns - at.acts @ (of_units @ at.columns)
    weighted = at.errors @ left
    gram = np.tensordot(left, weighted, axes=((0, 1), (0, 1)))
    return _Flat(of_units, weighted, np.linalg.pinv(gram, rcond=1e-10, hermitian=True))


class _AtTheta(NamedTuple):
    """At one theta: the precision of the outcome, own - shared shared' within units, and its product with e."""

    own: np.ndarray  # (N, T, T)
    shared: np.ndarray  # (N, T, p)
    deviation: np.ndarray  # (N, T)
    inverse: np.ndarray  # (N, T, T), of the errors with innovation SD one
    scale: np.ndarray  # (N,)
    values: np.ndarray  # (d,) theta on its natural scale
    means: "_Means"


def _half_log(lower: np.ndarray) -> np.ndarray:
    """Half the log determinant of matrices (N, T, T) from their Cholesky factors."""
    return np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
