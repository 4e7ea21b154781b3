"""State of one equation in a sweep of the Gibbs sampler: scales, coefficients, what it says of missing cells."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.mediation.imputation import PARTS, Entering, Equation, cells_given
from bayes_npp.bayesian.model.terms import WHOLE, terms
from bayes_npp.bayesian.priors.sets import PriorSet

LEAPFROG = 5  # steps of a Hamiltonian trajectory, and where theta has many elements
LEAPFROG_OF_MANY, MANY = 8, 8
STEP = (0.35, 0.65)  # range of their length, in SDs of theta


@dataclass
class Block:
    """State of one equation: what `sweep` changes."""

    name: str
    equation: Equation
    priors: PriorSet
    collapsed: Collapsed
    theta: np.ndarray
    factor: np.ndarray
    coefficients: np.ndarray
    effects: np.ndarray

    def complete(self, cells: dict[str, np.ndarray]) -> None:
        """Put cells into the equation's data."""
        if not (len(self.equation.own) or self.equation.entering):
            return
        data, more = self.equation.completed(cells)
        self.collapsed = self.collapsed.with_data(data, (*terms(data, self.priors), *more))

    def move(self, random: np.random.Generator) -> bool:
        """Draw theta (one trajectory) and the coefficients; whether the trajectory was accepted."""
        packed = self.collapsed.packed
        self.theta, accepted = trajectory(self.theta, packed, self.factor, random)
        one = self.theta[None]
        drawn = np.empty((1, len(self.collapsed.prior_means)))
        kernel.draw_coefficients(one, random.standard_normal(drawn.shape), packed, drawn, np.empty(1))
        self.coefficients = drawn[0]
        if self.collapsed.effects:
            self.effects = self.collapsed.draw_units(one, drawn, random)[0]
        return accepted

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Scales and shapes, constrained."""
        return {name: array[0] for name, array in self.collapsed.constrained(self.theta[None]).items()}

    def slopes(self) -> dict[str, np.ndarray]:
        """Coefficients by variable, those of effects left out; `control_offset` stacked over varying controls."""
        out: dict[str, np.ndarray] = {}
        offsets, at = [], 0
        whole = self.coefficients + self.collapsed.prior_means
        for term in self.collapsed.columns:
            block = whole[at : at + term.width]
            at += term.width
            if term.at != WHOLE:
                offsets.append(term.values(block))
            else:
                out[term.variable] = block
        return {**out, "control_offset": np.array(offsets)}

    def errors(self) -> np.ndarray:
        """Outcome less its mean, shape (n,)."""
        collapsed = self.collapsed
        whole = self.coefficients + collapsed.prior_means
        errors, at = collapsed.data.outcome.copy(), 0
        for term in collapsed.columns:
            part = term.columns @ whole[at : at + term.width]
            errors -= part if term.index is None else part[term.index]
            at += term.width
        return errors - self.effects.sum(axis=1)[collapsed.data.design.unit]

    def of_own(self) -> tuple[np.ndarray, np.ndarray]:
        """What the equation says of the missing cells it explains."""
        columns, means, precision = self._columns()
        rows, scales = self.equation.own, self.collapsed.data.design.scales
        known = self.collapsed.data.outcome.copy()
        known[rows] = -scales.outcome_mean / scales.outcome_sd
        loadings = np.zeros((len(known), len(rows)))
        loadings[rows, np.arange(len(rows))] = -1.0
        return cells_given(self.equation.data, loadings, known, columns, means, precision, self.values)

    def of_entering(self, one: Entering, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the equation says of missing cells that enter it, given the coefficients that multiply them."""
        columns, means, precision = self._columns()
        held = np.zeros(len(means), dtype=bool)
        at = 0
        for term in self.collapsed.columns:
            if term.variable in PARTS.values() or (term.variable == "control_offset" and term.at == one.varying):
                held[at : at + term.width] = True
            elif term.variable == "control_slope":
                held[at + one.control] = True
            at += term.width
        whole = np.append(self.coefficients + self.collapsed.prior_means, np.zeros(len(means) - at))
        loadings = self.equation.loadings(one, self.slopes())
        rest = self.collapsed.data.outcome - columns[:, held] @ whole[held] + loadings @ cells
        return cells_given(
            self.equation.data, loadings, rest, columns[:, ~held], means[~held], precision[~held], self.values
        )

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns of all coefficients, units' dummies last, their prior means and precisions given theta."""
        collapsed, layout = self.collapsed, self.collapsed.layout
        design = collapsed.data.design
        constrained, sds = np.empty(len(self.theta)), np.empty(len(collapsed.prior_means))
        kernel.constrain(self.theta, collapsed.priors, constrained, np.empty(len(self.theta)))
        kernel.coefficient_sds(constrained, layout, sds)
        precision = np.where(layout.column_scale == kernel.FLAT_SD, 0.0, sds**-2.0)
        columns, means = [term.rows(slice(None)) for term in collapsed.columns], collapsed.prior_means
        for code in layout.effect_scale:
            columns.append((design.unit[:, None] == np.arange(len(design.units))).astype(float))
            own = 0.0 if code == kernel.FLAT_SD else constrained[code] ** -2.0
            precision = np.append(precision, np.full(len(design.units), own))
            means = np.append(means, np.zeros(len(design.units)))
        return np.hstack(columns), means, precision


def trajectory(
    theta: np.ndarray, packed: np.ndarray, factor: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """One Hamiltonian trajectory of the collapsed density in coordinates theta = factor z."""
    gradient = np.empty(len(theta))
    size = random.uniform(*STEP) * min(1.0, (MANY / len(theta)) ** 0.25)
    steps = LEAPFROG if len(theta) <= MANY else LEAPFROG_OF_MANY
    momentum = random.standard_normal(len(theta))
    now = kernel.log_density(theta, packed, gradient, False)
    energy = now - 0.5 * momentum @ momentum
    new, push = theta, momentum + 0.5 * size * (factor.T @ gradient)
    for step in range(steps):
        new = new + size * (factor @ push)
        value = kernel.log_density(new, packed, gradient, False)
        push = push + (1.0 if step < steps - 1 else 0.5) * size * (factor.T @ gradient)
    change = value - 0.5 * push @ push - energy
    if np.isfinite(change) and np.log(random.random()) < change:
        return new, True
    return theta, False
