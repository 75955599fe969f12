"""A loss times the scale, and gradients divided by it: what they may be, and in which precision."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidGradients
from optreg.optimizer.distribution import describe_value
from optreg.optimizer.gradients import require_loss


def multiplied(loss: Any, scale: Any, owner: str) -> Any:
    """Return ``loss * scale`` in the dtype of the loss, which may be sparse or ragged.

    Raises:
        InvalidGradients: No tensor or number, or integers.
    """
    if isinstance(loss, (numbers.Number, np.ndarray, np.generic, tf.Variable)):
        loss = tf.convert_to_tensor(loss)
    require_loss(loss, f"get_scaled_loss() or minimize() of a {owner}")
    if not (loss.dtype.is_floating or loss.dtype.is_complex):
        raise InvalidGradients(f"{owner}: a loss of dtype {loss.dtype.name} has no gradient: compute it in a float")
    return loss * tf.cast(scale, loss.dtype)


def several(gradients: Any, owner: str) -> Any:
    """Return gradients as a nest: a list or a dictionary.

    Raises:
        InvalidGradients: One gradient by itself.
    """
    if isinstance(gradients, Mapping):
        return gradients
    try:
        return list(gradients)
    except TypeError:
        raise InvalidGradients(
            f"{owner}: get_unscaled_gradients() takes a list of gradients, as tape.gradient(loss, [variable]) returns "
            f"it, and received {describe_value(gradients)}"
        ) from None


def divided(gradient: Any, scale: Any, owner: str) -> Any:
    """Return ``gradient / scale`` in the gradient's dtype; a half is not narrowed before it is divided.

    Raises:
        InvalidGradients: No tensor or array of real or complex numbers.
    """
    if isinstance(gradient, (numbers.Number, np.ndarray, np.generic, list)):
        gradient = tf.convert_to_tensor(gradient)
    if not isinstance(gradient, tf.Tensor) or not (gradient.dtype.is_floating or gradient.dtype.is_complex):
        raise InvalidGradients(
            f"{owner}: get_unscaled_gradients() takes floating-point tensors or arrays, tf.IndexedSlices and None, "
            f"and received {describe_value(gradient)}"
        )
    wide = tf.float32 if gradient.dtype.size == tf.float16.size else gradient.dtype
    factor = tf.cast(1.0, wide) / tf.cast(scale, wide)
    return tf.cast(tf.cast(gradient, wide) * factor, gradient.dtype)
