"""Training one optimizer on a problem from one seed, with everything recorded that happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from optreg.bench.forgetting import graphs_forgotten
from optreg.bench.progress import ENDLESS, Turn
from optreg.bench.quality.schedules import Schedule
from optreg.bench.results import Evaluation, State, TrainingRun
from optreg.bench.subjects import Subject
from optreg.bench.tasks.task import Problem, Task

_HOPELESS = 1e6  # a loss this large is divergence, even while it is still a number


class _NotScheduled(Exception):
    """The learning rate of an optimizer cannot be changed from step to step."""


@dataclass(frozen=True)
class _Model:
    """What one training run needs: its traced step and judgement, and what the steps are given.

    ``inputs`` have one entry for each step: the batches and, where a schedule sets them, the learning rates.
    """

    step: Callable[..., Any]
    judge: Callable[[], Any]
    inputs: Sequence[Any]


def train(
    make: Callable[[], Subject],
    task: Task,
    problem: Problem,
    run: TrainingRun,
    turn: Turn = ENDLESS,
) -> None:
    """Train what ``make`` returns and record into ``run`` as it goes, so that an interrupt loses nothing.

    The schedule of the run ends with the last of its batches. Whatever the optimizer or the task raises becomes the
    state of the run. A run whose turn is over is marked as skipped, with the steps it got to, and so is one whose
    optimizer has no learning rate for a schedule to set.
    """
    run.planned = int(problem.batches.shape[0])
    try:
        with tf.device(run.device), graphs_forgotten():
            subject = make()
            subject.build(problem.weights)
            _train(_trace(subject, problem, run), task, run, turn)
    except _NotScheduled as error:
        run.state = State("skipped", str(error))
    except Exception as error:  # an optimizer may raise anything, and must not end the benchmark
        run.state = State.failed(error)


def _train(model: _Model, task: Task, run: TrainingRun, turn: Turn) -> None:
    _evaluate(model, run)
    for start in range(0, run.planned, task.evaluate_every):
        _advance(model, [it[start : start + task.evaluate_every] for it in model.inputs], run)
        diverged = _first_divergence(run.losses, start)
        if diverged is not None:
            run.state = State("diverged", f"the loss is {run.losses[diverged]:.3g} after {diverged} steps")
            return
        _evaluate(model, run)
        turn.tell()
        if turn.over and len(run.losses) < run.planned:
            run.state = State("skipped", f"out of time after {len(run.losses)} of {run.planned} steps")
            return
    last = run.evaluations[-1]
    if not (abs(last.loss) < _HOPELESS and math.isfinite(last.metric)):
        run.state = State("diverged", f"the loss is {last.loss:.3g} after {run.planned} steps")


def _advance(model: _Model, inputs: Sequence[Any], run: TrainingRun) -> None:
    start = time.perf_counter()
    losses = [model.step(*of_step) for of_step in zip(*map(tf.unstack, inputs), strict=True)]
    run.losses.extend(float(loss) for loss in losses)  # float() waits for the device
    run.seconds += time.perf_counter() - start


def _evaluate(model: _Model, run: TrainingRun) -> None:
    loss, metric = model.judge()
    run.evaluations.append(Evaluation(len(run.losses), float(loss), float(metric), run.seconds))


def _first_divergence(losses: Sequence[float], start: int) -> int | None:
    """Return the number of steps made before the first loss that is not finite or hopelessly large."""
    bad = (index for index in range(start, len(losses)) if not abs(losses[index]) < _HOPELESS)
    return next(bad, None)


def _scheduled(subject: Subject, schedule: Schedule) -> tf.Variable | None:
    """Return the variable that the schedule sets; None where there is nothing to set.

    Raises:
        _NotScheduled: The optimizer has no such variable.
    """
    if schedule.is_constant:
        return None
    if subject.learning_rate is None:
        raise _NotScheduled(f"it has no learning rate that the schedule {schedule.name} could set at every step")
    return subject.learning_rate


def _rates(learning_rate: tf.Variable, run: TrainingRun) -> Any:
    """Return the learning rate of each step ``[steps]``, in the precision of the variable that it is put into."""
    rates = float(learning_rate.numpy()) * run.schedule.factors(run.planned)
    return tf.constant(rates, learning_rate.dtype)


def _trace(subject: Subject, problem: Problem, run: TrainingRun) -> _Model:
    weights = list(subject.variables)
    learning_rate = _scheduled(subject, run.schedule)
    inputs = [problem.batches] if learning_rate is None else [problem.batches, _rates(learning_rate, run)]

    def step(batch: Any, *rate: Any) -> Any:
        if learning_rate is not None:
            learning_rate.assign(*rate)
        with tf.GradientTape() as tape:
            loss = problem.loss(weights, batch)
        subject.step(tape.gradient(loss, weights))
        return loss

    traced = tf.function(step, autograph=False)
    judge = tf.function(lambda: problem.judge(weights), autograph=False)
    # So that the time of the steps holds no tracing.
    traced.get_concrete_function(*(it[0] for it in inputs))
    return _Model(traced, judge, inputs)
