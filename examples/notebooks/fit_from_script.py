# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Fit a model from a script
#
# A panel, a specification, a regression, a posterior. Four objects, and every one of them prints what it is.

# %%
import bayes_npp as bn

truth = {"coast": 0.4, "inland": 0.1}
frame = bn.simulate(n_units=24, n_periods=10, slopes=truth, autocorrelation=0.6, seed=3).frame
panel = bn.read_panel(frame, unit="unit", time="time", group="group")
print(panel)

# %% [markdown]
# The panel is simulated, so the truth is known: the slope is 0.4 at the coast and 0.1 inland, and errors persist.
#
# A specification says what is regressed on what. `slopes="group"` gives each group a slope of its own.

# %%
spec = bn.Spec(outcome="outcome", exposure="exposure", controls=["control_1"], slopes="group")
print(spec)

# %% [markdown]
# Two-way fixed effects come first. Errors are clustered by unit.

# %%
print(bn.twfe(panel, spec).summary().round(3).to_string())

# %% [markdown]
# The hierarchical model has the same slopes, and lets groups learn from each other. `errors="auto"` climbs the ladder of
# errors and stops where the checks pass.

# %%
fit = bn.fit(panel, spec, errors="auto", seed=1)
print(fit)

# %% [markdown]
# Two questions are separate: did the sampler work, and do the errors fit?

# %%
print(fit.diagnostics.verdict, "is what the sampler's diagnostics say")
for check in fit.checks:
    print(f"{check.name}: {check.verdict}")

# %% [markdown]
# Posterior slopes, drawn by ArviZ. The truth lies inside both intervals.

# %%
# %matplotlib inline
fit.plot.forest()
# %% [markdown]
# A fit is an `xarray.DataTree`, so that everything in ArviZ reads it. `fit.save("fit.nc")` keeps it.

# %%
print(list(fit.tree.children))
