"""Training one optimizer on a task from one seed, with everything recorded that happens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from optreg.bench.results import Evaluation, State, TrainingRun
from optreg.bench.subjects import Subject
from optreg.bench.tasks import Task, accuracy, cross_entropy

EVALUATE_EVERY = 15  # steps; three times an epoch of the digits
_HOPELESS = 1e6  # a loss this large is divergence, even while it is still a number


@dataclass(frozen=True)
class _Model:
    """What one training run needs: its traced step, and the weights to look at."""

    step: Callable[[Any], Any]
    weights: Sequence[Any]


def train(
    make: Callable[[], Subject],
    task: Task,
    run: TrainingRun,
    *,
    until: float = math.inf,
    observe: Callable[[], object] = lambda: None,
) -> None:
    """Train what ``make`` returns and record into ``run`` as it goes, so that an interrupt loses nothing.

    Whatever the optimizer raises becomes the state of the run. ``until`` is a time of ``time.perf_counter``;
    a run that passes it is marked as skipped, with the steps it got to.
    """
    try:
        with tf.device(run.device):
            subject = make()
            subject.build(task.weights)
            _train(_trace(subject, task), task, run, until=until, observe=observe)
    except Exception as error:  # an optimizer may raise anything, and must not end the benchmark
        run.state = State.failed(error)


def _train(model: _Model, task: Task, run: TrainingRun, *, until: float, observe: Callable[[], object]) -> None:
    _evaluate(model, task, run)
    steps = int(task.batches.shape[0])
    for start in range(0, steps, EVALUATE_EVERY):
        _advance(model, task.batches[start : start + EVALUATE_EVERY], run)
        diverged = _first_divergence(run.losses, start)
        if diverged is not None:
            run.state = State("diverged", f"the loss is {run.losses[diverged]:.3g} after {diverged} steps")
            return
        _evaluate(model, task, run)
        observe()
        if time.perf_counter() > until and start + EVALUATE_EVERY < steps:
            run.state = State("skipped", f"out of time after {len(run.losses)} of {steps} steps")
            return
    run.train_loss = float(_loss(model.weights, task.inputs, task.labels))
    if not abs(run.train_loss) < _HOPELESS:
        run.state = State("diverged", f"the loss is {run.train_loss:.3g} after {steps} steps")


def _advance(model: _Model, batches: Any, run: TrainingRun) -> None:
    start = time.perf_counter()
    losses = [model.step(batch) for batch in tf.unstack(batches)]
    run.losses.extend(float(loss) for loss in losses)  # float() waits for the device
    run.seconds += time.perf_counter() - start


def _evaluate(model: _Model, task: Task, run: TrainingRun) -> None:
    held_out = (task.held_out_inputs, task.held_out_labels)
    loss, correct = _loss(model.weights, *held_out), _accuracy(model.weights, *held_out)
    run.evaluations.append(Evaluation(len(run.losses), float(loss), float(correct)))


def _first_divergence(losses: list[float], start: int) -> int | None:
    """Return the number of steps made before the first loss that is not finite or hopelessly large."""
    bad = (index for index in range(start, len(losses)) if not abs(losses[index]) < _HOPELESS)
    return next(bad, None)


def _trace(subject: Subject, task: Task) -> _Model:
    weights = list(subject.variables)

    def step(indices: Any) -> Any:
        inputs, labels = tf.gather(task.inputs, indices), tf.gather(task.labels, indices)
        with tf.GradientTape() as tape:
            loss = cross_entropy(weights, inputs, labels)
        subject.step(tape.gradient(loss, weights))
        return loss

    traced = tf.function(step, autograph=False)
    traced.get_concrete_function(task.batches[0])  # so that the time of the steps holds no tracing
    return _Model(traced, weights)


# Traced once for all runs: the weights are arguments, and always of the same shapes.
_loss = tf.function(cross_entropy, autograph=False)
_accuracy = tf.function(accuracy, autograph=False)
