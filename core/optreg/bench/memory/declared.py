"""Compare the state that an optimizer keeps with the state that its card declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from optreg.bench.results import SlotBytes
from optreg.bench.subjects import StateArray, array_bytes, bytes_by_slot
from optreg.cards import OptimizerCard, Slot


def compare_state(
    arrays: Sequence[StateArray],
    variables: Sequence[tf.Variable],
    *,
    card: OptimizerCard | None,
    hyperparameters: Mapping[str, Any],
) -> list[SlotBytes]:
    """Return measured bytes of each slot beside the declared ones.

    A declared slot that does not exist is listed with 0 measured bytes. Without a card nothing is declared, and every
    slot counts as read and written once a step.
    """
    measured = bytes_by_slot(arrays)
    if card is None or card.declared is None:
        return [SlotBytes(name, size) for name, size in measured.items()]
    expected = set(card.slot_names(**hyperparameters))
    slots = {slot.name: slot for slot in card.declared.slots if slot.name in expected}
    declared = {name: sum(_slot_bytes(slot, variable) for variable in variables) for name, slot in slots.items()}
    return [
        SlotBytes(name, measured.get(name, 0), declared.get(name), *_passes(slots.get(name)))
        for name in {**measured, **declared}
    ]


def _passes(slot: Slot | None) -> tuple[float, ...]:
    return () if slot is None else (float(slot.reads), float(slot.writes))


def _slot_bytes(slot: Slot, variable: tf.Variable) -> int:
    dtype = tf.as_dtype(variable.dtype)
    least = tf.as_dtype(slot.at_least) if slot.at_least else dtype
    itemsize: int = max(dtype.size, least.size)
    return itemsize if slot.scalar else array_bytes(variable) // dtype.size * itemsize
