"""The page of several runs: a row a claim, a column a run, and every key in which their studies differ."""

import re
import shutil
from html import unescape

import pandas as pd
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from bayes_npp.estimates import estimates_from_rows, write_csv
from bayes_npp.reporting.run_comparison import flattened
from bayes_npp.store import file_hash, write_sealed_json
from tests.conftest import TINY
from tests.reporting.test_references import Numbers, agrees

CHROMIUM = shutil.which("chromium")
CLAIMS = ("id", "text", "probability", "lowest", "highest", "verdict", "estimate", "lo", "hi")


def write_run(folder, claims, quick=True, **replaced):
    """A folder as a run leaves it, with a study of its own beside it."""
    home = folder.parent / f"study_of_{folder.name}"
    shutil.copytree(TINY, home)
    text = (home / "study.toml").read_text(encoding="utf-8")
    for before, after in replaced.items():
        assert before in text
        text = text.replace(before, after, 1)
    (home / "study.toml").write_text(text, encoding="utf-8")
    folder.mkdir()
    rows = [dict(zip(CLAIMS, claim, strict=True)) for claim in claims]
    frame = pd.DataFrame(rows, columns=list(CLAIMS))
    frame.insert(0, "key", frame["id"])
    frame.to_csv(folder / "claims.csv", index=False)
    row = {"term": "x", "estimand": "coefficient", "estimate": 0.1, "paradigm": "frequentist", "model": "twfe"}
    write_csv(estimates_from_rows([row]), folder / "estimates.csv")
    content = {
        "study": "tiny",
        "study_file": f"../{home.name}/study.toml",
        "study_sha256": bn.load_study(home).content_hash(),
        "settings": {"quick": quick, "seed": 7},
        "versions": {"bayes-npp": "0.1.0", "pymc": "6.4"},
        "data_sha256": "a",
        "priors_sha256": {},
        "csv_sha256": {name: file_hash(folder / name) for name in ("claims.csv", "estimates.csv")},
        "written": "2026-11-27T19:49:30Z",
    }
    write_sealed_json(folder / "manifest.json", content)
    return folder


H1 = ("H1", "<b>More</b> raises", 0.651, 0.071, 0.9995, "undecided", 0.00885, -0.0214, 0.0462)
H2 = ("H2", "Through z", 0.97, 0.9, 0.99, "supported", 1.5, 0.2, 2.8)


@pytest.fixture
def two(tmp_path):
    first = write_run(tmp_path / "first", [H1, H2])
    other = ("H1", H1[1], 0.32, 0.1, 0.9, "contradicted", -0.5, -1.25, 0.25)
    return first, write_run(tmp_path / "second", [other], **{"seed = 16": "seed = 2"})


def text_of(path):
    page = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(page).replace("\u2212", "-"))


def test_claims_in_rows_runs_in_columns_and_what_differs(two, tmp_path):
    out = tmp_path / "pages" / "comparison.html"
    done = CliRunner().invoke(cli, ["compare", *map(str, two), "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.startswith("outcome,") or "estimate" in done.stdout.splitlines()[1]  # the csv is as before
    assert str(out) in done.stderr
    text = text_of(out)
    assert "undecided; 0.65 ( 0.07 to > 0.999 ); 0.009 [ -0.021 , 0.046 ]" in text
    assert "contradicted; 0.32 ( 0.10 to 0.90 ); -0.50 [ -1.25 , 0.25 ]" in text
    assert "not claimed" in text
    assert "study.seed 16 2" in text
    assert "<b>More" in text
    assert "<b>More" not in out.read_text(encoding="utf-8")
    numbers = Numbers()
    numbers.feed(out.read_text(encoding="utf-8"))
    tagged = [
        own for own in numbers.tagged if own[1].endswith(("probability", "lowest", "highest", "estimate", "lo", "hi"))
    ]
    assert len(tagged) == 18
    for value, ref, shown in tagged:
        file, key, column = ref.split(":")
        frame = pd.read_csv(out.parent / file, dtype=str).set_index("key")
        assert agrees(frame.loc[key, column], value, shown.replace("\u2212", "-"))


def test_runs_of_one_study_do_not_differ_and_changed_ones_are_doubted(tmp_path):
    one = write_run(tmp_path / "one", [H1])
    same = write_run(tmp_path / "same", [H1], quick=False)
    out = tmp_path / "comparison.html"
    assert CliRunner().invoke(cli, ["compare", str(one), str(same), "--out", str(out)]).exit_code == 0
    assert "The study files are the same, key by key." in text_of(out)
    assert "draws fewer (quick) all" in text_of(out)
    study = tmp_path / "study_of_one" / "study.toml"
    study.write_text(study.read_text(encoding="utf-8").replace("seed = 16", "seed = 3", 1), encoding="utf-8")
    (same / "claims.csv").write_text((same / "claims.csv").read_text().replace("0.651", "0.751"))
    done = CliRunner().invoke(cli, ["compare", str(one), str(same), "--out", str(out), "--force"])
    assert "one: its study file has changed since the run" in done.stderr
    assert "same: claims.csv is not what its run wrote" in done.stderr
    assert "its study file has changed since the run" in text_of(out)
    shutil.rmtree(tmp_path / "study_of_one")
    done = CliRunner().invoke(cli, ["compare", str(one), str(same), "--out", str(out), "--force"])
    assert "one: its study file cannot be read (there is no study here)" in done.stderr
    assert "Fewer than two study files can be read" in text_of(out)


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--out", "page.txt"], "no .html file"), (["--out", "there.html"], "the file exists")]
)
def test_bad_input_writes_nothing(arguments, said, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.html").write_text("mine")
    done = CliRunner().invoke(cli, ["compare", *map(str, two), *arguments])
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert (tmp_path / "there.html").read_text() == "mine"
    assert not (tmp_path / "page.txt").exists()


def test_keys_of_nested_tables():
    content = {
        "study": {"seed": 1},
        "model": [{"name": "a", "errors": "iid"}, {"kind": "twfe"}],
        "claims": {"grid": [1, 2]},
    }
    assert dict(flattened(content)) == {
        "study.seed": "1",
        "model[a].errors": "iid",
        "model[a]": "declared",
        "model[2].kind": "twfe",
        "model[2]": "declared",
        "claims.grid": "(1, 2)",
    }


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_narrow(width, two, tmp_path):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    out = tmp_path / "comparison.html"
    CliRunner().invoke(cli, ["compare", *map(str, two), "--out", str(out)], catch_exceptions=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(out.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        browser.close()
    assert found.violations_count == 0, found.generate_report()
