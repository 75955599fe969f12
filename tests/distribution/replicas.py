"""Gradients that differ from replica to replica, and what became of the copies."""

from __future__ import annotations

import tensorflow as tf


def per_replica(strategy, values):
    """Return ``values[i]`` for replica i; on one replica the sum of all of them."""
    if strategy.num_replicas_in_sync == 1:
        return tf.add_n([tf.constant(value) for value in values])
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(values[context.replica_id_in_sync_group])
    )


def copies(strategy, variable):
    """Return the value of each copy of a variable."""
    return [copy.numpy() for copy in strategy.experimental_local_results(variable)]


def run(strategy, optimizer, variable, gradients, **options):
    """Make a step in a tf.function for each entry of ``gradients``, which holds one gradient a replica."""

    def replica(gradient):
        optimizer.apply_gradients([(gradient, variable)], **options)

    @tf.function
    def step(gradient):
        strategy.run(replica, args=(gradient,))

    for values in gradients:
        step(per_replica(strategy, values))


GRADIENTS = [([1.0, 2.0], [3.0, 0.5]), ([0.25, -1.0], [1.0, 1.0]), ([2.0, 2.0], [-1.0, 0.0])]
"""Three steps of two replicas; all sums are exact in binary."""
