"""The frequentist test of a proposition about slopes: of that very contrast, not of its parts."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bayes_npp.design.design import build_design, check_membership
from bayes_npp.design.propositions import Proposition
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.design.spec import Spec
from bayes_npp.estimates import LEVEL
from bayes_npp.frequentist.least_squares.static import linear_fit, replace_slopes
from bayes_npp.panels.panel import Panel

WHOLE = "average_slope_twfe_weighted"


@dataclass(frozen=True)
class PropositionTest:
    """Estimate of what a proposition compares with its number, and the test that it equals that number.

    Attributes
    ----------
    estimate, se, lo, hi : float
        With a 95 % confidence interval.
    p_value : float
        Two-sided.
    used : str
        Estimator, covariance and reference distribution.
    """

    estimate: float
    se: float
    lo: float
    hi: float
    p_value: float
    used: str


def proposition_test(panel: Panel, spec: Spec, proposition: Proposition) -> PropositionTest:
    """Test a proposition about slopes by two-way fixed effects: errors clustered by unit, Stata's convention, t(G - 1).

    The average with TWFE's weights is TWFE's own slope; every other quantity comes from the regression with the
    exposure interacted with the groups.

    Raises
    ------
    SpecError, DesignError
        A quantity the specification does not estimate, slopes that are not identified.

    Notes
    -----
    (w'b - cutoff) / sqrt(w'V w) with w the proposition's weights on the groups' slopes; docs/statistics.md, sections
    1.11 and 4.7.

    References
    ----------
    Gelman & Stern (2006), The American Statistician 60.
    """
    plain = proposition.left.name == WHOLE and not proposition.is_difference
    own = replace_slopes(spec, None) if plain else spec
    design = build_design(panel, own)
    check_membership(design)
    weights = slope_weights(proposition, design)
    fit = linear_fit(design, "two-way", "clustered", "stata", source=panel.source)
    size = len(weights)
    estimate = float(fit.coefficients[:size] @ weights)
    se = float(np.sqrt(weights @ fit.covariance[:size, :size] @ weights))
    half = float(stats.t.ppf((1 + LEVEL) / 2, fit.df)) * se
    p_value = float(2 * stats.t.sf(abs(estimate - proposition.threshold) / se, fit.df))
    regression = "TWFE" if plain or not design.groups else f"TWFE, {own.exposure} x {own.slopes}"
    used = f"{regression}, {fit.covariance_label}, {fit.convention_label}, two-sided"
    return PropositionTest(estimate, se, estimate - half, estimate + half, p_value, used)
