"""Sparse gradients on their way in: made of tensors, and refused where they name rows that a variable does not have."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg.errors import InvalidGradients
from optreg.optimizer.distribution import describe_value, shared_name

_UNSIGNED = {tf.int32: "uint32", tf.int64: "uint64"}
"""The dtypes of indices, and the one of the same width in which a row below 0 is a very large one."""


def fitting_slices(gradient: Any, variable: Any) -> Any:
    """Return ``IndexedSlices`` of tensors, with one index for each row and rows of the variable's shape.

    Raises:
        InvalidGradients: Indices or rows of a wrong shape or dtype; a variable without rows; eagerly, on the CPU, also
            a row that the variable does not have.
    """
    arrays = (gradient.values, gradient.indices, gradient.dense_shape)
    if not all(isinstance(array, tf.Tensor) or array is None for array in arrays):
        gradient = tf.IndexedSlices(*(array if array is None else _as_tensor(array, variable) for array in arrays))
    misfit = _misfit(gradient.values.shape, gradient.indices, variable.shape)
    if misfit:
        raise InvalidGradients(f"{misfit} for variable {shared_name(variable)!r} of shape {variable.shape}")
    return gradient


def _as_tensor(array: Any, variable: Any) -> Any:
    try:
        return tf.convert_to_tensor(array)
    except (TypeError, ValueError):
        raise InvalidGradients(
            f"the tf.IndexedSlices for variable {shared_name(variable)!r} must hold tensors or arrays, received "
            f"{describe_value(array)}"
        ) from None


def _misfit(rows: Any, indices: Any, shape: Any) -> str:
    """Return what keeps indices and rows of a shape from being those of a variable's shape; nothing if they fit."""
    if shape.rank == 0:
        return "sparse gradient, which takes rows, and not a dense one of shape ()"
    if indices.dtype not in _UNSIGNED:
        return f"sparse gradient with indices of dtype {indices.dtype.name}, and not int32 or int64,"
    if indices.shape.rank not in {1, None}:
        return f"sparse gradient with indices of shape {indices.shape}, and not [rows],"
    if rows.rank == 0 or not rows[1:].is_compatible_with(shape[1:]):
        return f"gradient of shape {rows}"
    if not indices.shape.is_compatible_with(rows[:1]):
        return f"sparse gradient with {indices.shape[0]} indices for {rows[0]} rows"
    outside = _row_outside(indices, shape[0])
    return "" if outside is None else f"sparse gradient with row {outside}, and not rows from 0 to {shape[0] - 1},"


def _row_outside(indices: Any, count: int | None) -> int | None:
    """Return an index that is no row; None if there is none, or if it would take time to find out.

    Where the indices are in reach this is one pass over them, far below a hundredth of a step (4,096 rows, 3 µs).
    Values that are computed later, or lie on another device, are left to the kernels.
    """
    if count is None or not isinstance(indices, tf.Tensor) or tf.is_symbolic_tensor(indices):
        return None
    device = indices.device
    if "/job:localhost/" not in device or "/device:CPU:" not in device:
        return None
    numbers = indices.numpy()
    if not numbers.size or numbers.view(_UNSIGNED[indices.dtype]).max() < count:
        return None
    return int(numbers[(numbers < 0) | (numbers >= count)][0])
