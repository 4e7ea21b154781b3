"""Frozen records parsed from TOML or keyword arguments; a bad file, key or type is one clear error."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bayes_npp.errors import SpecError, nearest


class Record(BaseModel):
    """A frozen record: unknown keys and wrong types raise `SpecError` with the nearest known name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**{key: _tuples(value) for key, value in data.items()})
        except ValidationError as error:
            raise _explain(error, type(self)) from None

    @classmethod
    def parse(cls, data: Any, place: str) -> Self:
        """Build the record from a mapping; `place` (file and table) leads the message of any error."""
        if not isinstance(data, dict):
            raise SpecError("a table of keys was expected", place=place, fix=f"Write it as {cls.example_keys()}")
        try:
            return cls(**data)
        except SpecError as error:
            raise error.at(place) from None

    @classmethod
    def example_keys(cls) -> str:
        return ", ".join(f"{name} = ..." for name in cls.model_fields)

    def content_hash(self) -> str:
        """SHA-256 of the record's content, independent of the order in which keys were written."""
        return content_hash(self.model_dump(mode="json"))


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, a null character
        return False


def read_toml(path: Path, place: str) -> dict[str, Any]:
    """The tables of a TOML file, with or without a byte order mark; `SpecError` where it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # bad TOML, bad UTF-8, whole numbers of thousands of digits
        raise SpecError(f"the file is not valid TOML ({error})", place=place, fix="Correct the line") from None


def content_hash(content: Any) -> str:
    """SHA-256 of a JSON-like value, in a canonical form."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _explain(error: ValidationError, record: type[BaseModel]) -> SpecError:
    """The first problem of a validation error, in a reader's words."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the record"
    known = list(record.model_fields)
    match first["type"]:
        case "extra_forbidden":
            return SpecError(f"unknown key '{key}'", fix=nearest(key, known))
        case "missing":
            return SpecError(f"key '{key}' is missing", fix=f"Keys here: {', '.join(known)}")
        case "literal_error":
            fix = f"It must be {first['ctx']['expected']}"
            return SpecError(f"key '{key}' has the unknown value {first['input']!r}", fix=fix)
        case "value_error":
            return SpecError(str(first["ctx"]["error"]), place=f"key '{key}'" if first["loc"] else "")
        case _:
            fix = first["msg"].removeprefix("Input ").strip()
            return SpecError(f"key '{key}' has the wrong value {first['input']!r}", fix=f"It {fix}")
