"""Regressions on columns and their lags, as arrays."""

from collections.abc import Sequence

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.dynamic.instruments import check_column, lag_of
from bayes_npp.panels.panel import Panel


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
