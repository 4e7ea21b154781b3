"""The models of a study: one record for each kind of [[model]], what it estimates and how it is checked."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from bayes_npp.bayesian.fitting.error_ladder import ERRORS, ONE_FACTOR, WITHOUT_FACTORS
from bayes_npp.bayesian.mediation.equations import Paths, check_equation
from bayes_npp.bayesian.mediation.missing import Treated, treat
from bayes_npp.bayesian.model.error_models import parts as error_parts
from bayes_npp.design.design import Design, check_two_way, subsample_designs
from bayes_npp.design.spec import Effects, Spec
from bayes_npp.errors import SpecError, located
from bayes_npp.frequentist.dynamic.lagged import lagged_design
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments
from bayes_npp.frequentist.factors.checks import check_averages, check_factors, check_pooled
from bayes_npp.frequentist.least_squares.absorbed import check_absorbed
from bayes_npp.frequentist.least_squares.clusters import clustered_by, clustered_subsamples
from bayes_npp.frequentist.least_squares.covariance import check_options
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.header import Roles
from bayes_npp.study.instruments import HierarchicalIvModel, IvModel
from bayes_npp.study.mediation_paths import MediationPathsModel
from bayes_npp.study.model_checks import check_collapsible, check_ladder, check_lags, check_prepared, with_lags
from bayes_npp.study.model_spec import MOST_DRAWS, Convention, Covariance, ModelSpec, Periods, rows_of
from bayes_npp.study.sample import Sample

Engine = Literal["auto", "importance", "collapsed", "nuts"]
WILD = ("weights", "draws", "seed")
OPTIONS_OF = {"lags": "driscoll_kraay"} | dict.fromkeys(WILD, "wild_bootstrap")


class FrequentistModel(ModelSpec):
    """A [[model]] table of a frequentist estimator; outcome and exposure are the study's unless it names its own.

    `covariance = "robust"` is White's HC1, not clustered (Stata's `xtreg, fe robust` is "clustered"). `cluster` is
    "unit", ["unit", "time"] or a column of which units are nested in; `weights`, `draws` and `seed` are the wild
    bootstrap's, `analytic_weights` a column of weights of rows.
    """

    kind: Literal["pooled_ols", "fixed_effects", "twfe"]
    outcome: str | None = None
    exposure: str | None = None
    effects: Literal["unit", "time"] | None = None
    slopes: str | None = None
    subsamples: str | None = None
    unit_trends: bool = False
    exposure_factor: Literal["none", "fixed"] = "none"
    exposure_factors: Annotated[int, Field(ge=1)] = 1
    group_time_effects: str | None = None
    analytic_weights: str | None = None
    covariance: Covariance | Literal["wild_bootstrap"] = "clustered"
    convention: Convention = "stata"
    lags: Periods | None = None
    cluster: str | tuple[str, ...] = "unit"
    weights: Literal["rademacher", "webb"] = "rademacher"
    draws: Annotated[int, Field(ge=99, le=MOST_DRAWS)] = 9999
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    @model_validator(mode="after")
    def _options_fit(self) -> "FrequentistModel":
        if self.slopes and self.subsamples:
            raise SpecError("slopes and subsamples exclude each other", fix="Declare two models")
        if self.slopes == "unit" or (self.slopes or "").endswith("/unit"):
            raise SpecError(f"least squares has no slopes = '{self.slopes}'", fix="Use kind = 'hierarchical'")
        if self.subsamples and self.kind != "twfe":
            raise SpecError("subsamples belongs to kind = 'twfe'", fix="Remove subsamples or change kind")
        if (self.kind == "fixed_effects") != (self.effects is not None):
            raise SpecError("effects = 'unit' or 'time' belongs to kind = 'fixed_effects'", fix="Both or neither")
        for name, absorbed in (("unit_trends", self.unit_trends), ("exposure_factor", self.exposure_factor != "none")):
            if absorbed and self.absorbed_effects not in ("unit", "two-way"):
                raise SpecError(f"{name} needs unit effects", fix=f"Use kind = 'twfe', or leave {name} out")
        if self.group_time_effects and self.absorbed_effects not in ("time", "two-way"):
            raise SpecError("group_time_effects needs period effects", fix="Use kind = 'twfe', or leave it out")
        for name, covariance in OPTIONS_OF.items():
            if self.covariance != covariance and getattr(self, name) != type(self).model_fields[name].default:
                fix = f"Remove {name} or change covariance"
                raise SpecError(f"{name} belongs to covariance = '{covariance}'", fix=fix)
        if self.exposure_factor != "none" and self.analytic_weights:
            raise SpecError("analytic_weights beside exposure_factor", fix="Leave one of the two out")
        check_options(self.covariance, self.convention, self.lags, self.cluster)
        return self

    @property
    def absorbed_effects(self) -> Literal["none", "unit", "time", "two-way"]:
        """Whose effects are absorbed."""
        if self.kind == "fixed_effects":
            return self.effects or "unit"
        return "two-way" if self.kind == "twfe" else "none"

    def design(self, sample: Sample) -> Design:
        """Of the regression, with its clusters."""
        return clustered_by(sample.design(self.spec(sample.roles)), sample.panel, self.cluster)

    def subsample_designs(self, sample: Sample) -> dict[str, Design]:
        """Of each subsample's own regression."""
        spec, grouping = self.spec(sample.roles), self.subsamples or ""
        return sample.once(
            ("subsamples", spec, grouping, self.cluster),
            lambda: clustered_subsamples(subsample_designs(sample.panel, spec, grouping), sample.panel, self.cluster),
        )

    def check(self, sample: Sample) -> str:
        """Rows, after checking that the effects leave something of every column, in each subsample."""
        whole = self.design(sample)
        for design in self.subsample_designs(sample).values() if self.subsamples else [whole]:
            check_absorbed(design, self.absorbed_effects, sample.panel.source)
            check_lags(self.lags, sample, design)
        return rows_of(whole)


class InteractiveModel(ModelSpec):
    """A [[model]] table of two-way fixed effects with common factors: keys of `frequentist.factors.interactive`."""

    kind: Literal["interactive_fe"]
    slopes: str | None = None
    factors: Annotated[int, Field(ge=1)] = 1
    covariance: Literal["classical", "robust", "clustered"] = "clustered"
    convention: Convention = "cr1"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    def check(self, sample: Sample) -> str:
        """Rows, after checking that the panel carries the factors."""
        design = sample.design(self.spec(sample.roles))
        check_factors(design, self.factors, sample.panel.source)
        return rows_of(design)


class CceModel(ModelSpec):
    """A [[model]] table of common correlated effects: keys of `frequentist.factors.cce`."""

    kind: Literal["cce"]
    slopes: str | None = None
    averages: tuple[str, ...] | None = None
    pooled: bool = True
    covariance: Literal["classical", "robust", "clustered"] = "clustered"
    convention: Convention = "hc0"

    def check(self, sample: Sample) -> str:
        """Rows, after checking that the panel carries the averages."""
        design = sample.design(self.spec(sample.roles))
        check_pooled(self.pooled, self.covariance, self.convention)
        check_averages(design, self.averages, self.pooled, sample.panel.source)
        return rows_of(design)


class DynamicWithinModel(ModelSpec):
    """A [[model]] table of two-way fixed effects with lags of the outcome, which Nickell's bias spoils."""

    kind: Literal["dynamic_within"]
    outcome_lags: Annotated[int, Field(ge=1, le=100)] = 1
    covariance: Covariance = "clustered"
    convention: Convention = "stata"

    def regressors(self, roles: Roles) -> tuple[str, ...]:
        """Lags of the outcome, exposure and controls."""
        return with_lags(roles, self.outcome_lags, self.own_controls(roles))

    def check(self, sample: Sample) -> str:
        """Rows with every lag."""
        return rows_of(lagged_design(sample.panel, sample.roles.outcome, self.regressors(sample.roles)))


class GmmModel(ModelSpec):
    """A [[model]] table of dynamic panel GMM: `outcome_lags` lags of the outcome, the exposure and the controls.

    `gmm` lists [column, first lag, last lag] (or "all" as the last lag; an equation may follow), `iv` columns, or
    [column, equation].
    """

    kind: Literal["difference_gmm", "system_gmm"]
    outcome_lags: Annotated[int, Field(ge=1, le=100)] = 1
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

    def spec(self, roles: Roles) -> Spec:
        """The static part."""
        return self._spec_with(roles, ())

    def equations(self, roles: Roles) -> Equations:
        """Equations and instruments."""
        return Equations(
            outcome=roles.outcome,
            regressors=with_lags(roles, self.outcome_lags, self.own_controls(roles)),
            gmm=self.gmm_instruments,
            iv=self.iv,
            system=self.kind == "system_gmm",
            transform=self.transform,
            time_dummies=self.time_dummies,
            collapse=self.collapse,
        )

    def check(self, sample: Sample) -> str:
        """Equations and instruments, counted."""
        sample.design(self.spec(sample.roles))
        moments = build_moments(sample.panel, self.equations(sample.roles))
        counts = f"{moments.n_obs} equations, {moments.instruments.shape[2]} instruments"
        return "; ".join(part for part in (counts, str(moments.left_out)) if part)


class HierarchicalModel(BayesianModel):
    """A [[model]] table of a Bayesian hierarchical model: keys of `Spec`, the sampler's, and `ladder`.

    With `ladder` slopes by group are fitted under other errors and pooling too; "factor": a common factor among them,
    "factors": one and two.
    """

    kind: Literal["hierarchical"]
    varying: tuple[str, ...] = ()
    slope_pooling: Literal["sum_to_zero", "exchangeable", "none"] = "sum_to_zero"
    slope_correlation: bool = False
    unit_trends: Literal[True, False, "none", "partial", "fixed"] = False
    exposure_factor: Effects = "none"
    exposure_factors: Annotated[int, Field(ge=1)] = 1
    group_time_effects: str | None = None
    se: str | None = None
    transform: Literal["levels", "first_difference"] = "levels"
    dynamic: bool = False
    engine: Engine = "auto"
    ladder: bool | Literal["factor", "factors"] = True

    @property
    def has_ladder(self) -> bool:
        """Whether errors and pooling can be varied: static group slopes of one prior, in levels, collapsed."""
        plain = self.slopes is not None and not self.slopes.endswith("unit") and self.transform == "levels"
        free = not any(part.known_se or part.not_collapsed for part in error_parts(self.errors))
        shared = self.slope_pooling != "none"  # rungs are compared by the Bayes factor of equal slopes, too
        return bool(self.ladder) and plain and free and shared and not self.dynamic and self.engine != "nuts"

    @property
    def rungs(self) -> tuple[str, ...]:
        """The error models that a ladder may try, from the simplest on."""
        if self.leaves_errors:
            return ERRORS
        tried = {"factor": ONE_FACTOR, "factors": ERRORS}.get(str(self.ladder), WITHOUT_FACTORS)
        return tried if self.has_ladder else ()

    def check(self, sample: Sample) -> str:
        """Rows, after checking what the model and the AR(1) errors of its ladder need."""
        if self.has_ladder:
            sample.panel.check_distances("a ladder (ladder = true), which has AR(1) errors,")
            check_ladder(self.spec(sample.roles))
        if self.engine in ("importance", "collapsed"):
            check_collapsible(self.spec(sample.roles), self.engine)
        check_prepared(design := self._checked_design(sample))
        return rows_of(design)


def _pairs(value: object) -> object:
    """A table as pairs, which can be hashed."""
    return tuple(value.items()) if isinstance(value, dict) else value


class MediationModel(BayesianModel):
    """A [[model]] table of Bayesian mediation; `compare_missing` shows every treatment of mediators' missing cells."""

    kind: Literal["mediation"]
    mediators: tuple[str, ...] | None = None
    varying_paths: tuple[Literal["a", "b", "direct", "serial"], ...] = ("a", "b", "direct", "serial")
    serial: tuple[tuple[str, str], ...] = ()
    lags: tuple[Periods, Periods] = (0, 0)
    path_correlation: bool | None = None
    missing: Literal["drop", "error", "interpolate", "extrapolate", "impute"] = "drop"
    extrapolation: Literal["linear", "carry"] = "linear"
    mediator_errors: str | Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)] | None = None
    compare_missing: bool = True

    @property
    def paths(self) -> Paths:
        """What leads to what."""
        return Paths(self.varying_paths, self.serial, self.lags, self.path_correlation)

    def own_mediators(self, roles: Roles) -> tuple[str, ...]:
        """The mediators of this model: the study's unless it names its own."""
        return roles.mediators if self.mediators is None else self.mediators

    def treated(self, sample: Sample) -> Treated:
        """The equations, missing cells of mediators treated as declared; built once on a sample."""
        errors = dict(self.mediator_errors) if isinstance(self.mediator_errors, tuple) else self.mediator_errors
        options = (self.missing, self.extrapolation)
        spec, mediators = self.spec(sample.roles), self.own_mediators(sample.roles)
        key = ("treated", spec, mediators, self.paths, options, self.mediator_errors)
        return sample.once(key, lambda: treat(sample.panel, spec, mediators, self.paths, *options, errors))

    def check(self, sample: Sample) -> str:
        """Rows of the outcome's equation, after checking every equation."""
        self._checked_design(sample)
        designs = self.treated(sample).designs
        if self.correlated_means:
            for design in reversed(designs):
                check_two_way(design, sample.panel.source)
        for design in designs:
            with located(f"equation of '{design.spec.outcome}'"):
                check_equation(design.spec, bool(self.treated(sample).unknown), bool(self.path_correlation))
                check_prepared(design)
        return rows_of(replace(designs[-1], left_out=self.treated(sample).missing.left_out))


MODEL_RECORDS: dict[str, type[ModelSpec]] = {
    "pooled_ols": FrequentistModel,
    "fixed_effects": FrequentistModel,
    "twfe": FrequentistModel,
    "interactive_fe": InteractiveModel,
    "cce": CceModel,
    "iv": IvModel,
    "iv_hierarchical": HierarchicalIvModel,
    "dynamic_within": DynamicWithinModel,
    "difference_gmm": GmmModel,
    "system_gmm": GmmModel,
    "hierarchical": HierarchicalModel,
    "mediation": MediationModel,
    "mediation_paths": MediationPathsModel,
}
