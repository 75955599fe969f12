"""Distribution: replicas that share variables make the step of one optimizer with the sum of their gradients."""

from __future__ import annotations

from typing import Any

from optreg.conformance.capabilities import SPARSE
from optreg.conformance.checks.dense import check_clip_options_take_effect
from optreg.conformance.checks.execution import check_a_traced_step_equals_the_eager_one
from optreg.conformance.checks.sparse import check_a_sparse_step_can_be_made
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand_close, demand_equal, demand_same
from optreg.conformance.devices import REPLICAS, has_two_logical_devices
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import TABLE_SHAPE, TableTraining, Training, value_of

_STEPS = 3
_LIMIT = 0.05
_ROWS = ([4, 0, 1, 4], [2, 5, 2, 0])
"""Rows of each step; the first half belongs to the first replica."""


@check(
    "Gradients are not summed over the replicas before the update, or state lives outside the strategy. Do not "
    "override _aggregate_gradients without a sum; create state with add_slot and add_weight.",
    requires=(check_a_traced_step_equals_the_eager_one,),
)
def check_two_replicas_make_the_step_of_one_with_the_sum(subject: Subject) -> None:
    """Under ``MirroredStrategy`` every copy holds what a single optimizer reaches with the summed gradients."""
    expected, received = _both(subject)
    demand_close(received, expected, "weights of two replicas against one with the summed gradients")


@check(
    "Gradients are clipped on each replica, before they are summed. Clip in _transform_gradients, not in "
    "_transform_unaggregated_gradients.",
    requires=(check_two_replicas_make_the_step_of_one_with_the_sum, check_clip_options_take_effect),
    every_variant=False,
)
def check_replicas_clip_the_sum_of_their_gradients(subject: Subject) -> None:
    """The threshold holds for the gradient that is applied, whatever the number of replicas."""
    for option in ("clipnorm", "global_clipnorm", "clipvalue"):
        expected, received = _both(subject, **{option: _LIMIT})
        demand_close(received, expected, f"weights of two replicas with {option}={_LIMIT}")


@check(
    "_aggregate_gradients was overridden for dense gradients only. Sum tf.IndexedSlices too, or call super().",
    requires=(check_two_replicas_make_the_step_of_one_with_the_sum, check_a_sparse_step_can_be_made),
    capability=SPARSE,
    every_variant=False,
)
def check_replicas_sum_their_sparse_gradients(subject: Subject) -> None:
    """An embedding under ``MirroredStrategy`` makes the step of one table with all rows of all replicas."""
    strategy = _two_replicas()
    with strategy.scope():
        mirrored = TableTraining(subject.brisk(), subject.dtype)
    single = TableTraining(subject.brisk(), subject.dtype)
    step = tf.function(lambda values, rows: strategy.run(_replica_rows, args=(mirrored, values, rows)))
    for number, rows in enumerate(_ROWS):
        gradient = single.slices(rows, number)
        single.apply(gradient)
        halves = [tf.reshape(part, (REPLICAS, -1, *part.shape[1:])) for part in (gradient.values, gradient.indices)]
        step(*halves)
    first, second = (value_of(copy) for copy in strategy.experimental_local_results(mirrored.table))
    demand_same([second], [first], "the table of the second replica against the first")
    demand_close([first], [single.value], "the table of two replicas against one with all rows")


def _replica_rows(training: TableTraining, values: Any, rows: Any) -> None:
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    shape = tf.constant(TABLE_SHAPE, tf.int64)
    training.apply(tf.IndexedSlices(tf.gather(values, replica), tf.gather(rows, replica), shape))


def _both(subject: Subject, **overrides: Any) -> tuple[list[Any], list[Any]]:
    """Return the weights of one optimizer with the summed gradients, and those of two replicas."""
    strategy = _two_replicas()
    with strategy.scope():
        mirrored = Training(subject.brisk(**overrides), subject.dtype)
    single = Training(subject.brisk(**overrides), subject.dtype)
    step = tf.function(lambda *parts: strategy.run(_replica_step, args=(mirrored, parts)))
    for number in range(_STEPS):
        parts = [single.gradients(number + replica * _STEPS) for replica in range(REPLICAS)]
        single.apply([tf.add_n(together) for together in zip(*parts, strict=True)])
        step(*[tf.stack(together) for together in zip(*parts, strict=True)])
    first, second = _copies(strategy, mirrored)
    demand_same(second, first, "weights of the second replica against the first")
    demand_equal(int(mirrored.optimizer.iterations.numpy()), _STEPS, f"iterations after {_STEPS} steps of two replicas")
    return single.values, first


def _replica_step(training: Training, parts: tuple[Any, ...]) -> None:
    """Apply this replica's share of the gradients; ``parts`` hold [replica, ...]."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    training.apply([tf.gather(stacked, replica) for stacked in parts])


def _copies(strategy: Any, training: Training) -> tuple[list[Any], list[Any]]:
    local = [strategy.experimental_local_results(variable) for variable in training.variables]
    return [value_of(copies[0]) for copies in local], [value_of(copies[1]) for copies in local]


def _two_replicas() -> Any:
    if not has_two_logical_devices():
        raise Skipped(
            "this process has one logical CPU and TensorFlow cannot add one any more: call "
            "optreg.conformance.use_two_logical_devices() before TensorFlow is used"
        )
    return tf.distribute.MirroredStrategy(
        [f"CPU:{replica}" for replica in range(REPLICAS)],
        # Collectives of several strategies in one process get in each other's way.
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
