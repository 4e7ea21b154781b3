"""`__main__`: an interrupt before the command line has loaded, and after it has ended."""

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SIGNALS = [pytest.param(signal.SIGINT, 130, id="SIGINT"), pytest.param(signal.SIGTERM, 143, id="SIGTERM")]
HALF_LOADED = """import builtins, os, signal
import bayes_npp.__main__ as entry
own = builtins.__import__
def meets_a_signal(name, *given, **more):
    if name == {module!r}:
        os.kill(os.getpid(), {number})
    return own(name, *given, **more)
builtins.__import__ = meets_a_signal
entry.main()
"""
INSIDE_EXEC = """import os, signal
import bayes_npp.__main__ as entry
import bayes_npp.study.study as study
def load(_):
    exec("os.kill(os.getpid(), signal.SIGINT); signal.pause()", globals())
study.load_study = load
import sys
sys.argv = ["bayes-npp", "check", "."]
entry.main()
"""


def ended(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("module", ["bayes_npp.cli", "click"])
def test_a_signal_while_the_command_line_loads(module, number, code):
    text = HALF_LOADED.format(module=module, number=int(number))
    assert ended(text) == (code, "", "interrupted\n")


def test_python_that_an_interrupt_ended_inside_exec_still_leaves_by_130():
    """CPython notes an interrupt of `exec`, and kills itself by SIGINT at its end although it was caught."""
    code, out, err = ended(INSIDE_EXEC)
    assert (code, out) == (130, "")
    assert err.strip() == "interrupted: finished fits are kept, run again to go on"


def test_the_entry_point_loads_next_to_nothing_before_it_listens():
    code = "import sys; before = set(sys.modules); import bayes_npp.__main__; print(*set(sys.modules) - before)"
    loaded = set(ended(code)[1].split())
    assert {name for name in loaded if name.startswith("bayes_npp")} == {"bayes_npp", "bayes_npp.__main__"}
    assert not loaded & {"click", "typing", "re", "inspect", "pandas"}
    assert 'bayes-npp = "bayes_npp.__main__:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
