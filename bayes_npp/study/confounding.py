"""The [confounding] table of a study: which controls an omitted confounder is compared with."""

from typing import Annotated

from pydantic import Field

from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record
from bayes_npp.study.header import Roles


class ConfoundingRules(Record):
    """The [confounding] table: how the claims about slopes are asked what an omitted confounder would do.

    Attributes
    ----------
    benchmarks : tuple of str, optional
        Controls; all of the study's unless given.
    multiples : tuple of float
        Times as strong as each.
    mean_multiple : float
        Mean of the exponential prior on the multiple.
    """

    benchmarks: tuple[str, ...] | None = None
    multiples: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (1.0, 2.0, 3.0)
    mean_multiple: Annotated[float, Field(gt=0)] = 1.0

    def named(self, roles: Roles) -> tuple[str, ...]:
        """The controls that are benchmarks.

        Raises
        ------
        SpecError
            One that is no control of the study.
        """
        names = roles.controls if self.benchmarks is None else self.benchmarks
        for name in names:
            if name not in roles.controls:
                raise SpecError(f"benchmark '{name}' is no control", fix=nearest(name, roles.controls))
        return names
