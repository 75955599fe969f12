"""Distribution: replicas that share variables make the step of one optimizer with the sum of their gradients."""

from __future__ import annotations

from typing import Any

from optreg.conformance.checks.execution import check_a_traced_step_equals_the_eager_one
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand_close, demand_equal, demand_same
from optreg.conformance.devices import REPLICAS, has_two_logical_devices
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training, value_of

_STEPS = 3


@check(
    "Gradients are not summed over the replicas before the update, or state lives outside the strategy. Do not "
    "override _aggregate_gradients without a sum; create state with add_slot and add_weight.",
    requires=(check_a_traced_step_equals_the_eager_one,),
)
def check_two_replicas_make_the_step_of_one_with_the_sum(subject: Subject) -> None:
    """Under ``MirroredStrategy`` every copy holds what a single optimizer reaches with the summed gradients."""
    strategy = _two_replicas()
    with strategy.scope():
        mirrored = Training(subject.brisk(), subject.dtype)
    single = Training(subject.brisk(), subject.dtype)
    step = tf.function(lambda *parts: strategy.run(_replica_step, args=(mirrored, parts)))
    for number in range(_STEPS):
        parts = [single.gradients(number + replica * _STEPS) for replica in range(REPLICAS)]
        single.apply([tf.add_n(together) for together in zip(*parts, strict=True)])
        step(*[tf.stack(together) for together in zip(*parts, strict=True)])
    first, second = _copies(strategy, mirrored)
    demand_same(second, first, "weights of the second replica against the first")
    demand_close(first, single.values, "weights of two replicas against one with the summed gradients")
    demand_equal(int(mirrored.optimizer.iterations.numpy()), _STEPS, f"iterations after {_STEPS} steps of two replicas")


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
