"""The property matrix, and what the machine and the memory were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, number, series_name, unique
from optreg.bench.speed.ceiling import CEILING

Record = Mapping[str, Any]


def property_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the matrix of probes and optimizers, where they were asked."""
    answers = document.get("properties", [])
    if not answers:
        return
    names = unique([it["optimizer"] for it in answers])
    by_key = {(it["probe"], it["optimizer"]): it for it in answers}
    headings: dict[int, str] = {}
    rows: list[tuple[str, ...]] = []
    for probe in unique([it["probe"] for it in answers]):
        first = next(it for it in answers if it["probe"] == probe)
        if first["group"] not in headings.values():
            headings[len(rows)] = first["group"]
        cells = [by_key[probe, name]["answer"] if (probe, name) in by_key else "not asked" for name in names]
        rows.append((clean(first["question"]), *map(clean, cells)))
    shown = Table(("property", *map(clean, names)), rows, matrix=True, headings=headings)
    words = ("optimizer", "question", "answer", "what it means")
    data = Table(
        words, [tuple(clean(it[key]) for key in ("optimizer", "question", "answer", "meaning")) for it in answers]
    )
    yield Exhibit(
        "matrix",
        f"{len(rows)} properties of {len(names)} optimizer{'s' if len(names) > 1 else ''}",
        "Each is a small experiment with a yes or a no. Neither is a fault: what it means for a user stands in the "
        "data. "
        "Where a question asks what an optimizer can do, it may choose among five learning rates.",
        data,
        again(document, "properties"),
        shown=shown,
    )


def memory_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the bytes of every slot, measured beside declared, on the first layout that was measured."""
    entries = [it for it in document.get("speed", []) if it["slots"] or it["build"] is not None]
    entries = [it for it in entries if it["implementation"] not in ("harness", CEILING)]
    seen: dict[tuple[str, str, str], Record] = {}
    for it in entries:
        seen.setdefault((it["optimizer"], it["implementation"], it["layout"]), it)
    if not seen:
        return
    rows = [cells for it in seen.values() for cells in _slot_rows(it)]
    wrong = [cells[0] for cells in rows if cells[-1] == "differs"]
    yield Exhibit(
        "bytes",
        "Bytes of state",
        "What each slot really takes, beside what the card of the optimizer declares.",
        Table(("optimizer", "layout", "slot", "bytes", "bytes a parameter", "declared", ""), rows),
        again(document, "speed"),
        warnings=[f"{name} keeps other bytes than its card declares" for name in unique(wrong)],
    )


def _slot_rows(entry: Record) -> Iterator[tuple[str, ...]]:
    name = series_name(entry["optimizer"], entry["implementation"])
    if not entry["slots"]:
        yield name, clean(entry["layout"]), "none", "0", "0", "–", ""
    for slot in entry["slots"]:
        declared = slot["declared"]
        same = "" if declared is None else "as declared" if declared == slot["measured"] else "differs"
        each = number(slot["measured"] / entry["parameters"]) if entry["parameters"] else "–"
        said = "–" if declared is None else f"{declared:,}"
        yield name, clean(entry["layout"]), clean(slot["name"]), f"{slot['measured']:,}", each, said, same
