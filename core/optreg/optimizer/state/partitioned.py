"""Variables partitioned over parameter servers: gradients and initial values cut into the parts' own.

A partitioned variable is a row of variables, its parts, cut along the first axis. An optimizer updates parts as it
updates any other variable; only what the user gives for the whole has to be cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidGradients
from optreg.optimizer.distribution import describe_value, parts_of, shared_name
from optreg.optimizer.state.slots import slot_shape


def in_parts(nested: Any) -> list[Any]:
    """Return a nest of variables as a flat list, each partitioned one replaced by its parts."""
    return [part for variable in tf.nest.flatten(nested) for part in parts_of(variable) or (variable,)]


def split_gradient(gradient: Any, variable: Any) -> list[Any]:
    """Return the gradient of each part of a partitioned variable.

    Args:
        gradient: A tensor of the whole shape; ``tf.IndexedSlices`` whose indices are rows of the whole; a list with the
            gradient of each part; or None.
        variable: The partitioned variable.

    Raises:
        InvalidGradients: Anything else, or of another shape.
    """
    parts = parts_of(variable) or ()
    if gradient is None:
        return [None] * len(parts)
    if isinstance(gradient, (list, tuple)) and len(gradient) == len(parts):
        return list(gradient)
    if isinstance(gradient, tf.IndexedSlices):
        return _rows_of_each(gradient, parts)
    if tf.is_tensor(gradient) and gradient.shape.is_compatible_with(variable.shape):
        return list(tf.split(gradient, [part.shape[0] for part in parts]))
    raise InvalidGradients(
        f"gradient for the partitioned variable {shared_name(variable)!r} of shape {variable.shape} must be a tensor "
        f"of that shape, tf.IndexedSlices, or a list with the gradient of each of its {len(parts)} parts; received "
        f"{describe_value(gradient)}"
    )


def _rows_of_each(gradient: Any, parts: Sequence[Any]) -> list[Any]:
    """Cut by rows; one before the first or after the last goes to the part at that end, whose kernel refuses it."""
    starts = list(accumulate((part.shape[0] for part in parts[:-1]), initial=0))
    # [rows]
    numbers = tf.searchsorted(tf.constant(starts[1:], gradient.indices.dtype), gradient.indices, side="right")
    cut = []
    for number, (part, start) in enumerate(zip(parts, starts, strict=True)):
        present = numbers == number
        rows = tf.boolean_mask(gradient.values, present), tf.boolean_mask(gradient.indices, present) - start
        cut.append(tf.IndexedSlices(*rows, tf.constant(part.shape.as_list(), gradient.indices.dtype)))
    return cut


def slot_arguments(variable: Any, initializer: Any, shape: Any) -> list[tuple[Any, Any]]:
    """Return (initializer, shape) of the slot of each part, for a slot described for the whole variable.

    Args:
        variable: The partitioned variable.
        initializer: As ``add_slot`` takes it; a tensor is cut as the variable is, if it has as many rows.
        shape: Shape of the slot, or None for the variable's; one with as many rows as the variable is cut as well.
    """
    parts = parts_of(variable) or ()
    rows = [part.shape[0] for part in parts]
    shape = slot_shape(variable, initializer, shape)
    cut = bool(shape.rank) and shape[0] == sum(rows)
    shapes = [tf.TensorShape([number, *shape[1:]]) if cut else shape for number in rows]
    whole_value = tf.is_tensor(initializer) or isinstance(initializer, (tf.Variable, np.ndarray))
    initializers = tf.split(initializer, rows) if cut and whole_value else [initializer] * len(rows)
    return list(zip(initializers, shapes, strict=True))
