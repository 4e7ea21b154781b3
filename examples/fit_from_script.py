"""Regional slopes of digital trade openness on the public panel, in ten lines."""

import tomllib
from pathlib import Path

import bayes_npp as bn

root = Path(__file__).parents[1]
variables = tomllib.loads((root / "models/digital_trade/study.toml").read_text())["variable"]
panel = bn.read_panel(root / "data/china_provinces/panel.csv", unit="province_en", time="year", window=(2014, 2022))
panel = bn.derive(panel, variables)
controls = ("ln_gdp_pc", "urbanization", "tax_share")
spec = bn.Spec(outcome="npp", exposure="openness", controls=controls, slopes="region")
fit = bn.fit(panel, spec, priors="weakly_informative", draws=1000, chains=4, seed=1)
table = bn.compare([bn.twfe(panel, spec), fit.estimates()], estimand="group_slope")
print(table.round(3).to_string(), fit.diagnostics.verdict, sep="\n")
