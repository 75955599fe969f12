"""L2 regularization through the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg import Card
from optreg.optimizer import Exclusion, GradientTransformer, widened


class L2(GradientTransformer):
    """Adds a share of the weights to their gradient: the gradient of a penalty on their squares.

    With adaptive optimizers this is not the same as decoupled weight decay, which ``UpdateRule`` optimizers have as
    ``weight_decay``.

    Rule:
        g ← g + strength w        the gradient of ½ strength ‖w‖²

    Arguments:
        strength: Share of the weight that is added.
        exclude: Regular expressions; variables whose name one of them is found in are left alone, such as biases.

    Sparse gradients: only the rows present decay, each once.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[("l2", {"strength": 0.5})])
        >>> w = tf.Variable([4.0, -2.0])
        >>> _ = opt.apply_gradients([(tf.constant([0.0, 1.0]), w)])
        >>> print(w.numpy())
        [ 2. -2.]
    """

    card = Card(
        ranges={"strength": "[0, inf)"},
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
    )

    strength: float
    exclude: Sequence[str]

    def __init__(self, strength: float, exclude: Sequence[str] = ()) -> None:
        super().__init__(strength=strength, exclude=exclude)
        self._excluded = Exclusion("L2", exclude)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs with the penalty's gradient added."""
        return [(self._penalized(gradient, variable), variable) for gradient, variable in pairs]

    def _penalized(self, gradient: Any, variable: Any) -> Any:
        if variable in self._excluded:
            return gradient
        if isinstance(gradient, tf.IndexedSlices):
            rows = self._sum(gradient.values, tf.gather(variable, gradient.indices))
            return tf.IndexedSlices(rows, gradient.indices, gradient.dense_shape)
        return self._sum(gradient, tf.convert_to_tensor(variable))

    def _sum(self, gradient: Any, weights: Any) -> Any:
        wide = widened(gradient)
        return tf.cast(wide + tf.constant(self.strength, wide.dtype) * widened(weights), gradient.dtype)
