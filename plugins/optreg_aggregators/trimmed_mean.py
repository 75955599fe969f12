"""The mean over replicas without the extremes."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import GatheringAggregator, widened

_ROUNDING = 1e-9  # 0.29 of 100 replicas are 29, whatever 0.29 * 100 is in binary


class TrimmedMean(GatheringAggregator):
    """Averages over replicas, element by element, without the largest and the smallest values.

    Each replica holds the gradients of all for one variable at a time.

    Rule:
        g ← mean of the R − 2k middle gᵣ        k = ⌊trim R⌋, R: number of replicas

    Differences:
        It stands for the mean, not for the sum that is the default: losses must be means over the replica's own batch.

    Arguments:
        trim: Share of the replicas that is left out at each end; with few replicas it may come to none.

    Sparse gradients: refused under several replicas, which hold different rows.

    Reference:
        D. Yin et al.: Byzantine-robust distributed learning, 2018. https://arxiv.org/abs/1803.01498
    """

    card = Card(
        ranges={"trim": "[0, 0.5)"},
        dtypes=("float16", "bfloat16", "float32", "float64"),
        paper=Paper("Byzantine-robust distributed learning", "D. Yin et al.", 2018, "https://arxiv.org/abs/1803.01498"),
    )

    trim: float

    def __init__(self, trim: float = 0.25) -> None:
        super().__init__(trim=trim)

    def combine(self, gradients: Any) -> Any:
        """Return the trimmed mean of ``[replicas, *shape]``."""
        replicas = gradients.shape[0]
        left_out = math.floor(self.trim * replicas + _ROUNDING)
        ordered = tf.sort(widened(gradients), axis=0)
        return tf.cast(tf.reduce_mean(ordered[left_out : replicas - left_out], axis=0), gradients.dtype)
