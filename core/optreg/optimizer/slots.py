"""Slots: the arrays that an optimizer keeps for each variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from optreg.errors import HyperparameterTypeError, UnknownSlot, listing, suggestion
from optreg.optimizer.distribution import describe_value

_INITIALIZERS: dict[str, Callable[[], Any]] = {
    "zeros": tf.zeros_initializer,
    "ones": tf.ones_initializer,
    "random_normal": tf.random_normal_initializer,
    "random_uniform": tf.random_uniform_initializer,
}


class SlotTable:
    """Slots by variable and name, in the order of their creation."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slots: dict[str, dict[str, Any]] = {}
        self._variable_names: dict[str, str] = {}

    def find(self, key: str, slot_name: str) -> Any | None:
        """Return the slot, or None where there is none."""
        return self._slots.get(key, {}).get(slot_name)

    def get(self, key: str, slot_name: str, variable_name: str) -> Any:
        """Return the slot.

        Raises:
            UnknownSlot: The variable or the slot is not known; the message says which are.
        """
        try:
            return self._slots[key][slot_name]
        except KeyError:
            raise UnknownSlot(self._why_unknown(key, slot_name, variable_name)) from None

    def put(self, key: str, slot_name: str, slot: Any, *, variable_name: str) -> None:
        """Record a new slot."""
        self._slots.setdefault(key, {})[slot_name] = slot
        self._variable_names.setdefault(key, variable_name)
        if slot_name not in self.names:
            self.names.append(slot_name)

    def _why_unknown(self, key: str, slot_name: str, variable_name: str) -> str:
        slots = self._slots.get(key)
        if slots is not None:
            return f"no slot {slot_name!r} for variable {variable_name!r}; its slots: {listing(slots)}." + suggestion(
                slot_name, slots
            )
        return (
            f"no slots for variable {variable_name!r} yet; variables with slots: "
            f"{listing(self._variable_names.values())}. Slots are created by the first apply_gradients() that "
            "includes the variable, or by build([variable])"
        )


def initial_value(initializer: Any, shape: Any, dtype: Any) -> Any:
    """Return what ``tf.Variable`` takes as initial value for an initializer given as text, callable or tensor.

    A callable gets ``shape`` and ``dtype`` as keywords, or nothing if it takes no argument.

    Raises:
        HyperparameterTypeError: Text that names no initializer, or nothing that can be a value.
    """
    if isinstance(initializer, str):
        if initializer not in _INITIALIZERS:
            raise HyperparameterTypeError(
                f"slot initializer {initializer!r} is not known; allowed: {listing(_INITIALIZERS)}, a callable of "
                f"(shape, dtype) or a tensor.{suggestion(initializer, _INITIALIZERS)}"
            )
        initializer = _INITIALIZERS[initializer]()
    if callable(initializer) and not isinstance(initializer, tf.Variable):
        return lambda: initializer(shape=shape, dtype=dtype) if _takes_shape(initializer) else initializer()
    if initializer is None:
        raise HyperparameterTypeError(f"a slot initializer is needed, received {describe_value(initializer)}")
    return tf.cast(initializer, dtype)


def _takes_shape(initializer: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(initializer).parameters)
    except (TypeError, ValueError):
        return True
