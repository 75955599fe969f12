"""Clipping by the root mean square of each variable's gradient."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import GradientTransformer, of_whole_variables, scaled, sum_of_squares


class ClipByBlockRms(GradientTransformer):
    """Scales each gradient down to a largest root mean square; a block is one variable.

    Unlike a norm, the limit means the same for small and large variables.

    Rule:
        g ← g / max(1, RMS(g) / limit)        RMS(g) = √(mean of g²)

    Differences:
        Adafactor clips its step so; this clips the gradient. As ``clip_by_block_rms`` of optax.

    Arguments:
        limit: Largest root mean square of the gradient of one variable.

    Sparse gradients: the mean is over the whole variable, absent rows count as zeros.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> step = ("clip_by_block_rms", {"limit": 1.0})
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
        >>> w = tf.Variable([0.0, 0.0])
        >>> _ = opt.apply_gradients([(tf.constant([2.0, 2.0]), w)])
        >>> print(w.numpy())
        [-1. -1.]

    Reference:
        N. Shazeer, M. Stern: Adafactor, 2018. https://arxiv.org/abs/1804.04235
    """

    card = Card(
        ranges={"limit": "(0, inf)"},
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        paper=Paper("Adafactor", "N. Shazeer, M. Stern", 2018, "https://arxiv.org/abs/1804.04235"),
    )

    limit: float

    def __init__(self, limit: float = 1.0) -> None:
        super().__init__(limit=limit)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs clipped."""
        return of_whole_variables(pairs, self._clipped)

    def _clipped(self, parts: Any) -> list[Any]:
        squares = sum_of_squares([gradient for gradient, _ in parts])
        count = sum(variable.shape.num_elements() for _, variable in parts)
        rms = tf.sqrt(squares / max(count, 1))
        return [scaled(gradient, self.limit / tf.maximum(rms, self.limit)) for gradient, _ in parts]
