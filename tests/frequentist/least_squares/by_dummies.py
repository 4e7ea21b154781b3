"""Least squares on all dummies by statsmodels, and what tests of weights and clusters share."""

import numpy as np
import pandas as pd
import statsmodels.api as sm

import bayes_npp as bn

CLOSE = 1e-8  # two ways of linear algebra on 816 rows
WEIGHTS = "emp"
ESTIMATORS = {
    "none": bn.pooled_ols,
    "unit": lambda *a, **k: bn.fixed_effects(*a, effects="unit", **k),
    "time": lambda *a, **k: bn.fixed_effects(*a, effects="time", **k),
    "two-way": bn.twfe,
}


def dummies(panel, effects):
    """Constant, dummies of states and of years."""
    frame, out = panel.frame, [np.ones(len(panel.frame))]
    for key, name in (("unit", panel.unit), ("time", panel.time)):
        if effects in (key, "two-way"):
            out.append(pd.get_dummies(frame[name], drop_first=True, dtype=float).to_numpy())
    return np.column_stack(out)


def by_statsmodels(panel, spec, effects, weights=None, **options):
    """Least squares on all dummies; statsmodels counts every parameter: G/(G-1) (n-1)/(n-K), the convention "lsdv"."""
    columns = np.column_stack([panel.frame[list(spec.regressors)].to_numpy(), dummies(panel, effects)])
    model = sm.WLS(panel.frame[spec.outcome], columns, weights=1.0 if weights is None else panel.frame[weights])
    return model.fit(**options)


def weighted(spec, **more):
    return bn.Spec(**{**spec.model_dump(), "analytic_weights": WEIGHTS, **more})


def wanted(table, spec, column="spread"):
    return table.frame.set_index("term")[column].loc[list(spec.regressors)].to_numpy()


def without_a_tenth(panel):
    """An unbalanced panel of the same rows, with a column `even`."""
    keep = np.random.default_rng(3).random(len(panel.frame)) > 0.1
    frame = panel.frame[keep].assign(even=panel.frame["region"] % 2)
    return bn.read_panel(frame, unit="state", time="year")
