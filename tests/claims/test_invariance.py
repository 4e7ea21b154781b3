"""Verdicts do not depend on constants of units and periods, which two-way fixed effects cannot see."""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.panels.simulation import simulate
from tests.bayesian.fitting.test_invariance import COLUMNS, with_constants

STUDY = """
[study]
title = "Constants"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"

[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1", "control_2"]

[[model]]
name = "plain"
kind = "twfe"

[[model]]
name = "groups"
kind = "hierarchical"
slopes = "group"
draws = 500
chains = 2

[[claim]]
id = "average"
text = "The slope is positive."
proposition = "average_slope_twfe_weighted > 0"
model = "groups"
smallest_effect = 0.02

[[claim]]
id = "differ"
text = "It is larger in the north than in the west."
proposition = "slope[north] > slope[west]"
model = "groups"

[[claim]]
id = "alike"
text = "It is larger in the south than in the west."
proposition = "slope[south] > slope[west]"
model = "groups"
"""


@pytest.mark.slow(minutes=5)
def test_constants_of_units_and_periods_do_not_move_verdicts(tmp_path):
    slopes = {"north": 0.8, "south": 0.2, "west": 0.15}
    frame = simulate(24, 7, slopes, controls=(0.5, -0.4), seed=4).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    told = []
    for name, own in (("plain", panel), ("moved", with_constants(panel, COLUMNS))):
        folder = tmp_path / name
        folder.mkdir()
        own.frame.to_csv(folder / "panel.csv", index=False)
        (folder / "study.toml").write_text(STUDY)
        bn.run_study(bn.load_study(folder), folder / "run", quick=True, seed=1)
        told.append(pd.read_csv(folder / "run" / "claims.csv").set_index("id"))
    assert len(told[0]) == 3
    for column in ("verdict", "verdict_line", "answer_line"):
        assert list(told[0][column]) == list(told[1][column])
