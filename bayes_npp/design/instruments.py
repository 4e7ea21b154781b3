"""Instruments of an exposure: which columns may be one, and what an error says where one may not."""

from collections.abc import Sequence

import numpy as np

from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.panel import Panel


def check_instrument_names(spec: Spec, instruments: Sequence[str], place: str = "") -> None:
    """Raise `SpecError` for no instrument, one named twice, one that is the outcome or a regressor."""
    if not instruments:
        raise SpecError("no instrument", place=place, fix="Name at least one: instruments = ['<column>']")
    for number, name in enumerate(instruments):
        if name == spec.outcome or name in spec.regressors:
            role = "the outcome" if name == spec.outcome else "a regressor"
            raise SpecError(
                f"instrument '{name}' is {role} of the equation",
                place=place,
                fix="An instrument acts through the exposure alone: exogenous controls are their own instruments",
            )
        if name in instruments[:number]:
            raise SpecError(f"instrument '{name}' is named twice", place=place, fix="Name each once")


def check_not_blank(panel: Panel, instruments: Sequence[str]) -> None:
    """Raise for an instrument that is not there, or blank in every row of the window."""
    for name in instruments:
        if np.isnan(panel.numbers(name)[panel.in_window]).all():
            raise DesignError(
                f"instrument '{name}' is blank in every row", place=panel.source, fix="Fill it, or name another"
            )


def of_instrument(error: DesignError, instruments: Sequence[str], source: str) -> DesignError:
    """The error of a column that is not identified, in the words of instruments where it names one first."""
    if not any(error.problem.startswith(f"'{name}'") for name in instruments):
        return error
    fix = "An instrument must vary within units and periods where their effects are in the equation"
    if "linear combination" in error.problem:
        fix = "Leave it out: it adds nothing to the exogenous regressors and the instruments before it"
    return DesignError(f"instrument {error.problem}", place=source, fix=fix)
