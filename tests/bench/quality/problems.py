"""A problem whose every step can be computed by hand."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from optreg.bench import Judgement, Problem


def bowl(seed: int, steps: int) -> Problem:
    """Half the square of one number, from 1: descent with rate r multiplies it by 1 - r in each step."""
    return Problem(
        [np.float32([1.0])],
        tf.zeros([steps]),
        lambda weights, _: tf.reduce_sum(weights[0] ** 2) / 2,
        lambda weights: Judgement(tf.reduce_sum(weights[0] ** 2) / 2, tf.abs(weights[0][0])),
        "bowl",
    )
