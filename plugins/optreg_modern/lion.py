"""Lion, as an update rule."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from optreg import Card, Paper, Slot, UpdateRule


class Lion(UpdateRule):
    """Steps by the sign of a running average of the gradient, so that every weight moves by the learning rate.

    For large batches, with a third to a tenth of Adam's learning rate. One number of state a parameter.

    Rule:
        w ← w − lr sign(β₁ m + (1 − β₁) g) − lr λ w
        m ← β₂ m + (1 − β₂) g

    Differences:
        Keras 3 takes 1e-3 for lr, optax 1e-3 for λ.

    Arguments:
        learning_rate: Size of every step. A number, tensor, callable without arguments or schedule.
        beta_1, beta_2: The share β₁ of the average in the step, and the share β₂ of it that is kept.

    Example:
        >>> _ = Lion(0.1).apply_gradients([(tf.constant([5.0, -0.01]), w := tf.Variable([1.0, -1.0]))])
        >>> print(w.numpy())
        [ 0.9 -0.9]
    """

    card = Card(
        ranges={"learning_rate": "[0, inf)", "beta_1": "[0, 1]", "beta_2": "[0, 1]"},
        slots=(Slot("m", "running average of the gradient", at_least="float32"),),
        sparse="lazy",
        dtypes=("float16", "bfloat16", "float32", "float64"),
        xla=True,
        reference="optreg_modern.references:lion",
        paper=Paper(
            "Symbolic Discovery of Optimization Algorithms", "Chen et al.", 2023, "https://arxiv.org/abs/2302.06675"
        ),
    )

    def update(
        self, gradient: Any, value: Any, m: Any, *, learning_rate: Any = 1e-4, beta_1: Any = 0.9, beta_2: Any = 0.99
    ) -> Any:
        """Return the new value and average."""
        step = tf.sign(beta_1 * m + (1.0 - beta_1) * gradient)
        return value - learning_rate * step, beta_2 * m + (1.0 - beta_2) * gradient
