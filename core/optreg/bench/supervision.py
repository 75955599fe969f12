"""Measuring in child processes: what crashes or hangs there becomes a row, and the rest is measured all the same.

The child runs the whole benchmark and writes its journal. When it dies, whoever it was busy with is banned, and the
next child goes on from the journal. With several processes each measures the speed anew, for what differs between them.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optreg.bench.processes import has_all_of, journal_of_process, merged, remove_journals, restore_journal
from optreg.bench.progress import Observer, Progress
from optreg.bench.results import History, Results, read_journal
from optreg.bench.results.file import results_from, results_of
from optreg.bench.run import Options, mark_unreached, run
from optreg.bench.speed.timing import Effort
from optreg.errors import OptregError
from optreg.isolation import Outcome, WaitingChild, announce, emit, run_isolated

_TELL_EVERY = 0.2  # seconds
_GRACE = 1.1  # of the budget; then the child is ended
_START = 120.0  # seconds at least until the first of the measured begins: TensorFlow may come from a slow disk
MEASURE = f"{__name__}:measure"
"""What the child processes do."""

_LIFELESS = "Timeout ("  # how faulthandler begins its report


class NotMeasured(OptregError, RuntimeError):
    """The processes that should have measured ended before they had begun."""


@dataclass
class Supervision:
    """How a run is divided into processes.

    Args:
        journal: Where the run is written down; of further processes beside it.
        processes: Number of processes that measure the speed; the first does everything else too.
        timeout: Seconds without a sign of life after which a step counts as hung; starting up may take longer.
        observer: Called with a ``Progress`` now and then.
        argv: Command line to record in the results.
        started: When the budget began, on ``time.perf_counter``; by default now.
        child: A process that was started ahead for ``MEASURE``, to be the first; it saves the time of its imports.
    """

    journal: Path
    processes: int = 1
    timeout: float = 120.0
    observer: Observer | None = None
    argv: Sequence[str] = ()
    started: float = field(default_factory=time.perf_counter)
    child: WaitingChild | None = None

    def run(self, names: Sequence[str], options: Options, *, resume: bool = False) -> Results:
        """Measure in child processes, as ``optreg.bench.run`` does in this one.

        Raises:
            NotMeasured: No child got as far as measuring; the message says why.
            OptregError: A mistake of the user, as ``optreg.bench.run`` raises it.
        """
        results: Results | None = None
        if not resume:
            remove_journals(self.journal)  # a later --resume must find nothing that is older than this run
        for process in range(self.processes):
            if resume and results is not None:
                if has_all_of(results, process):
                    continue
                self._take_over(process, results)
            left = options.budget - (time.perf_counter() - self.started)
            share = left / (self.processes - process)
            part = replace(options, budget=max(share, 1.0), modes=options.modes if process == 0 else ["speed"])
            found = self._process(process, names, part, resume=resume)
            results = found if results is None else merged(results, found)
            if results.interrupted or "speed" not in options.modes:
                break
        if results is None:
            raise NotMeasured("there were no processes to measure in")
        results.options["budget"] = options.budget
        return results

    def _take_over(self, process: int, results: Results) -> None:
        """Let a further process go on from the results of a run that came to its end, where it left no journal."""
        path = journal_of_process(self.journal, process)
        if not path.exists():
            restore_journal(path, results, process)

    def _process(self, number: int, names: Sequence[str], options: Options, *, resume: bool) -> Results:
        """Measure in one process, and in another one whenever it dies, until everything is done or the time is up."""
        path = journal_of_process(self.journal, number)
        ends = time.perf_counter() + _GRACE * options.budget
        deaths: dict[tuple[str, str], str] = {}
        while True:
            left = max(ends - time.perf_counter(), 1.0)
            going_on = (resume or bool(deaths)) and path.exists()
            argument = self._argument(number, names, replace(options, budget=left / _GRACE), path)
            watch = _Watch(self.observer)
            try:
                work = {**argument, "resume": going_on, "timeout": self.timeout, "deaths": _listed(deaths)}
                outcome = self._measured(work, left, watch)
            except KeyboardInterrupt:
                return self._cut_short(path, "interrupted", interrupted=True)
            if outcome.status == "finished":
                return results_from(outcome.value)
            if outcome.status == "raised":
                raise _mistake(outcome)
            if outcome.status == "timed out" or not watch.busy_with:
                return self._cut_short(path, f"the measuring process was ended: {_ending(outcome)}")
            deaths[watch.busy_with] = _reason(outcome, self.timeout)
            if path.exists():  # an import comes before the journal is begun
                read_journal(path).ban(*watch.busy_with, deaths[watch.busy_with])

    def _measured(self, work: Mapping[str, Any], timeout: float, watch: _Watch) -> Outcome:
        """Let a child do the work: the one that was started ahead, where there is one, or else a new one."""
        child, self.child = self.child, None
        if child is not None:
            return child.run(work, timeout=timeout, observer=watch)
        return run_isolated(MEASURE, work, timeout=timeout, observer=watch)

    def _argument(self, number: int, names: Sequence[str], options: Options, path: Path) -> dict[str, Any]:
        return {
            "names": list(names),
            "options": dataclasses.asdict(options),
            "argv": list(self.argv),
            "journal": str(path),
            "process": number,
            "asked": time.time(),
        }

    def _cut_short(self, path: Path, reason: str, *, interrupted: bool = False) -> Results:
        if not path.exists():
            if interrupted:
                raise KeyboardInterrupt
            raise NotMeasured(f"nothing was measured: {reason}")
        results = results_of(read_journal(path))
        results.interrupted = interrupted
        results.notes.append(reason)
        mark_unreached(results, reason)
        return results


class _Watch:
    """Takes in what the child says: progress, and whom it is busy with."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self.busy_with: tuple[str, str] | None = None

    def __call__(self, value: Mapping[str, Any]) -> None:
        if "busy" in value:
            optimizer, implementation = map(str, value["busy"])
            self.busy_with = (optimizer, implementation) if optimizer else None
        elif self._observer is not None:
            self._observer(Progress(str(value["doing"]), float(value["elapsed"]), float(value["remaining"])))


def measure(argument: Mapping[str, Any]) -> Any:
    """Run the benchmark in this process, a child, and return the results as JSON types."""
    from optreg.bench.summary import document  # noqa: PLC0415 - the parent computes no summary of its own

    pulse = _Pulse(float(argument["timeout"]))
    path = Path(argument["journal"])
    history = read_journal(path) if argument["resume"] else History(path)
    history.announce = pulse.begin
    for optimizer, implementation, reason in argument["deaths"]:
        history.broken[optimizer, implementation] = reason
    options = Options(**{**argument["options"], "effort": Effort(**argument["options"]["effort"])})
    late = max(time.time() - float(argument["asked"]), 0.0)
    options = replace(options, budget=max(options.budget - late, 1.0), process=int(argument["process"]))
    observer = _Reporter(late, pulse.beat)
    results = run(argument["names"], options, observer=observer, argv=argument["argv"], history=history)
    faulthandler.cancel_dump_traceback_later()
    return document(results)


class _Pulse:
    """The signs of life of this process; without one in time it ends, whatever holds it up."""

    def __init__(self, timeout: float) -> None:
        self._timeout, self._parent, self._label = timeout, os.getppid(), ""
        self.beat()

    def beat(self) -> None:
        """Give the next sign as long as the timeout; more only while nothing foreign runs yet."""
        if os.getppid() != self._parent:  # it was killed; whoever resumes must have the journal alone
            os._exit(1)
        faulthandler.dump_traceback_later(self._timeout if self._label else max(self._timeout, _START), exit=True)

    def begin(self, label: str, optimizer: str, implementation: str) -> None:
        """Say whom the process is busy with from now on; nobody where the label is empty."""
        if self._label != label:
            self._label = label
            announce(label)
            emit({"busy": [optimizer, implementation]})
        self.beat()


class _Reporter:
    """Sends progress to the parent, a few times a second at most."""

    def __init__(self, late: float, alive: Callable[[], None]) -> None:
        self._late, self._alive, self._told, self._doing = late, alive, 0.0, ""

    def __call__(self, progress: Progress) -> None:
        self._alive()
        now = time.perf_counter()
        if progress.doing != self._doing or now - self._told > _TELL_EVERY:
            self._told, self._doing = now, progress.doing
            emit({**dataclasses.asdict(progress), "elapsed": progress.elapsed + self._late})


def _listed(deaths: Mapping[tuple[str, str], str]) -> list[list[str]]:
    return [[*busy_with, reason] for busy_with, reason in deaths.items()]


def _ending(outcome: Outcome) -> str:
    return "the budget was used up" if outcome.status == "timed out" else outcome.reason


def _reason(outcome: Outcome, timeout: float) -> str:
    if outcome.status == "exited" and _LIFELESS in outcome.stderr:
        return f"no sign of life for {timeout:g} s in {outcome.stage!r}, and was ended"
    return outcome.reason


def _mistake(outcome: Outcome) -> OptregError:
    """Return the error that the child raised, as the same class of ours where it is one."""
    name, _, text = outcome.error.partition(": ")
    found = {kind.__name__: kind for kind in _subclasses(OptregError)}.get(name)
    return found(text) if found else NotMeasured(f"the measuring process raised {outcome.error}")


def _subclasses(kind: type[OptregError]) -> list[type[OptregError]]:
    direct = kind.__subclasses__()
    return [*direct, *(it for child in direct for it in _subclasses(child))]
