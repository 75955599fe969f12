"""Classification by a network: the loss is the cross entropy, the metric the accuracy on what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.tasks.networks import Network
from optreg.bench.tasks.sources import fingerprint
from optreg.bench.tasks.task import Judgement, Problem


@dataclass(frozen=True)
class Examples:
    """Inputs ``[examples, ...]`` in float32 and classes ``[examples]``, and which rows are trained on and which not."""

    inputs: np.ndarray
    classes: np.ndarray
    training: np.ndarray
    held_out: np.ndarray


def classification(
    examples: Examples, network: Network, *, weights: Sequence[np.ndarray], batches: np.ndarray
) -> Problem:
    """Return the problem; ``batches`` index the training rows."""
    inputs = tf.constant(examples.inputs[examples.training], tf.float32)
    classes = tf.constant(examples.classes[examples.training], tf.int32)
    unseen = tf.constant(examples.inputs[examples.held_out], tf.float32)
    answers = tf.constant(examples.classes[examples.held_out], tf.int32)

    def loss(variables: Sequence[Any], rows: Any) -> Any:
        return cross_entropy(network(variables, tf.gather(inputs, rows)), tf.gather(classes, rows))

    def judge(variables: Sequence[Any]) -> Judgement:
        logits = network(variables, unseen)
        return Judgement(cross_entropy(logits, answers), accuracy(logits, answers))

    return Problem(
        weights,
        tf.constant(batches, tf.int32),
        loss,
        judge,
        fingerprint(examples.inputs, examples.classes),
        {"most frequent class": float(np.bincount(examples.classes[examples.held_out]).max() / len(examples.held_out))},
    )


def cross_entropy(logits: Any, classes: Any) -> Any:
    """Return the mean cross entropy of the examples, a scalar."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits))


def accuracy(logits: Any, classes: Any) -> Any:
    """Return the fraction of examples whose greatest logit is the right one, a scalar."""
    guesses = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(guesses == classes, tf.float32))
