"""Methods for graphs in the manner of TensorFlow 1, where a loss tensor knows how it was computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidGradients, WrongContext, listing
from optreg.optimizer.distribution import Pair, shared_name


class GraphModeMethods:
    """Part of the optimizer that works on loss tensors without a tape."""

    apply_gradients: Callable[..., Any]
    _compute_gradients: Callable[..., Sequence[Pair]]

    def get_gradients(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Return the gradients of ``loss`` with respect to ``params``, as ``apply_gradients`` takes them.

        For graphs only. They are neither clipped nor transformed yet: ``apply_gradients`` does that.

        Raises:
            WrongContext: Called eagerly, where a loss does not know its history.
            InvalidGradients: A parameter that the loss does not depend on.
        """
        if tf.executing_eagerly():
            raise WrongContext("get_gradients() works in graphs only; use a tf.GradientTape in eager mode")
        pairs = self._compute_gradients(loss, params)
        missing = [shared_name(variable) for gradient, variable in pairs if gradient is None]
        if missing:
            raise InvalidGradients(f"the loss does not depend on {listing(missing)}")
        return [gradient for gradient, _ in pairs]

    def get_updates(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Return the operation of one step on ``loss`` in a list. For graphs only, as ``get_gradients``."""
        return [self.apply_gradients(zip(self.get_gradients(loss, params), tf.nest.flatten(params), strict=True))]
