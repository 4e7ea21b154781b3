"""Commands with which one starts, `commands.starting`, `commands.diagnosis`; where interrupts are listened to."""

import threading
import tomllib

from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from bayes_npp.commands.interrupts import listening
from bayes_npp.study.starting import examples
from tests.conftest import TINY


def test_only_the_main_thread_listens():
    heard = []

    def inside():
        with listening() as received:
            heard.append(received)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert heard == [[]]


def test_command_line(tmp_path):
    done = CliRunner().invoke(cli, ["new", str(tmp_path / "s"), str(TINY / "panel.csv"), "--controls", "control_1"])
    assert done.exit_code == 0, done.output
    assert "guessed: unit = unit" in done.stderr
    assert tomllib.loads((tmp_path / "s" / "study.toml").read_text())["roles"]["controls"] == ["control_1"]
    for arguments in (
        ["new", "x"],
        ["new", "x", "y", "--example", "fiscal_tfp"],
        ["new", str(tmp_path / "n"), "--example", "no"],
    ):
        assert isinstance(CliRunner().invoke(cli, arguments).exception, bn.BayesNppError)
    assert sorted(examples()) == ["digital_trade", "fiscal_tfp"]


def test_doctor_fits_a_model_and_says_what_is_installed():
    """`commands.diagnosis`."""
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "ok: a fit: importance" in done.output
    assert "ok: libraries: bayes-npp" in done.output


def test_schema_is_printed():
    import json

    done = CliRunner().invoke(cli, ["schema"])
    assert json.loads(done.output)["title"] == "A study of bayes_npp"
    assert CliRunner().invoke(cli, ["schema", "--markdown"]).output.startswith("# Every key")
