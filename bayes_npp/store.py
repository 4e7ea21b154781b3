"""Files: written whole or not at all; fits as netCDF; hashes and versions for the manifest."""

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayes_npp.errors import OutputError

if TYPE_CHECKING:
    import xarray as xr

PACKAGES = ("bayes-npp", "numpy", "pandas", "xarray", "scipy", "pymc", "nutpie", "arviz", "linearmodels")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it there, so that no half file is ever seen."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OutputError(
            f"cannot write here ({error.strerror})", place=str(path), fix="Choose another --out"
        ) from None
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})", place=str(path), fix="Check space and rights"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def write_tree(tree: "xr.DataTree", path: Path) -> None:
    """Write a posterior as netCDF; object columns of the sampler's messages are left out."""
    kept = tree.copy()
    stats = kept["sample_stats"].dataset
    numeric = [name for name, array in stats.data_vars.items() if array.dtype.kind in "biuf"]
    kept["sample_stats"].dataset = stats[numeric]
    write_whole(path, lambda temporary: kept.to_netcdf(temporary, engine="h5netcdf"))


def read_tree(path: Path) -> "xr.DataTree":
    """Read a posterior into memory and close the file."""
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(
            f"the stored fit cannot be read ({error})", place=str(path), fix="Run again with --refit"
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole, keys sorted."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that make the numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
