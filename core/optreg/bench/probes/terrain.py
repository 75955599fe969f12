"""How the optimizer gets over ground that is known to be hard."""

from __future__ import annotations

import numpy as np

from optreg.bench.probes.probe import Group
from optreg.bench.probes.trial import Gradient, Trial

TERRAIN = Group("terrain")
_STEPS = 200


def _settled(path: np.ndarray) -> float:
    """Return the greatest distance from zero over the last tenth of the path."""
    return float(np.abs(path[-max(len(path) // 10, 2) :]).max())


@TERRAIN.probe(
    "Does it get away from near a saddle?",
    yes="A saddle point holds it up for a short time only.",
    no="It loses much time near saddle points.",
)
def saddle(trial: Trial) -> bool:
    # x² - y² + y⁴/4 with minima at y = ±√2; the start is 1e-4 beside the ridge.
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        x, y = weights
        return np.array([2 * x, -2 * y + y**3])

    return trial.manages(gradient, [1.0, 1e-4], steps=60, when=lambda path: abs(abs(path[-1, 1]) - np.sqrt(2)) < 0.3)


@TERRAIN.probe(
    "Does it get away from a flat saddle of third order?",
    yes="Even where the curvature vanishes, it finds the way down.",
    no="Where gradient and curvature both vanish, it stays long.",
)
def monkey_saddle(trial: Trial) -> bool:
    # x³ - 3xy² + (x² + y²)²/4: three ways down, all flat at the origin.
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        x, y = weights
        square = x * x + y * y
        return np.array([3 * x * x - 3 * y * y + square * x, -6 * x * y + square * y])

    return trial.manages(gradient, [0.0, 0.02], steps=100, when=lambda path: 3 - np.hypot(*path[-1]) < 0.5)


@TERRAIN.probe(
    "Does it leave a saddle on whose ridge it starts exactly?",
    yes="It moves even where the gradient is exactly zero.",
    no="Without noise it stays where the gradient is exactly zero; batches usually supply the noise.",
)
def exact_saddle(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.array([2 * weights[0], -2 * weights[1]]), [1.0, 0.0], steps=50)
    return bool(abs(path[-1, 1]) > 0)


@TERRAIN.probe(
    "Does it cross a plateau whose slope is a ten-thousandth?",
    yes="Flat parts of the loss are crossed at full speed.",
    no="It slows down with the gradient, and hardly moves on flat parts.",
)
def plateau(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.full_like(weights, 1e-4), [0.0], steps=_STEPS, rate=0.01)
    return bool(path[-1, 0] < -0.5)


@TERRAIN.probe(
    "Does it move at gradients of 1e-12?",
    yes="Even gradients of 1e-12 are followed.",
    no="Gradients of 1e-12 are taken for noise: epsilon, or the linear step, makes nothing of them.",
)
def vanishing_gradient(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.full_like(weights, 1e-12), [0.0], steps=_STEPS, rate=0.01)
    return bool(path[-1, 0] < -1e-3)


@TERRAIN.probe(
    "Does it descend a narrow valley along the axes (condition 10,000)?",
    yes="Narrow valleys along the axes are no obstacle.",
    no="It needs many steps in narrow valleys, even along the axes.",
)
def narrow_valley(trial: Trial) -> bool:
    curvatures = np.array([1.0, 1e-4])
    return trial.manages(
        lambda weights, _: curvatures * weights, [1.0, 1.0], steps=_STEPS, when=lambda path: _settled(path) < 0.1
    )


@TERRAIN.probe(
    "Does it descend a narrow valley across the axes (condition 1,000)?",
    yes="Narrow valleys in any direction are no obstacle.",
    no="It needs many steps where a narrow valley lies across the axes.",
)
def narrow_valley_across(trial: Trial) -> bool:
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    matrix = turn @ np.diag([1.0, 1e-3]) @ turn.T
    start = list(turn @ np.array([1.0, 1.0]))
    return trial.manages(
        lambda weights, _: matrix @ weights, start, steps=_STEPS, when=lambda path: _settled(path) < 0.2
    )


@TERRAIN.probe(
    "Does it follow the curved valley of Rosenbrock to the end?",
    yes="Curved valleys are followed.",
    no="It creeps along curved valleys.",
)
def curved_valley(trial: Trial) -> bool:
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        x, y = weights
        return np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    return trial.manages(gradient, [-1.0, 1.0], steps=400, when=lambda path: np.abs(path[-1] - 1).max() < 0.2)


@TERRAIN.probe(
    "Do its jumps over the kink of |x| become shorter by themselves?",
    yes="It calms down even where the gradient never becomes small.",
    no="It keeps jumping over kinks; let the learning rate decay.",
)
def kink(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.sign(weights), [1.03], steps=_STEPS, rate=0.1)
    distances = np.abs(path[:, 0])
    return bool(distances[-20:].max() < 0.5 * distances[30:60].max())


@TERRAIN.probe(
    "Does it come to rest at a smooth minimum with a constant learning rate?",
    yes="Without noise it converges to the last digits without a schedule.",
    no="With a constant learning rate it keeps circling the minimum; let the learning rate decay.",
)
def rest(trial: Trial) -> bool:
    return trial.manages(lambda weights, _: weights, [1.0, -0.5], steps=_STEPS, when=lambda path: _settled(path) < 1e-4)


@TERRAIN.probe(
    "Does it roll through a small dip on the slope?",
    yes="It carries enough speed to pass small local minima.",
    no="Small dips on the way down hold it.",
)
def dip(trial: Trial) -> bool:
    # x²/2 with a dip of width 0.1 at 0.5; only steps shorter than the dip count.
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        x = weights[0]
        return np.array([x + 0.12 * (x - 0.5) / 0.05**2 * np.exp(-(((x - 0.5) / 0.05) ** 2) / 2)])

    def rolls(path: np.ndarray) -> bool:
        return bool(np.abs(np.diff(path[:, 0])).max() < 0.1 and abs(path[-1, 0]) < 0.25)

    return trial.manages(gradient, [1.0], steps=_STEPS, when=rolls, rates=(0.01, 0.003))


@TERRAIN.probe(
    "Does it find the minimum through noise as large as the gradient?",
    yes="Noisy batches are averaged out at a suitable learning rate.",
    no="Noise as large as the gradient keeps it from the minimum; let the learning rate decay or enlarge the batch.",
)
def noise(trial: Trial) -> bool:
    draws = np.random.default_rng(7).normal(size=(_STEPS, 4))
    return trial.manages(
        lambda weights, step: weights + draws[step], [2.0] * 4, steps=_STEPS, when=lambda path: _settled(path) < 0.5
    )


@TERRAIN.probe(
    "Does it find the minimum with gradients that are five steps old?",
    yes="It bears stale gradients, as asynchronous training has them.",
    no="Stale gradients make it swing; keep training synchronous.",
)
def stale_gradients(trial: Trial) -> bool:
    def gradients() -> Gradient:
        seen: list[np.ndarray] = []

        def gradient(weights: np.ndarray, _: int) -> np.ndarray:
            seen.append(weights)
            return seen[max(len(seen) - 6, 0)]

        return gradient

    paths = (trial.path(gradients(), [1.0, -0.5], steps=_STEPS, rate=rate) for rate in (0.03, 0.1, 0.01))
    return any(_settled(path) < 0.05 for path in paths)


@TERRAIN.probe(
    "Does it find the minimum when one gradient in ten has the wrong sign?",
    yes="Wrong gradients now and then are outvoted.",
    no="A few wrong gradients keep it from the minimum.",
)
def wrong_signs(trial: Trial) -> bool:
    signs = np.where(np.random.default_rng(3).random(_STEPS) < 0.1, -1.0, 1.0)
    return trial.manages(
        lambda weights, step: signs[step] * weights, [1.0, -0.5], steps=_STEPS, when=lambda path: _settled(path) < 0.05
    )


@TERRAIN.probe(
    "Is a weight with a gradient in one step of twenty moved far when it comes?",
    yes="Rare features learn at a pace of their own.",
    no="Rare features learn in proportion to how often they appear.",
)
def rare_feature(trial: Trial) -> bool:
    path = trial.path(lambda _, step: np.array([1.0, float(step % 20 == 19)]), [0.0, 0.0], steps=_STEPS, rate=0.01)
    often, rarely = np.abs(path[-1])
    return bool(rarely > 0.1 * often)


@TERRAIN.probe(
    "Does a constant gradient keep giving steps of the same length?",
    yes="The pace is set by the learning rate, from the first step to the last.",
    no="Its steps change by themselves, which acts like a learning rate schedule that nobody asked for.",
)
def steady_pace(trial: Trial) -> bool:
    path = trial.path(lambda weights, _: np.ones_like(weights), [0.0], steps=_STEPS)
    lengths = np.abs(np.diff(path[:, 0]))
    return bool(lengths[100] > 0 and abs(lengths[-1] / lengths[100] - 1) < 0.05)


@TERRAIN.probe(
    "Does it stay below the wall when it falls off a cliff?",
    yes="A cliff in the loss does not throw it far away.",
    no="A cliff in the loss throws it far away; clip the gradients.",
)
def cliff(trial: Trial) -> bool:
    def gradient(weights: np.ndarray, _: int) -> np.ndarray:
        return np.where(np.abs(weights) > 1.0, 1e4 * np.sign(weights), weights)

    path = trial.path(gradient, [1.05], steps=50, rate=0.01)
    return bool(np.abs(path).max() < 2)
