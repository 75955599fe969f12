"""Matrix factorisation of generated ratings: two embedding tables whose gradients are sparse.

Each step reads the rows of 256 ratings, so that an optimizer meets ``tf.IndexedSlices`` with repeated rows, and rows
that are absent for many steps. The noise is known, and with it the error that nothing can get below.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.tasks.batches import generator, shuffled
from optreg.bench.tasks.sources import fingerprint
from optreg.bench.tasks.task import Judgement, Problem, Task

_USERS, _ITEMS, _RANK = 1000, 600, 4
_TRAINING, _HELD_OUT = 40_000, 4_000
_NOISE = 0.3
_BATCH = 256
_PER_RATING = 1 / 32  # a row gets the gradient of one rating, not 1/256 of it, as in training rating by rating
_WIDTH = 8
_DECAY = 0.02  # of the rows that a batch reads
_DATA_SEED = 1009


@functools.cache
def ratings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return users, items and ratings of deviation about 1, popular items more often, as in real life."""
    random = np.random.default_rng(_DATA_SEED)
    count = _TRAINING + _HELD_OUT
    popularity = 1.0 / np.arange(10, 10 + _ITEMS)
    users = random.integers(_USERS, size=count)
    items = random.choice(_ITEMS, size=count, p=popularity / popularity.sum())
    taste, nature = random.normal(size=(_USERS, _RANK)), random.normal(size=(_ITEMS, _RANK))
    signal = (taste[users] * nature[items]).sum(axis=1) / np.sqrt(_RANK)
    values = signal + _NOISE * random.normal(size=count)
    return users.astype(np.int32), items.astype(np.int32), values.astype(np.float32)


def embedding(seed: int, steps: int) -> Problem:
    """Return the problem of a seed: initial tables and batches."""
    users, items, values = (tf.constant(array) for array in ratings())
    random = generator("embedding", seed)
    weights = [(0.3 * random.normal(size=(rows, _WIDTH))).astype(np.float32) for rows in (_USERS, _ITEMS)]
    batches = shuffled(random, _TRAINING, batch=_BATCH, steps=steps)

    def errors(variables: Sequence[Any], rows: Any) -> tuple[Any, Any]:
        # tf.gather of a variable has an IndexedSlices gradient: only the rows read.
        left, right = tf.gather(variables[0], tf.gather(users, rows)), tf.gather(variables[1], tf.gather(items, rows))
        decay = tf.reduce_sum(left**2 + right**2, axis=1)
        return (tf.reduce_sum(left * right, axis=1) - tf.gather(values, rows)) ** 2, decay

    def loss(variables: Sequence[Any], rows: Any) -> Any:
        squares, decay = errors(variables, rows)
        return tf.reduce_sum(squares + _DECAY * decay) * _PER_RATING

    def judge(variables: Sequence[Any]) -> Judgement:
        mean = tf.reduce_mean(errors(variables, tf.range(_TRAINING, _TRAINING + _HELD_OUT))[0])
        return Judgement(mean, tf.sqrt(mean))

    unseen = ratings()[2][_TRAINING:]
    references = {"always the mean": float(unseen.std()), "noise": _NOISE}
    return Problem(weights, tf.constant(batches), loss, judge, fingerprint(*ratings()), references)


EMBEDDING = Task(
    name="embedding",
    summary="44,000 generated ratings, two embedding tables of width 8, sparse gradients",
    make=embedding,
    steps=780,
    epoch=156,
    metric="rmse",
    higher_is_better=False,
    suites=("quick", "standard"),
    source="generated",
    target=0.6,
    plausible=_NOISE * 0.97,
)
