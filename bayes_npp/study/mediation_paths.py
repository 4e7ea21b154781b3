"""The [[model]] tables of mediation by least squares."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.errors import SpecError
from bayes_npp.frequentist.mediation.equations import PathEquations, path_equations
from bayes_npp.study.header import Roles
from bayes_npp.study.model_checks import check_lags
from bayes_npp.study.model_spec import MOST_DRAWS, Convention, Covariance, ModelSpec, Periods, rows_of
from bayes_npp.study.sample import Sample


class MediationPathsModel(ModelSpec):
    """A [[model]] table of mediation by least squares: keys of `frequentist.mediation.mediation.mediation_paths`.

    Mediators, outcome and exposure are the study's unless it names its own.
    """

    kind: Literal["mediation_paths"]
    mediators: tuple[str, ...] | None = None
    outcome: str | None = None
    exposure: str | None = None
    method: Literal["two_step", "baron_kenny", "product"] = "two_step"
    effects: Literal["two-way", "unit", "time", "none"] = "two-way"
    covariance: Covariance = "clustered"
    convention: Convention = "stata"
    lags: Periods | None = None
    cluster: str = "unit"
    interval: Literal["delta", "monte_carlo", "cluster_bootstrap"] = "delta"
    draws: Annotated[int, Field(ge=199, le=MOST_DRAWS)] = 9999

    @model_validator(mode="after")
    def _options_fit(self) -> "MediationPathsModel":
        if self.interval == "monte_carlo" and self.method != "product":
            raise SpecError("interval = 'monte_carlo' belongs to method = 'product'", fix="Change one of the two")
        if self.lags is not None and self.covariance != "driscoll_kraay":
            raise SpecError("lags belongs to covariance = 'driscoll_kraay'", fix="Remove lags or change covariance")
        if self.cluster != "unit" and self.covariance != "clustered" and self.interval != "cluster_bootstrap":
            fix = "Use covariance = 'clustered' or interval = 'cluster_bootstrap', or leave cluster out"
            raise SpecError(f"cluster = '{self.cluster}' where nothing is clustered", fix=fix)
        return self

    def own_mediators(self, roles: Roles) -> tuple[str, ...]:
        """The mediators of this model: the study's unless it names its own."""
        return roles.mediators if self.mediators is None else self.mediators

    def equations(self, sample: Sample) -> PathEquations:
        """The equations on a sample."""
        spec, mediators = self.spec(sample.roles), self.own_mediators(sample.roles)
        return sample.once(
            ("paths", spec, mediators, self.effects, self.cluster),
            lambda: path_equations(sample.panel, spec, mediators, self.effects, self.cluster),
        )

    def check(self, sample: Sample) -> str:
        """Rows that all equations share."""
        sample.design(self.spec(sample.roles))
        check_lags(self.lags, sample, (equations := self.equations(sample)).outcome)
        return rows_of(replace(equations.outcome, left_out=equations.left_out))
