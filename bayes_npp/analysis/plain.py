"""Frozen records, tables and arrays as JSON data, and back: what shares an object shares it again."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

PACKAGE = __name__.partition(".")[0]
WHEN_STORED = "when stored"  # metadata of a dataclass's field: the value that it has when it comes from a file


def plain(value: Any) -> dict[str, Any]:
    """Anything made of numbers, words, lists, tables, arrays and records of this package as JSON data.

    Raises
    ------
    TypeError
        It holds something else.
    """
    objects: list[Any] = []
    places: dict[int, int] = {}

    def shared(own: Any, parts: Callable[[], dict[str, Any]]) -> dict[str, int]:
        if id(own) not in places:
            made = parts()
            places[id(own)] = len(objects)
            objects.append(made)
        return {"at": places[id(own)]}

    def walk(own: Any) -> Any:
        if own is None or type(own) in (bool, int, float, str):
            return own
        if own is pd.NA:
            return {"missing": "NA"}
        if type(own) in (list, tuple, frozenset):
            items = [walk(item) for item in (sorted(own) if isinstance(own, frozenset) else own)]
            return items if isinstance(own, list) else {type(own).__name__: items}
        if isinstance(own, dict):
            return {"dict": [[walk(key), walk(item)] for key, item in own.items()]}
        if isinstance(own, np.generic):
            return {"scalar": own.item(), "dtype": own.dtype.name}
        if isinstance(own, np.ndarray) and own.dtype.kind in "biuf":
            return shared(own, lambda: {"array": own.ravel().tolist(), "dtype": own.dtype.name, "shape": own.shape})
        if isinstance(own, pd.DataFrame):
            columns = [_column(own.iloc[:, i], walk) for i in range(own.shape[1])]
            return shared(own, lambda: {"columns": columns, "names": _index(own.columns), "index": _index(own.index)})
        if isinstance(own, pd.Series):
            return shared(
                own, lambda: {"series": _column(own, walk), "name": walk(own.name), "index": _index(own.index)}
            )
        if isinstance(own, BaseModel) or is_dataclass(own):
            kind = f"{type(own).__module__}:{type(own).__qualname__}"
            return shared(own, lambda: {"record": kind, "fields": [[k, walk(v)] for k, v in _fields(own)]})
        raise TypeError(f"{type(own).__name__} has no form in a file")

    return {"value": walk(value), "objects": objects}


def _fields(record: Any) -> list[tuple[str, Any]]:
    if isinstance(record, BaseModel):
        return [(name, getattr(record, name)) for name in type(record).model_fields if name in record.model_fields_set]
    return [(own.name, own.metadata.get(WHEN_STORED, getattr(record, own.name))) for own in fields(record)]


def _column(column: pd.Series, walk: Callable[[Any], Any]) -> dict[str, Any]:
    if column.dtype.name in ("str", "Int64"):
        blank = column.astype(object).where(column.notna(), None)
        return {"dtype": column.dtype.name, "values": blank.tolist()}
    if column.dtype.kind in "biuf":
        return {"dtype": column.dtype.name, "values": column.tolist()}
    if column.dtype == object:
        return {"dtype": "object", "values": [walk(own) for own in column]}
    raise TypeError(f"a column of {column.dtype} has no form in a file")


def _index(index: pd.Index) -> dict[str, Any]:
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    if index.dtype.name not in ("str", "object", "int64"):
        raise TypeError(f"an index of {index.dtype} has no form in a file")
    return {"values": index.tolist(), "dtype": index.dtype.name, "name": index.name}


def restored(content: dict[str, Any]) -> Any:
    """What `plain` made data of.

    Records are put together as they were, without their checks: only content that is known to be what was written is
    to be read.

    Raises
    ------
    ValueError
        It names a record that is none of this package.
    """
    objects: list[Any] = []

    def walk(own: Any) -> Any:
        match own:
            case {"at": int(place)}:
                return objects[place]
            case {"missing": "NA"}:
                return pd.NA
            case {"dict": pairs}:
                return {walk(key): walk(item) for key, item in pairs}
            case {"tuple": items}:
                return tuple(walk(item) for item in items)
            case {"frozenset": items}:
                return frozenset(walk(item) for item in items)
            case {"scalar": value, "dtype": kind}:
                return np.dtype(kind).type(value)
            case list():
                return [walk(item) for item in own]
            case _:
                return own

    def made(own: dict[str, Any]) -> Any:
        match own:
            case {"record": kind, "fields": pairs}:
                return _record(kind, {name: walk(value) for name, value in pairs})
            case {"array": values, "dtype": kind, "shape": shape}:
                return np.array(values, dtype=kind).reshape(shape)
            case {"series": column, "name": name, "index": index}:
                return _restored_column(column, walk).set_axis(_restored_index(index)).rename(walk(name))
            case {"columns": columns, "names": names, "index": index}:
                frame = pd.DataFrame(dict(enumerate(_restored_column(column, walk) for column in columns)))
                frame = frame if columns else pd.DataFrame(index=_restored_index(index))
                return frame.set_axis(_restored_index(names), axis=1).set_axis(_restored_index(index), axis=0)
        raise ValueError("an unknown form")

    for own in content["objects"]:
        objects.append(made(own))
    return walk(content["value"])


def _record(kind: str, values: dict[str, Any]) -> Any:
    module, _, name = kind.partition(":")
    if module.partition(".")[0] != PACKAGE:
        raise ValueError(f"{kind} is no record of this package")
    found = getattr(import_module(module), name, None)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found.model_construct(_fields_set=set(values), **values)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise ValueError(f"{kind} is no record of this package")
    record = object.__new__(found)
    for key, value in values.items():
        object.__setattr__(record, key, value)
    return record


def _restored_column(column: dict[str, Any], walk: Callable[[Any], Any]) -> pd.Series:
    values = column["values"]
    return pd.Series([walk(own) for own in values] if column["dtype"] == "object" else values, dtype=column["dtype"])


def _restored_index(index: dict[str, Any]) -> pd.Index:
    if "range" in index:
        return pd.RangeIndex(*index["range"], name=index["name"])
    return pd.Index(index["values"], dtype=index["dtype"], name=index["name"])
