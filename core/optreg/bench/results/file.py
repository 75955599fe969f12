"""Reading and writing the results file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optreg.bench.results.journal import History, Plan
from optreg.bench.results.records import MINOR, SCHEMA, Results
from optreg.bench.results.sections import identity_of, is_final, section_of, sections
from optreg.bench.results.thawing import InvalidResults, thaw

_NAME, _, _MAJOR = SCHEMA.partition("/")
_PLANNED = ("subjects", "tasks")  # every run finds out by itself
_DERIVED = ("summary",)  # computed anew from the raw part, never read


def write_results(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document whole or not at all: a reader never meets half a file.

    Raises:
        OSError: The file cannot be written.
    """
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)


def read_results(path: Path) -> Results:
    """Return the results that a file holds, of this or a newer minor version.

    What a newer one has written besides is kept in ``unknown``, and written again.

    Raises:
        InvalidResults: It is no results file, or one of another major version.
        OSError: It cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidResults(f"{path} is no results file: {error}") from error
    if not isinstance(document, dict):
        raise InvalidResults(f"{path} is no results file: it holds no JSON object")
    _check_version(path, document.get("schema"))
    try:
        return results_from(document)
    except InvalidResults as error:
        raise InvalidResults(f"{path}: {error}") from error


def history_of(results: Results, path: Path | None = None) -> History:
    """Return what these results say is done, so that a run can go on from them."""
    plan = Plan(
        tuple(results.names), results.options, results.machine.get("versions", {}), results.started, results.layouts
    )
    records = [
        record for name in sections() if name not in _PLANNED for record in getattr(results, name) if is_final(record)
    ]
    return History(path, plan, {identity_of(record): record for record in records}, head=results.to_dict())


def results_of(history: History) -> Results:
    """Return the results that the journal of a run holds which did not live to write its file.

    Raises:
        InvalidResults: The run had not begun when it ended.
    """
    if not history.head:
        raise InvalidResults("the run ended before it had begun to measure")
    results = results_from({name: value for name, value in history.head.items() if name != "plan"})
    for record in history.earlier.values():
        section: list[Any] = getattr(results, section_of(record))
        places = [place for place, it in enumerate(section) if identity_of(it) == identity_of(record)]
        if places:
            section[places[0]] = record
        else:
            section.append(record)
    return results


def _check_version(path: Path, schema: Any) -> None:
    match = re.fullmatch(re.escape(_NAME) + r"/(\d+)", str(schema))
    if match is None:
        raise InvalidResults(f"{path} is no results file: its schema is {schema!r:.60}, not {SCHEMA!r}")
    if match[1] != _MAJOR:
        raise InvalidResults(
            f"{path} has schema {schema}, this optreg reads {SCHEMA}; "
            f"read it with the optreg that wrote it, or measure anew"
        )


def results_from(document: Mapping[str, Any]) -> Results:
    """Return the results that a document of this major version holds.

    Raises:
        InvalidResults: A record lacks what it must have.
    """
    known = {field.name for field in dataclasses.fields(Results)} - {"unknown"}
    records = sections()
    values: dict[str, Any] = {
        name: [thaw(records[name], item) for item in value] if name in records else value
        for name, value in document.items()
        if name in known
    }
    unknown = {name: value for name, value in document.items() if name not in known and name not in _DERIVED}
    return Results(**{**values, "unknown": unknown, "minor": max(MINOR, int(document.get("minor", 0)))})
