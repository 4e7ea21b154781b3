"""What a fit reports: quantities of the exposure's slopes, scales and shapes."""

from typing import Protocol

import numpy as np

from bayes_npp.bayesian.fitting.slope_probabilities import Weights
from bayes_npp.bayesian.model.dynamic import quantities
from bayes_npp.bayesian.model.error_models import ERROR_MODELS, top_priors
from bayes_npp.design.design import Design, group_pairs, twfe_weights
from bayes_npp.design.spec import Spec

Labels = dict[str, str]


class Posterior(Protocol):
    """What is asked of a fit."""

    @property
    def design(self) -> Design: ...
    @property
    def spec(self) -> Spec: ...
    @property
    def slopes(self) -> np.ndarray: ...
    def values(self, name: str) -> np.ndarray: ...
    def slopes_of_units(self) -> np.ndarray: ...


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
