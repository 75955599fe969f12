"""Compare two results: entry by entry, over all metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optreg.bench.comparison.metrics import METRICS, Metric, Samples
from optreg.bench.results import Results
from optreg.bench.results.sections import Identity
from optreg.bench.statistics import THRESHOLD, Change, Pair, compare_all

_MACHINE = ("processor", "usable_cores", "python", "devices", "threads", "settings")


@dataclass(frozen=True)
class Row:
    """One metric of one entry in both results.

    ``change`` is None for exact metrics, where ``old`` and ``new`` say everything; they are medians otherwise.
    """

    identity: Identity
    label: str
    metric: str
    old: float
    new: float
    old_samples: Samples
    new_samples: Samples
    change: Change | None = None

    @property
    def ratio(self) -> float:
        """New by old; 1 where both are 0."""
        if self.old == self.new:
            return 1.0
        return self.new / self.old if self.old else float("inf")

    @property
    def worse(self) -> bool:
        """Whether it became worse beyond threshold and chance."""
        return self.new > self.old if self.change is None else self.change.direction == "slower"

    @property
    def better(self) -> bool:
        """Whether it became better beyond threshold and chance."""
        return self.new < self.old if self.change is None else self.change.direction == "faster"

    @property
    def unclear(self) -> bool:
        """Whether the samples do not say."""
        return self.change is not None and self.change.direction == "unclear"


@dataclass(frozen=True)
class Comparison:
    """All rows, what stands in one of the results only, and what else differs between the two runs."""

    rows: tuple[Row, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    warnings: tuple[str, ...]


def compare_results(
    old: Results, new: Results, *, metrics: Sequence[str] = tuple(METRICS), threshold: float = THRESHOLD
) -> Comparison:
    """Compare entries that both results hold; chance is corrected over all entries of a metric."""
    rows: list[Row] = []
    only_old: dict[str, None] = {}
    only_new: dict[str, None] = {}
    for name in metrics:
        before, after = _read(METRICS[name], old), _read(METRICS[name], new)
        shared = [key for key in after if key in before]
        rows += _rows(METRICS[name], [(key, *before[key], after[key][1]) for key in shared], threshold)
        only_old |= dict.fromkeys(before[key][0] for key in before if key not in after)
        only_new |= dict.fromkeys(after[key][0] for key in after if key not in before)
    return Comparison(tuple(rows), tuple(only_old), tuple(only_new), tuple(_differences(old, new)))


def _read(metric: Metric, results: Results) -> dict[Identity, tuple[str, Samples]]:
    found = {identity: (label, samples) for identity, label, samples in metric.read(results)}
    return {key: (label, samples) for key, (label, samples) in found.items() if any(samples)}


def _rows(metric: Metric, matched: Sequence[tuple[Identity, str, Samples, Samples]], threshold: float) -> list[Row]:
    pairs = [Pair(old, new) for _, _, old, new in matched]
    changes: Sequence[Change | None] = [None] * len(pairs) if metric.exact else compare_all(pairs, threshold=threshold)
    return [
        Row(identity, label, metric.name, _median(old), _median(new), old, new, change)
        for (identity, label, old, new), change in zip(matched, changes, strict=True)
    ]


def _median(samples: Samples) -> float:
    return float(np.median(np.concatenate([np.asarray(it, float) for it in samples])))


def _differences(old: Results, new: Results) -> list[str]:
    """Return what makes times of the two runs hard to compare."""
    found = [
        f"{key}: {old.machine.get(key)!r} then, {new.machine.get(key)!r} now"
        for key in _MACHINE
        if old.machine.get(key) != new.machine.get(key)
    ]
    versions = [result.machine.get("versions", {}) for result in (old, new)]
    return found + [
        f"{name}: {versions[0].get(name)} then, {versions[1].get(name)} now"
        for name in {**versions[0], **versions[1]}
        if versions[0].get(name) != versions[1].get(name)
    ]
