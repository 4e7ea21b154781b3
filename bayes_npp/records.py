"""Frozen records parsed from TOML or keyword arguments, and how objects show themselves in ten lines."""

import hashlib
import html
import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bayes_npp.errors import SpecError, nearest

MOST_LINES, WIDEST = 10, 150  # of an object shown on a screen


def brief(value: Any, width: int = WIDEST) -> str:
    """A value in one short line: tables and arrays by their shape, long texts and lists cut."""
    if shape := getattr(value, "shape", ()):
        return f"{type(value).__name__} {' x '.join(map(str, shape))}"
    if isinstance(value, Shown):
        return value.headline()
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {brief(own, 40)}" for key, own in list(value.items())[:8])
        text = f"{{{text}{', ...' if len(value) > 8 else ''}}}"
    elif isinstance(value, (tuple, list)):
        text = ", ".join(brief(own, 40) for own in value[:8])
        text = f"({text}{f', ... {len(value)} in all' if len(value) > 8 else ''})"
    else:
        text = str(value) if isinstance(value, Path) else repr(value)
    return cut(text, width)


def cut(text: str, width: int = WIDEST) -> str:
    """A text in one line no wider than that."""
    text = " ".join(text.splitlines())
    return text if len(text) <= width else f"{text[: width - 4]} ..."


class Shown:
    """An object that shows itself in at most `MOST_LINES` lines; in a notebook the same, escaped."""

    def headline(self) -> str:
        """What it is, in one line."""
        return type(self).__name__

    def details(self) -> list[str]:
        """What it holds, a line each; by default its fields."""
        return [f"{own.name}: {brief(getattr(self, own.name))}" for own in fields(self) if own.repr]  # type: ignore[arg-type]

    def __repr__(self) -> str:
        lines = self.details()
        if len(lines) >= MOST_LINES:
            rest = len(lines) - MOST_LINES + 2
            lines = [*lines[: MOST_LINES - 2], f"... and {rest} more"]
        return "\n".join([cut(self.headline()), *(f"  {cut(line)}" for line in lines)])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class Record(BaseModel):
    """A frozen record: unknown keys and wrong types raise `SpecError` with the nearest known name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**{key: _tuples(value) for key, value in data.items()})
        except ValidationError as error:
            raise _explain(error, type(self)) from None

    def __repr__(self) -> str:
        """The keys that are not their defaults."""
        own = type(self).model_fields
        said = {name: getattr(self, name) for name in own if getattr(self, name) != own[name].default}
        text = ", ".join(f"{name}={brief(value)}" for name, value in said.items())
        return f"{type(self).__name__}({text})" if len(text) < 1500 else f"{type(self).__name__}({text[:1500]} ...)"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

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


WANTED = {  # of pydantic's types of errors, in the words of a study file
    "string_type": "text, in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list, such as ['a', 'b']",
    "dict_type": "a table of keys",
    "finite_number": "a number that is finite",
}


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
        case kind if (wanted := WANTED.get(kind)) is not None:
            return SpecError(f"key '{key}' has the wrong value {first['input']!r}", fix=f"It must be {wanted}")
        case _:
            fix = first["msg"].removeprefix("Input ").strip()
            return SpecError(f"key '{key}' has the wrong value {first['input']!r}", fix=f"It {fix}")
