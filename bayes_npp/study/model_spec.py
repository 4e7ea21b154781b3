"""What every kind of model declares, and what is asked of it before it is estimated."""

from collections.abc import Container
from typing import Annotated, Literal

from pydantic import Field

from bayes_npp.design.design import Design
from bayes_npp.design.spec import Spec
from bayes_npp.records import Record
from bayes_npp.study.header import Name, Roles
from bayes_npp.study.sample import Sample

Convention = Literal["stata", "hc0", "cr1", "sss", "lsdv"]
Covariance = Literal["classical", "robust", "clustered", "driscoll_kraay"]
Periods = Annotated[int, Field(ge=0, lt=2**31)]
MOST_DRAWS = 10_000_000  # a computer's memory ends before


class ModelSpec(Record):
    """A [[model]] table of a study: what every kind of model declares, and what is asked of it before it is estimated.

    `controls` are the study's unless a model names its own; `title` is what readers see instead of the name
    (`title_zh`: in Chinese).
    """

    name: Name
    title: str = ""
    title_zh: Annotated[str, Field(exclude=True)] = ""
    kind: str
    controls: tuple[str, ...] | None = None

    def spec(self, roles: Roles) -> Spec:
        """The regression of this model; outcome and exposure are the study's unless the record names its own."""
        return self._spec_with(roles, type(self).model_fields)

    def check(self, sample: Sample) -> str:
        """Build what the model is estimated from; what there is, in words.

        Raises
        ------
        BayesNppError
            A model that cannot be estimated on this sample.
        """
        return rows_of(sample.design(self.spec(sample.roles)))

    def own_controls(self, roles: Roles) -> tuple[str, ...]:
        """The controls of this model."""
        return roles.controls if self.controls is None else self.controls

    def _spec_with(self, roles: Roles, fields: Container[str]) -> Spec:
        shared = {name: getattr(self, name) for name in Spec.model_fields if name in fields}
        own = {name: getattr(self, name, None) or getattr(roles, name) for name in ("outcome", "exposure")}
        return Spec(**{**shared, **own, "controls": self.own_controls(roles)})


def rows_of(design: Design) -> str:
    """How many rows a model is estimated on, in words."""
    return "; ".join(part for part in (f"{design.n_obs} rows", str(design.left_out)) if part)
