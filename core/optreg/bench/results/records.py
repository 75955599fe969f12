"""What a benchmark leaves behind: every raw sample, where it was taken, and how each entry ended."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from optreg.bench.quality.schedules import Schedule
from optreg.bench.results.discretion import without_home

if TYPE_CHECKING:  # these records need ``State`` themselves
    from optreg.bench.landscapes.descent import Descent
    from optreg.bench.memory.records import MemoryEntry
    from optreg.bench.probes.probe import Answer
    from optreg.bench.quality.records import Search, TaskRecord
    from optreg.bench.quality.split import SplitEntry
    from optreg.bench.replicas.records import ReplicaEntry

SCHEMA = "optreg.bench/1"
"""Name and major version of the results file; a reader of 1 reads every file of 1."""

MINOR = 4
"""Grows when fields are added, which readers of the same major version pass over."""

StateName = Literal["finished", "diverged", "failed", "skipped"]
_REASON_LENGTH = 300


@dataclass(frozen=True)
class State:
    """How an entry ended, and why when it did not finish.

    ``forecast`` is how many seconds something skipped would have taken, where that is the reason.
    """

    name: StateName = "finished"
    reason: str = ""
    forecast: float | None = None

    @classmethod
    def failed(cls, error: BaseException) -> State:
        """Return the state of an entry that raised, with the first line of the error."""
        lines = str(error).strip().splitlines()
        first = lines[0][:_REASON_LENGTH] if lines else ""
        return cls("failed", f"{type(error).__name__}: {first}" if first else type(error).__name__)


@dataclass(frozen=True)
class Sample:
    """One timed sample.

    ``round`` is -1 for a warm-up; ``position`` is the place in the random order of the round; ``seconds`` are for one
    step, the mean over ``steps`` steps. ``process`` counts the processes of a run with replicas.
    """

    round: int
    position: int
    steps: int
    seconds: float
    process: int = 0


@dataclass(frozen=True)
class SlotBytes:
    """Bytes that one slot takes over all variables; ``declared`` is None where the card says nothing of the slot.

    ``reads`` and ``writes`` tell how often a step passes them: what the card says, and once each without one.
    """

    name: str
    measured: int
    declared: int | None = None
    reads: float = 1.0
    writes: float = 1.0


@dataclass(eq=False)  # an entry is itself, whatever it holds so far
class SpeedEntry:
    """The update step of one optimizer by one implementation on one layout, device and kind of execution.

    ``implementation`` is ``optreg``, a peer such as ``keras``, or ``harness``: a step that does nothing,
    of the optimizer ``-``.
    Seconds: ``build`` creates all state, ``trace`` turns the step into a graph, ``compile`` is what the call that XLA
    compiles in takes longer than the next one, ``first`` is the first step without that. ``traces`` counts how often
    Python ran to make the graph; more than 1 is a retrace. ``operations`` counts the nodes of that graph.
    ``declares`` tells whether there is a card to compare the slots with.
    ``traffic`` is the least number of bytes that a step must move, as its slots are read and written.
    What was not measured, or does not exist in this kind of run, is None and never 0.
    """

    optimizer: str
    implementation: str
    execution: str
    layout: str
    device: str
    parameters: int = 0
    tensors: int = 0
    state: State = field(default_factory=State)
    build: float | None = None
    trace: float | None = None
    compile: float | None = None
    first: float | None = None
    traces: int | None = None
    operations: int | None = None
    declares: bool = False
    slots: list[SlotBytes] = field(default_factory=list)
    traffic: int | None = None
    warm_ups: list[Sample] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The entry in words, and in those alone."""
        return f"{self.optimizer} {self.execution} {self.implementation} on {self.layout}, {self.device}"

    @property
    def spot(self) -> tuple[str, str, str]:
        """Where it was measured: entries of one spot take turns, whoever makes the steps and in which way."""
        return self.optimizer, self.layout, self.device

    @property
    def seconds(self) -> list[float]:
        """Seconds a step, one value for each sample."""
        return [sample.seconds for sample in self.samples]

    @property
    def by_process(self) -> list[list[float]]:
        """Seconds a step, the samples of each process apart."""
        processes = sorted({sample.process for sample in self.samples})
        return [[it.seconds for it in self.samples if it.process == number] for number in processes]


@dataclass(frozen=True)
class Evaluation:
    """Loss and metric, as the task judges, after ``step`` steps that took ``seconds``, looks not counted."""

    step: int
    loss: float
    metric: float
    seconds: float = 0.0


Setting = Literal["default", "search", "tuned"]


@dataclass
class TrainingRun:
    """One optimizer, by one implementation, trained on one task from one seed.

    ``setting`` tells whether the hyperparameters are those chosen, a trial of the search, or what the search found;
    ``learning_rate`` is None for those chosen. ``planned`` is the length of the run in steps: only its end gives a
    verdict, and there its ``schedule`` brings the learning rate. ``losses`` holds the loss of the batch at every step;
    ``seconds`` counts training without evaluation.
    """

    optimizer: str
    implementation: str
    task: str
    device: str
    seed: int
    setting: Setting = "default"
    learning_rate: float | None = None
    planned: int = 0
    schedule: Schedule = Schedule()  # noqa: RUF009 - it is frozen
    state: State = field(default_factory=State)
    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Subject:
    """Provenance of a measured optimizer: where it comes from, and the hyperparameters it ran with.

    ``target`` is its class as an entry point names it, ``module:Class``.
    """

    optimizer: str
    implementation: str
    origin: str
    version: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    target: str | None = None


@dataclass
class Results:
    """Everything one run of the benchmark found.

    ``summary`` is filled by ``optreg.bench.summary`` when the run ends; the rest is raw. ``resumed`` holds when a run
    that had been cut short went on; ``unknown`` what a newer optreg wrote and this one does not know. ``run_id`` is a
    random one that the run keeps when it goes on; ``layouts`` holds the sha256 of each layout, ``machine`` the fields
    of ``optreg.bench.results.machine.Machine``.
    """

    started: str
    argv: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    subjects: list[Subject] = field(default_factory=list)
    tasks: list[TaskRecord] = field(default_factory=list)
    training: list[TrainingRun] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    splits: list[SplitEntry] = field(default_factory=list)
    descents: list[Descent] = field(default_factory=list)
    properties: list[Answer] = field(default_factory=list)
    memory: list[MemoryEntry] = field(default_factory=list)
    replicas: list[ReplicaEntry] = field(default_factory=list)
    speed: list[SpeedEntry] = field(default_factory=list)
    layouts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    run_id: str | None = None
    finished: str = ""
    resumed: list[str] = field(default_factory=list)
    interrupted: bool = False
    unknown: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA
    minor: int = MINOR

    def to_dict(self) -> dict[str, Any]:
        """Return the results as JSON types; numbers that are not finite become None, since JSON has none."""
        plain: dict[str, Any] = json_ready(dataclasses.asdict(self))
        unknown = plain.pop("unknown")
        versioned = {"schema": plain.pop("schema"), "minor": plain.pop("minor")}
        return {**versioned, **plain, **unknown}

    @property
    def unusable(self) -> list[str]:
        """Optimizers of this registry that raised, or that diverged with the hyperparameters chosen for them.

        A rate that a search tries may diverge, and so may any on a test function: that is what they are for.
        """
        entries: list[TrainingRun | SplitEntry | Descent | SpeedEntry | MemoryEntry | ReplicaEntry] = [
            *self.training,
            *self.splits,
            *self.descents,
            *self.speed,
            *self.memory,
            *self.replicas,
        ]
        broken = [it for it in entries if it.state.name == "failed"]
        chosen: list[TrainingRun | SpeedEntry] = [*(it for it in self.training if it.setting == "default"), *self.speed]
        broken += [it for it in chosen if it.state.name == "diverged"]
        return sorted({it.optimizer for it in broken if it.implementation == "optreg"})


def json_ready(value: Any) -> Any:
    """Return the value as JSON types: what is not finite as None, what JSON does not know as its ``repr``.

    The user's own folder becomes ``~``.
    """
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return without_home(value)
    if value is None or isinstance(value, (int, bool)):
        return value
    return repr(value)
