"""Annealed gradient noise."""

from __future__ import annotations

import functools
import numbers
import zlib
from typing import Any

import tensorflow as tf

from optreg import Card, HyperparameterTypeError, Paper
from optreg.optimizer import GradientTransformer, map_values, widened


class Noise(GradientTransformer):
    """Adds normal noise to every gradient, whose variance falls with the number of steps.

    For deep networks that are hard to start. The noise follows from the seed, the step and the place of the variable in
    the step, so it is the same in every replica, eagerly and in graphs, and a restart goes on where it was.

    Rule:
        g ← g + N(0, η / (1 + t)^γ)        t: steps made so far

    Differences:
        ``add_noise`` of optax keeps a random state and draws other numbers.

    Arguments:
        eta: Variance η at the first step.
        gamma: Exponent γ of its decay.
        seed: Which noise; an integer.

    Sparse gradients: only the rows present get noise.

    Example:
        >>> import tensorflow as tf
        >>> import optreg
        >>> step = ("noise", {"eta": 1e-4, "seed": 7})
        >>> first, again = (optreg.get_optimizer("sgd", gradient_transformers=[step]) for _ in range(2))
        >>> a, b = tf.Variable([1.0, 2.0], name="w"), tf.Variable([1.0, 2.0], name="w")
        >>> _ = first.apply_gradients([(tf.zeros(2), a)]), again.apply_gradients([(tf.zeros(2), b)])
        >>> print((a.numpy() == b.numpy()).all(), (a.numpy() == [1.0, 2.0]).any())
        True False

    Reference:
        A. Neelakantan et al.: Adding gradient noise improves learning for very deep networks, 2015.
        https://arxiv.org/abs/1511.06807
    """

    card = Card(
        ranges={"eta": "[0, inf)", "gamma": "[0, inf)", "seed": "(-inf, inf)"},
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        paper=Paper(
            "Adding gradient noise improves learning for very deep networks",
            "A. Neelakantan et al.",
            2015,
            "https://arxiv.org/abs/1511.06807",
        ),
        limits=("Compiled by XLA, TensorFlow draws other numbers from the same key.",),
    )

    eta: float
    gamma: float
    seed: int

    def __init__(self, eta: float = 0.3, gamma: float = 0.55, seed: int = 0) -> None:
        if not isinstance(seed, numbers.Integral):
            raise HyperparameterTypeError(f"Noise: seed must be an integer, received {seed!r}")
        super().__init__(eta=eta, gamma=gamma, seed=int(seed))

    def transform(self, pairs: Any, step: Any) -> Any:
        """Return the pairs with noise added."""
        made = tf.cast(step, tf.int64)
        deviation = tf.sqrt(self.eta / tf.pow(1.0 + tf.cast(made, tf.float64), self.gamma))
        noisy = functools.partial(self._noisy, made=made, deviation=deviation)
        return [
            (map_values(functools.partial(noisy, number=number), gradient), variable)
            for number, (gradient, variable) in enumerate(pairs)
        ]

    def _noisy(self, values: Any, *, made: Any, number: int, deviation: Any) -> Any:
        # Two numbers of 64 bits are the key: which noise and which variable, and which step.
        which = zlib.crc32(f"{self.seed}/{number}".encode())
        wide = widened(values)
        key = tf.stack([tf.constant(which, tf.int64), made])
        drawn = tf.random.stateless_normal(tf.shape(wide), seed=key, dtype=wide.dtype)
        return tf.cast(wide + tf.cast(deviation, wide.dtype) * drawn, values.dtype)
