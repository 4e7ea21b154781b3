"""Cluster bootstrap of mediation paths: units drawn with replacement, every equation and effect estimated anew."""

from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.absorbed import absorb, absorbs_more
from bayes_npp.frequentist.least_squares.clusters import unit_level
from bayes_npp.frequentist.least_squares.few_clusters import FEWEST_CLUSTERS
from bayes_npp.frequentist.mediation.equations import PathEquations

CHUNK_CELLS = 2_000_000
SINGULAR = 1e-12  # smallest eigenvalue of the regressors' correlation matrix given the effects


@dataclass(frozen=True)
class UnitProducts:
    """Cross-products of every unit (or cluster of units), from which regressions of any multiset of units follow.

    Copies of a unit are units of their own; as they have the same rows, their effects are equal and a unit drawn w
    times enters with weight w. Columns are the dummies of periods (or the constant), less unit means where units have
    effects, and then exposure, controls, mediators and outcome, less all effects of the whole sample, of unit length.

    Attributes
    ----------
    products : ndarray, shape (N, (D + q)^2)
    n_dummies : int
        D.
    n_controls, n_mediators : int
    lengths : ndarray, shape (q,)
        By which the columns were divided.
    """

    products: np.ndarray
    n_dummies: int
    n_controls: int
    n_mediators: int
    lengths: np.ndarray


def unit_products(equations: PathEquations, effects: str, source: str = "") -> UnitProducts:
    """Cross-products of the units of a mediation model.

    Raises
    ------
    SpecError
        Unit trends or period effects of groups, which are not drawn anew here.
    """
    design, n_mediators = equations.outcome, len(equations.mediators)
    if absorbs_more(design.spec):
        raise SpecError(
            "the cluster bootstrap knows unit and period effects only",
            place=source,
            fix="Leave unit_trends, exposure_factor and group_time_effects out, or use interval = 'delta'",
        )
    raw = np.column_stack([design.slope_columns, design.controls, design.outcome])
    columns = absorb(raw, design, effects).residual
    lengths = np.linalg.norm(columns, axis=0)
    dummies = _dummies(design, effects)
    every = np.column_stack([dummies, columns / lengths])
    size, clusters = every.shape[1], unit_level(design)
    products = np.empty((clusters.size, size, size))
    for j in range(size):
        for k in range(j + 1):
            own = np.bincount(clusters.index, weights=every[:, j] * every[:, k], minlength=clusters.size)
            products[:, j, k] = products[:, k, j] = own
    n_controls = design.controls.shape[1] - n_mediators
    return UnitProducts(products.reshape(clusters.size, -1), dummies.shape[1], n_controls, n_mediators, lengths)


def weighted_paths(units: UnitProducts, weights: np.ndarray) -> np.ndarray:
    """Total, a_1..a_K, b_1..b_K and direct for units drawn so many times.

    Parameters
    ----------
    units : UnitProducts
    weights : ndarray, shape (B, N)

    Returns
    -------
    ndarray, shape (B, 2 + 2 K)
        In the data's units; NaN where the drawn units do not identify the paths.
    """
    n_dummies, n_mediators = units.n_dummies, units.n_mediators
    q = len(units.lengths)
    size = n_dummies + q
    gram = (weights @ units.products).reshape(-1, size, size)
    if n_dummies:
        # A period without rows leaves a zero dummy, dummies beside unit effects sum to zero; any inverse projects alike
        inverse = np.linalg.pinv(gram[:, :n_dummies, :n_dummies], rcond=1e-10, hermitian=True)
        cross = gram[:, n_dummies:, :n_dummies]
        gram = gram[:, n_dummies:, n_dummies:] - cross @ inverse @ np.swapaxes(cross, 1, 2)
    base, full = 1 + units.n_controls, 1 + units.n_controls + n_mediators
    regressors = gram[:, :full, :full].copy()
    scale = np.sqrt(np.clip(np.einsum("bii->bi", regressors), 0, None))
    failed = (scale < np.sqrt(SINGULAR)).any(axis=1)
    scale[failed], regressors[failed] = 1.0, np.eye(full)
    correlation = regressors / (scale[:, :, None] * scale[:, None, :])
    singular = np.linalg.eigvalsh(correlation)[:, 0] < SINGULAR
    regressors[singular] = np.eye(full)
    # With the exposure first, its row holds paths a and the total.
    first = np.linalg.solve(regressors[:, :base, :base], gram[:, :base, base:])[:, 0]
    second = np.linalg.solve(regressors, gram[:, :full, full:])[:, :, 0]
    x, m, y = units.lengths[0], units.lengths[base:full], units.lengths[full]
    paths = np.column_stack(
        [
            first[:, n_mediators] * y / x,
            first[:, :n_mediators] * m / x,
            second[:, base:full] * y / m,
            second[:, 0] * y / x,
        ]
    )
    paths[failed | singular] = np.nan
    return paths


def bootstrap_paths(
    equations: PathEquations, effects: str, draws: int, seed: int, source: str = ""
) -> tuple[np.ndarray, int]:
    """Draw units with replacement; paths of the draws that identify them, and how many do not.

    Returns
    -------
    ndarray, shape (draws - failed, 2 + 2 K)
        Columns as in `weighted_paths`.
    int
        Number of failed draws.

    Raises
    ------
    DesignError
        Fewer than four units; more than one draw in ten fails.

    Notes
    -----
    The pairs cluster bootstrap: a unit drawn w times enters every cross-product with weight w. See docs/statistics.md,
    section 3.5.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90.
    """
    clusters = unit_level(equations.outcome)
    n_units = clusters.size
    if n_units < FEWEST_CLUSTERS:
        raise DesignError(
            f"the cluster bootstrap draws {clusters.name}, and there are {n_units}: at least {FEWEST_CLUSTERS} are "
            "needed",
            place=source,
            fix="Add units: no interval can rest on so few. Errors that are uncorrelated need no clusters: "
            "covariance = 'classical' or 'robust' with another interval",
        )
    units = unit_products(equations, effects, source)
    random = np.random.default_rng(seed)
    step = max(1, CHUNK_CELLS // max(n_units, units.products.shape[1]))
    chunks = []
    for start in range(0, draws, step):
        drawn = random.multinomial(n_units, np.full(n_units, 1 / n_units), size=min(step, draws - start))
        chunks.append(weighted_paths(units, drawn.astype(float)))
    paths = np.concatenate(chunks)
    kept = ~np.isnan(paths).any(axis=1)
    failed = int((~kept).sum())
    if failed > draws / 10:
        raise DesignError(
            f"{failed} of {draws} bootstrap draws do not identify the paths (a regressor does not vary among the "
            f"{clusters.name} drawn)",
            place=source,
            fix="Drop the regressor that varies in few units; interval = 'delta' rests on as few",
        )
    return paths[kept], failed


def _dummies(design: Design, effects: str) -> np.ndarray:
    """Dummies that are estimated anew in every draw, shape (n, D): of periods, or the constant."""
    if effects == "unit":
        return np.empty((design.n_obs, 0))
    if effects == "none":
        return np.ones((design.n_obs, 1))
    dummies = (design.time[:, None] == np.arange(len(design.times))).astype(float)
    if effects == "time":
        return dummies
    counts = np.bincount(design.unit)
    means = np.column_stack([np.bincount(design.unit, weights=column) / counts for column in dummies.T])
    return dummies - means[design.unit]
