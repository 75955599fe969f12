"""Is one set of samples slower than another? Two answers that must agree: how much, and whether chance explains it.

A difference counts when the Mann-Whitney test, corrected over all entries compared (Holm 1979), leaves less than
``alpha`` to chance, when the bootstrap interval of the ratio leaves out 1, when the ratio exceeds the threshold, and
when the quick end of the samples has moved as far: what disturbs a machine only ever makes samples slower, and where it
lasts as long as a run it moves the median and no test of independent samples knows. A step that really became slower is
slower undisturbed, too. The last holds for times alone: a loss can become worse from most seeds and not from all.
Where a kernel of fixed work was sampled beside the entry, in the same rounds, the ratio must exceed the threshold after
division by that kernel's, too: what the machine as a whole became slower by is no change of the entry.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optreg.bench.statistics.intervals import CONFIDENCE, Interval
from optreg.bench.statistics.replicas import Processes, nested_medians

ALPHA = 0.01
"""Chance of a false alarm, over all entries of a comparison together."""

THRESHOLD = 0.05
"""A ratio nearer to 1 than this is no change worth a word."""

_EXACT = 20  # samples a side up to which the exact distribution is computed, where no values are equal
_QUICK = 0.1  # quantile that stands for the undisturbed step
_FEWEST = 5  # samples a side: with fewer, even a complete separation has p > 0.01

Direction = Literal["slower", "faster", "same", "unclear"]


@dataclass(frozen=True)
class Change:
    """How new samples compare with old ones.

    ``ratio`` is the new median by the old one, ``chance`` the p-value after correction. ``direction`` is ``unclear``
    where there are too few samples, where the interval reaches beyond the threshold without the test agreeing, or
    where only the slow part of the samples, or the machine as a whole, moved. ``quick`` is the ratio at the quick end,
    ``drift`` that of the machine itself: None where it was not measured.
    """

    ratio: float
    interval: Interval
    chance: float
    old_count: int
    new_count: int
    direction: Direction
    quick: float
    drift: float | None = None


@dataclass(frozen=True)
class Pair:
    """Old and new samples of one entry, one sequence for each process that took some.

    ``limit`` holds those of a kernel of fixed work, taken beside them: old, then new.
    """

    old: Processes
    new: Processes
    limit: tuple[Processes, Processes] | None = None


def compare_all(
    pairs: Sequence[Pair], *, threshold: float = THRESHOLD, alpha: float = ALPHA, times: bool = True
) -> list[Change]:
    """Return the change of each pair, its chance corrected over all of them.

    Args:
        pairs: Old and new samples of each entry.
        threshold: A ratio nearer to 1 is no change.
        alpha: Chance of a false alarm over all pairs.
        times: Whether disturbances only ever add to a sample, so that the quick end must have moved as well, and by
            more than the machine itself.

    Raises:
        ValueError: A pair has no samples on one side.
    """
    chances = holm([rank_test(_flat(pair.old), _flat(pair.new)) for pair in pairs])
    return [
        _change(pair, threshold, chance=chance, significant=chance < alpha, times=times)
        for pair, chance in zip(pairs, chances, strict=True)
    ]


@functools.cache
def fewest_samples(entries: int, alpha: float = ALPHA) -> int:
    """Return how many samples a side needs for any change to count among so many entries, with or without ties."""
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - see rank_test

    count, chance = 1, 1.0
    while entries * chance >= alpha:
        count += 1
        apart = range(count), range(count, 2 * count)
        chance = max(float(mannwhitneyu(*apart, method=method).pvalue) for method in ("exact", "asymptotic"))
    return count


def rank_test(old: Sequence[float], new: Sequence[float]) -> float:
    """Return the two-sided p-value of Mann and Whitney's test that both come from one distribution.

    Exact for few samples without ties, else by the normal approximation with correction for ties.
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - of the bench extra, and slow to import

    if len({*old, *new}) == 1:
        return 1.0
    exact = max(len(old), len(new)) <= _EXACT and len({*old, *new}) == len(old) + len(new)
    return float(mannwhitneyu(old, new, method="exact" if exact else "asymptotic").pvalue)


def holm(chances: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, so that the chance of any false alarm stays below alpha."""
    array = np.asarray(chances, float)
    order = np.argsort(array, kind="stable")
    factors = np.arange(len(array), 0, -1)
    corrected = np.empty_like(array)
    corrected[order] = np.minimum(np.maximum.accumulate(array[order] * factors), 1.0)
    return [float(value) for value in corrected]


def ratio_interval(old: Processes, new: Processes, *, seed: int = 0) -> Interval:
    """Return the bootstrap interval of the ratio of the medians, new by old, samples resampled on each side.

    Where a side was measured by several processes these are resampled first: it holds what differs between them.
    """
    random = np.random.default_rng(seed)
    ratios = np.minimum(_ratio(nested_medians(new, random), nested_medians(old, random)), np.finfo(float).max)
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])  # which knows no infinite values
    return Interval(float(low), float(high), CONFIDENCE)


def _change(pair: Pair, threshold: float, *, chance: float, significant: bool, times: bool) -> Change:
    old, new = _flat(pair.old), _flat(pair.new)
    ratio = float(_ratio(np.median(new), np.median(old)))
    interval = ratio_interval(pair.old, pair.new)
    quick = float(_ratio(np.quantile(new, _QUICK), np.quantile(old, _QUICK)))
    drift = None if pair.limit is None else float(_ratio(*(np.median(_flat(it)) for it in reversed(pair.limit))))
    own = ratio if drift is None else float(_ratio(ratio, drift))
    direction = _direction(ratio, interval, significant=significant, threshold=threshold)
    agrees = {
        "slower": min(quick, own) > 1 + threshold,
        "faster": max(quick, own) < 1 / (1 + threshold),
    }.get(direction, True)
    few = min(len(old), len(new)) < _FEWEST
    direction = "unclear" if few or (times and not agrees) else direction
    direction = "same" if sorted(old) == sorted(new) else direction  # runs that repeat each other need no test
    return Change(ratio, interval, chance, len(old), len(new), direction, quick, drift)


def _ratio(above: Any, below: Any) -> Any:
    """Return the ratio, 1 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(above, below), 1.0, np.divide(above, below))


def _direction(ratio: float, interval: Interval, *, significant: bool, threshold: float) -> Direction:
    slower, faster = ratio > 1 + threshold, ratio < 1 / (1 + threshold)
    if significant and slower and interval.low > 1:
        return "slower"
    if significant and faster and interval.high < 1:
        return "faster"
    wide = interval.high > 1 + threshold or interval.low < 1 / (1 + threshold)
    return "unclear" if wide else "same"


def _flat(processes: Processes) -> list[float]:
    values = [value for samples in processes for value in samples]
    if not values:
        raise ValueError("a comparison needs samples on both sides")
    return values
