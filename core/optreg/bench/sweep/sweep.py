"""Training all that a study has planned, by several workers; the study then finds its runs made.

A record that comes back is kept in the run's history, and so in its journal: a sweep that is killed goes on as every
run does, with the same workers, with others, or with none.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field
from typing import Any

from optreg.bench.contenders import OURS
from optreg.bench.progress import Clock
from optreg.bench.quality.records import Search
from optreg.bench.quality.study import Study
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import History, Results, State, TrainingRun
from optreg.bench.results.thawing import thaw
from optreg.bench.sweep.cell import THREADS, Cell
from optreg.bench.sweep.crews import Crew, crew_of

_POLL = 0.5  # seconds between two signs of life of the sweep
_GRACE = 30.0  # seconds that a worker may take beyond its time, to start and to end a step

Record = TrainingRun | Search


@dataclass
class Sweep:
    """The training part of a run, done by a crew.

    Args:
        study: What is planned; it gives the records, and takes them back.
        results: Where the study plans its runs, and where it is said who made them.
        history: What was done before, and where it is kept what is done now.
        clock: Who is told, and when the budget ends.
    """

    study: Study
    results: Results
    history: History
    clock: Clock
    _hosts: collections.Counter[str] = field(default_factory=collections.Counter)
    _versions: dict[str, dict[str, str]] = field(default_factory=dict)

    def everything(self, *, until: float) -> None:
        """Work until the time is over; what is not reached is left to the study, which says so.

        Raises:
            MissingExtra: The library that runs the workers is not installed.
            NoCluster: The Ray cluster does not answer.
        """
        waiting = collections.deque(self._planned())
        if not waiting:
            return
        self.clock.tell("starting the workers")
        with crew_of(self.study.regime.staff) as crew:
            pending: dict[Future[dict[str, Any]], Record] = {}
            while waiting or pending:
                while waiting and len(pending) < crew.size and self.clock.now < until:
                    self._begin(waiting.popleft(), crew, pending, until=until)
                if not pending or self.clock.now > until + _GRACE:
                    break
                self._tell(len(waiting) + len(pending), crew.size)
                for future in wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                    waiting.extend(self._take(pending.pop(future), future, crew))
            self._say_who(crew.size)

    def _planned(self) -> Iterator[Record]:
        """Yield what is still to do: first all defaults seed by seed, so that time running out leaves equal seeds."""
        able = {task.name for task in self.study.able()}
        for run in self.results.training:
            if run.task in able and not self.history.adopt(run):
                yield run
        for record in self.results.searches:
            if self.history.adopt(record):
                yield from self._tuned(record)
            elif record.task in able and not isinstance(tunable(record.optimizer), State):
                yield record

    def _tuned(self, record: Search) -> list[TrainingRun]:
        return [run for run in self.study.tuned_runs(record) if not self.history.adopt(run)]

    def _begin(
        self, record: Record, crew: Crew, pending: dict[Future[dict[str, Any]], Record], *, until: float
    ) -> None:
        reason = self.history.broken.get((record.optimizer, _implementation(record)), "")
        if reason:
            self._keep(record, State("failed", reason))
            return
        pending[crew.submit(asdict(self._cell(record, seconds=until - self.clock.now)))] = record

    def _cell(self, record: Record, *, seconds: float) -> Cell:
        search, run = (record, None) if isinstance(record, Search) else (None, record)
        steps = next(task.steps for task in self.results.tasks if task.name == record.task)
        return Cell(
            optimizer=record.optimizer,
            implementation=_implementation(record),
            task=record.task,
            steps=run.planned if run else steps,
            seed=run.seed if run else 0,
            device=record.device,
            rates=self.study.regime.search if search else None,
            rate=run.learning_rate if run else None,
            schedule=record.schedule,
            seconds=seconds,
            asked=time.time(),
            patience=self.study.regime.staff.patience,
        )

    def _take(self, record: Record, future: Future[dict[str, Any]], crew: Crew) -> list[TrainingRun]:
        """Keep what has come back, and return what there is to do because of it."""
        error = future.exception()
        if error is not None:
            reason = crew.death(error)
            if reason:
                reason = (
                    f"{reason}, or gave no sign of life for {self.study.regime.staff.patience:g} s, on {record.task}"
                )
                self.history.ban(record.optimizer, _implementation(record), reason)
            self._keep(record, State("failed", reason) if reason else State.failed(error))
            return []
        done = future.result()
        self._hosts[done["host"]] += 1
        self._versions[done["host"]] = done["versions"]
        self.history.keep(thaw(type(record), done["record"]))
        self.history.adopt(record)
        return self._tuned(record) if isinstance(record, Search) else []

    def _keep(self, record: Record, state: State) -> None:
        record.state = state
        self.history.keep(record)

    def _tell(self, left: int, size: int) -> None:
        self.clock.tell(f"training with {size} workers: {left} runs and searches ahead")

    def _say_who(self, size: int) -> None:
        """Write down who did the work, and what of it cannot be compared with a run without workers."""
        if not self._hosts:
            return
        # What machines are called tells who owns them, and is nobody's business.
        numbers = {name: f"host {number}" for number, name in enumerate(sorted(self._hosts), start=1)}
        hosts = {
            numbers[name]: {"cells": count, "versions": self._versions[name]} for name, count in self._hosts.items()
        }
        who = {"executor": self.study.regime.staff.executor, "workers": size, "threads": THREADS, "hosts": hosts}
        self.results.machine["sweep"] = who
        where = ", ".join(f"{count} on {numbers[name]}" for name, count in sorted(self._hosts.items()))
        self.results.notes.append(
            f"training: {size} workers of {THREADS} thread at a time ({where}); their seconds are those of a shared "
            "machine"
        )
        if len({tuple(sorted(versions.items())) for versions in self._versions.values()}) > 1:
            self.results.notes.append("the hosts of the sweep have different versions of optreg, tensorflow or numpy")


def _implementation(record: Record) -> str:
    return OURS if isinstance(record, Search) else record.implementation
