"""Regional slopes of digital trade openness on the public panel, in ten lines."""

from pathlib import Path

import bayes_npp as bn

panel = bn.load_study(Path(__file__).parents[1] / "models" / "digital_trade").panel
controls = ("ln_gdp_pc", "urbanization", "tax_share")
spec = bn.Spec(outcome="npp", exposure="openness", controls=controls, slopes="region")
twfe = bn.twfe(panel, spec)
fit = bn.fit(panel, spec, seed=1)
print(bn.compare([twfe, fit.estimates()], estimand="group_slope").round(3).to_string())
for check in fit.predictive_checks():
    print(f"{check.name}: {check.verdict}")
print(f"sampler: {fit.diagnostics.verdict}")
