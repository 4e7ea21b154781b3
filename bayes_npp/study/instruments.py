"""The [[model]] tables of instrumental variables."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.frequentist.instruments.columns import Equation, build_equation
from bayes_npp.frequentist.least_squares.covariance import check_options
from bayes_npp.study.model_spec import Convention, ModelSpec, rows_of
from bayes_npp.study.sample import Sample


class IvModel(ModelSpec):
    """A [[model]] table of instrumental variables: keys of `frequentist.instruments.iv`.

    `instruments` are columns of the panel or derived ones; `endogenous` are controls that are endogenous as well.
    """

    kind: Literal["iv"]
    instruments: Annotated[tuple[str, ...], Field(min_length=1)]
    endogenous: tuple[str, ...] = ()
    method: Literal["2sls", "liml", "gmm"] = "2sls"
    effects: Literal["none", "unit", "time", "two-way"] = "two-way"
    unit_trends: bool = False
    group_time_effects: str | None = None
    covariance: Literal["classical", "robust", "clustered"] = "clustered"
    convention: Convention = "stata"
    cluster: str = "unit"
    analytic_weights: str | None = None

    @model_validator(mode="after")
    def _clusters_fit(self) -> "IvModel":
        check_options(self.covariance, self.convention, None, self.cluster)
        return self

    def equation(self, sample: Sample) -> Equation:
        """Columns and instruments less the effects; built once on a sample."""
        spec = self.spec(sample.roles)
        options = (self.instruments, self.endogenous, self.effects, self.cluster)
        return sample.once(("iv", spec, *options), lambda: build_equation(sample.panel, spec, *options))

    def check(self, sample: Sample) -> str:
        """Rows, after checking that the instruments vary beside effects and controls."""
        equation = self.equation(sample)
        return f"{rows_of(equation.design)}, {len(self.instruments)} instrument(s)"
