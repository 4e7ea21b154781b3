"""Equations of a mediation model fitted jointly with the missing cells of its mediators."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.diagnostics import diagnose
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.posterior import build_tree, reported
from bayes_npp.bayesian.fitting.sample import STATS, Sampler
from bayes_npp.bayesian.mediation.equations import check_imputes
from bayes_npp.bayesian.mediation.gibbs import Chains, sample_equations
from bayes_npp.bayesian.mediation.imputation import build_equation
from bayes_npp.bayesian.mediation.missing import missing_rows
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import PriorSet, check_priors
from bayes_npp.design.design import Design
from bayes_npp.design.scales import Scales, scales_of
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import summarise
from bayes_npp.panels.calendar import shown
from bayes_npp.panels.panel import Panel

TUNE = 300  # sweeps of warm-up
MOST_CELLS = 3000  # their precision is one dense matrix a mediator


def on_observed_scales(designs: Sequence[Design], missing: Mapping[str, np.ndarray]) -> list[Design]:
    """Designs whose scales of mediators come from observed cells, not from those that start the sampler.

    Parameters
    ----------
    missing : mapping of ndarray, shape (n,) of bool
        Rows in which each mediator is missing.
    """
    observed: dict[str, Scales] = {}
    for design in designs:
        name = design.spec.outcome
        if name in missing:
            seen = ~missing[name]
            unit, time = (np.unique(index[seen], return_inverse=True)[1] for index in (design.unit, design.time))
            observed[name] = scales_of(design.outcome[seen, None], (name,), unit, time, design.scales.removed)
    out = []
    for design in designs:
        scales, own = design.scales, observed.get(design.spec.outcome)
        divisors = {name: observed[name].outcome_sd if name in observed else v for name, v in scales.divisors.items()}
        out.append(replace(design, scales=replace(scales if own is None else own, divisors=divisors)))
    return out


def check_imputable(designs: Sequence[Design], missing: Mapping[str, np.ndarray], priors: PriorSet) -> None:
    """Raise for a model whose missing cells have no proper or no normal distribution given the rest.

    Raises
    ------
    SpecError
        Errors other than iid, AR(1), a scale a unit; priors of slopes that are neither normal nor flat; lagged paths
        (equations on different rows); too many cells.
    DesignError
        Fixed period effects where no unit has a mediator in a period.
    """
    for design in designs:
        check_priors(priors, design.spec)
        check_imputes(design.spec.errors)
    for slot in ("exposure", "controls"):
        if not priors[slot].collapses:
            raise SpecError(
                f"missing = 'impute' does not take a {priors[slot].family} prior of {slot}",
                fix="Use a normal or flat prior",
            )
    for name, rows in missing.items():
        if rows.sum() > MOST_CELLS:
            raise SpecError(
                f"{rows.sum()} missing cells of '{name}' are too many to impute (at most {MOST_CELLS})",
                fix="Use missing = 'drop'",
            )
        design = next(one for one in designs if one.spec.outcome == name)
        seen = np.bincount(design.time[~rows], minlength=len(design.times))
        if design.spec.time_effects == "fixed" and not seen.all():
            raise DesignError(
                f"no unit has '{name}' in {design.times[int(np.argmin(seen))]}, and period effects are fixed",
                fix="Its level there is not identified: use time_effects = 'partial'",
            )


def causes_first(designs: Sequence[Design]) -> list[Design]:
    """Equations in an order in which a mediator that explains others comes before them, the outcome's last."""
    left, out = list(designs), []
    while left:
        explained = {design.spec.outcome for design in left}
        ready = [design for design in left if not explained & set(design.spec.controls)]
        out += ready
        left = [design for design in left if not any(design is one for one in ready)]
    return out


def fit_jointly(
    designs: Sequence[Design], missing: Mapping[str, np.ndarray], priors: PriorSet, sampler: Sampler
) -> dict[str, Fit]:
    """Fit equations on common rows together with the missing cells of mediators.

    Parameters
    ----------
    designs : sequence of Design
        Of each mediator and of the outcome; any starting value in missing cells.
    missing : mapping of ndarray, shape (n,) of bool
        Rows in which each mediator is missing.
    priors : PriorSet
    sampler : Sampler
        `target_accept` is not used.

    Returns
    -------
    dict of Fit
        By what they explain. `sample_stats` has `innovation` in place of a sampler's statistics; the posterior of a
        mediator with missing cells has them as `missing_cell`, in the data's units, in the order of its rows.

    Raises
    ------
    SpecError, DesignError
    """
    check_imputable(designs, missing, priors)
    given = [design.spec.outcome for design in designs]
    designs = causes_first(on_observed_scales(designs, missing))
    data = {design.spec.outcome: prepare(design) for design in designs}
    equations = {design.spec.outcome: build_equation(design, dict(missing)) for design in designs}
    start = {}
    for name, rows in missing.items():
        if rows.any():
            design = data[name].design
            start[name] = design.outcome[rows] / design.scales.outcome_sd
    chains = sample_equations(equations, start, priors, sampler)
    return {name: _fit(name, data[name], priors, sampler, chains) for name in given}


def imputed_cells(panel: Panel, fit: Fit) -> pd.DataFrame:
    """Posterior of a mediator's missing cells: unit, time, mean, sd, lo, hi (95 % equal-tailed), in the data's units.

    Parameters
    ----------
    panel : Panel
        As it came, cells missing.
    fit : Fit
        Of the mediator's equation, fitted with missing = "impute".
    """
    design, draws = fit.design, fit.values("missing_cell")
    rows = missing_rows(panel, design, fit.spec.outcome)
    summary = summarise(draws, axis=0)
    return pd.DataFrame(
        {
            "unit": np.array(design.units)[design.unit[rows]],
            "time": np.array(shown(design.times))[design.time[rows]],
            **{name: summary[name] for name in ("mean", "sd", "lo", "hi")},
        }
    )


def _fit(name: str, data: ModelData, priors: PriorSet, sampler: Sampler, chains: Chains) -> Fit:
    import xarray as xr

    parameters = dict(chains.parameters[name])
    if name in chains.cells:
        parameters["missing_cell"] = chains.cells[name] * data.design.scales.outcome_sd
    lead = ("chain", "draw")
    still = {label: (lead, np.zeros((sampler.chains, sampler.draws))) for label in STATS}
    stats = xr.Dataset(
        {
            **still,
            "theta": ((*lead, "element"), chains.thetas[name]),
            "innovation": (("checked_draw", "observation"), chains.innovations[name]),
        },
        coords={"checked_draw": chains.checked},
    )
    tree = build_tree(parameters, data, priors, stats, likelihood_of_rows=chains.log_likelihood[name])
    diagnostics = diagnose(reported(parameters), stats, parameters)
    tree.attrs = {
        "spec": data.design.spec.model_dump_json(),
        "priors": priors.model_dump_json(),
        "sampler": json.dumps(sampler.as_dict()),
        "engine": "gibbs",
        "scales": json.dumps(data.design.scales.as_dict()),
        "diagnostics": json.dumps(diagnostics.as_dict()),
        "acceptance": chains.acceptance[name],
    }
    return Fit(data, priors, sampler, "gibbs", tree, diagnostics)
