"""The benchmark: its parts load, what is kept is of today's code, the page is that of the results."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEED = [
    {"model": "bayes_npp: weighted points", "wall seconds": 0.2, "a second of sampling": 900.0},
    {"model": "lme4 (REML point estimate, no posterior)", "wall seconds": 0.05},
    {"model": "bambi + nutpie", "does not run": "ImportError: no bambi"},
]


@pytest.fixture
def benchmark(monkeypatch):
    """The modules of benchmarks/, importable as its scripts import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    before = set(sys.modules)
    import run

    yield run
    for name in set(sys.modules) - before:
        if "benchmarks" in (getattr(sys.modules[name], "__file__", "") or ""):
            del sys.modules[name]


def test_a_part_is_run_again_where_its_code_is_another(benchmark, monkeypatch, tmp_path):
    import bench_page
    import bench_records

    ran = []

    def part(small):
        ran.append(small)
        return [{"model": "one", "wall seconds": 1.0}]

    part.__module__ = benchmark.__name__
    monkeypatch.setattr(benchmark, "PARTS", {"grid": part})
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(bench_page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(bench_page, "ratios", lambda parts: [])
    benchmark.main([])
    benchmark.main([])
    assert ran == [False]
    made = bench_records.made_by
    monkeypatch.setattr(bench_records, "made_by", lambda *roots: {**made(*roots), "source code": "0" * 64})
    benchmark.main([])
    benchmark.main(["--small"])
    assert ran == [False, False, True]
    record = json.loads((tmp_path / "results.json").read_text())["parts"]["grid"]
    assert record["made by"]["package"] == "0" * 16
    assert record["rows"] == [{"model": "one", "wall seconds": 1.0}]
    assert "## A thousand priors" in (tmp_path / "page.md").read_text()


def test_ratios_say_what_was_missed_and_what_was_not_measured(benchmark):
    from ratios import ratios

    rows = {row["what"]: row for row in ratios({"speed": SPEED})}
    lme4 = rows["default model, whole fit / lme4's REML"]
    assert (lme4["target"], lme4["measured"], lme4["met"]) == ("at most 5", "4", "yes")
    assert rows["effective draws a second of sampling / bambi + nutpie's"]["measured"] == "not measured"
    grid = ratios({"grid": [{"grid, seconds": 12.0}]})
    assert next(row for row in grid if "1,000 priors" in row["what"])["met"] == "no, by 20 %"


def test_errors_of_peers_carry_no_folder_of_a_machine(benchmark):
    from other_software import last_words

    assert last_words("Error in x\n  no file /home/me/env/lib/a.py\nExecution halted\n") == "no file a.py"


def test_the_committed_page_is_that_of_the_results(benchmark):
    import bench_page

    results = ROOT / "benchmarks" / "results.json"
    content = json.loads(results.read_text(encoding="utf-8"))
    page = bench_page.page(content)
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == page
    assert set(content["parts"]) <= set(benchmark.PARTS) == set(bench_page.TITLES)
    assert not re.search(r"(?<!\w)/(home|root|tmp|work|usr)/", page + results.read_text(encoding="utf-8"))
