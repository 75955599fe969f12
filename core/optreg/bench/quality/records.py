"""What a study of quality leaves behind besides its training runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optreg.bench.quality.rates import Edge
from optreg.bench.quality.schedules import Schedule
from optreg.bench.results import State


@dataclass
class TaskRecord:
    """A task as it was run: whose it is, on which data, for how long, and what counts as reached.

    ``fingerprint`` is the sha256 of its data, and ``code`` that of the file which makes the task, where there is one.
    ``shortened`` says that runs were shorter than the task plans, so that no calibrated target holds.
    ``target_from`` is ``calibrated``, ``declared`` or empty. ``plausible`` bounds what can be true; a better metric is
    marked. ``state`` is not ``finished`` where the task could not be run; its reason says why.
    """

    name: str
    summary: str
    origin: str
    version: str = ""
    source: str = ""
    metric: str = ""
    higher_is_better: bool = True
    steps: int = 0
    epoch: int = 1
    fingerprint: str = ""
    references: Mapping[str, float] = field(default_factory=dict)
    target: float | None = None
    target_from: str = ""
    plausible: float | None = None
    shortened: bool = False
    code: str | None = None
    state: State = field(default_factory=State)


@dataclass(frozen=True)
class Attempt:
    """One learning rate of a search: where it ended, and what that cost."""

    learning_rate: float
    metric: float | None
    loss: float | None
    state: str
    steps: int
    seconds: float


@dataclass
class Search:
    """The search for the learning rate of one optimizer on one task, with everything it spent.

    Every attempt follows the ``schedule``, down from the learning rate that it tries.

    ``edge`` warns that the best lies at the end of all that was tried. ``expected_best`` is the metric that a
    search of 1, 2, ... of the attempts would have found on average.
    """

    optimizer: str
    task: str
    trials: int
    device: str = "cpu:0"
    schedule: Schedule = Schedule()  # noqa: RUF009 - it is frozen
    attempts: list[Attempt] = field(default_factory=list)
    chosen: float | None = None
    edge: Edge = ""
    expected_best: list[float] = field(default_factory=list)
    state: State = field(default_factory=State)

    @property
    def steps(self) -> int:
        """Steps spent on all attempts."""
        return sum(attempt.steps for attempt in self.attempts)

    @property
    def seconds(self) -> float:
        """Seconds spent on all attempts."""
        return sum(attempt.seconds for attempt in self.attempts)
