"""Turning JSON back into records."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

from optreg.errors import OptregError

Record = TypeVar("Record")


class InvalidResults(OptregError, ValueError):
    """A file is no results file, or one that this version of optreg cannot read."""


def thaw(kind: type[Record], data: Any) -> Record:
    """Return the record of this dataclass that the JSON stands for; fields that it does not know are passed over.

    Raises:
        InvalidResults: Something else than an object stands there, or a field without default is missing.
    """
    if not isinstance(data, Mapping):
        raise InvalidResults(f"a {kind.__name__} is an object, received {data!r:.80}")
    hints, fields = _hints(kind), _fields(kind)
    known = {key: _thawed(hints[key], value) for key, value in data.items() if key in fields}
    try:
        return kind(**known)
    except TypeError as error:
        lacking = [name for name in _required(kind) if name not in known]
        raise InvalidResults(f"a {kind.__name__} lacks {', '.join(lacking)}") from error


def _thawed(hint: Any, value: Any) -> Any:
    """Return the value as the annotation says; what is written as null where a number belongs was not finite."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return None if value is None else _thawed(next(it for it in get_args(hint) if it is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        return thaw(typing.cast("type[Any]", hint), value)
    if hint is float:
        return math.nan if value is None else float(value)
    return _collection(hint, value)


def _collection(hint: Any, value: Any) -> Any:
    """Return the value with its items as the annotation says, and anything else as it is."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and isinstance(value, list):
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        return tuple(_thawed(kind, item) for kind, item in zip(kinds, value, strict=False))
    if origin in (list, Sequence) and isinstance(value, list):
        return [_thawed(inner[0], item) for item in value]
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _thawed(inner[1], item) for key, item in value.items()}
    return value


def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind) if field.init}


def _required(kind: type[Any]) -> list[str]:
    missing = dataclasses.MISSING
    return [it.name for it in dataclasses.fields(kind) if it.default is missing and it.default_factory is missing]
