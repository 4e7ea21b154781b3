"""What the documents say is there is there: files, modules, public names, links, commands; the README's lines run."""

import contextlib
import io
import re
import tomllib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.analysis import estimation
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.bayesian.model import error_models
from bayes_npp.bayesian.priors.sets import check_priors, load_priors
from bayes_npp.cli import cli
from bayes_npp.panels import transforms
from bayes_npp.panels.transforms import TRANSFORMS
from bayes_npp.store import VERIFIED, read_sealed_json
from bayes_npp.study import models
from bayes_npp.study.models import MODEL_RECORDS
from bayes_npp.study.study import TABLES
from tests.conftest import ROOT, TINY

ALL = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*.md"))}
ALL |= {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/**/*.md"))
}
# The changelog names old paths on purpose.
CURRENT = {name: text for name, text in ALL.items() if name != "CHANGELOG.md"}
FOLDERS = "bayes_npp|benchmarks|data|docs|examples|models|reports|tests|tools"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Files that the worked examples of CONTRIBUTING.md would add.
EXAMPLES = {"bayes_npp/frequentist/least_squares/between.py", "tests/frequentist/least_squares/test_between.py"}


def blocks(name, language):
    return [body for kind, body in FENCE.findall(ALL[name]) if kind == language]


def prose(text):
    return FENCE.sub("", text)


def anchors(text):
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_documents_of_the_contract_are_there():
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/statistics.md"} <= set(ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_links_resolve(name):
    for target in LINK.findall(prose(ALL[name])):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", sorted(CURRENT))
def test_files_and_folders_named_exist(name):
    named = re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*\w/?)", CURRENT[name])
    missing = {path for path in named if not (ROOT / path).exists()}
    assert missing == (EXAMPLES if name == "CONTRIBUTING.md" else set())


@pytest.mark.parametrize("name", sorted(CURRENT))
def test_modules_and_public_names_exist(name):
    text = re.sub(r"^::: .+$", "", CURRENT[name], flags=re.MULTILINE)  # objects: tests/test_site.py
    for dotted in re.findall(r"\bbayes_npp((?:\.\w+)+)", text):
        path = ROOT / "bayes_npp" / dotted.strip(".").replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), dotted
    for public in re.findall(r"\bbn\.([A-Za-z]\w*)", CURRENT[name]):
        assert public in bn.__all__, public


def test_new_places_of_the_changelog_exist():
    rows = re.findall(r"^  \| (`bayes_npp.+?) \| (.+) \|$", ALL["CHANGELOG.md"], re.MULTILINE)
    assert len(rows) > 20
    for _, new in rows:
        home = ROOT / "bayes_npp"
        for dotted in re.findall(r"`((?:bayes_npp)?\.[\w.*]+|bayes_npp[\w.*]+)`", new):
            if dotted.startswith("bayes_npp"):
                path = ROOT / dotted.removesuffix(".*").replace(".", "/")
                home = path.parent
            else:
                path = home / dotted.strip(".")
            assert path.is_dir() or path.with_suffix(".py").is_file(), dotted


def test_every_section_of_statistics_names_its_tests():
    sections = re.split(r"^### ", ALL["docs/statistics.md"].split("## Sources")[0], flags=re.MULTILINE)[1:]
    assert len(sections) > 25
    for section in sections:
        if not section.startswith("1.1 "):
            assert re.search(r"^Tests: tests/\w", section, re.MULTILINE), section.splitlines()[0]


def test_sources_of_statistics_are_cited_and_citations_listed():
    body, _, listed = ALL["docs/statistics.md"].partition("## Sources")
    body = " ".join(body.split())
    sources = {
        (entry, *re.match(r"(?:de )?([^\W\d][\w -]+), .*?\((\d{4})\)", entry).groups())
        for entry in re.findall(r"^- (.+)", listed, re.MULTILINE)
    }
    assert len(sources) > 40
    cited = set()
    for year in re.finditer(r"\b(?:19|20)\d\d\b", body):
        before = body[max(0, year.start() - 75) : year.start()]
        found = {source for source in sources if source[2] == year[0] and source[1] in before}
        assert found, body[max(0, year.start() - 75) : year.end()]
        cited |= found
    assert sources - cited == set()


def test_sections_that_docstrings_cite_exist():
    numbers = set(re.findall(r"^##+ (\d+(?:\.\d+)?)", ALL["docs/statistics.md"], re.MULTILINE))
    cited = set()
    for path in (ROOT / "bayes_npp").rglob("*.py"):
        for group in re.findall(
            r"docs/statistics\.md,\s+sections?\s+([\d.]+(?:(?:,| and)\s+[\d.]+)*)", path.read_text()
        ):
            cited |= {number.rstrip(".") for number in re.findall(r"[\d.]+", group)}
    assert len(cited) > 5
    assert cited - numbers == set()


@pytest.mark.parametrize("name", sorted(CURRENT))
def test_commands_named_exist(name):
    for verb in re.findall(r"^bayes-npp (\w+)", "\n".join(blocks(name, "bash")), re.MULTILINE):
        assert verb in cli.commands, verb
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:^|`)make ([a-z][\w-]*)", CURRENT[name], re.MULTILINE):
        assert target in targets, target


@pytest.mark.parametrize("name", sorted(CURRENT))
def test_every_block_says_what_it_is(name):
    """What runs them goes by their language (tools/code_blocks.py)."""
    assert {kind for kind, _ in FENCE.findall(CURRENT[name])} <= {"python", "bash", "toml", "text"}


def test_readme_has_the_two_commands():
    assert {"make reanalyse", "make test"} <= {
        line.split("  ")[0] for line in blocks("README.md", "bash")[0].splitlines()
    }


def test_your_study_names_every_table_kind_and_transform():
    text = ALL["docs/your_study.md"]
    for known in (TABLES, MODEL_RECORDS, TRANSFORMS):
        assert [key for key in known if not re.search(rf"[`\[]{key}[`\]]", text)] == []
    help_text = CliRunner().invoke(cli, ["run", "--help"]).output
    assert [option for option in re.findall(r"`(--[\w-]+)`", text) if option not in help_text] == []


def test_keys_of_the_kinds_of_models_are_theirs():
    table = ALL["docs/your_study.md"].partition("## Kinds")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| [^|]+ \| (.+) \|$", table.partition("|---|")[2], re.MULTILINE)
    for kinds, keys in rows:
        for kind in re.findall(r"`(\w+)`", kinds):
            fields = MODEL_RECORDS[kind].model_fields
            assert [key for key in re.findall(r"`(\w+)`", keys) if key not in fields] == [], kind
    assert {kind for kinds, _ in rows for kind in re.findall(r"`(\w+)`", kinds)} == set(MODEL_RECORDS)


def test_hooks_are_what_make_check_runs():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^\s*(?:- )?repo: (.+)$", text, re.MULTILINE) == ["local"]
    assert re.findall(r"^\s*entry: (.+)$", text, re.MULTILINE) == ["make check"]


def test_version_has_its_changes():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(r"^## (.+)$", ALL["CHANGELOG.md"], re.MULTILINE)
    assert any(re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", heading) for heading in headings), headings


def example_of_the_guide(word, *modules, **more):
    """Names that a code block of CONTRIBUTING.md leaves behind where it would stand in those modules."""
    (example,) = (block for block in blocks("CONTRIBUTING.md", "python") if word in block)
    names = {name: value for module in modules for name, value in vars(module).items()} | more
    exec(compile(example, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_transform_of_the_guide_works(monkeypatch):
    monkeypatch.setattr(transforms, "TRANSFORMS", dict(TRANSFORMS))
    example_of_the_guide("Transform", transforms)
    frame = pd.DataFrame({"unit": ["a"] * 4, "time": [1, 2, 4, 5], "x": [1.0, 4.0, 9.0, 16.0]})
    panel = bn.derive(bn.read_panel(frame, unit="unit", time="time"), [{"name": "growth", "change": "x"}])
    np.testing.assert_array_equal(panel.frame["growth"], [np.nan, 3.0, np.nan, 7.0])


def test_the_estimator_of_the_guide_works():
    names = example_of_the_guide("BetweenModel", models, estimation, between=bn.twfe)
    study = bn.load_study(TINY)
    model = names["BetweenModel"](name="between", kind="between")
    found = names["_between"](study.sample, model, RunSettings(study="tiny", seed=1))
    expected = bn.twfe(study.panel, model.spec(study.roles), covariance="classical")
    pd.testing.assert_frame_equal(found.table.frame, expected.frame)


def test_the_error_model_of_the_guide_works(monkeypatch):
    monkeypatch.setattr(error_models, "ERROR_MODELS", dict(error_models.ERROR_MODELS))
    example_of_the_guide("ErrorModel", error_models)
    spec = bn.Spec(outcome="y", exposure="x", errors="ar1+trend_scale")
    base, _, part = error_models.parts(spec.errors)
    assert (set(base.priors), set(part.priors)) == ({"error_sd"}, {"scale_trend"})
    data = SimpleNamespace(design=SimpleNamespace(time=np.arange(3)))
    factor = part.scale.rows({"scale_trend": np.array([0.0, 0.5])}, data)
    np.testing.assert_allclose(factor, np.exp([[0, 0, 0], [0, 0.5, 1]]))
    with pytest.raises(bn.BayesNppError, match="scale_trend"):
        check_priors(load_priors("weakly_informative"), spec)


def test_lines_of_the_readme_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    (script,) = blocks("README.md", "python")
    assert len([line for line in script.splitlines() if line]) <= 10
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "README.md", "exec"), {})
    text = out.getvalue()
    # What the README says of them.
    east = re.search(r"East +(\S+) +\S+ +(\S+)", text)
    assert east is not None
    assert float(east[2]) > 0
    assert "serial correlation: failed" in text
    assert text.rstrip().endswith("sampler: passed")


def test_the_snapshot_names_its_study_from_where_it_lies():
    """The run may have been anywhere; the copy is sealed anew and holds no path of a machine."""
    folder = ROOT / "reports" / "digital_trade"
    manifest, sealed = read_sealed_json(folder / "manifest.json")
    assert sealed == VERIFIED
    assert (folder / manifest["study_file"]).resolve() == ROOT / "models" / "digital_trade" / "study.toml"
    assert manifest["study_file"].count("..") == 2
