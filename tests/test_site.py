"""The documentation's tools: pages written from results are of today; checks find what they are for."""

import re
import sys
import tomllib

import pytest

import bayes_npp as bn
from tests.conftest import ROOT

sys.path.append(str(ROOT / "tools"))

import check_site
import generated_pages
import quoted_numbers

ZENSICAL = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]


def test_pages_from_results_are_of_today():
    stale = sorted(path.relative_to(ROOT).as_posix() for path in generated_pages.stale())
    assert stale == [], "run `make pages`"


def test_a_number_that_moved_is_written_anew():
    page = "p = <!--=reports/digital_trade/claims.csv#H1/frequentist_p|.3f-->9.999<!--=-->."
    value = quoted_numbers.value("reports/digital_trade/claims.csv", "H1/frequentist_p")
    assert f"-->{value:.3f}<!--=-->." in quoted_numbers.written_anew(page)
    with pytest.raises(KeyError):
        quoted_numbers.written_anew(page.replace("H1/", "H99/"))


def test_every_verdict_has_its_chinese_words():
    from bayes_npp.claims.verdicts import VERDICTS

    assert set(VERDICTS) <= set(quoted_numbers.WORDS)


def test_every_public_name_has_its_place_in_the_reference():
    named = re.findall(r"^::: (bayes_npp[\w.]+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    public = {f"bayes_npp.{home}.{name}" for name, home in bn._HOME.items()} - {"bayes_npp.panels.datasets.datasets"}
    assert sorted(named) == sorted({*public, "bayes_npp.panels.datasets"})


def test_every_estimator_has_its_evidence():
    known = tomllib.loads((ROOT / "tools" / "evidence.toml").read_text(encoding="utf-8"))
    named = {name for entry in known["estimator"] for name in entry["names"]}
    no_estimator = {"Balance", "BayesNppError", "Estimates", "Fit", "Panel", "PanelWarning", "Spec", "Study", "compare"}
    no_estimator |= {"datasets", "derive", "load_study", "read_panel", "run_study", "table"}
    no_estimator |= {"simulate", "simulate_dynamic", "simulate_mediation"}
    assert named == set(bn._HOME) - no_estimator
    for entry in known["estimator"]:
        for test in entry["tests"]:
            assert (ROOT / test).exists(), test
        for simulation in entry.get("simulations", []):
            assert (ROOT / "benchmarks" / f"{simulation}.json").exists(), simulation


def test_every_golden_file_is_counted():
    data = {"abdata.csv", "darfur.csv", "eight_schools.csv", "jobs.csv", "produc.csv", "radon.csv", "sleepstudy.csv"}
    there = {path.name for path in (ROOT / "tests" / "reference").iterdir()}
    there -= {"README.md", "run_0_1", "bayes_sleepstudy_rstanarm_priors.txt", *data}
    assert there == set(generated_pages.GOLDEN)


def test_every_page_is_in_the_navigation():
    def targets(entries):
        for entry in entries:
            yield from (
                [entry]
                if isinstance(entry, str)
                else targets(
                    item for value in entry.values() for item in (value if isinstance(value, list) else [value])
                )
            )

    listed = set(targets(ZENSICAL["nav"]))
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    notebooks = {
        path.with_suffix(".md").relative_to(ROOT).as_posix() for path in (ROOT / "examples" / "notebooks").glob("*.py")
    }
    assert there | notebooks <= listed
    assert len(notebooks) == 5
    assert {name for name in listed - notebooks if not (ROOT / name).exists()} == set()


def test_links_resources_and_anchors_that_are_wrong_are_found(tmp_path):
    (tmp_path / "index.html").write_text(
        '<a href="other.html#there">a</a><a href="other.html#gone">b</a><a href="gone.html">c</a>'
        '<img src="https://elsewhere.org/x.png"><script src="//elsewhere.org/x.js"></script>'
        '<a href="https://elsewhere.org">a link that nobody loads</a><link rel="stylesheet" href="x.css">'
    )
    (tmp_path / "other.html").write_text('<h1 id="there">there</h1>')
    (tmp_path / "x.css").write_text("@font-face { src: url(https://elsewhere.org/font.woff) }")
    found = "\n".join(check_site.problems(tmp_path))
    assert [len(re.findall(why, found)) for why in ("no such anchor", "no such file", "from elsewhere")] == [1, 1, 3]
    for wrong in (
        "#gone: no such anchor",
        "gone.html: no such file",
        "x.png: loaded",
        "x.js: loaded",
        "x.css: a style",
    ):
        assert wrong in found
    for path in ("index.html", "x.css"):
        (tmp_path / path).unlink()
    assert check_site.problems(tmp_path) == []


def test_outputs_agree_up_to_what_samplers_leave_open():
    from code_blocks import agree

    assert agree("slope 0.316 [0.198, 0.432]", "slope   0.317 [0.197, 0.432]")
    assert not agree("slope 0.316", "slope 0.416")
    assert not agree("slope 0.316", "slope of 0.316")
    assert not agree("failed 3 of 4 checks", "failed 4 of 4 checks")
    assert not agree("0.31 0.32", "0.31")
    assert not agree("0.30", "-0.30")


def test_a_fragment_replaces_what_has_its_name_and_keeps_the_rest():
    from code_blocks import laid_over

    study = {"roles": {"outcome": "y", "exposure": "x"}, "model": [{"name": "a", "kind": "twfe"}, {"name": "b"}]}
    whole = laid_over(study, {"roles": {"exposure": "z"}, "model": [{"name": "a", "kind": "cce"}]})
    assert whole == {"roles": {"outcome": "y", "exposure": "z"}, "model": [{"name": "b"}, {"name": "a", "kind": "cce"}]}
