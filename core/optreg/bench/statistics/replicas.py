"""Samples of several processes: a process is faster or slower as a whole, and only other processes show how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.statistics.intervals import CONFIDENCE, Interval, median_interval, ratio_of_medians

Processes = Sequence[Sequence[float]]
"""The samples of each process."""

Pairs = Sequence[tuple[float, float]]
"""The samples of one process that two contestants took in the same rounds."""

_RESAMPLES = 2000
_BIASED = 0.01  # chance below which processes are said to differ


@dataclass(frozen=True)
class Between:
    """What differs between processes.

    ``share`` is the part of all variance that lies between them, ``chance`` the p-value of Kruskal and Wallis that
    they do not differ at all.
    """

    processes: int
    share: float
    chance: float

    @property
    def differ(self) -> bool:
        """Whether more than chance tells the processes apart."""
        return self.chance < _BIASED


def between(processes: Processes) -> Between | None:
    """Return what differs between processes; None below two of them with two samples each."""
    from scipy.stats import kruskal  # noqa: PLC0415 - of the bench extra, and slow to import

    groups = [np.asarray(samples, float) for samples in processes if len(samples) > 1]
    if len(groups) < 2:  # noqa: PLR2004 - one cannot differ
        return None
    everything = np.concatenate(groups)
    if np.ptp(everything) == 0:
        return Between(len(groups), 0.0, 1.0)
    means = np.array([group.mean() for group in groups])
    sizes = np.array([len(group) for group in groups])
    outer = float(np.sum(sizes * (means - everything.mean()) ** 2))
    total = float(np.sum((everything - everything.mean()) ** 2))
    return Between(len(groups), outer / total, float(kruskal(*groups).pvalue))


def replicated_interval(processes: Processes) -> Interval:
    """Return the 95 % interval of the median step time; with several processes, of what the next one would show.

    One process: the interval of its median. Several: Student's t over the logarithms of the medians of the processes,
    which holds the variance between them; the samples within tell nothing about it. Times differ by factors, and in
    logarithms no interval reaches below 0, however few the processes are.

    Raises:
        ValueError: There are no samples, or those of several processes are not positive.
    """
    measured = [samples for samples in processes if len(samples)]
    if len(measured) < 2:  # noqa: PLR2004 - variance needs two
        return median_interval(measured[0] if measured else [])
    medians = [float(np.median(samples)) for samples in measured]
    if min(medians) <= 0:
        raise ValueError(f"times of several processes must be above 0, received medians of {medians}")
    mean, half = _student(np.log(medians).tolist())
    return Interval(float(np.exp(mean - half)), float(np.exp(mean + half)), CONFIDENCE)


def replicated_ratio(processes: Sequence[Pairs]) -> tuple[float, Interval | None]:
    """Return the ratio of the medians of paired samples, and its 95 % interval.

    One process: as ``ratio_of_medians``. Several: the geometric mean of the ratios that the processes found, and
    Student's t over their logarithms. To resample five processes instead covers the truth in nine of ten cases only,
    and to pool their pairs in one of two, where processes differ by more than samples do.

    Raises:
        ValueError: There are no pairs.
    """
    measured = [list(zip(*pairs, strict=True)) for pairs in processes if len(pairs)]
    if len(measured) < 2:  # noqa: PLR2004 - as above
        return ratio_of_medians(*(measured[0] if measured else ([], [])))
    mean, half = _student([float(np.log(np.median(above) / np.median(below))) for above, below in measured])
    low, point, high = (float(value) for value in np.exp([mean - half, mean, mean + half]))
    return point, Interval(low, high, CONFIDENCE)


def _student(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and half the width of its interval by Student's t."""
    from scipy.stats import t  # noqa: PLC0415 - see between

    half = t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values)), float(half)


def nested_medians(processes: Processes, random: np.random.Generator) -> np.ndarray:
    """Return medians of resampled samples; of several processes, these are drawn first, then samples within each."""
    groups = [np.asarray(samples, float) for samples in processes if len(samples)]
    if len(groups) == 1:
        rows = random.integers(len(groups[0]), size=(_RESAMPLES, len(groups[0])))
        return np.asarray(np.median(groups[0][rows], axis=1))
    return np.array([_nested_median(groups, random) for _ in range(_RESAMPLES)])


def _nested_median(groups: Sequence[np.ndarray], random: np.random.Generator) -> float:
    drawn = random.integers(len(groups), size=len(groups))
    return float(np.median(np.concatenate([random.choice(groups[number], len(groups[number])) for number in drawn])))
