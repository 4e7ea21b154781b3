"""Who decides the slope, in the report: bars without a grid, tiles with one, numbers from influence.csv."""

from dataclasses import replace

import pandas as pd

from bayes_npp.reporting.base.blocks import Art, Details, Paragraph
from bayes_npp.reporting.tables.influence import influence_blocks
from bayes_npp.study.positions import Position


def test_bars_or_tiles_and_the_slope_without_the_first(tiny_run):
    art, said, folded = influence_blocks(tiny_run)
    assert isinstance(art, Art)
    assert isinstance(said, Paragraph)
    assert isinstance(folded, Details)
    first = tiny_run.influence.first
    assert all(name in art.heading for name in first)
    assert f"{100 * tiny_run.influence.held:.0f} %" in art.heading
    assert art.art.count("bar-for") == len(tiny_run.influence.frame)
    rows = pd.read_csv(tiny_run.out / "influence.csv").set_index("key")
    for name, slope in tiny_run.influence.without:
        assert abs(rows.loc[name, "slope_without"] - slope) < 1e-8
        assert f"influence.csv:{name}:slope_without" in said.text
    assert rows.loc["all", "unit"] == "all"
    placed = {unit: Position(0, at, "<b>") for at, unit in enumerate(tiny_run.influence.frame["unit"])}
    study = replace(tiny_run.study)
    vars(study)["positions"] = placed
    tiled = influence_blocks(replace(tiny_run, study=study))[0]
    assert tiled.art.count('class="tile"') == len(placed)
    assert "&lt;b&gt;" in tiled.art
    assert "bar-for" not in tiled.art


def test_a_cross_section_has_none(tiny_run):
    assert influence_blocks(replace(tiny_run, influence=None)) == ()
