"""Medians and ratios with their intervals, from raw samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_RESAMPLES = 2000
_FEWEST_FOR_BOOTSTRAP = 6  # resampling fewer knows too few values to show how far they spread


@dataclass(frozen=True)
class Interval:
    """A confidence interval; ``confidence`` is its actual coverage, which few samples hold below 0.95."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and range of ``count`` values.

    ``deviation`` is the median distance from the median; 95 % of the values lie below ``nearly_all``.
    """

    count: int
    median: float
    lower_quartile: float
    upper_quartile: float
    least: float
    greatest: float
    deviation: float = 0.0
    nearly_all: float = 0.0


def spread(values: Sequence[float]) -> Spread:
    """Return median, quartiles and range.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("the spread of no values is not defined")
    array = np.asarray(values, float)
    least, lower, median, upper, high, greatest = map(float, np.quantile(array, [0.0, 0.25, 0.5, 0.75, 0.95, 1.0]))
    deviation = float(np.median(np.abs(array - median)))
    return Spread(len(values), median, lower, upper, least, greatest, deviation, high)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the confidence interval of the median that assumes no distribution.

    The number of samples below the true median is binomial with p = 1/2, so two order statistics enclose it. With fewer
    than six samples not even least and greatest reach 95 %; they are returned with the confidence that they do have.

    Raises:
        ValueError: There are no values.
    """
    from scipy.stats import binom  # noqa: PLC0415 - of the bench extra, and slow to import

    if not values:
        raise ValueError("the median of no values is not defined")
    ordered = sorted(values)
    count = len(ordered)
    # Largest k with P(X < k) <= (1 - confidence) / 2: the k-th smallest and k-th greatest enclose the median.
    k = max(int(binom.ppf((1 - confidence) / 2, count, 0.5)), 1)
    return Interval(ordered[k - 1], ordered[count - k], float(1 - 2 * binom.cdf(k - 1, count, 0.5)))


def relative_half_width(values: Sequence[float]) -> float:
    """Return half the width of the median's interval as a fraction of the median; infinite below six samples."""
    interval = median_interval(values)
    if interval.confidence < CONFIDENCE:
        return float("inf")
    half, median = (interval.high - interval.low) / 2, float(np.median(values))
    if not half:
        return 0.0
    return half / median if median else float("inf")  # a coarse clock may see no time pass


def ratio_of_medians(
    numerator: Sequence[float], denominator: Sequence[float], *, seed: int = 0
) -> tuple[float, Interval | None]:
    """Return the ratio of the medians of paired samples, and its bootstrap interval.

    Rounds are resampled, not single values, so that what disturbed both measurements of a round cancels out.
    The interval is None below six pairs.

    Raises:
        ValueError: The samples are not pairs, or there are none.
    """
    if len(numerator) != len(denominator) or not numerator:
        raise ValueError(f"paired samples are needed, received {len(numerator)} and {len(denominator)}")
    point = float(np.median(numerator) / np.median(denominator))
    if len(numerator) < _FEWEST_FOR_BOOTSTRAP:
        return point, None
    return point, _bootstrap(np.asarray(numerator, float), np.asarray(denominator, float), seed)


def _bootstrap(numerator: np.ndarray, denominator: np.ndarray, seed: int) -> Interval:
    from scipy.stats import bootstrap  # noqa: PLC0415 - see median_interval

    # A percentile interval stays defined when a sample of few rounds holds ties, where BCa divides by zero.
    found = bootstrap(
        (numerator, denominator),
        lambda above, below, axis: np.median(above, axis=axis) / np.median(below, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high), CONFIDENCE)
