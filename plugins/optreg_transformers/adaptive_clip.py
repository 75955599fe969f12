"""Adaptive gradient clipping: each output unit by the norm of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import (
    Exclusion,
    GradientTransformer,
    axes_of_units,
    of_whole_variables,
    scaled,
    sum_of_squares,
)

_SMALLEST_NORM = 1e-6  # of a gradient, below which nothing is divided by it; as in the authors' code


class AdaptiveClip(GradientTransformer):
    """Scales the gradient of each output unit down to a share of the norm of that unit's weights.

    For networks without normalization; the authors leave the last layer out.

    Rule:
        gᵤ ← gᵤ min(1, clipping max(‖wᵤ‖, epsilon) / ‖gᵤ‖)        for each unit u

    Differences:
        A unit is an index of the last axis, which is the output of Keras kernels: Dense ``(in, out)``, Conv2D
        ``(height, width, in, out)``; also for the embedding ``(rows, width)`` and for depthwise kernels, where the last
        axis is the multiplier. Vectors and scalars are one unit. optax takes the first axis of rank 3 only.

    Arguments:
        clipping: Largest ratio of the norm of a gradient to that of its weights.
        epsilon: Norm that weights count as having at least, so that zero weights can move.
        exclude: Regular expressions; variables whose name one of them is found in are left alone.

    Sparse gradients: norms are those of the whole variable, which is read; absent rows count as zeros.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> step = ("adaptive_clip", {"clipping": 0.5})
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=[step])
        >>> w = tf.Variable([[3.0, 1.0], [4.0, 0.0]])
        >>> _ = opt.apply_gradients([(tf.constant([[30.0, 0.1], [40.0, 0.0]]), w)])
        >>> print(w.numpy())
        [[1.5 0.9]
         [2.  0. ]]

    Reference:
        A. Brock et al.: High-performance large-scale image recognition without normalization, 2021.
        https://arxiv.org/abs/2102.06171
    """

    card = Card(
        ranges={"clipping": "(0, inf)", "epsilon": "(0, inf)"},
        sparse="exact",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        paper=Paper(
            "High-performance large-scale image recognition without normalization",
            "A. Brock et al.",
            2021,
            "https://arxiv.org/abs/2102.06171",
        ),
    )

    clipping: float
    epsilon: float
    exclude: Sequence[str]

    def __init__(self, clipping: float = 0.01, epsilon: float = 1e-3, exclude: Sequence[str] = ()) -> None:
        super().__init__(clipping=clipping, epsilon=epsilon, exclude=exclude)
        self._excluded = Exclusion("AdaptiveClip", exclude)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs clipped."""
        return of_whole_variables(pairs, self._clipped)

    def _clipped(self, parts: Any) -> list[Any]:
        gradients = [gradient for gradient, _ in parts]
        if parts[0][1] in self._excluded:
            return gradients
        axes = axes_of_units(parts[0][1])
        weights = tf.sqrt(sum_of_squares([tf.convert_to_tensor(variable) for _, variable in parts], axes))
        norm = tf.sqrt(sum_of_squares(gradients, axes))
        largest = self.clipping * tf.maximum(weights, self.epsilon)
        factor = tf.where(norm > largest, largest / tf.maximum(norm, _SMALLEST_NORM), tf.ones_like(norm))
        # Rows of a sparse gradient have the variable's shape but for the first axis, over which the sums went.
        return [scaled(gradient, factor) for gradient in gradients]
