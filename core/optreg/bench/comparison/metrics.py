"""What can be compared between two results files, and where it stands in them. Less is better in all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optreg.bench.results import Results, SpeedEntry, TrainingRun
from optreg.bench.results.sections import Identity, identity_of
from optreg.bench.speed.ceiling import CEILING

Samples = list[list[float]]
"""The values of each process; of what is exact, one value of one."""

_MISS = 2.0  # a run that missed its target counts as this many times its planned length


@dataclass(frozen=True)
class Metric:
    """One number that a results file holds for each entry.

    ``exact`` ones have no noise: any difference is one. ``read`` yields the entry's identity, its name in words, and
    the values.
    """

    name: str
    unit: str
    read: Callable[[Results], Iterator[tuple[Identity, str, Samples]]]
    exact: bool = False


def _speed(values: Callable[[SpeedEntry], Samples]) -> Callable[[Results], Iterator[tuple[Identity, str, Samples]]]:
    def read(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
        for entry in results.speed:
            if entry.state.name == "finished" and entry.implementation not in ("harness", CEILING):
                yield identity_of(entry), entry.label, values(entry)

    return read


def _steady(seconds: float | None) -> Samples:
    return [] if seconds is None else [[seconds]]


def _state_bytes(entry: SpeedEntry) -> Samples:
    return [[float(sum(slot.measured for slot in entry.slots))]] if entry.build is not None else []


def _traces(entry: SpeedEntry) -> Samples:
    return [[float(entry.traces)]] if entry.execution != "eager" else []


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


def _allocated(results: Results) -> Iterator[tuple[Identity, str, Samples]]:
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
        Metric("step_time", "s", _speed(lambda entry: entry.by_process)),
        Metric("first_step", "s", _speed(lambda entry: _steady(entry.first))),
        Metric("trace_time", "s", _speed(lambda entry: _steady(entry.trace))),
        Metric("compile_time", "s", _speed(lambda entry: _steady(entry.compile))),
        Metric("state_bytes", "B", _speed(_state_bytes), exact=True),
        Metric("step_extra_bytes", "B", _allocated),
        Metric("traces", "", _speed(_traces), exact=True),
        Metric("loss", "", _quality(_final_loss)),
        Metric("time_to_target", "steps", _times),
    )
}
"""What ``--fail-on`` can name."""
