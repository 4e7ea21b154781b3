"""Leads and lags of the exposure in one regression: does the outcome move before the exposure does?"""

from typing import Any

import numpy as np
import scipy

from bayes_npp.design.design import build_design
from bayes_npp.design.event_time import event_columns
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.estimates import Estimates, above_zero
from bayes_npp.frequentist.least_squares.static import Errors, linear_fit, static_estimates
from bayes_npp.panels.panel import Panel


def event_time(
    panel: Panel,
    spec: Spec,
    leads: int = 2,
    lags: int = 2,
    *,
    covariance: str = "clustered",
    convention: str = "stata",
) -> Estimates:
    """Two-way fixed effects with the exposure of later and earlier periods beside its own.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        With one slope.
    leads, lags : int
        Periods later and earlier; rows without all of them are left out.
    covariance, convention
        As in `twfe`.

    Returns
    -------
    Estimates
        The exposure's row, then F<leads>.<exposure> to L<lags>.<exposure>, then controls. `diagnostics`: leads_f,
        leads_df and leads_p, the joint test that all leads are zero (a placebo: strict exogeneity puts them there).

    Raises
    ------
    SpecError
        Slopes that vary, no lead, numbers below zero.
    DesignError, PanelError
        As `twfe`; too few periods.

    Notes
    -----
    docs/statistics.md, section 1.12.

    References
    ----------
    Granger (1969), Econometrica 37. Angrist & Pischke (2009), Mostly Harmless Econometrics, section 5.2.
    """
    if spec.slopes or spec.exposure is None:
        raise SpecError("leads and lags take a specification with one slope", fix="Leave slopes out")
    shifted, names = event_columns(panel, spec.exposure, leads, lags)
    wide = Spec(**{**spec.model_dump(), "controls": (*names, *spec.controls)})
    design = build_design(shifted, wide)
    table = static_estimates(design, "two-way", Errors(covariance, convention), panel.source)
    fit = linear_fit(design, "two-way", covariance, convention, source=panel.source)
    at = [fit.names.index(name) for name in names if name.startswith("F")]
    return Estimates(table.frame, _joint(fit.coefficients[at], fit.covariance[np.ix_(at, at)], fit.df))


def _joint(coefficients: np.ndarray, covariance: np.ndarray, df: int) -> dict[str, Any]:
    """F test that all coefficients are zero."""
    size = len(coefficients)
    statistic = float(coefficients @ np.linalg.solve(covariance, coefficients)) / size
    p = float(above_zero(scipy.stats.f.sf(statistic, size, df)))
    return {"leads_f": statistic, "leads_df": f"{size}, {df}", "leads_p": p}
