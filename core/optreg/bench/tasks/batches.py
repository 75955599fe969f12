"""Which examples each step sees, from a seed alone."""

from __future__ import annotations

import zlib

import numpy as np


def generator(task: str, seed: int) -> np.random.Generator:
    """Return the generator of a task and seed; two tasks share no stream."""
    return np.random.default_rng([seed, zlib.crc32(task.encode())])


def shuffled(random: np.random.Generator, examples: int, *, batch: int, steps: int) -> np.ndarray:
    """Return indices ``[steps, batch]``, each example once an epoch; those that fill no batch are left out of it."""
    epoch = examples // batch
    epochs = [random.permutation(examples)[: epoch * batch] for _ in range(-(-steps // epoch))]
    return np.concatenate(epochs).reshape(-1, batch)[:steps].astype(np.int32)


def held_out(random: np.random.Generator, examples: int, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of the examples to train on and of ``count`` others."""
    order = random.permutation(examples)
    return order[count:], order[:count]


def standardised(values: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return the columns with mean 0 and deviation 1 over the rows ``training``; constant ones become 0. float64."""
    mean, deviation = values[training].mean(axis=0), values[training].std(axis=0)
    return np.asarray((values - mean) / np.where(deviation > 0, deviation, 1.0))
