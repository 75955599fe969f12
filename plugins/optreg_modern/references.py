"""The rules of this package in NumPy, each for one variable, written from the papers.

The conformance suite and the tests hold the optimizers to them. ``state`` is empty at the first step, which is 1.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np


def lion(
    value: Any,
    gradient: Any,
    state: MutableMapping[str, Any],
    step: int,  # noqa: ARG001 - the suite calls every reference alike
    *,
    learning_rate: float = 1e-4,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    weight_decay: float = 0.0,
) -> Any:
    """Return the value after a step of Chen et al., 2023, algorithm 2."""
    average = state.get("m", np.zeros_like(value))
    direction = np.sign(beta_1 * average + (1 - beta_1) * gradient)
    state["m"] = beta_2 * average + (1 - beta_2) * gradient
    return value - learning_rate * (direction + weight_decay * value)
