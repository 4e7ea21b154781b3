"""Files: written whole or not at all; netCDF and JSON that carry the hash of their content, checked when read."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayes_npp.errors import OutputError

if TYPE_CHECKING:
    import xarray as xr

SEAL = b"\nsha256 of all before this line: "  # readers of netCDF stop before it
VERIFIED, NOT_VERIFIED = "verified", "not verified"
TEMPORARY = ".bayes-npp-"  # and the process that writes the file
FORGOTTEN = 86_400  # seconds after which a temporary file is nobody's, where processes cannot be asked for


def shipped(packaged: str, checkout: str) -> Path:
    """A folder that travels in the wheel as `packaged`, and in a checkout is `checkout` under its root."""
    inside = Path(str(resources.files("bayes_npp"))) / packaged
    return inside if inside.is_dir() else Path(__file__).parents[1] / checkout


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it there, so that no half file is ever seen."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{TEMPORARY}{os.getpid()}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OutputError(
            f"cannot write here ({error.strerror})", place=str(path), fix="Choose another --out"
        ) from None
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb+") as file:  # on the disk before its name is: a loss of power leaves no empty file
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})", place=str(path), fix="Check space and rights"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, deep: bool = True) -> None:
    """Remove temporary files and folders of killed processes, somewhere in a folder, or, not `deep`, just there."""
    for path in list((folder.rglob if deep else folder.glob)(f"{TEMPORARY}*")):
        process = path.name.removeprefix(TEMPORARY).partition("-")[0]
        if process.isdecimal() and not _writing(int(process), path):
            with contextlib.suppress(OSError):  # of another user
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _writing(process: int, path: Path) -> bool:
    """Whether a process may still be at work on a temporary file."""
    if sys.platform == "win32":  # where asking for a process would end it
        return time.time() - path.stat().st_mtime < FORGOTTEN
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is another user's
    return process != os.getpid()


def checked_csv(path: Path) -> str:
    """Whether a csv file is what its run wrote, by the manifest beside it: `VERIFIED`, or what speaks against it."""
    try:
        content, verdict = read_sealed_json(path.with_name("manifest.json"))
        digest = content["csv_sha256"][path.name] if verdict == VERIFIED else None
    except (OutputError, KeyError, TypeError):
        digest = None
    if digest is None:
        return f"{NOT_VERIFIED}: the run's manifest holds no hash of it"
    return VERIFIED if digest == file_hash(path) else "not what its run wrote"


def with_ending(path: Path, ending: str) -> Path:
    """A file by its name and what it ends in: a dot in the name is part of it, which `Path.with_suffix` takes away."""
    return path.with_name(f"{path.name}.{ending}")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def write_files(contents: Mapping[Path, str | bytes]) -> None:
    """Write files whole, all at once: most of a small file's time is spent waiting for the disk."""
    with ThreadPoolExecutor(len(contents)) as threads:
        for _ in threads.map(_write_content, *zip(*contents.items(), strict=True)):
            pass


def _write_content(path: Path, content: str | bytes) -> None:
    write_whole(path, lambda own: own.write_bytes(content if isinstance(content, bytes) else content.encode()))


def write_netcdf(data: "xr.DataTree | xr.Dataset", path: Path) -> None:
    """Write netCDF with the hash of its bytes behind it.

    It is laid out in memory: where the disk is full, HDF5 would end the process.
    """
    _write_sealed(path, bytes(data.to_netcdf(engine="h5netcdf")))


def _write_sealed(path: Path, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    write_whole(path, lambda temporary: temporary.write_bytes(content + SEAL + digest.encode() + b"\n"))


def _content(path: Path) -> tuple[io.BytesIO, str]:
    """What stands before the hash, and whether it was `VERIFIED`."""
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot be read ({error.strerror})", place=str(path), fix="Check rights") from None
    content, seal, digest = whole.rpartition(SEAL)
    if not seal:
        return io.BytesIO(whole), NOT_VERIFIED
    if digest != hashlib.sha256(content).hexdigest().encode() + b"\n":
        raise _altered(path)
    return io.BytesIO(content), VERIFIED


def _loaded[T](path: Path, opened: Callable[..., contextlib.AbstractContextManager[T]]) -> tuple[T, str]:
    """What a netCDF file holds, in memory, and whether it was `VERIFIED`."""
    content, verdict = _content(path)
    try:
        with opened(content, engine="h5netcdf") as data:
            return data.load(), verdict  # type: ignore[attr-defined]
    except Exception as error:  # of a damaged file HDF5 and its readers may raise anything
        raise OutputError(
            f"the stored file cannot be read ({error})", place=str(path), fix="Run again with --refit"
        ) from None


def _altered(path: Path) -> OutputError:
    return OutputError("its content is not what was stored", place=str(path), fix="Run the study again: bayes-npp run")


def write_tree(tree: "xr.DataTree", path: Path) -> None:
    """Write a posterior as netCDF; object columns of the sampler's messages are left out."""
    kept = tree.copy()
    stats = kept["sample_stats"].dataset
    numeric = [name for name, array in stats.data_vars.items() if array.dtype.kind in "biuf"]
    kept["sample_stats"].dataset = stats[numeric]
    write_netcdf(kept, path)


def read_tree(path: Path) -> "xr.DataTree":
    """Read a posterior into memory; its attribute `content` says whether it is `VERIFIED`.

    One written before files carried a hash is `NOT_VERIFIED`.

    Raises
    ------
    OutputError
        It is damaged, or altered since it was written.
    """
    import xarray as xr

    tree, verdict = _loaded(path, xr.open_datatree)
    tree.attrs["content"] = verdict
    return tree


def read_dataset(path: Path) -> "xr.Dataset":
    """The same of one table of arrays."""
    import xarray as xr

    data, verdict = _loaded(path, xr.open_dataset)
    data.attrs["content"] = verdict
    return data


def write_sealed_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file whole, keys sorted, with the hash of its content as `sha256`."""
    write_text(path, _text({**content, "sha256": _digest(content)}))


def read_sealed_json(path: Path) -> tuple[dict[str, Any], str]:
    """Content of a JSON file, and whether its hash was `VERIFIED`; `NOT_VERIFIED` of one without a hash.

    Raises
    ------
    OutputError
        It cannot be read, is no table of keys, or its content is not that of its hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        digest = content.pop("sha256", None)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise OutputError(f"cannot be read ({error})", place=str(path), fix="Run the study again") from None
    if digest is None:
        return content, NOT_VERIFIED
    if text != _text({**content, "sha256": _digest(content)}):
        raise _altered(path)
    return content, VERIFIED


def write_compact_json(path: Path, content: dict[str, Any]) -> None:
    """Write long JSON data whole, in one line, with the hash of its bytes behind it."""
    _write_sealed(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def read_compact_json(path: Path) -> tuple[dict[str, Any], str]:
    """What `write_compact_json` wrote, and whether it was `VERIFIED`.

    Raises
    ------
    OutputError
        It is damaged, or altered since it was written.
    """
    content, verdict = _content(path)
    try:
        return json.loads(content.getvalue()), verdict
    except (ValueError, RecursionError) as error:
        raise OutputError(f"cannot be read ({error})", place=str(path), fix="Run the study again") from None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole, keys sorted."""
    write_text(path, _text(content))


def _text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _digest(content: Any) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
