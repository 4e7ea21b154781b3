"""The lagged outcome as a regressor: correlated initial conditions, and effects of the short and the long run."""

from typing import Any

import numpy as np

from bayes_npp.design.design import Design, group_pairs
from bayes_npp.errors import DesignError

NEAR_ONE = 0.99
MAX_NEAR_ONE = 0.01  # share of draws near one above which long-run effects are flagged
# Width of the 95 % interval over the interquartile range: 2.9 of a normal, 4.2 of a Student-t with 3 degrees of
# freedom, the smallest whole number with a variance.
MAX_WIDTH = 4.16
UNIDENTIFIED = 1e-8


class History:
    """What effects of units and periods are conditional on in a dynamic model, on the standardised scale.

    y_it = rho y_i,t-1 + x_it b + a_i + g_t + e_it with a_i = a0 + a1 y_i0 + xbar_i d + x_i0 h + u_i (Wooldridge 2005;
    initial values beside the means: Rabe-Hesketh and Skrondal 2013). x are the strictly exogenous regressors, each
    column with a slope one of them; xbar_i are their means over the unit's estimation rows, y_i0 and x_i0 the values of
    the period before the first of these.

    The lagged outcome has no unit part: its mean is a function of the very errors, and removing it is what biases the
    within estimator (Nickell 1981). Its period means are functions of all units' errors but of none of the period's
    own, so they may be removed, and are: rho is then identified within periods whatever the period effects are.

    On unbalanced panels with period effects a unit's plain mean also says which periods it was observed in. Means are
    therefore of the regressors less their period part (`two_way_parts`; the plain means up to a constant on balanced
    panels), and where units enter in different periods each entry period has an intercept of its own, which takes the
    period's level out of y_i0 and x_i0: together they span what plain means and initial values in deviations from
    their periods would. Coefficients are common to units of all lengths (Wooldridge 2019 lets them depend on it).

    A unit with a gap keeps its one initial period. The outcome that ends a gap is conditioned on, which leaves out what
    it says of u_i: exact without gaps, biased upwards with them. With rho = .6 and 8 periods, rows missing at random
    gave .596 (a share of .05) and .621 (.2); estimates carry a note. A gap may be declared a new unit instead (.590):
    unit labels that change after it make the model conditional on the outcome that ends it.

    References
    ----------
    Wooldridge (2005), Journal of Applied Econometrics; (2019), Journal of Econometrics.
    Rabe-Hesketh & Skrondal (2013), Economics Letters.
    Nickell (1981), Econometrica.

    Attributes
    ----------
    lag : ndarray, shape (n,)
    lag_within_periods : ndarray, shape (n,)
        Less its period means.
    unit : ndarray, shape (N, k)
        Initial values and intercepts of entry periods.
    time : ndarray, shape (T, 1)
        Period means of the lag.
    """

    def __init__(self, design: Design, member: np.ndarray, varying: list[int]) -> None:
        assert design.lag is not None
        assert design.initial is not None
        scales, spec = design.scales, design.spec
        self.lag = (design.lag - scales.outcome_mean) / scales.outcome_sd
        self.time = (np.bincount(design.time, weights=self.lag) / np.bincount(design.time))[:, None]
        self.lag_within_periods = self.lag - self.time[design.time, 0]
        first = np.unique(design.unit, return_index=True)[1]
        outcome = (design.initial[:, 0] - scales.outcome_mean) / scales.outcome_sd
        regressors = design.initial[:, 1:] / scales.of(*spec.regressors)
        controls = regressors[:, len(spec.regressors) - len(spec.controls) :]
        own = member[first]
        by_group = [regressors[:, [0]] * own] if spec.exposure else []
        by_group += [controls[:, [k]] * own for k in varying]
        entry = np.unique(design.time[first], return_inverse=True)[1]
        self.unit = np.column_stack([outcome, controls, *by_group, entry[:, None] == np.arange(entry.max() + 1)])


def check_dynamics(design: Design, lag: np.ndarray, columns: np.ndarray, saturated: bool) -> None:
    """Raise `DesignError` where initial conditions are as many as units, or take the lagged outcome's place.

    Parameters
    ----------
    lag : ndarray, shape (n,)
        Less its period means.
    columns : ndarray, shape (n, k)
        Regressors, and the unit-level variables row by row.
    saturated : bool
        Whether unit-level variables span all differences between units.
    """
    if saturated:
        raise DesignError(
            f"initial values and means of the regressors are as many as the {len(design.units)} units",
            fix="They would be fixed effects: drop regressors or slopes by group, or add units",
        )
    others = _within(columns, design.time)
    left = lag - others @ np.linalg.lstsq(others, lag, rcond=None)[0]
    if np.sqrt((left**2).mean()) < UNIDENTIFIED:
        raise DesignError(
            "the lagged outcome does not vary beyond initial values, regressors and effects",
            fix="A dynamic model needs units with two or more rows beyond the initial period",
        )


def _within(columns: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Columns (n, k) less their period means."""
    out = columns.copy()
    for k in range(columns.shape[1]):
        out[:, k] -= (np.bincount(time, weights=columns[:, k]) / np.bincount(time))[time]
    return out


def gaps_note(design: Design) -> str:
    """How many units have rows that are not consecutive; empty without any."""
    time = np.array(design.times)[design.time]
    gap = (np.diff(design.unit) == 0) & (np.diff(time) > 1)
    n_units = len(np.unique(design.unit[1:][gap]))
    return f"{n_units} unit(s) with gaps: rows after a gap condition on the outcome that ends it" if n_units else ""


def quantities(design: Design, slopes: np.ndarray, persistence: np.ndarray) -> list[tuple[dict[str, str], np.ndarray]]:
    """Draws of persistence, short-run effects b and long-run effects b / (1 - rho), with their labels.

    Parameters
    ----------
    slopes : ndarray, shape (S, max(G, 1))
        In the data's units; empty without an exposure.
    persistence : ndarray, shape (S,)

    Returns
    -------
    list of (labels, draws)
        Where slopes vary by group: averages over observations, groups, differences of groups' short-run effects.
    """
    spec, groups = design.spec, design.groups
    lag = {"term": f"L1.{spec.outcome}", "estimand": "coefficient", "note": gaps_note(design)}
    out = [(lag, persistence)]
    if spec.exposure is None:
        return out
    near = float((np.abs(persistence) > NEAR_ONE).mean())
    note = f"P(|rho| > {NEAR_ONE}) = {near:.2g}" if near > MAX_NEAR_ONE else ""
    short = {"": slopes @ design.group_shares, **{label: slopes[:, g] for g, label in enumerate(groups)}}
    for label, draws in short.items():
        out.append(({"term": spec.exposure, "group": label, "estimand": "short_run"}, draws))
    for g, h in group_pairs(len(groups)):
        labels = {"term": spec.exposure, "group": f"{groups[g]} - {groups[h]}", "estimand": "slope_difference"}
        out.append((labels, slopes[:, g] - slopes[:, h]))
    for label, draws in short.items():
        labels = {"term": spec.exposure, "group": label, "estimand": "long_run", "note": note}
        out.append((labels, draws / (1 - persistence)))
    return out


def long_run_summary(draws: np.ndarray, note: str) -> dict[str, Any]:
    """Estimate, spread and note of a long-run effect.

    The estimate is the median, since b / (1 - rho) has no mean where the density of rho at one is not zero; the spread
    is left blank where the draws are heavier-tailed than a distribution with a variance.
    """
    lo, first, median, third, hi = np.quantile(draws, [0.025, 0.25, 0.5, 0.75, 0.975])
    heavy = hi - lo > MAX_WIDTH * (third - first)
    spread = np.nan if heavy else float(draws.std(ddof=1))
    notes = ("posterior median", "heavy tails, so no SD" if heavy else "", note)
    return {"estimate": float(median), "spread": spread, "note": "; ".join(part for part in notes if part)}
