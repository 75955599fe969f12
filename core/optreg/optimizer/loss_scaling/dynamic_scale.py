"""A loss scale that looks for its own size: halved when a gradient overflows, doubled after a long run without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import create_scalar

SMALLEST = 1.0
"""The scale is not halved below this, where it would scale nothing any more."""


class DynamicScale(tf.Module):  # type: ignore[misc]
    """The scale and the number of finite steps in a row, under the names that Keras 2.9 saved them by.

    Args:
        initial: The first scale.
        growth_steps: Number of finite steps in a row after which the scale is doubled.
    """

    def __init__(self, initial: float, growth_steps: int) -> None:
        super().__init__(name="loss_scale")
        self.initial = initial
        self.growth_steps = growth_steps
        self.current_loss_scale = create_scalar("current_loss_scale", initial, tf.float32)
        self.good_steps = create_scalar("good_steps", 0, tf.int64)

    def adjust(self, finite: Any) -> list[Any]:
        """Take note of one step and return what was assigned.

        Args:
            finite: Whether all gradients of the step were finite, a Boolean or a scalar Boolean tensor.
        """
        scale, steps = tf.convert_to_tensor(self.current_loss_scale), self.good_steps + 1
        doubled = 2.0 * scale
        due = steps >= self.growth_steps
        grown = tf.where(due & tf.math.is_finite(doubled), doubled, scale)
        shrunk = tf.maximum(scale / 2.0, SMALLEST)
        return [
            self.current_loss_scale.assign(tf.where(finite, grown, shrunk)),
            self.good_steps.assign(tf.where(due | ~tf.convert_to_tensor(finite), tf.zeros_like(steps), steps)),
        ]


def all_finite(gradients: Sequence[Any]) -> Any:
    """Return a scalar Boolean tensor: whether no gradient, dense or sparse, holds NaN or infinity."""
    return tf.reduce_all([tf.reduce_all(_is_finite(gradient)) for gradient in gradients])


def _is_finite(gradient: Any) -> Any:
    values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
    if values.dtype.is_complex:
        return tf.math.is_finite(tf.math.real(values)) & tf.math.is_finite(tf.math.imag(values))
    return tf.math.is_finite(values)
