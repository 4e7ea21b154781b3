"""Figures of the tiny run: every one with its picture, its numbers and its place in the page.

`figures.slopes`, `figures.claims` and `figures.measurement` draw them with `figures.drawing`.
"""

import pandas as pd
from matplotlib.colors import to_hex

from bayes_npp.reporting.figures.claims import heat_map, specification
from bayes_npp.reporting.figures.drawing import THEME


def numbers_of(run, name):
    return pd.read_csv(run.out / "figures" / f"{name}.csv")


def test_every_figure_is_in_the_page(tiny_run):
    html = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    figures = list((tiny_run.out / "figures").glob("*.svg"))
    assert len(figures) > 10
    for path in figures:
        assert html.count(f'<figure id="figure-{path.stem}"><svg') == 1
    for path in figures:
        assert path.with_suffix(".csv").is_file()
        assert path.with_suffix(".png").stat().st_size > 1000
        assert "<text" in path.read_text(encoding="utf-8")


def test_slopes_are_drawn_where_they_are_estimated(tiny_run):
    drawn = numbers_of(tiny_run, "slopes_groups")
    estimates = tiny_run.estimates.frame
    for value in estimates.loc[(estimates["model"] == "groups") & (estimates["estimand"] == "group_slope"), "estimate"]:
        assert (drawn.select_dtypes("number") - value).abs().min().min() < 1e-8


def test_claims_are_drawn_over_every_cell_of_the_grid(tiny_run):
    cells = numbers_of(tiny_run, "priors_groups")
    sensitivity = pd.read_csv(tiny_run.out / "sensitivity.csv", keep_default_na=False)
    own = sensitivity[(sensitivity["kind"] == "prior grid") & (sensitivity["quantity"] == "probability")]
    assert len(own) > 0
    drawn = cells.select_dtypes("number").to_numpy().ravel()
    for value in own["value"].astype(float):
        assert abs(drawn - value).min() < 1e-6


def test_every_measure_is_drawn(tiny_run):
    drawn = numbers_of(tiny_run, "measurement_groups")
    labels = set(drawn.astype(str).to_numpy().ravel())
    assert set(tiny_run.measurement[0].variants["variant"]) <= labels


def test_numbers_of_a_heat_map_are_read_in_the_dark_and_its_panels_stand_in_rows():
    """Before: numbers had the page's own colours, and in the dark white stood on pale cells."""
    cells = [(name, "a", "b", value) for name, value in zip("pqrs", (0.01, 0.2, 0.5, 0.99), strict=True)]
    figure = heat_map(pd.DataFrame(cells, columns=["proposition", "first", "second", "lowest"]))
    *panels, _ = figure.axes
    colours = {to_hex(text.get_color()) for panel in panels for text in panel.texts}
    assert len(colours) == 2
    assert not colours & set(THEME)
    assert [panel.get_subplotspec().rowspan.start for panel in panels] == [0, 0, 0, 1]


def test_a_sample_stands_on_one_line_in_every_panel():
    cells = [("p", "all", 0.1), ("p", "some", 0.2), ("q", "some", 0.3)]
    curve = pd.DataFrame(cells, columns=["proposition", "sample", "estimate"]).assign(estimator="e", lo=0.0, hi=1.0)
    figure = specification(curve)
    assert {panel.get_ylim() for panel in figure.axes} == {(1.5, -0.5)}
