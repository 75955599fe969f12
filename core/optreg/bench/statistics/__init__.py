"""The statistics of a benchmark, computed by scipy and numpy from raw samples."""

from optreg.bench.statistics.intervals import (
    CONFIDENCE,
    Interval,
    Spread,
    median_interval,
    ratio_of_medians,
    relative_half_width,
    spread,
)

__all__ = [
    "CONFIDENCE",
    "Interval",
    "Spread",
    "median_interval",
    "ratio_of_medians",
    "relative_half_width",
    "spread",
]
