"""Two convex problems on real data, whose optimum is known to the last bit, so that the gap to it is the metric."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.tasks.batches import generator, shuffled, standardised
from optreg.bench.tasks.newton import Expansion, Optimum, minimise
from optreg.bench.tasks.sources import Need, fingerprint
from optreg.bench.tasks.task import Judgement, Problem, Task

_SKLEARN = Need("scikit-learn", module="sklearn")
_CANCER_DECAY = 1e-3  # weight of half the squared norm
_RIDGE_DECAY = 1e-3
_BATCH = 32


@dataclass(frozen=True)
class Linear:
    """Features ``[examples, n]`` with a column of ones, and targets ``[examples]``, in float64."""

    features: np.ndarray
    targets: np.ndarray


@functools.cache
def cancer_data() -> Linear:
    """Return the 569 tumours of the Wisconsin breast cancer data: 30 standardised features, and -1 or +1."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - of the bench extra

    return _linear(*load_breast_cancer(return_X_y=True), sign=True)


@functools.cache
def diabetes_data() -> Linear:
    """Return the 442 patients of the diabetes data: 10 standardised features, and the standardised progression."""
    from sklearn.datasets import load_diabetes  # noqa: PLC0415 - of the bench extra

    return _linear(*load_diabetes(return_X_y=True), sign=False)


def _linear(features: np.ndarray, targets: np.ndarray, *, sign: bool) -> Linear:
    rows = np.arange(len(features))
    columns = standardised(features, rows)
    answers = 2.0 * targets - 1.0 if sign else standardised(targets[:, None], rows)[:, 0]
    return Linear(np.column_stack([columns, np.ones(len(columns))]), answers)


def logistic(point: np.ndarray) -> Expansion:
    """Return value, gradient and Hessian of the cancer problem's loss: mean log-loss plus decay of all weights."""
    data = cancer_data()
    margins = data.targets * (data.features @ point)
    wrong = 0.5 * (1 - np.tanh(margins / 2))  # probability of the other class, without overflow
    value = np.logaddexp(0, -margins).mean() + _CANCER_DECAY / 2 * point @ point
    gradient = -data.features.T @ (data.targets * wrong) / len(margins) + _CANCER_DECAY * point
    curvature = data.features.T * (wrong * (1 - wrong)) @ data.features / len(margins)
    return Expansion(float(value), gradient, curvature + _CANCER_DECAY * np.eye(len(point)))


@functools.cache
def cancer_optimum() -> Optimum:
    """Return the optimum of the cancer problem, found by Newton's method."""
    return minimise(logistic, np.zeros(cancer_data().features.shape[1]))


@functools.cache
def ridge_optimum() -> Optimum:
    """Return the optimum of the ridge problem, in closed form."""
    data = diabetes_data()
    hessian = data.features.T @ data.features / len(data.targets) + _RIDGE_DECAY * np.eye(data.features.shape[1])
    point = np.linalg.solve(hessian, data.features.T @ data.targets / len(data.targets))
    residual = data.features @ point - data.targets
    value = float(residual @ residual / len(residual) / 2 + _RIDGE_DECAY / 2 * point @ point)
    left = hessian @ point - data.features.T @ data.targets / len(data.targets)
    return Optimum(point, value, float(left @ np.linalg.solve(hessian, left) / 2))


@dataclass(frozen=True)
class Convex:
    """A convex problem: its data, its optimum, and its loss of outputs, targets and weights."""

    name: str
    data: Linear
    optimum: Optimum
    loss: Callable[[Any, Any, Any], Any]

    def problem(self, seed: int, batches: np.ndarray) -> Problem:
        """Train in float32 as everything is trained; judge in float64, where the gap is exact."""
        features, targets = tf.constant(self.data.features), tf.constant(self.data.targets)
        coarse_features, coarse_targets = tf.cast(features, tf.float32), tf.cast(targets, tf.float32)
        start = np.asarray(generator(self.name, seed).normal(size=features.shape[1]), np.float32)

        def loss(variables: Sequence[Any], rows: Any) -> Any:
            outputs = tf.linalg.matvec(tf.gather(coarse_features, rows), variables[0])
            return self.loss(outputs, tf.gather(coarse_targets, rows), tf.convert_to_tensor(variables[0]))

        def judge(variables: Sequence[Any]) -> Judgement:
            weights = tf.cast(variables[0], tf.float64)
            value = self.loss(tf.linalg.matvec(features, weights), targets, weights)
            # Not clipped at 0: a gap below it would say that the optimum is wrong.
            return Judgement(value, value - self.optimum.value)

        references = {"left by the exact solver": self.optimum.gap}
        data = fingerprint(self.data.features, self.data.targets)
        return Problem([start], tf.constant(np.ascontiguousarray(batches)), loss, judge, data, references)


def cancer(seed: int, steps: int) -> Problem:
    """Return logistic regression on all examples at once: no noise but the start."""
    _SKLEARN.require()
    return Convex("cancer", cancer_data(), cancer_optimum(), _log_loss).problem(seed, _everything(569, steps))


def cancer_batches(seed: int, steps: int) -> Problem:
    """Return logistic regression on batches of 32, where a step too long never comes to rest."""
    _SKLEARN.require()
    batches = shuffled(generator("order of cancer-batches", seed), 569, batch=_BATCH, steps=steps)
    return Convex("cancer-batches", cancer_data(), cancer_optimum(), _log_loss).problem(seed, batches)


def ridge(seed: int, steps: int) -> Problem:
    """Return ridge regression on all examples at once."""
    _SKLEARN.require()
    return Convex("ridge", diabetes_data(), ridge_optimum(), _half_square).problem(seed, _everything(442, steps))


def _everything(examples: int, steps: int) -> np.ndarray:
    return np.broadcast_to(np.arange(examples, dtype=np.int32), (steps, examples))


def _log_loss(outputs: Any, targets: Any, weights: Any) -> Any:
    return tf.reduce_mean(tf.nn.softplus(-targets * outputs)) + _CANCER_DECAY / 2 * tf.reduce_sum(weights**2)


def _half_square(outputs: Any, targets: Any, weights: Any) -> Any:
    return tf.reduce_mean((outputs - targets) ** 2) / 2 + _RIDGE_DECAY / 2 * tf.reduce_sum(weights**2)


CANCER = Task(
    name="cancer",
    summary="logistic regression on 569 tumours, all at once; the optimum is known from Newton's method",
    make=cancer,
    steps=500,
    metric="gap",
    higher_is_better=False,
    suites=("smoke", "quick", "standard"),
    source="scikit-learn",
    needs=(_SKLEARN,),
    target=1e-2,
    plausible=-1e-9,
)

CANCER_BATCHES = Task(
    name="cancer-batches",
    summary="logistic regression on 569 tumours in batches of 32; the optimum is known from Newton's method",
    make=cancer_batches,
    steps=510,
    epoch=17,
    metric="gap",
    higher_is_better=False,
    source="scikit-learn",
    needs=(_SKLEARN,),
    target=2e-2,
    plausible=-1e-9,
)

RIDGE = Task(
    name="ridge",
    summary="ridge regression on 442 patients, all at once; the optimum is known in closed form",
    make=ridge,
    steps=500,
    metric="gap",
    higher_is_better=False,
    suites=("quick", "standard"),
    source="scikit-learn",
    needs=(_SKLEARN,),
    target=1e-3,
    plausible=-1e-9,
)
