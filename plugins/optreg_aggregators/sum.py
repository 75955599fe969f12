"""The sum over replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optreg import Card, GradientAggregator
from optreg.optimizer import sum_across_replicas


class Sum(GradientAggregator):
    """Adds the gradients of all replicas up: what every optimizer does without an aggregator.

    The loss of each replica must be divided by the size of the global batch, as Keras does.

    Rule:
        g ← Σᵣ gᵣ

    Sparse gradients: the rows of all replicas; repeated ones are summed.
    """

    card = Card(sparse="exact", dtypes=("float16", "bfloat16", "float32", "float64", "complex64", "complex128"))

    def __call__(self, grads_and_vars: Sequence[Any], step: Any) -> Any:  # noqa: ARG002 - the signature of the contract
        """Return the pairs summed over replicas."""
        return sum_across_replicas(grads_and_vars)
