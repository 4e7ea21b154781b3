"""-v and --quiet: how much a command says, and that failures are always heard."""

import pytest
from click.testing import CliRunner

from bayes_npp.cli import cli
from bayes_npp.errors import BayesNppError
from tests.conftest import TINY


def test_quiet_leaves_out_notes_and_verbose_times_them():
    told = CliRunner().invoke(cli, ["fit", str(TINY), "plain"])
    timed = CliRunner().invoke(cli, ["fit", str(TINY), "plain", "-v"])
    quiet = CliRunner().invoke(cli, ["fit", str(TINY), "plain", "--quiet"])
    assert told.exit_code == timed.exit_code == quiet.exit_code == 0
    assert told.stdout == timed.stdout == quiet.stdout
    assert len(quiet.stderr) <= len(told.stderr) <= len(timed.stderr)


def test_one_of_the_two():
    done = CliRunner().invoke(cli, ["report", "out", "-v", "--quiet"])
    assert isinstance(done.exception, BayesNppError)
    assert "exclude" in str(done.exception)


@pytest.mark.parametrize("command", ["run", "fit", "sensitivity", "report"])
def test_commands_that_take_time_have_both(command):
    text = CliRunner().invoke(cli, [command, "--help"]).output
    assert "--quiet" in text
    assert "--verbose" in text
