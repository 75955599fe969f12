"""The median over replicas."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import GatheringAggregator, widened


class Median(GatheringAggregator):
    """Takes the median over replicas, element by element: a minority of wild replicas moves nothing.

    Each replica holds the gradients of all for one variable at a time.

    Rule:
        g ← medianᵣ gᵣ        of an even number, the mean of the middle two

    Differences:
        It stands for the mean, not for the sum that is the default: losses must be means over the replica's own batch.

    Sparse gradients: refused under several replicas, which hold different rows.

    Reference:
        D. Yin et al.: Byzantine-robust distributed learning, 2018. https://arxiv.org/abs/1803.01498
    """

    card = Card(
        dtypes=("float16", "bfloat16", "float32", "float64"),
        paper=Paper("Byzantine-robust distributed learning", "D. Yin et al.", 2018, "https://arxiv.org/abs/1803.01498"),
    )

    def combine(self, gradients: Any) -> Any:
        """Return the median of ``[replicas, *shape]``."""
        ordered = tf.sort(widened(gradients), axis=0)
        replicas = gradients.shape[0]
        middle = 0.5 * (ordered[(replicas - 1) // 2] + ordered[replicas // 2])
        return tf.cast(middle, gradients.dtype)
