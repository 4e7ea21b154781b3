"""The box of slow tests, on small files of their own: what fits, a second attempt, the order, ten minutes at most."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.slow_box import MINUTES, MOST, SECOND, rotated

HEAD = "import os, pathlib, time\nimport pytest\n"
WORKERS = [
    pytest.param((), id="alone"),
    pytest.param(("-n", "2"), id="two workers", marks=pytest.mark.slow(minutes=1)),
]
INI = "[pytest]\nmarkers =\n    slow: a test\n"


@pytest.fixture
def lane(tmp_path):
    """Run pytest on the text of a test file; exit code and output."""

    def run(text, *options):
        (tmp_path / "pytest.ini").write_text(INI)
        (tmp_path / "test_made.py").write_text(HEAD + text)
        plugins = ("-p", "tests.slow_box", "-p", "xdist", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", *plugins, "-rs", *options]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=False,
        )
        return done.returncode, done.stdout

    return run


SLOW_ENOUGH = """
@pytest.mark.slow(minutes=0.5)
def test_short(): pass

@pytest.mark.slow(minutes=5)
def test_long(): raise AssertionError("it ran")

@pytest.mark.slow
def test_unsaid(): raise AssertionError("it ran")

def test_fast(): pass
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_what_no_longer_fits_is_skipped_and_counted(lane, workers):
    code, out = lane(SLOW_ENOUGH, "--slow-box", "1", *workers)
    assert code == 0
    assert "2 passed, 2 skipped" in out
    assert "box full: 2 slow tests did not fit into 1 minutes" in out
    assert MINUTES > 1


@pytest.mark.slow(minutes=1)
def test_without_a_box_everything_runs(lane):
    code, out = lane(SLOW_ENOUGH)
    assert code == 1
    assert "2 failed, 2 passed" in out
    assert "box full" not in out


AGAIN = f"""
@pytest.mark.slow
def test_unlucky(seed):
    assert seed == {SECOND}

def test_fast(seed):
    assert seed == 0
"""
BROKEN = """
seen = pathlib.Path("seen")

@pytest.mark.slow
def test_broken(seed, tmp_path):
    with seen.open("a") as file: file.write(f"{seed} {len(list(tmp_path.iterdir()))}\\n")
    (tmp_path / "left").touch()
    raise AssertionError("twice")

def test_fast_tests_get_one_attempt(seed):
    with seen.open("a") as file: file.write("fast\\n")
    raise AssertionError("once")
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_slow_test_that_fails_runs_once_more_with_other_seeds(lane, workers):
    code, out = lane(AGAIN, *workers)
    assert code == 0
    assert "2 passed" in out
    assert "passed at its second attempt: test_made.py::test_unlucky" in out


def test_failing_twice_fails_the_run(lane, tmp_path):
    code, out = lane(BROKEN)
    assert code == 1
    assert "2 failed" in out
    assert (tmp_path / "seen").read_text().splitlines() == ["0 0", f"{SECOND} 0", "fast"]


def test_the_commit_rotates_the_order(lane, tmp_path):
    text = "".join(f"def test_{name}(): pathlib.Path('order').open('a').write('{name}')\n" for name in "abcde")
    assert lane(text)[0] == 0
    assert (tmp_path / "order").read_text() == "abcde"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.invalid", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    (tmp_path / "order").unlink()
    assert lane(text, "--slow-box", "9")[0] == 0
    start = int(done.stdout, 16) % 5
    assert (tmp_path / "order").read_text() == ("abcde" * 2)[start : start + 5]


def test_a_rotation_keeps_every_test():
    items = list(range(7))
    assert {tuple(rotated(items, f"{n:x}")) for n in range(20)} == {(*items[k:], *items[:k]) for k in items}
    assert rotated([], "ff") == []


def test_ten_minutes_are_the_most(lane, tmp_path):
    (tmp_path / "conftest.py").write_text("import tests.slow_box\ntests.slow_box.MOST = 0.01\n")
    code, out = lane("@pytest.mark.slow\ndef test_endless(): time.sleep(30)\n")
    assert code == 1
    assert "over 0.01 minutes" in out
    assert MOST == 10
