"""Bringing detached slots to the variables that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.optimizer import distribution
from optreg.optimizer.state.detached import DetachedSlots, Match, certain_matches, matches, require_one_reading
from optreg.optimizer.state.saved_model import ExportedState
from optreg.optimizer.state.slots import SlotTable


class AttachableState(ExportedState):
    """Part of the optimizer that finds slots, those too that wait for their variable."""

    _detached: tuple[DetachedSlots, ...] = ()
    _distribution_strategy: Any
    _slot_table: SlotTable
    _weights: list[Any]
    add_slot: Callable[..., Any]

    def _owned_slots(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return (variable, its slots by name) for every variable that still exists, in the order of creation."""
        if self._detached:
            known = [slots.owner for slots in self._detached if slots.owner is not None]
            self._attach(certain_matches(self._detached, known))
        return self._slot_table.owned()

    def _find_slot(self, variable: Any, slot_name: str) -> Any | None:
        """Return the slot of a variable, which may have waited for it, or None."""
        key = distribution.variable_key(variable)
        if self._detached and self._slot_table.find(key, slot_name) is None:
            require_one_reading(self._detached, variable)
            self._attach(certain_matches(self._detached, [variable]))
        return self._slot_table.find(key, slot_name)

    def _attach_detached(self, variables: Sequence[Any], *, in_order: bool) -> None:
        """Give waiting slots to variables about to be trained.

        Raises:
            InvalidState: It cannot be told which slots are whose.
        """
        if self._detached:
            self._attach(matches(self._detached, variables, in_order=in_order))

    def _attach(self, matched: Iterable[Match]) -> None:
        for detached, variable in matched:
            self._detached = tuple(other for other in self._detached if other is not detached)
            for slot_name, slot in detached.slots.items():
                if self._fits_as_it_is(slot, variable):
                    self._slot_table.put(
                        distribution.variable_key(variable),
                        slot_name,
                        slot,
                        variable_name=distribution.shared_name(variable),
                        owner=variable,
                    )
                else:
                    self._move(slot, variable, slot_name)

    def _fits_as_it_is(self, slot: Any, variable: Any) -> bool:
        """Whether a slot lies where ``add_slot`` would create it."""
        plain = not isinstance(variable, tf.distribute.DistributedValues) and distribution.parts_of(variable) is None
        alone = self._distribution_strategy is None and distribution.present_strategy() is None
        return plain and alone and bool(slot.device == variable.device)

    def _move(self, slot: Any, variable: Any, slot_name: str) -> None:
        """Create the slot where the variable lives, in the place of ``slot`` among the weights."""
        position = next(number for number, weight in enumerate(self._weights) if weight is slot)
        count = len(self._weights)
        with tf.init_scope():
            self.add_slot(variable, slot_name, initializer=slot.read_value(), shape=slot.shape, dtype=slot.dtype)
        created = self._weights[count:]
        self._weights[count:] = []
        self._weights[position : position + 1] = created
