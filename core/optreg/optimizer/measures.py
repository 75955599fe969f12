"""Measures of gradients, taken over whole variables: norms and sums of squares, in at least single precision.

A sparse gradient stands for the sum of its rows, so rows are summed before anything is measured. A variable that is
partitioned over parameter servers counts as one: its parts are measured together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidVariable
from optreg.optimizer.distribution import Pair, shared_name, variable_key, whole_of

_SHORT = (tf.float16, tf.bfloat16)


def widened(values: Any) -> Any:
    """Return 16-bit numbers as float32: the square of 300 is infinite in float16. Others are returned as they are."""
    return tf.cast(values, tf.float32) if values.dtype in _SHORT else values


def values_of(gradient: Any) -> Any:
    """Return the tensor of a dense gradient, or the rows of a sparse one."""
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def sum_of_squares(gradients: Iterable[Any], axis: Sequence[int] | None = None) -> Any:
    """Return the sum over all gradients of their squared magnitudes, over ``axis`` (kept) or over everything.

    Args:
        gradients: Of one dtype; sparse ones with each row once.
        axis: Axes to sum over, for gradients that agree in the others.
    """
    squares = [tf.math.real(x * tf.math.conj(x)) for x in (widened(values_of(gradient)) for gradient in gradients)]
    return tf.add_n([tf.reduce_sum(square, axis, keepdims=axis is not None) for square in squares])


def scaled(gradient: Any, factor: Any) -> Any:
    """Return a gradient times a real factor of at least single precision, in the gradient's own dtype."""
    values = values_of(gradient)
    wide = widened(values)
    # tf.cast would round a Python number to float32 on its way to float64.
    factor = tf.cast(factor, wide.dtype) if tf.is_tensor(factor) else tf.constant(factor, wide.dtype)
    result = tf.cast(wide * factor, values.dtype)
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(result, gradient.indices, gradient.dense_shape)
    return result


def of_whole_variables(pairs: Sequence[Pair], change: Callable[[Sequence[Pair]], Sequence[Any]]) -> list[Pair]:
    """Return the pairs with the gradients that ``change`` makes of them, called once for each whole variable.

    Args:
        pairs: Pairs in any order.
        change: From the pairs of one variable (several where it is partitioned) to their new gradients.
    """
    groups: dict[Any, list[int]] = {}
    for position, (_, variable) in enumerate(pairs):
        whole = whole_of(variable)
        # A variable that is paired twice gets two gradients, each measured on its own.
        groups.setdefault(position if whole is None else variable_key(whole), []).append(position)
    changed = list(pairs)
    for positions in groups.values():
        gradients = change([pairs[position] for position in positions])
        for position, gradient in zip(positions, gradients, strict=True):
            changed[position] = (gradient, pairs[position][1])
    return changed


def axes_of_units(variable: Any) -> list[int] | None:
    """Return the axes that belong to one output unit of a kernel: all but the last; None for vectors and scalars.

    Raises:
        InvalidVariable: The number of axes is not known.
    """
    rank = variable.shape.rank
    if rank is None:
        raise InvalidVariable(
            f"variable {shared_name(variable)!r} has an unknown number of axes, so its output units cannot be told; "
            "give it a shape"
        )
    return list(range(rank - 1)) if rank > 1 else None
