"""A design as arrays of the hierarchical model, once every slope is known to be identified."""

import numpy as np

from bayes_npp.bayesian.model.dynamic import check_dynamics
from bayes_npp.bayesian.model.loadings import check_loadings
from bayes_npp.bayesian.model.terms import ModelData, model_data
from bayes_npp.design.design import Design, check_membership, slope_names
from bayes_npp.design.exact_fit import check_not_exact
from bayes_npp.design.projection import check_identified
from bayes_npp.errors import DesignError


def prepare(design: Design) -> ModelData:
    """The model's arrays, after checking that every slope is identified.

    Raises
    ------
    DesignError
        A unit in two groups, a slope that effects or other columns absorb, slopes of units where no unit varies,
        initial conditions as many as units, an outcome that slopes and effects reproduce.
    """
    spec = design.spec
    if spec.unit_effects == spec.time_effects == "fixed" and not spec.correlated_means:
        raise DesignError(
            "fixed unit and period effects with correlated_means = false",
            fix="Fixed effects absorb the means: leave correlated_means at true",
        )
    check_membership(design)
    check_loadings(design, "the hierarchical model")
    data = model_data(design)
    names = (*slope_names(design), *spec.controls)
    if names:
        columns = np.column_stack([data.slope_columns, data.control_columns])
        raw = np.column_stack([design.slope_columns, design.controls])
        check_identified(raw / raw.std(axis=0), columns, names, "the hierarchical model")
    check_not_exact(design, "the hierarchical model")
    if data.lag is not None:
        columns = np.column_stack([data.slope_columns, data.control_columns, data.unit.leading[data.unit.index]])
        check_dynamics(design, data.lag, columns, data.unit.saturated)
    if spec.unit_slopes and np.ptp(data.unit_slope_columns[:, 0] - _unit_means(data)) < 1e-10:
        raise DesignError(
            f"slopes of '{spec.exposure}' by unit, and it is constant within every unit",
            fix="Leave the units' slopes out",
        )
    return data


def _unit_means(data: ModelData) -> np.ndarray:
    unit, column = data.design.unit, data.unit_slope_columns[:, 0]
    return (np.bincount(unit, weights=column) / np.bincount(unit))[unit]
