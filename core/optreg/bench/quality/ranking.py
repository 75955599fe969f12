"""Who trains best over all tasks, and what of it is noise: one standing for each optimizer and setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.quality.inference import Estimate, estimate, probability_of_improvement
from optreg.bench.quality.records import TaskRecord
from optreg.bench.quality.times import Profile, TimeToTarget, anchored_speed_up, profiles, time_to_target
from optreg.bench.results import TrainingRun

Key = tuple[str, str, str]
"""Optimizer, implementation, setting."""

_RESAMPLES = 500
_LEAST_GAP = 1e-12  # below, a gap to the optimum is rounding


@dataclass(frozen=True)
class TaskOutcome:
    """All seeds of one optimizer in one setting on one task.

    ``finals`` holds the metric at the planned end, None for a run that did not get there. ``provisional`` says that
    no run got there yet: then nothing here is a verdict. ``too_good`` marks a metric better than can be true.
    """

    optimizer: str
    implementation: str
    setting: str
    task: str
    learning_rate: float | None
    finals: tuple[float | None, ...]
    steps: TimeToTarget | None
    epochs: TimeToTarget | None
    seconds: TimeToTarget | None
    score: Estimate | None
    provisional: bool
    too_good: bool

    @property
    def key(self) -> Key:
        """What the outcome belongs to."""
        return self.optimizer, self.implementation, self.setting


@dataclass(frozen=True)
class Standing:
    """One optimizer in one setting over all tasks that everybody finished.

    ``score`` is the interquartile mean of the normalised scores: 0 at the start, 1 at the target, where those of
    tasks with a known optimum end: closer than the target is close enough. ``beats_anchor`` is
    the probability that one of its runs is better than one of the anchor's. ``speed_up`` is the geometric mean of
    the anchor's steps to the target divided by its own, a miss counted as twice the budget.
    """

    optimizer: str
    implementation: str
    setting: str
    tasks: int
    runs: int
    reached: int
    score: Estimate
    beats_anchor: Estimate
    speed_up: float
    speed_up_low: float | None
    speed_up_high: float | None
    profile: Profile

    @property
    def resolved(self) -> bool:
        """Whether it is certain to be faster or slower than the anchor."""
        low, high = self.speed_up_low, self.speed_up_high
        return low is not None and high is not None and not low <= 1 <= high


def outcomes(training: Sequence[TrainingRun], tasks: Sequence[TaskRecord]) -> list[TaskOutcome]:
    """Return one outcome for each optimizer, implementation, setting and task, in the order of the runs."""
    records = {task.name: task for task in tasks}
    grouped: dict[tuple[str, str, str, str], list[TrainingRun]] = {}
    for run in training:
        if run.setting != "search" and run.task in records:
            grouped.setdefault((run.optimizer, run.implementation, run.setting, run.task), []).append(run)
    return [_outcome(runs, records[task]) for (*_, task), runs in grouped.items()]


def _outcome(runs: Sequence[TrainingRun], task: TaskRecord) -> TaskOutcome:
    finals = tuple(final_metric(run) for run in runs)
    reached = [value for value in finals if value is not None]
    started = [run for run in runs if run.losses or run.state.name in ("failed", "diverged")]
    return TaskOutcome(
        optimizer=runs[0].optimizer,
        implementation=runs[0].implementation,
        setting=runs[0].setting,
        task=task.name,
        learning_rate=runs[0].learning_rate,
        finals=finals,
        steps=_times(started, task, "steps"),
        epochs=_times(started, task, "epochs"),
        seconds=_times(started, task, "seconds"),
        score=estimate([scores(started, task)]) if started and _scorable(task) else None,
        provisional=not reached,
        too_good=any(_too_good(value, task) for value in reached),
    )


def final_metric(run: TrainingRun) -> float | None:
    """Return the metric at the planned end of the run; None where it has not got there, or broke."""
    last = run.evaluations[-1] if run.evaluations else None
    ended = run.state.name == "finished" and last is not None and last.step >= max(run.planned, 1)
    return last.metric if ended and last is not None and math.isfinite(last.metric) else None


def _too_good(metric: float, task: TaskRecord) -> bool:
    if task.plausible is None:
        return False
    return metric > task.plausible if task.higher_is_better else metric < task.plausible


def _times(runs: Sequence[TrainingRun], task: TaskRecord, unit: str) -> TimeToTarget | None:
    """Return the time to the target; a run that ended early has spent what was planned, as a miss does."""
    if task.target is None or not runs:
        return None
    scale = {"steps": 1.0, "epochs": 1.0 / max(task.epoch, 1)}
    found, spent = [], []
    for run in runs:
        hit = first_hit(run, task)
        if unit == "seconds":
            found.append(hit[1] if hit else None)
            spent.append(run.seconds)
        else:
            found.append(hit[0] * scale[unit] if hit else None)
            spent.append(max(run.planned, len(run.losses)) * scale[unit])
    return time_to_target(task.target, found, spent)


def first_hit(run: TrainingRun, task: TaskRecord) -> tuple[int, float] | None:
    """Return steps and seconds at the first look that showed the target, or None."""
    if task.target is None:
        return None
    for look in run.evaluations:
        if look.metric >= task.target if task.higher_is_better else look.metric <= task.target:
            return look.step, look.seconds
    return None


def _scorable(task: TaskRecord) -> bool:
    return task.target is not None


def scores(runs: Sequence[TrainingRun], task: TaskRecord) -> list[float]:
    """Return each run's final metric on a scale from 0 at the start to 1 at the target; a broken run has 0.

    Gaps to a known optimum are put on a logarithmic scale: each tenth of the gap counts alike.
    """
    return [_score(run, task) for run in runs]


def _score(run: TrainingRun, task: TaskRecord) -> float:
    final = final_metric(run)
    if final is None or task.target is None or not run.evaluations:
        return 0.0
    start, end, here = (_on_scale(value, task) for value in (run.evaluations[0].metric, task.target, final))
    return (here - start) / (end - start) if end != start else 0.0


def _on_scale(value: float, task: TaskRecord) -> float:
    return math.log10(max(value, _LEAST_GAP)) if task.metric == "gap" else value


def standings(
    training: Sequence[TrainingRun], tasks: Sequence[TaskRecord], anchor: Key | None = None
) -> list[Standing]:
    """Return the standings, best speed-up first; the anchor is the first optimizer that ran unless another is named.

    Only tasks count on which everybody has a run that got to its end or broke on the way: no verdict before that.
    """
    keys: list[Key] = list(dict.fromkeys((it.optimizer, it.implementation, it.setting) for it in _verdicts(training)))
    counted = _common_tasks(training, tasks, keys)
    if not keys or not counted:
        return []
    runs = {key: [_runs(training, key, task) for task in counted] for key in keys}
    anchor = anchor if anchor in runs else keys[0]
    shapes = profiles({" ".join(key): _times_of_seeds(runs[key], counted) for key in keys})
    found = [_standing(key, runs, anchor, counted, profile=shapes[" ".join(key)]) for key in keys]
    return sorted(found, key=lambda standing: -standing.speed_up)


def _verdicts(training: Sequence[TrainingRun]) -> list[TrainingRun]:
    return [run for run in training if run.setting != "search" and run.state.name != "skipped"]


def _runs(training: Sequence[TrainingRun], key: Key, task: TaskRecord) -> list[TrainingRun]:
    return [
        run
        for run in _verdicts(training)
        if (run.optimizer, run.implementation, run.setting) == key and run.task == task.name
    ]


def _common_tasks(
    training: Sequence[TrainingRun], tasks: Sequence[TaskRecord], keys: Sequence[Key]
) -> list[TaskRecord]:
    able = [task for task in tasks if task.target is not None and task.state.name == "finished"]
    return [task for task in able if all(_runs(training, key, task) for key in keys)]


def _standing(
    key: Key,
    runs: Mapping[Key, Sequence[Sequence[TrainingRun]]],
    anchor: Key,
    tasks: Sequence[TaskRecord],
    *,
    profile: Profile,
) -> Standing:
    mine = [scores(of_task, task) for of_task, task in zip(runs[key], tasks, strict=True)]
    theirs = [scores(of_task, task) for of_task, task in zip(runs[anchor], tasks, strict=True)]
    budgets = [float(task.steps) for task in tasks]
    capped = [
        [min(score, 1.0) if task.metric == "gap" else score for score in of]
        for of, task in zip(mine, tasks, strict=True)
    ]
    own, reference = _medians(runs[key], tasks), _medians(runs[anchor], tasks)
    low, high = (None, None) if key == anchor else _speed_up_interval(runs[key], runs[anchor], tasks)
    return Standing(
        *key,
        tasks=len(tasks),
        runs=sum(map(len, runs[key])),
        reached=sum(first_hit(run, task) is not None for of, task in zip(runs[key], tasks, strict=True) for run in of),
        score=estimate(capped),
        beats_anchor=probability_of_improvement(mine, theirs),
        speed_up=anchored_speed_up(own, reference, budgets),
        speed_up_low=low,
        speed_up_high=high,
        profile=profile,
    )


def _steps(run: TrainingRun, task: TaskRecord) -> float:
    hit = first_hit(run, task)
    return float(max(hit[0], 1)) if hit else math.inf


def _medians(runs: Sequence[Sequence[TrainingRun]], tasks: Sequence[TaskRecord]) -> list[float]:
    """Return the median steps to the target on each task; infinite where at least half of the runs missed."""
    return [float(np.median(of_task)) for of_task in _times_of_seeds(runs, tasks)]


def _times_of_seeds(runs: Sequence[Sequence[TrainingRun]], tasks: Sequence[TaskRecord]) -> list[list[float]]:
    return [[_steps(run, task) for run in of] for of, task in zip(runs, tasks, strict=True)]


def _speed_up_interval(
    runs: Sequence[Sequence[TrainingRun]], anchor: Sequence[Sequence[TrainingRun]], tasks: Sequence[TaskRecord]
) -> tuple[float | None, float | None]:
    """Return the 95 % bootstrap interval: seeds are resampled within each task, paired where both have them."""
    if all(len(of_task) < 2 for of_task in runs):  # noqa: PLR2004 - one seed cannot be resampled
        return None, None
    random = np.random.default_rng(0)
    mine, theirs = (list(map(np.array, _times_of_seeds(of, tasks))) for of in (runs, anchor))
    budgets = [float(task.steps) for task in tasks]
    drawn = [_drawn(mine, theirs, budgets, random) for _ in range(_RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _drawn(
    mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray], budgets: Sequence[float], random: np.random.Generator
) -> float:
    pairs = []
    for own, other in zip(mine, theirs, strict=True):
        rows = random.integers(len(own), size=len(own))
        others = rows if len(own) == len(other) else random.integers(len(other), size=len(other))
        pairs.append((float(np.median(own[rows])), float(np.median(other[others]))))
    return anchored_speed_up([own for own, _ in pairs], [other for _, other in pairs], budgets)
