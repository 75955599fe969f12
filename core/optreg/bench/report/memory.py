"""What memory the optimizers take: bytes of every slot, and of the process when they are made and used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optreg.bench.report.again import again
from optreg.bench.report.figure import Exhibit, Table
from optreg.bench.report.text import clean, number, series_name, unique
from optreg.bench.speed.ceiling import AIDS

Record = Mapping[str, Any]


def memory_exhibits(document: Record) -> Iterator[Exhibit]:
    """Yield the bytes of the slots, and of the process where they were measured; nothing where nothing is known."""
    of_process = [it for it in document.get("memory", []) if it["state"]["name"] == "finished"]
    stepped = [it for it in document.get("speed", []) if it["slots"] or it["build"] is not None]
    stepped = [it for it in stepped if it["implementation"] not in AIDS]
    if stepped or of_process:
        yield _slots(document, stepped or of_process, "speed" if stepped else "memory")
    if of_process:
        yield _processes(document, of_process)


def _slots(document: Record, entries: list[Record], mode: str) -> Exhibit:
    """Return the bytes of every slot, measured beside declared, once for each layout."""
    seen: dict[tuple[str, str, str], Record] = {}
    for it in entries:
        seen.setdefault((it["optimizer"], it["implementation"], it["layout"]), it)
    rows = [cells for it in seen.values() for cells in _slot_rows(it)]
    wrong = [cells[0] for cells in rows if cells[-1] == "differs"]
    return Exhibit(
        "bytes",
        "Bytes of state",
        "What each slot really takes, beside what the card of the optimizer declares.",
        Table(("optimizer", "layout", "slot", "bytes", "bytes a parameter", "declared", ""), rows),
        again(document, mode),
        warnings=[f"{name} keeps other bytes than its card declares" for name in unique(wrong)],
    )


def _processes(document: Record, entries: list[Record]) -> Exhibit:
    """Return what the process grew by, each in a fresh one."""
    rows = [
        (
            series_name(it["optimizer"], it["implementation"]),
            clean(it["layout"]),
            clean(it["device"]),
            *(_megabytes(size) for size in (_measured(it), it["allocated"], it["step_extra"])),
        )
        for it in entries
    ]
    return Exhibit(
        "processes",
        "Memory of the process",
        "Each in a fresh process. Slots: their bytes, counted exactly. Allocated: what the process grew by when they "
        "were made. Step extra: what a step took besides at its peak. The last two hold what the allocator and the "
        "kernel round up; a dash where the system does not tell.",
        Table(("optimizer", "layout", "device", "slots", "allocated", "step extra"), rows),
        again(document, "memory"),
    )


def _measured(entry: Record) -> int:
    return sum(slot["measured"] for slot in entry["slots"])


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{number(size / 1e6, 4)} MB"


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
