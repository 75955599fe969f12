"""The property matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, unique

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
