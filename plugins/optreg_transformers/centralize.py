"""Gradient centralization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import Exclusion, GradientTransformer, axes_of_units, of_whole_variables, widened


class Centralize(GradientTransformer):
    """Takes the mean out of the gradient of each output unit of a kernel.

    Rule:
        gᵤ ← gᵤ − mean(gᵤ)        for each unit u

    Differences:
        A unit is an index of the last axis, which is the output of Keras kernels: Dense ``(in, out)``, Conv2D
        ``(height, width, in, out)``. Vectors and scalars stay as they are. ``centralize`` of optax takes the first axis
        for the output.

    Arguments:
        exclude: Regular expressions; variables whose name one of them is found in are left alone.

    Sparse gradients: stay as they are; a mean over all rows would make them dense.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> opt = optreg.get_optimizer("sgd", learning_rate=1.0, gradient_transformers=["centralize"])
        >>> w = tf.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> _ = opt.apply_gradients([(tf.constant([[1.0, 5.0], [3.0, 5.0]]), w)])
        >>> print(w.numpy())
        [[ 1.  0.]
         [-1.  0.]]

    Reference:
        H. Yong et al.: Gradient centralization, 2020. https://arxiv.org/abs/2004.01461
    """

    card = Card(
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
        xla=True,
        paper=Paper("Gradient centralization", "H. Yong et al.", 2020, "https://arxiv.org/abs/2004.01461"),
        limits=("Sparse gradients stay as they are.",),
    )

    exclude: Sequence[str]

    def __init__(self, exclude: Sequence[str] = ()) -> None:
        super().__init__(exclude=exclude)
        self._excluded = Exclusion("Centralize", exclude)

    def transform(self, pairs: Any, step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs centralized."""
        return of_whole_variables(pairs, self._centralized)

    def _centralized(self, parts: Any) -> list[Any]:
        gradients = [gradient for gradient, _ in parts]
        variable = parts[0][1]
        axes = axes_of_units(variable)
        if axes is None or variable in self._excluded or isinstance(gradients[0], tf.IndexedSlices):
            return gradients
        wide = [widened(gradient) for gradient in gradients]
        total = tf.add_n([tf.reduce_sum(gradient, axes, keepdims=True) for gradient in wide])
        count = sum(part.shape[:-1].num_elements() for _, part in parts)
        mean = total / tf.cast(max(count, 1), total.dtype)
        return [tf.cast(gradient - mean, given.dtype) for gradient, given in zip(wide, gradients, strict=True)]
