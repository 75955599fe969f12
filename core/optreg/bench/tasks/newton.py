"""The exact optimum of a smooth convex function, by Newton's method: what every optimizer is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from optreg.errors import OptregError

_MOST_ITERATIONS = 100
_SUFFICIENT = 1e-4  # Armijo's constant
_NOISE = 64  # how many units in the last place a value may be off
_DECREMENT = 1e-24  # squared Newton decrement; half of it bounds the gap near the optimum


class NotConverged(OptregError, ArithmeticError):
    """Newton's method did not find the optimum; the function is not smooth and strictly convex."""


class Expansion(NamedTuple):
    """Value, gradient ``[n]`` and Hessian ``[n, n]`` of a function at a point, float64."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


class Optimum(NamedTuple):
    """The minimiser, the least value, and half the squared Newton decrement: the estimated gap that is left."""

    point: np.ndarray
    value: float
    gap: float


def minimise(expand: Callable[[np.ndarray], Expansion], start: np.ndarray) -> Optimum:
    """Return the minimum of a strictly convex function.

    Raises:
        NotConverged: The gap does not fall below 1e-24 within 100 iterations.
    """
    point = np.asarray(start, np.float64)
    here = expand(point)
    for _ in range(_MOST_ITERATIONS):
        direction = -np.linalg.solve(here.hessian, here.gradient)
        decrement = float(-here.gradient @ direction)
        if decrement <= _DECREMENT:
            return Optimum(point, here.value, max(decrement, 0.0) / 2)
        moved = _step(expand, point, here, direction)
        if moved is None:  # no step leads on: it is exact to the last bits of float64
            return Optimum(point, here.value, decrement / 2)
        point, here = moved
    raise NotConverged(f"Newton's method left a gap of {decrement / 2:.3g} after {_MOST_ITERATIONS} iterations")


def _step(
    expand: Callable[[np.ndarray], Expansion], point: np.ndarray, here: Expansion, direction: np.ndarray
) -> tuple[np.ndarray, Expansion] | None:
    """Halve the step until it decreases the value by a fair part of what its slope promises.

    Where less is promised than the rounding of the value, the gradient tells whether the step leads on.
    """
    slope = float(here.gradient @ direction)
    if -slope <= _NOISE * np.spacing(abs(here.value)):
        there = expand(point + direction)
        closer = np.linalg.norm(there.gradient) < np.linalg.norm(here.gradient)
        return (point + direction, there) if closer else None
    size = 1.0
    while size > 1e-12:  # noqa: PLR2004 - below, the step is lost in rounding
        target = point + size * direction
        there = expand(target)
        if there.value <= here.value + _SUFFICIENT * size * slope and there.value < here.value:
            return target, there
        size /= 2
    return None
