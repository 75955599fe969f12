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
from optreg.bench.results import Evaluation, State, TrainingRun
from optreg.bench.subjects import Subject
from optreg.bench.tasks.task import Problem, Task

_HOPELESS = 1e6  # a loss this large is divergence, even while it is still a number


@dataclass(frozen=True)
class _Model:
    """What one training run needs: its traced step and judgement, and what the steps are given."""

    step: Callable[[Any], Any]
    judge: Callable[[], Any]
    batches: Any


def train(
    make: Callable[[], Subject],
    task: Task,
    problem: Problem,
    run: TrainingRun,
    turn: Turn = ENDLESS,
) -> None:
    """Train what ``make`` returns and record into ``run`` as it goes, so that an interrupt loses nothing.

    Whatever the optimizer or the task raises becomes the state of the run. A run whose turn is over is marked as
    skipped, with the steps it got to.
    """
    run.planned = int(problem.batches.shape[0])
    try:
        with tf.device(run.device), graphs_forgotten():
            subject = make()
            subject.build(problem.weights)
            _train(_trace(subject, problem), task, run, turn)
    except Exception as error:  # an optimizer may raise anything, and must not end the benchmark
        run.state = State.failed(error)


def _train(model: _Model, task: Task, run: TrainingRun, turn: Turn) -> None:
    _evaluate(model, run)
    for start in range(0, run.planned, task.evaluate_every):
        _advance(model, model.batches[start : start + task.evaluate_every], run)
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


def _advance(model: _Model, batches: Any, run: TrainingRun) -> None:
    start = time.perf_counter()
    losses = [model.step(batch) for batch in tf.unstack(batches)]
    run.losses.extend(float(loss) for loss in losses)  # float() waits for the device
    run.seconds += time.perf_counter() - start


def _evaluate(model: _Model, run: TrainingRun) -> None:
    loss, metric = model.judge()
    run.evaluations.append(Evaluation(len(run.losses), float(loss), float(metric), run.seconds))


def _first_divergence(losses: Sequence[float], start: int) -> int | None:
    """Return the number of steps made before the first loss that is not finite or hopelessly large."""
    bad = (index for index in range(start, len(losses)) if not abs(losses[index]) < _HOPELESS)
    return next(bad, None)


def _trace(subject: Subject, problem: Problem) -> _Model:
    weights = list(subject.variables)

    def step(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = problem.loss(weights, batch)
        subject.step(tape.gradient(loss, weights))
        return loss

    traced = tf.function(step, autograph=False)
    judge = tf.function(lambda: problem.judge(weights), autograph=False)
    # So that the time of the steps holds no tracing.
    traced.get_concrete_function(problem.batches[0])
    return _Model(traced, judge, problem.batches)
