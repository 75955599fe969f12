"""A small character GPT on the language reference that Python ships as ``pydoc_data.topics``.

The text differs between versions of Python: its fingerprint is recorded, and only equal ones are compared.
Architecture: A. Radford et al., Language models are unsupervised multitask learners, 2019, at a size for two cores.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.tasks.batches import generator
from optreg.bench.tasks.sources import fingerprint
from optreg.bench.tasks.task import Judgement, Problem, Task

_LAYERS, _HEADS, _WIDTH, _CONTEXT, _BATCH = 2, 2, 64, 48, 12
_HELD_OUT = 0.1  # of the text, its end
_LOOKS = 32  # windows of the held-out text on which the metric is taken
_EPSILON = 1e-5  # of layer normalisation
_PARTS = 10  # arrays of one layer


@functools.cache
def text() -> str:
    """Return all help topics of this Python, in the order of their names."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "".join(topics[name] for name in sorted(topics))


def characters(seed: int, steps: int) -> Problem:
    """Return the problem of a seed: initial weights and the windows of text that each step reads."""
    symbols = sorted(set(text()))
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    codes = np.array([numbers[symbol] for symbol in text()], np.int32)
    end = int(len(codes) * (1 - _HELD_OUT))
    random = generator("characters", seed)
    weights = list(_initial(random, len(symbols)))
    starts = random.integers(end - _CONTEXT - 1, size=(steps, _BATCH)).astype(np.int32)
    looks = np.linspace(end, len(codes) - _CONTEXT - 1, _LOOKS).astype(np.int32)
    everything = tf.constant(codes)

    def loss(variables: Sequence[Any], places: Any) -> Any:
        windows = tf.gather(everything, places[:, None] + tf.range(_CONTEXT + 1))
        return _next_symbol_loss(variables, windows)

    def judge(variables: Sequence[Any]) -> Judgement:
        value = loss(variables, tf.constant(looks))
        return Judgement(value, value)

    counts = np.bincount(codes) / len(codes)
    entropy = float(-(counts[counts > 0] * np.log(counts[counts > 0])).sum())
    return Problem(weights, tf.constant(starts), loss, judge, fingerprint(codes), {"frequency of symbols": entropy})


def _initial(random: np.random.Generator, symbols: int) -> Iterator[np.ndarray]:
    """Yield symbol and position tables, the layers, and the last normalisation; the symbol table is also the output."""
    yield _normal(random, symbols, _WIDTH)
    yield _normal(random, _CONTEXT, _WIDTH)
    for _ in range(_LAYERS):
        yield from (np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32))
        yield _normal(random, _WIDTH, 3 * _WIDTH)
        yield _normal(random, _WIDTH, _WIDTH, scale=0.02 / np.sqrt(2 * _LAYERS))
        yield from (np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32))
        yield _normal(random, _WIDTH, 4 * _WIDTH)
        yield np.zeros(4 * _WIDTH, np.float32)
        yield _normal(random, 4 * _WIDTH, _WIDTH, scale=0.02 / np.sqrt(2 * _LAYERS))
        yield np.zeros(_WIDTH, np.float32)
    yield from (np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32))


def _normal(random: np.random.Generator, *shape: int, scale: float = 0.02) -> np.ndarray:
    return (scale * random.normal(size=shape)).astype(np.float32)


def _next_symbol_loss(weights: Sequence[Any], windows: Any) -> Any:
    """Return the mean cross entropy of each symbol given those before it, in nats, a scalar."""
    signal = tf.gather(weights[0], windows[:, :-1]) + weights[1]
    for layer in range(_LAYERS):
        signal = _layer(signal, weights[2 + layer * _PARTS : 2 + (layer + 1) * _PARTS])
    outputs = tf.matmul(_normalised(signal, weights[-2], weights[-1]), weights[0], transpose_b=True)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(windows[:, 1:], outputs))


def _layer(signal: Any, parts: Sequence[Any]) -> Any:
    scale_1, offset_1, attend, project, scale_2, offset_2, widen, widen_offset, narrow, narrow_offset = parts
    signal += _attention(_normalised(signal, scale_1, offset_1) @ attend) @ project
    hidden = tf.nn.gelu(_normalised(signal, scale_2, offset_2) @ widen + widen_offset, approximate=True)
    return signal + hidden @ narrow + narrow_offset


def _attention(joined: Any) -> Any:
    """Return causal attention of all heads for queries, keys and values side by side ``[batch, time, 3 width]``."""
    batch = tf.shape(joined)[0]
    heads = tf.reshape(joined, [batch, _CONTEXT, 3, _HEADS, _WIDTH // _HEADS])
    queries, keys, values = tf.unstack(tf.transpose(heads, [2, 0, 3, 1, 4]))
    scores = tf.matmul(queries, keys, transpose_b=True) / np.sqrt(_WIDTH // _HEADS).astype(np.float32)
    past = tf.linalg.band_part(tf.ones([_CONTEXT, _CONTEXT], tf.bool), -1, 0)
    seen = tf.nn.softmax(tf.where(past, scores, -1e9))
    return tf.reshape(tf.transpose(seen @ values, [0, 2, 1, 3]), [batch, _CONTEXT, _WIDTH])


def _normalised(signal: Any, scale: Any, offset: Any) -> Any:
    mean, variance = tf.nn.moments(signal, -1, keepdims=True)
    return (signal - mean) * tf.math.rsqrt(variance + _EPSILON) * scale + offset


CHARACTERS = Task(
    name="characters",
    summary="next character of Python's language reference, GPT of 2 layers, width 64, context 48",
    make=characters,
    steps=400,
    metric="nats a character",
    higher_is_better=False,
    source="Python's standard library",
    target=2.6,
    plausible=1.0,
)
