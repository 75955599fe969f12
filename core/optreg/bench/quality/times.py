"""Times to a target, with failures kept: expected running time, performance profiles, speed-up over an anchor.

N. Hansen et al.: COCO, a platform for comparing continuous optimizers. 2021. https://doi.org/10.1080/10556788.2020.1808977
E. D. Dolan, J. J. Moré: Benchmarking optimization software with performance profiles. 2002.
https://doi.org/10.1007/s101070100263
G. E. Dahl et al.: Benchmarking neural network training algorithms. 2023. https://arxiv.org/abs/2306.07179

A time may be steps, epochs or seconds; a run that missed its target has the time infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PROFILE_END = 4.0
"""Ratio to the best beyond which a profile no longer counts, as in AlgoPerf."""

_PENALTY = 2.0  # a miss costs this many times the budget, as PAR2 of the SAT competitions


@dataclass(frozen=True)
class TimeToTarget:
    """What the runs of one optimizer took to one target.

    ``times`` holds one entry for each run, None for a miss, so that it survives JSON. ``median`` counts a miss as later
    than every hit and is None where that is the middle. ``expected`` is the mean time until a success when failed runs
    are repeated: everything spent, divided by the successes; None without a success.
    """

    target: float
    times: tuple[float | None, ...]
    median: float | None
    expected: float | None

    @property
    def reached(self) -> int:
        """Number of runs that met the target."""
        return sum(time is not None for time in self.times)


def time_to_target(target: float, times: Sequence[float | None], spent: Sequence[float]) -> TimeToTarget:
    """Return the summary; ``spent`` is what each run took in all, of which a miss loses everything."""
    filled = [math.inf if time is None else float(time) for time in times]
    middle = float(np.median(filled)) if filled else math.inf
    hits = [time for time in filled if math.isfinite(time)]
    lost = sum(cost for time, cost in zip(filled, spent, strict=True) if not math.isfinite(time))
    expected = (sum(hits) + lost) / len(hits) if hits else None
    return TimeToTarget(target, tuple(times), middle if math.isfinite(middle) else None, expected)


@dataclass(frozen=True)
class Profile:
    """Share of tasks that an optimizer solves within each ratio to the best, and its mean over 1 .. 4."""

    ratios: tuple[float, ...]
    shares: tuple[float, ...]
    score: float


def profiles(times: Mapping[str, Sequence[float]], *, points: int = 61) -> dict[str, Profile]:
    """Return the performance profile of each optimizer.

    Args:
        times: For each optimizer its time on each task, infinity for a miss; the tasks in the same order for all.
        points: Ratios from 1 to 4 at which the profile is taken.
    """
    ratios = np.linspace(1.0, PROFILE_END, points)
    table = np.array([list(row) for row in times.values()], float)
    best = table.min(axis=0)
    with np.errstate(invalid="ignore"):  # inf / inf: a task that nobody solved counts for nobody
        relative = np.where(np.isfinite(table), table / best, np.inf)
    found = {}
    for name, row in zip(times, relative, strict=True):
        shares = [float(np.mean(row <= ratio)) for ratio in ratios]
        found[name] = Profile(tuple(map(float, ratios)), tuple(shares), _area(row))
    return found


def _area(ratios: np.ndarray) -> float:
    """Return the exact mean of the step function over 1 .. 4."""
    return float(np.mean(np.clip(PROFILE_END - np.minimum(ratios, PROFILE_END), 0, None)) / (PROFILE_END - 1))


def anchored_speed_up(times: Sequence[float], anchor: Sequence[float], budgets: Sequence[float]) -> float:
    """Return the geometric mean over the tasks of the anchor's time divided by this one's.

    Other optimizers have no part in it, so that adding one changes nothing. A miss counts as twice the budget.

    Raises:
        ValueError: The tasks differ, or there are none.
    """
    if not len(times) == len(anchor) == len(budgets) or not len(times):
        raise ValueError(f"the same tasks are needed, received {len(times)}, {len(anchor)} and {len(budgets)}")
    logs = [
        math.log(_charged(theirs, budget)) - math.log(_charged(mine, budget))
        for mine, theirs, budget in zip(times, anchor, budgets, strict=True)
    ]
    return math.exp(sum(logs) / len(logs))


def _charged(time: float, budget: float) -> float:
    return max(time, 1e-9) if math.isfinite(time) else _PENALTY * budget
