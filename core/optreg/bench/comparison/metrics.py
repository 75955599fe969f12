"""What can be compared between two results files, and where it stands in them. Less is better in all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optreg.bench.results import Results, SpeedEntry, TrainingRun
from optreg.bench.results.sections import Identity, identity_of
from optreg.bench.speed.ceiling import AIDS

Samples = list[list[float]]
"""The values of each process; of what is exact, one value of one."""

Judged = Literal["times", "outcomes", "exact", "size", "never"]
"""How a change is told from chance.

``times`` and ``outcomes`` of training hold samples, which are tested; of ``exact`` ones any difference is one; a
``size`` is one value that counts beyond a threshold. One value of a time says nothing, and is ``never`` judged.
"""

_MISS = 2.0  # a run that missed its target counts as this many times its planned length


@dataclass(frozen=True)
class Metric:
    """One number that a results file holds for each entry of a section.

    ``read`` yields the entry's identity, its name in words, and the values.
    """

    name: str
    unit: str
    section: str
    judged: Judged
    read: Callable[[Results], Iterator[tuple[Identity, str, Samples]]]


def _speed(values: Callable[[SpeedEntry], Samples]) -> Callable[[Results], Iterator[tuple[Identity, str, Samples]]]:
    def read(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
        for entry in results.speed:
            if entry.state.name == "finished" and entry.implementation not in AIDS:
                yield identity_of(entry), entry.label, values(entry)

    return read


def _once(seconds: float | None) -> Samples:
    return [] if seconds is None else [[seconds]]


def _state_bytes(entry: SpeedEntry) -> Samples:
    return [[float(sum(slot.measured for slot in entry.slots))]] if entry.build is not None else []


def _traces(entry: SpeedEntry) -> Samples:
    return [[float(entry.traces)]] if entry.traces else []  # older files have 0 where nothing was traced


def _quality(value: Callable[[TrainingRun, float | None], float | None]) -> Any:
    def read(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
        targets = {task.name: task for task in results.tasks}
        grouped: dict[Any, list[TrainingRun]] = {}
        for run in results.training:
            grouped.setdefault((run.optimizer, run.implementation, run.task, run.setting, run.device), []).append(run)
        for identity, runs in grouped.items():
            task = targets.get(runs[0].task)
            found = [value(run, task.target if task else None) for run in runs if run.state.name != "skipped"]
            label = f"{runs[0].optimizer} {runs[0].setting} {runs[0].implementation} on {runs[0].task}"
            yield identity, label, [[it for it in found if it is not None]]

    return read


def _final_loss(run: TrainingRun, _: float | None) -> float | None:
    return run.evaluations[-1].loss if run.evaluations and run.state.name == "finished" else None


def _time_to_target(higher_is_better: Mapping[str, bool], run: TrainingRun, target: float | None) -> float | None:
    if target is None:
        return None
    sign = 1 if higher_is_better.get(run.task, True) else -1
    hits = (it.step for it in run.evaluations if sign * it.metric >= sign * target)
    return float(next(hits, _MISS * run.planned))


def _times(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
    directions = {task.name: task.higher_is_better for task in results.tasks}
    yield from _quality(lambda run, target: _time_to_target(directions, run, target))(results)


def _step_extra(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
    for entry in results.memory:
        if entry.step_extra is not None:
            yield (
                identity_of(entry),
                f"{entry.optimizer} on {entry.layout}, {entry.device}",
                [[float(entry.step_extra)]],
            )


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("step_time", "s", "speed", "times", _speed(lambda entry: entry.by_process)),
        Metric("first_step", "s", "speed", "never", _speed(lambda entry: _once(entry.first))),
        Metric("trace_time", "s", "speed", "never", _speed(lambda entry: _once(entry.trace))),
        Metric("compile_time", "s", "speed", "never", _speed(lambda entry: _once(entry.compile))),
        Metric("state_bytes", "B", "speed", "exact", _speed(_state_bytes)),
        Metric("step_extra_bytes", "B", "memory", "size", _step_extra),
        Metric("traces", "", "speed", "exact", _speed(_traces)),
        Metric("loss", "", "training", "outcomes", _quality(_final_loss)),
        Metric("time_to_target", "steps", "training", "outcomes", _times),
    )
}
"""What can be compared."""

GATED: Mapping[str, Metric] = {name: metric for name, metric in METRICS.items() if metric.judged != "never"}
"""What ``--fail-on`` can name."""
