"""The traffic floor: the least number of bytes that one update step has to move.

Each gradient is read once, each variable read and written once, and so is each slot unless its card says otherwise.
Bytes of the floor divided by the step time is a bandwidth that can be compared with the machine's; what an
implementation moves beyond it counts as lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from optreg.bench.results import SlotBytes


class StateTraffic(NamedTuple):
    """Bytes of state that a step passes: read and written back, only read, only written."""

    updated: int = 0
    read: int = 0
    written: int = 0

    @property
    def total(self) -> int:
        """Bytes moved: what is updated moves twice."""
        return 2 * self.updated + self.read + self.written


def state_traffic(slots: Iterable[SlotBytes]) -> StateTraffic:
    """Return what a step passes of the slots; half of a slot that is touched at every other step."""
    found = list(slots)
    return StateTraffic(
        updated=round(sum(slot.measured * min(slot.reads, slot.writes) for slot in found)),
        read=round(sum(slot.measured * max(slot.reads - slot.writes, 0.0) for slot in found)),
        written=round(sum(slot.measured * max(slot.writes - slot.reads, 0.0) for slot in found)),
    )


def dense_floor(parameter_bytes: int, state: int) -> int:
    """Return the floor for gradients as large as the variables: float32 SGD 12 bytes a parameter, Adam 28.

    Args:
        parameter_bytes: Of all variables.
        state: Bytes of state that the step moves: twice the size of what it reads and writes.
    """
    return 3 * parameter_bytes + state


def sparse_floor(*, gradient_rows: int, distinct_rows: int, row_bytes: int, row_state: int = 0) -> int:
    """Return the floor when only the rows in the gradient move.

    Rows may repeat: each is read from the gradient, but variable and slots of a row move once. An optimizer whose
    slots decay on every row has to move more; it is compared with this floor all the same. ``row_state`` counts the
    bytes of state that move with a row, as ``state`` does in ``dense_floor``.
    """
    return gradient_rows * row_bytes + distinct_rows * (2 * row_bytes + row_state)
