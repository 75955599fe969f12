"""Update rules in NumPy, which cards name as references."""

from __future__ import annotations

from typing import Any


def momentum(
    value: Any,
    gradient: Any,
    state: dict[str, Any],
    step: int,
    *,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> Any:
    state["velocity"] = momentum * state.get("velocity", 0.0) + gradient
    return value - learning_rate * (gradient + momentum * state["velocity"] if nesterov else state["velocity"])


def halved(value: Any, gradient: Any, state: dict[str, Any], step: int, *, learning_rate: float) -> Any:
    return value - 0.5 * learning_rate * gradient
