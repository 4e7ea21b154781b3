"""The two equations of a model with instruments, as arrays and terms: the outcome's, and the exposure's first stage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import ModelData, Term, terms, unit_terms
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design, build_design
from bayes_npp.design.instruments import check_instrument_names, check_not_blank, of_instrument
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.panel import Panel

ERRORS = ("iid", "ar1")
FIRST = "exposure_"  # what names of the first stage's parameters begin with


@dataclass(frozen=True)
class Equations:
    """Standardised arrays of both equations on the same rows, sorted by unit and time.

    Attributes
    ----------
    spec : Spec
        As declared: instruments are not among its controls.
    instruments : tuple of str, length L
    exclusion : float
        SD of the instruments' own coefficients in the outcome's equation, in the outcome's within SD per within SD of
        the instrument; 0: they are not in it.
    outcome : ModelData
        Its control columns are controls, then instruments.
    exposure : ModelData
        The exposure is its outcome; its control columns are instruments, then controls.
    """

    spec: Spec
    instruments: tuple[str, ...]
    exclusion: float
    outcome: ModelData
    exposure: ModelData

    @property
    def design(self) -> Design:
        return self.outcome.design

    def with_exclusion(self, exclusion: float) -> "Equations":
        """The same with another SD of the instruments' own coefficients."""
        return replace(self, exclusion=check_exclusion(exclusion))


def build_equations(
    panel: Panel, spec: Spec, instruments: Sequence[str], exclusion: float = 0.0, scales: Scales | None = None
) -> Equations:
    """Both equations on the rows that are complete in instruments too.

    Parameters
    ----------
    scales : Scales, optional
        Of the study's baseline sample; computed from these rows if not given.

    Raises
    ------
    SpecError
        `check_model`; an instrument that is the outcome or a regressor; a negative `exclusion`.
    DesignError, PanelError
        An unknown column; an instrument that is blank, or that effects or other columns absorb (constant within
        units); an exposure that instruments and effects reproduce.
    """
    check_model(spec, panel.source)
    check_instrument_names(spec, instruments, panel.source)
    check_not_blank(panel, instruments)
    wide = build_design(panel, Spec(**{**spec.model_dump(), "controls": (*spec.controls, *instruments)}), scales)
    try:
        outcome = prepare(wide)
        exposure = prepare(_first_stage(wide, len(instruments)))
    except DesignError as error:
        raise of_instrument(error, instruments, panel.source) from None
    return Equations(spec, tuple(instruments), check_exclusion(exclusion), outcome, exposure)


def check_model(spec: Spec, place: str = "") -> None:
    """Raise `SpecError` for what a model with instruments does not have."""
    if spec.exposure is None:
        raise SpecError("instruments without an exposure", place=place, fix="Name the exposure")
    if spec.errors not in ERRORS:
        raise SpecError(
            f"errors = '{spec.errors}' with instruments: their errors are correlated with the exposure's, which these "
            "parts have no form for",
            place=place,
            fix="Use errors = 'iid' or 'ar1'",
        )
    others = {
        f"slopes = '{spec.slopes}'": spec.unit_slopes,
        "varying": bool(spec.varying),
        f"slope_pooling = '{spec.slope_pooling}'": spec.slope_pooling != "sum_to_zero",
        "unit_trends": bool(spec.unit_trends),
        "exposure_factor": spec.exposure_factor != "none",
        "group_time_effects": spec.group_time_effects is not None,
        f"transform = '{spec.transform}'": spec.transform != "levels",
        "dynamic": spec.dynamic,
    }
    named = next((name for name, there in others.items() if there), None)
    if named:
        raise SpecError(
            f"{named} with instruments",
            place=place,
            fix="Leave it out: a model with instruments takes one slope or slopes by a grouping column, with effects "
            "of units and periods",
        )


def n_scales(spec: Spec, n_instruments: int) -> int:
    """Scales and shapes of a model: error SDs and their correlation, and what slopes, effects and errors add."""
    partial = (spec.unit_effects == "partial") + (spec.time_effects == "partial")
    return 3 + (spec.slopes is not None) + 2 * partial + 2 * (spec.errors == "ar1") + (n_instruments > 1)


def check_exclusion(exclusion: float) -> float:
    """The SD as a float, or `SpecError` for one that is none."""
    if not (np.isfinite(exclusion) and exclusion >= 0):
        raise SpecError(f"exclusion = {exclusion}", fix="Give an SD, 0 or more")
    return float(exclusion)


def _first_stage(wide: Design, n_instruments: int) -> Design:
    """The exposure's equation on the rows of the outcome's, in the units that the outcome's equation has it in."""
    spec, scales, exposure = wide.spec, wide.scales, str(wide.spec.exposure)
    kept = ("unit_effects", "time_effects", "correlated_means", "errors")
    order = np.roll(np.arange(len(spec.controls)), n_instruments)
    names = tuple(spec.controls[k] for k in order)
    column = wide.slope_columns.sum(axis=1)
    return replace(
        wide,
        spec=Spec(outcome=exposure, controls=names, **{name: getattr(spec, name) for name in kept}),
        outcome=column,
        exposure=None,
        controls=wide.controls[:, order],
        group=None,
        groups=(),
        scales=replace(
            scales,
            outcome_mean=float(column.mean()),
            outcome_sd=scales.divisors[exposure],
            total_sd=float(column.std(ddof=1)),
        ),
    )


def with_exclusion_prior(priors: PriorSet, exclusion: float) -> PriorSet:
    """The set with the prior of the instruments' own coefficients, where they have any."""
    if exclusion == 0:
        return priors
    own = PriorSpec(family="normal", mu=0.0, sigma=exclusion, reason="declared as exclusion")
    return priors.model_copy(update={"prior": {**priors.prior, "exclusion": own}})


def outcome_terms(equations: Equations, priors: PriorSet) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Terms of the outcome's equation, and its effects of units."""
    size, out = len(equations.spec.controls), []
    for term in terms(equations.outcome, priors):
        if term.variable != "control_slope":
            out.append(term)
            continue
        if size:
            out.append(replace(term, columns=term.columns[:, :size]))
        if equations.exclusion:
            out.append(Term("exclusion", term.columns[:, size:], slot="exclusion"))
    return tuple(out), tuple(unit_terms(equations.outcome))


def exposure_terms(equations: Equations, priors: PriorSet) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Terms of the first stage, and its effects of units: one instrument as any control, several pooled to zero."""
    size, out = len(equations.instruments), []
    for term in terms(equations.exposure, priors):
        if term.variable != "control_slope":
            out.append(term)
            continue
        several = size > 1
        columns = term.columns[:, :size]
        out.append(
            Term("first_stage", columns, scale="first_stage_sd", slot="first_stage_sd")
            if several
            else Term("first_stage", columns, slot="controls")
        )
        if equations.spec.controls:
            out.append(replace(term, columns=term.columns[:, size:]))
    return tuple(out), tuple(unit_terms(equations.exposure))


def renamed(variable: str) -> str:
    """A variable of the first stage under its name beside the outcome's equation."""
    return variable if variable.startswith("first_stage") else f"{FIRST}{variable}"


def check_iv_priors(priors: PriorSet, n_instruments: int) -> None:
    """Raise `SpecError` for a prior that is not there, coefficients that do not integrate out, a flat slope."""
    for slot in ("endogeneity", *(["first_stage_sd"] if n_instruments > 1 else [])):
        priors[slot]
    for slot in ("exposure", "controls"):
        if not priors[slot].collapses:
            raise SpecError(
                f"a {priors[slot].family} prior of '{slot}' with instruments",
                fix="Use a normal prior: coefficients are integrated out",
            )
    if not priors["exposure"].definition.proper:
        raise SpecError(
            "a flat prior of the exposure's slope with instruments: where they say nothing it would be the posterior",
            fix="Use a normal prior",
        )
