"""Training on a small fixed scale: an optimizer, a few variables, and gradients that are the same in every process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from optreg.conformance.lazy_tensorflow import tf
from optreg.errors import UnknownSlot

SHAPES: Mapping[str, tuple[int, ...]] = {"matrix": (4, 3), "vector": (5,), "scalar": ()}
TABLE_SHAPE = (6, 3)
"""The variable that gets sparse gradients: [rows, width]."""

_SEED = 20170412
_PLACE_OF_TABLE = 99

Array = Any
Step = Callable[[Sequence[Any]], Any]


class Training:
    """One optimizer with variables of its own.

    Args:
        optimizer: A fresh optimizer.
        dtype: Of all variables.
        shapes: Name to shape of the variables.
    """

    def __init__(
        self, optimizer: Any, dtype: str = "float32", *, shapes: Mapping[str, tuple[int, ...]] = SHAPES
    ) -> None:
        self.optimizer = optimizer
        self.dtype = dtype
        self.variables = [
            tf.Variable(tf.cast(_numbers(shape, place, -1), dtype), name=name)
            for place, (name, shape) in enumerate(shapes.items())
        ]
        self.made = 0

    def gradients(self, number: int) -> list[Any]:
        """Return the gradients of step ``number``, one for each variable."""
        return [
            tf.cast(_numbers(tuple(variable.shape), place, number), self.dtype)
            for place, variable in enumerate(self.variables)
        ]

    def apply(self, gradients: Sequence[Any]) -> None:
        """Make one step with the given gradients."""
        self.optimizer.apply_gradients(list(zip(gradients, self.variables, strict=True)))

    def steps(self, count: int, step: Step | None = None) -> Training:
        """Make the next ``count`` steps, by ``apply`` or by the function given, and return the training itself."""
        for number in range(self.made, self.made + count):
            (step or self.apply)(self.gradients(number))
        self.made += count
        return self

    @property
    def values(self) -> list[Array]:
        """The values of the variables, in at least double precision."""
        return [value_of(variable) for variable in self.variables]

    @property
    def slots(self) -> list[Array]:
        """The values of the slots of the variables, as far as there are any."""
        found: list[Array] = []
        for variable in self.variables:
            for name in self.optimizer.get_slot_names():
                with suppress(UnknownSlot):
                    found.append(value_of(self.optimizer.get_slot(variable, name)))
        return found

    @property
    def state(self) -> list[Array]:
        """The values of all weights of the optimizer but the iterations."""
        return [value_of(weight) for weight in self.optimizer.weights[1:]]


class TableTraining:
    """One optimizer with one variable whose rows get sparse gradients."""

    def __init__(self, optimizer: Any, dtype: str = "float32") -> None:
        self.optimizer = optimizer
        self.table = tf.Variable(tf.cast(_numbers(TABLE_SHAPE, _PLACE_OF_TABLE, -1), dtype), name="table")

    def slices(self, rows: Sequence[int], number: int) -> Any:
        """Return the sparse gradient of step ``number`` for the given rows, which may repeat."""
        values = _numbers((len(rows), TABLE_SHAPE[1]), _PLACE_OF_TABLE, number)
        indices = tf.constant(list(rows), tf.int64)
        return tf.IndexedSlices(tf.cast(values, self.table.dtype), indices, tf.constant(TABLE_SHAPE, tf.int64))

    def apply(self, gradient: Any) -> TableTraining:
        """Make one step with a dense or sparse gradient."""
        self.optimizer.apply_gradients([(gradient, self.table)])
        return self

    @property
    def value(self) -> Array:
        """The values of the table."""
        return value_of(self.table)

    @property
    def slots(self) -> dict[str, Array]:
        """The values of the slots that have a row for each row of the table, by name."""
        named = {name: self.optimizer.get_slot(self.table, name) for name in self.optimizer.get_slot_names()}
        return {name: value_of(slot) for name, slot in named.items() if slot.shape[:1] == TABLE_SHAPE[:1]}


def densified(slices: Any) -> Any:
    """Return a sparse gradient as a dense one, repeated rows summed."""
    return tf.math.unsorted_segment_sum(slices.values, slices.indices, TABLE_SHAPE[0])


def value_of(variable: Any) -> Array:
    """Return the value of a variable or tensor as a NumPy array of float64 or complex128."""
    return np.asarray(tf.cast(variable, tf.complex128 if variable.dtype.is_complex else tf.float64))


def _numbers(shape: tuple[int, ...], place: int, number: int) -> Array:
    """Return fixed numbers between 0.1 and 1 in size, of either sign: none so small that rounding decides its sign."""
    random = np.random.default_rng([_SEED, place, number + 1])
    return random.uniform(0.1, 1.0, shape) * random.choice([-1.0, 1.0], shape)
