"""Training everybody on everything: default hyperparameters, search for a learning rate, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from optreg.bench.contenders import OURS, Contender
from optreg.bench.progress import Clock, Turn
from optreg.bench.quality.rates import Rates
from optreg.bench.quality.records import Search, TaskRecord
from optreg.bench.quality.schedules import Schedule
from optreg.bench.quality.searching import search
from optreg.bench.quality.split import SplitEntry, measure_split
from optreg.bench.quality.targets import stored_targets
from optreg.bench.quality.training import train
from optreg.bench.quality.tunable import tunable
from optreg.bench.results import History, Results, State, TrainingRun
from optreg.bench.subjects import Subject
from optreg.bench.sweep.crews import Staff
from optreg.bench.tasks.catalogue import Offer, broken_offers
from optreg.bench.tasks.task import Problem, Task

_FIRST_RUN_SECONDS = 1.0  # before a run has been made
_TRACING_SECONDS = 0.3


@dataclass(frozen=True)
class Regime:
    """How much is trained, and where.

    Args:
        seeds: Runs of each optimizer on each task.
        epochs: Passes over the data; None for as many as the task plans.
        search: For a learning rate; None for none.
        device: On which the runs are made.
        staff: By how many processes, and on which machines.
        split: Whether the parts of a training step are timed too.
        schedule: What every run does with its learning rate.
    """

    seeds: int = 5
    epochs: int | None = None
    search: Rates | None = None
    device: str = "cpu:0"
    staff: Staff = Staff()  # noqa: RUF009 - it is frozen
    split: bool = False
    schedule: Schedule = Schedule()  # noqa: RUF009 - see Staff

    def steps(self, task: Task) -> int:
        """Return the steps of a run; a task without epochs is shortened in the same proportion as one of ten."""
        if self.epochs is None:
            return task.steps
        return self.epochs * task.epoch if task.epoch > 1 else max(task.steps * self.epochs // 10, 1)


class Study:
    """All runs of all tasks; planned when it is made, so that even an interrupted study lists them.

    Args:
        field: Ours and peers. Peers run with default hyperparameters from the first seed only: it shows whether they
            train alike, and the time is for ours.
        offers: Tasks by name.
        results: What is filled.
        regime: How much is trained, and where.
    """

    def __init__(
        self,
        field: Sequence[Contender],
        offers: Mapping[str, Offer],
        results: Results,
        *,
        clock: Clock,
        regime: Regime,
    ) -> None:
        self.history = History()
        self._field = [contender for contender in field if not contender.speed_only]
        self._by_key = {(it.optimizer, it.implementation): it for it in self._field}
        self._results, self._clock, self.regime = results, clock, regime
        self._tasks: dict[str, Task] = {}
        for name, offer in offers.items():
            task = replace(offer.task, name=name, steps=regime.steps(offer.task))
            self._tasks[name] = task
            record = _record(task, offer)
            results.tasks.append(record)
            results.training += [
                TrainingRun(
                    contender.optimizer,
                    contender.implementation,
                    name,
                    regime.device,
                    seed,
                    planned=task.steps,
                    schedule=regime.schedule,
                )
                for seed in range(regime.seeds)
                for contender in self._field
                if seed == 0 or contender.implementation == OURS
            ]
            if regime.split:
                results.splits += [
                    SplitEntry(contender.optimizer, contender.implementation, name, regime.device)
                    for contender in self._field
                ]
            if regime.search:
                ours = [contender for contender in self._field if contender.implementation == OURS]
                results.searches += [
                    Search(contender.optimizer, name, regime.search.trials, regime.device, regime.schedule)
                    for contender in ours
                ]

    def everything(self, *, until: float) -> None:
        """Train until the time is over: of all tasks first the defaults, then the search and what it found."""
        for task in self.able():
            self._defaults(task, until=until)
            self._splits(task, until=until)
        if self.regime.search:
            for task in self.able():
                self._tuned(task, self.regime.search, until=until)

    def seconds_ahead(self) -> float:
        """Forecast the seconds that the runs not yet begun will take."""
        done: dict[str, list[float]] = {}
        for run in self._results.training:
            if run.losses:
                done.setdefault(run.task, []).append(run.seconds * run.planned / len(run.losses))
        waiting = [run for run in self._results.training if not run.losses and run.state.name == "finished"]
        each = {name: _TRACING_SECONDS + sum(seconds) / len(seconds) for name, seconds in done.items()}
        searching = [it for it in self._results.searches if not it.attempts and it.state.name == "finished"]
        runs = [(run.task, 1) for run in waiting] + [(it.task, it.trials + self.regime.seeds) for it in searching]
        return sum(count * each.get(task, _FIRST_RUN_SECONDS) for task, count in runs)

    def able(self) -> Iterator[Task]:
        """Yield the tasks that can be run; the others get a state, and so do their runs."""
        for record in self._results.tasks:
            if record.name not in self._tasks:
                continue
            if record.state.name == "finished" and not record.fingerprint:
                self._prepare(self._tasks[record.name], record)
            if record.state.name == "finished":
                yield self._tasks[record.name]

    def _prepare(self, task: Task, record: TaskRecord) -> None:
        absent = task.absent()
        try:
            problem = None if absent else task.make(0, task.steps)
        except Exception as error:  # a plugin's task may raise anything, and becomes a row
            record.state = State.failed(error)
        else:
            if problem is None:
                record.state = State("skipped", absent)
            else:
                _describe(record, task, problem)
        if record.state.name != "finished":
            for run in self._results.training:
                run.state = record.state if run.task == task.name else run.state
            for search_record in self._results.searches:
                search_record.state = record.state if search_record.task == task.name else search_record.state
            for split in self._results.splits:
                split.state = record.state if split.task == task.name else split.state

    def _defaults(self, task: Task, *, until: float) -> None:
        """Train seed by seed, so that running out of time leaves all optimizers with the same seeds."""
        longest = 0.0
        for seed in range(self.regime.seeds):
            key = (task.name, seed, "default")
            runs = [run for run in self._results.training if (run.task, run.seed, run.setting) == key]
            begun = self._clock.now
            if begun + longest > until:
                for run in runs:
                    run.state = State("skipped", f"no time for seed {seed + 1}; raise --budget")
            else:
                self._train_seed(task, runs, until=until)
            longest = max(longest, self._clock.now - begun)

    def _train_seed(self, task: Task, runs: Sequence[TrainingRun], *, until: float) -> None:
        problem = task.make(runs[0].seed, task.steps)
        for run in runs:
            contender = self._by_key[run.optimizer, run.implementation]
            if self.history.adopt(run):
                continue
            self._tell(run, f"seed {run.seed + 1} of {self.regime.seeds}")
            if contender.broken:
                run.state = contender.broken
            elif self._clock.now > until:
                run.state = State("skipped", f"no time for seed {run.seed + 1}; raise --budget")
            else:
                train(contender.make, task, problem, run, self._turn(until))
            self.history.keep(run)

    def _splits(self, task: Task, *, until: float) -> None:
        entries = [it for it in self._results.splits if it.task == task.name and not self.history.adopt(it)]
        for entry in entries:
            contender = self._by_key[entry.optimizer, entry.implementation]
            words = f"parts of a step of {entry.optimizer} ({entry.implementation}) on {task.name}"
            self._say(words, entry.optimizer, entry.implementation)
            if contender.broken:
                entry.state = contender.broken
            elif self._clock.now > until:
                entry.state = State("skipped", "no time for the parts of a step; raise --budget")
            else:
                measure_split(contender.make, task.make(0, task.steps), entry, self._turn(until))
            self.history.keep(entry)

    def _tuned(self, task: Task, plan: Rates, *, until: float) -> None:
        for record in [it for it in self._results.searches if it.task == task.name]:
            make = tunable(record.optimizer)
            known = self.history.adopt(record)
            if not known and self._clock.now > until:
                record.state = State("skipped", "no time to search for a learning rate; raise --budget")
            elif isinstance(make, State):
                record.state = make
            else:
                if not known:
                    self._say(f"tuning {record.optimizer} on {task.name}", record.optimizer, OURS)
                    search(make, task, record, plan=plan, turn=self._turn(until))
                    self.history.keep(record)
                if record.chosen is not None:
                    self._train_tuned(task, record, make(record.chosen), until=until)

    def tuned_runs(self, record: Search) -> list[TrainingRun]:
        """Return the runs with what the search found, from the seeds of the defaults, which the search has not seen."""
        key = (record.optimizer, record.task, "tuned")
        runs = [run for run in self._results.training if (run.optimizer, run.task, run.setting) == key]
        if not runs and record.chosen is not None:
            steps = self._tasks[record.task].steps
            what = (record.optimizer, OURS, record.task, self.regime.device)
            runs = [
                TrainingRun(*what, seed, "tuned", record.chosen, steps, record.schedule)
                for seed in range(self.regime.seeds)
            ]
            self._results.training += runs
        return runs

    def _train_tuned(self, task: Task, record: Search, make: Callable[[], Subject], *, until: float) -> None:
        for run in self.tuned_runs(record):
            if self.history.adopt(run):
                continue
            self._tell(run, f"tuned, seed {run.seed + 1} of {self.regime.seeds}")
            if self._clock.now > until:
                run.state = State("skipped", f"no time for seed {run.seed + 1}; raise --budget")
            else:
                train(make, task, task.make(run.seed, task.steps), run, self._turn(until))
            self.history.keep(run)

    def _turn(self, until: float) -> Turn:
        return Turn(until, self._clock.tell, self._clock.timer)

    def _tell(self, run: TrainingRun, words: str) -> None:
        label = f"training {run.optimizer} ({run.implementation}) on {run.task}, {words}"
        self._say(label, run.optimizer, run.implementation)

    def _say(self, label: str, optimizer: str, implementation: str) -> None:
        self._clock.tell(label)
        self.history.announce(label, optimizer, implementation)


def _record(task: Task, offer: Offer) -> TaskRecord:
    return TaskRecord(
        name=task.name,
        summary=task.summary,
        origin=offer.origin,
        version=offer.version,
        source=task.source,
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        steps=task.steps,
        epoch=task.epoch,
        shortened=task.steps < offer.task.steps,
        plausible=task.plausible,
        code=task.code,
    )


def _describe(record: TaskRecord, task: Task, problem: Problem) -> None:
    """Fill in what only the data say: fingerprint, references, and the target that holds for them."""
    record.fingerprint, record.references = problem.fingerprint, dict(problem.references)
    target = stored_targets().find(task.name, fingerprint=problem.fingerprint, steps=task.steps)
    record.target = target.value if target else task.target
    record.target_from = "calibrated" if target else "declared" if task.target is not None else ""


def broken_tasks() -> list[TaskRecord]:
    """Return a row for each plugin that could not contribute its tasks, with the reason."""
    return [
        TaskRecord(failure.plugin, "", failure.distribution, failure.version, state=State("failed", failure.reason))
        for failure in broken_offers()
    ]
