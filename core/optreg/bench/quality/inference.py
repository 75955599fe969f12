"""What a few seeds on a few tasks allow to say: interquartile mean, stratified bootstrap, probability of improvement.

R. Agarwal et al.: Deep reinforcement learning at the edge of the statistical precipice. NeurIPS 2021.
https://arxiv.org/abs/2108.13264

Scores are given as one sequence of seeds for each task; tasks may have different numbers of seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Scores = Sequence[Sequence[float]]

RESAMPLES = 1000
"""How often a bootstrap draws."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with its bootstrap interval, and how many runs on how many tasks it rests on.

    Without a second seed anywhere nothing can be resampled: ``low`` and ``high`` are then None.
    """

    value: float
    low: float | None
    high: float | None
    runs: int
    tasks: int


def interquartile_mean(scores: Scores) -> float:
    """Return the mean of the middle half of all runs of all tasks together.

    Raises:
        ValueError: There are no runs.
    """
    from scipy.stats import trim_mean  # noqa: PLC0415 - of the bench extra, and slow to import

    values = [value for task in scores for value in task]
    if not values:
        raise ValueError("the interquartile mean of no runs is not defined")
    return float(trim_mean(values, 0.25))


def estimate(scores: Scores, *, seed: int = 0) -> Estimate:
    """Return the interquartile mean and its 95 % percentile interval; runs are resampled within their task."""
    from scipy.stats import trim_mean  # noqa: PLC0415 - see interquartile_mean

    low, high = None, None
    if repeats(scores):
        drawn = np.concatenate([np.asarray(task, float)[rows] for task, rows in _draws(scores, seed)], axis=1)
        low, high = _interval(trim_mean(drawn, 0.25, axis=1))
    return Estimate(interquartile_mean(scores), low, high, sum(map(len, scores)), len(scores))


def probability_of_improvement(scores: Scores, others: Scores, *, seed: int = 0) -> Estimate:
    """Return how likely a run beats a run of the other on the same task, ties counted half; mean over the tasks.

    Raises:
        ValueError: They were not run on the same number of tasks.
    """
    if len(scores) != len(others) or not scores:
        raise ValueError(f"the same tasks are needed, received {len(scores)} and {len(others)}")
    wins = [_wins(mine, theirs) for mine, theirs in zip(scores, others, strict=True)]
    value = float(np.mean([table.mean() for table in wins]))
    low, high = None, None
    if repeats(scores) or repeats(others):
        draws = zip(wins, _draws(scores, seed), _draws(others, seed + 1), strict=True)
        shares = [
            table[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2)) for table, (_, rows), (_, columns) in draws
        ]
        low, high = _interval(np.mean(shares, axis=0))
    return Estimate(value, low, high, sum(map(len, scores)) + sum(map(len, others)), len(scores))


def _wins(mine: Sequence[float], theirs: Sequence[float]) -> np.ndarray:
    """Return 1 for each pair ``[mine, theirs]`` that is won and 1/2 for a tie; the mean is Mann-Whitney's U / (n m)."""
    difference = np.asarray(mine, float)[:, None] - np.asarray(theirs, float)[None, :]
    return np.asarray((difference > 0) + 0.5 * (difference == 0))


def repeats(scores: Scores) -> bool:
    """Tell whether any task has a second run, so that there is something to resample."""
    return any(len(task) > 1 for task in scores)


def _draws(scores: Scores, seed: int) -> Iterator[tuple[Sequence[float], np.ndarray]]:
    """Yield for each task the runs drawn in each resample ``[resamples, runs]``, as indices."""
    random = np.random.default_rng(seed)
    for task in scores:
        yield task, random.integers(len(task), size=(RESAMPLES, len(task)))


def percentile_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95 % percentile intervals of values ``[resamples, ...]``."""
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return low, high


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = percentile_interval(values)
    return float(low), float(high)
