"""The test functions, in float64, with their minima.

M. Jamil, X.-S. Yang: A literature survey of benchmark functions for global optimisation problems. 2013.
https://arxiv.org/abs/1308.4008
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Value = Callable[[Any], Any]


@dataclass(frozen=True)
class Landscape:
    """A function to be minimised.

    Args:
        name: Short name.
        summary: What is hard about it.
        dimensions: Number of coordinates.
        value: From points ``[points, dimensions]`` to values ``[points]``, in float64.
        box: Lower and upper bound of each coordinate of a start.
        minimum: The least value.
        minimiser: A point that has it.
        noise: Deviation of what is added to every coordinate of the gradient.
    """

    name: str
    summary: str
    dimensions: int
    value: Value
    box: tuple[float, float]
    minimum: float
    minimiser: tuple[float, ...]
    noise: float = 0.0


def starts(landscape: Landscape, count: int = 16) -> np.ndarray:
    """Return fixed starting points ``[count, dimensions]`` spread evenly over the box: Halton's sequence."""
    from scipy.stats import qmc  # noqa: PLC0415 - of the bench extra, and slow to import

    low, high = landscape.box
    sequence = qmc.Halton(landscape.dimensions, scramble=False).random(count + 1)[1:]  # the first is a corner
    return np.asarray(low + (high - low) * sequence)


def _sphere(x: Any) -> Any:
    return tf.reduce_sum(x**2, axis=1)


def _curvatures(dimensions: int, condition: float) -> np.ndarray:
    return np.logspace(0, math.log10(condition), dimensions)


def _ellipse(dimensions: int, condition: float) -> Value:
    curvatures = _curvatures(dimensions, condition)
    return lambda x: tf.reduce_sum(curvatures * x**2, axis=1)


def _rotated_ellipse(dimensions: int, condition: float) -> Value:
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(dimensions, dimensions)))
    plain = _ellipse(dimensions, condition)
    return lambda x: plain(x @ turn)


def _rosenbrock(x: Any) -> Any:
    left, right = x[:, :-1], x[:, 1:]
    return tf.reduce_sum(100 * (right - left**2) ** 2 + (1 - left) ** 2, axis=1)


def _rastrigin(x: Any) -> Any:
    return tf.reduce_sum(x**2 - 10 * tf.cos(2 * math.pi * x) + 10, axis=1)


def _ackley(x: Any) -> Any:
    # 1e-24 under the root keeps the gradient a number at the minimum itself.
    radius = tf.sqrt(tf.reduce_mean(x**2, axis=1) + 1e-24)
    return -20 * tf.exp(-0.2 * radius) - tf.exp(tf.reduce_mean(tf.cos(2 * math.pi * x), axis=1)) + 20 + math.e


def _beale(x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    return (1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2


def _branin(x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    valley = (b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6) ** 2
    return valley + 10 * (1 - 1 / (8 * math.pi)) * tf.cos(a) + 10


def _himmelblau(x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    return (a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2


def _styblinski(x: Any) -> Any:
    return tf.reduce_sum(x**4 - 16 * x**2 + 5 * x, axis=1) / 2


def _levy(x: Any) -> Any:
    w = 1 + (x - 1) / 4
    middle = tf.reduce_sum((w[:, :-1] - 1) ** 2 * (1 + 10 * tf.sin(math.pi * w[:, :-1] + 1) ** 2), axis=1)
    last = (w[:, -1] - 1) ** 2 * (1 + tf.sin(2 * math.pi * w[:, -1]) ** 2)
    return tf.sin(math.pi * w[:, 0]) ** 2 + middle + last


def _griewank(x: Any) -> Any:
    roots = np.sqrt(np.arange(1, x.shape[1] + 1))
    return tf.reduce_sum(x**2, axis=1) / 4000 - tf.reduce_prod(tf.cos(x / roots), axis=1) + 1


def _monkey(x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    return a**3 - 3 * a * b**2 + (a**2 + b**2) ** 2


def _plateau(x: Any) -> Any:
    square = tf.reduce_sum(x**2, axis=1)
    return 1 - tf.exp(-square / 2) + 1e-4 * square


def _cliff(x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    return 0.1 * a**2 + b**2 + 5 * tf.sigmoid(40 * (a - 2))


def _spiral(x: Any) -> Any:
    """Return a valley that winds around the origin while it falls towards it."""
    a, b = x[:, 0], x[:, 1]
    square = a**2 + b**2
    angle = 2 * tf.sqrt(square + 1e-24)
    across = a * tf.sin(angle) - b * tf.cos(angle)
    return 0.05 * square + across**2


_STYBLINSKI = -2.903534027771177  # the real root of 4x³ - 32x + 5 that lies lowest
_MONKEY = ((-0.75, 0.0), -27 / 256)

LANDSCAPES: Sequence[Landscape] = (
    Landscape("sphere", "nothing is hard", 10, _sphere, (-5, 5), 0.0, (0.0,) * 10),
    Landscape("noisy-sphere", "noise of deviation 1 on the gradient", 10, _sphere, (-5, 5), 0.0, (0.0,) * 10, 1.0),
    Landscape("ellipse", "condition 1,000 along the axes", 2, _ellipse(2, 1e3), (-3, 3), 0.0, (0.0, 0.0)),
    Landscape("ellipse-10", "condition 10,000 along ten axes", 10, _ellipse(10, 1e4), (-3, 3), 0.0, (0.0,) * 10),
    Landscape(
        "rotated-ellipse", "condition 1,000 across the axes", 2, _rotated_ellipse(2, 1e3), (-3, 3), 0.0, (0.0, 0.0)
    ),
    Landscape(
        "rotated-ellipse-10",
        "condition 10,000 across ten axes",
        10,
        _rotated_ellipse(10, 1e4),
        (-3, 3),
        0.0,
        (0.0,) * 10,
    ),
    Landscape("rosenbrock", "a curved valley", 2, _rosenbrock, (-2, 2), 0.0, (1.0, 1.0)),
    Landscape("rosenbrock-10", "a curved valley in ten dimensions", 10, _rosenbrock, (-2, 2), 0.0, (1.0,) * 10),
    Landscape("rosenbrock-100", "a curved valley in a hundred", 100, _rosenbrock, (-2, 2), 0.0, (1.0,) * 100),
    Landscape("rastrigin", "a hundred local minima", 2, _rastrigin, (-5.12, 5.12), 0.0, (0.0, 0.0)),
    Landscape("ackley", "flat and bumpy around a steep hole", 2, _ackley, (-5, 5), 0.0, (0.0, 0.0)),
    Landscape("beale", "flat valleys, steep corners", 2, _beale, (-3, 3), 0.0, (3.0, 0.5)),
    Landscape("branin", "three equal minima", 2, _branin, (0, 10), 0.39788735772973816, (math.pi, 2.275)),
    Landscape("himmelblau", "four equal minima", 2, _himmelblau, (-5, 5), 0.0, (3.0, 2.0)),
    Landscape(
        "styblinski-tang",
        "one good and three bad minima",
        2,
        _styblinski,
        (-5, 5),
        -78.33233140754282,
        (_STYBLINSKI,) * 2,
    ),
    Landscape("levy", "waves across a valley", 2, _levy, (-5, 5), 0.0, (1.0, 1.0)),
    Landscape("griewank", "waves on a wide bowl", 2, _griewank, (-10, 10), 0.0, (0.0, 0.0)),
    Landscape("monkey-saddle", "a flat saddle with three ways down", 2, _monkey, (-0.3, 0.3), _MONKEY[1], _MONKEY[0]),
    Landscape("plateau", "hardly any slope away from the hole", 2, _plateau, (-6, 6), 0.0, (0.0, 0.0)),
    Landscape("cliff", "a wall beside the valley", 2, _cliff, (-4, 4), 0.0, (0.0, 0.0)),
    Landscape("spiral", "a valley that winds", 2, _spiral, (-4, 4), 0.0, (0.0, 0.0)),
)
