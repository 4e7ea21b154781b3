"""Robustness rows: a declared model again, on altered data or with more effects absorbed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Record
from bayes_npp.study.altered_panel import lost, narrowed, periods, rescaled, winsorised, within_sd, without
from bayes_npp.study.header import Name, Roles
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import CceModel, FrequentistModel, HierarchicalModel, InteractiveModel
from bayes_npp.study.sample import Sample

Alterable = FrequentistModel | HierarchicalModel | InteractiveModel | CceModel
ONLY_LEAST_SQUARES = {
    "factors": "they are interactive effects of least squares",
    "averages": "they are common correlated effects of least squares",
}


class Robustness(Record):
    """A [[robustness]] table: models of the study again, on altered data.

    Attributes
    ----------
    models : tuple of str
        The first two-way fixed effects model with one slope and the study's controls if empty.
    winsorise : float, optional
        Outcome, exposure and controls set to their quantiles of this and one less this (type 7) beyond them, over the
        altered sample or, with `within_period`, within each of its periods.
    drop_units : tuple of str
    window : (int or str, int or str), optional
        Within the study's, in the file's keys.
    outcome, exposure, controls : str, str, tuple of str, optional
        In place of the model's. With `rescale` the outcome gets mean and SD of the study's outcome.
    unit_trends, exposure_factor : bool, "fixed" or "partial"
        As in `Spec`; true means "fixed", and "partial" is for hierarchical models. One factor.
    group_time_effects : str, optional
    factors : int, optional
        Of a plain two-way fixed effects model: so many interactive effects beside it (`interactive_fe`).
    averages : tuple of str, optional
        Of a plain two-way fixed effects model: common correlated effects with the averages of these columns (`cce`).
    lead, lag : int, optional
        The exposure so many periods later as one more control (a placebo), earlier in place of the exposure.
    title : str
        What readers see instead of the name.
    note : str
        Where the row comes from, such as the table of the paper it repeats.
    title_zh, note_zh : str
        Both in Chinese.
    """

    name: Name
    models: tuple[str, ...] = ()
    winsorise: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    within_period: bool = False
    drop_units: tuple[str, ...] = ()
    window: tuple[int | str, int | str] | None = None
    outcome: str | None = None
    rescale: bool = False
    exposure: str | None = None
    controls: tuple[str, ...] | None = None
    unit_trends: Literal[True, False, "fixed", "partial"] = False
    group_time_effects: str | None = None
    exposure_factor: Literal[True, False, "fixed", "partial"] = False
    factors: Annotated[int, Field(ge=1)] | None = None
    averages: tuple[str, ...] | None = None
    lead: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    lag: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    title: str = ""
    note: str = ""
    title_zh: Annotated[str, Field(exclude=True)] = ""
    note_zh: Annotated[str, Field(exclude=True)] = ""

    @model_validator(mode="after")
    def _alters_something(self) -> "Robustness":
        options = ("name", "models", "within_period", "rescale", "title", "note", "title_zh", "note_zh")
        alterations = [name for name in type(self).model_fields if name not in options]
        if all(getattr(self, name) in (None, (), False) for name in alterations if name != "controls") and (
            self.controls is None
        ):
            raise SpecError("nothing is altered", fix=f"Give one of {', '.join(alterations)}")
        if self.factors is not None and self.averages is not None:
            raise SpecError("factors and averages exclude each other", fix="Declare two rows")
        if self.within_period and self.winsorise is None:
            raise SpecError("within_period belongs to winsorise", fix="Give winsorise = 0.01, or leave it out")
        if self.rescale and self.outcome is None:
            raise SpecError("rescale belongs to a replaced outcome", fix="Give outcome, or leave rescale out")
        twice = [unit for i, unit in enumerate(self.drop_units) if unit in self.drop_units[:i]]
        if twice:
            raise SpecError(f"drop_units names '{twice[0]}' twice", fix="Name each unit once")
        return self


@dataclass(frozen=True)
class Altered:
    """What one row estimates: a model on altered data.

    Attributes
    ----------
    data : Sample
        Its roles have outcome and exposure in place of the study's; a lag or lead of the exposure has its scale.
    model : FrequentistModel or HierarchicalModel
        Named <model>.<row>.
    sample : str
        Units or periods left out; "all" if none.
    changed : str
        Everything that was altered, in words.
    placebo : str
        The term whose coefficient the row is about where that is a lead of the exposure; else empty.
    """

    data: Sample
    model: Alterable
    sample: str
    changed: str
    placebo: str = ""


def targets(row: Robustness, models: Sequence[ModelSpec]) -> list[Alterable]:
    """The models that a row applies to.

    Raises
    ------
    SpecError
        An unknown model, one of a kind that rows do not apply to, no model to apply to by default.
    """
    if not row.models:
        for model in models:
            if not isinstance(model, FrequentistModel) or model.kind != "twfe" or model.controls is not None:
                continue
            if _has_own(model):
                continue
            plain = not (model.unit_trends or model.group_time_effects or model.exposure_factor != "none")
            if plain and not (model.slopes or model.subsamples):
                return [model]
        raise SpecError("no model to apply the row to", fix="Give models = [...], or declare a plain twfe model")
    known = {model.name: model for model in models}
    found = []
    for name in row.models:
        if name not in known:
            raise SpecError(f"unknown model '{name}' in models", fix=nearest(name, known))
        model = known[name]
        if not isinstance(model, Alterable):
            raise SpecError(
                f"robustness rows do not apply to '{name}' (kind = '{model.kind}')",
                fix="They apply to least squares, interactive_fe, cce and hierarchical models; declare the variant as "
                "a [[model]] of its own",
            )
        if _has_own(model):
            raise SpecError(
                f"robustness rows do not apply to '{name}', which has an outcome or exposure of its own",
                fix="They alter the study's: declare the variant as a [[model]] of its own",
            )
        found.append(model)
    return found


def row_name(model: Alterable, row: Robustness) -> str:
    """The name that a row's model has in the estimates."""
    return f"{model.name}.{row.name}"


def _has_own(model: Alterable) -> bool:
    """Whether a model names an outcome or exposure that is not the study's."""
    return isinstance(model, FrequentistModel) and (model.outcome is not None or model.exposure is not None)


def alter(baseline: Sample, model: Alterable, row: Robustness) -> Altered:
    """Apply a row to a model of the study, declared on its baseline sample.

    The order is: columns replaced, lags and leads (by time; periods outside the window serve), units dropped, window
    narrowed, values winsorised on what is left. Indices keep the weights that the study's whole window gave them.

    Raises
    ------
    SpecError
        An unknown unit or column, a window outside the study's, an alteration that the model cannot take.
    """
    panel, roles, scales = baseline.panel, baseline.roles, baseline.scales
    _check_applies(model, row)
    _check_columns(panel, row)
    outcome, exposure = row.outcome or roles.outcome, row.exposure or roles.exposure
    controls = row.controls if row.controls is not None else model.spec(roles).controls
    changes, sample, placebo = [], [], ""
    divisors = dict(scales.divisors)
    for name in (exposure, *controls):
        if name not in divisors:
            divisors[name] = within_sd(panel, name, scales)
    if row.outcome:
        changes.append(f"outcome {row.outcome} in place of {roles.outcome}")
        if row.rescale:
            panel = rescaled(panel, row.outcome, scales)
            changes[-1] += f", rescaled to the mean and SD of {roles.outcome}"
    if row.exposure:
        changes.append(f"exposure {row.exposure} in place of {roles.exposure}")
    if row.controls is not None:
        changes.append(f"controls {', '.join(row.controls) or 'none'}")
    shifts = [("L", row.lag), ("F", -row.lead if row.lead else None)]
    moved = [(f"{letter}{abs(by)}.{exposure}", by) for letter, by in shifts if by]
    for name, by in moved:
        panel = panel.with_column(name, panel.shift(panel.numbers(exposure), by), moved=True)
        divisors[name] = divisors[exposure]
        if by < 0:
            placebo, controls = name, (*controls, name)
            changes.append(f"{exposure} {periods(by)} later added as a placebo")
        else:
            changes.append(f"{exposure} {periods(by)} earlier in place of its own period")
    if row.lag:
        exposure = moved[0][0]
    if row.drop_units:
        panel = without(panel, row.drop_units)
        sample.append(f"without {', '.join(row.drop_units)}")
    if row.window:
        panel = narrowed(panel, row.window)
        ends = map(panel.calendar.label, panel.window or ()) if panel.calendar.frequency else map(str, row.window)
        sample.append(" to ".join(ends))
    changes += sample
    if sample and {outcome, exposure} & set(panel.index_weights["index"]):
        changes.append("indices keep the weights of the study's whole sample")
    changes += [text for name, _ in moved if (text := lost(panel, name))]
    if row.winsorise is not None:
        panel = winsorised(panel, (outcome, exposure, *controls), row.winsorise, row.within_period)
        over = "within each period" if row.within_period else "over the sample"
        changes.append(
            f"outcome, exposure and controls winsorised at {100 * row.winsorise:g} and {100 - 100 * row.winsorise:g} % "
            f"(type 7, {over}; columns of two values kept)"
        )
    if row.unit_trends:
        changes.append(f"a linear trend of each unit {_taken(model, row.unit_trends)}")
    if row.group_time_effects:
        how = "partially pooled" if isinstance(model, HierarchicalModel) else "absorbed"
        changes.append(f"period effects of each {row.group_time_effects} {how}")
    if row.exposure_factor:
        changes.append(f"a loading of each unit on the exposure's own factor {_taken(model, row.exposure_factor)}")
    if row.factors is not None:
        changes.append(f"{row.factors} common factor{'s' * (row.factors > 1)} with a loading of each unit's own")
    if row.averages is not None:
        changes.append(
            f"a coefficient of each unit on the averages by period of {', '.join(row.averages)} in place of period "
            "effects"
        )
    return Altered(
        data=Sample(
            panel=panel,
            roles=Roles(outcome=outcome, exposure=exposure, controls=roles.controls, mediators=roles.mediators),
            scales=replace(scales, divisors=divisors),
        ),
        model=_altered_model(model, row, controls),
        sample="; ".join(sample) or "all",
        changed="; ".join(changes),
        placebo=placebo,
    )


def _taken(model: Alterable, how: bool | str) -> str:
    """What is made of coefficients of units: pooled, flat, or absorbed by least squares."""
    if how == "partial":
        return "partially pooled"
    return "with a flat prior" if isinstance(model, HierarchicalModel) else "absorbed"


def _check_applies(model: Alterable, row: Robustness) -> None:
    for name in ("factors", "averages"):
        plain = isinstance(model, FrequentistModel) and model.kind == "twfe" and not model.subsamples
        if getattr(row, name) is not None and not plain and not isinstance(model, HierarchicalModel):
            raise SpecError(
                f"{name} does not apply to '{model.name}'", fix="Apply the row to a twfe model without subsamples"
            )
        if getattr(row, name) is not None and getattr(model, "analytic_weights", None):
            raise SpecError(
                f"{name} does not apply to '{model.name}', which has analytic_weights",
                fix="Apply the row to a twfe model without weights",
            )
    if row.exposure_factor and getattr(model, "analytic_weights", None):
        raise SpecError(
            f"exposure_factor does not apply to '{model.name}', which has analytic_weights",
            fix="Apply the row to a twfe model without weights",
        )
    for name in ("unit_trends", "exposure_factor", "group_time_effects"):
        if isinstance(model, InteractiveModel | CceModel) and getattr(row, name):
            raise SpecError(
                f"{name} does not apply to '{model.name}' (kind = '{model.kind}')",
                fix="Its factors stand for it: apply the row to a twfe model",
            )
    if isinstance(model, FrequentistModel):
        for name in ("unit_trends", "exposure_factor"):
            if getattr(row, name) == "partial":
                raise SpecError(
                    f"{name} = 'partial' does not apply to '{model.name}'",
                    fix=f"Least squares absorbs them: say {name} = true, or apply the row to a hierarchical model",
                )
    if isinstance(model, HierarchicalModel):
        for name, relatives in ONLY_LEAST_SQUARES.items():
            if getattr(row, name):
                raise SpecError(
                    f"{name} does not apply to '{model.name}'",
                    fix=f"Apply the row to a twfe model; {relatives}",
                )
        if row.outcome and not row.rescale:
            raise SpecError(
                f"another outcome needs rescale = true for the hierarchical model '{model.name}'",
                fix="Its priors live on the scale of the study's outcome: add rescale = true",
            )
    if row.outcome and model_has_known_errors(model):
        raise SpecError(f"'{model.name}' has known standard errors of its own outcome", fix="Leave outcome out")


def model_has_known_errors(model: Alterable) -> bool:
    """Whether the model's error variances are data."""
    return isinstance(model, HierarchicalModel) and model.se is not None


def _check_columns(panel: Panel, row: Robustness) -> None:
    named = {"outcome": row.outcome, "exposure": row.exposure, "group_time_effects": row.group_time_effects}
    columns = [(key, name) for key, name in named.items() if name] + [("controls", n) for n in row.controls or ()]
    for key, name in columns:
        if name not in panel.frame:
            raise SpecError(f"unknown column '{name}' in {key}", fix=nearest(name, panel.frame.columns))


def _altered_model(model: Alterable, row: Robustness, controls: tuple[str, ...]) -> Alterable:
    """The model with the row's options, validated; its neighbours in error model and pooling are not fitted again."""
    changes: dict[str, object] = {"controls": controls}
    if row.unit_trends:
        changes["unit_trends"] = "partial" if row.unit_trends == "partial" else True
    if row.group_time_effects:
        changes["group_time_effects"] = row.group_time_effects
    if row.exposure_factor:
        changes["exposure_factor"] = "partial" if row.exposure_factor == "partial" else "fixed"
    if isinstance(model, HierarchicalModel):
        changes["ladder"] = False
    altered: Alterable
    if isinstance(model, FrequentistModel) and (row.factors is not None or row.averages is not None):
        kept: dict[str, Any] = {"name": model.name, "controls": controls, "slopes": model.slopes}
        altered = (
            InteractiveModel(**kept, kind="interactive_fe", factors=row.factors)
            if row.factors is not None
            else CceModel(**kept, kind="cce", averages=row.averages)
        )
    else:
        altered = type(model)(**{**model.model_dump(), **changes})
    return altered.model_copy(update={"name": row_name(model, row)})
