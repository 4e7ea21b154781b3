"""Out-of-sample prediction: a new year of a known unit, a new unit, any row whose outcome is blank."""

import numpy as np
import pandas as pd

from bayes_npp.bayesian.collapsed.collapsed import collapse, on_grid, why_not_collapsible
from bayes_npp.bayesian.collapsed.restrict import restrict
from bayes_npp.bayesian.fitting.coefficients import Prediction, prediction
from bayes_npp.bayesian.fitting.fit import make_sampler
from bayes_npp.bayesian.fitting.refit import sample_until_passed
from bayes_npp.bayesian.model.error_models import parts
from bayes_npp.bayesian.model.likelihood import error_sds, follow
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import ModelData, fitted_values
from bayes_npp.bayesian.priors.sets import check_priors
from bayes_npp.bayesian.priors.stated import Stated, stated_priors
from bayes_npp.design.design import build_design
from bayes_npp.design.exact_fit import check_not_exact
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.panels.calendar import shown
from bayes_npp.panels.panel import Panel


def predict(
    panel: Panel, spec: Spec, priors: Stated = "weakly_informative", draws: int = 1000, seed: int = 1
) -> Prediction:
    """Fit the rows with an outcome and predict those without one.

    A row to predict is a row of the window whose outcome is blank and whose regressors are not: a new year of a known
    unit, or a unit of its own. Unit and period parts of the regressors are those of all rows; effects of units and
    periods without an observed row come from their distribution.

    Parameters
    ----------
    panel : Panel
    spec : Spec
    priors : str, PriorSet or dict
        As in `fit`.
    draws, seed : int

    Raises
    ------
    DesignError
        No row to predict, or one whose unit or period has a fixed effect that nothing observed identifies.
    SpecError
        Student-t errors, first differences, a dynamic model.
    """
    reason = why_not_collapsible(spec) or ("a change needs the level before it" if spec.transform != "levels" else "")
    reason = reason or ("nothing is known of common factors or scales in a new period" if on_grid(spec) else "")
    reason = reason or ("a blank outcome is the lag of the row after it" if spec.dynamic else "")
    if reason:
        raise SpecError(f"no prediction from this model: {reason}", fix="Choose other errors, or levels")
    observed = build_design(panel, spec)
    own_priors = stated_priors(priors, observed)
    check_priors(own_priors, spec)
    check_not_exact(observed, panel.source)
    scales = observed.scales
    outcome = panel.numbers(spec.outcome)
    blank = np.isnan(outcome)
    # A stand-in that no estimate sees: columns depend on regressors alone.
    random = np.random.default_rng(seed)
    stand_in = np.where(blank, scales.outcome_mean + scales.outcome_sd * random.standard_normal(len(blank)), outcome)
    marked = panel.with_column(spec.outcome, stand_in).with_column("is blank", blank.astype(float))
    design = build_design(marked, spec, scales)
    data = prepare(design)
    missing = _blank_rows(marked, data)
    if not missing.any():
        raise DesignError("no row to predict", place=panel.source, fix="Leave the outcome blank where it is wanted")
    _check_identified(data, missing)
    own = restrict(data, np.flatnonzero(~missing))
    sampler = make_sampler("collapsed", draws, 4, seed)
    fit = sample_until_passed(collapse(own, own_priors), own_priors, sampler, keep=4 * draws)
    parameters = _with_new_units(fit.draws, own, data, random)
    drawn = fitted_values(parameters, data) + _errors(parameters, data, missing, random)
    drawn = scales.outcome_mean + scales.outcome_sd * drawn[:, missing]
    units, times = np.array(design.units, dtype=object), np.array(shown(design.times), dtype=object)
    rows = [units[design.unit[missing]], times[design.time[missing]]]
    return prediction(pd.MultiIndex.from_arrays(rows, names=["unit", "time"]), drawn, fit.diagnostics)


def _blank_rows(marked: Panel, data: ModelData) -> np.ndarray:
    """Which rows of the design have no outcome, shape (n,)."""
    time = marked.frame[marked.time] if marked.time else pd.Series(0, index=marked.frame.index)
    flags = pd.Series(
        marked.numbers("is blank"), index=pd.MultiIndex.from_arrays([marked.frame[marked.unit].astype(str), time])
    )
    design = data.design
    keys = [(design.units[u], design.times[t]) for u, t in zip(design.unit, design.time, strict=True)]
    return flags.loc[keys].to_numpy() == 1.0


def _check_identified(data: ModelData, missing: np.ndarray) -> None:
    """Fixed effects of units and periods need an observed row."""
    for effect, index, labels in (
        (data.unit, data.design.unit, data.design.units),
        (data.time, data.design.time, data.design.times),
    ):
        unseen = sorted(set(index[missing]) - set(index[~missing]))
        if effect.kind == "fixed" and unseen:
            raise DesignError(
                f"'{labels[unseen[0]]}' has a fixed effect and no observed row", fix="Use partially pooled effects"
            )


def _with_new_units(
    parameters: dict[str, np.ndarray], own: ModelData, data: ModelData, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parameters with the effects of every unit of the design; those of units without rows are drawn."""
    at = {label: i for i, label in enumerate(own.design.units)}
    known = np.array([at.get(label, -1) for label in data.design.units])
    out = dict(parameters)
    normals: dict[str, np.ndarray] = {}
    for name, scale in (("unit_effect", "unit_sd"), ("unit_slope", "unit_slope_sd"), ("unit_control_slope", "")):
        if name not in parameters:
            continue
        values = parameters[name]
        shape = (*values.shape[:-1], len(known))
        z = random.standard_normal(shape)
        if name == "unit_slope" and "slope_correlation" in parameters:
            r = parameters["slope_correlation"][:, None]
            z = r * normals["unit_effect"] + np.sqrt((1 - r) * (1 + r)) * z
        normals[name] = z
        sd = parameters[scale] if scale else parameters["unit_control_slope_sd"]
        new = z * sd[..., None] if data.unit.kind != "fixed" or name != "unit_effect" else z
        out[name] = np.where(known >= 0, values[..., known], new)
    for part in parts(data.design.spec.errors):
        if part.scale and part.scale.draw and ("unit",) in part.effects.values():
            for name, new in part.scale.draw(parameters, len(known), random).items():
                out[name] = np.where(known >= 0, parameters[name][:, known], new)
    return out


def _errors(
    parameters: dict[str, np.ndarray], data: ModelData, missing: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Errors of the missing rows, given the observed ones before them; shape (S, n)."""
    errors = data.outcome - fitted_values(parameters, data)
    drawn = error_sds(parameters, data) * random.standard_normal(errors.shape)
    errors[:, missing] = drawn[:, missing]
    follow(errors, np.flatnonzero(missing), parameters, data)
    return errors
