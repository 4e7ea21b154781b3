"""Two-way fixed effects with interactive effects: common factors with a loading of each unit's own (Bai 2009)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_npp.design.design import Design, build_design, slope_names
from bayes_npp.design.projection import check_identified, check_residuals, row_rounding
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError
from bayes_npp.estimates import LEVEL, estimates_from_rows
from bayes_npp.frequentist.factors.checks import check_factors
from bayes_npp.frequentist.factors.grid import Grid, grid_of, project
from bayes_npp.frequentist.factors.slopes import fitted, slope_rows
from bayes_npp.frequentist.least_squares.inference import LinearFit, joined
from bayes_npp.frequentist.least_squares.results import Regression
from bayes_npp.panels.panel import Panel

SAME = 1e-6  # of the sum of squares: two starts end in one minimum
FLAT = 1e-6  # of the slope of the sum of squares, relative to the outcome's own
RANDOM_STARTS = 6
SADDLES = 6  # stationary points left at most, a start


@dataclass(frozen=True)
class Factors:
    """Factors, loadings and slopes of least sum of squares.

    Attributes
    ----------
    factors : ndarray, shape (T, K)
        Orthogonal, of mean zero and mean square one; the first takes most. Signs are free.
    loadings : ndarray, shape (N, K)
    coefficients : ndarray, shape (k,)
    residuals : ndarray, shape (N, T)
    sum_of_squares : float
    starts, agree : int
        Starts of the search, and those that end in the minimum reported.
    """

    factors: np.ndarray
    loadings: np.ndarray
    coefficients: np.ndarray
    residuals: np.ndarray
    sum_of_squares: float
    starts: int
    agree: int

    @property
    def note(self) -> str:
        """What a reader must know of the search; empty where every start ends in one minimum."""
        if self.agree == self.starts:
            return ""
        return f"{self.agree} of {self.starts} starts end in the minimum reported, the others above it"


def interactive_fe(
    panel: Panel,
    spec: Spec,
    factors: int = 1,
    covariance: Literal["classical", "robust", "clustered"] = "clustered",
    *,
    convention: str = "cr1",
    seed: int = 1,
) -> Regression:
    """Two-way fixed effects with interactive effects: outcome on regressors, unit and period effects, common factors.

    Parameters
    ----------
    panel : Panel
        Balanced or not.
    spec : Spec
        With `slopes`, one slope for each group, their averages and differences.
    factors : int
        K, each with a loading of every unit's own.
    covariance : {"classical", "robust", "clustered"}
        Homoskedastic (Bai's), heteroskedasticity-robust, clustered by unit.
    convention : {"cr1", "stata", "hc0", "sss", "lsdv"}
        Small-sample factor, as in `twfe`; factors count with periods, loadings with units.
    seed : int
        Of the random starts.

    Returns
    -------
    Estimates
        `pooled_slope`, one slope under this model: where slopes differ its weights are not those of TWFE. `diagnostics`
        holds sum_of_squares, df, starts, agree.

    Raises
    ------
    SpecError
        What does not go with factors: trends, period effects of groups, slopes of units, a lagged outcome.
    DesignError
        More factors than the panel carries, a column that they absorb.

    Notes
    -----
    Minimises the sum of squares over slopes, effects, factors and loadings. Given the factors everything else is
    linear, so that only factors are searched (BFGS, analytic gradient), from several starts that must agree. Standard
    errors rest on the residual of the regressors from everything that effects, factors and loadings may absorb, which
    on balanced panels is M_loadings X M_factors; (N - 1 - K)(T - 1 - K) - k degrees of freedom there, and rows less the
    rank of all columns in general (docs/statistics.md, section 6). Few periods bias it where errors are
    correlated over time.

    References
    ----------
    Bai (2009), Econometrica 77: 1229-1279. Golub & Pereyra (1973), SIAM Journal on Numerical Analysis 10: variable
    projection.
    """
    return interactive_estimates(build_design(panel, spec), factors, covariance, convention, seed, panel.source)


def interactive_estimates(
    design: Design,
    factors: int = 1,
    covariance: str = "clustered",
    convention: str = "cr1",
    seed: int = 1,
    source: str = "",
) -> Regression:
    """`interactive_fe` of a design; `source` is the panel's, for messages."""
    spec = design.spec
    fit, found = interactive_fit(design, factors, covariance, convention, seed, source)
    table = estimates_from_rows(
        slope_rows(fit),
        paradigm="frequentist",
        estimator=label(spec, factors),
        covariance=fit.covariance_label,
        outcome=spec.outcome,
        spread_kind="se",
        level=LEVEL,
        interval="ci",
        **design.counted,
        sample="all",
        convention=fit.convention_label,
    )
    df = design.n_obs - fit.solved.counts.n_all
    numbers = {"sum_of_squares": found.sum_of_squares, "df": df, "starts": found.starts, "agree": found.agree}
    return Regression(table.frame, numbers, fit)


def least_squares(design: Design, factors: int, source: str = "", seed: int = 1) -> Factors:
    """Factors, loadings and slopes of least sum of squares, from two informed and six random starts.

    Raises
    ------
    DesignError
        A column that effects absorb, an outcome reproduced exactly, no start that ends in a minimum.
    """
    from scipy.optimize import minimize

    names = (*slope_names(design), *design.spec.controls)
    columns = np.column_stack([design.slope_columns, design.controls])
    grid = grid_of(design)
    values = grid.laid_out(np.column_stack([columns, design.outcome]))
    n_units, n_times = grid.here.shape
    ones = np.ones((n_times, 1))
    within = project(values, grid.here, ones, np.ones((n_units, 1))).residual
    two_way = grid.rows(within)
    check_identified(columns, two_way[:, :-1], names, source)
    size = float(two_way[:, -1] @ two_way[:, -1])
    values = within if grid.here.all() else values

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        raw = flat.reshape(n_times, factors)
        unit_length, triangle = _orthonormal(raw)
        _, _, residuals, loadings = _given(values, grid, unit_length)
        slope = -2 * residuals.T @ np.linalg.solve(triangle, loadings.T).T
        return float((residuals**2).sum()) / size, (slope - slope.mean(axis=0)).ravel() / size

    def leading(raw: np.ndarray) -> np.ndarray:
        """Leading components at the slopes that factors give: Bai's iteration, which no saddle point survives."""
        unit_length, _ = _orthonormal(raw)
        _, _, residuals, loadings = _given(values, grid, unit_length)
        return _components(residuals + loadings @ unit_length.T, factors)

    found = []
    for start in _starts(grid, two_way, factors, seed):
        best, slope, at = np.inf, np.inf, start
        for _ in range(SADDLES):
            result = minimize(objective, at.ravel(), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 2000})
            if not result.fun < best * (1 - SAME):
                break
            best, slope, raw = float(result.fun), float(np.abs(result.jac).max()), result.x.reshape(n_times, factors)
            at = leading(raw)
        found.append((best, slope, raw))
    ended = [one for one in found if one[1] < FLAT * max(one[0], SAME)]
    if not ended:
        raise DesignError("no start of the search for factors ends", place=source, fix="Use fewer factors")
    least = min(one[0] for one in ended)
    agree = sum(one[0] <= least + SAME * max(least, SAME) for one in ended)
    unit_length, _ = _orthonormal(next(one[2] for one in ended if one[0] == least))
    left, coefficients, residuals, loadings = _given(values, grid, unit_length)
    target = grid.rows(left)[:, -1]
    rounding = row_rounding(design.outcome, columns, coefficients)
    check_residuals(residuals[grid.unit, grid.time], target, rounding, design.spec.outcome, source)
    of_units, sizes, right = np.linalg.svd(loadings @ unit_length.T, full_matrices=False)
    turned = right[:factors].T * np.sqrt(n_times)
    scaled = of_units[:, :factors] * sizes[:factors] / np.sqrt(n_times)
    return Factors(turned, scaled, coefficients, residuals, float((residuals**2).sum()), len(found), agree)


def _given(
    values: np.ndarray, grid: Grid, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Least squares given contrasts (T, K) of length one.

    What is left of each column (N, T, k + 1), slopes (k,), residuals (N, T), loadings (N, K). Where no row is missing
    `values` are without units and periods, and factors come out of what is left.
    """
    n_units, n_times = grid.here.shape
    if grid.here.all():
        loadings = factors.T @ values
        left = values - factors @ loadings
    else:
        known = np.column_stack([np.ones(n_times), factors])
        projected = project(values, grid.here, known, np.ones((n_units, 1)))
        left, loadings = projected.residual, projected.loadings[:, 1:]
    rows = grid.rows(left)
    length = np.linalg.norm(rows[:, :-1], axis=0)
    length = np.where(length > 0, length, 1.0)
    coefficients = np.linalg.lstsq(rows[:, :-1] / length, rows[:, -1], rcond=None)[0] / length
    weights = np.append(-coefficients, 1.0)
    return left, coefficients, left @ weights, loadings @ weights


def _orthonormal(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contrasts Q (T, K) of length one and R with factors less their means = Q R."""
    return np.linalg.qr(factors - factors.mean(axis=0))


def _starts(grid: Grid, two_way: np.ndarray, factors: int, seed: int) -> list[np.ndarray]:
    """Leading components of TWFE's residuals and of the outcome, then random ones, shapes (T, K)."""
    regressors, outcome = two_way[:, :-1], two_way[:, -1]
    length = np.linalg.norm(regressors, axis=0)
    residuals = outcome - regressors @ (np.linalg.lstsq(regressors / length, outcome, rcond=None)[0] / length)
    out = []
    for column in (residuals, outcome):
        table = grid.laid_out(column[:, None])[:, :, 0]
        out.append(_components(table, factors))
    random = np.random.default_rng(seed)
    return out + [random.standard_normal((len(out[0]), factors)) for _ in range(RANDOM_STARTS)]


def _components(table: np.ndarray, factors: int) -> np.ndarray:
    """The leading components (T, K) of units' rows (N, T), period means removed from each."""
    table = table - table.mean(axis=1, keepdims=True)
    return np.asarray(np.linalg.eigh(table.T @ table)[1][:, ::-1][:, :factors])


def interactive_fit(
    design: Design,
    factors: int,
    covariance: str = "clustered",
    convention: str = "cr1",
    seed: int = 1,
    source: str = "",
) -> tuple[LinearFit, Factors]:
    """The regression beside the factors found, and these; see `interactive_fe`."""
    check_factors(design, factors, source)
    found = least_squares(design, factors, source, seed)
    grid = grid_of(design)
    known = np.column_stack([np.ones(grid.here.shape[1]), found.factors])
    moved = np.column_stack([np.ones(grid.here.shape[0]), found.loadings])
    columns = np.column_stack([design.slope_columns, design.controls])
    absorbed = project(grid.laid_out(columns), grid.here, known, moved)
    short = int((grid.here.sum(axis=1) <= 1 + factors).sum())
    rows = f"{short} unit(s) of {1 + factors} rows or fewer, which their effect and loadings absorb" if short else ""
    residuals = found.residuals[grid.unit, grid.time]
    options = (covariance, convention, source, joined(found.note, rows))
    return fitted(design, "interactive", absorbed, grid, residuals, found.coefficients, *options), found


def label(spec: Spec, factors: int) -> str:
    """What the estimator is called in tables."""
    by = f" x {spec.slopes}" if spec.slopes else ""
    return f"interactive FE{by}, {factors} factor{'' if factors == 1 else 's'}"
