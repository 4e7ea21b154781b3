"""The [[difference]] tables of a study: groups whose slopes are tested against each other by every test at once."""

from typing import Annotated, Literal

from pydantic import Field

from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, located, nearest
from bayes_npp.frequentist.hypotheses.separate import check_group_units, plain_spec
from bayes_npp.records import Record
from bayes_npp.study.header import Name, Roles
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.sample import Sample


class Difference(Record):
    """A [[difference]] table: is the slope the same in every group of a column?

    Attributes
    ----------
    name : str
    group : str
        Grouping column.
    model : str, optional
        Hierarchical model whose posterior stands beside the tests; the first one with slopes by `group` unless given.
    controls : tuple of str, optional
        In place of the study's.
    draws, seed : int
        Of permutations and of the wild bootstrap.
    convention : str
        Small-sample factor of the regressions that hold all groups.
    """

    name: Name
    group: str
    model: str | None = None
    controls: tuple[str, ...] | None = None
    draws: Annotated[int, Field(ge=99, le=1_000_000)] = 9999
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    convention: Literal["stata", "hc0", "cr1", "sss", "lsdv"] = "stata"

    def spec(self, roles: Roles) -> Spec:
        """The regression with slopes by group."""
        controls = roles.controls if self.controls is None else self.controls
        return plain_spec(Spec(outcome=roles.outcome, exposure=roles.exposure, controls=controls), self.group)

    def beside(self, models: tuple[ModelSpec, ...]) -> HierarchicalModel | None:
        """The hierarchical model beside the tests, if there is one.

        Raises
        ------
        SpecError
            A model of another kind, or with other slopes.
        """
        fitting = [
            model
            for model in models
            if isinstance(model, HierarchicalModel)
            and model.slopes == self.group
            and model.transform == "levels"
            and not model.dynamic
        ]
        if self.model is None:
            return next(iter(fitting), None)
        found = next((model for model in fitting if model.name == self.model), None)
        if found is None:
            raise SpecError(
                f"'{self.model}' is no static hierarchical model in levels with slopes = '{self.group}'",
                fix=nearest(self.model, [model.name for model in fitting] or [model.name for model in models]),
            )
        return found

    def check(self, sample: Sample, models: tuple[ModelSpec, ...]) -> str:
        """What is tested, after checking that every group has more than one unit."""
        with located(f"difference '{self.name}'"):
            design = sample.design(self.spec(sample.roles))
            check_group_units(design, sample.panel.source)
            self.beside(models)
        return f"difference {self.name}: {design.spec.exposure} by {self.group}, {len(design.groups)} groups"
