"""The rules of this package in NumPy, each for one variable, written from the papers with the semantics of Keras 2.9.

The conformance suite and the tests hold the optimizers to them. ``state`` is empty at the first step, which is 1.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeAlias

import numpy as np

State: TypeAlias = MutableMapping[str, Any]


def sgd(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of gradient descent; Sutskever et al., 2013, equations 1 to 4."""
    moved = -_rate(learning_rate, decay, step) * gradient
    if not momentum:
        return value + moved
    state["u"] = momentum * state.get("u", np.zeros_like(value)) + moved
    return value + (momentum * state["u"] + moved if nesterov else state["u"])


def adam(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Kingma and Ba, 2015, end of section 2; amsgrad is Reddi et al., 2018."""
    m, v = _moments(value, gradient, state, beta_1, beta_2)
    state["vhat"] = np.maximum(state.get("vhat", np.zeros_like(value)), v) if amsgrad else v
    alpha = _rate(learning_rate, decay, step) * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return value - alpha * m / (np.sqrt(state["vhat"]) + epsilon)


def rmsprop(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Tieleman and Hinton, 2012; centered is Graves, 2013, equations 38 to 41."""
    mean, square = _moments(value, gradient, state, rho, rho)
    variance = square - mean**2 if centered else square
    moved = _rate(learning_rate, decay, step) * gradient
    if not momentum:
        return value - moved / (np.sqrt(variance) + epsilon)
    state["u"] = momentum * state.get("u", np.zeros_like(value)) + moved / np.sqrt(variance + epsilon)
    return value - state["u"]


def adagrad(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Duchi et al., 2011, figure 1 with a diagonal."""
    state["a"] = state.get("a", np.full_like(value, initial_accumulator_value)) + gradient**2
    return value - _rate(learning_rate, decay, step) * gradient / (np.sqrt(state["a"]) + epsilon)


def adadelta(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Zeiler, 2012, algorithm 1."""
    before = state.get("b", np.zeros_like(value))
    state["a"] = rho * state.get("a", np.zeros_like(value)) + (1 - rho) * gradient**2
    d = np.sqrt(before + epsilon) / np.sqrt(state["a"] + epsilon) * gradient
    state["b"] = rho * before + (1 - rho) * d**2
    return value - _rate(learning_rate, decay, step) * d


def adamax(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Kingma and Ba, 2015, algorithm 2."""
    state["m"] = beta_1 * state.get("m", np.zeros_like(value)) + (1 - beta_1) * gradient
    state["v"] = np.maximum(beta_2 * state.get("v", np.zeros_like(value)), np.abs(gradient))
    return value - _rate(learning_rate, decay, step) / (1 - beta_1**step) * state["m"] / (state["v"] + epsilon)


def nadam(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    schedule_decay: float = 0.004,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of Dozat, 2016, algorithm 8, with his schedule of the momentum."""
    m, v = _moments(value, gradient, state, beta_1, beta_2)
    momentum = [beta_1 * (1 - 0.5 * 0.96 ** (schedule_decay * made)) for made in range(1, step + 2)]
    now, ahead = np.prod(momentum[:step]), np.prod(momentum)
    mixed = (1 - momentum[step - 1]) * gradient / (1 - now) + momentum[step] * m / (1 - ahead)
    return value - _rate(learning_rate, decay, step) * mixed / (np.sqrt(v / (1 - beta_2**step)) + epsilon)


def ftrl(
    value: Any,
    gradient: Any,
    state: State,
    step: int,
    *,
    learning_rate: float = 0.001,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    l2_shrinkage_regularization_strength: float = 0.0,
    beta: float = 0.0,
    decay: float = 0.0,
) -> Any:
    """Return the value after a step of McMahan et al., 2013, algorithm 1, with a free power and shrinkage."""
    rate = _rate(learning_rate, decay, step)
    before = state.get("n", np.full_like(value, initial_accumulator_value))
    state["n"] = before + gradient**2
    slower = (state["n"] ** -learning_rate_power - before**-learning_rate_power) / rate
    shrunk = gradient + 2 * l2_shrinkage_regularization_strength * value
    z = state["z"] = state.get("z", np.zeros_like(value)) + shrunk - slower * value
    scale = (beta + state["n"] ** -learning_rate_power) / rate + 2 * l2_regularization_strength
    return (np.clip(z, -l1_regularization_strength, l1_regularization_strength) - z) / scale


def _rate(learning_rate: float, decay: float, step: int) -> float:
    return learning_rate / (1 + decay * (step - 1))


def _moments(value: Any, gradient: Any, state: State, first: float, second: float) -> tuple[Any, Any]:
    """Return the averages of the gradient and of its square, which decay by ``first`` and ``second``."""
    state["m"] = first * state.get("m", np.zeros_like(value)) + (1 - first) * gradient
    state["v"] = second * state.get("v", np.zeros_like(value)) + (1 - second) * gradient**2
    return state["m"], state["v"]
