"""What to estimate: the specification of a panel regression, as a frozen record."""

from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from bayes_npp.design.formula import placed_effects, read_formula
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record

Effects = Literal["none", "partial", "fixed"]


def error_registry() -> Any:
    """The registry of error models, `bayesian.model.error_models`, which lies in the room that fits them.

    A specification asks it for names and for what goes together, when it is made.
    """
    return import_module("bayes_npp.bayesian.model.error_models")


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
    unit_trends : bool or {"none", "partial", "fixed"}
        A linear trend of each unit: partially pooled or flat in the hierarchical model, absorbed by fixed effects. True
        means "fixed".
    exposure_factor : {"none", "partial", "fixed"}
        A loading of each unit on the exposure's own factor (`design.factors.exposure_factors`), absorbed by fixed
        effects ("fixed").
    exposure_factors : int
        How many of them.
    group_time_effects : str, optional
        Grouping column whose groups have own period effects (region-by-year effects): partially pooled in the
        hierarchical model, absorbed in least squares.
    correlated_means : bool
        Whether columns with a slope get their unit and period parts (correlated effects), so that slopes target the
        same estimand as two-way fixed effects.
    errors : str
        "iid", "known" (standard errors in the column `se`), or any other parts of the registry joined by "+", such as
        "ar1+unit_scale+factor" (`bayesian.model.error_models`).
    se : str, optional
        Column of known standard errors of the outcome.
    transform : {"levels", "first_difference"}
        Whether outcome and regressors enter as they are or as changes from the period before.
    analytic_weights : str, optional
        Column of positive weights of rows in pooled OLS, fixed effects and instrumental variables, as Stata's aweight:
        a row is a mean of as many, so that its error variance is inversely proportional.
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
    unit_trends: bool | Literal["partial"] = False
    exposure_factor: Effects = "none"
    exposure_factors: Annotated[int, Field(ge=1)] = 1
    group_time_effects: str | None = None
    correlated_means: bool = True
    errors: str = "iid"
    se: str | None = None
    transform: Literal["levels", "first_difference"] = "levels"
    dynamic: bool = False
    analytic_weights: str | None = None

    @classmethod
    def from_formula(cls, formula: str, *, exposure: str | None = None, panel: Any = None, **options: Any) -> "Spec":
        """A specification from 'outcome ~ exposure + control | unit + time'.

        Parameters
        ----------
        formula : str
            Columns (lags as L1.x) joined by +, a name with blanks in backquotes. Effects behind the bar are partially
            pooled, `fixed(unit)` is fixed; without a bar there are none, and no correlated means either.
        exposure : str, optional
            One of the terms; the first without it.
        panel : Panel, optional
            By whose keys effects are told apart; without it the first is the unit's, the second the period's.
        **options
            Every other key of a specification, such as slopes="region".

        Raises
        ------
        SpecError
            A term that is no column (derive it first), an effect that is neither the unit's nor the period's.
        """
        read = read_formula(formula)
        chosen = exposure or read.regressors[0]
        if chosen not in read.regressors:
            raise SpecError(f"exposure '{chosen}' is no term of the formula", fix=nearest(chosen, read.regressors))
        own: dict[str, Any] = {**placed_effects(read, panel), "correlated_means": bool(read.effects), **options}
        controls = tuple(name for name in read.regressors if name != chosen)
        return cls(outcome=read.outcome, exposure=chosen, controls=controls, **own)

    @field_validator("unit_trends", mode="before")
    @classmethod
    def _trends_as_said(cls, value: Any) -> Any:
        return {"none": False, "fixed": True}.get(value, value) if isinstance(value, str) else value

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
        """What the errors are beyond independent and of one scale."""
        registry = error_registry()
        return frozenset(registry.named(self.errors)) - {registry.BASE}

    @property
    def regressors(self) -> tuple[str, ...]:
        """Exposure and controls."""
        return ((self.exposure,) if self.exposure else ()) + self.controls

    @model_validator(mode="after")
    def _errors_are_known(self) -> "Spec":
        registry = error_registry()
        names = registry.named(self.errors)
        if "auto" in names:
            raise SpecError(
                "a specification has errors of its own, and errors = 'auto' leaves them to the ladder",
                fix="Say bn.fit(panel, spec, errors='auto'), or errors = 'auto' in a study's [[model]]",
            )
        for name in names:
            if name not in registry.ERROR_MODELS:
                raise SpecError(f"unknown error model '{name}'", fix=nearest(name, registry.ERROR_MODELS))
        if sum(registry.ERROR_MODELS[name].factors > 0 for name in names) > 1:
            raise SpecError(
                f"errors = '{self.errors}' has common factors twice", fix="Name 'factor' for one or 'factor2' for two"
            )
        if not registry.combine(names):
            joined = ", ".join(registry.names_where(lambda part: not part.alone))
            raise SpecError(f"errors = '{self.errors}' does not combine", fix=f"Join different ones of {joined} by +")
        if any(part.known_se for part in registry.parts(self.errors)) != (self.se is not None):
            known = " or ".join(f"'{name}'" for name in registry.names_where(lambda part: part.known_se))
            raise SpecError(f"errors = {known} and se = '<column>' belong together", fix="Give both or neither")
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
    def _known_factors_fit(self) -> "Spec":
        if self.exposure_factor == "none":
            if self.exposure_factors != 1:
                raise SpecError("exposure_factors belongs to exposure_factor", fix="Add exposure_factor = 'fixed'")
        elif self.exposure is None:
            raise SpecError("exposure_factor without an exposure", fix="Name the exposure, or leave it out")
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
        lag = f"L1.{self.outcome}"
        if lag in self.regressors:
            raise SpecError(f"'{lag}' is a regressor of a dynamic model by itself", fix="Leave it out, or rename it")
        registry = error_registry()
        if not all(part.beside_lag for part in registry.parts(self.errors)):
            fitting = " or ".join(f"'{name}'" for name in registry.names_where(lambda part: part.beside_lag))
            raise SpecError(
                f"dynamic does not combine with errors = '{self.errors}'",
                fix=f"A lagged outcome is correlated with such errors: use errors = {fitting}",
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
