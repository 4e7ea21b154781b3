"""What every transform declares: a name, a title, and how its column is added."""

from typing import Annotated

import numpy as np
from pydantic import Field

from bayes_npp.errors import VariableError
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Record

Columns = Annotated[tuple[str, ...], Field(min_length=1)]
Periods = Annotated[int, Field(ge=1, lt=2**31)]


class Transform(Record):
    """A declared variable: `name` and one transform key; `title` is what readers see, its unit included.

    `title_zh` is the same in Chinese.

    `apply` returns the panel with the column added.
    """

    name: str
    title: str = ""
    title_zh: Annotated[str, Field(exclude=True)] = ""

    def apply(self, panel: Panel) -> Panel:
        return panel.with_column(self.name, self.values(panel))

    def values(self, panel: Panel) -> np.ndarray:
        """Values of the column, shape (n,)."""
        raise VariableError(f"{type(self).__name__} is computed by apply")


def divided(panel: Panel, numerator: str, denominator: str) -> np.ndarray:
    """One column over another; a denominator of zero in the window is an error, elsewhere the value is missing."""
    over, under = panel.numbers(numerator), panel.numbers(denominator)
    zero = (under == 0) & panel.in_window
    if zero.any():
        raise VariableError(
            f"denominator '{denominator}' is zero",
            place=panel.place(int(np.flatnonzero(zero)[0])),
            fix="Leave the cell blank if the value is unknown, or choose another denominator",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under == 0, np.nan, over / under)
