"""What the raw results come to: one row for each optimizer trained, one for each step measured."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optreg.bench.contenders import OURS
from optreg.bench.results import Results, SpeedEntry, TrainingRun, json_ready
from optreg.bench.statistics import Interval, Spread, median_interval, ratio_of_medians, spread
from optreg.bench.tasks import TARGET_ACCURACY


@dataclass(frozen=True)
class TrainingRow:
    """All seeds of one optimizer by one implementation.

    Seeds for which some optimizer found no time are left out for all of them, so that rows compare like with like.

    ``finished`` and ``started`` count seeds; spreads are over the finished ones. ``steps_to_target`` holds one
    number for each started seed, None where the target was missed. ``difference`` is the greatest difference
    between the losses of a peer and ours at any step of any seed.
    """

    optimizer: str
    implementation: str
    started: int
    finished: int
    train_loss: Spread | None
    loss: Spread | None
    accuracy: Spread | None
    steps_to_target: tuple[int | None, ...]
    step_seconds: float | None
    difference: float | None

    @property
    def reached(self) -> int:
        """Number of seeds that reached the target."""
        return sum(steps is not None for steps in self.steps_to_target)

    @property
    def median_steps_to_target(self) -> float | None:
        """Median over all started seeds, where a miss counts as later than every hit; None if that is a miss."""
        steps = [math.inf if steps is None else float(steps) for steps in self.steps_to_target]
        median = statistics.median(steps) if steps else math.inf
        return median if math.isfinite(median) else None


@dataclass(frozen=True)
class SpeedRow:
    """One entry's median with what follows from it.

    ``ratio`` is the median step time divided by ours under the same execution: above 1 is slower than ours.
    ``bytes_per_second`` divides the traffic floor by the time; ``declared`` tells whether the measured state is what
    the card declares, None where there is no card.
    """

    entry: SpeedEntry
    spread: Spread | None
    interval: Interval | None
    ratio: float | None
    ratio_interval: Interval | None
    parameters_per_second: float | None
    bytes_per_second: float | None
    state_bytes_per_parameter: float | None
    declared: bool | None


def training_rows(results: Results) -> list[TrainingRow]:
    """Return one row for each optimizer and implementation, in the order in which they were named."""
    grouped: dict[tuple[str, str], list[TrainingRun]] = {}
    for run in _complete_seeds(results.training):
        grouped.setdefault((run.optimizer, run.implementation), []).append(run)
    return [_training_row(runs, grouped.get((optimizer, OURS), [])) for (optimizer, _), runs in grouped.items()]


def speed_rows(results: Results) -> list[SpeedRow]:
    """Return one row for each entry that was planned."""
    ours = {_place(entry): entry for entry in results.speed if entry.implementation == OURS}
    return [_speed_row(entry, ours.get(_place(entry))) for entry in results.speed]


def document(results: Results) -> dict[str, Any]:
    """Return the results as JSON types: everything raw, and the rows under ``summary``."""
    summary = {
        "target": TARGET_ACCURACY,
        "training": [dataclasses.asdict(row) for row in training_rows(results)],
        "speed": [_flat(row) for row in speed_rows(results)],
    }
    return {**results.to_dict(), "summary": json_ready(summary)}


def _complete_seeds(runs: Sequence[TrainingRun]) -> list[TrainingRun]:
    """Return the runs of the seeds that no optimizer skipped; all runs where there is no such seed."""
    cut_short = {run.seed for run in runs if run.state.name == "skipped"}
    return [run for run in runs if run.seed not in cut_short] or list(runs)


def _training_row(runs: Sequence[TrainingRun], ours: Sequence[TrainingRun]) -> TrainingRow:
    started = [run for run in runs if run.losses or run.state.name != "skipped"]
    done = [run for run in started if run.state.name == "finished" and run.train_loss is not None]
    steps = sum(len(run.losses) for run in started)
    return TrainingRow(
        optimizer=runs[0].optimizer,
        implementation=runs[0].implementation,
        started=len(started),
        finished=len(done),
        train_loss=_spread([run.train_loss for run in done if run.train_loss is not None]),
        loss=_spread([run.evaluations[-1].loss for run in done]),
        accuracy=_spread([run.evaluations[-1].accuracy for run in done]),
        steps_to_target=tuple(steps_to_target(run) for run in started),
        step_seconds=sum(run.seconds for run in started) / steps if steps else None,
        difference=_difference(done, ours) if runs[0].implementation != OURS else None,
    )


def steps_to_target(run: TrainingRun, target: float = TARGET_ACCURACY) -> int | None:
    """Return the steps after which the held-out accuracy was first seen at the target, or None."""
    return next((evaluation.step for evaluation in run.evaluations if evaluation.accuracy >= target), None)


def _difference(runs: Sequence[TrainingRun], ours: Sequence[TrainingRun]) -> float | None:
    by_seed = {run.seed: run for run in ours if run.state.name == "finished"}
    pairs = [(run.losses, by_seed[run.seed].losses) for run in runs if run.seed in by_seed]
    gaps = [abs(a - b) for theirs, our in pairs for a, b in zip(theirs, our, strict=False)]
    return max(gaps, default=None)


def _speed_row(entry: SpeedEntry, ours: SpeedEntry | None) -> SpeedRow:
    seconds = entry.seconds
    median = spread(seconds).median if seconds else None
    ratio, ratio_interval = _ratio(entry, ours)
    real = entry.implementation != "harness"
    size = sum(slot.measured for slot in entry.slots)
    return SpeedRow(
        entry=entry,
        spread=_spread(seconds),
        interval=median_interval(seconds) if seconds else None,
        ratio=ratio,
        ratio_interval=ratio_interval,
        parameters_per_second=entry.parameters / median if median and real else None,
        bytes_per_second=entry.traffic / median if median and real else None,
        state_bytes_per_parameter=size / entry.parameters if entry.build is not None and real else None,
        declared=_as_declared(entry),
    )


def _ratio(entry: SpeedEntry, ours: SpeedEntry | None) -> tuple[float | None, Interval | None]:
    """Compare samples of the rounds that both have."""
    if ours is None or ours is entry or entry.implementation == "harness":
        return None, None
    our_samples = {sample.round: sample.seconds for sample in ours.samples}
    pairs = [(sample.seconds, our_samples[sample.round]) for sample in entry.samples if sample.round in our_samples]
    if not pairs:
        return None, None
    return ratio_of_medians([theirs for theirs, _ in pairs], [our for _, our in pairs])


def _as_declared(entry: SpeedEntry) -> bool | None:
    if entry.implementation != OURS or entry.build is None or not entry.declares:
        return None
    return all(slot.measured == slot.declared for slot in entry.slots)


def _spread(values: Sequence[float]) -> Spread | None:
    return spread(values) if values else None


def _place(entry: SpeedEntry) -> tuple[str, str, str, str]:
    return entry.optimizer, entry.execution, entry.layout, entry.device


def _flat(row: SpeedRow) -> dict[str, Any]:
    """Return the row with the keys of its entry instead of the entry, whose samples stand in the raw part."""
    plain = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "entry"}
    keys = ("optimizer", "implementation", "execution", "layout", "device")
    nested = {
        key: dataclasses.asdict(value) if isinstance(value, (Spread, Interval)) else value
        for key, value in plain.items()
    }
    return {key: getattr(row.entry, key) for key in keys} | nested
