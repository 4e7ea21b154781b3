"""A report of kept results computes nothing, is the same in every file, and trusts only what was made from the same."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import bayes_npp as bn
from bayes_npp import pipeline
from bayes_npp.analysis.kept_results import NAME
from bayes_npp.analysis.made_from import closure
from tests.conftest import TINY

KEPT = Path("fits") / NAME


class ComputedError(Exception):
    """Something was computed."""


@pytest.fixture
def again(tiny_run, tmp_path, monkeypatch):
    """A copy of a run's folder, written again where nothing may be computed; the lines that it said."""
    out = tmp_path / "out"
    shutil.copytree(tiny_run.out, out)

    def compute(*_):
        raise ComputedError

    monkeypatch.setattr(pipeline, "compute", compute)

    def run(study=None, **changes):
        said = []
        options = {"quick": True, "seed": 1, "progress": said.append, "stored_only": True} | changes
        try:
            result = bn.run_study(study or bn.load_study(TINY), out, **options)
        except ComputedError:
            return None, said
        return result, said

    return out, run


def files(folder):
    ending = {".csv", ".tex", ".svg", ".png", ".md", ".html"}
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.suffix in ending}


def test_every_file_is_the_same(tiny_run, again):
    out, run = again
    for path in files(out):
        (out / path).unlink()
    result, _ = run()
    assert files(out) == files(tiny_run.out)
    assert result.failures == tiny_run.failures
    assert all(record.reused for record in result.every_fit)


def test_a_changed_byte_of_a_fit_is_found(again):
    out, run = again
    path = sorted((out / "fits").glob("*.nc"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result, said = run()
    assert result is None
    assert any(NAME in line and path.name in line for line in said), said


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_results_are_made_again_with_a_word(again, damage):
    out, run = again
    content = (out / KEPT).read_bytes()
    if damage == "gone":
        (out / KEPT).unlink()
    else:
        (out / KEPT).write_bytes(content[:-100] if damage == "cut" else content.replace(b"1", b"2", 1))
    result, said = run()
    assert result is None
    assert damage == "gone" or any(NAME in line for line in said), said


def test_results_of_something_else_are_not_used(again):
    study = bn.load_study(TINY)
    header = study.header.model_copy(update={"title": "another"})
    for changes in ({"seed": 2}, {"quick": False}, {"study": replace(study, header=header)}):
        result, said = again[1](**changes)
        assert result is None
        assert any(f"{NAME} is stale" in line for line in said), said


def test_a_run_computes_in_any_case(again):
    assert again[1](stored_only=False)[0] is None


def test_reports_are_not_behind_results():
    found = closure((pipeline.__name__,))
    assert {name for name in found if ".reporting." in name} == {"bayes_npp.reporting.base.result"}
    assert "bayes_npp.claims.answer" in found
