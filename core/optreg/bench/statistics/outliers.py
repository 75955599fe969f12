"""Which samples lie far from the others. They are told, and kept: what disturbed them is part of the measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_MILD, _SEVERE = 1.5, 3.0  # of the distance between the quartiles (Tukey 1977)


@dataclass(frozen=True)
class Outliers:
    """How many values lie beyond Tukey's inner fences but within the outer ones, and how many beyond those."""

    low_mild: int = 0
    low_severe: int = 0
    high_mild: int = 0
    high_severe: int = 0

    @property
    def count(self) -> int:
        """All of them together."""
        return self.low_mild + self.low_severe + self.high_mild + self.high_severe


def outliers(values: Sequence[float]) -> Outliers:
    """Return how many values lie outside of Tukey's fences, by side and distance; none of no values."""
    if not values:
        return Outliers()
    array = np.asarray(values, float)
    lower, upper = np.quantile(array, [0.25, 0.75])
    mild, severe = _MILD * (upper - lower), _SEVERE * (upper - lower)
    below_mild, below_severe = (int(np.sum(array < lower - fence)) for fence in (mild, severe))
    above_mild, above_severe = (int(np.sum(array > upper + fence)) for fence in (mild, severe))
    return Outliers(below_mild - below_severe, below_severe, above_mild - above_severe, above_severe)
