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

from optreg.bench.quality.inference import RESAMPLES, Scores, percentile_interval, repeats

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
class Band:
    """95 % bootstrap intervals of a profile: of its share at each ratio by itself, and of its mean."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    score_low: float
    score_high: float


@dataclass(frozen=True)
class Profile:
    """Share of tasks that an optimizer solves within each ratio to the best, and its mean over 1 .. 4.

    Without a second seed anywhere nothing can be resampled: ``band`` is then None.
    """

    ratios: tuple[float, ...]
    shares: tuple[float, ...]
    score: float
    band: Band | None = None


def profiles(times: Mapping[str, Sequence[Sequence[float]]], *, points: int = 61) -> dict[str, Profile]:
    """Return the performance profile of each optimizer, of the median times of its seeds.

    Its band is what seeds leave open: they are resampled within their task, for all optimizers at once, since the best
    of a task is one of them. Those with equally many seeds on a task are given the same draws: seeds are paired.

    Args:
        times: For each optimizer and task the times of its seeds, infinity for a miss; the tasks in the same order
            for all.
        points: Ratios from 1 to 4 at which the profile is taken.
    """
    ratios = np.linspace(1.0, PROFILE_END, points)
    seeds = list(times.values())
    found = _relative(np.array([[np.median(of_task) for of_task in of] for of in seeds], float))
    shares, scores = _shares(found, ratios), _area(found)
    bands = _bands(seeds, ratios) if any(map(repeats, seeds)) else [None] * len(seeds)
    return {
        name: Profile(_floats(ratios), _floats(shares[place]), float(scores[place]), bands[place])
        for place, name in enumerate(times)
    }


def _bands(seeds: Sequence[Scores], ratios: np.ndarray) -> list[Band]:
    drawn = _relative(_drawn_medians(seeds))
    low, high = percentile_interval(_shares(drawn, ratios))
    score_low, score_high = percentile_interval(_area(drawn))
    return [
        Band(_floats(low[place]), _floats(high[place]), float(score_low[place]), float(score_high[place]))
        for place in range(len(seeds))
    ]


def _drawn_medians(seeds: Sequence[Scores]) -> np.ndarray:
    """Return the median time ``[resamples, optimizers, tasks]`` of the seeds that each resample draws."""
    random = np.random.default_rng(0)
    medians = []
    for of_task in zip(*seeds, strict=True):
        rows = {count: random.integers(count, size=(RESAMPLES, count)) for count in sorted(set(map(len, of_task)))}
        medians.append([np.median(np.asarray(of, float)[rows[len(of)]], axis=1) for of in of_task])
    return np.asarray(np.transpose(medians, (2, 1, 0)))


def _relative(times: np.ndarray) -> np.ndarray:
    """Return the times ``[..., optimizers, tasks]`` as multiples of the best on their task."""
    best = times.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf / inf: a task that nobody solved counts for nobody
        return np.asarray(np.where(np.isfinite(times), times / best, np.inf))


def _shares(relative: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the share of tasks within each ratio ``[..., optimizers, ratios]``."""
    return np.stack([np.mean(relative <= ratio, axis=-1) for ratio in ratios], axis=-1)


def _area(relative: np.ndarray) -> np.ndarray:
    """Return the exact mean of each step function over 1 .. 4."""
    return np.asarray(np.mean(PROFILE_END - np.minimum(relative, PROFILE_END), axis=-1) / (PROFILE_END - 1))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, values))


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
