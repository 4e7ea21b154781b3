"""The table of a model with instruments: slopes, the first stage, the errors' scales and their correlation."""

from typing import Any, Protocol

import numpy as np

from bayes_npp.bayesian.fitting.drawn import Reported
from bayes_npp.bayesian.instruments.equations import FIRST, Equations
from bayes_npp.bayesian.instruments.strength import Learned
from bayes_npp.design.design import group_pairs
from bayes_npp.estimates import LEVEL, Estimates, estimates_from_rows, row_of_draws

# Scales and shapes of the table: whose unit each is in.
OUTCOME, EXPOSURE, SLOPE = "outcome", "exposure", "slope"
SHAPES = {
    "error_correlation": "",
    "slope_sd": SLOPE,
    "error_sd": OUTCOME,
    "unit_sd": OUTCOME,
    "time_sd": OUTCOME,
    "autocorrelation": "",
    "exposure_error_sd": EXPOSURE,
    "exposure_unit_sd": EXPOSURE,
    "exposure_time_sd": EXPOSURE,
    "exposure_autocorrelation": "",
}


class Posterior(Reported, Protocol):
    """What is asked of a fit."""

    @property
    def equations(self) -> Equations: ...
    @property
    def unit(self) -> float: ...
    @property
    def average(self) -> np.ndarray: ...
    @property
    def learned(self) -> Learned: ...


def estimates_of_instruments(fit: Posterior) -> Estimates:
    """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
    design, spec, scales = fit.design, fit.spec, fit.design.scales
    exposure, rows = str(spec.exposure), _slope_rows(fit)
    divisors, x_sd = scales.divisors, scales.divisors[str(spec.exposure)]
    sets: list[tuple[str, tuple[str, ...], str]] = [("control_slope", spec.controls, spec.outcome)]
    sets += [("exclusion", fit.equations.instruments, spec.outcome)] if fit.equations.exclusion else []
    sets += [("first_stage", fit.equations.instruments, exposure)]
    for variable, names, outcome in sets:
        if names:
            sd = scales.outcome_sd if outcome == spec.outcome else x_sd
            for k, name in enumerate(names):
                values = fit.values(variable)[:, k] * sd / divisors[name]
                rows.append(row_of_draws(values, term=name, estimand="coefficient") | {"outcome": outcome})
    units = {OUTCOME: scales.outcome_sd, EXPOSURE: x_sd, SLOPE: fit.unit, "": 1.0}
    for name, kind in SHAPES.items():
        if name in fit.tree["posterior"]:
            estimand = "scale" if kind else "coefficient"
            own = row_of_draws(fit.values(name) * units[kind], term=name.removeprefix(FIRST), estimand=estimand)
            rows.append(own | {"outcome": exposure if name.startswith(FIRST) else spec.outcome})
    note = "" if fit.passed else str(fit.diagnostics)
    learned = fit.learned
    for position, row in enumerate(rows):
        said = f"SD {learned.ratio:.2f} of what priors alone leave: weak instruments, near the prior"
        said = said if learned.near_prior else ""
        row["note"] = "; ".join(part for part in (note, said if position == 0 else "") if part)
    return estimates_from_rows(
        rows,
        paradigm="bayesian",
        estimator=fit.label,
        covariance=f"{spec.errors} errors",
        spread_kind="sd",
        level=LEVEL,
        interval="eti",
        **design.counted,
        sample="all",
        convention=f"priors: {fit.priors.name}",
    )


def _slope_rows(fit: Posterior) -> list[dict[str, Any]]:
    """Averages, groups and differences, or the one slope."""
    groups, only = fit.design.groups, np.eye(max(len(fit.design.groups), 1))
    exposure, outcome = str(fit.spec.exposure), fit.spec.outcome
    asked: list[tuple[str, str, np.ndarray]] = [("pooled_slope", "", only[0])]
    if groups:
        asked = [("average_slope", "", fit.average), ("mean_group_slope", "", np.full(len(groups), 1 / len(groups)))]
        asked += [("group_slope", label, only[g]) for g, label in enumerate(groups)]
        pairs = group_pairs(len(groups))
        asked += [("slope_difference", f"{groups[g]} - {groups[h]}", only[g] - only[h]) for g, h in pairs]
    rows = []
    for estimand, group, weights in asked:
        row = row_of_draws(fit.slopes @ weights, term=exposure, group=group, estimand=estimand)
        rows.append({**row, "outcome": outcome, "prob_positive": fit.probability(weights)})
    return rows
