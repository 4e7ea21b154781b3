"""Descriptive statistics of the variables behind a study's roles, between and within units."""

import numpy as np
import pandas as pd

from bayes_npp.panels.panel import Panel
from bayes_npp.study.models import Roles

COLUMNS = ("role", "variable", "n", "mean", "sd", "sd_between", "sd_within", "min", "max", "missing")


def describe(panel: Panel, roles: Roles) -> pd.DataFrame:
    """Outcome, exposure, mediators and controls over the estimation window, each on the cells it has.

    Parameters
    ----------
    panel : Panel
    roles : Roles

    Returns
    -------
    DataFrame
        One row a variable: role, variable, n (cells with a value), mean, sd, sd_between, sd_within, min, max (in the
        variable's units), missing (cells of the window without a value). NaN where a number is not defined: an SD of
        one value, sd_within of a cross-section.

    Raises
    ------
    PanelError
        An unknown column, or one that is not of numbers.

    Notes
    -----
    With x_it the N values of n units, m_i the mean of unit i and m the mean of all values,

    - sd: of x_it, divisor N - 1;
    - sd_between: of m_i around their own mean, every unit counted once, divisor n - 1;
    - sd_within: of x_it - m_i + m, divisor N - 1.

    Their squares do not add up: the divisors differ, and in an unbalanced panel the mean of the m_i is not m.

    References
    ----------
    StataCorp. Longitudinal-Data/Panel-Data Reference Manual: xtsum.
    """
    named = [("outcome", roles.outcome), ("exposure", roles.exposure)]
    named += [("mediator", name) for name in roles.mediators]
    named += [("control", name) for name in roles.controls]
    inside, repeated = panel.in_window, panel.time is not None
    units = panel.frame.loc[inside, panel.unit].to_numpy()
    rows = [
        {"role": role, "variable": name, **_moments(panel.numbers(name)[inside], units, repeated)}
        for role, name in named
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _moments(values: np.ndarray, units: np.ndarray, repeated: bool) -> dict[str, float]:
    """Statistics of one variable; `values` and `units` have shape (N,), `repeated` says that units have periods."""
    known = ~np.isnan(values)
    found = pd.Series(values[known])
    by_unit = found.groupby(units[known])
    within = found - by_unit.transform("mean") + found.mean()
    return {
        "n": int(known.sum()),
        "mean": found.mean(),
        "sd": found.std(),
        "sd_between": by_unit.mean().std(),
        "sd_within": within.std() if repeated else np.nan,
        "min": found.min(),
        "max": found.max(),
        "missing": int((~known).sum()),
    }
