"""The optimizers under measurement, ours and those of other libraries, behind one small interface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf


@dataclass(frozen=True)
class StateArray:
    """One array of optimizer state: the slot's name, and the bytes that it really takes."""

    slot: str
    bytes: int


class Subject(Protocol):
    """An optimizer that owns variables and updates them; every library's way of saying so is hidden behind this."""

    variables: Sequence[tf.Variable]

    @property
    def learning_rate(self) -> tf.Variable | None:
        """The variable that the steps read the learning rate from, once built; None where there is none to set."""

    def build(self, values: Sequence[Any]) -> None:
        """Create one variable for each value, and all state, before the first step."""

    def step(self, gradients: Sequence[Any]) -> None:
        """Apply one gradient to each variable, eagerly or while a ``tf.function`` is traced."""

    def state(self) -> Sequence[StateArray]:
        """Return every array kept per variable."""


class LegacyContract:
    """A subject for the contract of Keras 2.9: ``apply_gradients``, slots by name. Ours and ``tf_keras`` have it."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.variables: Sequence[tf.Variable] = ()

    def build(self, values: Sequence[Any]) -> None:
        """Create variables and slots."""
        self.variables = [tf.Variable(value) for value in values]
        if hasattr(self.optimizer, "build"):
            self.optimizer.build(self.variables)
        else:
            # Without a public way to create state early, tf_keras would create it within the first timed step.
            self.optimizer._create_all_weights(self.variables)

    def step(self, gradients: Sequence[Any]) -> None:
        """Call ``apply_gradients`` as a training loop does."""
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))

    @property
    def learning_rate(self) -> tf.Variable | None:
        """The variable of that hyperparameter; None for a schedule, a callable, or an optimizer without it."""
        return _variable_or_none(getattr(self.optimizer, "learning_rate", None))

    def state(self) -> Sequence[StateArray]:
        """Return the slots of all variables."""
        pairs = [(name, variable) for name in self.optimizer.get_slot_names() for variable in self.variables]
        found = ((name, slot_or_none(self.optimizer, variable, name)) for name, variable in pairs)
        return [StateArray(name, array_bytes(slot)) for name, slot in found if slot is not None]


class Keras3:
    """A subject for the optimizers of Keras 3 on its TensorFlow backend: ``apply`` on ``keras.Variable``."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.variables: Sequence[tf.Variable] = ()
        self._keras_variables: Sequence[Any] = ()

    def build(self, values: Sequence[Any]) -> None:
        """Create Keras variables and the optimizer's state; ``variables`` are the TensorFlow variables inside them."""
        import keras  # noqa: PLC0415 - a peer that need not be installed

        self._keras_variables = [keras.Variable(value) for value in values]
        self.variables = [variable.value for variable in self._keras_variables]
        self.optimizer.build(self._keras_variables)

    def step(self, gradients: Sequence[Any]) -> None:
        """Call ``apply`` as a custom training loop of Keras 3 does."""
        self.optimizer.apply(gradients, self._keras_variables)

    @property
    def learning_rate(self) -> tf.Variable | None:
        """The TensorFlow variable inside the Keras variable; None for a schedule, of which Keras gives the value."""
        return _variable_or_none(getattr(self.optimizer.learning_rate, "value", None))

    def state(self) -> Sequence[StateArray]:
        """Return all variables of the optimizer except its step counter and learning rate, by their names."""
        general = {id(self.optimizer.iterations), id(getattr(self.optimizer, "_learning_rate", None))}
        arrays = [variable for variable in self.optimizer.variables if id(variable) not in general]
        return [StateArray(_slot_of(variable.path), array_bytes(variable)) for variable in arrays]


def array_bytes(array: Any) -> int:
    """Return the bytes of a variable: shape times itemsize."""
    dtype = tf.as_dtype(array.dtype)
    return math.prod(int(size) for size in array.shape) * int(dtype.size)


def bytes_by_slot(arrays: Sequence[StateArray]) -> Mapping[str, int]:
    """Return the bytes of all variables together for each slot name."""
    totals: dict[str, int] = {}
    for array in arrays:
        totals[array.slot] = totals.get(array.slot, 0) + array.bytes
    return totals


def _variable_or_none(value: Any) -> tf.Variable | None:
    return value if isinstance(value, tf.Variable) else None


def _slot_of(path: str) -> str:
    # Keras 3 names state after its variable: "adam/variable_12_momentum" is the slot "momentum" of "variable_12".
    return path.rsplit("_", 1)[-1].rsplit("/", 1)[-1]


def slot_or_none(optimizer: Any, variable: tf.Variable, name: str) -> Any:
    """Return the slot of the variable; None where it has none of this name."""
    # A slot that some variables have and others lack is legal; tf_keras and optreg say so with different errors.
    try:
        return optimizer.get_slot(variable, name)
    except (KeyError, ValueError):
        return None
