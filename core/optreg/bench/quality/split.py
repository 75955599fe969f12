"""Where a training step spends its time: forward, backward and update, each measured beside the whole."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from optreg.bench.forgetting import graphs_forgotten
from optreg.bench.progress import ENDLESS, Turn
from optreg.bench.results import State
from optreg.bench.subjects import Subject
from optreg.bench.tasks.task import Problem

_ROUNDS = 20
_SAMPLE = 0.002  # seconds that a sample takes at least
_MOST_CALLS = 50


@dataclass
class SplitEntry:
    """Seconds of the parts of a training step of one optimizer on one task, from rounds that hold each part once.

    ``forward`` computes the loss, ``gradient`` the loss and its gradient, which it keeps to itself, ``update`` applies
    a gradient that is there already, and ``step`` does all of it. Each is a graph of its own, and calling one costs
    something, which ``call`` measures with a graph that takes a gradient and does nothing. What a part takes within the
    step is the difference of two graphs.
    """

    optimizer: str
    implementation: str
    task: str
    device: str
    state: State = field(default_factory=State)
    forward: list[float] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)
    update: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    call: list[float] = field(default_factory=list)

    @property
    def medians(self) -> Mapping[str, float]:
        """Median seconds of forward, backward and update within the step, of the step, and of the update alone.

        Backward is what the gradient takes beyond the loss, the update what the step takes beyond the gradient; the
        three add up to the step. A part that noise has made longer than the whole counts as the whole.
        """
        if not self.step:
            return {}
        forward, gradient, update, step = map(statistics.median, (self.forward, self.gradient, self.update, self.step))
        gradient = min(gradient, step)
        forward = min(forward, gradient)
        backward, within = gradient - forward, step - gradient
        return {"forward": forward, "backward": backward, "update": within, "step": step, "alone": update}

    @property
    def share_of_update(self) -> float | None:
        """The update as part of the step."""
        found = self.medians
        return found["update"] / found["step"] if found else None

    @property
    def sum_of_parts(self) -> float | None:
        """Gradient and update, each measured by itself, as part of the step that does both; one call is counted once.

        1 where the parts account for the step. Less, where something is done in both, or the two graphs run one after
        the other what the step runs at the same time; None for results that were written without ``call``.
        """
        if not self.step or not self.call:
            return None
        gradient, update, call, step = map(statistics.median, (self.gradient, self.update, self.call, self.step))
        return (gradient + update - call) / step


def measure_split(make: Callable[[], Subject], problem: Problem, entry: SplitEntry, turn: Turn = ENDLESS) -> None:
    """Time the parts of a step in turns and record them; whatever is raised becomes the state of the entry."""
    try:
        with tf.device(entry.device), graphs_forgotten():
            subject = make()
            subject.build(problem.weights)
            _measure(_parts(subject, problem), entry, turn)
    except Exception as error:  # as in training: an optimizer may raise anything
        entry.state = State.failed(error)


def _parts(subject: Subject, problem: Problem) -> dict[str, Callable[[], Any]]:
    weights, batch = list(subject.variables), problem.batches[0]

    def gradient_of(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = problem.loss(weights, batch)
        return loss, tape.gradient(loss, weights)

    _, gradients = tf.function(gradient_of, autograph=False)(batch)
    sinks = [tf.Variable(part) for part in _computed(gradients)]

    def swallowed(batch: Any) -> Any:
        # As within a step, gradients go into a kernel: what a graph hands out instead costs its caller something, and
        # what nobody takes is not computed. To assign one moves it and copies nothing.
        loss, gradients = gradient_of(batch)
        for sink, part in zip(sinks, _computed(gradients), strict=True):
            sink.assign(part, read_value=False)
        return loss

    def whole(batch: Any) -> Any:
        loss, gradients = gradient_of(batch)
        subject.step(gradients)
        return loss

    forward = tf.function(lambda batch: problem.loss(weights, batch), autograph=False)
    gradient = tf.function(swallowed, autograph=False)
    step = tf.function(whole, autograph=False)
    update = tf.function(subject.step, autograph=False)
    call = tf.function(lambda gradients: None, autograph=False)  # noqa: ARG005 - taken, not used
    calls: dict[str, Callable[[], Any]] = {
        "forward": lambda: forward(batch),
        "gradient": lambda: gradient(batch),
        "update": lambda: update(gradients),
        "step": lambda: step(batch),
        "call": lambda: call(gradients),
    }
    for traced in calls.values():
        traced()
    return calls


def _computed(gradients: Any) -> list[Any]:
    """Return the tensors that hold the values of gradients, dense or sparse; some weights may have none."""
    parts = tf.nest.flatten(gradients, expand_composites=True)
    return [part for part in parts if part is not None and part.dtype.is_floating]


def _measure(calls: Mapping[str, Callable[[], Any]], entry: SplitEntry, turn: Turn) -> None:
    counts = {name: min(math.ceil(_SAMPLE / max(_seconds(call, 1), 1e-9)), _MOST_CALLS) for name, call in calls.items()}
    order, shuffled = list(calls), random.Random(0)  # noqa: S311 - the order of a round is no secret
    for _ in range(_ROUNDS):
        if turn.over and entry.step:
            return
        shuffled.shuffle(order)
        for name in order:
            getattr(entry, name).append(_seconds(calls[name], counts[name]))
        turn.tell()


def _seconds(call: Callable[[], Any], count: int) -> float:
    """Return the seconds of one call, of so many."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    tf.test.experimental.sync_devices()
    return (time.perf_counter() - start) / count
