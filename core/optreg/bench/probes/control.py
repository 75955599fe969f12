"""How well the optimizer obeys: learning rate, repetition, restart."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import NotApplicable, Trial, Walker

CONTROL = Group("control")


def _wave(weights: np.ndarray, step: int) -> np.ndarray:
    return np.asarray(weights + np.cos(step + np.arange(len(weights))))


@CONTROL.probe(
    "Do two runs agree to the last bit?",
    yes="Runs can be repeated exactly.",
    no="It draws random numbers of its own: fix its seed to repeat a run.",
)
def repeatable(trial: Trial) -> bool:
    first, second = (trial.path(_wave, [1.0, -0.5], steps=10) for _ in range(2))
    return bool(np.array_equal(first, second))


@CONTROL.probe(
    "Does a run that continues from saved state agree to the last bit?",
    yes="Training can be interrupted and resumed without a trace.",
    no="Its weights do not hold all that it remembers: resumed training goes another way.",
)
def resumes(trial: Trial) -> bool:
    whole = trial.path(_wave, [1.0, -0.5], steps=10)
    first = Walker(trial.optimizer(), [whole[0]])
    for step in range(5):
        first.step([_wave(first.weights[0], step)])
    second = Walker(trial.optimizer(), first.weights)
    second.optimizer.set_weights(first.optimizer.get_weights())
    for step in range(5, 10):
        second.step([_wave(second.weights[0], step)])
    return bool(np.array_equal(second.weights[0], whole[-1]))


@CONTROL.probe(
    "Do eager steps and a traced function agree?",
    yes="Debugging without tf.function shows what happens with it.",
    no="Inside tf.function it does something else than outside.",
)
def eager_as_graph(trial: Trial) -> bool:
    gradients = np.stack([np.cos(step + np.arange(3)) for step in range(8)]).astype(np.float32)
    walkers = [Walker(trial.optimizer(), [np.ones(3)]) for _ in range(2)]
    eager, traced = (walker.optimizer.apply_gradients for walker in walkers)
    (plain,), (graph,) = (walker.variables for walker in walkers)

    def apply(gradient: Any) -> None:
        traced([(gradient, graph)])

    call = tf.function(apply, autograph=False)
    for gradient in gradients:
        eager([(tf.constant(gradient), plain)])
        call(tf.constant(gradient))
    return bool(np.allclose(plain.numpy(), graph.numpy(), rtol=1e-5, atol=1e-7))


@CONTROL.probe(
    "Is a step twice as long at twice the learning rate?",
    yes="The learning rate is the length of the step, in proportion.",
    no="The learning rate does not scale the step in proportion.",
)
def step_follows_rate(trial: Trial) -> bool:
    single, double = (trial.path(_wave, [0.5, -0.5], steps=1, rate=rate) for rate in (0.01, 0.02))
    return bool(np.allclose(2 * (single[1] - single[0]), double[1] - double[0], rtol=1e-3))


@CONTROL.probe(
    "Is the first step no longer than the learning rate, however large the gradient?",
    yes="The learning rate bounds the first step; no warm-up is needed to survive it.",
    no="The first step is as long as the gradient is large; begin with a small learning rate.",
)
def bounded_first_step(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.full_like(weights, 1e3), [1.0], steps=1, rate=0.01)
    return bool(abs(path[1, 0] - path[0, 0]) <= 0.01 * 1.01)


@CONTROL.probe(
    "Do weights stand still at a learning rate of zero?",
    yes="A learning rate of zero freezes the weights, as a warm-up needs it.",
    no="Weights move at a learning rate of zero.",
)
def zero_rate(trial: Trial) -> bool:
    try:
        path = trial.path(_wave, [1.0, -0.5], steps=5, rate=0.0)
    except ValueError as error:
        raise NotApplicable("it refuses a learning rate of zero") from error
    return bool(np.array_equal(path[0], path[-1]))


@CONTROL.probe(
    "Does a change of the learning rate take effect in the next step?",
    yes="Schedules and callbacks act at once.",
    no="After a change of the learning rate, steps follow only slowly or not at all.",
)
def rate_changes_at_once(trial: Trial) -> bool:
    walker = Walker(trial.optimizer(0.01), [np.zeros(1)])
    places = [0.0]
    for step in range(12):
        if step == 11:
            walker.optimizer.learning_rate = 0.001
        walker.step([np.ones(1)])
        places.append(float(walker.weights[0][0]))
    before, after = places[-2] - places[-3], places[-1] - places[-2]
    return bool(0.05 < after / before < 0.2)


@CONTROL.probe(
    "Does a step depend on the present gradient alone?",
    yes="It remembers nothing: no memory is needed, and no state saved.",
    no="It remembers past gradients, which takes memory and must be saved with the model.",
)
def memoryless(trial: Trial) -> bool:
    def last_step(earlier: float) -> float:
        path = trial.path(lambda _, step: np.array([1.0 if step == 3 else earlier]), [0.0], steps=4)
        return float(path[4, 0] - path[3, 0])

    return bool(np.isclose(last_step(1.0), last_step(-2.0), rtol=1e-4))


@CONTROL.probe(
    "Is the first step as long as the later ones?",
    yes="It moves at full pace from the first step.",
    no="The first steps are shorter or longer than the later ones.",
)
def full_pace_at_once(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.ones_like(weights), [0.0], steps=30)
    lengths = np.abs(np.diff(path[:, 0]))
    return bool(lengths[-1] > 0 and abs(lengths[0] / lengths[-1] - 1) < 0.05)


@CONTROL.probe(
    "Do the default hyperparameters train a well-scaled problem in two hundred steps?",
    yes="It can be tried as it is.",
    no="Its default learning rate is meant for longer training, or has to be chosen.",
)
def default_works(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: weights, [1.0, -0.5], steps=200)
    return bool(np.abs(path[-1]).max() < 0.1)
