"""The small networks of the tasks, as functions of their weights, so that any optimizer can own the variables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Network = Callable[[Sequence[Any], Any], Any]


def he_normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Return a kernel of variance 2 / inputs (He et al. 2015), which suits rectifiers. float32."""
    inputs = int(np.prod(shape[:-1]))
    return np.asarray(random.normal(size=shape) * np.sqrt(2 / inputs), np.float32)


def dense_weights(random: np.random.Generator, widths: Sequence[int]) -> list[np.ndarray]:
    """Return kernels and offsets of dense layers between layers of these widths."""
    pairs = itertools.pairwise(widths)
    return [array for size in pairs for array in (he_normal(random, *size), np.zeros(size[1], np.float32))]


def perceptron(weights: Sequence[Any], inputs: Any) -> Any:
    """Return ``[examples, classes]``: dense layers with rectifiers between them."""
    signal = inputs
    for kernel, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        signal = tf.nn.relu(signal @ kernel + offset)
    return signal @ weights[-2] + weights[-1]


def convolution_weights(
    random: np.random.Generator, kernels: Sequence[tuple[int, ...]], *, flat: int, classes: int
) -> list[np.ndarray]:
    """Return kernels and offsets of convolutions, and of the dense layer behind them that has ``flat`` inputs."""
    return [*_pairs(random, kernels), *_pairs(random, [(flat, classes)])]


def _pairs(random: np.random.Generator, shapes: Sequence[tuple[int, ...]]) -> Iterator[np.ndarray]:
    for shape in shapes:
        yield he_normal(random, *shape)
        yield np.zeros(shape[-1], np.float32)


def image_network(weights: Sequence[Any], images: Any) -> Any:
    """Return ``[examples, classes]`` for images ``[examples, height, width, 1]``: convolution and pooling, dense."""
    signal = images
    for kernel, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        signal = tf.nn.relu(tf.nn.conv2d(signal, kernel, 1, "SAME") + offset)
        signal = tf.nn.max_pool2d(signal, 2, 2, "VALID")
    return tf.reshape(signal, [tf.shape(signal)[0], -1]) @ weights[-2] + weights[-1]


def series_network(weights: Sequence[Any], series: Any) -> Any:
    """Return ``[examples, classes]`` for series ``[examples, length]``: convolutions of stride 2; then dense."""
    signal = series[:, :, None]
    for kernel, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        signal = tf.nn.relu(tf.nn.conv1d(signal, kernel, 2, "SAME") + offset)
    return tf.reshape(signal, [tf.shape(signal)[0], -1]) @ weights[-2] + weights[-1]
