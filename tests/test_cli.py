"""The command line from outside: speed by what is imported, exit codes, outputs of each verb.

`__main__` is run in the tests of bad input and of the wheel.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from bayes_npp import cli
from tests.conftest import ROOT

HEAVY = ("pymc", "arviz", "arviz_stats", "linearmodels", "nutpie", "matplotlib", "xarray", "scipy")


def bayes_npp(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bayes-npp", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


def imported_by(*arguments):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr))\n"
        "from bayes_npp.cli import main\n"
        f"sys.argv = ['bayes-npp', *{list(arguments)!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split("MODULES")[1].split())


def test_help_imports_nothing_heavy():
    out, modules = imported_by("--help")
    assert "Exit codes" in out
    assert not modules & {*HEAVY, "pandas", "numpy", "pydantic"}


def test_check_imports_only_pandas_of_the_heavy_libraries():
    out, modules = imported_by("check")
    assert "270 rows, 30 units, 9 periods, balanced" in out
    assert "software, Qinghai 2021" in out
    assert "pandas" in modules
    assert not modules & set(HEAVY)


def test_version(capsys, monkeypatch):
    code, out, _ = bayes_npp(capsys, monkeypatch, "--version")
    assert (code, "0.1.0" in out) == (0, True)


def test_without_a_study_in_the_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = bayes_npp(capsys, monkeypatch, "run")
    assert code == 2
    assert err.startswith("error: no study given")
    assert list(tmp_path.iterdir()) == []


def test_fit_prints_one_model(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, out, _ = bayes_npp(capsys, monkeypatch, "fit", "models/digital_trade", "twfe")
    frame = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert frame["estimate"].iloc[0] == pytest.approx(0.316, abs=5e-4)


def test_fit_of_an_unknown_model_names_the_nearest(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, _, err = bayes_npp(capsys, monkeypatch, "fit", "models/digital_trade", "region")
    assert code == 2
    assert "'regions'" in err


def test_a_folder_of_other_files_is_not_written_into(capsys, monkeypatch, tmp_path):
    tiny, published = ROOT / "tests" / "studies" / "tiny", ROOT / "models" / "digital_trade" / "published.csv"
    (tmp_path / "thesis.docx").write_text("mine", encoding="utf-8")
    for command in (("run", tiny), ("audit", published)):
        code, _, err = bayes_npp(capsys, monkeypatch, *command, "--out", tmp_path)
        assert (code, "'thesis.docx'" in err, "--force" in err) == (2, True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
    assert bayes_npp(capsys, monkeypatch, "audit", published, "--out", tmp_path, "--force")[0] == 0
    assert bayes_npp(capsys, monkeypatch, "audit", published, "--out", tmp_path)[0] == 0  # now it is ours
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".gitkeep").touch()
    assert bayes_npp(capsys, monkeypatch, "audit", published, "--out", tmp_path / "new")[0] == 0


def test_simulate_writes_over_nothing(capsys, monkeypatch, tmp_path):
    out, truth = tmp_path / "panel.csv", tmp_path / "panel.truth.json"
    for existing in (out, truth):
        existing.write_text("mine", encoding="utf-8")
        code, _, err = bayes_npp(capsys, monkeypatch, "simulate", out)
        assert (code, existing.name in err) == (2, True)
        assert existing.read_text(encoding="utf-8") == "mine"
        assert bayes_npp(capsys, monkeypatch, "simulate", out, "--force")[0] == 0
        assert existing.read_text(encoding="utf-8") != "mine"
        out.unlink()
        truth.unlink()


def test_simulate_writes_panel_and_truth(capsys, monkeypatch, tmp_path):
    out = tmp_path / "panel.csv"
    code, _, _ = bayes_npp(capsys, monkeypatch, "simulate", out, "--slope", "a=0.5", "--slope", "b=-0.1", "--seed", 3)
    assert code == 0
    assert json.loads((tmp_path / "panel.truth.json").read_text())["slopes"] == {"a": 0.5, "b": -0.1}
    assert set(pd.read_csv(out)["group"]) == {"a", "b"}
    code, _, err = bayes_npp(capsys, monkeypatch, "simulate", tmp_path / "x.csv", "--slope", "a:0.5")
    assert (code, "GROUP=VALUE" in err, (tmp_path / "x.csv").exists()) == (2, True, False)


def test_an_output_that_cannot_be_written_is_exit_code_4(capsys, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code, _, err = bayes_npp(capsys, monkeypatch, "simulate", blocked / "panel.csv")
    assert code == 4
    assert err.startswith("error: ")
    assert blocked.read_text() == "not a folder"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("becomes", [None, ImportError, RuntimeError])
def test_a_signal_is_one_line_and_its_exit_code(capsys, monkeypatch, number, code, becomes):
    """Also where a module that is loading turns it into an error of its own."""

    def meets_a_signal(_):
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except KeyboardInterrupt:
            raise becomes("half loaded") if becomes else KeyboardInterrupt from None

    monkeypatch.setattr("bayes_npp.study.study.load_study", meets_a_signal)
    before = signal.getsignal(number)
    found, out, err = bayes_npp(capsys, monkeypatch, "check", ROOT / "models" / "digital_trade")
    assert (found, out) == (code, "")
    assert err.strip() == "interrupted: finished fits are kept, run again to go on"
    assert signal.getsignal(number) is before


def test_the_end_of_a_file_is_no_interrupt(monkeypatch):
    def at_its_end(_):
        raise EOFError("Ran out of input")

    monkeypatch.setattr("bayes_npp.study.study.load_study", at_its_end)
    monkeypatch.setattr(sys, "argv", ["bayes-npp", "check", str(ROOT / "models" / "digital_trade")])
    with pytest.raises(EOFError):
        cli.main()


def test_exit_3_names_the_fit_that_failed(capsys, monkeypatch, tmp_path):
    """Also where it is a neighbour, and every declared model passed."""
    fits = {"fits": (), "mechanisms": (), "ledger": None}
    for failures, expected in (((), 0), (("m--errors-ar1: sampler diagnostics failed: largest R-hat 1.2",), 3)):
        ended = SimpleNamespace(**fits, failures=failures)
        monkeypatch.setattr("bayes_npp.pipeline.run_study", lambda *_, own=ended, **__: own)
        code, _, err = bayes_npp(capsys, monkeypatch, "run", ROOT / "tests" / "studies" / "tiny", "--out", tmp_path)
        assert code == expected
        assert [line for line in err.splitlines() if line.startswith("failed: ")] == [f"failed: {f}" for f in failures]
