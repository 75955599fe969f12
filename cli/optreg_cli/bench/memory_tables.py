"""The table of ``--mode memory``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optreg_cli import rendering
from optreg_cli.bench.units import NOTHING

if TYPE_CHECKING:
    from optreg.bench import Results
    from optreg.bench.memory.records import MemoryEntry


def show_memory(results: Results) -> None:
    """Write one row for each optimizer and layout, and what could not be measured."""
    if not results.memory:
        return
    rendering.heading("Memory, each in a fresh process")
    columns = ("optimizer", "layout", "device", "slots", "for each parameter", "as declared", "allocated", "step extra")
    rendering.table(columns, [_cells(entry) for entry in results.memory if entry.state.name != "failed"])
    rendering.paragraph(
        "Slots are counted exactly, and compared with the card byte by byte; allocated is what the process grew by "
        "when they were made; step extra what a step took besides at its peak."
    )
    for entry in results.memory:
        if entry.state.name != "finished":
            rendering.paragraph(f"{entry.state.name}: {entry.optimizer} on {entry.layout}: {entry.state.reason}")


def _cells(entry: MemoryEntry) -> tuple[str, ...]:
    said = {True: "exactly", False: "NO", None: NOTHING}[entry.as_declared]
    each = f"{entry.measured / entry.parameters:.3g} B" if entry.parameters else NOTHING
    sizes = (_size(entry.measured), each, said, _size(entry.allocated), _size(entry.step_extra))
    return (entry.optimizer, entry.layout, entry.device, *sizes)


def _size(value: int | None) -> str:
    return NOTHING if value is None else f"{value / 1e6:.4g} MB"
