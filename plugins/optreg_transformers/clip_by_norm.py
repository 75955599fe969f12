"""Clipping by the norm of each gradient."""

from __future__ import annotations

from typing import Any

from optreg import Card
from optreg.optimizer import GradientTransformer, clip


class ClipByNorm(GradientTransformer):
    """Scales each gradient down to a largest 2-norm.

    Rule:
        g ← g min(1, limit / ‖g‖)

    Differences:
        The option ``clipnorm`` of every optimizer as a step that can stand anywhere in the order. A variable that is
        partitioned over parameter servers counts as one.

    Arguments:
        limit: Largest 2-norm of the gradient of one variable; 0 makes every gradient zero.

    Sparse gradients: repeated rows are summed, then the norm of all rows is limited.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> step = ("clip_by_norm", {"limit": 1.0})
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
        >>> w = tf.Variable([0.0, 0.0])
        >>> _ = opt.apply_gradients([(tf.constant([3.0, 4.0]), w)])
        >>> print(w.numpy())
        [-0.6 -0.8]

    Reference:
        R. Pascanu et al.: On the difficulty of training recurrent neural networks, 2013. https://arxiv.org/abs/1211.5063
    """

    card = Card(
        ranges={"limit": "[0, inf)"},
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
    )

    limit: float

    def __init__(self, limit: float) -> None:
        super().__init__(limit=limit)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs clipped."""
        return clip(pairs, clipvalue=None, clipnorm=self.limit, global_clipnorm=None)
