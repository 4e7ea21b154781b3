# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # How much do priors decide?
#
# A small panel, two groups, one claim: the slope is larger at the coast.

# %%
import bayes_npp as bn

frame = bn.simulate(n_units=16, n_periods=6, slopes={"coast": 0.35, "inland": 0.15}, seed=11).frame
panel = bn.read_panel(frame, unit="unit", time="time", group="group")
spec = bn.Spec(outcome="outcome", exposure="exposure", controls=["control_1"], slopes="group")
claim = "slope[coast] > slope[inland]"

# %% [markdown]
# Before the data: what do the priors of the default set imply?

# %%
print(bn.prior_preview(panel, spec, seed=1).round(2).to_string(index=False))

# %% [markdown]
# After the data: the claim under the named sets of priors. Each set is a person with other expectations.

# %%
fit = bn.fit(panel, spec, seed=1)
found = bn.sensitivity(fit, [claim, "average_slope > 0"], seed=1)
print(found.sets[["priors", "proposition", "probability", "mean"]].round(3).to_string(index=False))

# %% [markdown]
# And under every prior of a grid. The scale of the prior on differences between groups matters most: who holds differences to
# be small beforehand will see small ones.

# %%
grid = found.grid[found.grid["proposition"] == claim]
print(grid.groupby("slope_sd")["probability"].agg(["min", "max", "count"]).round(3).to_string())

# %% [markdown]
# Reverse Bayes turns the question round. How sceptical must a reader be, so that the claim no longer convinces?

# %%
for answer, asked in zip(found.reverse, (claim, "average_slope > 0"), strict=True):
    limits = answer.crossings[0.975]
    said = f"falls to .975 at a prior SD of {limits[0]:.3f}" if limits else "does not reach .975 under any prior SD"
    print(f"P({asked}) {said}")

# %% [markdown]
# The average slope stands under every prior. The difference does not: its probability depends on how different groups may be. A
# report would call such a claim undecided, or fragile, and name the prior that moves it.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for row, proposition in enumerate((claim, "average_slope > 0")):
    answers = found.grid.loc[found.grid["proposition"] == proposition, "probability"]
    axes.plot(answers, [row] * len(answers), "|", markersize=14)
axes.axvline(0.975, linestyle="--", color="0.4")
axes.set_yticks([0, 1], ["coast above inland", "average above zero"])
axes.set_ylim(-0.5, 1.5)
axes.set_xlabel("probability under each prior; dashed: the threshold of a claim")
