"""The statistics of a benchmark, computed by scipy and numpy from raw samples."""

from optreg.bench.statistics.comparison import ALPHA, THRESHOLD, Change, Pair, compare_all, fewest_samples
from optreg.bench.statistics.intervals import (
    CONFIDENCE,
    Interval,
    Spread,
    median_interval,
    ratio_of_medians,
    relative_half_width,
    spread,
)
from optreg.bench.statistics.outliers import Outliers, outlier_classes, outliers
from optreg.bench.statistics.replicas import Between, between, replicated_interval, replicated_ratio

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "THRESHOLD",
    "Between",
    "Change",
    "Interval",
    "Outliers",
    "Pair",
    "Spread",
    "between",
    "compare_all",
    "fewest_samples",
    "median_interval",
    "outlier_classes",
    "outliers",
    "ratio_of_medians",
    "relative_half_width",
    "replicated_interval",
    "replicated_ratio",
    "spread",
]
