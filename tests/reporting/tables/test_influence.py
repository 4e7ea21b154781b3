"""Who decides the slope, in the report: bars without a grid, tiles with one, numbers from influence.csv."""

from dataclasses import replace

import pandas as pd

from bayes_npp.analysis.without_units import Without, influence_rows
from bayes_npp.reporting.base.blocks import Art, Details, Heading, Paragraph
from bayes_npp.reporting.tables.influence import influence_blocks
from bayes_npp.study.positions import Position


def test_bars_or_tiles_and_the_slope_without_the_first(tiny_run):
    beside, folded = influence_blocks(tiny_run)
    (art,), (heading, said, *_) = beside.left, beside.right
    assert isinstance(art, Art)
    assert isinstance(heading, Heading)
    assert isinstance(said, Paragraph)
    assert isinstance(folded, Details)
    first = tiny_run.influence.first
    assert all(name.lower() in heading.text.lower() for name in first)
    assert f"{100 * tiny_run.influence.held:.0f} %" in heading.text
    assert art.art.count("bar-for") == len(tiny_run.influence.frame)
    rows = pd.read_csv(tiny_run.out / "influence.csv").set_index("key")
    for name, slope in tiny_run.influence.without:
        assert abs(rows.loc[name, "slope_without"] - slope) < 1e-8
        assert f"influence.csv:{name}:slope_without" in said.text
    assert rows.loc["all", "unit"] == "all"
    placed = {unit: Position(0, at, "<b>") for at, unit in enumerate(tiny_run.influence.frame["unit"])}
    study = replace(tiny_run.study)
    vars(study)["positions"] = placed
    tiled = influence_blocks(replace(tiny_run, study=study))[0].left[0]
    assert tiled.art.count('class="tile"') == len(placed)
    assert "&lt;b&gt;" in tiled.art
    assert "bar-for" not in tiled.art


def test_the_posterior_without_units_and_the_largest_error_scales(tiny_run):
    found = tiny_run.posterior_influence
    told = (Without("a", 0.2, 0.1, 0.3), Without("a and b", why="a group is gone"))
    scales = pd.DataFrame({"unit": ["b", "a"], "mean": [6.1, 1.0]})
    made = replace(found, differs=True, without=told, scaled=replace(tiny_run.fits[0], error_scales=scales))
    beside, _ = influence_blocks(replace(tiny_run, posterior_influence=made))
    _, _, slopes, large = beside.right
    assert "without a and b: none (a group is gone)" in slopes.text
    assert "influence.csv:a:posterior_lo" in slopes.text
    assert "influence.csv:b:error_scale" in large.text
    rows = influence_rows(tiny_run.influence, made).set_index("unit")
    assert rows.loc["all", "posterior_without"] == found.whole.estimate


def test_a_cross_section_has_none(tiny_run):
    assert influence_blocks(replace(tiny_run, influence=None)) == ()
