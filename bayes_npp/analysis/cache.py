"""What is computed and kept in files: read again only where it was made from the very same, and is what was written."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.errors import OutputError, SpecError
from bayes_npp.records import content_hash
from bayes_npp.store import VERIFIED, read_sealed_json, write_sealed_json
from bayes_npp.study.robustness import Robustness
from bayes_npp.study.sample import Sample

HASH = 64  # characters of one
NO_HASH = "it carries no hash: an earlier version wrote it, or it is cut off"


@dataclass(frozen=True)
class Form[T]:
    """How results of one kind lie in a file.

    `write(path, made_from, found)` with what it was made from as `stamp` says it; `read(path)` gives that again,
    whether the file's content is `VERIFIED`, and how to restore the result. Both reading and restoring may raise one of
    `DAMAGED` for a file that is not of this form.
    """

    write: Callable[[Path, dict[str, Any], T], None]
    read: Callable[[Path], tuple[dict[str, Any], str, Callable[[], T]]]


DAMAGED = (OutputError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, SpecError)


def stamp(made_from: Mapping[str, Any]) -> dict[str, Any]:
    """What a result is made from, part by part: numbers and words as they are, all else by its hash."""
    out: dict[str, Any] = {}
    for name, value in made_from.items():
        if _is_short(value):
            out[name] = value
        elif isinstance(value, Mapping) and value and all(_is_short(own) for own in value.values()):
            out |= {f"{name} {key}": own for key, own in value.items()}
        else:
            out[name] = content_hash(value)
    return out


def data_of(sample: Sample, robustness: Sequence[Robustness]) -> dict[str, Any]:
    """What a study's samples are made from: the panel's values, scaling constants, declared robustness rows."""
    panel = sample.panel
    frame = panel.frame.assign(**{"": panel.in_window})
    values = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()
    rows = [row.model_dump(mode="json", exclude={"title", "note"}) for row in robustness]
    scales = sample.scales.as_dict()
    return {"columns": [panel.unit, panel.time, *frame], "values": values, "robustness": rows, "scales": scales}


def key_of(made_from: Mapping[str, Any]) -> str:
    """One hash of everything a result is made from."""
    return content_hash(stamp(made_from))


def _is_short(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= HASH)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which parts of two stamps differ, in words; empty where none does."""
    found = []
    for name in dict.fromkeys((*now, *before)):
        old, new = (parts.get(name, "none") for parts in (before, now))
        if old != new:
            found.append(name if HASH in (len(str(old)), len(str(new))) else f"{name} {old}, now {new}")
    return "; ".join(found)


def json_form[T](plain: Callable[[T], Any], restored: Callable[[Any], T], name: str = "found") -> Form[T]:
    """A JSON file with what the result was made from and, under `name`, the result as JSON data."""

    def write(path: Path, made_from: dict[str, Any], found: T) -> None:
        write_sealed_json(path, {"made_from": made_from, name: plain(found)})

    def read(path: Path) -> tuple[dict[str, Any], str, Callable[[], T]]:
        content, verdict = read_sealed_json(path)
        return content.get("made_from", {}), verdict, lambda: restored(content[name])

    return Form(write, read)


def recalled[T](
    path: Path | None, made_from: Mapping[str, Any], form: Form[T], say: Callable[[str], None] = lambda line: None
) -> T | None:
    """What is kept in a file; None, with a word why, where it is damaged or was made from something else.

    Parameters
    ----------
    path : Path, optional
    made_from : mapping
        Everything the result is made from, by name.
    form : Form
    say : callable
        Called with the reason.
    """
    if path is None or not path.is_file():
        return None
    try:
        before, verdict, restored = form.read(path)
        changed = changes(before, stamp(made_from))
        if verdict == VERIFIED and not changed:
            return restored()
    except DAMAGED as error:
        problem = error.problem if isinstance(error, OutputError | SpecError) else str(error)
        say(f"{path.name} is damaged ({problem})")
        return None
    say(f"{path.name} is stale ({f'changed: {changed}' if verdict == VERIFIED else NO_HASH})")
    return None


def remembered[T](
    path: Path | None,
    made_from: Mapping[str, Any],
    form: Form[T],
    compute: Callable[[], T],
    *,
    again: bool = False,
    stored_only: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> T:
    """What `compute` returns, read from a file if that keeps it, made from the same; else written there.

    Parameters
    ----------
    path : Path, optional
        Nothing is kept without one.
    made_from : mapping
        Everything the result is made from, by name.
    form : Form
    again : bool
        Compute in any case.
    stored_only : bool
        Never compute.
    say : callable
        Called with the reason why something kept is not used.

    Raises
    ------
    SpecError
        Nothing is kept, and nothing may be computed.
    """
    kept = None if again else recalled(path, made_from, form, say)
    if kept is not None:
        return kept
    if stored_only:
        raise not_stored("variants are", path)
    found = compute()
    if path is not None:
        form.write(path, stamp(made_from), found)
    return found


def not_stored(what: str, path: Path | None) -> SpecError:
    """The error of a run that may compute nothing, where `what` ("fit is", "variants are") it needs is not stored."""
    return SpecError(
        f"the stored {what} missing, or made from other data, settings or versions",
        place=str(path),
        fix="Run the study again: bayes-npp run",
    )
