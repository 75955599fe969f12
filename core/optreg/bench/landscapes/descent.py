"""One optimizer on one function, from all starts at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.landscapes.functions import Landscape, starts
from optreg.bench.quality.rates import Rates, search_rates
from optreg.bench.quality.times import TimeToTarget, time_to_target
from optreg.bench.results import State

TARGETS = tuple(10.0**power for power in range(1, -9, -1))
"""Distances above the minimum that are looked for, from 10 to 1e-8."""

STEPS = 1000
STARTS = 16
_WAYPOINTS = 48  # of a path that is kept for a drawing, denser at its beginning


@dataclass(frozen=True)
class Extent:
    """How far a function is explored: steps, starts, and the search for a learning rate, None for none."""

    search: Rates | None = None
    steps: int = STEPS
    starts: int = STARTS


@dataclass
class Descent:
    """What came of an optimizer on a function at one learning rate.

    ``setting`` is ``default`` or ``tuned``; ``learning_rate`` None where it is the default. ``steps_to`` holds for
    each of ``TARGETS`` the steps of each start, None for a miss. ``paths`` are the points to draw,
    ``[start][waypoint][x, y]``, of functions of two coordinates. ``rates_tried`` and ``steps_spent`` are the cost of
    the search.
    """

    optimizer: str
    implementation: str
    landscape: str
    setting: str
    learning_rate: float | None = None
    state: State = field(default_factory=State)
    starts: int = STARTS
    steps: int = STEPS
    dtype: str = "float64"
    steps_to: list[list[int | None]] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    paths: list[list[tuple[float, float]]] = field(default_factory=list)
    rates_tried: int = 1
    steps_spent: int = 0

    @property
    def solved(self) -> float:
        """Share of all pairs of start and target that were reached, 0 .. 1."""
        pairs = [step for target in self.steps_to for step in target]
        return sum(step is not None for step in pairs) / len(pairs) if pairs else 0.0

    @property
    def ladder(self) -> list[TimeToTarget]:
        """For each target the starts that reached it and the expected running time (ERT), in steps."""
        spent = [float(self.steps)] * self.starts
        return [time_to_target(target, steps, spent) for target, steps in zip(TARGETS, self.steps_to, strict=False)]

    @property
    def rank(self) -> tuple[float, float]:
        """Sort key of a search: more pairs solved, then fewer steps for them."""
        steps = [step for target in self.steps_to for step in target if step is not None]
        return -self.solved, float(np.mean(steps)) if steps else np.inf


def descend(make: Callable[[], Any], landscape: Landscape, record: Descent) -> None:
    """Run the optimizer that ``make`` returns and fill the record; whatever it raises becomes its state.

    Each start is a variable of its own, so that the starts do not disturb each other.
    """
    try:
        values, points = _run(make(), starts(landscape, record.starts), landscape, record)
    except Exception as error:  # an optimizer may raise anything, and must not end the benchmark
        record.state = State.failed(error)
        return
    record.steps_spent += record.steps
    gaps = np.minimum.accumulate(np.where(np.isfinite(values), values - landscape.minimum, np.inf), axis=0)
    record.steps_to = [_first(gaps <= target) for target in TARGETS]
    record.final = [float(value) for value in values[-1] - landscape.minimum]
    if landscape.dimensions == 2:  # noqa: PLR2004 - what can be drawn
        record.paths = _waypoints(points)
    if not np.isfinite(values[-1]).any():
        record.state = State("diverged", f"no start is at a number after {record.steps} steps")


def _run(optimizer: Any, begin: np.ndarray, landscape: Landscape, record: Descent) -> tuple[np.ndarray, np.ndarray]:
    """Return values ``[steps + 1, starts]`` and points ``[steps + 1, starts, dimensions]``."""
    steps, variables = record.steps, [tf.Variable(tf.cast(row, record.dtype)) for row in begin]
    optimizer.build(variables)
    noise = tf.constant(np.random.default_rng(11).normal(size=(64, *begin.shape)) * landscape.noise)

    def step(number: Any, values: Any, points: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            here = tf.stack([tf.cast(variable, tf.float64) for variable in variables])
            value = landscape.value(here)
        gradients = tape.gradient(value, variables)
        if landscape.noise:
            gradients = [_sum(*pair) for pair in zip(gradients, tf.unstack(noise[number % 64]), strict=True)]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return number + 1, values.write(number, value), points.write(number, here)

    def walk() -> Any:
        values = tf.TensorArray(tf.float64, steps, element_shape=[len(begin)])
        points = tf.TensorArray(tf.float64, steps, element_shape=begin.shape)
        _, values, points = tf.while_loop(lambda number, *_: number < steps, step, (0, values, points))
        return values.stack(), points.stack()

    values, points = (array.numpy() for array in tf.function(walk, autograph=False).get_concrete_function()())
    end = np.stack([tf.cast(variable, tf.float64).numpy() for variable in variables])
    last = landscape.value(tf.constant(end)).numpy()
    return np.concatenate([values, last[None]]), np.concatenate([points, end[None]])


def _sum(gradient: Any, noise: Any) -> Any:
    return gradient + tf.cast(noise, gradient.dtype)


def _first(reached: np.ndarray) -> list[int | None]:
    """Return for each start the first step at which the target is met."""
    return [int(np.argmax(column)) if column.any() else None for column in reached.T]


def _waypoints(points: np.ndarray) -> list[list[tuple[float, float]]]:
    last = len(points) - 1
    chosen = np.unique(np.round(np.geomspace(1, last + 1, _WAYPOINTS) - 1).astype(int))
    return [[(float(f"{x:.4g}"), float(f"{y:.4g}")) for x, y in path[chosen]] for path in points.transpose(1, 0, 2)]


def tune(make: Callable[[float], Any], landscape: Landscape, record: Descent, *, plan: Rates) -> None:
    """Search for the learning rate and fill the record with the best run, the search's cost included."""
    tried: dict[float, Descent] = {}

    def rank(rate: float) -> tuple[float, float]:
        attempt = Descent(record.optimizer, record.implementation, record.landscape, record.setting, rate)
        attempt.starts, attempt.steps, attempt.dtype = record.starts, record.steps, record.dtype
        descend(lambda: make(rate), landscape, attempt)
        tried[rate] = attempt
        return attempt.rank

    best = search_rates(rank, plan)
    cost = {"rates_tried": len(tried), "steps_spent": sum(attempt.steps_spent for attempt in tried.values())}
    vars(record).update(vars(tried[best]) | cost)
