# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Mediation
#
# The exposure moves a mediator, the mediator moves the outcome. The truth of this panel: path a is 0.5, path b is 0.4, so the
# indirect effect is 0.2, and the direct effect is 0.2.

# %%
import bayes_npp as bn

frame = bn.simulate_mediation(n_units=30, n_periods=9, seed=4).frame
panel = bn.read_panel(frame, unit="unit", time="time")
spec = bn.Spec(outcome="outcome", exposure="exposure")

# %% [markdown]
# The practice of many papers first: regress the mediator on the exposure, and stop. It gives a path, no indirect effect.

# %%
steps = bn.mediation_paths(panel, spec, mediators=("mediator_1",), method="two_step")
print(steps.summary().round(3).to_string(index=False))

# %% [markdown]
# The product of both paths, by least squares and as a posterior. A product of two uncertain numbers is skewed. The posterior and
# the bootstrap show it, the delta method cannot.

# %%
columns = ["estimand", "estimate", "lo", "hi"]
boot = bn.mediation_paths(
    panel, spec, mediators=("mediator_1",), method="product", interval="cluster_bootstrap", draws=499
)
posterior = bn.mediate(panel, spec, mediators=("mediator_1",), seed=1).estimates()
for name, found in (("least squares, bootstrap", boot), ("posterior", posterior)):
    rows = found.frame[found.frame["estimand"].isin(["path_a", "path_b", "indirect", "direct", "total"])]
    print(name, rows[columns].round(3).to_string(index=False), sep="\n")

# %% [markdown]
# What nobody sees in the data: something else may move mediator and outcome together. How strongly would their errors have to
# correlate, so that the indirect effect is zero?

# %%
from bayes_npp.bayesian.mediation.confounding import sensitivity

fit = bn.mediate(panel, spec, mediators=("mediator_1",), seed=1)
answers = sensitivity(fit)
shown = answers[answers["rho"].between(-0.01, 0.61)].iloc[::2]
print(shown[["rho", "lo", "hi", "prob_positive"]].round(3).to_string(index=False))

# %% [markdown]
# Reading an indirect effect as a mechanism takes two assumptions: nothing left out moves the exposure and the outcome, and nothing left
# out moves the mediator and the outcome. The table says how far the second may fail: `rho` is the
# correlation of the two errors, and where the interval reaches zero the sign of the indirect effect is gone.
