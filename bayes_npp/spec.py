"""What to estimate: the specification and the models of a study, as frozen records."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.errors import SpecError
from bayes_npp.records import Record

Name = Annotated[str, Field(pattern=r"^[\w-]+$")]  # it also names files
Effects = Literal["none", "partial", "fixed"]
Covariance = Literal["classical", "clustered", "driscoll_kraay"]
Convention = Literal["stata", "hc0", "sss", "lsdv"]


class Spec(Record):
    """A panel regression: outcome on exposure and controls, with effects and slopes.

    Attributes
    ----------
    outcome, exposure : str
    controls : tuple of str
    slopes : str, optional
        Grouping column whose groups have their own slope of the exposure; None for one common slope.
    unit_effects, time_effects : {"none", "partial", "fixed"}
        Of the hierarchical model: absent, partially pooled normal effects, or flat effects.
    correlated_means : bool
        Whether columns with a slope get their unit and period parts (correlated effects), so that slopes target the
        same estimand as two-way fixed effects.
    slope_correlation : False
        Correlation of unit slopes with intercepts; there are no unit slopes yet.
    errors : {"iid"}
    """

    outcome: str
    exposure: str
    controls: tuple[str, ...] = ()
    slopes: str | None = None
    unit_effects: Effects = "partial"
    time_effects: Effects = "partial"
    correlated_means: bool = True
    slope_correlation: Literal[False] = False
    errors: Literal["iid"] = "iid"

    @model_validator(mode="after")
    def _roles_differ(self) -> "Spec":
        names = (self.outcome, self.exposure, *self.controls)
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise SpecError(
                f"'{twice[0]}' has two roles", fix="Outcome, exposure and controls must be different columns"
            )
        return self


class FrequentistModel(Record):
    """A [[model]] table of a frequentist estimator."""

    name: Name
    kind: Literal["pooled_ols", "fixed_effects", "twfe"]
    effects: Literal["unit", "time"] | None = None
    controls: tuple[str, ...] | None = None
    slopes: str | None = None
    subsamples: str | None = None
    covariance: Covariance = "clustered"
    convention: Convention = "stata"
    lags: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _options_fit(self) -> "FrequentistModel":
        if self.slopes and self.subsamples:
            raise SpecError("slopes and subsamples exclude each other", fix="Declare two models")
        if self.subsamples and self.kind != "twfe":
            raise SpecError("subsamples belongs to kind = 'twfe'", fix="Remove subsamples or change kind")
        if (self.kind == "fixed_effects") != (self.effects is not None):
            raise SpecError("effects = 'unit' or 'time' belongs to kind = 'fixed_effects'", fix="Both or neither")
        if self.lags is not None and self.covariance != "driscoll_kraay":
            raise SpecError("lags belongs to covariance = 'driscoll_kraay'", fix="Remove lags or change covariance")
        return self


class HierarchicalModel(Record):
    """A [[model]] table of a Bayesian hierarchical model."""

    name: Name
    kind: Literal["hierarchical"]
    controls: tuple[str, ...] | None = None
    slopes: str | None = None
    unit_effects: Effects = "partial"
    time_effects: Effects = "partial"
    correlated_means: bool = True
    errors: Literal["iid"] = "iid"
    priors: str = "weakly_informative"
    draws: Annotated[int, Field(ge=100)] = 2000
    tune: Annotated[int, Field(ge=100)] = 1000
    chains: Annotated[int, Field(ge=2)] = 4
    target_accept: Annotated[float, Field(gt=0.5, lt=1)] = 0.98


ModelSpec = FrequentistModel | HierarchicalModel
MODEL_KINDS = ("pooled_ols", "fixed_effects", "twfe", "hierarchical")


class Roles(Record):
    """The [roles] table: which column plays which part."""

    outcome: str
    exposure: str
    controls: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()


class StudyHeader(Record):
    """The [study] table."""

    title: str
    panel: str
    encoding: str = "utf-8"
    unit: str
    time: str
    group: str | None = None
    window: tuple[int, int] | None = None
    published: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    data_are: str = ""
    data_are_not: str = ""
    doubts: tuple[str, ...] = ()


def model_spec(model: ModelSpec, roles: Roles) -> Spec:
    """The specification of one model of a study."""
    hierarchical = {}
    if isinstance(model, HierarchicalModel):
        names = ("unit_effects", "time_effects", "correlated_means", "errors")
        hierarchical = {name: getattr(model, name) for name in names}
    return Spec(
        outcome=roles.outcome,
        exposure=roles.exposure,
        controls=roles.controls if model.controls is None else model.controls,
        slopes=model.slopes,
        **hierarchical,
    )
