"""Finding the targets of tasks: tune reference optimizers, rerun the best of them, take the median."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optreg.bench.progress import Clock, Turn
from optreg.bench.quality.ranking import final_metric
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.records import Search
from optreg.bench.quality.searching import search
from optreg.bench.quality.targets import Calibration, Target, calibrated, stored_targets
from optreg.bench.quality.training import train
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import State, TrainingRun
from optreg.bench.tasks.catalogue import Offer
from optreg.bench.tasks.task import Task
from optreg.errors import OptregError

FIRST_SEED = 2_000_003
"""First seed of the repetitions; no measured run and no search has it, or one of those that follow."""


class NothingCalibrated(OptregError, RuntimeError):
    """No reference optimizer could be tuned on the task."""


@dataclass(frozen=True)
class Procedure:
    """What a calibration does: which optimizers it tunes, with how many trials, and how often the best is repeated."""

    references: Sequence[str] = ()
    trials: int = 9
    seeds: int = 20
    device: str = "cpu:0"

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The references, or those of the calibration that optreg ships."""
        return tuple(self.references) or stored_targets().references


@dataclass
class Calibrator:
    """Calibrates tasks one after the other; ``skipped`` says of which there is none, and why."""

    procedure: Procedure
    clock: Clock
    skipped: dict[str, str] = field(default_factory=dict)

    def calibrate(self, offers: Mapping[str, Offer], *, machine: Mapping[str, Any]) -> Calibration:
        """Return the targets of all tasks that need one and can be run here."""
        started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        targets = [target for offer in offers.values() if (target := self._task(offer.task))]
        return Calibration(self.procedure.optimizers, tuple(targets), dict(machine), started)

    def _task(self, task: Task) -> Target | None:
        exact = "its optimum is known, the gap to it needs no calibration" if task.metric == "gap" else ""
        reason = task.absent() or exact
        if reason:
            self.skipped[task.name] = reason
            return None
        winner = self._winner(task)
        finals = [self._repeat(task, winner, FIRST_SEED + place) for place in range(self.procedure.seeds)]
        return calibrated(
            task,
            finals,
            fingerprint=task.make(0, 1).fingerprint,
            winner=winner.optimizer,
            learning_rate=winner.chosen,
            trials=self.procedure.trials,
        )

    def _winner(self, task: Task) -> Search:
        """Return the search of the reference that ended best.

        Raises:
            NothingCalibrated: None came to an end.
        """
        searches = [self._search(task, name) for name in self.procedure.optimizers]
        found = [it for it in searches if it.chosen is not None]
        if not found:
            reasons = "; ".join(f"{it.optimizer}: {it.state.reason}" for it in searches) or "no reference optimizers"
            raise NothingCalibrated(f"task {task.name} cannot be calibrated: {reasons}")
        sign = -1 if task.higher_is_better else 1
        return min(found, key=lambda it: sign * it.expected_best[-1])

    def _search(self, task: Task, name: str) -> Search:
        self.clock.tell(f"calibrating {task.name}: tuning {name}")
        record = Search(name, task.name, self.procedure.trials, self.procedure.device)
        make = tunable(name)
        if isinstance(make, State):
            record.state = make
        else:
            search(make, task, record, plan=Rates(self.procedure.trials), turn=Turn(tell=self.clock.tell))
        return record

    def _repeat(self, task: Task, winner: Search, seed: int) -> float:
        """Return the final metric from another seed; a run that broke is worth what its start was worth."""
        repetition = f"{seed - FIRST_SEED + 1} of {self.procedure.seeds}"
        self.clock.tell(f"calibrating {task.name}: {winner.optimizer}, repetition {repetition}")
        make = tunable(winner.optimizer)
        problem = task.make(seed, task.steps)
        run = TrainingRun(winner.optimizer, "optreg", task.name, self.procedure.device, seed, "tuned", winner.chosen)
        if not isinstance(make, State):
            train(make(float(winner.chosen or 0)), task, problem, run)
        final = final_metric(run)
        return float(problem.judge(problem.weights).metric) if final is None else final
