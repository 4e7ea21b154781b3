"""Commands with which one starts, `commands.starting`; interrupts are listened to where they can be."""

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
