"""Studies of other shapes than the default one: only groups, no published numbers, hostile names; stored fits."""

import csv
import json
import re
import zipfile
from html import escape
from xml.etree import ElementTree

import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError
from bayes_npp.pipeline import rerender, run_study
from bayes_npp.store import read_sealed_json
from tests.conftest import report_text

HEADER = """
[study]
title = "<b>A & B</b>"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1"]
"""


def small_study(folder, models, slopes=None):
    frame = bn.simulate(12, 6, slopes or {"north": 0.5, "south": 0.1}, seed=2).frame
    frame.to_csv(folder / "panel.csv", index=False)
    tables = "".join(f'[[model]]\nname = "m{i}"\nkind = "twfe"\n{text}\n' for i, text in enumerate(models))
    (folder / "study.toml").write_text(HEADER + tables, encoding="utf-8-sig")
    return folder


@pytest.mark.parametrize("models", [['slopes = "group"'], ['subsamples = "group"'], ["", 'slopes = "group"']])
def test_any_set_of_models_makes_a_report(models, tmp_path):
    result = run_study(small_study(tmp_path, models), tmp_path / "out")
    text = report_text(tmp_path / "out")
    assert result.passed
    assert "north" in text
    assert (tmp_path / "out" / "tables" / f"groups_m{len(models) - 1}.tex").exists()


def test_names_from_files_are_escaped_in_the_report(tmp_path):
    nasty = "<script>alert(1)</script>"
    run_study(small_study(tmp_path, ['slopes = "group"'], {nasty: 0.5, "south": 0.1}), tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text()
    assert nasty not in html
    assert "<b>A & B</b>" not in html
    assert "&lt;script&gt;" in html


def test_a_study_of_another_encoding(tmp_path):
    folder = small_study(tmp_path, [""], {"东部": 0.5, "西部": 0.1})
    text = (folder / "panel.csv").read_text(encoding="utf-8")
    (folder / "panel.csv").write_text(text, encoding="gb18030")
    with pytest.raises(bn.BayesNppError, match="encoding"):
        run_study(folder)
    study = folder / "study.toml"
    study.write_text(study.read_text(encoding="utf-8-sig").replace("[roles]", 'encoding = "gb18030"\n[roles]'))
    assert run_study(folder).estimates.frame["n_units"].iloc[0] == 12


def test_stored_fits(tmp_path):
    """A fit is taken from the folder for the same settings only; the report is written again from no other."""
    folder, out = small_study(tmp_path, [""]), tmp_path / "out"
    study = folder / "study.toml"
    model = '[[model]]\nname = "bayes"\nkind = "hierarchical"\ndraws = 400\n'
    study.write_text(study.read_text(encoding="utf-8-sig") + model)
    assert not run_study(folder, out).fits[0].reused
    before = {name: (out / name).read_bytes() for name in ("estimates.csv", "report.html")}
    assert run_study(folder, out).fits[0].reused
    made = read_sealed_json(out / "manifest.json")[0]
    (out / "report.html").unlink()
    assert rerender(out).fits[0].reused
    again = read_sealed_json(out / "manifest.json")[0]
    assert {**again, "written": ""} == {**made, "written": ""}  # how long the run took is not how long its report took
    assert {name: (out / name).read_bytes() for name in before} == before
    assert not run_study(folder, out, seed=7).fits[0].reused
    with pytest.raises(SpecError, match="there is no run here"):
        rerender(tmp_path)
    (out / "fits" / "bayes.nc").unlink()
    with pytest.raises(SpecError, match="the stored fit is missing"):
        rerender(out)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ('[[table]]\nnumber = "2"\ntitle = "t"\ncolumns = ["m1"]', "unknown model 'm1' in columns"),
        ('[[table]]\nnumber = "2"\ntitle = "t"\ncolumns = []', "columns"),
        ('[[table]]\nnumber = "../2"\ntitle = "t"\ncolumns = ["m0"]', "number"),
        (
            '[[model]]\nname = "g"\nkind = "system_gmm"\ngmm = [["q", 2, 3]]',
            "unknown column 'q' among the gmm instruments",
        ),
        ('[[model]]\nname = "g"\nkind = "system_gmm"', "gmm"),
        (
            '[[model]]\nname = "g"\nkind = "difference_gmm"\ngmm = [["outcome", 2, 2]]\ncollapse = true',
            "1 instruments for 3",
        ),
        ('[[model]]\nname = "g"\nkind = "system_gmm"\ngmm = [["outcome", 2, 3]]\nh = 4', "'h'"),
        ('[[model]]\nname = "g"\nkind = "dynamic_within"\noutcome_lags = 0', "outcome_lags"),
    ],
)
def test_bad_tables_and_dynamic_models(tables, message, tmp_path):
    study = small_study(tmp_path, [""]) / "study.toml"
    study.write_text(study.read_text(encoding="utf-8-sig") + tables + "\n")
    with pytest.raises(bn.BayesNppError, match=message):
        run_study(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_serial_and_lagged_mediators_in_a_study(tmp_path):
    paths = {"path_a": {"all": (0.8, 0.1)}, "path_b": {"all": (0.2, 0.7)}, "serial": {"all": (0.9,)}}
    bn.simulate_mediation(40, 8, **paths, seed=4).frame.to_csv(tmp_path / "panel.csv", index=False)
    header = (
        HEADER.replace('group = "group"\n', "")
        .replace("controls", "mediators")
        .replace('"control_1"', '"mediator_1", "mediator_2"')
    )
    model = '[[model]]\nname = "{}"\nkind = "mediation"\ndraws = 500\n{}\n'
    serial = model.format("chain", 'serial = [["mediator_1", "mediator_2"]]')
    later = model.format("later", "lags = [1, 0]")
    (tmp_path / "study.toml").write_text(header + serial + later)
    result = run_study(tmp_path, tmp_path / "out")
    text = report_text(tmp_path / "out")
    assert "mediator 1 -> mediator 2: the indirect association along this chain is clearly positive" in text
    assert "indirect through mediator 1 -> mediator 2" in text
    assert "lags: exposure to mediators 1, mediators to outcome 0, direct and total 1" in text
    chain, later = (result.estimates.select(model=name) for name in ("chain", "later"))
    assert set(chain["n_obs"]) == {320}
    assert set(later["n_obs"]) == {280}
    assert [mechanism.crossings is None for mechanism in result.mechanisms] == [False, True]
    assert not (tmp_path / "out" / "tables" / "confounding_later.csv").exists()
    assert (
        "is not shown: the sensitivity to confounding takes equations of the same rows, and lagged paths have others"
        in text
    )
    cycle = 'serial = [["mediator_1", "mediator_2"], ["mediator_2", "mediator_1"]]'
    (tmp_path / "study.toml").write_text(header + model.format("chain", cycle))
    with pytest.raises(SpecError, match="form a cycle"):
        run_study(tmp_path, tmp_path / "other")
    assert not (tmp_path / "other").exists()


NASTY = {
    "script": "<script>alert('group')</script>",
    "quotes": '"o\'clock" & \\input{x} $1_2%',
    "emoji": "🐼 région",
    "long": "数字贸易开放与新质生产力发展水平较高的东部沿海省份及其周边经济联系紧密的地区",
    "formula": '=HYPERLINK("http://example.org")',
}
ENDINGS = (".html", ".md", ".svg", ".csv", ".tex", ".docx")


@pytest.mark.slow(minutes=3)
def test_hostile_names_reach_no_reader_as_code(tmp_path):
    """Groups, units, columns, a claim and titles, through a whole run with a posterior, into every kind of file."""
    slopes = dict(zip(NASTY.values(), (0.6, 0.4, 0.2, 0.0, -0.2), strict=True))
    frame = bn.simulate(20, 7, slopes, controls=(0.4,), seed=3).frame
    frame["unit"] = [f"{text} {unit}" for unit, text in zip(frame["unit"], frame["group"], strict=True)]
    frame.to_csv(tmp_path / "panel.csv", index=False)
    first, last = NASTY["script"], NASTY["long"]
    (tmp_path / "study.toml").write_text(
        HEADER
        + f"""
[[model]]
name = "bayes"
title = {toml(NASTY["quotes"])}
kind = "hierarchical"
slopes = "group"
ladder = false
draws = 400
[[model]]
name = "plain"
kind = "twfe"
slopes = "group"
[[claim]]
id = "one"
text = {toml(NASTY["script"] + NASTY["emoji"])}
model = "bayes"
proposition = {toml(f'slope["{first}"] > slope["{last}"]')}
""",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    run_study(tmp_path, out, quick=True, seed=1)
    files = [path for path in out.rglob("*") if path.suffix in ENDINGS]
    assert {path.suffix for path in files} == set(ENDINGS)
    for path in files:
        if path.suffix == ".docx":
            ElementTree.fromstring(zipfile.ZipFile(path).read("word/document.xml"))
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".html", ".svg", ".md"):
            assert "<script>alert" not in text, path.name
        if path.suffix == ".svg":
            ElementTree.fromstring(text)
        if path.suffix == ".tex":
            assert not re.search(r"(?<!\\textbackslash\{\})\\input\{", text), path.name
        if path.suffix == ".csv":
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert not [cell for cell in cells if cell[:1] in "=+@" and cell[:1] and not is_number(cell)], path.name
    html = (out / "report.html").read_text(encoding="utf-8")
    for text in NASTY.values():
        assert escape(text) in html or escape(text, quote=False) in html, text


def toml(text):
    return json.dumps(text, ensure_ascii=False)


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True
