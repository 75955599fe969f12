"""What a measurement of memory leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field

from optreg.bench.results.records import SlotBytes, State


@dataclass
class MemoryEntry:
    """Bytes of one optimizer's state on one layout and device.

    ``slots`` are exact, beside what the card declares; ``allocated`` is what the process grew by when they were made;
    ``step_extra`` what a step took besides at its peak. None where the system does not tell.
    """

    optimizer: str
    implementation: str
    layout: str
    device: str
    parameters: int = 0
    state: State = field(default_factory=State)
    slots: list[SlotBytes] = field(default_factory=list)
    declares: bool = False
    allocated: int | None = None
    step_extra: int | None = None

    @property
    def measured(self) -> int:
        """Bytes of all slots."""
        return sum(slot.measured for slot in self.slots)

    @property
    def as_declared(self) -> bool | None:
        """Whether every slot takes exactly what the card declares; None where there is no card, or nothing measured."""
        if not self.declares or self.state.name == "failed":
            return None
        return all(slot.measured == slot.declared for slot in self.slots)
