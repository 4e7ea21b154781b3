"""What a fit reports: quantities of the exposure's slopes, scales and shapes, and their table."""

from typing import Any, Protocol

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.drawn import Reported
from bayes_npp.bayesian.fitting.predictive_checks import Discrepancy
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.fitting.slope_probabilities import Weights
from bayes_npp.bayesian.model.dynamic import long_run_summary, quantities
from bayes_npp.bayesian.model.error_models import ERROR_MODELS, top_priors
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.design.design import Design, group_pairs, twfe_weights
from bayes_npp.estimates import LEVEL, Estimates, estimates_from_rows, row_of_draws

Labels = dict[str, str]


class Posterior(Reported, Protocol):
    """What is asked of a fit."""

    @property
    def data(self) -> ModelData: ...
    @property
    def sampler(self) -> Sampler: ...
    @property
    def verdict(self) -> str: ...
    @property
    def fitted(self) -> pd.Series: ...
    def parameters(self, draws: int) -> dict[str, np.ndarray]: ...
    def slopes_of_units(self) -> np.ndarray: ...
    def estimates(self) -> Estimates: ...
    def discrepancies(self) -> tuple[Discrepancy, ...]: ...
    def coefficient_draws(self) -> pd.DataFrame: ...


def estimates_of(fit: Posterior) -> Estimates:
    """Posterior means, SDs, 95 % equal-tailed intervals and P(> 0), in the data's units."""
    design, scales, spec = fit.design, fit.design.scales, fit.spec
    note = "" if fit.passed else fit.verdict
    rows = [_slope_row(fit, labels, of_slopes) for labels, of_slopes in slope_quantities(fit)]
    if spec.controls:
        slopes = fit.values("control_slope") * scales.outcome_sd / scales.of(*spec.controls)
        rows += [_row(slopes[:, k], term=name, estimand="coefficient") for k, name in enumerate(spec.controls)]
    if not spec.exposure and not spec.dynamic:
        level = scales.outcome_mean + scales.outcome_sd * fit.values("intercept")
        rows.append(_row(level, term="intercept", estimand="coefficient"))
    for name, kind in scales_and_shapes().items():
        if name in fit.tree["posterior"]:
            unit = scales.outcome_sd if kind else 1.0
            unit = unit / scales.divisors[spec.exposure] if kind == "slope" and spec.exposure else unit
            estimand = "scale" if name.endswith("_sd") else "coefficient"
            draws = fit.values(name) * unit
            for k, own in enumerate(draws.T if draws.ndim == 2 else [draws], start=1):
                rows.append(_row(own, term=f"{name} {k}" if k > 1 else name, estimand=estimand))
    for row in rows:
        row["note"] = "; ".join(part for part in (row.get("note", ""), note) if part)
    return estimates_from_rows(
        rows,
        paradigm="bayesian",
        estimator=fit.label,
        covariance=f"{spec.errors} errors",
        outcome=spec.outcome,
        spread_kind="sd",
        level=LEVEL,
        interval="eti",
        **design.counted,
        sample="all",
        convention=f"priors: {fit.priors.name}",
    )


def _slope_row(fit: Posterior, labels: Labels, of_slopes: np.ndarray | Weights) -> dict[str, Any]:
    """A row from draws, or from weights on the groups' slopes."""
    if not isinstance(of_slopes, Weights):
        return _row(of_slopes, **labels)
    return _row((fit.slopes @ (w := of_slopes.on_groups)), **labels) | {"prob_positive": fit.probability(w)}


def _row(draws: np.ndarray, **labels: str) -> dict[str, Any]:
    row = row_of_draws(draws, **labels)
    return {**row, **long_run_summary(draws, labels.get("note", ""))} if labels["estimand"] == "long_run" else row


def slope_quantities(fit: Posterior) -> list[tuple[Labels, np.ndarray | Weights]]:
    """Averages, groups, units and differences, each with its labels, as draws or as weights on the groups' slopes."""
    design, spec = fit.design, fit.spec
    if spec.dynamic:
        return [*quantities(design, fit.slopes if spec.exposure else np.empty(0), fit.values("persistence"))]
    if spec.exposure is None:
        return []
    term, targets_twfe = {"term": spec.exposure}, spec.correlated_means and not spec.unit_slopes
    if spec.unit_slopes:
        return [*_of_units(fit, term)]
    if not design.groups:
        estimand = "average_slope_twfe_weighted" if targets_twfe else "coefficient"
        return [({**term, "estimand": estimand}, Weights(np.ones(1)))]
    n_groups = len(design.groups)
    averages = {"average_slope": design.group_shares, "mean_group_slope": np.full(n_groups, 1 / n_groups)}
    if targets_twfe:
        averages = {"average_slope_twfe_weighted": twfe_weights(design), **averages}
    out = [({**term, "estimand": e}, Weights(w)) for e, w in averages.items()]
    return [*out, *_population(fit, term), *_groups(design, term)]


def _of_units(fit: Posterior, term: Labels) -> list[tuple[Labels, np.ndarray]]:
    """Slopes of units, their average over observations, and groups' slopes where units are nested in groups."""
    design, of_unit = fit.design, fit.slopes_of_units()
    out = [({**term, "estimand": "average_slope"}, of_unit @ (np.bincount(design.unit) / design.n_obs))]
    out += _population(fit, term)
    if design.groups:
        out += [(labels, fit.slopes @ own.on_groups) for labels, own in _groups(design, term)]
    for i, label in enumerate(design.units):
        out.append(({**term, "group": label, "estimand": "group_slope"}, of_unit[:, i]))
    return out


def _population(fit: Posterior, term: Labels) -> list[tuple[Labels, np.ndarray]]:
    """The hyper-mean of exchangeable slopes."""
    if fit.design.groups and fit.spec.slope_pooling != "exchangeable":
        return []
    scales = fit.design.scales
    unit = scales.outcome_sd / scales.divisors[term["term"]]
    return [({**term, "estimand": "population_slope"}, fit.values("exposure_slope") * unit)]


def _groups(design: Design, term: Labels) -> list[tuple[Labels, Weights]]:
    groups, only = design.groups, np.eye(len(design.groups))
    out = []
    for g, label in enumerate(groups):
        out.append(({**term, "group": label, "estimand": "group_slope"}, Weights(only[g])))
    for g, h in group_pairs(len(groups)):
        labels = {**term, "group": f"{groups[g]} - {groups[h]}", "estimand": "slope_difference"}
        out.append((labels, Weights(only[g] - only[h])))
    return out


def scales_and_shapes() -> dict[str, str]:
    """Rows beside the slopes, and the unit of each: "outcome", "slope" (outcome over exposure), or "" for none."""
    outcome = {name for part in ERROR_MODELS.values() for name in part.in_outcome_units}
    return {
        "slope_sd": "slope",
        "unit_slope_sd": "slope",
        "unit_sd": "outcome",
        "time_sd": "outcome",
        "group_time_sd": "outcome",
        "unit_trend_sd": "outcome",
        "exposure_loading_sd": "outcome",
        **{name: "outcome" if name in outcome else "" for name in top_priors()},
        "slope_correlation": "",
    }
