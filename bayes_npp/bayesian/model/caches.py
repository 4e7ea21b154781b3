"""Where compiled code is kept: a folder that can be written, and nothing in it that is broken.

numba and PyTensor trust their caches. Of a file that was emptied or cut off they raise whatever its reader meets, on
every run; one whose machine code was changed they run. So each process notes the hashes of the code it leaves, and the
next compares them before it runs any; code that no process has noted, as when one was killed, has to be readable.
"""

import atexit
import contextlib
import hashlib
import json
import os
import pickle
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bayes_npp.errors import CacheWarning
from bayes_npp.store import TEMPORARY, remove_leftovers

SUMS = ".compiled.json"  # ends the name of the file that holds the hashes of compiled code


@cache
def temporary_folder() -> Path:
    """A folder for compiled code that goes with the process."""
    remove_leftovers(Path(tempfile.gettempdir()), deep=False)
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def prepare_numba(source: str) -> None:
    """See that compiled code of a source file can be kept, and that what is kept of it is whole.

    Call it in the file, before its first function is compiled and after its imports and its records: an index that
    names a record which is not there yet would be taken for one of another version.
    """
    from numba import config
    from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

    locators = (UserProvidedCacheLocator, InTreeCacheLocator, UserWideCacheLocator)
    found = next(filter(None, (locator.from_function(_usable, source) for locator in locators)), None)
    if found is None:
        _warn_of_temporary("numba's compiled code")
        config.CACHE_DIR = str(temporary_folder())  # type: ignore[attr-defined]
        return
    kept = _Kept(
        Path(found.get_cache_path()), Path(source).stem, f"{Path(source).stem}.*.nbi", found.get_source_stamp()
    )
    _remove(kept.broken())
    atexit.register(kept.sum_up)


@dataclass(frozen=True)
class _Kept:
    """Files of numba's cache that belong together, and the file of their hashes.

    Parameters
    ----------
    folder : Path
    name : str
        Of the file of hashes, before `SUMS`.
    pattern : str
        Of the indices.
    stamp : object
        numba's mark of the source as it is now.
    """

    folder: Path
    name: str
    pattern: str
    stamp: object

    def broken(self) -> list[Path]:
        """Indices that numba could not read, and code of the source as it is now that is not as it was summed up.

        An index grows with every signature, so it is only read.
        """
        indices = self.indices()
        sums = self._sums()
        out = [path for path, index in indices.items() if index is None]
        for path in self.code(indices):
            expected = sums.get(path.name)
            with contextlib.suppress(FileNotFoundError):  # another process is at work, and has removed it
                if not _readable(path) if expected is None else expected != _hash(path):
                    out.append(path)
        return out

    def sum_up(self) -> None:
        """Note the hashes of the code; other processes may be at work on the files."""
        with contextlib.suppress(OSError):
            files = {path.name: _hash(path) for path in self.code(self.indices())}
            if files != self._sums():
                temporary = self.folder / f"{TEMPORARY}{os.getpid()}-{self.name}"
                temporary.write_text(json.dumps({"stamp": self._stamp, "files": files}), encoding="utf-8")
                temporary.replace(self._path)

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.name}{SUMS}"

    @property
    def _stamp(self) -> str:
        import numba

        return repr((numba.__version__, self.stamp))

    def _sums(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return dict(content["files"]) if content["stamp"] == self._stamp else {}
        except (OSError, ValueError, TypeError, LookupError):
            return {}

    def indices(self) -> dict[Path, tuple | None]:
        """What each index holds, a version, a stamp and names by signature; None of one that cannot be read."""
        return {path: _index(path) for path in sorted(self.folder.glob(self.pattern))}

    def code(self, indices: dict[Path, tuple | None]) -> list[Path]:
        """Files of code that the indices of the source as it is now lead to."""
        import numba

        now = (numba.__version__, self.stamp)
        fresh = [index[1][1] for index in indices.values() if index is not None and (index[0], index[1][0]) == now]
        names = sorted({str(name) for overloads in fresh for name in overloads.values()})
        return [self.folder / name for name in names if (self.folder / name).is_file()]


@cache
def prepare_pytensor() -> None:
    """See that PyTensor has a folder that can be written. Call it before anything imports PyTensor."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "pytensor" in sys.modules or "base_compiledir" in flags or _usable(Path("~/.pytensor").expanduser()):
        return
    _warn_of_temporary("PyTensor's compiled code")
    os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, (flags, f"base_compiledir={temporary_folder()}")))


@cache
def check_pytensor() -> None:
    """Remove what is broken of PyTensor's compiled code, once a process, and note the rest when it ends.

    Call it after PyTensor is imported, and before anything is compiled.
    """
    remove_broken_of_pytensor()
    atexit.register(_of_pytensor().sum_up)


def remove_broken_of_pytensor() -> bool:
    """Remove broken files of PyTensor's numba cache; whether there were any."""
    kept = _of_pytensor()
    others = set(kept.folder.glob("*.nbc")) - set(kept.code(kept.indices()))
    broken = [*kept.broken(), *(path for path in sorted(others) if not _readable(path))]
    _remove(broken)
    return bool(broken)


def _of_pytensor() -> _Kept:
    """PyTensor's numba cache: it names its files by what they compute, and marks every source by 0."""
    from pytensor.link.numba.cache import NUMBA_CACHE_PATH

    return _Kept(Path(NUMBA_CACHE_PATH), "pytensor", "*.nbi", 0)


def _usable(folder: Path) -> bool:
    """Whether files can be written to a folder, which may not be there yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _warn_of_temporary(what: str) -> None:
    text = f"no folder for {what} can be written: it goes to a temporary one, and is compiled again by the next run"
    warnings.warn(CacheWarning(text), stacklevel=3)


def _remove(unfit: list[Path]) -> None:
    """Remove files of a cache that cannot be used; with a word where they are broken, and not of another version."""
    broken = [path for path in unfit if not _of_another_version(path)]
    for path in unfit:
        path.unlink(missing_ok=True)
    if broken:
        text = f"{len(broken)} broken files of compiled code in {broken[0].parent} are removed, and compiled again"
        warnings.warn(CacheWarning(text), stacklevel=3)


def _of_another_version(path: Path) -> bool:
    """Whether a file names records that the package no longer has: numba would meet the same error on every run.

    A file that is gone was so to another process, which has removed it.
    """
    try:
        with path.open("rb") as file:
            pickle.load(file)
            pickle.load(file)
    except (AttributeError, ImportError, FileNotFoundError):
        return True
    except Exception:  # whatever a broken pickle raises
        return False
    return False


def _index(path: Path) -> tuple | None:
    """The two pickles of an index; None where numba could not read them."""
    try:
        with path.open("rb") as file:
            version, (stamp, overloads) = pickle.load(file), pickle.load(file)
            return version, (stamp, dict(overloads))
    except Exception:  # whatever a broken pickle raises
        return None


def _readable(path: Path) -> bool:
    """Whether numba can read a file of code."""
    try:
        with path.open("rb") as file:
            pickle.load(file)
    except Exception:  # whatever a broken pickle raises
        return False
    return True


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
