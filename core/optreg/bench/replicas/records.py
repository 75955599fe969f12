"""What a measurement of replicas leaves behind."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from optreg.bench.results.records import State


@dataclass
class ReplicaEntry:
    """One optimizer on one layout under one strategy of ``tf.distribute`` with so many replicas.

    ``virtual`` says that the replicas share the processors of one machine: such times are no scaling, only the rest
    counts. ``equal`` tells whether weights and slots of all replicas are the same to the bit after ``steps`` steps;
    ``deviation`` is the greatest difference of a weight from one replica that is given the sum of the gradients,
    divided by the greatest weight. ``bytes_each`` are the bytes of all slots on each replica of this process,
    ``declared`` those that the card declares for one, None where there is no card.
    ``samples`` are the seconds of a step, ``reductions`` those of summing the gradients (``gradient_bytes`` on each
    replica) alone, sampled in turns.
    """

    optimizer: str
    implementation: str
    strategy: str
    replicas: int
    layout: str
    device: str
    parameters: int = 0
    state: State = field(default_factory=State)
    virtual: bool = False
    steps: int | None = None
    equal: bool | None = None
    deviation: float | None = None
    bytes_each: list[int] = field(default_factory=list)
    declared: int | None = None
    gradient_bytes: int | None = None
    samples: list[float] = field(default_factory=list)
    reductions: list[float] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What was measured, in words."""
        return f"{self.optimizer} on {self.replicas} replicas, {self.strategy}, {self.layout}"

    @property
    def as_declared(self) -> bool | None:
        """Whether every replica keeps the bytes that the card declares; None where there is nothing to compare."""
        if self.declared is None or not self.bytes_each:
            return None
        return all(size == self.declared for size in self.bytes_each)

    @property
    def share_of_reduction(self) -> float | None:
        """The median time of the reduction as part of the median step."""
        return statistics.median(self.reductions) / statistics.median(self.samples) if self.samples else None

    @property
    def bus_bytes_per_second(self) -> float | None:
        """What each replica sends and receives in the reduction, in one second: 2 (n - 1) / n of the gradients.

        The measure of NVIDIA's nccl-tests, which does not depend on the number of replicas.
        """
        if not self.reductions or self.gradient_bytes is None or self.replicas == 1:
            return None
        moved = self.gradient_bytes * 2 * (self.replicas - 1) / self.replicas
        return moved / statistics.median(self.reductions)

    def efficiency(self, alone: ReplicaEntry | None) -> float | None:
        """Return the median step on one replica divided by this one's: 1 where further replicas cost nothing."""
        if alone is None or not alone.samples or not self.samples:
            return None
        return statistics.median(alone.samples) / statistics.median(self.samples)


def alone_of(entry: ReplicaEntry, entries: list[ReplicaEntry]) -> ReplicaEntry | None:
    """Return the entry of the same optimizer, layout and strategy with one replica."""
    key = (entry.optimizer, entry.implementation, entry.strategy, entry.layout, entry.device, 1)
    same = (
        it for it in entries if (it.optimizer, it.implementation, it.strategy, it.layout, it.device, it.replicas) == key
    )
    return next(same, None)
