"""What is left of the optimizer in few bits, and what it makes of many."""

from __future__ import annotations

import numpy as np

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import RATES, Trial

PRECISION = Group("precision")


@PRECISION.probe(
    "Do bfloat16 weights near one move at a learning rate of 0.001?",
    yes="Small steps are not lost in bfloat16.",
    no="In bfloat16 small steps round to nothing: keep weights in float32, or use a larger learning rate.",
)
def bfloat16_moves(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.ones_like(weights), [1.0], steps=100, rate=0.001, dtype="bfloat16")
    return bool(path[-1, 0] < 0.99)


@PRECISION.probe(
    "Does it find a minimum in bfloat16?",
    yes="Weights in bfloat16 can be trained at a suitable learning rate.",
    no="Weights in bfloat16 do not get near the minimum.",
)
def bfloat16_converges(trial: Trial) -> bool:
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        return np.asarray(weights - 0.5)

    paths = (trial.path(gradient, [1.0, -1.0], steps=100, rate=rate, dtype="bfloat16") for rate in RATES)
    return any(np.abs(path[-1] - 0.5).max() < 0.05 for path in paths)


@PRECISION.probe(
    "Does it take the same steps in float16 as in float32 at gradients of 1e-4?",
    yes="Small gradients are not lost in float16.",
    no="In float16 the square of a small gradient vanishes or epsilon does: keep weights in float32.",
)
def float16_small_gradients(trial: Trial) -> bool:
    def travelled(dtype: str) -> float:
        path = trial.path(lambda weights, _: np.full_like(weights, 1e-4), [0.0], steps=10, rate=0.01, dtype=dtype)
        return float(path[-1, 0])

    wide, narrow = travelled("float32"), travelled("float16")
    return bool(np.isfinite(narrow) and abs(narrow - wide) <= 0.1 * abs(wide))


@PRECISION.probe(
    "Are float16 weights finite after gradients of 1,000?",
    yes="Squares of large gradients do not overflow in float16.",
    no="In float16 the square of a gradient of 1,000 overflows: scale the loss down or keep weights in float32.",
)
def float16_large_gradients(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.full_like(weights, 1e3), [1.0], steps=5, rate=0.001, dtype="float16")
    return bool(np.isfinite(path).all() and np.abs(path).max() < 100)


@PRECISION.probe(
    "Does float64 carry more digits than float32?",
    yes="In float64 all arithmetic is done in float64.",
    no="Somewhere numbers pass through float32: weights in float64 gain nothing.",
)
def float64_digits(trial: Trial) -> bool:
    def gradient(weights: np.ndarray, step: int) -> np.ndarray:
        return np.asarray(weights + np.cos(step))

    whole = trial.path(gradient, [1.0 / 3.0], steps=10, dtype="float64")
    return not np.array_equal(whole[1:].astype(np.float32).astype(np.float64), whole[1:])


@PRECISION.probe(
    "Does it find the minimum to ten digits in float64?",
    yes="High precision can be reached with a constant learning rate.",
    no="It does not get to ten digits with a constant learning rate in three hundred steps.",
)
def float64_converges(trial: Trial) -> bool:
    paths = (trial.path(lambda weights, _: weights, [1.0], steps=300, rate=rate, dtype="float64") for rate in RATES)
    return any(np.abs(path[-10:]).max() < 1e-10 for path in paths)


@PRECISION.probe(
    "Does it train complex weights?",
    yes="Complex weights can be trained.",
    no="Complex weights do not follow their gradient.",
)
def complex_weights(trial: Trial) -> bool:
    import tensorflow as tf  # noqa: PLC0415 - the only probe that needs a variable of its own

    trial.require("complex64")
    variable = tf.Variable([1.0 + 1.0j, -1.0 + 0.5j], dtype=tf.complex64)
    optimizer = trial.optimizer(0.1)
    optimizer.build([variable])
    start = variable.numpy()
    for _ in range(20):
        optimizer.apply_gradients([(tf.identity(variable), variable)])
    return bool((np.abs(variable.numpy()) < np.abs(start)).all())
