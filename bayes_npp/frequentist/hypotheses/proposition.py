"""The frequentist test of a proposition about slopes: of that very contrast, not of its parts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from bayes_npp.design.design import Design, check_membership
from bayes_npp.design.propositions import Proposition
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError
from bayes_npp.frequentist.hypotheses.equal_slopes import joint_test
from bayes_npp.frequentist.least_squares.inference import ESTIMATORS, LinearFit, joined, row_of
from bayes_npp.frequentist.least_squares.static import linear_fit, replace_slopes

NO_TEST = "no test of"  # begins the reason where clusters are too few
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
    df : int, optional
        Of t; None: the normal distribution.
    joint_p : float
        Of the F test that all groups have one slope, in the same regression; NaN of what is no difference.
    """

    estimate: float
    se: float
    lo: float
    hi: float
    p_value: float
    used: str
    df: int | None = None
    joint_p: float = np.nan

    def below(self, distance: float) -> float:
        """Probability that t, or the normal, with this standard error lies below a distance."""
        reference = scipy.stats.norm if self.df is None else scipy.stats.t(self.df)
        return float(reference.cdf(distance / self.se))


def regression_of(spec: Spec, proposition: Proposition) -> Spec:
    """The regression that a proposition about the slopes of `spec` is tested in.

    The average with TWFE's weights is TWFE's own slope; every other quantity comes from the regression with the
    exposure interacted with the groups.
    """
    plain = proposition.left.name == WHOLE and not proposition.is_difference
    return replace_slopes(spec, None) if plain else spec


def proposition_test(
    design: Design,
    proposition: Proposition,
    source: str = "",
    fitted: Callable[[Design], LinearFit] | None = None,
) -> PropositionTest:
    """Test a proposition about slopes by two-way fixed effects: errors clustered by unit, Stata's convention, t(G - 1).

    Parameters
    ----------
    design : Design
        Of `regression_of`.
    proposition : Proposition
    source : str
        Of the panel, for messages.
    fitted : callable, optional
        Another regression in place of two-way fixed effects; its pooled slope then stands for TWFE's own.

    Raises
    ------
    SpecError, DesignError
        A quantity the specification does not estimate, slopes that are not identified; a group with fewer units than a
        test needs.

    Notes
    -----
    (w'b - cutoff) / sqrt(w'V w) with w the proposition's weights on the groups' slopes; docs/statistics.md, sections
    1.11 and 4.7.

    References
    ----------
    Gelman & Stern (2006), The American Statistician 60.
    """
    check_membership(design)
    weights = slope_weights(proposition, design)
    fit = fitted(design) if fitted else linear_fit(design, "two-way", "clustered", "stata", source=source)
    combination = np.zeros(len(fit.names))
    combination[: len(weights)] = weights
    named = [quantity.labels[0] for quantity in proposition.quantities if quantity.labels]
    units = [int(design.group_units[design.groups.index(label)]) for label in named]
    family = ("slope difference" if len(named) > 1 else "group slope") if named else ""
    fewest = min(units, default=None)
    rests = fit.support(combination, family, group_units=fewest)
    estimate = float(combination @ fit.coefficients)
    found = row_of(
        estimate,
        combination,
        fit.spread,
        rests,
        fit.df,
        threshold=proposition.threshold,
        beside=lambda: "" if proposition.threshold else fit.wild(combination, family, fewest),
    )
    if np.isnan(found["p_value"]):
        few = [label for label, count in zip(named, units, strict=True) if count == min(units)]
        about = f"{NO_TEST} {proposition}" + (f" (group {', '.join(few)})" if few else "")
        raise DesignError(f"{about}: {found['note']}", place=source)
    name = ESTIMATORS[fit.effects]
    regression = f"{name}, {design.spec.exposure} x {design.spec.slopes}" if design.groups else name
    used = joined(f"{regression}, {fit.covariance_label}, {fit.convention_label}, two-sided", found["note"])
    cells = (found["spread"], found["lo"], found["hi"], found["p_value"])
    joint_p = joint_test(fit, source) if proposition.is_difference else np.nan
    return PropositionTest(estimate, *cells, used, fit.df, joint_p)
