"""Compiled code in folders that cannot be written, emptied, cut off or changed: made again, with a word."""

import os
import pickle
import shutil
import subprocess
import sys

import pytest

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.model import caches
from tests.conftest import ROOT

SOURCE = """from numba import njit
from bayes_npp.bayesian.model.caches import prepare_numba
prepare_numba(__file__)
@njit(cache=True)
def twice(x):
    return 2 * x
@njit(cache=True)
def thrice(x):
    return 3 * x
"""
CODE = "import probe; print(probe.twice(3.0), probe.thrice(2.0), sum(probe.twice.stats.cache_hits.values()))"


def run(folder, home=None, source=SOURCE, **more):
    folder.mkdir(exist_ok=True)
    (folder / "probe.py").write_text(source)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", **more}
    if home is not None:
        env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    twice, thrice, hits = done.stdout.split()
    assert (float(twice), float(thrice)) == (6, 6)
    return int(hits), done.stderr


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that one process has filled and summed up."""
    folder = tmp_path_factory.mktemp("probe") / "code"
    assert run(folder)[0] == 0
    hits, err = run(folder)
    assert (hits, "CacheWarning" in err) == (1, False)
    return folder


RECORD = """from typing import NamedTuple
from numba import njit
from bayes_npp.bayesian.model.caches import prepare_numba
class Pair(NamedTuple):
    one: float
    two: float
prepare_numba(__file__)
@njit(cache=True)
def made(x):
    return Pair(x, x)
@njit(cache=True)
def added(pair):
    return pair.one + pair.two
def twice(x):
    return added(made(x))
twice.stats = added.stats
@njit(cache=True)
def thrice(x):
    return 3 * x
"""


def test_an_index_that_names_a_record_of_the_file_is_kept(tmp_path):
    assert run(tmp_path / "code", source=RECORD)[0] == 0
    hits, err = run(tmp_path / "code", source=RECORD)
    assert (hits, "CacheWarning" in err) == (1, False)


def flipped(whole):
    """A byte in the middle of the machine code: numba would run it."""
    return whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]


DAMAGES = {
    "emptied": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "flipped": flipped,
}


def damaged(compiled, folder, ending, damage):
    shutil.copytree(compiled, folder)
    cached = next((folder / "__pycache__").glob(f"probe.twice*.{ending}"))
    cached.write_bytes(DAMAGES[damage](cached.read_bytes()))


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        ("nbi", "emptied"),
        pytest.param("nbc", "emptied", marks=pytest.mark.slow(minutes=1)),
        pytest.param("nbi", "cut", marks=pytest.mark.slow(minutes=1)),
        ("nbc", "cut"),
        ("nbc", "flipped"),
    ],
)
def test_broken_files_are_compiled_again(compiled, tmp_path, ending, damage):
    folder = tmp_path / "code"
    damaged(compiled, folder, ending, damage)
    hits, err = run(folder)
    assert hits == 0
    assert "broken files of compiled code" in err
    hits, err = run(folder)
    assert (hits, "CacheWarning" in err) == (1, False)


@pytest.mark.slow(minutes=2)
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_broken_files_of_a_killed_process_are_compiled_again(compiled, tmp_path, ending):
    """It left no sums; nothing then tells machine code from other machine code."""
    folder = tmp_path / "code"
    damaged(compiled, folder, ending, "cut")
    (folder / "__pycache__" / f"probe{caches.SUMS}").unlink()
    hits, err = run(folder)
    assert hits == 0
    assert "broken files of compiled code" in err


@pytest.mark.slow(minutes=2)
def test_a_changed_source_is_no_broken_file(compiled, tmp_path):
    """Its code is written over that of the source before it."""
    folder = tmp_path / "code"
    shutil.copytree(compiled, folder)
    for source in (SOURCE + "# changed\n", SOURCE, SOURCE + "# changed\n"):
        hits, err = run(folder, source=source)
        assert (hits, "CacheWarning" in err) == (0, False)
    (folder / "__pycache__" / f"probe{caches.SUMS}").write_text("[]")
    assert "CacheWarning" not in run(folder, source=source)[1]


def test_no_folder_that_can_be_written(tmp_path):
    """__pycache__ and HOME are files."""
    folder, home = tmp_path / "code", tmp_path / "home"
    folder.mkdir()
    home.touch()
    (folder / "__pycache__").touch()
    hits, err = run(folder, home, TMPDIR=str(tmp_path))
    assert hits == 0
    assert "no folder for numba's compiled code can be written" in err
    assert not list(tmp_path.glob(".bayes-npp-*"))


def test_pytensor_without_a_home(tmp_path):
    code = (
        "from bayes_npp.bayesian.model.caches import prepare_pytensor\n"
        "prepare_pytensor()\n"
        "import os; print(os.environ['PYTENSOR_FLAGS'])"
    )
    home = tmp_path / "home"
    home.touch()
    env = {**os.environ, "HOME": str(home), "TMPDIR": str(tmp_path), "PYTENSOR_FLAGS": "floatX=float64"}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"floatX=float64,base_compiledir={tmp_path}{os.sep}.bayes-npp-")
    assert "no folder for PyTensor's compiled code" in done.stderr


def test_broken_files_of_pytensor(tmp_path, monkeypatch):
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    (tmp_path / "whole.nbc").write_bytes(pickle.dumps(1))
    (tmp_path / "whole.nbi").write_bytes(pickle.dumps("0.68") + pickle.dumps((0, {})))
    assert not caches.remove_broken_of_pytensor()
    (tmp_path / "empty.nbc").touch()
    (tmp_path / "half.nbi").write_bytes(pickle.dumps("0.68"))
    with pytest.warns(match="broken files of compiled code"):
        assert caches.remove_broken_of_pytensor()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.nbc", "whole.nbi"]


def test_machine_code_of_pytensor_that_was_changed(tmp_path, monkeypatch):
    """It can be read, and would run: only its hash tells."""
    import numba
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    noted = []
    monkeypatch.setattr(caches.atexit, "register", noted.append)
    index, code = tmp_path / "string.add-1f.py313.nbi", tmp_path / "string.add-1f.py313.1.nbc"
    index.write_bytes(pickle.dumps(numba.__version__) + pickle.dumps((0, {"signature": code.name})))
    code.write_bytes(pickle.dumps(b"machine code"))
    caches.check_pytensor.__wrapped__()
    [sum_up] = noted
    sum_up()  # as the process ends
    assert not caches.remove_broken_of_pytensor()
    code.write_bytes(code.read_bytes().replace(b"machine", b"mbchine"))
    assert pickle.loads(code.read_bytes()) == b"mbchine code"
    with pytest.warns(match="1 broken files of compiled code"):
        caches.check_pytensor.__wrapped__()
    assert not code.exists()
    code.write_bytes(pickle.dumps(b"compiled again"))
    sum_up()
    assert not caches.remove_broken_of_pytensor()


def test_code_of_another_numba_is_not_compared(tmp_path, monkeypatch):
    """Which writes over it under the same name."""
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    index, code = tmp_path / "string.add-1f.py313.nbi", tmp_path / "string.add-1f.py313.1.nbc"
    index.write_bytes(pickle.dumps("0.1") + pickle.dumps((0, {"signature": code.name})))
    code.write_bytes(pickle.dumps(b"machine code"))
    noted = []
    monkeypatch.setattr(caches.atexit, "register", noted.append)
    caches.check_pytensor.__wrapped__()
    noted[0]()
    code.write_bytes(pickle.dumps(b"other"))
    assert not caches.remove_broken_of_pytensor()


def test_files_of_another_version_are_removed_without_a_word(tmp_path, monkeypatch):
    """They name records that are no more."""
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    gone = b"cbayes_npp.errors\nNoSuchRecord\n."
    (tmp_path / "old.nbi").write_bytes(pickle.dumps("0.68") + gone)
    (tmp_path / "old.nbc").write_bytes(gone)
    assert caches.remove_broken_of_pytensor()
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_has_removed_is_not_broken(tmp_path, monkeypatch, recwarn):
    """Two workers find a file of another version at once; to the second it is gone, as a link to nothing is."""
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    (tmp_path / "old.nbc").symlink_to(tmp_path / "removed")
    caches.remove_broken_of_pytensor()
    assert list(recwarn) == []


def test_the_kernel_keeps_the_index_that_names_its_record():
    """Its last import is not taken for another version by the next, which would compile `eliminate_units` again."""
    for _ in range(2):
        command = [sys.executable, "-W", "error", "-c", "import bayes_npp.bayesian.collapsed.kernel as k"]
        subprocess.run(command, check=True, cwd=ROOT)
    line = kernel.eliminate_units.py_func.__code__.co_firstlineno
    folder = ROOT / "bayes_npp" / "bayesian" / "collapsed" / "__pycache__"
    assert list(folder.glob(f"kernel.eliminate_units-{line}.*.nbi"))
