"""The models of a study: one record for each kind of [[model]], roles, header and tables of the paper."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.bayesian.mediation.equations import Paths
from bayes_npp.design.spec import Effects, Spec
from bayes_npp.errors import SpecError
from bayes_npp.records import Record

Name = Annotated[str, Field(pattern=r"^[\w-]+$")]  # it also names files
Covariance = Literal["classical", "clustered", "driscoll_kraay"]
Convention = Literal["stata", "hc0", "sss", "lsdv"]
Engine = Literal["auto", "collapsed", "nuts"]
OPTIONS_OF = {"lags": "driscoll_kraay", "cluster": "clustered"}
OPTIONS_OF |= dict.fromkeys(("weights", "draws", "seed"), "wild_bootstrap")


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


def declared_paths(model: MediationModel) -> Paths:
    """The paths a mediation model of a study declares."""
    return Paths(model.varying_paths, model.serial, model.lags, model.path_correlation)
