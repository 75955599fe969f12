"""Clipping by value."""

from __future__ import annotations

from typing import Any

from optreg import Card
from optreg.optimizer import GradientTransformer, clip


class ClipByValue(GradientTransformer):
    """Limits every element of every gradient to [-limit, limit].

    Rule:
        g ← min(max(g, −limit), limit)

    Differences:
        The option ``clipvalue`` of every optimizer as a step that can stand anywhere in the order.

    Arguments:
        limit: Largest magnitude of an element.

    Sparse gradients: repeated rows are summed, then clipped.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> step = ("clip_by_value", {"limit": 1.0})
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
        >>> w = tf.Variable([0.0, 0.0])
        >>> _ = opt.apply_gradients([(tf.constant([3.0, -0.5]), w)])
        >>> print(w.numpy())
        [-1.   0.5]
    """

    card = Card(
        ranges={"limit": "[0, inf)"},
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
    )

    limit: float

    def __init__(self, limit: float) -> None:
        super().__init__(limit=limit)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs clipped."""
        return clip(pairs, clipvalue=self.limit, clipnorm=None, global_clipnorm=None)
