"""The mean over replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from optreg import Card, GradientAggregator
from optreg.optimizer import scaled, sum_across_replicas


class Mean(GradientAggregator):
    """Averages the gradients of all replicas.

    For losses that are means over the batch of their own replica. Divided by the size of the global batch, as Keras
    does, their sum is right already.

    Rule:
        g ← 1/R Σᵣ gᵣ        R: number of replicas

    Sparse gradients: the rows of all replicas; repeated ones are summed, all are divided by R.
    """

    card = Card(sparse="exact", dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"))

    def __call__(self, grads_and_vars: Sequence[Any], step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs averaged over replicas."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        summed = sum_across_replicas(grads_and_vars)
        return (
            summed if replicas == 1 else [(scaled(gradient, 1.0 / replicas), variable) for gradient, variable in summed]
        )
