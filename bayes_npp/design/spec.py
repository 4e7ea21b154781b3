"""What to estimate: the specification and the models of a study, as frozen records."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record

Name = Annotated[str, Field(pattern=r"^[\w-]+$")]  # it also names files
Effects = Literal["none", "partial", "fixed"]
Covariance = Literal["classical", "clustered", "driscoll_kraay"]
Convention = Literal["stata", "hc0", "sss", "lsdv"]
Engine = Literal["auto", "collapsed", "nuts"]
ERROR_PARTS = ("ar1", "unit_scale", "student_t")
ERROR_MODELS = ("iid", "known", *ERROR_PARTS)
OPTIONS_OF = {"lags": "driscoll_kraay", "cluster": "clustered"}
OPTIONS_OF |= dict.fromkeys(("weights", "draws", "seed"), "wild_bootstrap")


class Spec(Record):
    """A panel regression: outcome on exposure and controls, with effects and slopes.

    Attributes
    ----------
    outcome : str
    controls : tuple of str
    exposure : str, optional
        None: a model of levels alone, such as a meta-analysis.
    slopes : str, optional
        Who has an own slope of the exposure: a grouping column, "unit", or "<grouping column>/unit" (units within
        groups); None for one common slope.
    varying : tuple of str
        Controls whose slopes vary as the exposure's do.
    slope_pooling : {"sum_to_zero", "exchangeable", "none"}
        Groups' deviations sum to zero (the common slope is their mean), or are draws from a population, or each group's
        slope has the exposure's prior on its own.
    slope_correlation : bool
        Correlation of unit slopes with unit intercepts.
    unit_effects, time_effects : {"none", "partial", "fixed"}
        Of the hierarchical model: absent, partially pooled normal effects, or flat effects.
    unit_trends : bool
        A linear trend of each unit, absorbed by fixed effects; least squares only.
    group_time_effects : str, optional
        Grouping column whose groups have own period effects (region-by-year effects): partially pooled in the
        hierarchical model, absorbed in least squares.
    correlated_means : bool
        Whether columns with a slope get their unit and period parts (correlated effects), so that slopes target the
        same estimand as two-way fixed effects.
    errors : str
        "iid", "known" (standard errors in the column `se`), or any of ar1, unit_scale, student_t joined by "+".
    se : str, optional
        Column of known standard errors of the outcome.
    transform : {"levels", "first_difference"}
        Whether outcome and regressors enter as they are or as changes from the period before.
    dynamic : bool
        The outcome of the period before as a regressor, with correlated initial conditions (Wooldridge 2005): effects
        of units are conditional on the unit's initial outcome and on the means and initial values of the regressors.
    """

    outcome: str
    exposure: str | None = None
    controls: tuple[str, ...] = ()
    slopes: str | None = None
    varying: tuple[str, ...] = ()
    slope_pooling: Literal["sum_to_zero", "exchangeable", "none"] = "sum_to_zero"
    slope_correlation: bool = False
    unit_effects: Effects = "partial"
    time_effects: Effects = "partial"
    unit_trends: bool = False
    group_time_effects: str | None = None
    correlated_means: bool = True
    errors: str = "iid"
    se: str | None = None
    transform: Literal["levels", "first_difference"] = "levels"
    dynamic: bool = False

    @property
    def slope_group(self) -> str | None:
        """Grouping column whose groups have own slopes."""
        if self.slopes is None or self.slopes == "unit":
            return None
        return self.slopes.removesuffix("/unit")

    @property
    def unit_slopes(self) -> bool:
        """Whether every unit has its own slope."""
        return self.slopes is not None and (self.slopes == "unit" or self.slopes.endswith("/unit"))

    @property
    def error_parts(self) -> frozenset[str]:
        """What the errors are beyond independent and of one scale: of `ERROR_PARTS`, or "known"."""
        return frozenset() if self.errors == "iid" else frozenset(self.errors.split("+"))

    @property
    def regressors(self) -> tuple[str, ...]:
        """Exposure and controls."""
        return ((self.exposure,) if self.exposure else ()) + self.controls

    @model_validator(mode="after")
    def _errors_are_known(self) -> "Spec":
        parts = [part.strip() for part in self.errors.split("+")]
        for part in parts:
            if part not in ERROR_MODELS:
                raise SpecError(f"unknown error model '{part}'", fix=nearest(part, ERROR_MODELS))
        if len(parts) > 1 and ({"iid", "known"} & set(parts) or len(set(parts)) < len(parts)):
            raise SpecError(
                f"errors = '{self.errors}' does not combine",
                fix=f"Join different ones of {', '.join(ERROR_PARTS)} by +",
            )
        if (self.errors == "known") != (self.se is not None):
            raise SpecError("errors = 'known' and se = '<column>' belong together", fix="Give both or neither")
        return self

    @model_validator(mode="after")
    def _slopes_fit(self) -> "Spec":
        if self.slopes and not self.exposure:
            raise SpecError("slopes without an exposure", fix="Name the exposure, or leave slopes out")
        if self.slope_pooling == "none" and (not self.slope_group or self.unit_slopes or self.varying):
            raise SpecError(
                "slope_pooling = 'none' belongs to slopes of the exposure by a grouping column",
                fix="Use slopes = '<grouping column>' without varying, or another slope_pooling",
            )
        unknown = [name for name in self.varying if name not in self.controls]
        if unknown:
            raise SpecError(f"varying names '{unknown[0]}'", fix=nearest(unknown[0], self.controls))
        if self.varying and not self.slopes:
            raise SpecError("varying belongs to slopes", fix="Say by what the slopes vary, or leave varying out")
        if self.slope_correlation and (not self.unit_slopes or self.varying or self.unit_effects != "partial"):
            raise SpecError(
                "slope_correlation belongs to unit slopes of the exposure alone, with unit_effects = 'partial'",
                fix="Use slopes = 'unit' without varying, or slope_correlation = false",
            )
        return self

    @model_validator(mode="after")
    def _dynamics_fit(self) -> "Spec":
        if not self.dynamic:
            return self
        if self.unit_effects != "partial" or not self.correlated_means:
            raise SpecError(
                "dynamic needs unit_effects = 'partial' and correlated_means = true",
                fix="Beside fixed unit effects a lagged outcome has Nickell's bias, beside uncorrelated ones it stands "
                "for the units",
            )
        if self.error_parts & {"ar1", "known"}:
            raise SpecError(
                f"dynamic does not combine with errors = '{self.errors}'",
                fix="A lagged outcome is correlated with such errors: use errors = 'iid' or 'unit_scale'",
            )
        if self.transform != "levels":
            raise SpecError("dynamic belongs to levels", fix="Differenced errors are correlated with the lagged change")
        if self.unit_slopes:
            raise SpecError(
                f"dynamic does not combine with slopes = '{self.slopes}'",
                fix="Initial conditions are correlated with units' slopes too: let slopes vary by a grouping column",
            )
        return self

    @model_validator(mode="after")
    def _roles_differ(self) -> "Spec":
        names = (self.outcome, *self.regressors)
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise SpecError(
                f"'{twice[0]}' has two roles", fix="Outcome, exposure and controls must be different columns"
            )
        return self


class FrequentistModel(Record):
    """A [[model]] table of a frequentist estimator; outcome and exposure are the study's unless it names its own.

    `cluster` is "unit" or ["unit", "time"]; `weights`, `draws` and `seed` are the wild bootstrap's.
    """

    name: Name
    kind: Literal["pooled_ols", "fixed_effects", "twfe"]
    outcome: str | None = None
    exposure: str | None = None
    effects: Literal["unit", "time"] | None = None
    controls: tuple[str, ...] | None = None
    slopes: str | None = None
    subsamples: str | None = None
    unit_trends: bool = False
    group_time_effects: str | None = None
    covariance: Covariance | Literal["wild_bootstrap"] = "clustered"
    convention: Convention = "stata"
    lags: Annotated[int, Field(ge=0)] | None = None
    cluster: str | tuple[str, ...] = "unit"
    weights: Literal["rademacher", "webb"] = "rademacher"
    draws: Annotated[int, Field(ge=99)] = 9999
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    @model_validator(mode="after")
    def _options_fit(self) -> "FrequentistModel":
        if self.slopes and self.subsamples:
            raise SpecError("slopes and subsamples exclude each other", fix="Declare two models")
        if self.subsamples and self.kind != "twfe":
            raise SpecError("subsamples belongs to kind = 'twfe'", fix="Remove subsamples or change kind")
        if (self.kind == "fixed_effects") != (self.effects is not None):
            raise SpecError("effects = 'unit' or 'time' belongs to kind = 'fixed_effects'", fix="Both or neither")
        if self.unit_trends and self.absorbed_effects not in ("unit", "two-way"):
            raise SpecError("unit_trends needs unit effects", fix="Use kind = 'twfe', or leave unit_trends out")
        if self.group_time_effects and self.absorbed_effects not in ("time", "two-way"):
            raise SpecError("group_time_effects needs period effects", fix="Use kind = 'twfe', or leave it out")
        for name, covariance in OPTIONS_OF.items():
            if self.covariance != covariance and getattr(self, name) != type(self).model_fields[name].default:
                fix = f"Remove {name} or change covariance"
                raise SpecError(f"{name} belongs to covariance = '{covariance}'", fix=fix)
        if self.cluster != "unit" and (isinstance(self.cluster, str) or sorted(self.cluster) != ["time", "unit"]):
            raise SpecError(f"unknown cluster {self.cluster!r}", fix="Use 'unit' or ['unit', 'time']")
        return self

    @property
    def absorbed_effects(self) -> Literal["none", "unit", "time", "two-way"]:
        """Whose effects are absorbed."""
        if self.kind == "fixed_effects":
            return self.effects or "unit"
        return "two-way" if self.kind == "twfe" else "none"


class DynamicWithinModel(Record):
    """A [[model]] table of two-way fixed effects with lags of the outcome, which Nickell's bias spoils."""

    name: Name
    kind: Literal["dynamic_within"]
    controls: tuple[str, ...] | None = None
    outcome_lags: Annotated[int, Field(ge=1)] = 1
    covariance: Literal["classical", "clustered", "driscoll_kraay"] = "clustered"
    convention: Convention = "stata"


class GmmModel(Record):
    """A [[model]] table of dynamic panel GMM: `outcome_lags` lags of the outcome, the exposure and the controls.

    `gmm` lists [column, first lag, last lag] (or "all" as the last lag; an equation may follow), `iv` columns, or
    [column, equation].
    """

    name: Name
    kind: Literal["difference_gmm", "system_gmm"]
    controls: tuple[str, ...] | None = None
    outcome_lags: Annotated[int, Field(ge=1)] = 1
    gmm: Annotated[tuple[tuple[str | int, ...], ...], Field(min_length=1)]
    iv: tuple[str | tuple[str, str], ...] = ()
    steps: Literal[1, 2] = 2
    windmeijer: bool = True
    robust: bool = True
    collapse: bool = False
    transform: Literal["fd", "fod"] = "fd"
    time_dummies: Literal["differenced", "level", "both"] | None = None
    small: bool = False
    h: Literal[1, 2, 3] = 3

    @property
    def gmm_instruments(self) -> tuple[tuple[str | int | None, ...], ...]:
        """Instruments with None where the last lag is "all"."""
        return tuple(tuple(None if i == 2 and v == "all" else v for i, v in enumerate(entry)) for entry in self.gmm)


class _BayesianModel(Record):
    """What both kinds of Bayesian model declare."""

    name: Name
    controls: tuple[str, ...] | None = None
    slopes: str | None = None
    unit_effects: Effects = "partial"
    time_effects: Effects = "partial"
    correlated_means: bool = True
    errors: str = "iid"
    priors: str = "weakly_informative"
    draws: Annotated[int, Field(ge=100)] = 2000
    tune: Annotated[int, Field(ge=100)] | None = None
    chains: Annotated[int, Field(ge=2)] = 4
    target_accept: Annotated[float, Field(gt=0.5, lt=1)] | None = None


class HierarchicalModel(_BayesianModel):
    """A [[model]] table of a Bayesian hierarchical model: keys of `Spec`, the sampler's, and `ladder`.

    With `ladder` a model with slopes by group is fitted under other error models and other pooling too.
    """

    kind: Literal["hierarchical"]
    varying: tuple[str, ...] = ()
    slope_pooling: Literal["sum_to_zero", "exchangeable", "none"] = "sum_to_zero"
    slope_correlation: bool = False
    group_time_effects: str | None = None
    se: str | None = None
    transform: Literal["levels", "first_difference"] = "levels"
    dynamic: bool = False
    engine: Engine = "auto"
    ladder: bool = True


class MediationModel(_BayesianModel):
    """A [[model]] table of Bayesian mediation; `compare_missing` shows every treatment of mediators' missing cells."""

    kind: Literal["mediation"]
    mediators: tuple[str, ...] | None = None
    varying_paths: tuple[Literal["a", "b", "direct", "serial"], ...] = ("a", "b", "direct", "serial")
    serial: tuple[tuple[str, str], ...] = ()
    lags: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 0)
    path_correlation: bool = False
    missing: Literal["drop", "error", "interpolate", "extrapolate", "impute"] = "drop"
    extrapolation: Literal["linear", "carry"] = "linear"
    mediator_errors: str | None = None
    compare_missing: bool = True


class MediationPathsModel(Record):
    """A [[model]] table of mediation by least squares: keys of `frequentist.mediation.mediation.mediation_paths`.

    Mediators, outcome and exposure are the study's unless it names its own.
    """

    name: Name
    kind: Literal["mediation_paths"]
    mediators: tuple[str, ...] | None = None
    outcome: str | None = None
    exposure: str | None = None
    controls: tuple[str, ...] | None = None
    method: Literal["two_step", "baron_kenny", "product"] = "two_step"
    effects: Literal["two-way", "unit", "time", "none"] = "two-way"
    covariance: Covariance = "clustered"
    convention: Convention = "stata"
    lags: Annotated[int, Field(ge=0)] | None = None
    interval: Literal["delta", "monte_carlo", "cluster_bootstrap"] = "delta"
    draws: Annotated[int, Field(ge=199)] = 9999

    @model_validator(mode="after")
    def _options_fit(self) -> "MediationPathsModel":
        if self.interval == "monte_carlo" and self.method != "product":
            raise SpecError("interval = 'monte_carlo' belongs to method = 'product'", fix="Change one of the two")
        if self.lags is not None and self.covariance != "driscoll_kraay":
            raise SpecError("lags belongs to covariance = 'driscoll_kraay'", fix="Remove lags or change covariance")
        return self


ModelSpec = FrequentistModel | DynamicWithinModel | GmmModel | HierarchicalModel | MediationModel | MediationPathsModel
MODEL_RECORDS: dict[str, type[ModelSpec]] = {
    "pooled_ols": FrequentistModel,
    "fixed_effects": FrequentistModel,
    "twfe": FrequentistModel,
    "dynamic_within": DynamicWithinModel,
    "difference_gmm": GmmModel,
    "system_gmm": GmmModel,
    "hierarchical": HierarchicalModel,
    "mediation": MediationModel,
    "mediation_paths": MediationPathsModel,
}


class PaperTable(Record):
    """A [[table]] of a study: a table of the re-analysed paper, its columns the names of models."""

    number: Name
    title: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    note: str = ""


class Roles(Record):
    """The [roles] table: which column plays which part."""

    outcome: str
    exposure: str
    controls: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()


class StudyHeader(Record):
    """The [study] table.

    With `replicates` the data are the paper's own and its numbers are differenced with ours; the tolerances say what
    the data allow beyond printing (see `replication.replicate`).
    """

    title: str
    panel: str
    encoding: str = "utf-8"
    unit: str
    time: str
    group: str | None = None
    window: tuple[int, int] | None = None
    published: str | None = None
    replicates: bool = False
    tolerance_estimate: Annotated[float, Field(ge=0)] = 0.0
    tolerance_se: Annotated[float, Field(ge=0)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    data_are: str = ""
    data_are_not: str = ""
    doubts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _replication_fits(self) -> "StudyHeader":
        if self.replicates and self.published is None:
            raise SpecError("replicates without published numbers", fix="Give published = 'published.csv'")
        if not self.replicates and (self.tolerance_estimate or self.tolerance_se):
            raise SpecError("tolerances belong to replicates = true", fix="Remove them, or say replicates")
        return self


def model_spec(model: ModelSpec, roles: Roles) -> Spec:
    """The specification of one model of a study; of GMM its static part."""
    fields = () if isinstance(model, GmmModel) else type(model).model_fields
    shared = {name: getattr(model, name) for name in Spec.model_fields if name in fields}
    controls = roles.controls if model.controls is None else model.controls
    own = {name: getattr(model, name, None) or getattr(roles, name) for name in ("outcome", "exposure")}
    return Spec(**{**shared, **own, "controls": controls})


def dynamic_regressors(model: DynamicWithinModel | GmmModel, roles: Roles) -> tuple[str, ...]:
    """Lags of the outcome, exposure and controls of a dynamic model."""
    controls = roles.controls if model.controls is None else model.controls
    lags = tuple(f"L{lag}.{roles.outcome}" for lag in range(1, model.outcome_lags + 1))
    return (*lags, roles.exposure, *controls)
