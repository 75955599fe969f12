"""The JSON schema of the results file, derived from the records themselves, so that it cannot fall behind."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from optreg.bench.results.machine import Machine
from optreg.bench.results.records import MINOR, SCHEMA, Results
from optreg.bench.results.sections import sections

_SIMPLE: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # null: not a finite number
}


@functools.cache
def results_schema() -> Mapping[str, Any]:
    """Return the JSON schema (draft 2020-12) that every results file keeps to.

    Further properties are allowed everywhere: a newer minor version may add them.
    """
    definitions: dict[str, Any] = {}
    records = {name: _record(kind, definitions) for name, kind in sections().items()}
    others = {field.name: _of_text(str(field.type)) for field in dataclasses.fields(Results)}
    properties = {**others, **{name: {"type": "array", "items": item} for name, item in records.items()}}
    del properties["unknown"]
    properties["machine"] = _record(Machine, definitions)
    del definitions["Machine"]["required"]  # older minor versions say less
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "All that one run of optreg bench found; seconds, bytes and steps are plain numbers.",
        "type": "object",
        "required": ["schema", "minor", "started", "machine", *records],
        "properties": {
            **properties,
            "schema": {"const": SCHEMA},
            "minor": {"type": "integer", "minimum": 0, "description": f"{MINOR} for this optreg"},
            "summary": {"type": "object", "description": "What follows from the raw part; readers compute it anew."},
        },
        "$defs": definitions,
    }


def _record(kind: type[Any], definitions: dict[str, Any]) -> dict[str, str]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # in place before its fields are looked at
        hints = typing.get_type_hints(kind)
        fields = [field for field in dataclasses.fields(kind) if field.init]
        definitions[kind.__name__] = {
            "type": "object",
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "required": [field.name for field in fields],
            "properties": {field.name: _of(hints[field.name], definitions) for field in fields},
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if dataclasses.is_dataclass(hint):
        return dict(_record(typing.cast("type[Any]", hint), definitions))
    return _of_several(get_origin(hint), get_args(hint), definitions)


def _of_several(origin: Any, inner: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what a union, a choice or a collection stands for; an empty schema allows anything."""
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if it is type(None) else _of(it, definitions) for it in inner]}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is tuple and inner[-1] is not ...:
        return {"type": "array", "prefixItems": [_of(it, definitions) for it in inner]}
    if origin in (list, tuple, Sequence):
        return {"type": "array", "items": _of(inner[0], definitions)}
    return {"type": "object"} if origin in (dict, Mapping) else {}


def _of_text(annotation: str) -> dict[str, Any]:
    """Return what the annotation of a field of ``Results`` says, whose records some only the type checker imports."""
    by_start = {"str": "string", "bool": "boolean", "int": "integer", "list": "array", "dict": "object"}
    kind = next((name for start, name in by_start.items() if annotation.startswith(start)), None)
    return {"type": [kind, "null"] if annotation.endswith("| None") else kind} if kind else {}
