"""The [[model]] tables of instrumental variables."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.bayesian.instruments.equations import ERRORS, Equations, build_equations, n_scales
from bayes_npp.design.spec import Effects
from bayes_npp.errors import SpecError
from bayes_npp.frequentist.instruments.columns import Equation, build_equation
from bayes_npp.frequentist.least_squares.covariance import check_options
from bayes_npp.study.bayesian_model import BayesianModel
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


class HierarchicalIvModel(BayesianModel):
    """A [[model]] table of a hierarchical model with instruments: keys of `bayesian.instruments.iv_hierarchical`.

    Effects are flat in both equations unless it says otherwise. `exclusion` is the SD of the instruments' own
    coefficients in the outcome's equation.
    """

    kind: Literal["iv_hierarchical"]
    instruments: Annotated[tuple[str, ...], Field(min_length=1)]
    exclusion: Annotated[float, Field(ge=0)] = 0.0
    unit_effects: Effects = "fixed"
    time_effects: Effects = "fixed"
    engine: Literal["auto", "importance", "nuts"] = "auto"

    @model_validator(mode="after")
    def _errors_fit(self) -> "HierarchicalIvModel":
        if self.errors not in ERRORS:
            raise SpecError(
                f"errors = '{self.errors}' with instruments", fix=f"Use one of {', '.join(map(repr, ERRORS))}"
            )
        return self

    def equations(self, sample: Sample) -> Equations:
        """Both equations on the sample's scales; built once."""
        spec = self.spec(sample.roles)
        options = (self.instruments, self.exclusion)
        key = ("iv_hierarchical", spec, *options)
        return sample.once(key, lambda: build_equations(sample.panel, spec, *options, sample.scales))

    def check(self, sample: Sample) -> str:
        """Rows, after checking that slopes and instruments vary within the effects, and that the engine takes them."""
        size = n_scales(self.spec(sample.roles), len(self.instruments))
        if self.engine == "importance":  # numba is slow to load
            from bayes_npp.bayesian.fitting.importance import MOST_SCALES

            if size > MOST_SCALES:
                raise SpecError(
                    f"engine = 'importance' with {size} scales and shapes, more than {MOST_SCALES}",
                    fix="Use engine = 'auto' or 'nuts', or fixed effects",
                )
        return f"{rows_of(self.equations(sample).design)}, {len(self.instruments)} instrument(s)"
