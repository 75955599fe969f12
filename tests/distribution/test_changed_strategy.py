"""A checkpoint written under one strategy continues under every other with the numbers of an undisturbed run."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import optreg

from .replicas import GRADIENTS, copies, per_replica

STRATEGIES = ["default_strategy", "mirrored", "one_device", "central_storage"]
ROWS = ([0, 2], [2, 1])


class Training:
    """A weight vector and an embedding under a strategy, with an optimizer that keeps a number beside its slots."""

    def __init__(self, strategy):
        self.strategy = strategy
        with strategy.scope():
            self.weights = tf.Variable([1.0, 2.0], name="weights")
            self.table = tf.Variable(tf.ones((4, 2)), name="table")
            self.optimizer = optreg.get_optimizer("nadam", learning_rate=0.125)
        self.checkpoint = tf.train.Checkpoint(weights=self.weights, table=self.table, optimizer=self.optimizer)

    def train(self, steps):
        def replica(gradient, rows):
            sparse = tf.IndexedSlices(tf.stack([gradient, gradient]), rows, tf.constant([4, 2]))
            self.optimizer.apply_gradients([(gradient, self.weights), (sparse, self.table)])

        # On one replica the rows of both are given one after the other.
        alone = self.strategy.num_replicas_in_sync == 1
        for values in steps:
            if alone:
                self.step_on_summed(values)
            else:
                arguments = per_replica(self.strategy, values), per_replica(self.strategy, ROWS)
                self.strategy.run(replica, args=arguments)

    def step_on_summed(self, values):
        def replica():
            gradient = tf.add_n([tf.constant(value) for value in values])
            rows = tf.repeat(tf.constant(values), 2, axis=0)
            sparse = tf.IndexedSlices(rows, tf.concat(ROWS, axis=0), tf.constant([4, 2]))
            self.optimizer.apply_gradients([(gradient, self.weights), (sparse, self.table)])

        self.strategy.run(replica)

    def values(self):
        """Return the first copy of everything by name, after a check that the other copies are the same."""
        found = {}
        for variable in (self.weights, self.table, *self.optimizer.weights):
            first, *others = copies(self.strategy, variable)
            for other in others:
                np.testing.assert_array_equal(other, first)
            found[variable.name.removeprefix("Nadam/")] = first
        assert len(found) == 8
        return found


@pytest.mark.parametrize("saved", STRATEGIES)
def test_training_continues_under_every_other_strategy(request, tmp_path, saved):
    undisturbed = Training(request.getfixturevalue(saved))
    undisturbed.train(GRADIENTS[:2])
    path = undisturbed.checkpoint.save(tmp_path / "saved")
    undisturbed.train(GRADIENTS[2:])
    assert undisturbed.optimizer.iterations.numpy() == 3

    for name in STRATEGIES:
        restored = Training(request.getfixturevalue(name))
        restored.optimizer.learning_rate = 0.5  # the checkpoint's replaces it
        status = restored.checkpoint.restore(path)
        restored.train(GRADIENTS[2:])
        status.assert_consumed()
        values = restored.values()
        for variable, expected in undisturbed.values().items():
            np.testing.assert_allclose(values[variable], expected, rtol=1e-6, err_msg=f"{variable}, {saved} to {name}")


@pytest.mark.parametrize("built", [True, False])
def test_a_checkpoint_is_restored_outside_the_scope_into_copies(mirrored, tmp_path, built):
    saved = Training(mirrored)
    saved.train(GRADIENTS[:2])
    path = saved.checkpoint.save(tmp_path / "saved")

    with mirrored.scope():
        weights, table = tf.Variable([0.0, 0.0]), tf.Variable(tf.zeros((4, 2)))
    optimizer = optreg.get_optimizer("nadam", learning_rate=0.125)
    if built:
        optimizer.build([weights, table])
    tf.train.Checkpoint(weights=weights, table=table, optimizer=optimizer).restore(path)
    optimizer.build([weights, table])
    for name in ("m", "v"):
        assert len(copies(mirrored, optimizer.get_slot(table, name))) == 2
        for value, expected in zip(
            copies(mirrored, optimizer.get_slot(table, name)),
            copies(mirrored, saved.optimizer.get_slot(saved.table, name)),
            strict=True,
        ):
            np.testing.assert_array_equal(value, expected)
    assert copies(mirrored, optimizer.iterations) == [2, 2]
