"""Gradients of unit length."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card
from optreg.optimizer import GradientTransformer, of_whole_variables, scaled, sum_of_squares


class Normalize(GradientTransformer):
    """Divides each gradient by its 2-norm, so that only its direction counts; a zero gradient stays zero.

    Rule:
        g ← g / (‖g‖ + epsilon)

    Arguments:
        epsilon: Added to the norm, at which a gradient counts as noise.

    Sparse gradients: repeated rows are summed, then the norm of all rows is one.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=["normalize"])
        >>> w = tf.Variable([0.0, 0.0])
        >>> _ = opt.apply_gradients([(tf.constant([30.0, 40.0]), w)])
        >>> print(w.numpy().round(3))
        [-0.6 -0.8]
    """

    card = Card(
        ranges={"epsilon": "(0, inf)"},
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
    )

    epsilon: float

    def __init__(self, epsilon: float = 1e-7) -> None:
        super().__init__(epsilon=epsilon)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs normalized."""
        return of_whole_variables(pairs, self._normalized)

    def _normalized(self, parts: Any) -> list[Any]:
        norm = tf.sqrt(sum_of_squares([gradient for gradient, _ in parts]))
        return [scaled(gradient, 1.0 / (norm + self.epsilon)) for gradient, _ in parts]
