"""A training whose gradients are split over two workers, or summed for a process alone."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import tensorflow as tf

import optreg

STEPS = 6

# [step, worker, element]; all sums are exact in binary.
GRADIENTS = np.random.default_rng(7).integers(-8, 9, size=(STEPS, 2, 2)).astype(np.float32) / 8
# The workers have different numbers of rows, some of them in common.
ROWS = ([0, 2, 2], [1, 2])


class Training:
    """A vector, a 16-bit vector and an embedding with one optimizer, under the strategy or, for None, alone."""

    def __init__(self, strategy, name, *, optimizer_in_scope=True, eager=False, **arguments):
        self.strategy = strategy
        scope = strategy.scope if strategy else nullcontext
        with scope():
            self.variables = [
                tf.Variable([1.0, 2.0], name="vector"),
                tf.Variable([1.0, 2.0], name="narrow", dtype=tf.float16),
                tf.Variable(tf.ones((4, 2)), name="table"),
            ]
        with scope() if optimizer_in_scope else nullcontext():
            self.optimizer = optreg.get_optimizer(name, **{"learning_rate": 0.125, **arguments})
        self.checkpoint = tf.train.Checkpoint(variables=self.variables, optimizer=self.optimizer)
        everywhere = self._everywhere if eager else tf.function(self._everywhere)
        self._step = everywhere if strategy else self._apply

    def _everywhere(self, *arguments):
        self.strategy.run(self._apply, args=arguments)

    def _apply(self, gradient, values, rows):
        vector, narrow, table = self.variables
        sparse = tf.IndexedSlices(values, rows, tf.constant([4, 2]))
        self.optimizer.apply_gradients([(gradient, vector), (tf.cast(gradient, tf.float16), narrow), (sparse, table)])

    def step(self, number, worker):
        """Make a step on the gradients of one worker, or on those of both for None."""
        workers = (0, 1) if worker is None else (worker,)
        values = [np.tile(GRADIENTS[number, index], (len(ROWS[index]), 1)) for index in workers]
        rows = [ROWS[index] for index in workers]
        self._step(
            tf.constant(GRADIENTS[number, workers, :].sum(axis=0)),
            tf.constant(np.concatenate(values)),
            tf.constant(np.concatenate(rows)),
        )

    def train(self, worker, steps=range(STEPS)):
        for number in steps:
            self.step(number, worker)
        return self.values()

    def values(self):
        """Return all values by name; state created in a function has the optimizer's name in front."""
        everything = (*self.variables, *self.optimizer.weights)
        return {value.name.rpartition(f"{self.optimizer._name}/")[2]: value.numpy() for value in everything}
