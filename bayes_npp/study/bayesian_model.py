"""What every kind of Bayesian model declares: slopes, effects, errors, priors, sampler."""

from typing import Annotated, Self

from pydantic import Field

from bayes_npp.bayesian.fitting.error_ladder import AUTO, ERRORS
from bayes_npp.design.design import Design, check_membership, check_two_way
from bayes_npp.design.spec import Effects
from bayes_npp.study.model_spec import MOST_DRAWS, ModelSpec, rows_of
from bayes_npp.study.sample import Sample


class BayesianModel(ModelSpec):
    """What every kind of Bayesian model declares."""

    slopes: str | None = None
    unit_effects: Effects = "partial"
    time_effects: Effects = "partial"
    correlated_means: bool = True
    errors: str = "iid"
    priors: str = "weakly_informative"
    draws: Annotated[int, Field(ge=100, le=MOST_DRAWS)] = 2000
    tune: Annotated[int, Field(ge=100, le=MOST_DRAWS)] | None = None
    chains: Annotated[int, Field(ge=2, le=1000)] = 4
    target_accept: Annotated[float, Field(gt=0.5, lt=1)] | None = None

    @property
    def rungs(self) -> tuple[str, ...]:
        """The error models that a ladder may try."""
        return ERRORS if self.leaves_errors else ()

    @property
    def leaves_errors(self) -> bool:
        """Whether the ladder picks the errors."""
        return self.errors == AUTO

    def with_errors(self, errors: str) -> Self:
        """The same model with other errors."""
        return self.model_copy(update={"errors": errors})

    def check(self, sample: Sample) -> str:
        """Rows, after checking that groups are known and slopes vary within units and periods."""
        return rows_of(self._checked_design(sample))

    def _checked_design(self, sample: Sample) -> Design:
        design = sample.design(self.spec(sample.roles))
        if self.correlated_means:
            check_two_way(design, sample.panel.source)
        check_membership(design)
        return design
