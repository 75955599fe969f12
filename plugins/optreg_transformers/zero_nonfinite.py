"""Zeros for NaN and infinity."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card
from optreg.optimizer import GradientTransformer, map_values


class ZeroNonfinite(GradientTransformer):
    """Puts zero where an element of a gradient is NaN or infinite; the other elements stay.

    It hides the cause. To skip the whole step instead, and to scale the loss of float16 models, there is
    ``optreg.LossScaleOptimizer``.

    Rule:
        g ← g where g is finite, else 0

    Sparse gradients: repeated rows are summed first, so an infinite row makes its sum zero.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=["zero_nonfinite"])
        >>> w = tf.Variable([0.0, 0.0])
        >>> _ = opt.apply_gradients([(tf.constant([float("nan"), 2.0]), w)])
        >>> print(w.numpy())
        [ 0. -2.]
    """

    card = Card(
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
    )

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs with zeros for what is not finite."""
        return [(map_values(_finite, gradient), variable) for gradient, variable in pairs]


def _finite(values: Any) -> Any:
    finite = tf.math.is_finite(tf.math.real(values))
    if values.dtype.is_complex:
        finite &= tf.math.is_finite(tf.math.imag(values))
    return tf.where(finite, values, tf.zeros_like(values))
