"""Regressions on columns and their lags, as arrays."""

from collections.abc import Sequence

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.dynamic.instruments import check_column, lag_of
from bayes_npp.panels.panel import Panel


def named_regression(
    spec: Spec | None, outcome: str | None, regressors: Sequence[str], outcome_lags: int
) -> tuple[str, tuple[str, ...]]:
    """Outcome and regressors of a dynamic regression, named outright or by a specification.

    Of a specification the outcome's lags 1 to `outcome_lags` come first, then exposure and controls.

    Raises
    ------
    SpecError
        Neither or both, a specification with slopes of groups, changes, weights or known errors.
    """
    if (spec is None) == (outcome is None):
        raise SpecError(
            "a dynamic regression has a specification or an outcome", fix="Give spec, or outcome and regressors"
        )
    if spec is None:
        return outcome or "", tuple(regressors)
    other = [name for name in ("slopes", "se", "analytic_weights") if getattr(spec, name)] + ["transform"] * (
        spec.transform != "levels"
    )
    if other or regressors:
        what = "regressors beside a specification" if regressors else f"{other[0]} in a dynamic regression"
        raise SpecError(what, fix="Outcome, exposure and controls of the specification are taken; leave the rest out")
    if outcome_lags < 1:
        raise SpecError(f"outcome_lags = {outcome_lags} is below one", fix="A dynamic regression has a lagged outcome")
    lags = tuple(f"L{lag}.{spec.outcome}" for lag in range(1, outcome_lags + 1))
    return spec.outcome, (*lags, *spec.regressors)


def lagged_design(panel: Panel, outcome: str, regressors: Sequence[str]) -> Design:
    """Arrays of a regression on columns and their lags by time."""
    terms = [lag_of(name) for name in regressors]
    if not any(name == outcome and lag > 0 for name, lag in terms):
        raise SpecError(f"no lag of '{outcome}' among the regressors", fix="Add 'L1.…', or use twfe")
    for (name, lag), term in zip(terms, regressors, strict=True):
        check_column(term, panel, "regressors")
        if lag:
            panel = panel.with_column(term, panel.shift(panel.numbers(name), lag), moved=True)
    exposure, *controls = regressors
    return build_design(panel, Spec(outcome=outcome, exposure=exposure, controls=tuple(controls)))
