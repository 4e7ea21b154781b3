"""The registry of sections: every table and figure of a run comes from it, and a new section is one row."""

import re
from html import unescape

import pandas as pd
import pytest

from bayes_npp.reporting import sections
from bayes_npp.reporting.base.blocks import Figure, Paragraph
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.figures.drawing import new_figure
from bayes_npp.reporting.report import report_page, write_report
from bayes_npp.reporting.sections import SECTIONS, Section, each, fold_each, lay_out

pytestmark = pytest.mark.xdist_group("tiny_run")


def a_table(result):
    frame = pd.DataFrame({"units": [str(result.study.panel.balance().n_units)]})
    return Table("how_many", "How many units?", frame, ("Counted.",))


def a_figure(fit, result):
    frame = pd.DataFrame({"draws": [fit.sampler.draws]})

    def draw():
        figure, axes = new_figure(2, 1)
        axes.plot(frame["draws"], "o")
        return figure

    return Figure(f"draws_{fit.model}", "Draws", f"Draws of {fit.model}.", frame, draw)


def test_a_new_section_is_one_row(tiny_run, tmp_path, monkeypatch):
    """In both pages at its place, its table and its figures among the files, all else as before."""
    row = Section("A new section", (a_table, each(lambda result: result.fits, a_figure), lambda result: None))
    monkeypatch.setattr(sections, "SECTIONS", (*SECTIONS[:2], row, *SECTIONS[2:]))
    write_report(tiny_run, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        words = ["Summary of findings", "A new section", "How many units?", "Counted."]
        words += [f"Draws of {fit.model}." for fit in tiny_run.fits] + ["They are not"]
        places = [text.index(word) for word in words]
        assert places == sorted(places)
    assert (tmp_path / "tables" / "how_many.csv").read_text() == "key,units\n12,12\n"
    assert "How many units?" in (tmp_path / "tables" / "how_many.tex").read_text()
    assert (tmp_path / "figures" / f"draws_{tiny_run.fits[0].model}.png").stat().st_size > 0
    for folder, new in (("tables", {"how_many"}), ("figures", {f"draws_{fit.model}" for fit in tiny_run.fits})):
        before = {path.stem for path in (tiny_run.out / folder).iterdir()}
        assert {path.stem for path in (tmp_path / folder).iterdir()} == before | new


def test_the_registry_is_all_there_is(tiny_run):
    """Both pages show every table and figure once where files of it are written, under the same headings in order."""
    page, worded = report_page(tiny_run), wording(tiny_run.study)
    html = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    markdown = (tiny_run.out / "report.md").read_text(encoding="utf-8")
    assert {path.stem for path in (tiny_run.out / "tables").iterdir()} == {*page.tables, *page.cards}
    assert {path.stem for path in (tiny_run.out / "figures").iterdir()} == set(page.figures)
    assert html.count('<figure id="figure-') == len(page.figures)
    for name, figure in page.figures.items():
        assert html.count(f'<figure id="figure-{name}"') == 1
        assert f"figures/{name}.png" in markdown
        assert worded(figure.title) in markdown
    for name in page.tables:
        assert html.count(f'id="table-{name}"') == 1
        assert f"tables/{name}.csv" in markdown or page.tables[name].markdown(worded) in markdown
    plain = re.sub(r"</?data[^>]*>", "", html)
    in_html = [unescape(heading) for heading in re.findall(r'<h2 id="h-\d+">(.*?)</h2>', plain)]
    assert [h.replace("\u2212", "-") for h in in_html] == [
        h.replace("\u2212", "-") for h in re.findall(r"^## (.*)$", markdown, re.MULTILINE)
    ]


def test_the_tiny_study_has_every_section(tiny_run):
    shown = {part.anchor for part in lay_out(tiny_run)}
    assert {section.anchor for section in SECTIONS} == shown
    anchors = [section.anchor for section in SECTIONS]
    assert len(anchors) == len(set(anchors))


def test_markdown_is_short(tiny_run):
    assert (tiny_run.out / "report.md").stat().st_size < 40_000


def test_a_section_without_blocks_is_left_out(monkeypatch):
    rows = (
        Section("Empty", (lambda result: None, lambda result: [])),
        Section("Full", (lambda result: Paragraph("x"),)),
    )
    monkeypatch.setattr(sections, "SECTIONS", rows)
    assert [part.heading for part in lay_out(None)] == ["Full"]


def test_folded_tables():
    def table(number, result):
        return Table(f"t{number}", f"Table {number}", pd.DataFrame({"a": [number]})) if number else None

    blocks = fold_each(lambda result: (0, 1, 2), lambda number, result: f"About {number}", table, table)("nothing")
    assert [(block.summary, [own.title for own in block.blocks]) for block in blocks] == [
        ("About 1", ["Table 1", "Table 1"]),
        ("About 2", ["Table 2", "Table 2"]),
    ]


def test_the_table_of_descriptives(tiny_run):
    """In the section on what the data are; a mediator with two blank years says so."""
    (part,) = [part for part in lay_out(tiny_run) if part.anchor == "data"]
    (table,) = [block for block in part.blocks if isinstance(block, Table)]
    assert table.name == "descriptives"
    written = pd.read_csv(tiny_run.out / "tables" / "descriptives.csv").set_index("variable")
    assert list(written.index) == ["made", "exposure", "structure", "support", "control 1"]
    assert written.loc["support", ["n", "missing"]].tolist() == [82, 2]
    panel = tiny_run.study.panel.frame
    assert written.loc["exposure", "SD overall"] == pytest.approx(panel["exposure"].std(), abs=5e-4)
    between = panel.groupby("unit")["exposure"].mean().std()
    assert written.loc["exposure", "SD between"] == pytest.approx(between, abs=5e-4)
    assert "xtsum" in " ".join(table.notes)
