"""Everything a run does for memory: one fresh process for each optimizer and layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optreg.bench.contenders import OURS, Contender
from optreg.bench.machine import Device
from optreg.bench.memory.allocated import measure_memory
from optreg.bench.memory.records import MemoryEntry
from optreg.bench.progress import Clock
from optreg.bench.results import History, State
from optreg.bench.speed.layouts import Layout

_SECONDS = 8.0  # one process, most of it for loading TensorFlow
_LONGEST = 120.0


@dataclass
class Survey:
    """The memory part of a run; its entries stand in the results from the beginning."""

    clock: Clock
    history: History
    _ahead: list[tuple[MemoryEntry, Layout]] = field(default_factory=list)

    def plan(
        self, contenders: Sequence[Contender], layouts: Sequence[Layout], devices: Sequence[Device]
    ) -> list[MemoryEntry]:
        """Lay out the entries and return them."""
        found = [
            (MemoryEntry(it.optimizer, it.implementation, layout.name, device.name, layout.parameters), layout)
            for device in devices
            for layout in layouts
            for it in contenders
            if it.implementation == OURS
        ]
        self._ahead = [(entry, layout) for entry, layout in found if not self.history.adopt(entry)]
        return [entry for entry, _ in found]

    def everything(self) -> None:
        """Measure until the time is over."""
        while self._ahead:
            entry, layout = self._ahead.pop(0)
            if self.clock.left < _SECONDS:
                entry.state = State("skipped", "no time for its process; raise --budget", _SECONDS)
                continue
            label = f"memory of {entry.optimizer} on {layout.name}"
            self.clock.tell(label)
            self.history.announce(label, entry.optimizer, entry.implementation)
            measure_memory(entry, layout, timeout=min(self.clock.left, _LONGEST))
            self.history.keep(entry)

    def seconds_ahead(self) -> float:
        """Forecast the seconds that the entries not yet measured will take."""
        return _SECONDS * len(self._ahead)
