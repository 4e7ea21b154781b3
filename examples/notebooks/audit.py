# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Audit printed numbers
#
# A paper prints that a slope is 0.21 with three stars where vitality is high, and 0.04 without a star where it is low. It
# concludes that the effect is stronger where vitality is high. Does that follow?

# %%
import pandas as pd

import bayes_npp as bn

printed = pd.DataFrame(
    {
        "claim": ["vitality", "vitality"],
        "table": ["7", "7"],
        "column": ["1", "2"],
        "model": ["", ""],
        "sample": ["high", "low"],
        "estimator": ["system_gmm", "system_gmm"],
        "outcome": ["npp", "npp"],
        "term": ["openness", "openness"],
        "estimate": ["0.213", "0.043"],
        "significance": ["p<0.01", "p>0.10"],
    }
)
audit = bn.audit(printed)
for sentence in audit.sentences:
    print(sentence)

# %% [markdown]
# A star bounds the standard error from above, its absence from below. Over every pair of standard errors that this allows, the
# difference may be very clear or nothing at all. That is all the print says.

# %%
difference = audit.difference_frame.iloc[0]
print(difference[["probability_lowest", "probability_highest", "p_value_lowest", "p_value_highest"]].to_string())

# %% [markdown]
# How much would a significant estimate exaggerate, if the true effect were smaller than the printed one?

# %%
risks = audit.risks.query("se_end == 'largest' and coefficient.str.contains('high')")
print(risks[["share", "effect", "se", "power", "type_s", "type_m"]].round(3).to_string(index=False))

# %% [markdown]
# A coefficient that is printed because it is significant is too large on average. How much too large depends on the power of the
# study, and with few provinces power is small.
