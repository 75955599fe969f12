"""Adaptive summation of the gradients of replicas."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper
from optreg.optimizer import GatheringAggregator, widened


class Adasum(GatheringAggregator):
    """Adds gradients up where they are orthogonal and averages them where they are parallel.

    Learning rates need no change with the number of replicas. Each replica holds the gradients of all for one variable
    at a time.

    Rule:
        a ⊕ b = (1 − a·b / 2‖a‖²) a + (1 − a·b / 2‖b‖²) b
        g ← ((g₁ ⊕ g₂) ⊕ (g₃ ⊕ g₄)) ...

    Differences:
        Pairs are neighbours in the order of replicas, and one left over goes up a level, so any number of replicas
        will do; Horovod asks for a power of two. Each variable is combined on its own, as there.

    Sparse gradients: refused under several replicas, which hold different rows.

    Reference:
        S. Maleki et al.: Scaling distributed training with adaptive summation, 2020. https://arxiv.org/abs/2006.02924
    """

    card = Card(
        dtypes=("float16", "bfloat16", "float32", "float64"),
        paper=Paper(
            "Scaling distributed training with adaptive summation",
            "S. Maleki et al.",
            2020,
            "https://arxiv.org/abs/2006.02924",
        ),
    )

    def combine(self, gradients: Any) -> Any:
        """Return the adaptive sum of ``[replicas, *shape]``."""
        level = [widened(gradient) for gradient in tf.unstack(gradients)]
        while len(level) > 1:
            pairs = [_added(*level[first : first + 2]) for first in range(0, len(level) - 1, 2)]
            level = [*pairs, *level[2 * len(pairs) :]]
        return tf.cast(level[0], gradients.dtype)


def _added(left: Any, right: Any) -> Any:
    """Return left ⊕ right; a zero gradient adds nothing.

    Each is measured in units of its largest element, for squares of float32 overflow at 1e19 and vanish at 1e-23.
    """
    (a, size_of_left), (b, size_of_right) = _in_own_units(left), _in_own_units(right)
    dot = tf.reduce_sum(a * b)
    return left - _half_projection(dot, a) * size_of_right + right - _half_projection(dot, b) * size_of_left


def _in_own_units(gradient: Any) -> tuple[Any, Any]:
    size = tf.reduce_max(tf.abs(gradient))
    return tf.math.divide_no_nan(gradient, size), size


def _half_projection(dot: Any, unit: Any) -> Any:
    return tf.math.divide_no_nan(dot, 2.0 * tf.reduce_sum(tf.square(unit))) * unit
