"""Which changes of the problem change nothing in what the optimizer does."""

from __future__ import annotations

import numpy as np

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import Trial, Walker

INVARIANCE = Group("invariance")
_STEPS = 12
_START = (1.0, -0.7, 0.4)
_CURVATURES = np.array([1.0, 3.0, 0.5])
_CLOSE = 5e-3  # relative to the distance travelled; what epsilons and float32 leave


def _quadratic(weights: np.ndarray, step: int) -> np.ndarray:
    return np.asarray(_CURVATURES * weights + 0.1 * np.cos(step + np.arange(3)))


def _alike(path: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two paths agree as far as the steps are long."""
    travelled = np.abs(path - path[0]).max()
    return bool(np.isfinite(travelled) and np.abs(path - other).max() <= _CLOSE * travelled)


def _scaled(trial: Trial, factor: np.ndarray | float) -> bool:
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    scaled = trial.path(lambda weights, step: factor * _quadratic(weights, step), _START, steps=_STEPS)
    return _alike(plain, scaled)


@INVARIANCE.probe(
    "Is the path the same when the loss is a million times larger?",
    yes="The learning rate need not be changed with the scale of the loss.",
    no="A loss of another scale needs another learning rate.",
)
def loss_times_million(trial: Trial) -> bool:
    return _scaled(trial, 1e6)


@INVARIANCE.probe(
    "Is the path the same when the loss is a thousand times smaller?",
    yes="Small gradients train as well as large ones.",
    no="With small gradients it takes other steps: they drown in epsilon, or the learning rate has to grow.",
)
def loss_divided_by_thousand(trial: Trial) -> bool:
    return _scaled(trial, 1e-3)


@INVARIANCE.probe(
    "Is the path the same when each coordinate's gradient has its own scale?",
    yes="Layers with gradients of very different size train at one learning rate.",
    no="One learning rate does not fit coordinates whose gradients differ in size.",
)
def each_coordinate_scaled(trial: Trial) -> bool:
    return _scaled(trial, np.array([1e-3, 1.0, 1e3]))


@INVARIANCE.probe(
    "Does a rotation of the coordinates only rotate the path?",
    yes="It does not matter along which directions the valley lies.",
    no="It works along the coordinate axes, and does better or worse where the valley lies across them.",
)
def rotation(trial: Trial) -> bool:
    turn, _ = np.linalg.qr(np.array([[1.0, 2.0, 0.5], [-1.0, 0.3, 1.0], [0.2, -0.8, 1.5]]))
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    turned = trial.path(
        lambda weights, step: turn @ _quadratic(turn.T @ weights, step), turn @ np.array(_START), steps=_STEPS
    )
    return _alike(plain, turned @ turn)


@INVARIANCE.probe(
    "Does a shift of start and minimum only shift the path?",
    yes="It has no favourite place: nothing pulls the weights to zero.",
    no="Where zero lies matters: the weights decay, or the step depends on their size.",
)
def translation(trial: Trial) -> bool:
    shift = np.array([2.0, -1.0, 0.5])
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    moved = trial.path(lambda weights, step: _quadratic(weights - shift, step), np.array(_START) + shift, steps=_STEPS)
    return _alike(plain, moved - shift)


@INVARIANCE.probe(
    "Does another order of the coordinates change nothing but their order?",
    yes="Neighbours in a vector do not influence each other by their place.",
    no="The place of a weight in its vector matters.",
)
def permutation(trial: Trial) -> bool:
    order = np.array([2, 0, 1])
    back = np.argsort(order)
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    mixed = trial.path(
        lambda weights, step: _quadratic(weights[back], step)[order], np.array(_START)[order], steps=_STEPS
    )
    return _alike(plain, mixed[:, back])


@INVARIANCE.probe(
    "Does a mirrored problem give the mirrored path?",
    yes="Positive and negative weights are treated alike.",
    no="It prefers one sign of the weights.",
)
def mirror(trial: Trial) -> bool:
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    mirrored = trial.path(lambda weights, step: -_quadratic(-weights, step), -np.array(_START), steps=_STEPS)
    return _alike(plain, -mirrored)


@INVARIANCE.probe(
    "Is a matrix trained like the vector of its entries?",
    yes="Reshaping a weight changes nothing.",
    no="The shape of a weight matters: rows and columns are used as such.",
)
def reshaping(trial: Trial) -> bool:
    start = np.array([1.0, -0.7, 0.4, 0.2, -1.1, 0.6])
    flat = trial.path(lambda weights, step: weights + np.cos(step + np.arange(6)), start, steps=_STEPS)
    matrix = trial.path(
        lambda weights, step: weights + np.cos(step + np.arange(6)).reshape(2, 3), start.reshape(2, 3), steps=_STEPS
    )
    return _alike(flat, matrix.reshape(-1, 6))


@INVARIANCE.probe(
    "Are two variables trained like one that holds both?",
    yes="It does not matter how the weights are divided into variables.",
    no="Each variable is scaled by a norm of its own: the division into variables matters.",
)
def splitting(trial: Trial) -> bool:
    start = np.array(_START)
    joined = Walker(trial.optimizer(), [start])
    parted = Walker(trial.optimizer(), [start[:1], start[1:]])
    first, path, other = start, [start], [start]
    for step in range(_STEPS):
        gradient = _quadratic(first, step)
        joined.step([gradient])
        parted.step([gradient[:1], gradient[1:]])
        first = joined.weights[0]
        path.append(first)
        other.append(np.concatenate(parted.weights))
    return _alike(np.stack(path), np.stack(other))


@INVARIANCE.probe(
    "Is a variable left alone by the gradients of the others?",
    yes="Each variable moves as if it were trained alone.",
    no="Variables are coupled, for instance by a norm over all of them.",
)
def independence(trial: Trial) -> bool:
    alone = trial.path(lambda weights, _: weights, [1.0, -0.5], steps=_STEPS)
    pair = Walker(trial.optimizer(), [np.array([1.0, -0.5]), np.array([3.0])])
    path = [pair.weights[0]]
    for step in range(_STEPS):
        pair.step([path[-1], [1e3 * (-1) ** step]])
        path.append(pair.weights[0])
    return _alike(alone, np.stack(path))


@INVARIANCE.probe(
    "Are weights ten times larger, with gradients ten times smaller, moved ten times further?",
    yes="The step follows the size of the weights, so that all layers change by the same part of themselves.",
    no="The step does not follow the size of the weights.",
)
def weight_scale(trial: Trial) -> bool:
    plain = trial.path(_quadratic, _START, steps=_STEPS)
    larger = trial.path(lambda weights, step: _quadratic(weights / 10, step) / 10, 10 * np.array(_START), steps=_STEPS)
    return _alike(plain, larger / 10)
