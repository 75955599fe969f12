"""Learning tasks on real data that comes inside a wheel: nothing is downloaded."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import MissingExtra

_WIDTHS = (64, 128, 64, 10)
_HELD_OUT = 360  # of 1797, a fifth

TARGET_ACCURACY = 0.95
"""Held-out accuracy that a network of this size reaches with an optimizer that works."""


@dataclass(frozen=True)
class Task:
    """A classification problem, split and standardised for one seed.

    Args:
        name: Short name.
        inputs: Training images, float32 ``[examples, features]``.
        labels: Training classes, int32 ``[examples]``.
        held_out_inputs: As ``inputs``, not trained on.
        held_out_labels: As ``labels``, not trained on.
        weights: Initial values of the model's variables.
        batches: Indices of the training examples of each step, int32 ``[steps, batch]``.
    """

    name: str
    inputs: tf.Tensor
    labels: tf.Tensor
    held_out_inputs: tf.Tensor
    held_out_labels: tf.Tensor
    weights: Sequence[np.ndarray]
    batches: tf.Tensor


def digits(seed: int, *, epochs: int, batch: int = 32) -> Task:
    """Return the handwritten digits of scikit-learn, 1797 images of 8 x 8, for a network of 64-128-64-10 units.

    Split, initial weights and batches follow from the seed alone, so that every optimizer meets the same ones.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    require_bench_extra("sklearn")
    from sklearn.datasets import load_digits  # noqa: PLC0415 - of the bench extra

    images, classes = load_digits(return_X_y=True)
    random = np.random.default_rng([seed, 0x0D161735])
    order = random.permutation(len(images))
    train, held_out = order[_HELD_OUT:], order[:_HELD_OUT]
    mean, deviation = images[train].mean(axis=0), images[train].std(axis=0)
    scaled = ((images - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
    return Task(
        name="digits",
        inputs=tf.constant(scaled[train]),
        labels=tf.constant(classes[train], tf.int32),
        held_out_inputs=tf.constant(scaled[held_out]),
        held_out_labels=tf.constant(classes[held_out], tf.int32),
        weights=_initial_weights(random),
        batches=tf.constant(_batches(random, len(train), epochs=epochs, batch=batch), tf.int32),
    )


def logits(weights: Sequence[Any], inputs: tf.Tensor) -> tf.Tensor:
    """Return the network's output ``[examples, classes]``: dense layers with rectifiers between them."""
    signal = inputs
    for kernel, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        signal = tf.nn.relu(signal @ kernel + offset)
    return signal @ weights[-2] + weights[-1]


def cross_entropy(weights: Sequence[Any], inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the mean cross entropy of the examples, a scalar."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits(weights, inputs)))


def accuracy(weights: Sequence[Any], inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the fraction of examples whose greatest logit is the right one, a scalar."""
    guesses = tf.argmax(logits(weights, inputs), axis=-1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(guesses == labels, tf.float32))


def require_bench_extra(*modules: str) -> None:
    """Do nothing when the modules can be imported.

    Raises:
        MissingExtra: One of them is not installed.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"optreg bench needs {' and '.join(missing)}: pip install 'optreg[bench]'")


def _initial_weights(random: np.random.Generator) -> list[np.ndarray]:
    """Return kernels of variance 2 / inputs (He et al. 2015), which suits rectifiers, and offsets of zero."""
    weights = []
    for inputs, outputs in itertools.pairwise(_WIDTHS):
        weights.append((random.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs)).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    return weights


def _batches(random: np.random.Generator, examples: int, *, epochs: int, batch: int) -> np.ndarray:
    """Return shuffled indices ``[steps, batch]``; the examples that do not fill a batch are left out of an epoch."""
    steps = examples // batch
    epochs_of_indices = [random.permutation(examples)[: steps * batch] for _ in range(epochs)]
    return np.concatenate(epochs_of_indices).reshape(-1, batch)
