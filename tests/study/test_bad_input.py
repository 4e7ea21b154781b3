"""Malformed panels and studies through the real command line: one line, exit code 2, nothing left behind."""

import subprocess
import sys

import pytest

from bayes_npp import cli
from tests.study.bad_input import BAD, HIERARCHICAL, PRIORS, add, text, toml, write_base


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    write_base(folder)
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line in this process: exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["bayes-npp", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, *capsys.readouterr()

    return run


def check_error(line, words):
    assert line.startswith("error: ")
    assert "Traceback" not in line
    missing = [word for word in words if word not in line]
    assert not missing, line


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_base_study_is_valid(study, command):
    code, out, err = command("check", study)
    assert (code, err) == (0, "")
    assert "30 rows, 6 units, 5 periods, balanced" in out


def test_base_priors_are_valid(study, command):
    add(HIERARCHICAL.format("mine.toml"))(study)
    study.joinpath("mine.toml").write_text(PRIORS, encoding="utf-8")
    code, out, err = command("check", study)
    assert (code, err) == (0, "")
    assert "priors: mine" in out


def test_odd_names_and_byte_order_marks_are_read(study, command):
    """A column called as Python calls an object, a lag's name where there are no lags, files of Windows editors."""
    toml('"ln_trade"', '"self"')(study)
    toml('["density"]', '["L1.area"]')(study)
    text(lambda content: content.replace("density", "L1.area", 1))(study)
    text(lambda content: content + HIERARCHICAL.format("mine.toml"), "study.toml")(study)
    study.joinpath("mine.toml").write_text(PRIORS, encoding="utf-8-sig")
    code, out, err = command("check", study)
    assert (code, err) == (0, "")
    assert "priors: mine" in out


@pytest.mark.parametrize(("edit", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(study, command, monkeypatch, edit, words):
    edit(study)
    before = files(study.parent)
    # Without this module nothing can be estimated: the error must come before it is imported.
    monkeypatch.setitem(sys.modules, "bayes_npp.pipeline", None)
    code, out, err = command("run", study, "--out", study.parent / "out")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    check_error(err, words)
    assert files(study.parent) == before


@pytest.mark.parametrize("case", ["damaged Excel", "standardised blank"])
def test_own_process_says_one_line_too(study, case):
    edit, words = BAD[case]
    edit(study)
    command = [sys.executable, "-m", "bayes_npp", "run", study, "--out", study.parent / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    check_error(done.stderr, words)
    assert not study.parent.joinpath("out").exists()
