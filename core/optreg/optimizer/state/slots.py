"""Slots: the arrays that an optimizer keeps for each variable."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import HyperparameterTypeError, UnknownSlot, listing, suggestion
from optreg.optimizer.distribution import describe_value, join_parts, parts_of, shared_name, variable_key
from optreg.optimizer.state.detached import Description, description_of

_INITIALIZERS: dict[str, Callable[[], Any]] = {
    "zeros": tf.zeros_initializer,
    "ones": tf.ones_initializer,
    "random_normal": tf.random_normal_initializer,
    "random_uniform": tf.random_uniform_initializer,
    # TensorFlow's default deviation is 1, Keras's this one.
    "truncated_normal": partial(tf.compat.v1.truncated_normal_initializer, stddev=0.05),
    "variance_scaling": tf.compat.v1.variance_scaling_initializer,
    "glorot_normal": tf.compat.v1.glorot_normal_initializer,
    "glorot_uniform": tf.compat.v1.glorot_uniform_initializer,
    "he_normal": tf.compat.v1.initializers.he_normal,
    "he_uniform": tf.compat.v1.initializers.he_uniform,
    "lecun_normal": tf.compat.v1.initializers.lecun_normal,
    "lecun_uniform": tf.compat.v1.initializers.lecun_uniform,
    "orthogonal": tf.compat.v1.orthogonal_initializer,
    "identity": tf.compat.v1.initializers.identity,
}
"""The initializers by the names of Keras 2.9, as TensorFlow itself has them."""


class SlotTable:
    """Slots by variable and name, in the order of their creation."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slots: dict[str, dict[str, Any]] = {}
        self._variable_names: dict[str, str] = {}
        self._owners: dict[str, weakref.ref[Any]] = {}
        self._descriptions: dict[str, Description] = {}
        self._joined: dict[tuple[str, str], Any] = {}
        self._early: set[int] = set()

    def find(self, key: str, slot_name: str) -> Any | None:
        """Return the slot, or None where there is none."""
        return self._slots.get(key, {}).get(slot_name)

    def joined(self, variable: Any, slot_name: str) -> Any | None:
        """Return the slot of a partitioned variable, whose parts are the slots of the variable's parts.

        None for another variable, where a part has no such slot yet, and for scalars, which cannot be joined. The same
        object is returned every time, because a checkpoint knows objects by their identity.
        """
        parts = parts_of(variable)
        if parts is None:
            return None
        place = (variable_key(variable), slot_name)
        if place not in self._joined:
            slots = [self.find(variable_key(part), slot_name) for part in parts]
            if any(slot is None or slot.shape.rank == 0 for slot in slots):
                return None
            self._joined[place] = join_parts(slots, f"{shared_name(variable)}/{slot_name}")
        return self._joined[place]

    def get(self, variable: Any, slot_name: str) -> Any:
        """Return the slot of a variable, partitioned or not.

        Raises:
            UnknownSlot: The variable or the slot is not known; the message says which are.
        """
        slot = self.find(variable_key(variable), slot_name)
        if slot is None:
            slot = self.joined(variable, slot_name)
        if slot is None:
            raise UnknownSlot(self._why_unknown(variable, slot_name))
        return slot

    def put(self, key: str, slot_name: str, slot: Any, *, variable_name: str, owner: Any) -> None:
        """Record a new slot of the variable ``owner``, which is not kept alive."""
        self._slots.setdefault(key, {})[slot_name] = slot
        self._variable_names.setdefault(key, variable_name)
        if key not in self._owners or self._owners[key]() is None:
            self._owners[key] = weakref.ref(owner)
            self._descriptions[key] = description_of(owner)
        if slot_name not in self.names:
            self.names.append(slot_name)

    def by_key(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the slots by ``variable_key`` and by name, not to be changed."""
        return MappingProxyType({key: MappingProxyType(own) for key, own in self._slots.items()})

    def mark_early(self, slot: Any) -> None:
        """Note that a checkpoint brought the slot, in an order of its own, before the optimizer asked for it."""
        self._early.add(id(slot))

    def settle(self, slot: Any, slot_name: str) -> bool:
        """Give a slot that came early its place in the order, now that the optimizer asks for it; tell if it was."""
        if id(slot) not in self._early:
            return False
        self._early.discard(id(slot))
        self.names.remove(slot_name)
        self.names.append(slot_name)
        return True

    def owned(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return (variable, its slots by name) for every variable that still exists, in the order of creation."""
        found = [(self._owners[key](), slots) for key, slots in self._slots.items()]
        return [(variable, dict(slots)) for variable, slots in found if variable is not None]

    def orphaned(self) -> list[tuple[Description, dict[str, Any]]]:
        """Return (description of a variable, its slots by name) if not one variable exists any more.

        Where others live on, those that are gone were given up, as when a model is built a second time.
        """
        return [] if self.owned() else [(self._descriptions[key], dict(slots)) for key, slots in self._slots.items()]

    def of(self, variable: Any) -> dict[str, Any]:
        """Return the slots of a variable by name; where those of its parts cannot be joined, a list of them."""
        parts = parts_of(variable)
        if parts is None:
            return dict(self._slots.get(variable_key(variable), {}))
        own = [self._slots.get(variable_key(part), {}) for part in parts]
        joined = {name: self.joined(variable, name) for name in own[0]}
        return {
            name: slot if slot is not None else [slots[name] for slots in own if name in slots]
            for name, slot in joined.items()
        }

    def drop(self, slots: Iterable[Any]) -> None:
        """Forget these slots, as if they had never been created."""
        dropped = {id(slot) for slot in slots}
        for own in self._slots.values():
            for name in [name for name, slot in own.items() if id(slot) in dropped]:
                del own[name]
        self._slots = {key: own for key, own in self._slots.items() if own}
        self._joined = {}
        self.names = [name for name in self.names if any(name in own for own in self._slots.values())]

    def _why_unknown(self, variable: Any, slot_name: str) -> str:
        variable_name = shared_name(variable)
        parts = parts_of(variable) or (variable,)
        slots = self._slots.get(variable_key(parts[0]))
        if slots is not None and slot_name in slots:
            return (
                f"each part of variable {variable_name!r} has a scalar slot {slot_name!r} of its own: call get_slot() "
                "with one of the variable's parts"
            )
        if slots is not None:
            return f"no slot {slot_name!r} for variable {variable_name!r}; its slots: {listing(slots)}." + suggestion(
                str(slot_name), slots
            )
        return (
            f"no slots for variable {variable_name!r} yet; variables with slots: "
            f"{listing(self._variable_names.values())}. Slots are created by the first apply_gradients() that "
            "includes the variable, or by build([variable])"
        )


def slot_shape(variable: Any, initializer: Any, shape: Any) -> Any:
    """Return the shape of a slot: the one given, else that of an initializer that is a value, else the variable's.

    Raises:
        HyperparameterTypeError: A value of another shape than the one given.
    """
    if initializer is None or isinstance(initializer, str) or _makes_values(initializer):
        return variable.shape if shape is None else tf.TensorShape(shape)
    own = tf.TensorShape(initializer.shape if hasattr(initializer, "shape") else np.shape(initializer))
    if shape is not None and not own.is_compatible_with(shape):
        raise HyperparameterTypeError(
            f"a slot of shape {tuple(shape)} cannot start from {describe_value(initializer)}: leave shape out, and the "
            "slot takes that of the value, or pass a callable of (shape, dtype)"
        )
    return own


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
    if _makes_values(initializer):
        return lambda: initializer(shape=shape, dtype=dtype) if _takes_shape(initializer) else initializer()
    if initializer is None:
        raise HyperparameterTypeError(f"a slot initializer is needed, received {describe_value(initializer)}")
    return tf.cast(initializer, dtype)


def _makes_values(initializer: Any) -> bool:
    return callable(initializer) and not isinstance(initializer, tf.Variable)


def _takes_shape(initializer: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(initializer).parameters)
    except (TypeError, ValueError):
        return True
