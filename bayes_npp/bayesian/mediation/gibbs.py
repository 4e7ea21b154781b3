"""Gibbs sampler of a mediation model with missing mediator cells.

Each sweep: for every equation, its scales theta given all cells (Hamiltonian steps on the collapsed density) and its
coefficients given theta (exact); for every mediator, its missing cells given the scales and the coefficients that
multiply them (exact, all others integrated out). Mediators that explain others come first, so that no coefficient is
conditioned on after the cells it was drawn with have moved. What is kept of a sweep is cells, scales and coefficients
before the cells move on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.fitting.chains import draw_chains
from bayes_npp.bayesian.fitting.predictive_checks import CHECKED_DRAWS
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.mediation.gibbs_block import MANY, Block
from bayes_npp.bayesian.mediation.imputation import Equation, draw_cells
from bayes_npp.bayesian.model.likelihood import innovations_of
from bayes_npp.bayesian.priors.sets import PriorSet

PILOT = Sampler(draws=300, tune=300, chains=2, target_accept=0.8)
SCATTER = 0.5  # SD of the noise on the cells where chains start, in SDs of the mediator
PILOT_WEIGHT = 10  # draws that the pilot's covariance counts for


@dataclass(frozen=True)
class Chains:
    """Draws of every equation.

    Attributes
    ----------
    parameters : dict of dict of ndarray
        By equation and variable of the posterior, shape (chain, draw, ...), standardised; without a mediator's cells.
    thetas : dict of ndarray, shape (chain, draw, d)
    cells : dict of ndarray, shape (chain, draw, c)
        By mediator, in SDs of its observed cells.
    log_likelihood : dict of ndarray, shape (chain, draw, n)
        Of every row given the rows of its unit before it; zero where the outcome is a missing cell.
    innovations : dict of ndarray, shape (draws, n)
        Of evenly spaced draws, in their SDs; for posterior predictive checks, completed cells included.
    checked : ndarray of int
        Which draws, chains one after the other.
    acceptance : dict of float
        Share of trajectories accepted, by equation.
    """

    parameters: dict[str, dict[str, np.ndarray]]
    thetas: dict[str, np.ndarray]
    cells: dict[str, np.ndarray]
    log_likelihood: dict[str, np.ndarray]
    innovations: dict[str, np.ndarray]
    checked: np.ndarray
    acceptance: dict[str, float]


def sample_equations(
    equations: Mapping[str, Equation], start: Mapping[str, np.ndarray], priors: PriorSet, sampler: Sampler
) -> Chains:
    """Sample equations and missing cells jointly.

    Parameters
    ----------
    equations : mapping of Equation
        By the variable they explain; a mediator that explains another before it, the outcome's last.
    start : mapping of ndarray, shape (c,)
        Missing cells of each mediator at their starting values, in SDs of its observed cells.
    priors : PriorSet
        Normal or flat for every coefficient.
    sampler : Sampler
        Draws, sweeps of warm-up, chains, seed.
    """
    with threadpool_limits(limits=1):  # matrices are small: threads of BLAS would wait for each other
        return _sample(equations, start, priors, sampler)


def _sample(
    equations: Mapping[str, Equation], start: Mapping[str, np.ndarray], priors: PriorSet, sampler: Sampler
) -> Chains:
    pilots = {name: pilot(one, start, priors, sampler.seed) for name, one in equations.items()}
    kept: dict[str, list] = {}
    accepted = dict.fromkeys(equations, 0)
    blocks: list[Block] = []
    every = max(1, sampler.chains * sampler.draws // CHECKED_DRAWS)
    for chain in range(sampler.chains):
        random = np.random.default_rng([sampler.seed, chain])
        cells = {name: u + SCATTER * random.standard_normal(len(u)) for name, u in start.items()}
        blocks = [starting_block(name, one, priors, *pilots[name], random) for name, one in equations.items()]
        warm: dict[str, list[np.ndarray]] = {name: [] for name in equations}
        for sweep in range(-sampler.tune, sampler.draws):
            for block in blocks:
                block.complete(cells)
                ok = block.move(random)
                if sweep >= 0:
                    accepted[block.name] += ok
                    keep_innovations = (chain * sampler.draws + sweep) % every == 0
                    for label, values in _record(block, keep_innovations).items():
                        kept.setdefault(f"{label} {block.name}", []).append(values)
                else:
                    warm[block.name].append(block.theta)
                    if sweep == -(sampler.tune // 3):
                        block.factor = _metric(np.array(warm[block.name][len(warm[block.name]) // 3 :]), block.factor)
            if sweep >= 0:
                for name, u in cells.items():
                    kept.setdefault(f"cells {name}", []).append(u)
            cells = new_cells(blocks, cells, random)
    lead = (sampler.chains, sampler.draws)

    def stacked(label: str) -> np.ndarray:
        whole = np.array(kept[label])
        return whole.reshape(*lead, *whole.shape[1:])

    thetas = {name: stacked(f"theta {name}") for name in equations}
    return Chains(
        parameters={block.name: _named(block, kept, lead, sampler.seed) for block in blocks},
        thetas=thetas,
        cells={name: stacked(f"cells {name}") for name in start},
        log_likelihood={name: stacked(f"log_likelihood {name}") for name in equations},
        innovations={name: np.array(kept[f"innovation {name}"]) for name in equations},
        checked=np.arange(0, sampler.chains * sampler.draws, every),
        acceptance={name: n / (lead[0] * lead[1]) for name, n in accepted.items()},
    )


def new_cells(blocks: list[Block], cells: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, np.ndarray]:
    """Missing cells of every mediator in turn, given the others."""
    out = dict(cells)
    for block in blocks:
        name = block.name
        if not len(block.equation.own):
            continue
        found = [block.of_own()]
        found += [
            other.of_entering(one, out[name])
            for other in blocks
            for one in other.equation.entering
            if one.mediator == name
        ]
        out[name] = draw_cells(found, random)
    return out


def _record(block: Block, keep_innovations: bool) -> dict[str, np.ndarray]:
    data, values = block.equation.data, block.values
    innovations, sd = innovations_of(block.errors(), values, data)
    own = innovations / sd
    density = -0.5 * own**2 - 0.5 * np.log(2 * np.pi) - np.log(sd)
    density[block.equation.own] = 0.0
    out = {
        "theta": block.theta,
        "coefficients": block.coefficients,
        "effects": block.effects,
        "log_likelihood": density,
    }
    return {**out, "innovation": own} if keep_innovations else out


def _named(block: Block, kept: dict[str, list], lead: tuple[int, int], seed: int) -> dict[str, np.ndarray]:
    """Kept draws of one equation by variable of the posterior."""
    thetas, drawn, effects = (np.array(kept[f"{k} {block.name}"]) for k in ("theta", "coefficients", "effects"))
    random = np.random.default_rng([seed, 1])
    named = block.collapsed.named(thetas, drawn, effects if block.collapsed.effects else None, random)
    return {name: values.reshape(*lead, *values.shape[1:]) for name, values in named.items()}


def pilot(
    equation: Equation, start: Mapping[str, np.ndarray], priors: PriorSet, seed: int
) -> tuple[Collapsed, np.ndarray]:
    """The collapsed posterior with cells at their starting values, and draws of its theta (S, d)."""
    data, more = equation.completed(dict(start))
    collapsed = collapse(data, priors, more)
    sampler = Sampler(**{**PILOT.as_dict(), "seed": seed})
    thetas, _ = draw_chains(collapsed, sampler)
    return collapsed, thetas.reshape(-1, thetas.shape[-1])


def starting_block(
    name: str,
    equation: Equation,
    priors: PriorSet,
    collapsed: Collapsed,
    thetas: np.ndarray,
    random: np.random.Generator,
) -> Block:
    """A chain's start: a draw of theta from the pilot."""
    n_units, width = len(collapsed.data.design.units), len(collapsed.effects)
    covariance = np.atleast_2d(np.cov(thetas.T))
    if len(covariance) > MANY:  # scales of many units: more elements than the pilot's draws can tell apart
        covariance = (covariance + np.diag(np.diag(covariance))) / 2
    factor = np.linalg.cholesky(covariance)
    theta = thetas[random.integers(len(thetas))].copy()
    coefficients = np.zeros(len(collapsed.prior_means))
    return Block(name, equation, priors, collapsed, theta, factor, coefficients, np.zeros((n_units, width)))


def _metric(thetas: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Cholesky factor of theta's covariance over sweeps of warm-up, drawn towards the pilot's."""
    n = len(thetas)
    own = np.atleast_2d(np.cov(thetas.T))
    return np.linalg.cholesky((n * own + PILOT_WEIGHT * factor @ factor.T) / (n + PILOT_WEIGHT))
