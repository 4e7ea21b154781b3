# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Compare estimators
#
# Ten ways to estimate one slope, on a panel whose truth is known. The exposure shares a common factor with the outcome,
# which is what growing together looks like. The true slope is 0.15.

# %%
import numpy as np
import pandas as pd

import bayes_npp as bn

rng = np.random.default_rng(8)
n_units, n_periods, slope = 30, 9, 0.15
growth = np.cumsum(rng.normal(size=n_periods))
loading = rng.normal(size=n_units)
exposure = np.outer(loading, growth) + rng.normal(size=(n_units, n_periods)) + rng.normal(size=(n_units, 1))
outcome = slope * exposure + 0.5 * np.outer(loading, growth) + 0.5 * rng.normal(size=(n_units, n_periods))
frame = pd.DataFrame(
    {
        "unit": np.repeat([f"u{i:02d}" for i in range(n_units)], n_periods),
        "time": np.tile(np.arange(2011, 2011 + n_periods), n_units),
        "y": outcome.ravel(),
        "x": exposure.ravel(),
    }
)
panel = bn.read_panel(frame, unit="unit", time="time")
spec = bn.Spec(outcome="y", exposure="x")

# %% [markdown]
# Least squares first, then estimators that know of factors, then the posterior.

# %%
own = spec.model_copy(update={"exposure_factor": "fixed"})
rows = {
    "pooled least squares": bn.pooled_ols(panel, spec),
    "unit effects": bn.fixed_effects(panel, spec, effects="unit"),
    "two-way fixed effects": bn.twfe(panel, spec),
    "a trend for each unit": bn.twfe(panel, spec.model_copy(update={"unit_trends": "fixed"})),
    "the exposure's own factor": bn.twfe(panel, own),
    "interactive fixed effects": bn.interactive_fe(panel, spec, factors=1),
    "common correlated effects, pooled": bn.cce(panel, spec),
    "common correlated effects, mean group": bn.cce(panel, spec, pooled=False),
    "posterior, independent errors": bn.fit(panel, spec, seed=1).estimates(),
    "posterior, the exposure's own factor": bn.fit(panel, own, seed=1).estimates(),
}
table = pd.DataFrame(
    [
        {"estimator": name, **found.frame.iloc[0][["estimate", "lo", "hi", "estimand"]].to_dict()}
        for name, found in rows.items()
    ]
)
table["truth inside"] = (table["lo"] < slope) & (slope < table["hi"])
print(table.round(2).to_string(index=False))

# %% [markdown]
# Read the last column. Estimators that do not know of the factor miss the truth, and miss it with narrow intervals. Estimators
# that allow for it find it. A Bayesian model is no exception: with independent errors and no factor it is as wrong as least
# squares. What is missing is in the model, not in the prior.
#
# The column `estimand` says what each row estimates. Rows with different estimands may stand side by side. Their difference
# means nothing, and `bn.compare` refuses to take it.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
place = np.arange(len(table))[::-1]
axes.hlines(place, table["lo"], table["hi"])
axes.plot(table["estimate"], place, "o")
axes.axvline(slope, linestyle="--", color="0.4")
axes.set_yticks(place, table["estimator"])
axes.set_xlabel("slope, 95 % interval; dashed: the truth")
