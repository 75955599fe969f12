"""What one process does to measure replicas. Devices are divided before TensorFlow starts, so each runs in a child."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LONGEST = 180.0
"""Seconds after which a process ends itself."""

_STEPS = 5
_SAMPLES = 20
_SCALE = 0.01  # of gradients, beside weights of about 1


@dataclass(frozen=True)
class Task:
    """What is measured: an optimizer by its label, under a strategy with so many replicas on a kind of device.

    ``cluster`` is the value of ``TF_CONFIG`` for a process of a cluster on this machine; empty where the environment
    has it, or where there is none.
    """

    optimizer: str
    strategy: str
    replicas: int
    kind: str
    shapes: Sequence[Sequence[int]]
    cluster: Mapping[str, Any]


def measure(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Make steps on all replicas and on one with the summed gradients, and return what came out; runs in a child."""
    task = Task(**argument)
    # One that waits for a worker which is gone would wait for ever, also when nobody waits for it any more.
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    if task.cluster:
        os.environ["TF_CONFIG"] = json.dumps(task.cluster)
    strategy = _strategy(task)
    values, gradients = _values(task), [_gradients(task, replica) for replica in range(task.replicas)]
    replicated = _Replicated(strategy, task, values, gradients)
    for _ in range(_STEPS):
        replicated.step()
    weights = replicated.weights()
    single = _on_one_device(task, values, [sum(parts) for parts in zip(*gradients, strict=True)])
    greatest = max(float(np.max(np.abs(value), initial=0.0)) for value in single)
    apart = max(float(np.max(np.abs(a - b), initial=0.0)) for a, b in zip(weights, single, strict=True))
    found = {
        "steps": _STEPS,
        "equal": replicated.equal(),
        "deviation": apart / greatest if greatest else apart,
        "bytes_each": replicated.bytes_each(),
        "declared": replicated.declared(),
        "gradient_bytes": sum(4 * math.prod(shape) for shape in task.shapes),
    }
    samples, reductions = replicated.times()
    return {**found, "samples": samples, "reductions": reductions}


def _strategy(task: Task) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - TF_CONFIG comes first

    if task.strategy == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if task.kind == "CPU":
        (processor,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * task.replicas
        tf.config.set_logical_device_configuration(processor, parts)
    devices = [f"{task.kind}:{number}" for number in range(task.replicas)]
    # Collectives between the parts of one processor can wait for each other for ever.
    operations = tf.distribute.ReductionToOneDevice() if task.kind == "CPU" else None
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=operations)


def _values(task: Task) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(np.float32) for shape in task.shapes]


def _gradients(task: Task, replica: int) -> list[Any]:
    generator = np.random.default_rng([1, replica])
    return [(_SCALE * generator.standard_normal(shape)).astype(np.float32) for shape in task.shapes]


def _contender(task: Task) -> Any:
    from optreg.bench.contenders import contenders  # noqa: PLC0415 - imports TensorFlow
    from optreg.bench.selection import parse_choice  # noqa: PLC0415 - the same

    (contender, *_), _ = contenders(parse_choice(task.optimizer), ())
    return contender


class _Replicated:
    """An optimizer whose variables lie on every replica, and the step that all of them make together."""

    def __init__(self, strategy: Any, task: Task, values: Sequence[Any], gradients: Sequence[Sequence[Any]]) -> None:
        import tensorflow as tf  # noqa: PLC0415 - as above

        self._strategy, self._contender = strategy, _contender(task)
        with strategy.scope():
            self._subject = subject = self._contender.make()
            subject.build(values)
        distributed = [
            strategy.experimental_distribute_values_from_function(
                lambda context, place=place: tf.constant(gradients[context.replica_id_in_sync_group][place])
            )
            for place in range(len(task.shapes))
        ]

        def step() -> Any:
            return strategy.run(lambda *parts: subject.step(parts), args=distributed)

        def reduced(*parts: Any) -> Any:
            sums = tf.distribute.get_replica_context().all_reduce("sum", list(parts))
            return [tf.reduce_sum(total) for total in sums]

        def reduce() -> Any:
            return strategy.run(reduced, args=distributed)

        self.step, self._reduce = (tf.function(call, autograph=False) for call in (step, reduce))

    def weights(self) -> list[Any]:
        """Return the weights of the first replica of this process."""
        return [self._parts(variable)[0].numpy() for variable in self._subject.variables]

    def equal(self) -> bool:
        """Tell whether weights and slots of all replicas, of all processes too, are the same to the bit."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        arrays = [*self._subject.variables, *self._slots()]
        digests = {self._digest([self._parts(array)[place] for array in arrays]) for place in range(self._here)}
        if len(digests) != 1:
            return False
        (mine,) = digests
        everywhere = self._strategy.gather(self._strategy.run(lambda: tf.constant([mine], tf.int64)), axis=0)
        return len({int(digest) for digest in everywhere}) == 1

    def bytes_each(self) -> list[int]:
        """Return the bytes of all slots on each replica of this process."""
        from optreg.bench.subjects import array_bytes  # noqa: PLC0415 - imports TensorFlow

        slots = [self._parts(slot) for slot in self._slots()]
        return [sum(array_bytes(parts[place]) for parts in slots) for place in range(self._here)]

    def declared(self) -> int | None:
        """Return the bytes of slots that the card declares for one replica; None where there is no card."""
        from optreg.bench.memory.declared import compare_state  # noqa: PLC0415 - imports TensorFlow

        card, hyperparameters = self._contender.card, self._contender.provenance.hyperparameters
        if card is None or card.declared is None:
            return None
        slots = compare_state((), self._subject.variables, card=card, hyperparameters=hyperparameters)
        return sum(slot.declared or 0 for slot in slots)

    def times(self) -> tuple[list[float], list[float]]:
        """Return the seconds of steps and of reductions, sampled in turns."""
        samples: list[float] = []
        reductions: list[float] = []
        self._reduce()  # is traced
        for _ in range(_SAMPLES):
            samples.append(self._seconds(self.step))
            reductions.append(self._seconds(self._reduce))
        return samples, reductions

    def _seconds(self, call: Any) -> float:
        start = time.perf_counter()
        found = call() or [self._subject.variables[0]]
        # Asking for a number waits for it; sync_devices knows no workers.
        self._parts(found[0])[0].numpy()
        return time.perf_counter() - start

    @property
    def _here(self) -> int:
        return len(self._parts(self._subject.variables[0]))

    def _slots(self) -> list[Any]:
        """Return all slots; that some variables have one and others do not is legal."""
        from optreg.bench.subjects import slot_or_none  # noqa: PLC0415 - imports TensorFlow

        optimizer = self._subject.optimizer
        found = [
            slot_or_none(optimizer, variable, name)
            for name in optimizer.get_slot_names()
            for variable in self._subject.variables
        ]
        return [slot for slot in found if slot is not None]

    def _parts(self, variable: Any) -> Sequence[Any]:
        found: Sequence[Any] = self._strategy.experimental_local_results(variable)
        return found

    def _digest(self, arrays: Sequence[Any]) -> int:
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(array.numpy().tobytes())
        return int.from_bytes(digest.digest()[:7], "big")


def _on_one_device(task: Task, values: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
    import tensorflow as tf  # noqa: PLC0415 - as above

    subject = _contender(task).make()
    subject.build(values)
    step = tf.function(lambda: subject.step([tf.constant(gradient) for gradient in gradients]), autograph=False)
    for _ in range(_STEPS):
        step()
    return [variable.numpy() for variable in subject.variables]
