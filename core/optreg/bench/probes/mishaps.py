"""What one bad gradient does to the weights, now and later."""

from __future__ import annotations

import numpy as np

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import Trial, Walker

MISHAPS = Group("mishaps")


def _after(trial: Trial, bad: float, *, steps: int = 20) -> np.ndarray:
    """Return the path towards a minimum at 0, where the tenth gradient of the first weight is replaced."""

    def gradient(weights: np.ndarray, step: int) -> np.ndarray:
        return np.array([bad, weights[1]]) if step == 9 else np.clip(weights, -1e3, 1e3)

    return trial.path(gradient, [1.0, 1.0], steps=steps, rate=0.01)


@MISHAPS.probe(
    "Do weights stay put at a zero gradient in the first step?",
    yes="Without a gradient nothing moves.",
    no="Weights move without a gradient: they decay, or something else pulls.",
)
def zero_gradient_at_first(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.zeros_like(weights), [1.0, -2.0], steps=3)
    return bool(np.array_equal(path[0], path[-1]))


@MISHAPS.probe(
    "Do weights stop at once when the gradient becomes zero?",
    yes="It has no momentum: where the gradient ends, the movement ends.",
    no="It coasts on past gradients after the gradient has become zero.",
)
def zero_gradient_later(trial: Trial) -> bool:
    path = trial.path(lambda weights, step: np.full_like(weights, float(step < 5)), [1.0, -2.0], steps=8)
    return bool(np.array_equal(path[5], path[-1]))


@MISHAPS.probe(
    "Are the weights finite after a gradient that is not a number?",
    yes="A gradient that is not a number is survived.",
    no="One gradient that is not a number ruins the weight for good: check gradients, or scale the loss.",
)
def survives_nan(trial: Trial) -> bool:
    return bool(np.isfinite(_after(trial, np.nan)[-1]).all())


@MISHAPS.probe(
    "Are the other weights of the vector untouched by one that is not a number?",
    yes="A gradient that is not a number ruins its own weight only.",
    no="One gradient that is not a number spreads to its neighbours.",
)
def contains_nan(trial: Trial) -> bool:
    return bool(np.isfinite(_after(trial, np.nan)[-1, 1]))


@MISHAPS.probe(
    "Are other variables untouched by one whose gradient is not a number?",
    yes="A gradient that is not a number stays in its variable.",
    no="One gradient that is not a number spreads to other variables.",
)
def contains_nan_in_its_variable(trial: Trial) -> bool:
    walker = Walker(trial.optimizer(), [np.ones(2), np.ones(2)])
    for _ in range(3):
        walker.step([[np.nan, np.nan], [1.0, 1.0]])
    return bool(np.isfinite(walker.weights[1]).all())


@MISHAPS.probe(
    "Are the weights finite after an infinite gradient?",
    yes="An infinite gradient is survived.",
    no="One infinite gradient ruins the weight for good: clip gradients.",
)
def survives_infinity(trial: Trial) -> bool:
    return bool(np.isfinite(_after(trial, np.inf)[-1]).all())


@MISHAPS.probe(
    "Are the weights finite after a gradient whose square overflows float32?",
    yes="Gradients near the end of the range of float32 are survived.",
    no="The square of a gradient of 1e30 overflows, and the weight is lost.",
)
def survives_overflow(trial: Trial) -> bool:
    return bool(np.isfinite(_after(trial, 1e30)[-1]).all())


@MISHAPS.probe(
    "Does a gradient a million times too large move the weight by less than one?",
    yes="A single outlier does not throw the weights away.",
    no="A single outlier moves the weights by as much as it is large: clip gradients.",
)
def bounded_outlier(trial: Trial) -> bool:
    path = _after(trial, 1e6)
    return bool(np.abs(np.diff(path[:, 0])).max() < 1)


@MISHAPS.probe(
    "Does it train on as before, a hundred steps after an outlier?",
    yes="An outlier is forgotten soon.",
    no="An outlier is remembered: for a hundred steps and more it moves by less than a tenth of before.",
)
def forgets_outlier(trial: Trial) -> bool:
    def lengths(bad: float) -> np.ndarray:
        path = trial.path(
            lambda weights, step: np.full_like(weights, bad if step == 5 else 1.0), [0.0], steps=110, rate=0.01
        )
        return np.abs(np.diff(path[:, 0]))

    calm, shaken = lengths(1.0)[-1], lengths(1e3)[-1]
    return bool(0.1 * calm < shaken < 10 * calm)


@MISHAPS.probe(
    "Is a variable without a gradient left as it is while the others train?",
    yes="Frozen branches stay frozen.",
    no="A variable moves although it has no gradient.",
)
def absent_gradient(trial: Trial) -> bool:
    import warnings  # noqa: PLC0415 - the contract warns of a variable without gradient, which is what is asked for here

    walker = Walker(trial.optimizer(), [np.ones(2), np.ones(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        walker.step([None, [1.0, 1.0]])
    still, moved = walker.weights
    return bool(np.array_equal(still, np.ones(2)) and not np.array_equal(moved, np.ones(2)))


@MISHAPS.probe(
    "Are gradients near the smallest of float32 harmless?",
    yes="Vanishing gradients cause no division by zero.",
    no="A gradient near the smallest of float32 gives a weight that is not a number.",
)
def tiny_gradient_is_harmless(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.full_like(weights, 1e-38), [1.0], steps=10)
    return bool(np.isfinite(path).all())


@MISHAPS.probe(
    "Does it stay bounded when large gradients of changing sign hit it?",
    yes="Gradients that contradict each other cancel out.",
    no="Gradients that contradict each other drive it far away.",
)
def contradicting_gradients(trial: Trial) -> bool:
    path = trial.path(lambda _, step: np.array([100.0 * (-1) ** step]), [0.0], steps=100, rate=0.01)
    return bool(np.abs(path).max() < 2)
