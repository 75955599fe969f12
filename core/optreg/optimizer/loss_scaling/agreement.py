"""A step that every replica makes, or none does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from optreg.optimizer.distribution import graph_operations


def step_together(
    gradients: Sequence[Any],
    wanted: Any,
    *,
    step: Callable[[Sequence[Any]], Any],
    note: Callable[[Any], Sequence[Any]],
) -> Any:
    """Make a step if every replica wants it, and tell what was decided.

    A condition around something that replicas do together, as summing gradients, cannot stand in the code of one
    replica. So the decision is taken where they meet, and from there each makes its step.

    Args:
        gradients: Those of this replica.
        wanted: Whether this replica wants the step, a scalar Boolean tensor.
        step: Makes the step of one replica from its gradients.
        note: Called once, in the place where replicas meet, with the decision as a scalar Boolean tensor; returns what
            it did.

    Returns:
        In a graph the operation of all that was done; None eagerly.
    """
    if not tf.distribute.has_strategy():
        return _both(_made_if(wanted, lambda: [step(gradients)]), note(wanted))

    def where_replicas_meet(strategy: Any, gradients: Sequence[Any], refusals: Any) -> Any:
        agreed = tf.equal(strategy.reduce(tf.distribute.ReduceOp.SUM, refusals, axis=None), 0.0)

        def step_of_each() -> list[Any]:
            done = strategy.extended.call_for_each_replica(step, args=(gradients,))
            return list(tf.nest.flatten(strategy.experimental_local_results(done)))

        return _both(_made_if(agreed, step_of_each), note(agreed))

    refusals = tf.cast(tf.logical_not(wanted), tf.float32)
    return tf.distribute.get_replica_context().merge_call(where_replicas_meet, args=(list(gradients), refusals))


def _made_if(agreed: Any, step: Callable[[], list[Any]]) -> list[Any]:
    if tf.executing_eagerly():
        return step() if agreed else []

    def made() -> Any:
        with tf.control_dependencies(graph_operations(step())):
            return tf.constant(True)

    return [tf.cond(agreed, made, lambda: tf.constant(False))]


def _both(first: Sequence[Any], second: Sequence[Any]) -> Any:
    return None if tf.executing_eagerly() else tf.group(*graph_operations([*first, *second]))
