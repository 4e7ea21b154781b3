"""What is computed beside fits, kept in files: read again only where it was made from the very same."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayes_npp.errors import SpecError
from bayes_npp.store import write_json


@dataclass(frozen=True)
class Form[T]:
    """How results of one kind lie in a file.

    `write(path, key, found)`; `read(path, key)` gives the result, None if it was written under another key, and raises
    one of `DAMAGED` for a file that is not of this form.
    """

    write: Callable[[Path, str, T], None]
    read: Callable[[Path, str], T | None]


DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError)


def json_form[T](plain: Callable[[T], Any], restored: Callable[[Any], T], name: str = "found") -> Form[T]:
    """A JSON file with the key and, under `name`, the result as JSON data."""

    def write(path: Path, key: str, found: T) -> None:
        write_json(path, {"key": key, name: plain(found)})

    def read(path: Path, key: str) -> T | None:
        content = json.loads(path.read_text(encoding="utf-8"))
        return restored(content[name]) if content["key"] == key else None

    return Form(write, read)


def recalled[T](path: Path | None, key: str, form: Form[T]) -> T | None:
    """What is kept under this key; None where nothing is, or it is damaged or made from something else."""
    if path is None or not path.is_file():
        return None
    try:
        return form.read(path, key)
    except DAMAGED:
        return None


def remembered[T](
    path: Path | None,
    key: str,
    form: Form[T],
    compute: Callable[[], T],
    *,
    again: bool = False,
    stored_only: bool = False,
) -> T:
    """What `compute` returns, read from a file if that keeps it under this key, else written there.

    Parameters
    ----------
    path : Path, optional
        Nothing is kept without one.
    key : str
        Hash of everything the result is made from.
    form : Form
    again : bool
        Compute in any case.
    stored_only : bool
        Never compute.

    Raises
    ------
    SpecError
        Nothing is kept under the key, and nothing may be computed.
    """
    kept = None if again else recalled(path, key, form)
    if kept is not None:
        return kept
    if stored_only:
        raise not_stored("variants are", path)
    found = compute()
    if path is not None:
        form.write(path, key, found)
    return found


def not_stored(what: str, path: Path | None) -> SpecError:
    """The error of a run that may compute nothing, where `what` ("fit is", "variants are") it needs is not stored."""
    return SpecError(
        f"the stored {what} missing, or made from other data, settings or versions",
        place=str(path),
        fix="Run the study again: bayes-npp run",
    )
