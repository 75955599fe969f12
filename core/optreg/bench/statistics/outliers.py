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
    found = outlier_classes(values)
    return Outliers(*(int(np.sum(found == kind)) for kind in (-1, -2, 1, 2)))


def outlier_classes(values: Sequence[float]) -> np.ndarray:
    """Return for each value 0 within Tukey's inner fences, ±1 beyond one of them, ±2 beyond an outer one."""
    if not len(values):
        return np.zeros(0, int)
    array = np.asarray(values, float)
    lower, upper = np.quantile(array, [0.25, 0.75])
    fences = [fence * (upper - lower) for fence in (_MILD, _SEVERE)]
    above = sum((array > upper + fence).astype(int) for fence in fences)
    return np.asarray(above - sum((array < lower - fence).astype(int) for fence in fences))
