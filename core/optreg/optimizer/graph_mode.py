"""Methods for graphs in the manner of TensorFlow 1, where a loss tensor knows how it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidGradients, WrongContext, listing
from optreg.optimizer.distribution import Pair, shared_name
from optreg.optimizer.gradients import require_variable


class GraphModeMethods:
    """Part of the optimizer that works on loss tensors without a tape."""

    apply_gradients: Callable[..., Any]
    _assert_valid_dtypes: Callable[[Iterable[Any]], None]
    _transform_gradients: Callable[[Sequence[Pair]], Sequence[Pair]]

    def get_gradients(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Return the gradients of ``loss`` with respect to ``params``, clipped and transformed. For graphs only.

        Raises:
            WrongContext: Called eagerly, where a loss does not know its history.
            InvalidGradients: A parameter that the loss does not depend on.
        """
        if tf.executing_eagerly():
            raise WrongContext("get_gradients() works in graphs only; use a tf.GradientTape in eager mode")
        variables = [require_variable(variable) for variable in tf.nest.flatten(params)]
        pairs = list(zip(tf.gradients(loss, variables), variables, strict=True))
        missing = [shared_name(variable) for gradient, variable in pairs if gradient is None]
        if missing:
            raise InvalidGradients(f"the loss does not depend on {listing(missing)}")
        return [gradient for gradient, _ in self._transform_gradients(pairs)]

    def get_updates(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Return the operation of one step on ``loss`` in a list. For graphs only, as ``get_gradients``."""
        gradients = self.get_gradients(loss, params)
        pairs = list(zip(gradients, tf.nest.flatten(params), strict=True))
        self._assert_valid_dtypes(variable for _, variable in pairs)
        return [self.apply_gradients(pairs)]
